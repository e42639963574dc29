// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/base85.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <string>

#include "router/sensitivity/blobs.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kGroup = 5;
constexpr size_t kDecodedMin = 9;
constexpr int kPlacesMax = 6;  // of one token, where it may begin
constexpr size_t kPlaceBytesMax = 64;
constexpr uint8_t kNone = 255;

using Values = std::array<uint8_t, 256>;

constexpr Values ValuesOf(std::string_view alphabet) {
  Values values{};
  for (auto& value : values) value = kNone;
  for (size_t i = 0; i < alphabet.size(); ++i) values[static_cast<uint8_t>(alphabet[i])] = static_cast<uint8_t>(i);
  return values;
}
constexpr Values Ascii85() {
  Values values{};
  for (auto& value : values) value = kNone;
  for (uint8_t i = 0; i < 85; ++i) values['!' + i] = i;
  return values;
}
constexpr Values kAlphabets[] = {
    Ascii85(),
    ValuesOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"),
    ValuesOf("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"),
};

bool IsVisible(char c) { return c > ' ' && c < 0x7F; }
bool IsText(char c) { return static_cast<uint8_t>(c) >= 0x80 || (c >= ' ' && c != 0x7F) || c == '\n' || c == '\t'; }

// The text at the beginning of `token`: groups of five for four bytes, and a shorter one at its end.
std::string Decode(const Values& values, std::string_view token) {
  std::string out;
  for (size_t at = 0; at + 1 < token.size(); at += kGroup) {
    const size_t size = std::min(kGroup, token.size() - at);
    uint64_t number = 0;
    for (size_t i = 0; i < kGroup; ++i) {
      const uint8_t value = i < size ? values[static_cast<uint8_t>(token[at + i])] : 84;
      if (value == kNone) return out;
      number = number * 85 + value;
    }
    if (number > 0xFFFFFFFF) return out;
    for (size_t i = 0; i + 1 < size; ++i) {
      const char c = static_cast<char>(number >> (24 - 8 * i) & 0xFF);
      if (!IsText(c)) return out;
      out += c;
    }
  }
  return out;
}

bool IsCloser(char c) { return std::string_view("\"'`,.;:)]}>~").find(c) != std::string_view::npos; }

// A whole value, not what the first letters of some word happen to read as; a short one is a number, or encoded again.
bool IsAllText(const std::string& decoded, size_t token_bytes) {
  constexpr size_t kLong = 15;
  const size_t whole = token_bytes / kGroup * 4 + (token_bytes % kGroup > 1 ? token_bytes % kGroup - 1 : 0);
  if (decoded.size() < whole || decoded.size() < kDecodedMin || !IsUtf8(decoded)) return false;
  if (decoded.compare(0, 4, decoded, 4, 4) == 0 && decoded.compare(0, 4, decoded, decoded.size() - 4, 4) == 0) {
    return false;  // a line of dashes, say
  }
  return decoded.size() >= kLong || std::all_of(decoded.begin(), decoded.end(), IsVisible);
}

// What closes a token may be a sign of the code as well: every end that reads counts.
std::string Read(std::string_view token) {
  size_t bare = token.size();
  while (bare > 0 && IsCloser(token[bare - 1]) && token.size() - bare < 4) --bare;
  // Most words are settled by their first group.
  const std::string_view first = token.substr(0, kGroup);
  const auto may_be = [&](const Values& values) { return Decode(values, first).size() + 1 == kGroup; };
  const bool coded[] = {may_be(kAlphabets[0]), may_be(kAlphabets[1]), may_be(kAlphabets[2])};
  if (!coded[0] && !coded[1] && !coded[2]) return "";
  const size_t ends[] = {token.size(), bare, token.rfind("</"), token.rfind('"')};
  std::string out;
  for (size_t i = 0; i < std::size(ends); ++i) {
    const bool before = std::find(ends, ends + i, ends[i]) != ends + i;
    if (before || ends[i] == std::string_view::npos || ends[i] < kBase85BytesMin) continue;
    for (size_t alphabet = 0; alphabet < std::size(kAlphabets); ++alphabet) {
      if (!coded[alphabet]) continue;
      const std::string decoded = Decode(kAlphabets[alphabet], token.substr(0, ends[i]));
      if (IsAllText(decoded, ends[i])) out.append(out.empty() ? "" : "\nand\n").append(decoded);
    }
  }
  return out;
}

}  // namespace

Edits ReadBase85(std::string_view text) {
  Edits edits;
  for (size_t at = 0; at < text.size();) {
    if (!IsVisible(text[at])) {
      ++at;
      continue;
    }
    const size_t token = at;
    while (at < text.size() && IsVisible(text[at])) ++at;
    if (at - token < kBase85BytesMin) continue;
    // Behind its frame: `x="`, `<~`, `key:`.
    size_t place = token;
    std::string decoded = Read(text.substr(token, at - token));
    int places = 1;
    for (size_t i = token; decoded.empty() && i + kBase85BytesMin < at && i < token + kPlaceBytesMax; ++i) {
      const std::string_view frame = "\"'`=:~>";
      if (frame.find(text[i]) == std::string_view::npos) continue;
      if (++places > kPlacesMax) break;
      place = i + 1;
      decoded = Read(text.substr(place, at - place));
    }
    if (!decoded.empty()) {
      std::vector<uint32_t> origin(decoded.size());
      for (size_t i = 0; i < origin.size(); ++i) {
        origin[i] = static_cast<uint32_t>(place + i * (at - place) / origin.size());
      }
      edits.Add(place, at, decoded, origin);
    }
  }
  return edits;
}

}  // namespace headgate::router
