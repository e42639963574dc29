// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/markup.h"

#include <algorithm>
#include <string>
#include <vector>

#include "router/sensitivity/base85.h"
#include "router/sensitivity/blobs.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/numerals.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

bool IsAlnumAt(std::string_view text, size_t at) { return at < text.size() && IsAlnum(text[at]); }
bool IsDigitAt(std::string_view text, size_t at) { return at < text.size() && IsDigit(text[at]); }
bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
size_t SkipSpaces(std::string_view text, size_t at, size_t most) {
  const size_t end = std::min(text.size(), at + most);
  while (at < end && IsSpace(text[at])) ++at;
  return at;
}

// `=XX` at `at`: the byte, or -1.
int64_t QuotedByte(std::string_view text, size_t at) {
  return at < text.size() && text[at] == '=' ? HexNumber(text, at + 1, 2) : -1;
}

// Where the line behind a soft break begins, 0 when the `=` at `at` is none: padding of base64 ends a line as well.
size_t BehindSoftBreak(std::string_view text, size_t at) {
  size_t next = at + 1;
  if (next < text.size() && text[next] == '\r') ++next;
  if (next >= text.size() || text[next] != '\n' || at == 0) return 0;
  ++next;
  if (!IsAlnum(text[at - 1]) || !(IsAlnumAt(text, next) || QuotedByte(text, next) >= 0)) return 0;
  size_t begin = at, letters = 0;
  while (begin > 0 && at - begin < 256 && IsBase64Byte(text[begin - 1])) letters += !IsDigit(text[--begin]);
  const size_t run = at - begin;
  return letters > 1 && run >= kBlobBytesMin && run % 4 == 3 ? 0 : next;
}

// A string literal that begins with the quote at `at`: its end (the other quote), npos when it is neither of letters
// and digits nor one character.
size_t LiteralEnd(std::string_view text, size_t at) {
  constexpr size_t kLiteralMax = 24, kCharacterMax = 4;
  size_t end = at + 1;
  while (IsAlnumAt(text, end) && end - at <= kLiteralMax) ++end;
  if (end == at + 1 && end < text.size() && text[end] != text[at]) {
    const size_t begin = end++;
    while (end < text.size() && end - begin < kCharacterMax && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) ++end;
  }
  return end > at + 1 && end < text.size() && text[end] == text[at] ? end : std::string_view::npos;
}

bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }

// Behind what puts two strings together, from `at` on; npos when nothing does.
size_t BehindOperator(std::string_view text, size_t at) {
  constexpr size_t kBlanksMax = 40;
  const size_t first = SkipSpaces(text, at, kBlanksMax);
  const bool may = first < text.size() && std::string_view("+.|&<\\~").find(text[first]) != std::string_view::npos;
  if (!may) return first > at ? first : std::string_view::npos;
  for (const std::string_view sign : {"+", "..", "||", "&", ".", "<<", "\\\n", "\\\r\n", "~"}) {
    if (text.substr(first, sign.size()) == sign) return SkipSpaces(text, first + sign.size(), kBlanksMax);
  }
  return first > at ? first : std::string_view::npos;
}

// All characters of a list of strings are one value.
bool IsOneValue(const std::string& joined, size_t parts, size_t spelled) {
  constexpr size_t kSinglesMin = 8;
  const auto characters = static_cast<size_t>(
      std::count_if(joined.begin(), joined.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
  if (parts >= kSinglesMin && (characters == parts || spelled * 2 >= parts)) return true;
  return IsLongIdentifier(joined);
}

// The list of strings that begins at the quote `at`, when it is one value; what lies between its strings is dropped.
// Returns where to look on.
size_t ReadList(std::string_view text, size_t at, Edits& edits) {
  constexpr size_t kPartsMax = 4096, kBlanksMax = 16;
  std::string joined;
  std::vector<std::pair<size_t, size_t>> between;
  size_t parts = 0, spelled = 0, close = std::string_view::npos;
  for (size_t open = at; parts < kPartsMax;) {
    // A character that nobody sees leaves an empty string; a quote stands between quotes.
    const bool empty = open > at && text.substr(open + 1, 2) == std::string({text[at], ','});
    const bool quote = text.substr(open + 1, 2) == std::string(2, text[at]);
    const size_t end = quote ? open + 2 : empty ? open + 1 : LiteralEnd(text, open);
    if (end == std::string_view::npos) return std::max(at + 1, open);
    if (parts > 0) between.emplace_back(close, open + 1);
    const std::string_view part = text.substr(open + 1, end - open - 1);
    spelled += IsSpelledNumeral(part);
    joined += part;
    parts += !part.empty();
    close = end;
    const size_t comma = SkipSpaces(text, end + 1, kBlanksMax);
    if (comma >= text.size() || text[comma] != ',') break;
    open = SkipSpaces(text, comma + 1, kBlanksMax);
    if (open >= text.size() || text[open] != text[at]) return close + 1;  // of other things too
  }
  if (parts < 2 || !IsOneValue(joined, parts, spelled)) return close + 1;
  for (const auto& [begin, end] : between) edits.Add(begin, end, spelled > 0 ? " " : "", begin);
  return close + 1;
}

// Bytes in hex from `at` to the end of the line; `end` is behind the last of them.
struct HexLine {
  std::string bytes;
  std::vector<uint32_t> origin;
  size_t begin = 0, end = 0;
};

// `00000010: 3131 3031  11..`: false when the line at `at` does not look so.
bool ReadHexLine(std::string_view text, size_t at, HexLine& line) {
  constexpr size_t kOffsetMin = 6, kShortOffsetMin = 4, kOffsetMax = 12, kBytesMax = 32;
  size_t end = at;
  while (end < text.size() && end - at < kOffsetMax && HexNumber(text, end, 1) >= 0) ++end;
  const bool colon = end < text.size() && text[end] == ':';
  if (end - at < (colon ? kShortOffsetMin : kOffsetMin)) return false;
  end += colon ? 1 : 0;
  if (end >= text.size() || (text[end] != ' ' && text[end] != '\t')) return false;
  size_t group = 0;
  line = {};
  while (line.bytes.size() < kBytesMax) {
    size_t gap = 0;
    while (end + gap < text.size() && (text[end + gap] == ' ' || text[end + gap] == '\t') && gap < 4) ++gap;
    size_t next = end + gap, digits = 0;
    while (HexNumber(text, next + digits, 1) >= 0 && digits <= 8) ++digits;
    const bool last = next + digits >= text.size() || IsSpace(text[next + digits]);
    if (gap == 0 || digits < 2 || digits > 8 || digits % 2 != 0 || !last) break;
    if (group > 0 && (gap > 2 || digits > group || (gap == 2 && (digits != group || line.bytes.size() != 8)))) break;
    if (group == 0) group = digits, line.begin = next;
    for (size_t i = 0; i < digits; i += 2) {
      line.bytes += static_cast<char>(HexNumber(text, next + i, 2));
      line.origin.push_back(static_cast<uint32_t>(next + i));
    }
    end = line.end = next + digits;
  }
  return !line.bytes.empty();
}

// The same bytes as characters, behind them on the line.
bool IsColumn(std::string_view rest, size_t bytes) {
  constexpr std::string_view kAround = " \t\r|";
  const size_t begin = rest.find_first_not_of(kAround);
  return begin == std::string_view::npos || rest.find_last_not_of(kAround) + 1 - begin <= bytes;
}

// Text with some other bytes in it.
bool MakeReadable(std::string& bytes) {
  size_t readable = 0;
  for (char& c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    const bool text = (byte >= ' ' && byte != 0x7F) || c == '\n';
    readable += text;
    if (!text) c = '\n';
  }
  return readable * 3 >= bytes.size() * 2;
}

struct Code {
  int64_t value = -1;
  size_t length = 0;  // 0: there is none
};
// `49`, `0x31`, `00110001`, `061` at `at`.
Code CodeAt(std::string_view text, size_t at) {
  size_t end = at;
  if (text[at] == '0' && at + 1 < text.size() && LowerAscii(text[at + 1]) == 'x') {
    const int64_t value = HexNumber(text, at + 2, 2);
    return value < 0 || HexNumber(text, at + 4, 1) >= 0 ? Code{} : Code{value, 4};
  }
  while (IsDigitAt(text, end) && end - at <= 8) ++end;
  const std::string_view digits = text.substr(at, end - at);
  int64_t value = 0;
  if (digits.size() == 8) {
    if (digits.find_first_not_of("01") != std::string_view::npos) return {};
    for (const char c : digits) value = value << 1 | (c - '0');
    return {value, 8};
  }
  if (digits.size() < 2 || digits.size() > 3) return {};
  const int base = digits.size() == 3 && digits[0] == '0' ? 8 : 10;
  for (const char c : digits) value = value * base + (c - '0');
  return {value, digits.size()};
}

struct Codes {
  std::string characters;
  std::vector<uint32_t> origin;
  size_t end = 0;
  std::string_view separator;
};
// Numbers with the same signs between them.
Codes CodesAt(std::string_view text, size_t at) {
  constexpr size_t kBetweenMax = 12, kCodesMax = 4096;
  Codes codes;
  codes.end = at;
  std::string_view& separator = codes.separator;
  while (at < text.size() && codes.characters.size() < kCodesMax) {
    const Code code = CodeAt(text, at);
    const bool text_byte = code.value >= ' ' || code.value == '\n' || code.value == '\r' || code.value == '\t';
    if (code.length == 0 || !text_byte || code.value == 0x7F || code.value > 0xFF) break;
    codes.characters += static_cast<char>(code.value);
    codes.origin.push_back(static_cast<uint32_t>(at));
    codes.end = at + code.length;
    if (codes.characters.size() == 1) {
      size_t next = codes.end;
      while (next < text.size() && next - codes.end < kBetweenMax && !IsDigit(text[next])) ++next;
      separator = text.substr(codes.end, next - codes.end);
      // What begins an escape is no list's.
      if (separator.empty() || separator.find_first_of("%&\\=") != std::string_view::npos) break;
    } else if (text.substr(codes.end, separator.size()) != separator) {
      break;
    }
    at = codes.end + separator.size();
    if (!IsDigitAt(text, at)) break;
  }
  return codes;
}

// Bytes in hex that repeat some, such as those of a zero-width character, look like codes between letters. A list of
// codes ends where its codes end.
bool IsWithinHex(std::string_view text, size_t begin, const Codes& codes) {
  constexpr std::string_view kHexLetters = "abcdefABCDEF";
  if (codes.separator.find_first_not_of(kHexLetters) != std::string_view::npos) return false;
  const size_t most = 2 * codes.separator.size() + 1;
  size_t before = 0, behind = 0;
  while (before < std::min(begin, most) && HexNumber(text, begin - before - 1, 1) >= 0) ++before;
  while (behind < most && HexNumber(text, codes.end + behind, 1) >= 0) ++behind;
  return before + behind >= most;
}

}  // namespace

Edits ReadQuotedPrintable(std::string_view text) {
  Edits edits;
  for (size_t at = text.find('='); at != std::string_view::npos;) {
    size_t next = at + 1;
    const int64_t byte = QuotedByte(text, at);
    // By itself it is rather `count=31`.
    if ((byte >= ' ' || byte == '\n' || byte == '\r' || byte == '\t') && byte != 0x7F &&
        (QuotedByte(text, at + 3) >= 0 || (at >= 3 && QuotedByte(text, at - 3) >= 0) ||
         text.substr(at + 3, 2) == "=\n")) {
      const char bytes[] = {static_cast<char>(byte), 0};
      edits.Add(at, at + 3, bytes, at);
      next = at + 3;
    } else if (const size_t behind = BehindSoftBreak(text, at); behind > 0) {
      edits.Add(at, behind, "", at);
      next = behind;
    }
    at = text.find('=', next);
  }
  return edits;
}

Edits ReadPlusBlanks(std::string_view text) {
  constexpr size_t kValueMax = 512, kDigitsMin = 6;
  Edits edits;
  for (size_t equals = text.find('='); equals != std::string_view::npos; equals = text.find('=', equals)) {
    const size_t begin = equals + 1;
    size_t end = begin, digits = 0, pluses = 0;
    while (end < text.size() && end - begin < kValueMax && text[end] > ' ' && text[end] != '&' && text[end] != '=' &&
           text[end] != '"' && text[end] != '<') {
      digits += IsDigit(text[end]);
      pluses += text[end] == '+';
      ++end;
    }
    if (equals > 0 && (IsAlnum(text[equals - 1]) || text[equals - 1] == '_' || text[equals - 1] == ']') &&
        digits >= kDigitsMin && pluses > 0) {
      for (size_t at = begin + 1; at + 1 < end; ++at) {
        if (text[at] == '+' && IsAlnum(text[at - 1]) && IsAlnum(text[at + 1])) edits.Add(at, at + 1, " ", at);
      }
    }
    equals = std::max(begin, end);
  }
  return edits;
}

namespace {

bool MayBePart(char c) { return static_cast<uint8_t>(c) >= 0x80 || (c > ' ' && c < 0x7F && c != '<' && c != '>'); }

// The token that ends at `begin`, or the one that begins at `end`, holds a digit.
bool HoldsDigit(std::string_view text, size_t begin, size_t end) {
  constexpr size_t kTokenMax = 16;
  for (size_t at = begin; at > 0 && begin - at < kTokenMax && IsAlnum(text[at - 1]); --at) {
    if (IsDigit(text[at - 1])) return true;
  }
  size_t behind = end;
  for (; behind < text.size() && behind - end < kTokenMax && IsAlnum(text[behind]); ++behind) {
    if (IsDigit(text[behind])) return true;
  }
  const size_t before = std::min<size_t>(begin, 5);  // the longest word of a digit
  return CountNumerals(text.substr(end, behind - end + 3), 1) > 0 ||
         CountNumerals(text.substr(begin - before, before), 1) > 0;
}
// One character stands by itself on either side.
bool IsCell(std::string_view text, size_t begin, size_t end) {
  const auto is_end = [](char c) { return c == '<' || c == '>' || IsSpace(c); };
  const auto is_inner = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; };
  size_t before = begin - 1, behind = end + 1;
  while (before > 0 && is_inner(text[before])) --before;
  while (behind < text.size() && is_inner(text[behind])) ++behind;
  return before == 0 || is_end(text[before - 1]) || behind >= text.size() || is_end(text[behind]);
}

}  // namespace

Edits ReadTags(std::string_view text) {
  constexpr size_t kTagMax = 160, kTagsMax = 400, kBlanksMax = 8;
  Edits edits;
  for (size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at)) {
    size_t begin = at, end = at;
    while (begin > 0 && at - begin < kBlanksMax && IsSpace(text[begin - 1])) --begin;
    while (end < text.size() && text[end] == '<' && end - at < kTagsMax) {
      const bool tag =
          end + 1 < text.size() && (IsLetter(text[end + 1]) || text[end + 1] == '/' || text[end + 1] == '!');
      const size_t close = tag ? text.substr(0, std::min(text.size(), end + kTagMax)).find_first_of("<>", end + 1)
                               : std::string_view::npos;
      if (close == std::string_view::npos || text[close] != '>') break;
      end = SkipSpaces(text, close + 1, kBlanksMax);
    }
    if (end == at) {
      ++at;
      continue;
    }
    const std::string_view tags = text.substr(begin, end - begin);
    const bool line = tags.find("<br") != std::string_view::npos || tags.find('\n') != std::string_view::npos;
    if (begin > 0 && end < text.size() && MayBePart(text[begin - 1]) && MayBePart(text[end]) &&
        (HoldsDigit(text, begin, end) || IsCell(text, begin, end) ||
         (line && IsUpper(text[begin - 1]) && IsUpper(text[end])))) {
      edits.Add(begin, end, line ? "\n" : " ", begin);
    }
    at = end;
  }
  return edits;
}

Edits ReadConcatenations(std::string_view text) {
  Edits edits;
  for (size_t at = 0; at < text.size();) {
    if (!IsQuote(text[at])) {
      ++at;
      continue;
    }
    // The end of a string, what puts them together, the beginning of the next.
    const bool behind_word = at > 0 && IsAlnum(text[at - 1]);
    const size_t open = at > 0 ? BehindOperator(text, at + 1) : std::string_view::npos;
    const bool goes_on = open != std::string_view::npos && open + 1 < text.size() && text[open] == text[at];
    const bool sign = goes_on && !std::all_of(&text[at + 1], &text[open], IsSpace);
    const bool opens = at > 0 && std::string_view("[({,=:").find(text[at - 1]) != std::string_view::npos;
    if (goes_on && !opens && (sign || (behind_word && IsAlnum(text[open + 1])))) {
      edits.Add(at, open + 1, "", at);
      at = open + 1;
      continue;
    }
    if (behind_word) {
      ++at;
      continue;
    }
    if (LiteralEnd(text, at) != std::string_view::npos) {
      size_t before = at;
      while (before > 0 && IsSpace(text[before - 1]) && at - before < 16) --before;
      if (before == 0 || text[before - 1] != ',') {
        const size_t next = ReadList(text, at, edits);
        // One literal alone may be put together with others in another way.
        at = next > at + 1 && text[next - 1] == text[at] ? next - 1 : at + 1;
        continue;
      }
    }
    ++at;
  }
  return edits;
}

Edits ReadHexDumps(std::string_view text) {
  constexpr size_t kBytesMin = 8;
  Edits edits;
  HexLine line;
  for (size_t at = 0; at < text.size();) {
    HexLine all;
    size_t next = at;
    while (next < text.size()) {
      const size_t begin = SkipSpaces(text, next, 8);
      // The last line may have one byte.
      if (!ReadHexLine(text, begin, line) || (all.bytes.empty() && line.bytes.size() < 2)) break;
      if (all.bytes.empty()) all.begin = begin;
      all.bytes += line.bytes;
      all.origin.insert(all.origin.end(), line.origin.begin(), line.origin.end());
      const size_t newline = std::min(text.find('\n', line.end), text.size());
      next = std::min(newline + 1, text.size());
      constexpr size_t kColumnMax = 80;
      const std::string_view rest = text.substr(line.end, newline - line.end);
      const bool column = IsColumn(rest, line.bytes.size());
      if (!column && rest.find('\\') != std::string_view::npos) {
        all.bytes.clear();  // in a string, of which the escapes come off first
        break;
      }
      all.end = column ? newline : line.end;
      if (next - line.end > kColumnMax) break;
    }
    // Neither the offset in front nor the column behind them is a part of what the bytes say.
    if (all.bytes.size() >= kBytesMin && MakeReadable(all.bytes)) edits.Add(all.begin, all.end, all.bytes, all.origin);
    if (next > at) {
      at = next;
      continue;
    }
    const size_t newline = text.find('\n', at);
    at = newline == std::string_view::npos ? text.size() : newline + 1;
  }
  return edits;
}

Edits ReadCharacterCodes(std::string_view text) {
  constexpr size_t kCodesMin = 8, kBlobMin = 12, kSigns = 16,  // so many others for a digit
                   kNumeralsMin = 6;
  Edits edits;
  const ByteMarks digits_of(text, kDigitBytes);
  const ByteMarks numbers = ByteMarks::Combine(
      text.size(), [&](size_t i) { return digits_of.Word(i) & ~digits_of.WordBefore(i, 1); });
  for (size_t at = numbers.Next(0); at < text.size(); at = numbers.Next(at)) {
    const Codes codes = CodesAt(text, at);
    const std::string& characters = codes.characters;
    const auto digits = static_cast<size_t>(std::count_if(characters.begin(), characters.end(), IsDigit));
    const bool plain = std::none_of(characters.begin(), characters.end(), [](char c) { return c < 0; });
    const bool blob = characters.size() >= kBlobMin && std::all_of(characters.begin(), characters.end(),
                                                                   [](char c) { return IsBase64Byte(c) || c == '='; });
    const bool words = plain && digits == 0 && CountNumerals(characters, kNumeralsMin) == kNumeralsMin;
    const bool reads = plain ? blob || words || digits * kSigns >= characters.size() || !ReadBase85(characters).empty()
                             : IsUtf8(characters);
    if (characters.size() >= kCodesMin && reads && !IsWithinHex(text, at, codes)) {
      edits.Add(at, codes.end, characters, codes.origin);
    }
    at = std::max(codes.end, at + 1);
  }
  return edits;
}

}  // namespace headgate::router
