// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/step_budget.h"

#include <algorithm>

namespace headgate::engine {
namespace {

constexpr int32_t kTokensAtFirst = 128;
constexpr double kForget = 0.01;     // of a best speed, each step: it takes a hundred slow ones
constexpr double kNewWeight = 0.25;  // of the newest step: a few steps follow a change

void Learn(double& value, double seen) { value = value == 0 ? seen : value + kNewWeight * (seen - value); }

}  // namespace

StepBudget::StepBudget(absl::Duration target, int32_t tokens_max)
    : target_seconds_(absl::ToDoubleSeconds(target)), tokens_max_(tokens_max) {}

size_t StepBudget::Bucket(int32_t rows) {
  size_t bucket = 0;
  while (bucket + 1 < kBuckets && (1 << bucket) < rows) ++bucket;
  return bucket;
}

// The nearest known below counts where the exact one is not known: optimistic, and corrected by the first step.
double StepBudget::DecodeSeconds(int32_t rows) const {
  if (rows == 0) return 0;
  const size_t wanted = Bucket(rows);
  for (size_t i = 0; i <= wanted; ++i) {
    if (decode_seconds_[wanted - i] > 0) return decode_seconds_[wanted - i];
  }
  return 0;
}

void StepBudget::Observe(int32_t decode_rows, int32_t prefill_rows, double seconds) {
  if (seconds <= 0) return;
  if (prefill_rows == 0) {
    if (decode_rows > 0) Learn(decode_seconds_[Bucket(decode_rows)], seconds);
    return;
  }
  // A few prompt rows say little about the cost of one: the step's fixed cost is in them.
  if (prefill_rows < kTokensMin) return;
  const double added = std::max(seconds - DecodeSeconds(decode_rows), seconds / 4);
  const double seen = added / prefill_rows;
  Learn(prefill_seconds_, seen);
  const double best = prefill_seconds_best_;
  prefill_seconds_best_ = best == 0 || seen < best ? seen : best + kForget * (seen - best);
}

int32_t StepBudget::PrefillTokens(int32_t decode_rows) const {
  if (target_seconds_ <= 0) return tokens_max_;
  if (prefill_seconds_ <= 0) return std::min(kTokensAtFirst, tokens_max_);
  const double left = target_seconds_ - DecodeSeconds(decode_rows);
  const double tokens = std::clamp(left / prefill_seconds_, 0.0, static_cast<double>(tokens_max_));
  return std::clamp(static_cast<int32_t>(tokens), std::min(kTokensMin, tokens_max_), tokens_max_);
}

}  // namespace headgate::engine
