// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// PromptLookup: guesses the next tokens of a sequence from its own past (prompt lookup, n-gram speculation): what
// followed the last earlier occurrence of its newest three tokens. The guesses are computed in the same step as the
// newest token; each place is then sampled by the request's own sampler from the model's own scores, and the first
// choice that differs from the guess ends the step. So every token is drawn exactly as without guesses.
//
// Backs off by itself: guesses that fail get shorter and rarer, ones that hold get longer. The decode loop asks no more
// rows than pay by the measured cost of a step.
//
// Thread-safety: none; the decode thread's.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "absl/types/span.h"
#include "engine/backend/backend.h"

namespace headgate::engine {

class PromptLookup {
 public:
  // Up to `most` tokens. `tokens` is the whole sequence so far, which only grows from call to call.
  std::vector<Token> Draft(absl::Span<const Token> tokens, int32_t most);
  // Of the last draft of which something was computed.
  void Observe(int32_t drafted, int32_t accepted);
  // Guesses cost more than they bring now: none for the next kUselessPause calls. False each kTryAgain-th time: what
  // they cost is to be measured again.
  bool Pause();
  // How many of the guessed tokens held lately, 0..1.
  double share() const { return share_; }

  static constexpr int32_t kLengthMax = 12;
  static constexpr int32_t kPauseMax = 64;
  static constexpr int32_t kUselessPause = 16;
  static constexpr int32_t kTryAgain = 8;

 private:
  std::unordered_map<uint64_t, int32_t> follows_;  // three tokens -> where the next one stands; the last occurrence
  int32_t indexed_ = 0;   // places below are in follows_
  int32_t length_ = 4;
  int32_t pause_ = 0;     // calls that guess nothing
  double share_ = 0.5;
  int32_t useless_ = 0;
  int32_t misses_ = 0;    // drafts in a row of which nothing held
};

}  // namespace headgate::engine
