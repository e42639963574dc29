// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Gapped runs: characters that were set apart evenly (`s k - a b c`, `GB82 WEST 1234`).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::router {

struct GappedRun {
  size_t end = 0, next = 0;  // of the run; where to look on
  std::string closed;        // empty: there is none
  std::vector<uint32_t> origin;
};
// The run of tokens that begins at `at`: at least three of one length (the last may be shorter) with the same separator
// between, 8 characters in all, at least four digits, and letters unless it is too long to be a number. One that begins
// with letters alone is read with and without them, which may be a word.
GappedRun GappedRunAt(std::string_view text, size_t at);
// The next token from `at` on, which begins one, that such a run may begin with: most words are told by the length of
// the word behind them. The text's size: there is none.
size_t NextMayBeGapped(std::string_view text, size_t at);

}  // namespace headgate::router
