// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/utf8_joiner.h"

#include <cstddef>
#include <cstdint>

namespace headgate::engine {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Character {
  size_t length = 0;  // bytes taken
  enum { kGood, kBad, kUnfinished } kind = kGood;
};

// The character at the beginning of `text` (Unicode 15, table 3-7: well-formed UTF-8 byte sequences).
// REQUIRES: text is not empty.
Character First(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, Character::kGood};
  size_t length = 0;
  uint8_t low = 0x80;   // range of the second byte
  uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, Character::kBad};
  }
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {i, Character::kUnfinished};
    if (byte(i) < low || byte(i) > high) return {i, Character::kBad};
    low = 0x80;
    high = 0xBF;
  }
  return {length, Character::kGood};
}

}  // namespace

std::string Utf8Joiner::Add(std::string_view bytes) {
  partial_.append(bytes);
  std::string out;
  std::string_view rest = partial_;
  while (!rest.empty()) {
    const Character character = First(rest);
    if (character.kind == Character::kUnfinished) break;
    out.append(character.kind == Character::kGood ? rest.substr(0, character.length) : kReplacement);
    rest.remove_prefix(character.length);
  }
  partial_ = std::string(rest);
  return out;
}

}  // namespace headgate::engine
