// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/prompt_lookup.h"

#include <algorithm>

namespace headgate::engine {
namespace {

constexpr double kNewWeight = 0.2;
constexpr int32_t kTokens = 3;  // fewer match by chance

// Exact for vocabularies below two million.
uint64_t KeyOf(absl::Span<const Token> tokens, size_t end) {
  uint64_t key = 0;
  for (size_t i = end - kTokens; i < end; ++i) key = key << 21 | (static_cast<uint64_t>(tokens[i]) & 0x1fffff);
  return key;
}

}  // namespace

std::vector<Token> PromptLookup::Draft(absl::Span<const Token> tokens, int32_t most) {
  const auto size = static_cast<int32_t>(tokens.size());
  if (size <= kTokens) return {};
  for (int32_t next = std::max(indexed_, kTokens); next < size; ++next) {
    follows_[KeyOf(tokens, static_cast<size_t>(next))] = next;
  }
  indexed_ = size;
  if (pause_ > 0) {
    --pause_;
    return {};
  }
  const auto found = follows_.find(KeyOf(tokens, static_cast<size_t>(size)));
  if (found == follows_.end()) return {};
  const int32_t count = std::min({length_, most, size - found->second});
  const auto begin = tokens.begin() + found->second;
  return {begin, begin + count};
}

bool PromptLookup::Pause() {
  if (++useless_ % kTryAgain == 0) return false;
  pause_ = kUselessPause;
  return true;
}

void PromptLookup::Observe(int32_t drafted, int32_t accepted) {
  share_ += kNewWeight * (static_cast<double>(accepted) / drafted - share_);
  if (accepted == 0) {
    length_ = 2;
    pause_ = std::min(kPauseMax, 2 << std::min(misses_, 8));
    ++misses_;
    return;
  }
  misses_ = 0;
  length_ = accepted == drafted ? std::min(kLengthMax, 2 * length_) : std::max(2, accepted + 1);
}

}  // namespace headgate::engine
