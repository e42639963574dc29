// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Numerals: numbers written in words, digit by digit (一三八, 壹叁捌, 幺三八, one three eight), and characters set
// apart evenly. Each run knows where in the text its characters came from.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"

namespace headgate::router {

struct NumeralRun {
  size_t begin = 0, end = 0;
  std::string text;              // digits, and the separators and letters among them
  std::vector<uint32_t> origin;  // of each byte of `text`
  bool code = false;             // of something encoded
};
// Runs of at least six numerals; digits, separators, single letters and short groups of capitals may stand among them.
// English numerals may be written without a gap. A code is something encoded of which the digits are in words
// (`%三一%三零`, `M T E w one`), however few.
void ForEachNumeralRun(std::string_view text, absl::FunctionRef<void(const NumeralRun&)> visit);

// Numerals in words, Chinese or English; stops at `most`.
size_t CountNumerals(std::string_view text, size_t most);

// `token` is digits in English words, without gaps.
bool IsSpelledNumeral(std::string_view token);

struct GappedRun {
  size_t end = 0, next = 0;  // of the run; where to look on
  std::string closed;        // empty: there is none
  std::vector<uint32_t> origin;
};
// The run of tokens that begins at `at`: at least three of one length (the last may be shorter) with the same separator
// between, 8 characters in all, at least four digits, and letters unless it is too long to be a number.
GappedRun GappedRunAt(std::string_view text, size_t at);
// The next token from `at` on, which begins one, that such a run may begin with: most words are told by the length of
// the word behind them. The text's size: there is none.
size_t NextMayBeGapped(std::string_view text, size_t at);

}  // namespace headgate::router
