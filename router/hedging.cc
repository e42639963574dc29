// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/hedging.h"

#include <algorithm>

namespace headgate::router {
namespace {

constexpr size_t kSeenMax = 512;
constexpr size_t kSeenMin = 10;    // of so few, the latest
constexpr size_t kSortEvery = 5;
constexpr double kLate = 0.95;
constexpr double kCreditMax = 5;   // hedges at once after a quiet time

}  // namespace

absl::Duration Hedging::Begin() {
  if (config_.hedge_share <= 0) return absl::InfiniteDuration();
  credit_ = std::min(kCreditMax, credit_ + config_.hedge_share);
  return std::max(late_, config_.hedge_delay_min);
}

bool Hedging::Take() {
  if (config_.hedge_share <= 0 || credit_ < 1) return false;
  credit_ -= 1;
  return true;
}

void Hedging::Observe(absl::Duration first_token) {
  if (seen_.size() < kSeenMax) {
    seen_.push_back(first_token);
  } else {
    seen_[next_] = first_token;
    next_ = (next_ + 1) % kSeenMax;
  }
  if (++since_sorted_ < kSortEvery || seen_.size() < kSeenMin) return;
  since_sorted_ = 0;
  std::vector<absl::Duration> sorted = seen_;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(kLate * static_cast<double>(sorted.size()));
  std::nth_element(sorted.begin(), at, sorted.end());
  late_ = *at;
}

}  // namespace headgate::router
