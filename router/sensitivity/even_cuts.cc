// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/even_cuts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "router/sensitivity/base85.h"
#include "router/sensitivity/blobs.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kApartMax = 6;    // bytes between two signs
// So many signs are no accident: formats and prose have a few at one distance.
constexpr size_t kSinglesMin = 7;                               // of single characters
constexpr std::array<size_t, kApartMax + 1> kSignsMin = {0, kSinglesMin, 6, 6, 4, 4, 4};
constexpr size_t kChainMax = 48;  // signs; a longer one is read as several, so that each byte costs a bounded amount
constexpr size_t kFewMin = 2, kFewApart = 4;  // of a short number in base85

// What a format puts between two strings: elements of HTML, the end of one literal and the beginning of the next.
size_t FormatLength(std::string_view text, size_t at) {
  constexpr size_t kFormatMax = 24;
  const std::string_view rest = text.substr(at, kFormatMax);
  size_t end = 0;
  if (rest[0] == '<') {
    while (end < rest.size() && rest[end] == '<') {
      const size_t close = rest.find('>', end);
      if (close == std::string_view::npos) return 0;
      end = close + 1;
    }
    return end > 2 && end < rest.size() && rest[end] == '\n' ? end + 1 : end > 2 ? end : 0;
  }
  end = rest.find(rest[0], 1);
  if (end == std::string_view::npos || end < 2) return 0;
  const bool signs = std::none_of(rest.begin() + 1, rest.begin() + static_cast<std::ptrdiff_t>(end), IsAlnum);
  return signs ? end + 1 : 0;
}

// What begins a sign. Escapes are no signs; of other scripts only punctuation and emoji are.
enum SignKind : uint8_t { kNone, kAscii, kFormat, kHash, kOther };
constexpr std::array<uint8_t, 256> kSigns = [] {
  std::array<uint8_t, 256> kinds{};
  for (size_t i = 0; i < 0x80; ++i) kinds[i] = IsAlnum(static_cast<char>(i)) ? kNone : kAscii;
  for (const char c : {'%', '\\', '&', '=', ';'}) kinds[static_cast<uint8_t>(c)] = kNone;
  for (const char c : {'<', '"', '\''}) kinds[static_cast<uint8_t>(c)] = kFormat;
  kinds['#'] = kHash;
  for (const size_t i : {0xC2, 0xE2, 0xE3}) kinds[i] = kOther;
  for (size_t i = 0xF0; i < 0xF5; ++i) kinds[i] = kOther;
  return kinds;
}();

// Bytes of the sign at `at`; 0: none.
size_t SignLength(std::string_view text, size_t at) {
  switch (kSigns[static_cast<uint8_t>(text[at])]) {
    case kNone:
      return 0;
    case kFormat:
      return std::max<size_t>(FormatLength(text, at), 1);
    case kHash:
      return at > 0 && text[at - 1] == '&' ? 0 : 1;
    case kOther: {
      const auto byte = static_cast<uint8_t>(text[at]);
      const size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      return at + length > text.size() || (byte == 0xE3 && static_cast<uint8_t>(text[at + 1]) != 0x80) ? 0 : length;
    }
    default:
      return 1;
  }
}

// How often `sign` comes again from `at` on, `period` bytes after itself each time.
size_t Repeats(std::string_view text, size_t at, std::string_view sign, size_t period) {
  size_t count = 0;
  while (count < kChainMax && at + sign.size() <= text.size() && text.substr(at, sign.size()) == sign) {
    ++count;
    at += period;
  }
  return count;
}

// `signs` at the same distance from each other.
struct Chain {
  std::string_view text;
  size_t begin = 0, sign = 0, apart = 0, signs = 0;
  size_t period() const { return apart + sign; }
  size_t last() const { return begin + (signs - 1) * period(); }
};

// A number in base64, base32 or base85, or the number itself escaped.
bool HidesNumber(std::string_view code) {
  if (code.size() < kBlobBytesMin) return false;
  for (const Edits& edits : {ReadBase85(code), ReadBlobs(code)}) {
    const auto digits = std::count_if(edits.bytes.begin(), edits.bytes.end(), IsDigit);
    if (!edits.empty() && static_cast<size_t>(digits) * 2 >= edits.bytes.size()) return true;
  }
  return false;
}

// The groups together, with the one behind the last sign and perhaps the one before the first, hide a number.
bool IsShortCode(const Chain& chain) {
  constexpr size_t kShortMax = 9;  // signs
  if (chain.signs > kShortMax) return false;
  std::string code;
  for (size_t i = 0; i < chain.signs; ++i) {
    code += chain.text.substr(chain.begin + i * chain.period() + chain.sign, chain.apart);
  }
  code.resize(std::min(code.find_first_of(" \n", code.size() - std::min(code.size(), chain.apart)), code.size()));
  if (HidesNumber(code)) return true;
  const std::string_view inner = std::string_view(code).substr(0, (chain.signs - 1) * chain.apart);
  if (inner.size() < code.size() && HidesNumber(inner)) return true;
  return chain.begin >= chain.apart &&
         HidesNumber(std::string(chain.text.substr(chain.begin - chain.apart, chain.apart)) + code);
}

// Whether what stands between the signs may be a part of something written in another way: no words, no numbers.
bool MayHide(const Chain& chain) {
  constexpr size_t kNumberMax = 34, kWordsMin = 8;
  size_t letters = 0, digits = 0, blanks = 0, others = 0, mixed = 0;
  for (size_t i = 0; i < chain.signs; ++i) {
    bool other = false, digit = false, letter = false, script = false;
    for (const char c : chain.text.substr(chain.begin + i * chain.period() + chain.sign, chain.apart)) {
      letter |= IsLetter(c);
      digit |= IsDigit(c);
      letters += IsLetter(c);
      digits += IsDigit(c);
      blanks += c == ' ' || c == '\n';
      other |= !IsAlnum(c) && c != ' ' && c != '\n';
      script |= static_cast<uint8_t>(c) >= 0x80;
    }
    // Words of Chinese, say; what follows the last sign is another matter.
    if (script) {
      if (i + 1 == chain.signs) break;
      return false;
    }
    others += other;
    mixed += other || (letter && digit);
  }
  if (blanks > letters + digits) return false;
  if (chain.signs < kSignsMin[chain.apart]) return digits > 0 && IsShortCode(chain);
  // Words of one length are ordinary, and so is a blank after every fifth byte of a few words.
  const bool words = letters > 0 && blanks > 0;
  if (chain.text[chain.begin] == ' ' && chain.apart > 1) {
    return (blanks == 0 && mixed * 2 >= chain.signs) || (words && chain.signs >= kWordsMin) ||
           (chain.apart >= kFewApart && digits > 0 && IsShortCode(chain));
  }
  return others > 0 || words || (letters > 0 && digits > 0) || (letters == 0 && digits > kNumberMax);
}

bool AllLetters(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsLetter); }

// A blank that stands there again three times: what follows is bounded by the first that does not.
bool ComesAgain(std::string_view text, size_t at) {
  bool again = false;
  for (size_t period = 2; period <= kApartMax + 1 && at + 3 * period < text.size(); ++period) {
    again |= (text[at + period] == ' ') & (text[at + 2 * period] == ' ') & (text[at + 3 * period] == ' ');
  }
  return again || at + 3 * (kApartMax + 1) >= text.size();
}

// The chain that begins with the sign of `length` bytes at `at`; without signs: there is none.
Chain ChainAt(std::string_view text, size_t at, size_t length) {
  const std::string_view sign = text.substr(at, length);
  for (size_t apart = 1; apart <= kApartMax; ++apart) {
    const size_t second = at + apart + length;
    if (second + length > text.size()) break;
    if (text[second] != sign[0]) continue;
    const size_t third = second + apart + length;  // most end here
    if ((apart < kFewApart || sign[0] == ' ') && (third >= text.size() || text[third] != sign[0])) continue;
    const Chain chain{text, at, length, apart, Repeats(text, at, sign, apart + length)};
    const bool few = apart >= kFewApart && chain.signs >= kFewMin;
    if (!few && chain.signs < kSignsMin[apart]) continue;
    // Of single characters set apart every second sign is as even.
    if (apart > 1 && Repeats(text, second, sign, 1 + length) >= kSinglesMin) continue;
    if (MayHide(chain)) return chain;
  }
  return {};
}

}  // namespace

EvenCuts ReadEvenCuts(std::string_view text) {
  EvenCuts cuts;
  bool edges = false;
  for (size_t at = 0; at < text.size();) {
    if (kSigns[static_cast<uint8_t>(text[at])] == kNone) {
      ++at;
      continue;
    }
    // In prose hardly any sign comes again at one of the distances, and twice.
    if (text[at] == ' ' && !ComesAgain(text, at)) {
      ++at;
      continue;
    }
    const size_t length = SignLength(text, at);
    const Chain chain = length == 0 ? Chain() : ChainAt(text, at, length);
    if (chain.signs == 0) {
      at += std::max<size_t>(length, 1);
      continue;
    }
    const bool blank = length == 1 && (text[at] == ' ' || text[at] == '\n');
    const bool first = blank && at >= chain.apart && AllLetters(text.substr(at - chain.apart, chain.apart));
    const bool last = blank && AllLetters(text.substr(chain.last() + length, chain.apart));
    edges |= first || last;
    for (size_t i = 0; i < chain.signs; ++i) {
      const size_t sign = at + i * chain.period();
      cuts.all.Add(sign, sign + length, "", sign);
      if (i + (last ? 1 : 0) < chain.signs && (i > 0 || !first)) cuts.inner.Add(sign, sign + length, "", sign);
    }
    at = chain.last() + length;
  }
  if (!edges) cuts.inner = Edits();
  return cuts;
}

}  // namespace headgate::router
