// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Figures: rows and columns of numbers in one text (tables, logs, coordinates, arrays). Among so many any form of
// number comes up by chance: eleven digits over the ends of two cells, a card's check digit in one order number in ten.
//
// Linear: the columns are read once, when first asked for. Thread-safety: none; of one scan.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "router/sensitivity/validators.h"

namespace headgate::router {

// Numbers, hardly a word, stand around the range: it lies in a table.
bool IsAmongFigures(std::string_view text, TextRange range);

// The number at the range, written in groups, is a piece of a row of figures: its groups are not set apart in one way,
// or the row goes on in the same way. REQUIRES: the range begins and ends with an alphanumeric byte.
bool IsCutFromFigures(std::string_view text, TextRange range);

class Figures {
 public:
  explicit Figures(std::string_view text) : text_(text) {}
  // The number that begins at `begin` stands in a column (or behind one and the same word) of many numbers, of which
  // within kContextChars hardly any is valid: by chance this one is.
  bool IsChanceInColumn(size_t begin, bool (*is_valid)(std::string_view digits));

 private:
  struct Cell {
    uint32_t begin, end;
    uint32_t column;  // a hash of the word before it, or the number of its column
  };
  void Read();
  uint32_t ColumnOf(size_t begin, uint32_t separators) const;

  const std::string_view text_;
  std::vector<Cell> cells_;  // numbers of six digits and more
  bool read_ = false;
};

}  // namespace headgate::router
