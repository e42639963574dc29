// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/hpa.h"

#include <algorithm>
#include <cmath>

#include "planner/strategy.h"

namespace headgate::planner {
namespace {

constexpr double kPeriodSeconds = 15;
constexpr double kTolerance = 0.1;
constexpr double kStabilisationSeconds = 300;

}  // namespace

Hpa::Hpa(const Scenario& scenario, double target)
    : least_(std::max<int64_t>(1, scenario.router.scaling.replicas_min)),
      most_(scenario.router.scaling.replicas_max),
      target_(target),
      wanted_(std::clamp(scenario.replicas_start, least_, std::max(least_, most_))) {}

int64_t Hpa::Replicas(const FleetView& fleet) {
  busy_sum_ += fleet.busy_share;
  ++looks_;
  if (fleet.now_s < decided_at_ + kPeriodSeconds) return wanted_;
  decided_at_ = fleet.now_s;
  const double share = busy_sum_ / looks_;
  busy_sum_ = 0;
  looks_ = 0;
  const double ready = static_cast<double>(std::max<int64_t>(1, fleet.ready));
  int64_t wish = wanted_;
  if (std::abs(share / target_ - 1) > kTolerance) wish = static_cast<int64_t>(std::ceil(ready * share / target_));
  wish = std::clamp(std::min(wish, 2 * wanted_), least_, most_);
  wishes_.emplace_back(fleet.now_s, wish);
  while (wishes_.front().first < fleet.now_s - kStabilisationSeconds) wishes_.pop_front();
  int64_t highest = wish;
  for (const auto& [at, value] : wishes_) highest = std::max(highest, value);
  wanted_ = wish > wanted_ ? wish : std::min(wanted_, highest);
  return wanted_;
}

}  // namespace headgate::planner
