// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CanonicalText: one string as the detectors see it. Full-width and other compatibility forms folded, zero-width and
// other format characters dropped, look-alike letters made Latin; every canonical byte knows the original byte range it
// came from. Letters outside ASCII are case-folded; ASCII letters keep their case, since secrets are case-sensitive,
// and are compared without case where it does not matter. A second view keeps separated numbers together
// (`138 1234-5678` -> `13812345678`). Linear in the length; plain ASCII costs a copy.
//
// Thread-safety: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::router {

// Bytes of the separator character at `text[at]` that may stand inside a written number (space - . / _ , 、 and the
// like, newline); 0 when there is none.
size_t SeparatorLength(std::string_view text, size_t at);
// At most this many separator characters stand between two digits of one number.
inline constexpr int kSeparatorsMax = 3;

class CanonicalText {
 public:
  CanonicalText() = default;
  // Never fails: invalid UTF-8 bytes become U+FFFD and `valid_utf8` is false. REQUIRES: less than 2 GiB.
  static CanonicalText Make(std::string_view original);

  std::string_view text() const { return text_; }
  // The same text with separators between digits removed, in runs of 6 or more digits only.
  std::string_view joined() const { return joined_.empty() ? std::string_view(text_) : std::string_view(joined_); }
  // False when joined() is text() itself: one scan does for both.
  bool has_joined() const { return !joined_.empty(); }
  bool valid_utf8() const { return valid_utf8_; }

  // Original byte range of canonical bytes [begin, end). REQUIRES: begin <= end <= size of that view, both between
  // characters.
  struct Span {
    int32_t begin = 0, end = 0;
  };
  Span Original(size_t begin, size_t end) const;
  Span OriginalOfJoined(size_t begin, size_t end) const;
  // Where in text() the byte `at` of joined() stands.
  size_t TextOffsetOfJoined(size_t at) const { return joined_.empty() ? at : joined_origin_[at]; }

 private:
  void FoldAll(std::string_view original);
  void Join();

  std::string text_;
  std::string joined_;                   // empty: the same as text_
  std::vector<uint32_t> origin_;         // original offset of each canonical byte, one past the end included;
                                         // empty: the identity
  std::vector<uint32_t> joined_origin_;  // offset in text_ of each byte of joined_, one past the end included
  bool valid_utf8_ = true;
};

}  // namespace headgate::router
