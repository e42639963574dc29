// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Decoded views: the same text as it reads once escapes (\u0031, %31, &#49;), base64 or hex blobs, numerals in Chinese
// characters or English words and gaps between characters are undone, again and again until nothing is left to undo:
// a value in base64 in a string of JSON in a string of JSON is read. Each view knows where in the original its bytes
// came from. Made only where a text holds something to decode.
//
// A round undoes what is outermost everywhere, in one pass. The first rounds keep the rest of the text, so that a model
// can read it as a person would; later ones keep what is near a part that was decoded. What is not plain after
// kDecodeRounds, or takes more bytes than the budget, is reported as unread.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "router/sensitivity/canonical_text.h"

namespace headgate::router {

inline constexpr int kDecodeRounds = 6;

struct DecodedView {
  std::string_view name;  // `decoded`, or `unwrapped`: lines were put together as well
  std::string text;
  std::vector<uint32_t> origin;  // original offset of each byte of `text`, one past the end included
  bool whole = false;            // says all that the text or view before it says
};

// Bytes of views that may still be made; `exhausted` when that was not enough, or the rounds were not: what is left was
// not read.
struct DecodeBudget {
  size_t bytes_left = 0;
  bool exhausted = false;
};
// What texts of so many bytes get: all their views together are at most so long, which ordinary text never needs.
constexpr DecodeBudget DecodeBudgetFor(size_t text_bytes) { return {4 * text_bytes + (size_t{16} << 10)}; }

std::vector<DecodedView> DecodeViews(const CanonicalText& text, DecodeBudget& budget);

}  // namespace headgate::router
