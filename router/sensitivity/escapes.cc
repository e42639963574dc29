// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/escapes.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "router/sensitivity/folding.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = LowerAscii(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Escape CodePoint(int64_t code_point, size_t length) {
  if (code_point <= 0 || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) return {};
  Escape escape{"", length};
  Folding::AppendUtf8(static_cast<char32_t>(code_point), escape.bytes);
  return escape;
}
Escape Byte(int64_t byte, size_t length) {
  return byte < 0 || byte > 0xFF ? Escape{} : Escape{std::string(1, static_cast<char>(byte)), length};
}

// `at`: the letter after the backslashes; lengths count from it.
Escape UnicodeEscape(std::string_view text, size_t at) {
  if (at + 1 < text.size() && text[at + 1] == '{') {
    const size_t close = text.substr(0, std::min(text.size(), at + 10)).find('}', at);
    return close == std::string_view::npos ? Escape{}
                                           : CodePoint(HexNumber(text, at + 2, close - at - 2), close + 1 - at);
  }
  const int64_t unit = HexNumber(text, at + 1, 4);
  if (unit < 0xD800 || unit > 0xDBFF) return CodePoint(unit, 5);
  // The second half stands behind as many backslashes.
  size_t low_at = at + 5;
  while (low_at < text.size() && text[low_at] == '\\' && low_at < at + 5 + 64) ++low_at;
  if (low_at == at + 5 || low_at >= text.size() || text[low_at] != 'u') return {};
  const int64_t low = HexNumber(text, low_at + 1, 4);
  if (low < 0xDC00 || low > 0xDFFF) return {};
  return CodePoint(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), low_at + 5 - at);
}

Escape LetterEscape(std::string_view text, size_t at) {
  switch (text[at]) {
    // As text, the letter would be part of the word behind it: `\nsk-...` in a tool's JSON hides a key.
    case 'n':
    case 'r':
    case 't':
    case 'b':
    case 'f':
      return {"\n", 1};
    case '/':
    case '"':
    case '\'':
      return {std::string(1, text[at]), 1};
    case 'x': {
      // Before so many digits it is the prefix of a blob, as databases write them.
      constexpr size_t kBlobDigitsMin = 16;
      const bool blob = HexNumber(text, at + 1, 8) >= 0 && HexNumber(text, at + 1 + kBlobDigitsMin / 2, 8) >= 0;
      return blob ? Escape{} : Byte(HexNumber(text, at + 1, 2), 3);
    }
    case 'U':
      return CodePoint(HexNumber(text, at + 1, 8), 9);
    case 'u':
      return UnicodeEscape(text, at);
    default:
      break;
  }
  const auto octal = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '7'; };
  if (!octal(at) || !octal(at + 1) || !octal(at + 2) || octal(at + 3)) return {};
  return Byte((text[at] - '0') * 64 + (text[at + 1] - '0') * 8 + (text[at + 2] - '0'), 3);
}

Escape BackslashEscape(std::string_view text, size_t at) {
  size_t letter = at;
  while (letter < text.size() && text[letter] == '\\') ++letter;
  Escape escape = letter < text.size() ? LetterEscape(text, letter) : Escape{};
  const size_t backslashes = letter - at;
  if (escape.length == 0) {
    escape.skip = backslashes;
    return escape;
  }
  // Escaping doubles backslashes: as many as are no power of two are not the escape's alone, but the text's own too.
  // (Quotes and control characters get one more each time, and so have an odd number.)
  const bool own = (backslashes & (backslashes - 1)) != 0 && (text[letter] == 'u' || text[letter] == 'x');
  if (own) escape.bytes.insert(0, 1, '\\');
  escape.length += backslashes;
  return escape;
}

Escape NumericEntity(std::string_view text, size_t at) {
  constexpr size_t kEntityBytesMax = 12, kDigitsMax = 3;
  const bool hex = at + 1 < text.size() && LowerAscii(text[at + 1]) == 'x';
  const size_t first = at + (hex ? 2 : 1);
  size_t end = first;
  int64_t value = 0;
  for (; end < text.size() && end - at < kEntityBytesMax; ++end) {
    const int digit = HexValue(text[end]);
    if (digit < 0 || (!hex && digit > 9)) break;
    value = value * (hex ? 16 : 10) + digit;
  }
  const bool closed = end < text.size() && text[end] == ';';
  // What is escaped in another way, or cut by a sign, may go on with it: that comes off first.
  size_t behind = std::min(end + 1, text.size());
  while (behind < text.size() && behind - end <= kDigitsMax && IsDigit(text[behind])) ++behind;
  const bool cut = text.substr(behind, 1) == ";";
  const bool may_go_on = !closed && end < text.size() && (text[end] == '\\' || text[end] == '%' || cut);
  const bool control = value < ' ' && value != '\n' && value != '\r' && value != '\t';
  if (end == first || may_go_on || control) return {};
  return CodePoint(value, end - at + (closed ? 1 : 0));
}

Escape EntityEscape(std::string_view text, size_t at) {
  size_t name = at + 1;
  while (text.substr(name, 4) == "amp;") name += 4;
  Escape escape;
  if (name < text.size() && text[name] == '#') {
    escape = NumericEntity(text, name);
  } else {
    static constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
        {"lt;", "<"},    {"gt;", ">"},     {"quot;", "\""}, {"apos;", "'"},   {"nbsp;", " "},  {"shy;", ""},
        {"commat;", "@"}, {"period;", "."}, {"hyphen;", "-"}, {"dash;", "-"},  {"plus;", "+"},  {"lowbar;", "_"},
        {"sol;", "/"},   {"bsol;", "\\"},  {"colon;", ":"}, {"comma;", ","},  {"equals;", "="}, {"num;", "#"},
        {"lpar;", "("},  {"rpar;", ")"},   {"semi;", ";"},  {"percnt;", "%"}, {"ensp;", " "},  {"emsp;", " "},
        {"thinsp;", " "}, {"zwnj;", ""},    {"zwj;", ""},    {"Tab;", "\n"},   {"NewLine;", "\n"}};
    for (const auto& [word, meaning] : kNamed) {
      if (text.substr(name, word.size()) == word) escape = {std::string(meaning), word.size()};
    }
  }
  if (escape.length > 0) {
    escape.length += name - at;
    return escape;
  }
  if (name > at + 1) return {"&", name - at};
  return {};
}

Escape PercentEscape(std::string_view text, size_t at) {
  size_t hex = at + 1;
  while (text.substr(hex, 2) == "25" && HexNumber(text, hex + 2, 2) >= 0) hex += 2;
  return Byte(HexNumber(text, hex, 2), hex + 2 - at);
}

}  // namespace

int64_t HexNumber(std::string_view text, size_t at, size_t count) {
  if (count == 0 || count > 8 || at + count > text.size()) return -1;
  int64_t value = 0;
  for (size_t i = at; i < at + count; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

Escape EscapeAt(std::string_view text, size_t at) {
  switch (text[at]) {
    case '\\':
      return BackslashEscape(text, at);
    case '&':
      return EntityEscape(text, at);
    case '%':
      return PercentEscape(text, at);
    default:
      return {};
  }
}

}  // namespace headgate::router
