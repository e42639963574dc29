// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Escapes: characters written for a parser (\u0031, %31, &#49;). An escape that was escaped again, as JSON in a string
// of JSON is, is undone in one step however often: \\\\u0031, %252531 and &amp;amp;#49; all read 1.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string>
#include <string_view>

namespace headgate::router {

inline constexpr std::string_view kEscapeBegins = "\\&%";

struct Escape {
  std::string bytes;   // what it stands for
  size_t length = 0;   // of the escape; 0: there is none
  size_t skip = 1;     // where there is none: bytes that begin none
};
// REQUIRES: text[at] is one of kEscapeBegins. Looks at a bounded number of bytes behind the run it begins with.
Escape EscapeAt(std::string_view text, size_t at);

// What stands between two numbers of characters (`&#104;&#102;`), however they are cut.
inline bool IsOfEntities(std::string_view signs) {
  return signs.find('#') != std::string_view::npos && signs.find('&') != std::string_view::npos;
}

// `count` hex digits at `at`, or -1.
int64_t HexNumber(std::string_view text, size_t at, size_t count);

}  // namespace headgate::router
