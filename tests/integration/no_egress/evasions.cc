// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/evasions.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using Random = std::mt19937;

std::string Utf8(uint32_t c) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}
// Code points of well-formed UTF-8.
std::vector<uint32_t> CodePoints(const std::string& value) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < value.size();) {
    const auto lead = static_cast<uint8_t>(value[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t c = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (size_t k = 1; k < length && i + k < value.size(); ++k) {
      c = c << 6 | (static_cast<uint8_t>(value[i + k]) & 0x3F);
    }
    out.push_back(c);
    i += length;
  }
  return out;
}
// `between` after every character but the last.
std::string Interleave(const std::string& value, const std::string& between) {
  std::string out;
  for (const uint32_t c : CodePoints(value)) absl::StrAppend(&out, out.empty() ? "" : between, Utf8(c));
  return out;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The value's digits as `digit(0..9)` says; the rest stays.
template <typename Map>
std::string Digits(const std::string& value, Map digit) {
  return Rewrite(value, [&](char c) { return IsDigit(c) ? digit(c - '0') : std::string(1, c); });
}

std::string FullWidthAll(const std::string& value, Random&) {
  return Rewrite(value, [](char c) { return c > ' ' && c <= '~' ? FullWidth(c) : std::string(1, c); });
}
std::string Circled(const std::string& value, Random&) {
  return Digits(value, [](int digit) { return Utf8(digit == 0 ? 0x24EA : 0x245F + static_cast<uint32_t>(digit)); });
}
std::string MathBold(const std::string& value, Random&) {
  return Digits(value, [](int digit) { return Utf8(0x1D7CE + static_cast<uint32_t>(digit)); });
}
std::string ArabicIndic(const std::string& value, Random&) {
  return Digits(value, [](int digit) { return Utf8(0x0660 + static_cast<uint32_t>(digit)); });
}
std::string Keycap(const std::string& value, Random&) {
  return Digits(value, [](int digit) { return absl::StrCat(digit, Utf8(0xFE0F), Utf8(0x20E3)); });
}
std::string ZeroWidth(const std::string& value, Random& random) {
  static constexpr uint32_t kNothings[] = {0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF};
  return Interleave(value, Utf8(kNothings[random() % 5]));
}
std::string SoftHyphen(const std::string& value, Random&) { return Interleave(value, Utf8(0x00AD)); }
std::string Bidi(const std::string& value, Random&) { return Interleave(value, Utf8(0x202A)); }
std::string Confusables(const std::string& value, Random&) {
  static constexpr std::string_view kLatin = "aceopxAEOPCTX";
  static constexpr uint32_t kCyrillic[] = {0x430, 0x441, 0x435, 0x43E, 0x440, 0x445, 0x410,
                                           0x415, 0x41E, 0x420, 0x421, 0x422, 0x425};
  return Rewrite(value, [](char c) {
    const size_t at = kLatin.find(c);
    return at == std::string_view::npos ? std::string(1, c) : Utf8(kCyrillic[at]);
  });
}

// As people group them: an ID 6-8-4, a phone 3-4-4, a card in fours.
std::string Grouped(const std::string& value, const std::string& separator) {
  const std::vector<size_t> groups = value.size() == 18   ? std::vector<size_t>{6, 8, 4}
                                     : value.size() == 11 ? std::vector<size_t>{3, 4, 4}
                                                          : std::vector<size_t>{4, 4, 4, 4, 4};
  std::string out;
  size_t at = 0;
  for (const size_t group : groups) {
    if (at >= value.size()) break;
    absl::StrAppend(&out, at > 0 ? separator : "", value.substr(at, group));
    at += group;
  }
  return out;
}
std::string Spaces(const std::string& value, Random& random) {
  static const std::string kSpaces[] = {" ", Utf8(0x3000), Utf8(0x00A0)};
  return Grouped(value, kSpaces[random() % 3]);
}
std::string Dashes(const std::string& value, Random& random) {
  static const std::string kDashes[] = {"-", Utf8(0x2013), Utf8(0x2010), "_"};
  return Grouped(value, kDashes[random() % 4]);
}
std::string Stops(const std::string& value, Random& random) {
  static const std::string kStops[] = {".", "/", Utf8(0x3001)};
  return Grouped(value, kStops[random() % 3]);
}
std::string Lines(const std::string& value, Random&) { return Grouped(value, "\n"); }
std::string SingleSpaces(const std::string& value, Random&) { return Rewrite(value, Itself, " "); }

std::string Numerals(const std::string& value, const char* const (&digits)[10]) {
  return Digits(value, [&](int digit) { return std::string(digits[digit]); });
}
std::string ChineseNumerals(const std::string& value, Random&) {
  return Numerals(value, {"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"});
}
std::string FinancialNumerals(const std::string& value, Random&) {
  return Numerals(value, {"零", "壹", "贰", "叁", "肆", "伍", "陆", "柒", "捌", "玖"});
}
std::string SpokenNumerals(const std::string& value, Random&) {
  return Numerals(value, {"洞", "幺", "两", "三", "四", "五", "六", "拐", "八", "九"});
}

std::string Base64(const std::string& value, Random&) {
  // As one encodes a line, not a bare number.
  return std::string(absl::Base64Escape(absl::StrCat("number: ", value, "\n")));
}
std::string HexBytes(const std::string& value, Random&) {
  return std::string(absl::BytesToHexString(absl::StrCat("number: ", value, "\n")));
}
std::string Url(const std::string& value, Random&) {
  return Rewrite(value, [](char c) { return absl::StrFormat("%%%02X", static_cast<unsigned char>(c)); });
}
std::string HtmlEntities(const std::string& value, Random& random) {
  const bool hex = random() % 2 == 0;
  std::string out;
  for (const uint32_t c : CodePoints(value)) out += hex ? absl::StrFormat("&#x%X;", c) : absl::StrFormat("&#%d;", c);
  return out;
}
std::string JsonEscapes(const std::string& value, Random&) {
  std::string out;
  for (uint32_t c : CodePoints(value)) {
    if (c >= 0x10000) {
      c -= 0x10000;
      out += absl::StrFormat("\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
    } else {
      out += absl::StrFormat("\\u%04x", c);
    }
  }
  return out;
}

}  // namespace

std::u32string CodePointsOf(const std::string& value) {
  const std::vector<uint32_t> characters = CodePoints(value);
  return {characters.begin(), characters.end()};
}
std::string Utf8Of(const std::u32string& characters) {
  std::string out;
  for (const char32_t c : characters) out += Utf8(c);
  return out;
}

const std::vector<Evasion>& Evasions() {
  static const std::vector<Shape> kNumber = {Shape::kNumber};
  static const std::vector<Shape> kText = {Shape::kSecret, Shape::kWord};
  static const std::vector<Shape> kAny = {Shape::kNumber, Shape::kSecret, Shape::kWord, Shape::kEmail};
  static const std::vector<Evasion> kEvasions = {
      {"spaces", Undone::kJoining, Spaces, kNumber},
      {"dashes", Undone::kJoining, Dashes, kNumber},
      {"stops", Undone::kJoining, Stops, kNumber},
      {"lines", Undone::kJoining, Lines, kNumber},
      {"single_spaces", Undone::kJoining, SingleSpaces, kNumber},
      {"chinese_numerals", Undone::kNumerals, ChineseNumerals, kNumber},
      {"financial_numerals", Undone::kNumerals, FinancialNumerals, kNumber},
      {"spoken_numerals", Undone::kNumerals, SpokenNumerals, kNumber},
      {"full_width", Undone::kFolding, FullWidthAll, kAny},
      {"circled", Undone::kFolding, Circled, kNumber},
      {"math_bold", Undone::kFolding, MathBold, kNumber},
      {"arabic_indic", Undone::kFolding, ArabicIndic, kNumber},
      {"keycap", Undone::kFolding, Keycap, kNumber},
      {"zero_width", Undone::kFolding, ZeroWidth, kAny},
      {"soft_hyphen", Undone::kFolding, SoftHyphen, kAny},
      {"bidi", Undone::kFolding, Bidi, kAny},
      {"confusables", Undone::kFolding, Confusables, kText},
      {"base64", Undone::kDecoding, Base64, kAny},
      {"hex", Undone::kDecoding, HexBytes, kAny},
      {"url", Undone::kDecoding, Url, kAny},
      {"html", Undone::kDecoding, HtmlEntities, kAny},
      {"json", Undone::kDecoding, JsonEscapes, kAny},
  };
  return kEvasions;
}

bool Fits(const Evasion& evasion, Shape shape) {
  return std::find(evasion.shapes.begin(), evasion.shapes.end(), shape) != evasion.shapes.end();
}

bool Fits(const Evasion& inner, const Evasion& outer) {
  if (inner.undone == Undone::kDecoding) return outer.undone == Undone::kDecoding && &inner != &outer;
  const auto rank = [](Undone undone) {
    return undone == Undone::kDecoding ? 2 : undone == Undone::kFolding ? 1 : 0;
  };
  // Full-width and the like need plain characters to work on, and so does what comes after a grouping only once.
  if (inner.undone == Undone::kNumerals && outer.undone == Undone::kFolding) return false;
  return rank(inner.undone) < rank(outer.undone);
}

}  // namespace headgate::router
