// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/aho_corasick.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

using Hit = std::pair<uint32_t, size_t>;  // word, end

std::set<Hit> Scan(const AhoCorasick& automaton, const std::string& text) {
  std::set<Hit> hits;
  AhoCorasick::State state = AhoCorasick::kStart;
  for (size_t i = 0; i < text.size(); ++i) {
    state = automaton.Next(state, text[i]);
    automaton.ForEachMatch(state, [&](uint32_t word) { hits.emplace(word, i + 1); });
  }
  return hits;
}

TEST(AhoCorasick, FindsOverlappingWords) {
  const AhoCorasick automaton({"he", "she", "his", "hers", "npm_", "npm", "机密"});
  EXPECT_THAT(Scan(automaton, "uSHErs"), testing::ElementsAre(Hit{0, 4}, Hit{1, 4}, Hit{3, 6}));
  EXPECT_THAT(Scan(automaton, "npm_"), testing::ElementsAre(Hit{4, 4}, Hit{5, 3}));
  EXPECT_THAT(Scan(automaton, "绝机密"), testing::ElementsAre(Hit{6, 9}));
}

TEST(AhoCorasick, DepthIsTheLongestBeginningOfAWord) {
  const AhoCorasick automaton({"abcd", "bce"});
  AhoCorasick::State state = AhoCorasick::kStart;
  std::vector<uint32_t> depths;
  for (const char byte : std::string("xabcex")) depths.push_back(automaton.Depth(state = automaton.Next(state, byte)));
  EXPECT_THAT(depths, testing::ElementsAre(0, 1, 2, 3, 3, 0));
}

TEST(AhoCorasick, AgreesWithNaiveSearch) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    const auto letters = [&](size_t n) {
      std::string out;
      for (size_t i = 0; i < n; ++i) out += static_cast<char>('a' + random() % 3);
      return out;
    };
    std::set<std::string> unique;
    for (int i = 0; i < 8; ++i) unique.insert(letters(1 + random() % 5));
    const std::vector<std::string> words(unique.begin(), unique.end());
    const AhoCorasick automaton(words);
    const std::string text = letters(30);
    std::set<Hit> expected;
    size_t depth = 0;
    for (uint32_t word = 0; word < words.size(); ++word) {
      for (size_t at = text.find(words[word]); at != std::string::npos; at = text.find(words[word], at + 1)) {
        expected.emplace(word, at + words[word].size());
      }
      for (size_t n = 1; n <= words[word].size(); ++n) {
        if (text.ends_with(words[word].substr(0, n))) depth = std::max(depth, n);
      }
    }
    ASSERT_EQ(Scan(automaton, text), expected);
    AhoCorasick::State state = AhoCorasick::kStart;
    for (const char byte : text) state = automaton.Next(state, byte);
    ASSERT_EQ(automaton.Depth(state), depth);
  }
}

}  // namespace
}  // namespace headgate::router
