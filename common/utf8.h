// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// UTF-8, strictly: table 3-7 of the Unicode standard. No overlong forms, no surrogates, nothing above U+10FFFF.
//
// Thread-safety: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace headgate {

// Bytes of the character that `text` begins with; 0 when it begins with none.
inline size_t CharacterBytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (text.size() < bytes) return 0;
  const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return bytes;
}

inline constexpr std::array<bool, 256> kPlainInJson = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

// How many ASCII bytes at the beginning of `text` stand for themselves in a JSON string.
inline size_t PlainBytes(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
#if defined(__SSE2__)
  const __m128i control = _mm_set1_epi8(0x20), quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  for (; end - at >= 16; at += 16) {
    const __m128i of = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i quoted = _mm_or_si128(_mm_cmpeq_epi8(of, quote), _mm_cmpeq_epi8(of, backslash));
    const __m128i other = _mm_cmplt_epi8(of, control);  // signed: beyond ASCII too
    const int marks = _mm_movemask_epi8(_mm_or_si128(quoted, other));
    if (marks != 0) return static_cast<size_t>(at - text.data()) + static_cast<size_t>(__builtin_ctz(marks));
  }
#endif
  while (at != end && kPlainInJson[static_cast<uint8_t>(*at)]) ++at;
  return static_cast<size_t>(at - text.data());
}

}  // namespace headgate
