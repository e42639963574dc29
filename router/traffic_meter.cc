// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/traffic_meter.h"

#include <algorithm>
#include <cmath>

namespace headgate::router {
namespace {

constexpr absl::Duration kSlot = absl::Milliseconds(100);
constexpr absl::Duration kRateWindow = absl::Seconds(10);  // of Load::eligible_qps
constexpr double kTicksPerSecond = 4e9;                    // absl::Duration counts quarters of a nanosecond

absl::Duration Ticks(double ticks) { return static_cast<int64_t>(ticks) * (absl::Nanoseconds(1) / 4); }

// GCRA's increment 1/T, rounded up: rounded down, the bound would be exceeded by one now and then.
absl::Duration Increment(double threshold) { return Ticks(std::ceil(kTicksPerSecond / threshold)); }

// GCRA's tolerance B/T with B = T/4, lowered until floor(T + T/4) is what fits into a second: at 3 per second, a
// quarter of a second's worth is no whole request.
absl::Duration Tolerance(double threshold) {
  const double in_a_second = std::floor(threshold * 1.25);
  return Ticks(std::floor(std::max(0.0, in_a_second / threshold - 1) * kTicksPerSecond));
}

int64_t SlotIndex(MonotonicTime when) { return absl::Floor(when, kSlot) / kSlot; }

}  // namespace

TrafficMeter::TrafficMeter(const Clock& clock, const PolicyConfig& config)
    : clock_(clock), config_(config), theoretical_arrival_(clock.Monotonic()), mode_since_(clock.Monotonic()) {}

void TrafficMeter::Share(SharedLimits& limits) {
  lease_ = &limits.Get(LeaseAsk::Kind::kRate, "cloud_qps");
  sum_ = &limits.Get(LeaseAsk::Kind::kSum, "eligible_qps");
  sum_->SetSource([this] { return Rate(clock_.Monotonic(), config_.switch_window); });
  peaks_ = &limits.Get(LeaseAsk::Kind::kSum, "peaks");
  peaks_->SetSource([this] { return peak_ && !MayLeavePeak(clock_.Monotonic()) ? 1.0 : 0.0; });
  Apply(config_);
}

double TrafficMeter::Threshold() const {
  const double threshold = config_.cloud_qps_threshold;
  return lease_ == nullptr || lease_->live() ? threshold : lease_->own_share(threshold);
}

double TrafficMeter::SharedRate(MonotonicTime now) const {
  return Rate(now, config_.switch_window) + (sum_ != nullptr ? sum_->others() : 0);
}

void TrafficMeter::Apply(const PolicyConfig& config) {
  if (config.mode != config_.mode) peak_ = false;
  config_ = config;
  if (lease_ != nullptr) lease_->Set(config.cloud_qps_threshold, std::max(1.0, config.cloud_qps_threshold / 4));
  below_since_ = absl::InfiniteDuration();  // below another threshold says nothing about this one
}

Load TrafficMeter::Arrive() {
  const MonotonicTime now = clock_.Monotonic();
  LeavePeak(now);
  const int64_t index = SlotIndex(now);
  if (slots_.empty() || slots_.back().index < index) slots_.push_back({index, 0});
  ++slots_.back().count;
  const int64_t oldest = index - std::max(config_.switch_window, kRateWindow) / kSlot;
  while (slots_.front().index < oldest) slots_.pop_front();
  if (lease_ != nullptr) lease_->Asked();
  EnterPeak(now);
  return Peek();
}

Load TrafficMeter::Peek() const {
  const MonotonicTime now = clock_.Monotonic();
  Load load;
  load.cloud_rate_conforms = Conforms(now);
  load.peak = config_.mode == PolicyConfig::Mode::kSwitch &&
              (config_.cloud_qps_threshold <= 0 || (peak_ && !MayLeavePeak(now)) || OthersInPeak());
  load.eligible_qps = Rate(now, kRateWindow);
  return load;
}

void TrafficMeter::CommitCloud() {
  // What goes out without a place (`cost`, a bridged request) takes none: the places of the next seconds stay free.
  if (!Conforms(clock_.Monotonic())) return;
  if (shared()) lease_->Take();
  // Kept up beside the tokens, so that a lost store finds no burst saved up.
  theoretical_arrival_ = std::max(clock_.Monotonic(), theoretical_arrival_) + Increment(Threshold());
}

bool TrafficMeter::Conforms(MonotonicTime now) const {
  const double threshold = Threshold();
  if (shared()) return threshold > 0 && lease_->HasToken();
  return threshold > 0 && now >= theoretical_arrival_ - Tolerance(threshold);
}

double TrafficMeter::Rate(MonotonicTime now, absl::Duration window) const {
  const int64_t oldest = SlotIndex(now) - window / kSlot;
  int64_t count = 0;
  auto slot = slots_.rbegin();
  for (; slot != slots_.rend() && slot->index > oldest; ++slot) count += slot->count;
  // Of the slot that the window begins in the part that is left: leaving all at once it would be seen otherwise by
  // routers that look at each other's counts some milliseconds later.
  const bool partly = slot != slots_.rend() && slot->index == oldest;
  const double left = 1 - absl::FDivDuration(now - absl::Floor(now, kSlot), kSlot);
  return (static_cast<double>(count) + (partly ? left * static_cast<double>(slot->count) : 0)) /
         absl::ToDoubleSeconds(window);
}

MonotonicTime TrafficMeter::BelowSince(MonotonicTime now) const {
  if (below_since_ <= now) return below_since_;
  // What the others send now is taken for what they have sent.
  const double low = config_.switch_low_ratio * Threshold() - (sum_ != nullptr ? sum_->others() : 0);
  if (Rate(now, config_.switch_window) > low) return absl::InfiniteDuration();
  // Without arrivals the rate only falls, one slot after the other leaving the window: from the newest back, the first
  // slot that would still be too much marks the moment.
  const int64_t window_slots = config_.switch_window / kSlot;
  const double count_max = low * absl::ToDoubleSeconds(config_.switch_window);
  int64_t count = 0;
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
    count += slot->count;
    if (static_cast<double>(count) > count_max) {
      return std::max({mode_since_, high_at_, static_cast<double>(slot->index + window_slots + 1) * kSlot});
    }
  }
  return std::max(mode_since_, high_at_);
}

bool TrafficMeter::MayLeavePeak(MonotonicTime now) const {
  // BelowSince is never before PEAK began, so this is PEAK's dwell too.
  return now - BelowSince(now) >= config_.switch_dwell;
}

void TrafficMeter::LeavePeak(MonotonicTime now) {
  if (!peak_) return;
  if (!MayLeavePeak(now)) {
    below_since_ = BelowSince(now);
    return;
  }
  peak_ = false;
  follows_ = false;
  mode_since_ = now;
  below_since_ = absl::InfiniteDuration();
}

void TrafficMeter::EnterPeak(MonotonicTime now) {
  const double rate = SharedRate(now);
  if (rate > config_.switch_low_ratio * Threshold()) {
    below_since_ = absl::InfiniteDuration();
    high_at_ = now;
  }
  const bool others = OthersInPeak();
  follows_ = follows_ || !others;
  if (peak_ || config_.mode != PolicyConfig::Mode::kSwitch || (rate < Threshold() && !(others && follows_))) return;
  peak_ = true;
  mode_since_ = now;
}

}  // namespace headgate::router
