// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Numerals: numbers written in words, digit by digit (一三八, 壹叁捌, 幺三八, one three eight). Each run knows where in the
// text its characters came from.
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
// English numerals may be written without a gap, or be cut by signs (`fou-r`). A code is something encoded of which the
// digits are in words (`%三一%三零`, `M T E w one`), however few.
void ForEachNumeralRun(std::string_view text, absl::FunctionRef<void(const NumeralRun&)> visit);

// Numerals in words, Chinese or English; stops at `most`.
size_t CountNumerals(std::string_view text, size_t most);

// `token` is digits in English words, without gaps.
bool IsSpelledNumeral(std::string_view token);

// Bytes of the numeral in words that begins at `at`, whatever stands beside it; 0: there is none. Signs may cut an
// English one (`fou-r`).
size_t CutNumeralAt(std::string_view text, size_t at, char* digit);
// A small letter of an English one or the first byte of a Chinese one.
constexpr bool MayBeginNumeral(char c) {
  return static_cast<uint8_t>(c) >= 0xE2 || std::string_view("zotfsen").find(c) != std::string_view::npos;
}

}  // namespace headgate::router
