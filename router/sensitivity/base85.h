// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What base85 hides: Ascii85 (`<~...~>`, or bare), RFC 1924 (Python's b85encode, git) and Z85. Its signs are those of
// ordinary code, so only what decodes to nothing but text counts.
//
// Thread-safety: functions from any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "router/sensitivity/rewriter.h"

namespace headgate::router {

inline constexpr size_t kBase85BytesMin = 12;  // nine characters

// False: what `code` begins with is no text in any of them, which settles most words.
bool MayBeBase85(std::string_view code);
// REQUIRES: canonical text.
Edits ReadBase85(std::string_view text);

}  // namespace headgate::router
