// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Checks of JSON text from clients before llama.cpp's common/ sees it: its recursion follows the nesting, and its
// schema and grammar code ends in an assertion or in unbounded work on some inputs.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace headgate::engine {

inline constexpr size_t kSchemaBytesMax = 64 * 1024;
inline constexpr int kJsonDepthMax = 32;
// Counts (`maxLength`, `minItems`, ...) above this do not fit llama.cpp's grammars.
inline constexpr int kSchemaCountMax = 2000;

// Deepest nesting of brackets outside strings; the text need not be valid.
int JsonDepth(std::string_view text);

// OK for a JSON schema within the limits; INVALID_ARGUMENT "<field>: ..." otherwise. Never quotes the text.
absl::Status CheckSchema(const std::string& field, const std::string& text);

}  // namespace headgate::engine
