// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/quote.h"

#include <algorithm>
#include <cmath>

#include "router/cloud_choice.h"

namespace headgate::router {
namespace {

constexpr double kOutputGuess = 256;      // before a tenant's first answer
constexpr double kMemory = 200;           // answers: the weight of a new one is at least 1 / kMemory
constexpr double kSizeAnswersMin = 5;     // fewer say nothing about a size of prompt
// The objective is meant for more than the 95 % of which the prediction is sure: it aims at this part of it.
constexpr double kObjectiveAimedAt = 0.85;
constexpr double kReadMemory = 3e6;       // prompt tokens on the cloud after which the past counts half
constexpr double kAskedKept = 0.9;        // of a cloud's part in the price level, every time it is asked for
constexpr size_t kTenantsMax = 100'000;

int SizeOf(double prompt_tokens, int sizes) {
  const int place = prompt_tokens < 64 ? 0 : static_cast<int>(std::log2(prompt_tokens / 64) / 2) + 1;
  return std::clamp(place, 0, sizes - 1);
}

void Learn(double value, double count, double* mean) { *mean += (value - *mean) / std::min(count, kMemory); }

v1::Usage UsageOf(double prompt, double cached, double output) {
  v1::Usage usage;
  usage.set_prompt_tokens(std::llround(prompt));
  usage.set_cached_tokens(std::llround(std::clamp(cached, 0.0, prompt)));
  usage.set_completion_tokens(std::llround(output));
  return usage;
}

}  // namespace

QuoteBook::QuoteBook(const Clock& clock, const RouterConfig& config)
    : clock_(clock), scaling_(clock, config.scaling), local_price_(config.scaling) {
  Apply(config);
}

void QuoteBook::Apply(const RouterConfig& config) {
  policy_ = config.policy;
  scaling_config_ = config.scaling;
  accounting_ = config.accounting;
  clouds_.resize(1 + config.clouds.size());
  for (size_t i = 0; i < clouds_.size(); ++i) clouds_[i].model = CloudNumber(config, i).model;
  scaling_.Apply(config.scaling);
  local_price_.Apply(config.scaling);
}

double QuoteBook::ExpectedOutput(const Learned* learned, const Ask& ask) const {
  double expected = kOutputGuess;
  if (learned != nullptr && learned->answers > 0) {
    const auto& size = learned->sizes[SizeOf(ask.prompt_tokens, kSizes)];
    expected = size.answers >= kSizeAnswersMin ? size.output_tokens : learned->output_tokens;
  }
  return ask.max_tokens > 0 ? std::min(expected, ask.max_tokens) : expected;
}

double QuoteBook::AgainShare(const Learned* learned) {
  if (learned == nullptr || learned->read_on_cloud <= 0) return 0;
  return std::min(1.0, learned->read_again / learned->read_on_cloud);
}

Offer QuoteBook::For(const std::string& tenant, const Ask& ask) const {
  const auto found = learned_.find(tenant);
  const Learned* learned = found == learned_.end() ? nullptr : &found->second;
  const double output = ExpectedOutput(learned, ask);
  const double prompt = std::max(0.0, ask.prompt_tokens);
  const auto cached = [&](const std::optional<double>& known, double share) {
    return std::min(prompt, known ? *known : share * prompt);
  };
  const double local_cached = cached(ask.local_cached_tokens, learned ? learned->local_cached_share : 0);
  const double cloud_cached = cached(ask.cloud_cached_tokens, learned ? learned->cloud_cached_share : 0);

  Offer offer;
  offer.cloud = std::min(ask.cloud, clouds_.size() - 1);
  const Cloud& cloud = clouds_[offer.cloud];
  offer.work_seconds = WorkSeconds(scaling_config_, prompt - local_cached, output);
  const absl::Time now = clock_.WallTime();
  const auto price = Price(accounting_, cloud.model, UsageOf(prompt, cloud_cached, output), now);
  if (!price.ok()) return offer;
  Quote quote;
  quote.cloud_micro_units = static_cast<double>(price->micro_units);
  offer.only_cloud_knows_tokens = std::max(0.0, cloud_cached - local_cached);
  const double new_to_both = prompt - std::max(cloud_cached, local_cached);
  quote.again_micro_units = AgainShare(learned) * WorkSeconds(scaling_config_, new_to_both, 0) *
                            static_cast<double>(scaling_config_.replica_hour_micro_units) / 3600;
  quote.local_micro_units = local_price_.micro_units_per_work_second() * offer.work_seconds;
  quote.cloud_delay_seconds = cloud.first_token_p90;
  offer.local_predicted_seconds = ask.local_first_token_seconds.value_or(
      ask.local_wait_seconds + WorkSeconds(scaling_config_, prompt - local_cached, 0));
  quote.local_delay_seconds = offer.local_predicted_seconds * late_ratio_[SizeOf(prompt, kSizes)];
  quote.objective_seconds =
      kObjectiveAimedAt * (absl::ToDoubleSeconds(policy_.first_token_objective) +
                           absl::ToDoubleSeconds(policy_.first_token_objective_per_1k) * prompt / 1000);
  quote.last = learned != nullptr ? learned->last : Quote::Side::kNone;
  offer.cloud_micro_units_off_peak =
      quote.cloud_micro_units / PeakRatio(accounting_, cloud.model, now) + quote.again_micro_units;
  offer.quote = quote;
  return offer;
}

void QuoteBook::LocalFirstToken(double prompt_tokens, double predicted_seconds, double seconds) {
  if (!(predicted_seconds > 0) || !(seconds >= 0)) return;
  constexpr double kQuantile = 0.95;
  constexpr double kStep = 0.1;
  double& ratio = late_ratio_[SizeOf(prompt_tokens, kSizes)];
  ratio *= std::exp(kStep * (seconds > ratio * predicted_seconds ? kQuantile : kQuantile - 1));
  ratio = std::clamp(ratio, 0.5, 20.0);
}

void QuoteBook::Arrived(const std::string& tenant, bool eligible, const Offer& offer) {
  if (const auto found = learned_.find(tenant); !eligible && found != learned_.end()) {
    found->second.read_again += offer.only_cloud_knows_tokens;
  }
  if (offer.quote && offer.quote->objective_seconds > 0) {
    local_price_.Observe(clock_.Monotonic(), offer.quote->local_delay_seconds / offer.quote->objective_seconds);
  }
  if (eligible) clouds_[offer.cloud].asked += offer.cloud_micro_units_off_peak;
  scaling_.Arrived(!eligible, offer.work_seconds, offer.cloud_micro_units_off_peak);
}

std::optional<int64_t> QuoteBook::Wanted(int64_t replicas) {
  constexpr absl::Duration kEvery = absl::Seconds(10);
  const MonotonicTime now = clock_.Monotonic();
  if (scaling_config_.replica_hour_micro_units <= 0 || now < wanted_at_ + kEvery) return std::nullopt;
  wanted_at_ = now;
  const double level = PriceLevel(clock_.WallTime() + scaling_config_.cold_start);
  for (Cloud& cloud : clouds_) cloud.asked *= kAskedKept;
  return scaling_.Wanted(replicas, level);
}

double QuoteBook::PriceLevel(absl::Time when) const {
  double asked = 0, priced = 0;
  for (const Cloud& cloud : clouds_) {
    asked += cloud.asked;
    priced += cloud.asked * PeakRatio(accounting_, cloud.model, when);
  }
  return asked > 0 ? priced / asked : PeakRatio(accounting_, clouds_.front().model, when);
}

void QuoteBook::Decided(const std::string& tenant, Quote::Side side) {
  if (const auto found = learned_.find(tenant); found != learned_.end()) found->second.last = side;
}

void QuoteBook::Answered(const std::string& tenant, Quote::Side side, const v1::Usage& usage,
                         absl::Duration first_token, size_t cloud) {
  const double output = static_cast<double>(usage.completion_tokens());
  const double prompt = static_cast<double>(usage.prompt_tokens());
  if (output <= 0 || prompt <= 0) return;
  if (learned_.size() >= kTenantsMax && !learned_.contains(tenant)) return;
  Learned& learned = learned_[tenant];
  Learn(output, ++learned.answers, &learned.output_tokens);
  Learned::Size& size = learned.sizes[SizeOf(prompt, kSizes)];
  Learn(output, ++size.answers, &size.output_tokens);
  const double share = std::clamp(static_cast<double>(usage.cached_tokens()) / prompt, 0.0, 1.0);
  Learn(share, learned.answers, side == Quote::Side::kCloud ? &learned.cloud_cached_share
                                                            : &learned.local_cached_share);
  if (side != Quote::Side::kCloud) return;
  learned.read_on_cloud += std::max(0.0, prompt - static_cast<double>(usage.cached_tokens()));
  if (learned.read_on_cloud > kReadMemory) {
    learned.read_on_cloud /= 2;
    learned.read_again /= 2;
  }
  if (first_token == absl::InfiniteDuration()) return;
  // The p90 by stochastic approximation: nine answers below pull it down as far as one above pulls it up.
  constexpr double kQuantile = 0.9;
  constexpr double kStep = 0.05;
  const double seconds = std::clamp(absl::ToDoubleSeconds(first_token), 0.0, 3600.0);
  double& p90 = clouds_[std::min(cloud, clouds_.size() - 1)].first_token_p90;
  const double step = kStep * std::max(0.05, p90);
  p90 += seconds > p90 ? step * kQuantile : -step * (1 - kQuantile);
}

}  // namespace headgate::router
