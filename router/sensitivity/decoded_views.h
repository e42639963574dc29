// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Decoded views: the same text as it reads once escapes (\u0031, %31, &#49;), base64 or hex blobs, numerals in Chinese
// characters or English words and gaps between characters are undone, up to two encodings deep. Each view knows where
// in the original its bytes came from. Made only where a text holds something to decode.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "router/sensitivity/canonical_text.h"

namespace headgate::router {

struct DecodedView {
  std::string_view name;  // unescaped, base64, hex, numerals, ungapped
  std::string text;
  std::vector<uint32_t> origin;  // original offset of each byte of `text`, one past the end included
};

// Bytes of views that one request may still get; `exhausted` when it needed more, or was encoded more than two deep:
// what is left was not read.
struct DecodeBudget {
  size_t bytes_left = 0;
  bool exhausted = false;
};

std::vector<DecodedView> DecodeViews(const CanonicalText& text, DecodeBudget& budget);

}  // namespace headgate::router
