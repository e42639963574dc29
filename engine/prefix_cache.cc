// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Invariants. A node's path is the tokens from its root to its end; the cells of a path are held by the sequence id of
// every leaf below it. A node is pinned as often as requests share its whole path, so its count is at least that of any
// child; pins stand at node ends, which is why Attach splits. A split keeps the node object as the lower half: pins on
// it stay valid. Tested by tests/unit/engine/prefix_cache_test.cc against a flat list of paths.

#include "engine/prefix_cache.h"

#include <algorithm>
#include <utility>

namespace headgate::engine {

struct PrefixCache::Node {
  Node* parent = nullptr;  // none for a root
  std::vector<Token> tokens;
  int32_t end = 0;         // length of the path
  std::map<Token, std::unique_ptr<Node>> children;
  int32_t sequence = -1;   // of a leaf
  int32_t users = 0;
  uint64_t used = 0;

  int32_t size() const { return static_cast<int32_t>(tokens.size()); }
  int32_t begin() const { return end - size(); }
};

PrefixCache::PrefixCache(Backend& backend, int32_t first_sequence, int32_t sequences, int32_t cells_max)
    : backend_(backend), cells_max_(cells_max) {
  for (int32_t i = sequences; i > 0; --i) sequences_free_.push_back(first_sequence + i - 1);
}

PrefixCache::~PrefixCache() = default;

PrefixCache::Found PrefixCache::Find(const std::string& key, absl::Span<const Token> tokens) const {
  const auto root = roots_.find(key);
  if (root == roots_.end()) return {};
  Found found{root->second.get(), 0};
  while (static_cast<size_t>(found.depth) < tokens.size()) {
    const auto child = found.node->children.find(tokens[static_cast<size_t>(found.depth)]);
    if (child == found.node->children.end()) break;
    found.node = child->second.get();
    const auto rest = tokens.subspan(static_cast<size_t>(found.depth));
    const auto& edge = found.node->tokens;
    const size_t most = std::min(edge.size(), rest.size());
    size_t same = 0;
    while (same < most && edge[same] == rest[same]) ++same;
    found.depth += static_cast<int32_t>(same);
    if (same < edge.size()) break;
  }
  return found;
}

int32_t PrefixCache::Match(const std::string& key, absl::Span<const Token> tokens) const {
  const int32_t depth = Find(key, tokens).depth;
  return depth < kMatchMin ? 0 : depth;
}

int32_t PrefixCache::MatchPinned(const std::string& key, absl::Span<const Token> tokens) const {
  const Found found = Find(key, tokens);
  if (found.depth < kMatchMin) return 0;
  const Node* node = found.node;
  if (node->users > 0) return found.depth;
  while (node->parent != nullptr && node->users == 0) node = node->parent;
  return node->end;
}

PrefixCache::Node* PrefixCache::LeafBelow(Node* node) {
  while (!node->children.empty()) node = node->children.begin()->second.get();
  return node;
}

void PrefixCache::Touch(Node* node) {
  ++uses_;
  for (; node != nullptr; node = node->parent) node->used = uses_;
}

// Puts a node end at `depth`, inside `node`.
void PrefixCache::SplitAt(Node* node, int32_t depth) {
  const auto keep = static_cast<std::ptrdiff_t>(depth - node->begin());
  auto& place = node->parent->children.at(node->tokens.front());
  auto upper = std::make_unique<Node>();
  upper->parent = node->parent;
  upper->tokens.assign(node->tokens.begin(), node->tokens.begin() + keep);
  upper->end = depth;
  upper->users = node->users;
  upper->used = node->used;
  node->tokens.erase(node->tokens.begin(), node->tokens.begin() + keep);
  node->parent = upper.get();
  upper->children[node->tokens.front()] = std::move(place);
  place = std::move(upper);
}

PrefixCache::Node* PrefixCache::EndAt(Found found) {
  if (found.depth == found.node->end) return found.node;
  SplitAt(found.node, found.depth);
  return found.node->parent;
}

void PrefixCache::Acquire(Node* node) {
  for (; node->parent != nullptr; node = node->parent) {
    if (node->users++ == 0) pinned_ += node->size();
  }
}

// Of two unused nodes in a row one suffices.
void PrefixCache::MergeWithChild(Node* node) {
  if (node->users > 0 || node->children.size() != 1 || node->children.begin()->second->users > 0) return;
  const auto child = std::move(node->children.begin()->second);
  node->tokens.insert(node->tokens.end(), child->tokens.begin(), child->tokens.end());
  node->end = child->end;
  node->sequence = child->sequence;
  node->children = std::move(child->children);
  for (const auto& [token, grandchild] : node->children) grandchild->parent = node;
}

void PrefixCache::Drop(Node* node) {
  while (node->parent != nullptr) {
    if (--node->users == 0) pinned_ -= node->size();
    MergeWithChild(node);
    node = node->parent;
  }
}

void PrefixCache::Release(Pin pin) {
  if (pin.depth > 0) Drop(pin.node);
}

PrefixCache::Pin PrefixCache::Attach(const std::string& key, absl::Span<const Token> tokens, int32_t slot, Pin pin) {
  const Found found = Find(key, tokens);
  if (found.depth < kMatchMin || found.depth <= pin.depth) return pin;
  Node* const node = EndAt(found);
  Acquire(node);
  Touch(node);
  backend_.Share(LeafBelow(node)->sequence, slot, pin.depth, found.depth);
  Release(pin);
  Pin longer;
  longer.depth = found.depth;
  longer.node = node;
  return longer;
}

// A sequence id for a new leaf, from the least recently used one when none is free; -1 when all are in use.
int32_t PrefixCache::TakeSequence() {
  while (sequences_free_.empty()) {
    Node* const leaf = LeastRecentLeaf();
    if (leaf == nullptr) return -1;
    Shorten(leaf, leaf->size());
  }
  const int32_t sequence = sequences_free_.back();
  sequences_free_.pop_back();
  return sequence;
}

// Hangs tokens[begin, end) below `at`, whose cells the slot has; nullptr when there is no place.
PrefixCache::Node* PrefixCache::Append(Node* at, absl::Span<const Token> tokens, int32_t begin, int32_t slot) {
  const auto end = static_cast<int32_t>(tokens.size());
  int32_t sequence = at->sequence < 0 ? TakeSequence() : -1;
  if (at->sequence >= 0) {  // a leaf, perhaps since just now: it grows under the id it has
    if (sequence >= 0) sequences_free_.push_back(sequence);
    sequence = std::exchange(at->sequence, -1);
  } else if (sequence < 0) {
    return nullptr;
  } else if (begin > 0) {
    backend_.Share(LeafBelow(at)->sequence, sequence, 0, begin);
  }
  backend_.Share(slot, sequence, begin, end);
  auto child = std::make_unique<Node>();
  child->parent = at;
  child->tokens.assign(tokens.begin() + begin, tokens.end());
  child->end = end;
  child->sequence = sequence;
  cells_ += child->size();
  Node* const added = child.get();
  at->children[added->tokens.front()] = std::move(child);
  return added;
}

PrefixCache::Pin PrefixCache::Insert(const std::string& key, absl::Span<const Token> tokens, int32_t slot, Pin pin) {
  const auto size = static_cast<int32_t>(tokens.size());
  if (size < kMatchMin || cells_max_ < kMatchMin) return pin;
  auto& root = roots_[key];
  if (!root) root = std::make_unique<Node>();
  ++root->users;  // stays while room is made
  const Found found = Find(key, tokens);
  Node* node = found.depth == 0 ? root.get() : EndAt(found);
  Acquire(node);  // or making room could take it away
  if (found.depth < size) {
    if (cells_ + size - found.depth > cells_max_) Evict(cells_ + size - found.depth - cells_max_);
    const int32_t fits = std::min(size, found.depth + cells_max_ - cells_);
    Node* const added = fits > found.depth ? Append(node, tokens.first(static_cast<size_t>(fits)), found.depth, slot)
                                           : nullptr;
    if (added != nullptr) {
      Acquire(added);
      Drop(node);
      node = added;
    }
  }
  Touch(node);
  --root->users;
  // The slot may have computed tokens that were cached meanwhile: then it takes over the cached cells, if they are all.
  const bool twice = found.depth > pin.depth;
  if (node->parent == nullptr || (twice && node->end < size)) {
    Drop(node);
    if (root->children.empty()) roots_.erase(key);
    return pin;
  }
  if (twice) {
    backend_.Truncate(slot, pin.depth);
    backend_.Share(LeafBelow(node)->sequence, slot, pin.depth, size);
  }
  Release(pin);
  Pin longer;
  longer.depth = node->end;
  longer.node = node;
  return longer;
}

PrefixCache::Node* PrefixCache::LeastRecentLeaf() const {
  Node* least = nullptr;
  std::vector<Node*> open;
  for (const auto& [key, root] : roots_) open.push_back(root.get());
  while (!open.empty()) {
    Node* const node = open.back();
    open.pop_back();
    for (const auto& [token, child] : node->children) open.push_back(child.get());
    if (node->sequence < 0 || node->users > 0) continue;
    if (least == nullptr || node->used < least->used) least = node;
  }
  return least;
}

// Takes the last `cells` of a leaf. What is left of its path keeps the sequence id unless another leaf holds it too.
void PrefixCache::Shorten(Node* leaf, int32_t cells) {
  cells_ -= cells;
  leaf->end -= cells;
  leaf->tokens.resize(static_cast<size_t>(leaf->size() - cells));
  if (!leaf->tokens.empty()) {
    backend_.Truncate(leaf->sequence, leaf->end);
    return;
  }
  Node* const parent = leaf->parent;
  const int32_t sequence = leaf->sequence;
  const auto at = std::find_if(parent->children.begin(), parent->children.end(),
                               [&](const auto& child) { return child.second.get() == leaf; });
  parent->children.erase(at);
  if (parent->parent != nullptr && parent->children.empty()) {
    parent->sequence = sequence;
    backend_.Truncate(sequence, parent->end);
    return;
  }
  backend_.Truncate(sequence, 0);
  sequences_free_.push_back(sequence);
  if (parent->parent == nullptr && parent->children.empty()) {
    std::erase_if(roots_, [&](const auto& root) { return root.second.get() == parent && parent->users == 0; });
  } else if (parent->parent != nullptr) {
    MergeWithChild(parent);
  }
}

int32_t PrefixCache::Evict(int32_t cells) {
  int32_t freed = 0;
  while (freed < cells) {
    Node* const leaf = LeastRecentLeaf();
    if (leaf == nullptr) break;
    const int32_t take = std::min(leaf->size(), cells - freed);
    Shorten(leaf, take);
    freed += take;
  }
  return freed;
}

}  // namespace headgate::engine
