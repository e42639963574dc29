// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// NumberPatterns: finds where numbers of given forms stand, in text() and, written with separators, in joined(). A
// number begins where the text has no digit before it, or behind a country code, so most places of a long run of digits
// are never looked at: an automaton would report every one of them.
//
// Thread-safety: immutable after Compile; Scan from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "router/sensitivity/canonical_text.h"

namespace headgate::router {

class NumberPatterns {
 public:
  // Each expression is digits and classes of them with counts (`1[3-9][0-9]{9}`), perhaps `\+` before and `[0-9Xx]` at
  // the end. INVALID_ARGUMENT names the one that is not.
  static absl::StatusOr<NumberPatterns> Compile(const std::vector<std::string>& expressions);

  // Calls `on_match(expression, begin, end)` for the places in text(), or in joined() (`joined`; only those that text()
  // has separators in). Linear: the text once, and for each place as many steps as there are expressions.
  void Scan(const CanonicalText& text, bool joined, absl::FunctionRef<void(size_t, size_t, size_t)> on_match) const;

 private:
  // The bytes of `of` that one place may hold: bit d for the digit d.
  struct Place {
    size_t at = 0;
    uint16_t digits = 0;
  };
  struct Form {
    size_t length = 0;          // without the plus
    bool plus = false;          // stands before it
    bool cross = false;         // the last place may be X
    std::vector<Place> places;  // those that may not hold every digit
  };
  static absl::StatusOr<Form> Parse(std::string_view expression);
  void At(std::string_view view, size_t begin, size_t end,
          absl::FunctionRef<void(size_t, size_t, size_t)> on_match) const;

  std::vector<Form> forms_;
  static constexpr size_t kLengthMax = 32;  // of a form; a longer number may be any of them
  // Bit i for the form i: those that may begin with a digit, and those that so many digits may be enough for.
  std::array<uint64_t, 10> by_first_{};
  std::array<uint64_t, kLengthMax + 1> by_length_{};
};

}  // namespace headgate::router
