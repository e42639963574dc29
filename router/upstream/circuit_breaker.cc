// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/circuit_breaker.h"

#include <algorithm>
#include <cmath>

namespace headgate::router {
namespace {
constexpr double kGrowthMax = 10;
}

CircuitBreaker::CircuitBreaker(const Clock& clock, int64_t failures, absl::Duration open_for)
    : clock_(clock), failures_max_(failures), open_for_(open_for) {}

void CircuitBreaker::Configure(int64_t failures, absl::Duration open_for) {
  failures_max_ = failures;
  open_for_ = open_for;
}

bool CircuitBreaker::Available() const { return !open_ || (HalfOpen() && !probing_); }

std::optional<CircuitBreaker::Attempt> CircuitBreaker::Acquire() {
  if (!Available()) return std::nullopt;
  probing_ = open_;
  return Attempt{opening_, open_};
}

void CircuitBreaker::Answered(Attempt& attempt) {
  Abandon(attempt);
  attempt.probe = false;
}

void CircuitBreaker::Success(const Attempt& attempt) {
  if (attempt.opening != opening_) return;
  open_ = false;
  probing_ = false;
  failures_ = 0;
  openings_ = 0;
}

void CircuitBreaker::Failure(const Attempt& attempt) {
  if (attempt.opening != opening_) return;
  if (!open_ && ++failures_ < failures_max_) return;
  Open(open_for_ * std::min(kGrowthMax, std::ldexp(1.0, static_cast<int>(std::min<int64_t>(openings_, 8)))));
}

void CircuitBreaker::Trip(absl::Duration open_for) { Open(open_for); }

void CircuitBreaker::Abandon(const Attempt& attempt) {
  if (attempt.probe && attempt.opening == opening_) probing_ = false;
}

void CircuitBreaker::Open(absl::Duration open_for) {
  const MonotonicTime until = clock_.Monotonic() + open_for;
  open_until_ = open_ ? std::max(open_until_, until) : until;
  open_ = true;
  probing_ = false;
  failures_ = 0;
  ++opening_;
  ++openings_;
}

std::string_view CircuitBreaker::state() const {
  if (!open_) return "closed";
  return HalfOpen() ? "half_open" : "open";
}

}  // namespace headgate::router
