// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A check of every byte of a text, in blocks: compilers turn a loop of known length without a way out into
// instructions for many bytes.
//
// Thread-safety: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headgate {

// Whether `holds(uint8_t)` is true of each byte. To be fast: a lambda, which is inlined, without branches.
template <class Predicate>
bool EveryByte(std::string_view text, Predicate holds) {
  constexpr size_t kBlock = 32;
  const auto fails_in = [&holds](const char* bytes, size_t count) {
    uint8_t failed = 0;
    for (size_t i = 0; i < count; ++i) failed |= static_cast<uint8_t>(!holds(static_cast<uint8_t>(bytes[i])));
    return failed != 0;
  };
  for (; text.size() >= kBlock; text.remove_prefix(kBlock)) {
    if (fails_in(text.data(), kBlock)) return false;
  }
  return !fails_in(text.data(), text.size());
}

}  // namespace headgate
