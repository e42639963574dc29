// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/scaling.h"

#include <algorithm>
#include <cmath>

namespace headgate::router {
namespace {

constexpr absl::Duration kStep = absl::Seconds(10);
constexpr double kStepSeconds = 10;
constexpr int kFloorSteps = 2;  // sensitive work is averaged over 20 s
constexpr double kClassFactor = 1.5;
constexpr int kMiddleClass = 12;  // the class of the price of a replica's own second
constexpr double kHourSeconds = 3600;
// Ordinary work fills what is there; what does not fit leaves for the cloud, so nothing is kept free for it.
constexpr double kBusyMax = 0.95;
// Chosen on the development traces, then held against others (docs/planner.md).
constexpr double kMemoryOfWindow = 0.2;    // how fast ordinary work is forgotten: e-fold, of the window
constexpr double kPaysBackOfWindow = 0.5;  // a cold start must pay for itself in this part of the window
constexpr int kHeldColdStarts = 2;         // what was rented is kept for so many

double SecondPrice(const ScalingConfig& config) {
  return static_cast<double>(config.replica_hour_micro_units) / kHourSeconds;
}

}  // namespace

double WorkSeconds(const ScalingConfig& config, double prompt_tokens_uncached, double output_tokens) {
  if (config.prefill_tokens_per_second <= 0 || config.decode_tokens_per_second <= 0) return 0;
  return std::max(0.0, prompt_tokens_uncached) / config.prefill_tokens_per_second +
         std::max(0.0, output_tokens) / config.decode_tokens_per_second;
}

Scaling::Scaling(const Clock& clock, const ScalingConfig& config)
    : clock_(clock), config_(config), began_(clock.Monotonic()), grown_(clock.Monotonic()) {}

void Scaling::Apply(const ScalingConfig& config) {
  config_ = config;
  steps_.clear();  // classes and work are in the old configuration's units
  began_ = clock_.Monotonic();
  grown_ = began_;
  first_.reset();
}

void Scaling::Forget(int64_t index) {
  const int64_t oldest = index - std::max<int64_t>(1, config_.window / kStep);
  while (!steps_.empty() && steps_.front().index <= oldest) steps_.pop_front();
}

void Scaling::Arrived(bool sensitive, double work_seconds, double cloud_micro_units) {
  if (config_.replica_hour_micro_units <= 0 || !(work_seconds > 0)) return;
  const int64_t index = absl::Floor(clock_.Monotonic(), kStep) / kStep;
  if (steps_.empty() || steps_.back().index < index) {
    steps_.push_back({});
    steps_.back().index = index;
    Forget(index);
  }
  Step& step = steps_.back();
  if (sensitive) {
    step.sensitive_work += work_seconds;
    return;
  }
  const double relative = cloud_micro_units / work_seconds / SecondPrice(config_);
  const int place = relative > 0
                        ? static_cast<int>(std::floor(std::log(relative) / std::log(kClassFactor))) + kMiddleClass
                        : 0;
  const int index_of_class = std::clamp(place, 0, kClasses - 1);
  step.work[index_of_class] += work_seconds;
  step.price[index_of_class] += std::max(0.0, cloud_micro_units);
}

int64_t Scaling::Floor() const {
  double most = 0;
  for (size_t i = 0; i < steps_.size(); ++i) {
    double sum = 0;
    for (size_t j = i; j < steps_.size() && steps_[j].index < steps_[i].index + kFloorSteps; ++j) {
      sum += steps_[j].sensitive_work;
    }
    most = std::max(most, sum);
  }
  return static_cast<int64_t>(std::ceil(most / (kFloorSteps * kStepSeconds * config_.utilisation_max)));
}

Scaling::Past Scaling::WeighPast(double seen) const {
  const MonotonicTime now = clock_.Monotonic();
  Past past;
  past.last = absl::Floor(now, kStep) / kStep;
  const double decay = std::exp(-kStepSeconds / (kMemoryOfWindow * absl::ToDoubleSeconds(config_.window)));
  double covered = std::min(seen, absl::ToDoubleSeconds(now - past.last * kStep));
  past.weights = {1};
  past.seconds = covered;
  // A step without arrivals counts too.
  while (covered < seen) {
    const double part = std::min(kStepSeconds, seen - covered);
    past.weights.push_back(past.weights.back() * decay);
    past.seconds += past.weights.back() * part;
    covered += part;
  }
  return past;
}

double Scaling::SavedPerSecond(int64_t replicas, const Past& past) const {
  const double busy = std::max(kBusyMax, config_.utilisation_max);
  double saved = 0;
  for (const Step& step : steps_) {
    const auto ago = static_cast<size_t>(std::max<int64_t>(0, past.last - step.index));
    double room = static_cast<double>(replicas) * busy * kStepSeconds - step.sensitive_work;
    double money = 0;
    for (int i = kClasses - 1; i >= 0 && room > 0; --i) {
      if (step.work[i] <= 0) continue;
      const double share = std::min(1.0, room / step.work[i]);
      money += share * step.price[i];
      room -= share * step.work[i];
    }
    saved += past.weights[std::min(ago, past.weights.size() - 1)] * money;
  }
  return saved / past.seconds;
}

int64_t Scaling::Wanted(int64_t replicas, double price_level) {
  if (config_.replica_hour_micro_units <= 0) return replicas;
  const MonotonicTime now = clock_.Monotonic();
  Forget(absl::Floor(now, kStep) / kStep);
  const double window = absl::ToDoubleSeconds(config_.window);
  const double seen =
      std::clamp(absl::ToDoubleSeconds(std::min(now - began_, config_.window)), kStepSeconds, 1e9);
  const Past past = WeighPast(seen);
  const double pays_back = kPaysBackOfWindow * window;
  const double cold_start = SecondPrice(config_) * absl::ToDoubleSeconds(config_.cold_start);
  const int64_t least = std::clamp(Floor(), config_.replicas_min, config_.replicas_max);
  int64_t best = least;
  double best_cost = 0;
  for (int64_t n = least; n <= config_.replicas_max; ++n) {
    double cost = pays_back * (SecondPrice(config_) * static_cast<double>(n) - price_level * SavedPerSecond(n, past));
    // A change must pay for a cold start: now, or later when the replica is wanted again.
    cost += cold_start * static_cast<double>(std::abs(n - replicas));
    if (n == least || cost < best_cost) {
      best = n;
      best_cost = cost;
    }
    if (n > replicas && cost > best_cost + 4 * pays_back * SecondPrice(config_)) break;  // savings only flatten
  }
  if (!first_) first_ = replicas;
  // A short past has not seen its bursts yet.
  if (best < replicas && seen < window / 2) best = std::min(replicas, std::max(best, (*first_ + 1) / 2));
  if (best > replicas) grown_ = now;
  if (best < replicas && now - grown_ < kHeldColdStarts * config_.cold_start) return replicas;
  return best;
}

void LocalPrice::Observe(MonotonicTime now, double wait_ratio) {
  constexpr double kTarget = 1;
  constexpr double kGainPerSecond = 0.1;
  constexpr double kPriceMax = 8;  // in a replica's own price
  const double second = SecondPrice(config_);
  if (second <= 0) return;
  const double passed = std::clamp(absl::ToDoubleSeconds(now - observed_), 0.0, 1.0);
  observed_ = now;
  const double error = std::clamp(wait_ratio, 0.0, 2.0) - kTarget;
  price_ = std::clamp(price_ + kGainPerSecond * passed * error * second, 0.0, kPriceMax * second);
}

}  // namespace headgate::router
