// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/figures.h"

#include <algorithm>

#include "router/sensitivity/evidence.h"
#include "router/sensitivity/number_shape.h"
#include "router/sensitivity/reading_work.h"

namespace headgate::router {
namespace {

constexpr size_t kAroundBytes = 100;          // on either side
constexpr uint32_t kNamed = 0x8000'0000;  // a column that a word names

// Tokens with digits, and words, in a part of the text.
struct Around {
  size_t figures = 0, words = 0;
};
void Count(std::string_view part, Around& around) {
  constexpr size_t kWordLetters = 3;
  for (size_t at = 0; at < part.size();) {
    if (!IsAlnum(part[at])) {
      around.words += static_cast<uint8_t>(part[at]) >= 0xE3;  // a character of a script without spaces
      ++at;
      continue;
    }
    size_t digits = 0;
    const size_t begin = at;
    while (at < part.size() && IsAlnum(part[at])) digits += IsDigit(part[at++]);
    around.figures += digits > 0;
    around.words += digits == 0 && at - begin >= kWordLetters;
  }
}

bool IsPartOfDecimal(std::string_view text, TextRange range) {
  const auto digit = [&](size_t at) { return at < text.size() && IsDigit(text[at]); };
  const bool before = range.begin > 1 && text[range.begin - 1] == '.' && digit(range.begin - 2);
  return before || (range.end < text.size() && text[range.end] == '.' && digit(range.end + 1));
}

bool SeparatesCells(char c) { return c == ',' || c == '\t' || c == ';' || c == '|'; }

}  // namespace

bool IsAmongFigures(std::string_view text, TextRange range) {
  constexpr size_t kFiguresMin = 8, kFiguresPerWord = 4, kSteps = 200;
  ReadingWork::Spend(kSteps);
  Around around;
  const size_t begin = range.begin > kAroundBytes ? range.begin - kAroundBytes : 0;
  Count(text.substr(begin, range.begin - begin), around);
  Count(text.substr(range.end, kAroundBytes), around);
  return around.figures >= kFiguresMin && around.words * kFiguresPerWord <= around.figures;
}

bool IsCutFromFigures(std::string_view text, TextRange range) {
  const NumberShape shape(text, range);
  if (!shape.separated()) return false;
  const bool whole = shape.one_separator() && shape.free_standing() && !IsPartOfDecimal(text, range);
  return !whole && IsAmongFigures(text, range);
}

// The word right before the number, over signs: `"size": 16474422905`, `offset=94307148177`, 流水号 20260101. Without
// one its place in the line.
uint32_t Figures::ColumnOf(size_t begin, uint32_t separators) const {
  constexpr size_t kSignsMax = 4, kWordMax = 16;
  const auto of_word = [](char c) { return IsLetter(c) || c == '_' || static_cast<uint8_t>(c) >= 0x80; };
  size_t at = begin;
  while (at > 0 && begin - at < kSignsMax && !IsAlnum(text_[at - 1]) && !of_word(text_[at - 1]) &&
         text_[at - 1] != '\n' && !SeparatesCells(text_[at - 1])) {
    --at;
  }
  uint32_t hash = 17;
  const size_t end = at;
  while (at > 0 && end - at < kWordMax && of_word(text_[at - 1])) {
    hash = hash * 31 + static_cast<uint8_t>(text_[--at]);
  }
  return end - at > 1 ? hash | kNamed : separators;
}

void Figures::Read() {
  constexpr size_t kDigitsMin = 6;
  read_ = true;
  ReadingWork::Spend(2 * text_.size());
  uint32_t separators = 0;  // in this line so far
  for (size_t at = 0; at < text_.size();) {
    if (!IsDigit(text_[at])) {
      separators = text_[at] == '\n' ? 0 : separators + SeparatesCells(text_[at]);
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < text_.size() && IsDigit(text_[at])) ++at;
    if (at - begin < kDigitsMin) continue;
    cells_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at), ColumnOf(begin, separators)});
  }
}

bool Figures::IsChanceInColumn(size_t begin, bool (*is_valid)(std::string_view digits)) {
  // A table's cells without a word of their own may be of several columns, of which one is what is looked for.
  constexpr size_t kCellsEachSide = 24, kOthersMin = 6, kShareOfWord = 4, kShareOfPlace = 5;
  constexpr size_t kSteps = 100;
  if (!read_) Read();
  ReadingWork::Spend(kSteps);
  const auto here = std::lower_bound(cells_.begin(), cells_.end(), begin,
                                     [](const Cell& cell, size_t at) { return cell.begin < at; });
  if (here == cells_.end() || here->begin != begin) return false;
  size_t others = 0, valid = 0;
  const auto look = [&](auto cell, auto end) {
    size_t seen = 0;
    for (; cell != end && seen < kCellsEachSide; ++cell) {
      // What is farther away changes nothing: more text never lowers a level.
      const size_t apart = cell->begin < begin ? begin - cell->begin : cell->end - begin;
      if (apart > kContextChars) break;
      if (cell->column != here->column) continue;
      ++seen;
      valid += is_valid(text_.substr(cell->begin, cell->end - cell->begin));
    }
    others += seen;
  };
  look(here + 1, cells_.end());
  look(std::make_reverse_iterator(here), cells_.rend());
  return others >= kOthersMin && valid * (here->column & kNamed ? kShareOfWord : kShareOfPlace) <= others;
}

}  // namespace headgate::router
