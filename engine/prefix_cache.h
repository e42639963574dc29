// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// PrefixCache: what has been computed and may be used again. A radix tree over token sequences; its cells live in the
// backend's unified KV cache under sequence ids of their own, one for each leaf, and are shared with requests by
// Backend::Share: metadata only. Keyed: prefixes of different keys (tenant, adapter) never meet. What no request uses
// is given up least recently used first, from the tail, so that the cap holds to the cell.
//
// Thread-safety: none; the decode thread's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/backend/backend.h"

namespace headgate::engine {

class PrefixCache {
  struct Node;

 public:
  // Keeps the first `depth` tokens of a cached path from being given up. Release it exactly once when depth > 0.
  struct Pin {
    int32_t depth = 0;

   private:
    friend class PrefixCache;
    Node* node = nullptr;
  };

  // Uses the backend's sequence ids [first_sequence, first_sequence + sequences); none = no cache. `backend` must
  // outlive it.
  PrefixCache(Backend& backend, int32_t first_sequence, int32_t sequences, int32_t cells_max);
  ~PrefixCache();

  // Length of the longest cached prefix; 0 when it is not worth using.
  int32_t Match(const std::string& key, absl::Span<const Token> tokens) const;
  // The part of it that requests use now: sharing it takes no cells.
  int32_t MatchPinned(const std::string& key, absl::Span<const Token> tokens) const;
  // Shares the longest cached prefix with `slot`, which holds `pin`'s tokens and no more, and pins it.
  Pin Attach(const std::string& key, absl::Span<const Token> tokens, int32_t slot, Pin pin);
  // Caches `tokens`, which `slot` holds (all of it, computed); the first pin.depth of them are shared already. Returns
  // the pin of what `slot` shares with the cache now; what did not fit stays the slot's own.
  Pin Insert(const std::string& key, absl::Span<const Token> tokens, int32_t slot, Pin pin);
  void Release(Pin pin);
  // Gives up `cells`, or all that nobody uses. Returns how many.
  int32_t Evict(int32_t cells);

  int32_t cells() const { return cells_; }
  int32_t pinned() const { return pinned_; }

  // Shorter matches cost more to share than to compute.
  static constexpr int32_t kMatchMin = 8;

 private:
  struct Found {
    Node* node = nullptr;  // the last node on the way; its parent's path matches whole
    int32_t depth = 0;     // tokens matched
  };
  Found Find(const std::string& key, absl::Span<const Token> tokens) const;
  Node* EndAt(Found found);
  void SplitAt(Node* node, int32_t depth);
  void Acquire(Node* node);
  void Drop(Node* node);
  void MergeWithChild(Node* node);
  Node* Append(Node* at, absl::Span<const Token> tokens, int32_t begin, int32_t slot);
  int32_t TakeSequence();
  Node* LeastRecentLeaf() const;
  void Shorten(Node* leaf, int32_t cells);
  static Node* LeafBelow(Node* node);
  void Touch(Node* node);

  Backend& backend_;
  const int32_t cells_max_;
  std::map<std::string, std::unique_ptr<Node>> roots_;
  std::vector<int32_t> sequences_free_;
  int32_t cells_ = 0;
  int32_t pinned_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace headgate::engine
