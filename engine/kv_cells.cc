// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/kv_cells.h"

#include <algorithm>

namespace headgate::engine {

KvCells::KvCells(Backend& backend, int32_t cached_max)
    : total_(backend.info().context_tokens),
      backend_(backend),
      cache_(backend, backend.info().sequences_max, backend.info().cache_sequences, std::min(cached_max, total_)),
      slots_(static_cast<size_t>(backend.info().sequences_max)) {}

void KvCells::Set(int32_t slot, int32_t cells, PrefixCache::Pin pin) {
  Slot& s = slots_[static_cast<size_t>(slot)];
  own_ += (cells - pin.depth) - (s.cells - s.pin.depth);
  s.cells = cells;
  s.pin = pin;
  const int32_t over = own_ + cache_.cells() - total_;
  if (over > 0) cache_.Evict(over);
}

int32_t KvCells::Admit(int32_t slot, const std::string& key, absl::Span<const Token> tokens, int32_t cells) {
  const auto pin = cache_.Attach(key, tokens.first(tokens.size() - 1), slot, {});
  Set(slot, cells, pin);
  return pin.depth;
}

int32_t KvCells::Extend(int32_t slot, const std::string& key, absl::Span<const Token> tokens) {
  const Slot& s = slots_[static_cast<size_t>(slot)];
  const auto pin = cache_.Attach(key, tokens.first(tokens.size() - 1), slot, s.pin);
  Set(slot, s.cells, pin);
  return pin.depth;
}

void KvCells::Grow(int32_t slot, int32_t cells) {
  const Slot& s = slots_[static_cast<size_t>(slot)];
  Set(slot, s.cells + cells, s.pin);
}

void KvCells::Publish(int32_t slot, const std::string& key, absl::Span<const Token> tokens) {
  const Slot& s = slots_[static_cast<size_t>(slot)];
  Set(slot, s.cells, cache_.Insert(key, tokens, slot, s.pin));
}

void KvCells::Forget(int32_t slot) {
  const Slot& s = slots_[static_cast<size_t>(slot)];
  backend_.Truncate(slot, 0);
  cache_.Release(s.pin);
  Set(slot, s.cells, {});
}

void KvCells::Free(int32_t slot) {
  Forget(slot);
  Set(slot, 0, {});
}

}  // namespace headgate::engine
