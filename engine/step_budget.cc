// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/step_budget.h"

#include <algorithm>

namespace headgate::engine {
namespace {

constexpr int32_t kTokensAtFirst = 128;
constexpr double kForget = 0.01;     // of a best speed, each step: it takes a hundred slow ones
constexpr double kNewWeight = 0.25;  // of the newest step: a few steps follow a change
constexpr int32_t kSure = 16;        // steps of one size before it is judged
constexpr int64_t kStale = 2000;     // steps after which a size that did not come again is not known any more
constexpr double kLong = 4;          // times the target: a gap that must pay
constexpr double kPays = 1.1;        // for it: the rate of twice the answers by that of fewer
constexpr double kLoses = 0.75;      // of the rate of fewer answers: they only get in each other's way
constexpr int32_t kAnswersMin = 4;   // fewer, and one long answer keeps everybody waiting
constexpr double kWellPast = 1.3;      // times the target: no step that only happened to be slow
constexpr double kShared = 0.65;       // of a prompt row's cost, with twice the rows: the step was mostly fixed cost
constexpr int32_t kRowsPay = 128;      // prompt rows up to which that is tried
constexpr int64_t kChunkStale = 200;   // as kStale, for steps with prompts

void Learn(double& value, double seen) { value = value == 0 ? seen : value + kNewWeight * (seen - value); }

}  // namespace

StepBudget::StepBudget(absl::Duration target, int32_t tokens_max)
    : target_seconds_(absl::ToDoubleSeconds(target)), tokens_max_(tokens_max) {}

size_t StepBudget::Bucket(int32_t rows) {
  size_t bucket = 0;
  while (bucket + 1 < kBuckets && (1 << bucket) < rows) ++bucket;
  return bucket;
}

size_t StepBudget::ChunkBucket(int32_t rows) {
  size_t bucket = 0;
  while (bucket + 1 < kChunkBuckets && (2 * kTokensMin << bucket) <= rows) ++bucket;
  return bucket;
}

// The nearest known below counts where the exact one is not known: optimistic, and corrected by the first step.
double StepBudget::DecodeSeconds(int32_t rows) const {
  if (rows == 0) return 0;
  const size_t wanted = Bucket(rows);
  for (size_t i = 0; i <= wanted; ++i) {
    if (sizes_[wanted - i].seconds > 0) return sizes_[wanted - i].seconds;
  }
  return 0;
}

bool StepBudget::Known(const Size& size) const { return size.seen >= kSure && steps_ - size.last < kStale; }

void StepBudget::Trust() {
  for (Size& size : sizes_) {
    if (size.seen > 0) size.seen = kSure;
  }
}

// The largest size that is good; sizes above the known ones count as good.
int32_t StepBudget::AnswersAtATime(int32_t most) const {
  if (target_seconds_ <= 0) return most;
  int32_t answers = most;
  double best = 0;
  double pays = 0;  // the rate above which size i is worth a long gap
  for (size_t i = 0; i < kBuckets; ++i) {
    pays *= kPays;
    if (!Known(sizes_[i])) continue;
    const double rate = sizes_[i].rows / sizes_[i].seconds;
    const double seconds = sizes_[i].seconds;
    const bool good = seconds <= target_seconds_ ||
                      rate >= (seconds <= kLong * target_seconds_ ? kLoses * best : pays);
    if (good) {
      answers = most;
    } else if (answers == most) {
      answers = 1 << (i - 1);
    }
    best = std::max(best, rate);
    pays = std::max(pays, rate);
  }
  return std::clamp(answers, std::min(kAnswersMin, most), most);
}

std::vector<std::pair<int32_t, double>> StepBudget::DecodeRates() const {
  std::vector<std::pair<int32_t, double>> rates;
  for (size_t i = 0; i < kBuckets; ++i) {
    if (sizes_[i].seconds > 0) rates.emplace_back(1 << i, sizes_[i].rows / sizes_[i].seconds);
  }
  return rates;
}

void StepBudget::Observe(int32_t decode_rows, int32_t prefill_rows, double seconds) {
  if (seconds <= 0) return;
  if (prefill_rows == 0) {
    if (decode_rows == 0) return;
    Size& size = sizes_[Bucket(decode_rows)];
    Learn(size.seconds, seconds);
    Learn(size.rows, decode_rows);
    ++size.seen;
    size.last = ++steps_;
    return;
  }
  // A few prompt rows say little about the cost of one: the step's fixed cost is in them.
  if (prefill_rows < kTokensMin) return;
  const double added = std::max(seconds - DecodeSeconds(decode_rows), seconds / 4);
  Size& chunk = chunks_[ChunkBucket(prefill_rows)];
  Learn(chunk.seconds, added);
  Learn(chunk.rows, prefill_rows);
  chunk.last = ++chunk_steps_;
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
  return WorthItsFixedCost(std::clamp(static_cast<int32_t>(tokens), std::min(kTokensMin, tokens_max_), tokens_max_),
                           DecodeSeconds(decode_rows));
}

// Where even a step of few rows goes well past the target, most of it may be a cost that more rows share: beside a
// busy neighbour the threads wait for each other. Larger chunks are tried then, and kept while a row costs much less.
int32_t StepBudget::WorthItsFixedCost(int32_t tokens, double decode_seconds) const {
  const auto fresh = [this](const Size& size) { return size.seconds > 0 && chunk_steps_ - size.last < kChunkStale; };
  while (tokens >= kTokensMin && 2 * tokens <= std::min(kRowsPay, tokens_max_)) {
    const size_t bucket = ChunkBucket(tokens);
    const Size& now = chunks_[bucket];
    const Size& twice = chunks_[bucket + 1];
    if (!fresh(now)) break;
    const double row_seconds = now.seconds / now.rows;
    if (decode_seconds + tokens * row_seconds <= kWellPast * target_seconds_) break;
    if (fresh(twice) && twice.seconds / twice.rows > kShared * row_seconds) break;
    tokens *= 2;
    if (!fresh(twice)) break;  // to be measured
  }
  return tokens;
}

}  // namespace headgate::engine
