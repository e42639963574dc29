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

#include "absl/functional/function_ref.h"

namespace headgate::router {

struct GappedRun {
  size_t end = 0, next = 0;  // of the run; where to look on
  std::string closed;        // without its separators; empty: there is no run
  std::vector<uint32_t> origin;
};
// Runs of tokens: at least three of one length (the last may be shorter) with the same separator between, 8 characters
// in all, at least four digits, and letters unless it is too long to be a number. One that begins with letters alone is
// read with and without them, which may be a word.
void ForEachGappedRun(std::string_view text, absl::FunctionRef<void(size_t begin, const GappedRun& run)> visit);

}  // namespace headgate::router
