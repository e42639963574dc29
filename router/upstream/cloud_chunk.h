// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The quick way to read what nearly every chunk of a streamed answer is: a piece of text and nothing else. One pass, no
// tree. It accepts only what the whole parser (cloud_wire.cc) accepts, with the same meaning; in doubt it declines.
//
// Thread-safety: pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace headgate::router {

struct PlainChunk {
  std::string content, reasoning_content;  // of the first choice's delta; empty when absent or no text
  std::string finish_reason;
};

// nullopt: not plain, or not well-formed; the whole parser decides. Never plain: errors, usage, tool calls, several
// choices, \u escapes, keys given twice.
std::optional<PlainChunk> ReadPlainChunk(std::string_view json);

}  // namespace headgate::router
