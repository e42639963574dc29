// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// AhoCorasick: finds every occurrence of every word of a set in one pass, ASCII letters without case. Memory grows with
// the bytes of the words, time with the bytes of the text, whatever the number of words. Works on a flowing text: the
// state is one number that the caller keeps between pieces.
//
// Thread-safety: immutable after construction.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::router {

class AhoCorasick {
 public:
  using State = uint32_t;
  static constexpr State kStart = 0;
  static constexpr uint32_t kNone = UINT32_MAX;

  // REQUIRES: no word is empty. A word given twice is reported with its first index.
  explicit AhoCorasick(const std::vector<std::string>& words);

  State Next(State state, char byte) const;
  // Bytes of the longest beginning of any word that the text ends with: what may still become a match.
  uint32_t Depth(State state) const { return nodes_[state].depth; }
  // Calls `visit(index of the word)` for every word that ends here, longest first.
  template <typename Visit>
  void ForEachMatch(State state, Visit visit) const {
    for (State at = nodes_[state].word == kNone ? nodes_[state].next_match : state; at != kStart;
         at = nodes_[at].next_match) {
      visit(nodes_[at].word);
    }
  }
  size_t word_bytes(uint32_t word) const { return word_bytes_[word]; }

 private:
  struct Node {
    uint32_t edges_begin = 0, edges_end = 0;  // into edges_, sorted by byte
    State failure = kStart;
    State next_match = kStart;  // nearest node on the failure path where a word ends; kStart: none
    uint32_t word = kNone;
    uint32_t depth = 0;
    uint32_t table = kNone;  // of its edges by byte, in tables_: nodes with many
  };
  struct Edge {
    uint8_t byte;
    State to;
  };
  State Child(State state, uint8_t byte) const;  // kNone when there is none

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::array<State, 256> from_start_;
  std::vector<std::array<State, 256>> tables_;
  std::vector<size_t> word_bytes_;
};

}  // namespace headgate::router
