// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/blobs.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/secrets.h"

namespace headgate::router {
namespace {

constexpr size_t kHexBytesMin = 16;
constexpr size_t kReadableBytesMin = 6;
constexpr size_t kBase32Min = 13;

bool IsControl(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F;
}

constexpr auto kIsHex = [] {
  std::array<bool, 256> hex{};
  for (const char c : std::string_view("0123456789abcdefABCDEF")) hex[static_cast<uint8_t>(c)] = true;
  return hex;
}();
constexpr auto kBase64Values = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  values[static_cast<uint8_t>('-')] = 62;
  values[static_cast<uint8_t>('_')] = 63;
  return values;
}();

// False only for what decodes to no text: most words show it by their first bytes, without being decoded to their end.
// `code` may end in characters of no value.
template <int kBits, class ValueOf>
bool MayReadAsText(std::string_view code, ValueOf value_of) {
  uint32_t read = 0;
  int bits = 0, continued = 0;  // bytes of a character that are still to come
  for (const char c : code) {
    const int value = value_of(c);
    if (value < 0) return true;
    read = read << kBits | static_cast<uint32_t>(value);
    if ((bits += kBits) < 8) continue;
    const auto byte = static_cast<uint8_t>(read >> (bits -= 8));
    if (byte < 0x80 ? continued > 0 || IsControl(static_cast<char>(byte)) : (byte < 0xC0) != (continued > 0)) {
      return false;
    }
    if (byte >= 0xC0) {
      if (byte < 0xC2 || byte > 0xF4) return false;
      continued = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    } else if (byte >= 0x80) {
      --continued;
    }
  }
  return true;
}

// False only for what TextWithin finds no text in.
bool MayHoldText(std::string_view code) {
  size_t size = 0, nuls = 0, printed = 0;
  uint32_t read = 0;
  int bits = 0;
  for (const char c : code) {
    const int value = kBase64Values[static_cast<uint8_t>(c)];
    if (value < 0) return true;
    read = read << 6 | static_cast<uint32_t>(value);
    if ((bits += 6) < 8) continue;
    const char byte = static_cast<char>(read >> (bits -= 8) & 0xFF);
    ++size;
    nuls += byte == 0;
    printed += !IsControl(byte) && static_cast<uint8_t>(byte) < 0x80;
  }
  return nuls * 3 >= size || printed * 3 >= size * 2;
}

// Text rather than the noise that any word decodes to: valid UTF-8 without control characters.
bool IsReadable(std::string_view bytes) {
  if (bytes.size() < kReadableBytesMin || std::any_of(bytes.begin(), bytes.end(), IsControl) || !IsUtf8(bytes)) {
    return false;
  }
  size_t letters = 0;
  const CanonicalText text = CanonicalText::Make(bytes);
  for (const char c : text.text()) {
    // What escapes are written with counts too: a value may be escaped inside.
    const bool escape = c == '&' || c == '#' || c == ';' || c == '%' || c == '\\';
    letters += IsAlnum(c) || static_cast<uint8_t>(c) >= 0x80 || c == ' ' || escape;
  }
  return letters * 3 >= text.text().size();
}

// The text in bytes that are not all text: other encodings than UTF-8, strings of C, records. Nothing when less
// than two thirds are.
std::optional<std::string> TextWithin(const std::string& bytes) {
  constexpr size_t kBytesMin = 12, kRunMin = 6;
  if (bytes.size() < kBytesMin) return std::nullopt;
  size_t nuls = 0;
  for (size_t i = 1; i < bytes.size(); i += 2) nuls += bytes[i] == 0;
  const bool wide = nuls * 3 >= bytes.size();  // UTF-16 of ASCII: every second byte
  const auto printed = std::count_if(bytes.begin(), bytes.end(),
                                     [](char c) { return !IsControl(c) && static_cast<uint8_t>(c) < 0x80; });
  if (!wide && static_cast<size_t>(printed) * 3 < bytes.size() * 2) return std::nullopt;
  std::string out;
  size_t run = 0, kept = 0;
  const auto end_run = [&] {
    if (run >= kRunMin) {
      kept += run;
      out += '\n';
    } else {
      out.erase(out.size() - run);
    }
    run = 0;
  };
  for (const char c : bytes) {
    if (wide && c == 0) continue;
    if (IsControl(c) || static_cast<uint8_t>(c) >= 0x80) {
      end_run();
    } else {
      out += c;
      ++run;
    }
  }
  end_run();
  const size_t all = wide ? bytes.size() / 2 : bytes.size();
  return kept * 3 >= all * 2 ? std::optional(out) : std::nullopt;
}

// `readable`: nothing when some of it is a control character.
template <bool readable = false>
std::optional<std::string> DecodeHex(std::string_view text) {
  if (text.size() % 2 != 0 || text.size() < kHexBytesMin) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 2) {
    const int64_t byte = HexNumber(text, i, 2);
    if (byte < 0 || (readable && IsControl(static_cast<char>(byte)))) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

// Digits of bytes, eight each, without anything between them.
std::optional<std::string> DecodeBits(std::string_view text) {
  constexpr size_t kBitsMin = 64;
  if (text.size() < kBitsMin || text.size() % 8 != 0) return std::nullopt;
  std::string out;
  for (size_t at = 0; at < text.size(); at += 8) {
    int byte = 0;
    for (size_t i = at; i < at + 8; ++i) {
      if (text[i] != '0' && text[i] != '1') return std::nullopt;
      byte = byte * 2 + (text[i] - '0');
    }
    out += static_cast<char>(byte);
  }
  return out;
}

// Characters by their numbers in decimal, two digits each, with nothing between them: digits and capitals.
std::optional<std::string> DecodeDecimal(std::string_view text) {
  constexpr size_t kDigitsMin = 20;
  if (text.size() < kDigitsMin || text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (size_t at = 0; at < text.size(); at += 2) {
    if (!IsDigit(text[at]) || !IsDigit(text[at + 1])) return std::nullopt;
    out += static_cast<char>((text[at] - '0') * 10 + (text[at + 1] - '0'));
    if (!IsDigit(out.back()) && !IsUpper(out.back())) return std::nullopt;
  }
  return out;
}

int Base32Value(char c) { return IsLetter(c) ? UpperAscii(c) - 'A' : c >= '2' && c <= '7' ? c - '2' + 26 : -1; }

// RFC 4648; in small letters only with digits among them, since otherwise it would be any word.
std::optional<std::string> DecodeBase32(std::string_view text) {
  if (text.size() < kBase32Min) return std::nullopt;
  const bool small = std::any_of(text.begin(), text.end(), IsLower);
  if (small && (std::any_of(text.begin(), text.end(), IsUpper) || std::none_of(text.begin(), text.end(), IsDigit))) {
    return std::nullopt;
  }
  std::string out;
  uint32_t bits = 0, count = 0;
  for (const char c : text) {
    const int value = Base32Value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 5 | static_cast<uint32_t>(value);
    if ((count += 5) >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xFF);
  }
  return out;
}

std::string BlobBytes(std::string_view lines) {
  std::string out(lines);
  out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return !IsBase64Byte(c); }), out.end());
  return out;
}

// Where the next line of a blob begins, when the line [line, end) of one is followed by one: indented, quoted or listed
// too. `end` when it is not.
size_t NextLine(std::string_view text, size_t line, size_t end) {
  constexpr size_t kLineMin = 20, kLastLineMin = 4, kAroundMax = 32;
  constexpr std::string_view kBehind = " \t\r\"',", kBefore = " \t>\"'";
  if (end - line < kLineMin) return end;
  size_t next = end;
  while (next < text.size() && next - end < kAroundMax && kBehind.find(text[next]) != std::string_view::npos) ++next;
  if (next >= text.size() || text[next] != '\n') return end;
  const size_t newline = next++;
  while (next < text.size() && next - newline < kAroundMax && kBefore.find(text[next]) != std::string_view::npos)
    ++next;
  if (next + kLastLineMin > text.size()) return end;
  for (size_t at = next; at < next + kLastLineMin; ++at) {
    if (!IsBase64Byte(text[at])) return end;
  }
  return next;
}

class BlobReader {
 public:
  explicit BlobReader(std::string_view text) : text_(text) {}
  // False when [begin, end) holds no text; `strict`: nothing but text.
  bool Read(size_t begin, size_t end, bool strict = false) {
    if (!MayBeText(begin, end) || !ReadingWork::Spend(kReadSteps)) return false;
    std::string_view run = text_.substr(begin, end - begin);
    std::string unwrapped;
    if (run.find('\n') != std::string_view::npos) run = unwrapped = BlobBytes(run);
    std::optional<std::string> bytes = DecodeDecimal(run);
    const auto read = [&](auto decode) {
      if (!bytes || !IsReadable(*bytes)) bytes = decode(run);
      if (bytes) ReadingWork::Spend(kByteSteps * run.size());  // most decoders stop at once
      return bytes && IsReadable(*bytes);
    };
    const auto base64 = [&] {
      return MayReadAsText<6>(run, [](char c) { return kBase64Values[static_cast<uint8_t>(c)]; }) && read(DecodeBase64);
    };
    const auto base32 = [&] { return MayReadAsText<5>(run, Base32Value) && read(DecodeBase32); };
    // Hex reads as base64 as well, and some of it even as text.
    if (!read(DecodeHex<true>) && !base64() && !base32() && !read(DecodeBits)) {
      if (strict) return false;
      // Letters glued to it shift what it decodes to, and some of that may look like text.
      if (ReadGlued(begin, end, true) || ReadHexWithin(begin, end, true)) return true;
      const auto text_in = [](auto decode) {
        return [decode](std::string_view code) {
          const std::optional<std::string> decoded = decode(code);
          return decoded ? TextWithin(*decoded) : std::nullopt;
        };
      };
      if (!(MayHoldText(run) && read(text_in(DecodeBase64))) && !read(text_in(DecodeHex<>))) return false;
    }
    std::vector<uint32_t> origin(bytes->size());
    for (size_t i = 0; i < origin.size(); ++i) {
      origin[i] = static_cast<uint32_t>(begin + i * (end - begin) / origin.size());
    }
    constexpr int kPaddingMax = 6;  // of base32
    for (int padding = 0; padding < kPaddingMax && end < text_.size() && text_[end] == '='; ++padding) ++end;
    edits_.Add(begin, end, *bytes, origin);
    return true;
  }
  // A blob with something in front of it or behind it: `0x`, `key-`, `user_`, a letter.
  void ReadWithin(size_t begin, size_t end) {
    constexpr int kRestsMax = 4;  // a rest may hold signs of its own
    int rests = 0;
    for (size_t part = begin, next = begin; part < end; part = next + 1) {
      next = part;
      while (next < end && !IsSign(text_[next])) ++next;
      if (part > begin && next < end && rests < kRestsMax && end - part <= kRestBytesMax) {
        ++rests;
        if (Read(part, end)) return;
      }
      if (next - part >= kBlobBytesMin) ReadPart(part, next, part == begin && next == end);
    }
  }
  Edits Take() { return std::move(edits_); }

 private:
  static constexpr size_t kRestBytesMax = 4096;
  static constexpr size_t kReadSteps = 90, kByteSteps = 12;  // of one try
  static bool IsSign(char c) { return c == '-' || c == '_' || c == '/' || c == '+'; }

  // `tried`: as a whole, in vain.
  void ReadPart(size_t begin, size_t end, bool tried) {
    if (!tried && Read(begin, end)) return;
    if (ReadHexWithin(begin, end)) return;
    constexpr size_t kTrailMax = 4096;
    if (ReadGlued(begin, end) || !MayBeText(begin, end)) return;
    for (size_t dropped = 1; dropped <= 3 && end - begin > kBlobBytesMin + dropped; ++dropped) {
      if (end - begin > kTrailMax) return;
      if (Read(begin, end - dropped)) return;
    }
  }

  // The longest stretch of hex, whatever is glued to it.
  bool ReadHexWithin(size_t begin, size_t end, bool strict = false) {
    size_t longest = begin, length = 0;
    for (size_t at = begin; at < end;) {
      const size_t from = at;
      while (at < end && kIsHex[static_cast<uint8_t>(text_[at])]) ++at;
      if (at - from > length) longest = from, length = at - from;
      at = std::max(at, from + 1);
    }
    if (length < kHexBytesMin || length == end - begin) return false;
    const size_t even = length - length % 2;
    return Read(longest, longest + even, strict) || Read(longest + length - even, longest + length, strict);
  }

  // With letters glued to it on both sides, as many as shift what it decodes to.
  bool ReadGlued(size_t begin, size_t end, bool strict = false) {
    constexpr size_t kGlueMax = 3, kPartMax = 4096;
    if (end - begin > kPartMax) return false;
    for (size_t lead = begin + 1; lead <= begin + kGlueMax && lead + kBlobBytesMin <= end && IsLetter(text_[lead - 1]);
         ++lead) {
      if (!BeginsAsText(lead, end)) continue;
      for (size_t glue = 0; glue <= kGlueMax && lead + kBlobBytesMin + glue <= end; ++glue) {
        if (Read(lead, end - glue, strict)) return true;
        if (!IsLetter(text_[end - glue - 1])) break;
      }
    }
    return false;
  }
  // Surely rather than perhaps: what it begins with is printed, or a character of several bytes.
  bool BeginsAsText(size_t begin, size_t end) const {
    constexpr size_t kLooked = 8;
    const std::string_view first = text_.substr(begin, kLooked);
    const auto is_text = [](const std::optional<std::string>& bytes) {
      if (!bytes) return false;
      bool within = false;
      for (const char c : *bytes) {
        const auto byte = static_cast<uint8_t>(c);
        if (byte < 0x80 ? byte < ' ' : (byte < 0xC0) != within) return false;
        within = byte >= 0x80;
      }
      return true;
    };
    const std::string_view longer = text_.substr(begin, std::min(end - begin, 2 * kLooked));
    return is_text(DecodeBase64(first)) || is_text(DecodeBase32(longer));
  }

  // Most words are settled by what their first letters decode to.
  bool MayBeText(size_t begin, size_t end) const {
    constexpr size_t kLooked = 4;
    if (end - begin < kBlobBytesMin) return false;
    const int64_t hex = HexNumber(text_, begin, 2);
    if (hex == 0 || (hex >= 0x20 && hex != 0x7F)) return true;
    const int base32 = Base32Value(text_[begin]) << 3 | Base32Value(text_[begin + 1]) >> 2;
    if ((base32 >= 0x20 && base32 < 0x7F) || base32 == '\n') return true;
    // The second byte goes on with a character of several bytes.
    if (base32 >= 0xC2 && (Base32Value(text_[begin + 1]) & 3) == 2) return true;
    const std::optional<std::string> first = DecodeBase64(text_.substr(begin, kLooked));
    const auto is_text = [](char c) { return c == 0 || !IsControl(c); };
    return first && std::all_of(first->begin(), first->end(), is_text) &&
           (static_cast<uint8_t>((*first)[0]) < 0x80 || static_cast<uint8_t>((*first)[0]) >= 0xC2);
  }

  const std::string_view text_;
  Edits edits_;
};

}  // namespace

bool IsUtf8(std::string_view bytes) {
  const auto* text = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto size = static_cast<int32_t>(bytes.size());
  for (int32_t at = 0; at < size;) {
    UChar32 code_point;
    U8_NEXT(text, at, size, code_point);
    if (code_point < 0) return false;
  }
  return true;
}

Edits ReadBlobs(std::string_view text) {
  BlobReader reader(text);
  std::vector<std::pair<size_t, size_t>> lines;
  for (size_t at = 0; at < text.size() && !ReadingWork::Spent();) {
    if (!IsBase64Byte(text[at])) {
      ++at;
      continue;
    }
    lines.clear();
    while (true) {
      const size_t line = at;
      while (at < text.size() && IsBase64Byte(text[at])) ++at;
      lines.emplace_back(line, at);
      const size_t next = NextLine(text, line, at);
      if (next == at) break;
      at = next;
    }
    const size_t begin = lines.front().first, end = lines.back().second;
    if (end - begin < kBlobBytesMin || reader.Read(begin, end)) continue;
    if (lines.size() == 1) {
      reader.ReadWithin(begin, end);
      continue;
    }
    // What follows a long line may be the next word and no part of the blob.
    if (reader.Read(begin, lines[lines.size() - 2].second)) continue;
    for (const auto& [from, to] : lines) {
      if (!reader.Read(from, to)) reader.ReadWithin(from, to);
    }
  }
  return reader.Take();
}

}  // namespace headgate::router
