// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The trie is built level by level from the sorted words, so that nodes come out in breadth-first order: failure links
// need no queue, and the edges of a node lie together.
#include "router/sensitivity/aho_corasick.h"

#include <algorithm>
#include <numeric>

#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

uint8_t Fold(char c) { return static_cast<uint8_t>(LowerAscii(c)); }

}  // namespace

AhoCorasick::AhoCorasick(const std::vector<std::string>& words) {
  std::vector<std::string> folded;
  for (const std::string& word : words) {
    std::string& lower = folded.emplace_back(word);
    std::transform(lower.begin(), lower.end(), lower.begin(), LowerAscii);
    word_bytes_.push_back(word.size());
  }
  std::vector<uint32_t> order(words.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return folded[a] < folded[b]; });

  struct Range {  // the words below a node
    size_t begin, end;
  };
  std::vector<Range> ranges = {{0, order.size()}};
  nodes_.emplace_back();
  for (State at = 0; at < nodes_.size(); ++at) {
    auto [begin, end] = ranges[at];
    const size_t depth = nodes_[at].depth;
    while (begin < end && folded[order[begin]].size() == depth) {
      if (depth > 0 && nodes_[at].word == kNone) nodes_[at].word = order[begin];
      ++begin;
    }
    nodes_[at].edges_begin = static_cast<uint32_t>(edges_.size());
    while (begin < end) {
      const char byte = folded[order[begin]][depth];
      size_t same = begin;
      while (same < end && folded[order[same]][depth] == byte) ++same;
      edges_.push_back({static_cast<uint8_t>(byte), static_cast<State>(nodes_.size())});
      Node child;
      child.depth = static_cast<uint32_t>(depth) + 1;
      nodes_.push_back(child);
      ranges.push_back({begin, same});
      begin = same;
    }
    nodes_[at].edges_end = static_cast<uint32_t>(edges_.size());
  }
  // The nodes nearest to the start are the ones that most texts come to: 4 MB of tables at most.
  constexpr size_t kTableEdgesMin = 8, kTablesMax = 4096;
  for (Node& node : nodes_) {
    if (node.edges_end - node.edges_begin < kTableEdgesMin) continue;
    if (tables_.size() == kTablesMax) break;
    node.table = static_cast<uint32_t>(tables_.size());
    tables_.emplace_back().fill(kNone);
    for (uint32_t i = node.edges_begin; i < node.edges_end; ++i) tables_.back()[edges_[i].byte] = edges_[i].to;
  }
  from_start_.fill(kStart);
  for (uint32_t i = nodes_[kStart].edges_begin; i < nodes_[kStart].edges_end; ++i)
    from_start_[edges_[i].byte] = edges_[i].to;
  for (State at = 0; at < nodes_.size(); ++at) {
    for (uint32_t i = nodes_[at].edges_begin; i < nodes_[at].edges_end; ++i) {
      Node& child = nodes_[edges_[i].to];
      child.failure = at == kStart ? kStart : Next(nodes_[at].failure, static_cast<char>(edges_[i].byte));
      const Node& failure = nodes_[child.failure];
      child.next_match = failure.word != kNone ? child.failure : failure.next_match;
    }
  }
}

AhoCorasick::State AhoCorasick::Child(State state, uint8_t byte) const {
  const Node& node = nodes_[state];
  if (node.table != kNone) return tables_[node.table][byte];
  const auto begin = edges_.begin() + node.edges_begin, end = edges_.begin() + node.edges_end;
  const auto found =
      std::lower_bound(begin, end, byte, [](const Edge& edge, uint8_t value) { return edge.byte < value; });
  return found != end && found->byte == byte ? found->to : kNone;
}

AhoCorasick::State AhoCorasick::Next(State state, char byte) const {
  const uint8_t folded = Fold(byte);
  while (state != kStart) {
    if (const State child = Child(state, folded); child != kNone) return child;
    state = nodes_[state].failure;
  }
  return from_start_[folded];
}

}  // namespace headgate::router
