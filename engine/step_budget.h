// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// StepBudget: how many prompt tokens may stand beside decoding sequences so that a step stays under the target gap
// between two tokens of an answer, and how many answers are worth computing at a time. Learns from each step: what one
// without prompts takes, by its number of rows, and what a prompt token adds; both follow the machine (a busy
// neighbour) and the prompts' depth.
//
// Thread-safety: none; the decode thread's.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace headgate::engine {

class StepBudget {
 public:
  // `target` 0 = always tokens_max. Until something is measured, min(128, tokens_max).
  StepBudget(absl::Duration target, int32_t tokens_max);

  // A step of both kinds of rows took this long. 0 seconds = not measured.
  void Observe(int32_t decode_rows, int32_t prefill_rows, double seconds);
  // 1..tokens_max, at least kTokensMin where that allows it.
  int32_t PrefillTokens(int32_t decode_rows) const;
  // 1..most: the most answers at a time that do not lose much of the tokens a second that fewer give, and whose step
  // is no longer than four times the target, or else gives many more. Sizes that are not known, or not seen for long,
  // count as good: so they are tried again.
  int32_t AnswersAtATime(int32_t most) const;
  // What has been observed so far was measured on purpose: enough to judge by.
  void Trust();
  // Answers at a time and tokens a second of those sizes that are known.
  std::vector<std::pair<int32_t, double>> DecodeRates() const;

  double prefill_seconds_per_token() const { return prefill_seconds_; }
  // The same at the best speed seen lately: one slow step does not change it.
  double prefill_seconds_at_best() const { return prefill_seconds_best_; }
  // What a step of `rows` decoding sequences takes; 0 = not known.
  double DecodeSeconds(int32_t rows) const;

  // Fewer do not pay: a step's fixed cost is many times theirs.
  static constexpr int32_t kTokensMin = 16;

 private:
  static constexpr size_t kBuckets = 9;  // 1, 2, 3-4, 5-8, ... 256 rows
  struct Size {
    double seconds = 0;  // 0 = not yet known
    double rows = 0;
    int32_t seen = 0;
    int64_t last = 0;    // value of steps_
  };
  static size_t Bucket(int32_t rows);
  bool Known(const Size& size) const;
  static constexpr size_t kChunkBuckets = 6;  // 16.., 32.., 64.., ... 512.. prompt rows
  static size_t ChunkBucket(int32_t rows);
  int32_t WorthItsFixedCost(int32_t tokens, double decode_seconds) const;

  const double target_seconds_;
  const int32_t tokens_max_;
  std::array<Size, kBuckets> sizes_{};
  int64_t steps_ = 0;
  std::array<Size, kChunkBuckets> chunks_{};  // what prompts add to a step
  int64_t chunk_steps_ = 0;
  double prefill_seconds_ = 0;                     // of one more prompt token; 0 = not yet known
  double prefill_seconds_best_ = 0;
};

}  // namespace headgate::engine
