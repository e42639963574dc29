// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Folding: what one code point becomes in canonical text. Compatibility forms (full-width, circled, mathematical,
// digits of any script) become plain ones, invisible characters and diacritics vanish, Cyrillic and Greek letters that
// look Latin become Latin, traditional Chinese characters become simplified, spaces and dashes become ' ' and '-'.
// ASCII letters keep their case: secrets are case-sensitive. Applying it twice changes nothing.
//
// Thread-safety: immutable after construction; Get() from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace headgate::router {

class Folding {
 public:
  // Built on first use (about 0.1 s).
  static const Folding& Get();

  // True when `code_point` becomes itself.
  bool Keeps(char32_t code_point) const { return At(code_point) == kSame; }
  // Appends the UTF-8 of what `code_point` becomes; nothing when it is dropped. REQUIRES: code_point <= 0x10FFFF.
  void Append(char32_t code_point, std::string& out) const {
    const int32_t value = At(code_point);
    if (value == kSame) {
      AppendUtf8(code_point, out);
    } else if (value >= 0) {
      AppendUtf8(static_cast<char32_t>(value), out);
    } else if (value != kDropped) {
      out += expansions_[static_cast<size_t>(-value - 2)];
    }
  }
  static void AppendUtf8(char32_t code_point, std::string& out);

 private:
  Folding();
  int32_t At(char32_t code_point) const { return pages_[page_of_[code_point >> 8] + (code_point & 0xFF)]; }
  int32_t Value(const std::u32string& folded);

  static constexpr int32_t kSame = INT32_MIN;
  static constexpr int32_t kDropped = -1;  // below it: -(index of the expansion) - 2
  std::vector<uint32_t> page_of_;          // of code_point >> 8: where its page of 256 begins in pages_;
                                           // all pages without a change share the first
  std::vector<int32_t> pages_;
  std::vector<std::string> expansions_;  // UTF-8
};

}  // namespace headgate::router
