// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/text_units.h"

#include <algorithm>
#include <array>

namespace headgate::router {
namespace {

enum ByteKind : uint8_t { kSpaceByte, kLowerByte, kUpperByte, kDigitByte, kLineByte, kSignByte, kLeadByte };

constexpr std::array<uint8_t, 256> kByteKind = [] {
  std::array<uint8_t, 256> kinds{};
  for (size_t c = 0; c < 256; ++c) kinds[c] = c <= ' ' ? kSpaceByte : c < 0x80 ? kSignByte : kLeadByte;
  for (int c = 'a'; c <= 'z'; ++c) kinds[static_cast<size_t>(c)] = kLowerByte;
  for (int c = 'A'; c <= 'Z'; ++c) kinds[static_cast<size_t>(c)] = kUpperByte;
  for (int c = '0'; c <= '9'; ++c) kinds[static_cast<size_t>(c)] = kDigitByte;
  kinds['\n'] = kLineByte;
  return kinds;
}();

constexpr uint32_t kDigitsSeed = 0xD1610000u, kSignSeed = 0x516E0000u, kLineHash = 0x11E0BEEFu;
constexpr size_t kWordBytesMax = 64;  // what is longer is no word: the rest is another one

// Numbers of similar length are alike; those of 11, 15 and 18 digits have meanings of their own.
uint32_t DigitsHash(size_t digits) {
  constexpr size_t kLast = 20;
  return MixHash(kDigitsSeed, static_cast<uint32_t>(std::min(digits, kLast)));
}

struct Letter {
  uint32_t code_point;
  size_t bytes;
};

Letter Decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(i < text.size() ? text[i] : 0); };
  const uint8_t lead = byte(at);
  const auto rest = [&](size_t i) { return static_cast<uint32_t>(byte(at + i) & 0x3F); };
  if (lead >= 0xF0) return {(lead & 7u) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3), 4};
  if (lead >= 0xE0) return {(lead & 15u) << 12 | rest(1) << 6 | rest(2), 3};
  if (lead >= 0xC0) return {(lead & 31u) << 6 | rest(1), 2};
  return {lead, 1};
}

bool IsSignCodePoint(uint32_t c) {
  return c < 0xC0 || (c >= 0x2000 && c <= 0x2BFF) || (c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) ||
         (c >= 0xFE00 && c <= 0xFFFF) || c >= 0x1F000;
}
// Scripts that put spaces between words: a run of their letters is a word.
bool IsWordCodePoint(uint32_t c) { return c >= 0xC0 && c < 0x0E00; }

// ASCII letters as small ones; 0: none.
constexpr std::array<uint8_t, 256> kSmall = [] {
  std::array<uint8_t, 256> small{};
  for (uint8_t c = 'a'; c <= 'z'; ++c) small[c] = small[c & ~0x20u] = c;
  return small;
}();

Unit Word(std::string_view text, size_t at) {
  Unit unit{2166136261u, static_cast<uint32_t>(at), 0, UnitKind::kLower};
  size_t upper = 0, letters = 0;
  const size_t end = std::min(text.size(), at + kWordBytesMax);
  while (at < end) {
    const auto c = static_cast<uint8_t>(text[at]);
    if (const uint8_t small = kSmall[c]; small != 0) {
      upper += small != c;
      unit.hash = (unit.hash ^ small) * 16777619u;
      ++at;
    } else if (kByteKind[c] == kLeadByte) {
      const Letter letter = Decode(text, at);
      if (!IsWordCodePoint(letter.code_point)) break;
      unit.hash = (unit.hash ^ letter.code_point) * 16777619u;
      at += letter.bytes;
    } else {
      break;
    }
    if (++letters == kStemLetters) unit.stem = unit.hash;
  }
  if (upper > 0) unit.kind = upper == letters ? UnitKind::kUpper : UnitKind::kCapital;
  unit.end = static_cast<uint32_t>(std::min(at, text.size()));
  return unit;
}

}  // namespace

std::vector<Unit> SplitUnits(std::string_view text) {
  std::vector<Unit> units;
  units.reserve(text.size() / 3 + 8);
  for (size_t at = 0; at < text.size();) {
    const auto begin = static_cast<uint32_t>(at);
    const auto c = static_cast<uint8_t>(text[at]);
    switch (kByteKind[c]) {
      case kSpaceByte:
        ++at;
        break;
      case kLowerByte:
      case kUpperByte:
        units.push_back(Word(text, at));
        at = units.back().end;
        break;
      case kDigitByte: {
        while (at < text.size() && kByteKind[static_cast<uint8_t>(text[at])] == kDigitByte) ++at;
        units.push_back({DigitsHash(at - begin), begin, static_cast<uint32_t>(at), UnitKind::kDigits});
        break;
      }
      case kLineByte:
        ++at;
        // Empty lines say nothing new.
        if (units.empty() || units.back().kind != UnitKind::kLine) {
          units.push_back({kLineHash, begin, begin + 1, UnitKind::kLine});
        }
        break;
      case kSignByte:
        ++at;
        units.push_back({MixHash(kSignSeed, c), begin, begin + 1, UnitKind::kSign});
        break;
      default: {
        const Letter letter = Decode(text, at);
        if (IsWordCodePoint(letter.code_point) && letter.bytes > 1) {
          units.push_back(Word(text, at));
          at = std::max<size_t>(units.back().end, at + 1);
          break;
        }
        at = std::min(at + letter.bytes, text.size());
        const bool sign = IsSignCodePoint(letter.code_point);
        units.push_back({MixHash(sign ? kSignSeed : 0, letter.code_point), begin, static_cast<uint32_t>(at),
                         sign ? UnitKind::kSign : UnitKind::kHan});
      }
    }
  }
  return units;
}

bool EndsSegment(const std::vector<Unit>& units, size_t at) {
  const auto sign = [](uint32_t code_point) { return MixHash(kSignSeed, code_point); };
  constexpr uint32_t kStop = sign('.');
  const Unit& unit = units[at];
  if (unit.kind == UnitKind::kLine) return true;
  if (unit.kind != UnitKind::kSign) return false;
  // A point inside a number or an address is followed by a letter or digit at once.
  if (unit.hash == kStop) return at + 1 == units.size() || units[at + 1].begin > unit.end;
  return unit.hash == sign('!') || unit.hash == sign('?') || unit.hash == sign(';') || unit.hash == sign(0x3002);
}

}  // namespace headgate::router
