// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// KvCells: who has which cells of the KV cache. A running sequence reserves what its tokens and the next part of its
// answer need; what it shares with the prefix cache counts once, for the cache. Reservations of running sequences and
// cached cells together never exceed the cache: cached prefixes give way first.
//
// Thread-safety: none; the decode thread's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/backend/backend.h"
#include "engine/prefix_cache.h"

namespace headgate::engine {

class KvCells {
 public:
  // `backend` must outlive it.
  KvCells(Backend& backend, int32_t cached_max);

  // Cached tokens of a prompt that is not running; at most all but its last.
  int32_t Match(const std::string& key, absl::Span<const Token> tokens) const {
    return cache_.Match(key, tokens.first(tokens.size() - 1));
  }
  // Of those the ones that other requests use: they take no further cells.
  int32_t MatchInUse(const std::string& key, absl::Span<const Token> tokens) const {
    return cache_.MatchPinned(key, tokens.first(tokens.size() - 1));
  }
  // The slot starts with `cells` in all reserved. Returns the tokens it shares with the cache: they are computed.
  int32_t Admit(int32_t slot, const std::string& key, absl::Span<const Token> tokens, int32_t cells);
  // The slot starts with `cells` reserved and shares nothing: what it holds is put back.
  void AdmitAlone(int32_t slot, int32_t cells) { Set(slot, cells, {}); }
  // More of the prefix may be cached by now. REQUIRES: the slot computed nothing itself. Returns as Admit.
  int32_t Extend(int32_t slot, const std::string& key, absl::Span<const Token> tokens);
  void Grow(int32_t slot, int32_t cells);
  // Caches what the slot has computed: `tokens`.
  void Publish(int32_t slot, const std::string& key, absl::Span<const Token> tokens);
  void Free(int32_t slot);
  // The slot's cells are gone but its reservation stays.
  void Forget(int32_t slot);
  // Gives up all cached cells that nobody uses; false when there were none.
  bool DropCache() { return cache_.Evict(cache_.cells()) > 0; }

  int32_t total() const { return total_; }
  int32_t available() const { return total_ - own_ - cache_.pinned(); }
  int32_t reserved(int32_t slot) const { return slots_[static_cast<size_t>(slot)].cells; }
  int32_t shared(int32_t slot) const { return slots_[static_cast<size_t>(slot)].pin.depth; }
  int32_t cached() const { return cache_.cells(); }
  int32_t cached_in_use() const { return cache_.pinned(); }

 private:
  struct Slot {
    int32_t cells = 0;  // reserved, the shared ones included
    PrefixCache::Pin pin;
  };
  // Changes what a slot has and shares; then as many cached cells go as no longer fit.
  void Set(int32_t slot, int32_t cells, PrefixCache::Pin pin);

  const int32_t total_;
  Backend& backend_;
  PrefixCache cache_;
  std::vector<Slot> slots_;
  int32_t own_ = 0;  // reserved by slots and not shared
};

}  // namespace headgate::engine
