// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Against a byte by byte reading of texts of all lengths around a block's, with every byte in them.
#include "router/sensitivity/byte_marks.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace headgate::router {
namespace {

struct NamedSet {
  const char* name;
  ByteSet set;
};
const NamedSet kSets[] = {
    {"none", ByteSet()},
    {"a blank", ByteSet(" ")},
    {"digits", kDigitBytes},
    {"letters", kLetterBytes},
    {"with the byte 0", ByteSet(std::string_view("\0a", 2))},
    {"beyond ASCII", ByteSet("\x80\x82\xE2\xE9\xFF")},
    {"on both sides", ByteSet("~\x7F\x80z\xFE")},
    {"all", ByteSet::Of([](char) { return true; })},
};

// Texts of 0 to 200 bytes and some long ones: `spread` bytes around one, so that sets have rows in them.
std::vector<std::string> Texts() {
  std::vector<std::string> texts;
  uint32_t state = 20261123;
  const auto below = [&state](uint32_t n) { return (state = state * 1664525u + 1013904223u) / 65536 % n; };
  for (const uint32_t spread : {2u, 16u, 256u}) {
    for (size_t size = 0; size < 200; ++size) {
      std::string& text = texts.emplace_back();
      const uint32_t first = below(256);
      while (text.size() < size) text += static_cast<char>(first + below(spread));
    }
    std::string& text = texts.emplace_back();
    while (text.size() < 5000) text += static_cast<char>('0' + below(spread));
  }
  return texts;
}

TEST(ByteMarks, AreWhereTheBytesOfTheSetAre) {
  for (const NamedSet& row : kSets) {
    for (const std::string& text : Texts()) {
      const ByteMarks marks(text, row.set);
      size_t count = 0;
      for (size_t at = 0; at < text.size(); ++at) {
        ASSERT_EQ(marks.Has(at), row.set.Has(text[at])) << row.name << " " << text.size() << " " << at;
        count += marks.Has(at);
      }
      EXPECT_EQ(marks.Count(), count) << row.name;
      EXPECT_EQ(HoldsAny(text, row.set), count > 0) << row.name;
      EXPECT_EQ(marks.empty(), count == 0) << row.name;
    }
  }
}

TEST(ByteMarks, OfASetAreItsBytes) {
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(kLetterBytes.Has(static_cast<char>(byte)), IsLetter(static_cast<char>(byte))) << byte;
    EXPECT_EQ(ByteSet("a\xE4").Has(static_cast<char>(byte)), byte == 'a' || byte == 0xE4) << byte;
  }
}

TEST(ByteMarks, NeighboursAreFound) {
  for (const NamedSet& row : kSets) {
    for (const std::string& text : Texts()) {
      const ByteMarks marks(text, row.set);
      // From each place: the next mark, the third from there, and the one before.
      for (size_t at = 0; at <= text.size(); ++at) {
        size_t next = at, before = at;
        while (next < text.size() && !marks.Has(next)) ++next;
        while (before > 0 && !marks.Has(before - 1)) --before;
        size_t third = next;
        for (int more = 0; more < 2 && third < text.size(); ++more) third = marks.Next(third + 1);
        ASSERT_EQ(marks.Next(at), next) << row.name << " " << text.size() << " " << at;
        ASSERT_EQ(marks.EndBefore(at), before) << row.name << " " << text.size() << " " << at;
        ASSERT_EQ(marks.Skip(at, 2), third) << row.name << " " << text.size() << " " << at;
      }
    }
  }
}

TEST(ByteMarks, RunsBeginWhereAsManyFollow) {
  for (const size_t length : {1, 2, 7, 11, 12, 21, 64}) {
    for (const NamedSet& row : kSets) {
      for (const std::string& text : Texts()) {
        const ByteMarks marks(text, row.set), runs = marks.Runs(length);
        size_t rest = 0;  // marks in a row from `at` on
        for (size_t at = text.size(); at-- > 0;) {
          rest = marks.Has(at) ? rest + 1 : 0;
          ASSERT_EQ(runs.Has(at), rest >= length) << row.name << " " << length << " " << text.size() << " " << at;
        }
      }
    }
  }
}

TEST(ByteMarks, CombineWithTheirNeighbours) {
  for (const std::string& text : Texts()) {
    const ByteMarks digits(text, kDigitBytes);
    const ByteMarks begins =
        ByteMarks::Combine(text.size(), [&](size_t i) { return digits.Word(i) & ~digits.WordBefore(i, 1); });
    const ByteMarks ends =
        ByteMarks::Combine(text.size(), [&](size_t i) { return digits.Word(i) & ~digits.WordBehind(i, 1); });
    for (size_t at = 0; at < text.size(); ++at) {
      const bool digit = IsDigit(text[at]);
      ASSERT_EQ(begins.Has(at), digit && !(at > 0 && IsDigit(text[at - 1]))) << at;
      ASSERT_EQ(ends.Has(at), digit && !(at + 1 < text.size() && IsDigit(text[at + 1]))) << at;
    }
  }
}

}  // namespace
}  // namespace headgate::router
