// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "engine/stop_matcher.h"
#include "engine/utf8_joiner.h"

namespace headgate::engine {
namespace {

struct StopRow {
  const char* name;
  std::vector<std::string> stops;
  std::vector<std::string> pieces;
  std::vector<std::string> out;  // after each piece
  std::string rest;              // at the end
  bool stopped;
};

const StopRow kStopRows[] = {
    {"none", {}, {"ab", "c"}, {"ab", "c"}, "", false},
    {"inside_a_piece", {"STOP"}, {"one STOP two"}, {"one "}, "", true},
    {"across_pieces", {"STOP"}, {"one S", "TO", "P two"}, {"one ", "", ""}, "", true},
    {"held_back_then_not", {"STOP"}, {"one ST", "ART"}, {"one ", "START"}, "", false},
    {"held_back_at_the_end", {"STOP"}, {"one STO"}, {"one "}, "STO", false},
    {"first_complete_wins", {"abcd", "bc"}, {"xabcd"}, {"xa"}, "", true},
    {"same_end_longest_wins", {"abc", "bc"}, {"xabcd"}, {"x"}, "", true},
    {"overlapping_prefix", {"aab"}, {"a", "a", "a", "b"}, {"", "", "a", ""}, "", true},
    {"nothing_after", {"."}, {"a.", "b"}, {"a", ""}, "", true},
    {"empty_is_ignored", {""}, {"ab"}, {"ab"}, "", false},
    {"many_bytes", {"水"}, {"a水b"}, {"a"}, "", true},
};

TEST(StopMatcher, Table) {
  for (const auto& row : kStopRows) {
    SCOPED_TRACE(row.name);
    StopMatcher matcher(row.stops);
    std::vector<std::string> out;
    for (const auto& piece : row.pieces) out.push_back(matcher.Add(piece));
    EXPECT_EQ(out, row.out);
    EXPECT_EQ(matcher.stopped(), row.stopped);
    EXPECT_EQ(matcher.Flush(), row.rest);
  }
}

// The slow obvious one: looks at every beginning of the text.
std::string UntilStop(const std::string& text, const std::vector<std::string>& stops, bool* stopped) {
  for (size_t end = 0; end <= text.size(); ++end) {
    const std::string beginning = text.substr(0, end);
    std::string shortest = beginning;
    for (const auto& stop : stops) {
      if (end >= stop.size() && beginning.substr(end - stop.size()) == stop && end - stop.size() < shortest.size()) {
        shortest = beginning.substr(0, end - stop.size());
      }
    }
    if (shortest.size() < beginning.size()) {
      *stopped = true;
      return shortest;
    }
  }
  *stopped = false;
  return text;
}

TEST(StopMatcher, DoesNotDependOnThePieces) {
  std::mt19937 random(7);
  const auto word = [&](size_t low, size_t high) {
    std::string text;
    for (size_t n = low + random() % (high - low + 1); n > 0; --n) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (size_t n = random() % 4; n > 0; --n) stops.push_back(word(2, 6));
    const std::string text = word(0, 20);
    bool stopped = false;
    const std::string want = UntilStop(text, stops, &stopped);
    StopMatcher matcher(stops);
    std::string got;
    for (size_t at = 0; at < text.size();) {
      const size_t n = 1 + random() % 4;
      got += matcher.Add(text.substr(at, n));
      ASSERT_EQ(want.compare(0, got.size(), got), 0) << "sent on too much of " << text;
      at += n;
    }
    got += matcher.Flush();
    ASSERT_EQ(got, want) << "text " << text << " round " << round;
    ASSERT_EQ(matcher.stopped(), stopped);
  }
}

struct Utf8Row {
  const char* name;
  std::vector<std::string> pieces;
  std::vector<std::string> out;
};

const Utf8Row kUtf8Rows[] = {
    {"ascii", {"ab", "c"}, {"ab", "c"}},
    {"two_bytes_split", {"\xC3", "\xA9"}, {"", "é"}},
    {"three_bytes_split", {"a\xE6\xB0", "\xB4" "b"}, {"a", "水b"}},
    {"four_bytes_one_by_one", {"\xF0", "\x9F", "\x8C", "\x8A"}, {"", "", "", "🌊"}},
    {"unfinished_at_the_end", {"a\xF0\x9F"}, {"a"}},
    {"lone_continuation", {"a\x80" "b"}, {"a\uFFFDb"}},
    {"bad_second_byte", {"\xE6", "b"}, {"", "\uFFFDb"}},
    {"maximal_bad_part_once", {"\xF0\x9F\x8C" "b"}, {"\uFFFDb"}},
    {"overlong", {"\xC0\x80"}, {"\uFFFD\uFFFD"}},
    {"surrogate", {"\xED\xA0\x80"}, {"\uFFFD\uFFFD\uFFFD"}},
    {"above_the_last", {"\xF4\x90\x80\x80"}, {"\uFFFD\uFFFD\uFFFD\uFFFD"}},
    {"never_a_byte", {"\xFF"}, {"\uFFFD"}},
};

TEST(Utf8Joiner, Table) {
  for (const auto& row : kUtf8Rows) {
    SCOPED_TRACE(row.name);
    Utf8Joiner joiner;
    std::vector<std::string> out;
    for (const auto& piece : row.pieces) out.push_back(joiner.Add(piece));
    EXPECT_EQ(out, row.out);
  }
}

TEST(Utf8Joiner, DoesNotDependOnThePieces) {
  std::mt19937 random(11);
  const std::vector<std::string> parts = {"a", "é", "水", "🌊", "\x80", "\xC3", "\xE6\xB0", "\xF0\x9F", "\xFF"};
  for (int round = 0; round < 5000; ++round) {
    std::string bytes;
    for (size_t n = random() % 8; n > 0; --n) bytes += parts[random() % parts.size()];
    bytes += "end";
    const std::string want = Utf8Joiner().Add(bytes);
    Utf8Joiner joiner;
    std::string got;
    for (size_t at = 0; at < bytes.size();) {
      const size_t n = 1 + random() % 3;
      got += joiner.Add(bytes.substr(at, n));
      at += n;
    }
    ASSERT_EQ(got, want) << "round " << round;
  }
}

}  // namespace
}  // namespace headgate::engine
