// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CanonicalText: one string as the detectors see it. Full-width and other compatibility forms folded, zero-width and
// other format characters dropped, case folded; every canonical byte knows the original byte range it came from.
// A second view keeps digits and letters of separated numbers together (`138 1234-5678` -> `13812345678`).
//
// Thread-safety: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::router {

class CanonicalText {
 public:
  // Never fails: invalid UTF-8 bytes become U+FFFD and `valid_utf8` is false.
  static CanonicalText Make(std::string_view original);

  std::string_view text() const { return text_; }
  // The same text with separators between digits removed (space, - . / _ , 、 newline; runs of 6 or more digits only).
  std::string_view joined() const { return joined_; }
  bool valid_utf8() const { return valid_utf8_; }
  // Original byte range of canonical bytes [begin, end). REQUIRES: begin <= end <= size of that view.
  struct Span {
    int32_t begin = 0, end = 0;
  };
  Span Original(size_t begin, size_t end) const;
  Span OriginalOfJoined(size_t begin, size_t end) const;

 private:
  std::string text_;
  std::string joined_;
  std::vector<uint32_t> origin_;          // original offset of each canonical byte, one past the end included
  std::vector<uint32_t> joined_origin_;
  bool valid_utf8_ = true;
};

}  // namespace headgate::router
