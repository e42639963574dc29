// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/base85.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "router/sensitivity/blobs.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kGroup = 5;
constexpr size_t kDecodedMin = 9;
constexpr int kPlacesMax = 8;  // of one token, where it may begin
constexpr size_t kPlaceBytesMax = 96;
constexpr size_t kClosersMax = 8;
constexpr int kEscapesMax = 3;       // JSON in JSON in JSON
constexpr int kLinesMax = 3;         // that a token is cut into
constexpr int kBrokenLinesMax = 12;  // with a break of HTML behind each
constexpr size_t kTokenBytesMax = 4096;  // of one that is looked at again, unescaped or put together
constexpr uint8_t kNone = 255;
constexpr std::string_view kBetween = "\nand\n";  // two ways to read one token

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

// Most words are settled by their first group.
bool Begins(const Values& values, std::string_view token) {
  if (token.size() < kGroup) return false;
  uint64_t number = 0;
  for (size_t i = 0; i < kGroup; ++i) {
    const uint8_t value = values[static_cast<uint8_t>(token[i])];
    if (value == kNone) return false;
    number = number * 85 + value;
  }
  if (number > 0xFFFFFFFF) return false;
  bool text = true;
  for (int shift = 0; shift < 32; shift += 8) text = text && IsText(static_cast<char>(number >> shift & 0xFF));
  return text;
}
bool AnyBegins(std::string_view token) {
  return std::any_of(std::begin(kAlphabets), std::end(kAlphabets), [&](const auto& of) { return Begins(of, token); });
}

// Of text in UTF-8, rather than of any bytes that are no control characters: false only where no more of it would be.
bool BeginsAsText(const Values& values, std::string_view token) {
  if (!Begins(values, token)) return false;
  uint32_t number = 0;
  for (size_t i = 0; i < kGroup; ++i) number = number * 85 + values[static_cast<uint8_t>(token[i])];
  int continued = 0;  // bytes of a character that are still to come
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto byte = static_cast<uint8_t>(number >> shift & 0xFF);
    if ((byte >= 0x80 && byte < 0xC0) != (continued > 0) || byte == 0xC0 || byte == 0xC1 || byte > 0xF4) return false;
    continued = byte < 0x80 ? 0 : byte < 0xC0 ? continued - 1 : byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  }
  return true;
}

// The beginning of something in UTF-8, perhaps cut in the middle of a character.
bool BeginsAsUtf8(std::string_view bytes) {
  constexpr size_t kCutMax = 3;
  for (size_t cut = 0; cut <= std::min(kCutMax, bytes.size()); ++cut) {
    if (IsUtf8(bytes.substr(0, bytes.size() - cut))) return true;
  }
  return false;
}

// How many whole groups at the beginning of `token` are text; none where the first of them are no UTF-8.
size_t TextGroups(const Values& values, std::string_view token) {
  constexpr size_t kFirst = 8;
  const std::string_view whole = token;
  size_t groups = 0;
  if (!BeginsAsText(values, token)) return 0;
  while (Begins(values, token)) {
    token.remove_prefix(kGroup);
    if (++groups == kFirst && !BeginsAsUtf8(Decode(values, whole.substr(0, kFirst * kGroup)))) return 0;
  }
  return groups;
}

constexpr size_t kReadSteps = 55, kByteSteps = 15;  // of one try, and of one that begins as text

bool IsCloser(char c) { return std::string_view("\"'`,.;:)]}>~").find(c) != std::string_view::npos; }

// Of a token of so many bytes.
size_t WholeSize(size_t token_bytes) {
  return token_bytes / kGroup * 4 + (token_bytes % kGroup > 1 ? token_bytes % kGroup - 1 : 0);
}

// A whole value, not what the first letters of some word happen to read as; a short one is a number, or encoded again.
bool IsAllText(const std::string& decoded, size_t token_bytes) {
  constexpr size_t kLong = 15;
  if (decoded.size() < WholeSize(token_bytes) || decoded.size() < kDecodedMin || !IsUtf8(decoded)) return false;
  const auto second = decoded.begin() + 4;
  if (std::equal(second, decoded.end(), decoded.begin())) return false;  // a line of dashes, say
  return decoded.size() >= kLong || std::all_of(decoded.begin(), decoded.end(), IsVisible) ||
         std::count_if(decoded.begin(), decoded.end(), IsDigit) * 5 >= static_cast<std::ptrdiff_t>(decoded.size()) * 2;
}

// What numbers are written with.
std::ptrdiff_t Numerals(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return IsDigit(c) || static_cast<uint8_t>(c) >= 0x80; });
}

// The one that says most of a number comes first.
void AddReading(std::string_view reading, std::string& readings) {
  if (reading.empty()) return;
  if (readings.empty()) {
    readings = reading;
  } else if (Numerals(reading) > Numerals(std::string_view(readings).substr(0, readings.find(kBetween)))) {
    readings.insert(0, std::string(reading).append(kBetween));
  } else {
    readings.append(kBetween).append(reading);
  }
}

// The first reading says all of [begin, end); the others stand behind it.
std::vector<uint32_t> OriginOf(const std::string& readings, size_t begin, size_t end) {
  std::vector<uint32_t> origin(readings.size(), static_cast<uint32_t>(end));
  const size_t size = std::min(readings.find(kBetween), readings.size());
  for (size_t i = 0; i < size; ++i) origin[i] = static_cast<uint32_t>(begin + i * (end - begin) / size);
  return origin;
}

// A number with signs in it (`0180#.482#3.2`) that reads as something else by accident.
bool IsNumberItself(std::string_view token, const std::string& decoded) {
  const auto digits = std::count_if(token.begin(), token.end(), IsDigit);
  return digits * 3 >= std::ssize(token) * 2 && Numerals(decoded) < digits;
}

// Where the last closing sign of a token stands, counted from its end: the same for all places where it may begin.
struct LastSigns {
  explicit LastSigns(std::string_view token)
      : tag(FromEnd(token, token.rfind("</"))), quote(FromEnd(token, token.rfind('"'))) {}
  static size_t In(std::string_view token, size_t from_end) {
    return from_end > token.size() ? std::string_view::npos : token.size() - from_end;
  }
  size_t tag, quote;

 private:
  static size_t FromEnd(std::string_view token, size_t at) {
    return at == std::string_view::npos ? at : token.size() - at;
  }
};

// What closes a token may be a sign of the code as well: every end that reads counts.
std::string Read(std::string_view token, std::optional<LastSigns>& signs) {
  if (!ReadingWork::Spend(kReadSteps)) return "";
  size_t bare = token.size();
  while (bare > 0 && IsCloser(token[bare - 1]) && token.size() - bare < kClosersMax) --bare;
  std::array<size_t, std::size(kAlphabets)> groups;
  size_t most = 0;
  for (size_t i = 0; i < groups.size(); ++i) most = std::max(most, groups[i] = TextGroups(kAlphabets[i], token));
  if ((most + 1) * kGroup <= kBase85BytesMin) return "";  // no end reads
  ReadingWork::Spend(kByteSteps * kGroup * most);
  if (!signs) signs.emplace(token);
  const size_t ends[] = {token.size(), bare, LastSigns::In(token, signs->tag), LastSigns::In(token, signs->quote)};
  std::string out;
  for (size_t i = 0; i < std::size(ends); ++i) {
    const bool before = std::find(ends, ends + i, ends[i]) != ends + i;
    if (before || ends[i] == std::string_view::npos || ends[i] < kBase85BytesMin) continue;
    for (size_t alphabet = 0; alphabet < std::size(kAlphabets); ++alphabet) {
      if (groups[alphabet] < ends[i] / kGroup) continue;
      const std::string decoded = Decode(kAlphabets[alphabet], token.substr(0, ends[i]));
      if (!IsAllText(decoded, ends[i]) || IsNumberItself(token.substr(0, ends[i]), decoded)) continue;
      AddReading(decoded, out);
    }
  }
  return out;
}

std::string Read(std::string_view token) {
  std::optional<LastSigns> signs;
  return Read(token, signs);
}

// What a string of JSON says: its quotes and backslashes may be signs of the code.
std::string Unescaped(std::string_view token) {
  std::string out;
  for (size_t at = 0; at < token.size(); ++at) {
    if (token[at] != '\\' || at + 1 == token.size()) {
      out += token[at];
      continue;
    }
    const char next = token[++at];
    const int64_t unit = next == 'u' ? HexNumber(token, at + 1, 4) : -1;
    if (unit > ' ' && unit < 0x7F) {
      out += static_cast<char>(unit);
      at += 4;
    } else if (unit == 0xAD || unit == 0xFEFF || (unit >= 0x200B && unit <= 0x206F)) {
      at += 4;  // nobody sees it
    } else if (next == '\\' || next == '"' || next == '/') {
      out += next;
    } else {
      out.append(1, '\\').append(1, next);
    }
  }
  return out;
}

std::string ReadEscaped(std::string_view token, std::optional<LastSigns>& signs) {
  std::string out = Read(token, signs), plain;
  for (int escapes = 0; escapes < kEscapesMax; ++escapes) {
    if (token.size() > kTokenBytesMax || token.find('\\') == std::string_view::npos) break;
    plain = Unescaped(token);
    token = plain;
    AddReading(Read(token), out);
  }
  return out;
}

// Behind its frame: `x="`, `<~`, `key:`, `{"a":{"b":"`. False: no such place at `at`.
bool MayBegin(std::string_view text, size_t at) {
  static constexpr auto kFrames = [] {
    std::array<bool, 256> frames{};
    for (const char c : std::string_view("\"'`=:~>")) frames[static_cast<uint8_t>(c)] = true;
    return frames;
  }();
  const char sign = text[at - 1], next = text[at];
  if (!kFrames[static_cast<uint8_t>(sign)]) return false;
  if (sign == ':') return next != '"' && next != '\\' && next != '{' && next != '[';
  const bool closes = sign == '"' && std::string_view(":,}]\\").find(next) != std::string_view::npos;
  if (!closes) return true;
  return at + 1 < text.size() && std::string_view("\"{[\\ }]").find(text[at + 1]) == std::string_view::npos;
}

// `begin` becomes where in the token [begin, end) it begins.
std::string ReadAnywhere(std::string_view text, size_t& begin, size_t end) {
  std::optional<LastSigns> signs;
  std::string decoded = ReadEscaped(text.substr(begin, end - begin), signs);
  int places = 0;
  for (size_t at = begin + 1; decoded.empty() && at + kBase85BytesMin <= end && at < begin + kPlaceBytesMax; ++at) {
    if (!MayBegin(text, at)) continue;
    if (++places == kPlacesMax) break;
    decoded = ReadEscaped(text.substr(at, end - at), signs);
    if (!decoded.empty()) begin = at;
  }
  return decoded;
}

// With letters glued to it: a number, nothing else.
std::string ReadGlued(std::string_view text, size_t& begin, size_t& end) {
  constexpr size_t kGlueMax = 3;
  for (size_t lead = 0; lead <= kGlueMax && begin + lead + kBase85BytesMin <= end; ++lead) {
    if (lead > 0 && !IsLetter(text[begin + lead - 1])) break;
    if (!AnyBegins(text.substr(begin + lead, end - begin - lead))) continue;
    for (size_t trail = 0; trail <= kGlueMax && begin + lead + kBase85BytesMin + trail <= end; ++trail) {
      if (trail > 0 && !IsLetter(text[end - trail])) break;
      if (lead + trail == 0) continue;
      std::string decoded = Read(text.substr(begin + lead, end - trail - begin - lead));
      const std::string_view first = std::string_view(decoded).substr(0, decoded.find(kBetween));
      if (decoded.empty() || Numerals(first) * 2 < static_cast<std::ptrdiff_t>(first.size())) continue;
      begin += lead;
      end -= trail;
      return decoded;
    }
  }
  return "";
}

// A line of HTML without its break.
std::string_view WithoutBreak(std::string_view line) {
  for (const std::string_view tag : {"<br/>", "<br>"}) {
    if (line.ends_with(tag)) return line.substr(0, line.size() - tag.size());
  }
  return line;
}

// One that is cut into lines, `end` becomes their end. A line of words is none: all that is whole of its groups has to
// read.
std::string ReadLines(std::string_view text, size_t begin, size_t& end) {
  std::string out;
  if (end == text.size() || text[end] != '\n') return out;  // most
  std::string token(WithoutBreak(text.substr(begin, end - begin)));
  size_t line_end = end;
  const int lines_max = token.size() < end - begin ? kBrokenLinesMax : kLinesMax;
  for (int lines = 1; lines < lines_max && token.size() <= kTokenBytesMax; ++lines) {
    if (line_end + 1 >= text.size() || text[line_end] != '\n' || !IsVisible(text[line_end + 1])) break;
    const bool reads = std::any_of(std::begin(kAlphabets), std::end(kAlphabets), [&](const Values& values) {
      return TextGroups(values, token) >= token.size() / kGroup;
    });
    if (!reads) break;
    size_t next = line_end + 1;
    while (next < text.size() && IsVisible(text[next])) ++next;
    if (next - line_end > kTokenBytesMax) break;
    token += WithoutBreak(text.substr(line_end + 1, next - line_end - 1));
    line_end = next;
    const std::string decoded = token.size() < kBase85BytesMin ? "" : Read(token);
    if (decoded.empty()) continue;
    AddReading(decoded, out);
    end = line_end;
  }
  return out;
}

}  // namespace

bool MayBeBase85(std::string_view code) {
  return code.size() >= kBase85BytesMin && AnyBegins(code);
}

Edits ReadBase85(std::string_view text) {
  constexpr size_t kFirstLineMin = 3;
  Edits edits;
  for (size_t at = 0; at < text.size() && !ReadingWork::Spent();) {
    if (!IsVisible(text[at])) {
      ++at;
      continue;
    }
    size_t begin = at, end = at;
    while (end < text.size() && IsVisible(text[end])) ++end;
    at = end;
    std::string decoded;
    if (end - begin >= kBase85BytesMin) decoded = ReadAnywhere(text, begin, end);
    if (decoded.empty() && end - begin > kBase85BytesMin) decoded = ReadGlued(text, begin, end);
    if (end - begin >= kFirstLineMin) AddReading(ReadLines(text, begin, end), decoded);
    if (decoded.empty()) continue;
    edits.Add(begin, end, decoded, OriginOf(decoded, begin, end));
    at = end;
  }
  return edits;
}

}  // namespace headgate::router
