// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Utf8Joiner: whole characters out of the bytes of tokens, which may end in the middle of one. What it returns is
// always valid UTF-8; a byte sequence that cannot become a character turns into U+FFFD, once per maximal bad part.
//
// Thread-safety: none.
#pragma once

#include <string>
#include <string_view>

namespace headgate::engine {

class Utf8Joiner {
 public:
  // Adds bytes and returns the characters that are complete now. An unfinished one at the end of an answer is never
  // returned: it was cut by the token limit and is no character.
  std::string Add(std::string_view bytes);

 private:
  std::string partial_;  // at most 3 bytes
};

}  // namespace headgate::engine
