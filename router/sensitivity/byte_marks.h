// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// ByteMarks: where in a text the bytes of a set stand, one bit each. Made 64 bytes at a time, so that a reader that has
// something to do at few bytes costs little where there are none of them. ByteSet is any set of bytes.
//
// Thread-safety: immutable after construction.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {

class ByteSet {
 public:
  constexpr ByteSet() = default;
  constexpr explicit ByteSet(std::string_view bytes) {
    for (const char c : bytes) Add(static_cast<uint8_t>(c));
  }
  // Those that `holds(char)` is true of.
  template <class Predicate>
  static constexpr ByteSet Of(Predicate holds) {
    ByteSet set;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (holds(static_cast<char>(byte))) set.Add(static_cast<uint8_t>(byte));
    }
    return set;
  }
  constexpr void Add(uint8_t byte) {
    uint8_t& column = (byte < 0x80 ? low : high)[byte & 15];
    column = static_cast<uint8_t>(column | 1u << (byte >> 4 & 7));
    beyond_ascii |= byte >= 0x80;
  }
  constexpr bool Has(char c) const {
    const auto byte = static_cast<uint8_t>(c);
    return ((byte < 0x80 ? low : high)[byte & 15] >> (byte >> 4 & 7) & 1) != 0;
  }

  // By the low half of a byte: a bit for each high half, below 8 and from 8 on.
  std::array<uint8_t, 16> low{}, high{};
  bool beyond_ascii = false;
};

inline constexpr ByteSet kDigitBytes = ByteSet::Of(IsDigit), kLetterBytes = ByteSet::Of(IsLetter),
                         kCapitalBytes = ByteSet::Of(IsUpper), kAlnumBytes = ByteSet::Of(IsAlnum);

bool HoldsAny(std::string_view text, const ByteSet& set);

class ByteMarks {
 public:
  ByteMarks(std::string_view text, const ByteSet& set);
  // Of a text of `size` bytes; `word_of(i)` are those of bytes 64i to 64i+63. REQUIRES: none beyond the text.
  template <class WordOf>
  static ByteMarks Combine(size_t size, WordOf word_of) {
    ByteMarks marks(size);
    for (size_t i = 0; i < marks.words_.size(); ++i) marks.words_[i] = word_of(i);
    return marks;
  }

  // The first one at `at` or behind; the size of the text when there is none.
  size_t Next(size_t at) const {
    if (at >= size_) return size_;
    size_t i = at / 64;
    uint64_t word = words_[i] & (~uint64_t{0} << (at % 64));
    while (word == 0) {
      if (++i == words_.size()) return size_;
      word = words_[i];
    }
    return i * 64 + static_cast<size_t>(std::countr_zero(word));
  }
  bool Has(size_t at) const { return (words_[at / 64] >> (at % 64) & 1) != 0; }
  void Add(size_t at) { words_[at / 64] |= uint64_t{1} << (at % 64); }
  // The one that `count` others at `at` or behind stand before; the size of the text when there is none.
  size_t Skip(size_t at, size_t count) const;
  // One past the last one before `at`; 0 when there is none.
  size_t EndBefore(size_t at) const;
  size_t Count() const;
  bool empty() const { return Next(0) == size_; }
  // Those that begin as many in a row. REQUIRES: length <= 64.
  ByteMarks Runs(size_t length) const;

  size_t size() const { return size_; }
  // The marks of bytes 64i to 64i+63, and of those that stand `by` bytes before or behind each of them.
  uint64_t Word(size_t i) const { return i < words_.size() ? words_[i] : 0; }
  uint64_t WordBefore(size_t i, size_t by) const {
    return Word(i) << by | (i > 0 && by > 0 ? words_[i - 1] >> (64 - by) : 0);
  }
  uint64_t WordBehind(size_t i, size_t by) const { return Word(i) >> by | (by > 0 ? Word(i + 1) << (64 - by) : 0); }

 private:
  explicit ByteMarks(size_t size) : size_(size), words_((size + 63) / 64) {}

  size_t size_;
  absl::InlinedVector<uint64_t, 16> words_;
};

}  // namespace headgate::router
