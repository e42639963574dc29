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
#include "common/json_depth.h"

namespace headgate::engine {

inline constexpr size_t kSchemaBytesMax = 64 * 1024;
inline constexpr int kJsonDepthMax = 32;
// Counts (`maxLength`, `minItems`, ...) above this do not fit llama.cpp's grammars.
inline constexpr int kSchemaCountMax = 2000;

// OK for a GBNF grammar that llama.cpp can be given: its recursion follows groups, and repetitions are written out.
// INVALID_ARGUMENT names the field response_format.json_schema.
absl::Status CheckGbnf(std::string_view text);
inline constexpr size_t kGbnfBytesMax = 16 * 1024;
inline constexpr int kGbnfAlternativesMax = 150;  // see gbnf_literals.h, which is applied first
inline constexpr int kGbnfRepetitionsMax = 2000;  // of one rule: the product of its nested or neighbouring counts

// OK for a JSON schema within these limits and those of schema_limits.h; INVALID_ARGUMENT "<field>: ..." otherwise.
// Never quotes the text.
absl::Status CheckSchema(const std::string& field, const std::string& text);

}  // namespace headgate::engine
