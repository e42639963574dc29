// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Decoded views: the same text as it reads once escapes (\u0031, %31, &#49;), base64 or hex blobs, numerals in Chinese
// characters or English words and gaps between characters are undone, again and again until nothing is left to undo:
// a value in base64 in a string of JSON in a string of JSON is read. Each view knows where in the original its bytes
// came from. Made only where a text holds something to decode.
//
// A round undoes what is outermost everywhere, in one pass. In the first rounds views of short texts keep the rest of
// the text, so that a model can read it as a person would; the others keep what is near a part that was decoded. What
// is not plain after kDecodeRounds, or takes more bytes than the budget, is reported as unread.
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
  CanonicalText canonical = {};  // of `text`
};

// Bytes that a request's views and seams may still have; what only rules read, and no models, counts half. Spent: what
// is left was not read, and the request is sensitive for it. A request costs at most what reading it twice does, and a
// little, whatever it holds.
struct DecodeBudget {
  size_t bytes_left = 0;
  bool exhausted = false;  // bytes: `read_limit`
  bool too_deep = false;   // rounds: `decode_limit`
  // False, and exhausted, when there are not so many.
  bool Take(size_t bytes) {
    exhausted |= bytes > bytes_left;
    if (!exhausted) bytes_left -= bytes;
    return !exhausted;
  }
};
constexpr DecodeBudget DecodeBudgetFor(size_t text_bytes) { return {text_bytes + (size_t{16} << 10)}; }

std::vector<DecodedView> DecodeViews(const CanonicalText& text, DecodeBudget& budget);

}  // namespace headgate::router
