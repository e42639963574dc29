// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Rewriter: writes a text with some of its parts replaced and the rest of it only where it is near one of them. Every
// byte written knows the offset it came from. Edits may come from several readers of the same text; where two overlap,
// the reader that came first is right.
//
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headgate::router {

// What replaces parts of a text. Offsets are those of that text.
struct Edits {
  struct Edit {
    uint32_t begin = 0, end = 0;  // is replaced
    uint32_t from = 0, to = 0;    // by these bytes of `bytes`
  };
  std::vector<Edit> list;  // in order, not overlapping
  std::string bytes;
  std::vector<uint32_t> origin;  // of each of `bytes`; never decreasing within an edit

  bool empty() const { return list.empty(); }
  // REQUIRES: behind the last one.
  void Add(size_t begin, size_t end, std::string_view by, size_t came_from);
  void Add(size_t begin, size_t end, std::string_view by, const std::vector<uint32_t>& came_from);
  // Adds those of `other` that touch none of these: what stands next to an edit is read when that edit has been made.
  void Merge(const Edits& other);
};

struct Rewritten {
  std::string text;
  std::vector<uint32_t> origin;  // of each byte of `text`, one past the end included
  bool whole = false;            // nothing was left out
};
enum class Keep { kNear, kAll };  // of what is not replaced: what is near a part that is
// Empty when there are no edits. At most as long as `text` and what the edits add, plus some bytes between two parts.
Rewritten Rewrite(std::string_view text, const Edits& edits, Keep keep = Keep::kNear);

}  // namespace headgate::router
