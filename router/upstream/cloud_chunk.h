// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The quick way to read what nearly every chunk of a streamed answer is, a piece of text and nothing else, and what
// nearly every whole answer is, a text and its usage. One pass, no tree. It accepts only what the whole parser
// (cloud_wire.cc) accepts, with the same meaning; in doubt it declines.
//
// Thread-safety: ReadPlainChunk: pure. A ChunkReader belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headgate::router {

// As it stands there: 0 when absent or null.
struct PlainUsage {
  int64_t prompt_tokens = 0, completion_tokens = 0, prompt_cache_hit_tokens = 0;
  int64_t cached_tokens = 0, reasoning_tokens = 0;  // of the details
};

struct PlainChunk {
  std::string content, reasoning_content;  // of the first choice's delta or message; empty when absent or no text
  std::string finish_reason;
  std::optional<PlainUsage> usage;
  // Where `content` stands in the chunk, when it stands there byte by byte; otherwise npos.
  size_t content_at = std::string::npos;
};

// nullopt: not plain, or not well-formed; the whole parser decides. Never plain: errors, tool calls, several choices,
// \u escapes, keys given twice, counts that are not whole numbers.
std::optional<PlainChunk> ReadPlainChunk(std::string_view json);
// The same of a whole answer, whose choice has a `message` instead of a `delta`. Never plain: no choice at all.
std::optional<PlainChunk> ReadPlainAnswer(std::string_view json);

// The chunks of one stream mostly differ in their content alone. What stands before and after it was read once; where
// the same bytes stand around another text, only that is looked at.
class ChunkReader {
 public:
  // As ReadPlainChunk.
  std::optional<PlainChunk> Read(std::string_view json);

 private:
  std::string before_, after_;  // of the last chunk with nothing but content; empty: none yet
};

}  // namespace headgate::router
