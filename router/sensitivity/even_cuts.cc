// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/even_cuts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "router/sensitivity/base85.h"
#include "router/sensitivity/blobs.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kApartMax = 6;    // bytes between two signs
// So many signs are no accident: formats and prose have a few at one distance.
constexpr size_t kSinglesMin = 7;                               // of single characters
constexpr std::array<size_t, kApartMax + 1> kSignsMin = {0, kSinglesMin, 6, 6, 4, 4, 4};
constexpr size_t kChainMax = 48;  // signs; a longer one is read as several, so that each byte costs a bounded amount
constexpr size_t kSignSteps = 20, kChainSteps = 30, kRepeatSteps = 4, kByteSteps = 2, kCodeSteps = 300;
constexpr size_t kFewMin = 2, kFewApart = 4;  // of a short number in base85

// What begins a sign. Escapes are no signs; of other scripts only punctuation and emoji are.
enum SignKind : uint8_t { kNone, kAscii, kTag, kHash, kOther };
constexpr std::array<uint8_t, 256> kSigns = [] {
  std::array<uint8_t, 256> kinds{};
  for (size_t i = 0; i < 0x80; ++i) kinds[i] = IsAlnum(static_cast<char>(i)) ? kNone : kAscii;
  for (const char c : {'%', '\\', '&', '=', ';'}) kinds[static_cast<uint8_t>(c)] = kNone;
  kinds['<'] = kTag;
  kinds['#'] = kHash;
  for (const size_t i : {0xC2, 0xE2, 0xE3}) kinds[i] = kOther;
  for (size_t i = 0xF0; i < 0xF5; ++i) kinds[i] = kOther;
  return kinds;
}();

// Bytes of the sign or the element of HTML at `at`; 0: none.
size_t SignLength(std::string_view text, size_t at) {
  constexpr size_t kTagMax = 16;
  switch (kSigns[static_cast<uint8_t>(text[at])]) {
    case kNone:
      return 0;
    case kTag: {
      const size_t end = text.substr(at + 1, kTagMax).find_first_of("<>");
      return end == std::string_view::npos || end == 0 || text[at + 1 + end] == '<' ? 1 : end + 2;
    }
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

// A sign ends at `at`.
bool IsBehindSign(std::string_view text, size_t at) {
  constexpr size_t kSignBytesMax = 4;
  size_t begin = at;
  while (begin > 0 && at - begin < kSignBytesMax) {
    if ((static_cast<uint8_t>(text[--begin]) & 0xC0) != 0x80) break;
  }
  return begin < at && kSigns[static_cast<uint8_t>(text[begin])] != kNone &&
         (begin + 1 == at || SignLength(text, begin) == at - begin);
}

// What may be put in again and again from `at` on: one sign, or several (` | `, `" + "`, `</td><td>`), shortest first.
struct Signs {
  static constexpr size_t kMax = 8, kBytesMax = 24;
  std::array<uint8_t, kMax> lengths{};
  size_t count = 0;
};
Signs SignsAt(std::string_view text, size_t at) {
  Signs signs;
  // Those behind the first of a row are a part of what the first begins, or stand alone.
  const size_t most = text[at] != '<' && IsBehindSign(text, at) ? 1 : Signs::kMax;
  for (size_t end = at; signs.count < most && end < text.size();) {
    const size_t length = SignLength(text, end);
    end += length;
    if (length == 0 || end - at > Signs::kBytesMax) break;
    signs.lengths[signs.count++] = static_cast<uint8_t>(end - at);
  }
  return signs;
}

// How often `sign` comes again from `at` on, `period` bytes after itself each time.
size_t Repeats(std::string_view text, size_t at, std::string_view sign, size_t period, size_t most = kChainMax) {
  size_t count = 0;
  const bool single = sign.size() == 1;
  while (count < most && at + sign.size() <= text.size() && text[at] == sign[0] &&
         (single || text.substr(at, sign.size()) == sign)) {
    ++count;
    at += period;
  }
  return count;
}

// `signs` at the same distance from each other.
struct Chain {
  std::string_view text;
  size_t begin = 0, sign = 0, apart = 0, signs = 0;
  bool several = false;  // signs in one place
  size_t period() const { return apart + sign; }
  size_t last() const { return begin + (signs - 1) * period(); }
};

// What each character stands for in hex, base32 and base64.
using Values = std::array<int8_t, 256>;
constexpr Values ValuesOf(std::string_view alphabet, bool caseless) {
  Values values{};
  for (int8_t& value : values) value = -1;
  for (size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
    if (caseless) values[static_cast<uint8_t>(LowerAscii(alphabet[i]))] = static_cast<int8_t>(i);
  }
  return values;
}
struct Alphabet {
  int bits;  // of a character
  Values values;
};
constexpr Alphabet kAlphabets[] = {
    {4, ValuesOf("0123456789ABCDEF", true)},
    {5, ValuesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", true)},
    {6, ValuesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", false)},
};

// A number, perhaps escaped, or a few letters with one; any text that is long enough. Most words are settled by their
// first byte.
bool SaysNumber(std::string_view code, const Alphabet& alphabet) {
  constexpr size_t kNumberMin = 6, kTextMin = 12;
  size_t digits = 0, bytes = 0;
  uint32_t read = 0;
  int bits = 0;
  for (const char c : code.substr(0, code.find_last_not_of('=') + 1)) {
    const int8_t value = alphabet.values[static_cast<uint8_t>(c)];
    if (value < 0) return false;
    read = read << alphabet.bits | static_cast<uint32_t>(value);
    if ((bits += alphabet.bits) < 8) continue;
    const char byte = static_cast<char>(read >> (bits -= 8) & 0xFF);
    if (byte < ' ' || byte == 0x7F) return false;
    digits += IsDigit(byte);
    ++bytes;
  }
  return bytes >= kTextMin || (bytes >= kNumberMin && digits * 5 >= bytes * 2);
}
bool HidesNumber(std::string_view code) {
  if (code.size() < kBlobBytesMin) return false;
  if (std::any_of(std::begin(kAlphabets), std::end(kAlphabets), [&](const auto& of) { return SaysNumber(code, of); })) {
    return true;
  }
  if (!MayBeBase85(code)) return false;
  const Edits edits = ReadBase85(code);
  const auto digits = std::count_if(edits.bytes.begin(), edits.bytes.end(), IsDigit);
  return !edits.empty() && static_cast<size_t>(digits) * 5 >= edits.bytes.size() * 2;
}

// The groups together, perhaps without the one behind the last sign or with the one before the first, hide a number.
bool IsShortCode(const Chain& chain) {
  ReadingWork::Spend(kCodeSteps);
  std::string code;
  for (size_t i = 0; i < chain.signs; ++i) {
    code += chain.text.substr(chain.begin + i * chain.period() + chain.sign, chain.apart);
  }
  const size_t inner = (chain.signs - 1) * chain.apart;
  code.resize(std::min(code.find_first_of(" \n", inner), code.size()));
  if (HidesNumber(code) || (inner < code.size() && HidesNumber(code.substr(0, inner)))) return true;
  if (chain.begin < chain.apart) return false;
  code.insert(0, chain.text.substr(chain.begin - chain.apart, chain.apart));
  return HidesNumber(code) ||
         (inner + chain.apart < code.size() && HidesNumber(code.substr(0, inner + chain.apart)));
}

// Whether what stands between the signs may be a part of something written in another way: no words, no numbers.
bool MayHide(const Chain& chain) {
  ReadingWork::Spend(chain.signs * chain.apart * kByteSteps);
  constexpr size_t kNumberMax = 34, kWordsMin = 8;
  size_t letters = 0, digits = 0, blanks = 0, signs = 0, others = 0, mixed = 0;
  for (size_t i = 0; i < chain.signs; ++i) {
    bool other = false, digit = false, letter = false;
    for (const char c : chain.text.substr(chain.begin + i * chain.period() + chain.sign, chain.apart)) {
      const bool blank = c == ' ' || c == '\n', script = static_cast<uint8_t>(c) >= 0x80;
      if ((blank || script) && i + 1 == chain.signs) break;  // what follows is another matter
      if (script) return false;                             // words of Chinese, say
      letter |= IsLetter(c);
      digit |= IsDigit(c);
      letters += IsLetter(c);
      digits += IsDigit(c);
      blanks += blank;
      signs += !IsAlnum(c) && !blank;
      other |= !IsAlnum(c) && !blank;
    }
    others += other;
    mixed += other || (letter && digit);
  }
  const bool single = chain.apart == 1, several = chain.several;
  if (blanks > letters + digits + signs && !(single && several)) return false;
  if (chain.signs < kSignsMin[chain.apart]) return IsShortCode(chain);
  // Words of one length are ordinary, and so is a blank after every fifth byte of a few words.
  const bool words = letters > 0 && blanks > 0;
  if (chain.text[chain.begin] == ' ' && !single) {
    return (blanks == 0 && mixed * 2 >= chain.signs) || (words && chain.signs >= kWordsMin) ||
           (chain.apart >= kFewApart && IsShortCode(chain));
  }
  if (others > 0 || words || (letters > 0 && (single || digits > 0))) return true;
  return (letters == 0 && digits > kNumberMax) || IsShortCode(chain);
}

constexpr ByteSet kBlank(" ");
constexpr ByteSet kOtherSigns =
    ByteSet::Of([](char c) { return c != ' ' && kSigns[static_cast<uint8_t>(c)] != kNone; });

// Signs that may begin a chain: of blanks only those that come again three times at one distance, as hardly any does in
// prose, and those near the end.
ByteMarks MayBeginChain(std::string_view text) {
  constexpr size_t kPeriodMax = kApartMax + 1;
  const ByteMarks blanks(text, kBlank), others(text, kOtherSigns);
  const size_t tail = text.size() - std::min(text.size(), 3 * kPeriodMax);
  return ByteMarks::Combine(text.size(), [&](size_t i) {
    const uint64_t here = blanks.Word(i);
    uint64_t again = 0;
    for (size_t period = 2; period <= kPeriodMax && here != 0; ++period) {
      again |= blanks.WordBehind(i, period) & blanks.WordBehind(i, 2 * period) & blanks.WordBehind(i, 3 * period);
    }
    if (i * 64 + 64 > tail) again |= i * 64 >= tail ? ~uint64_t{0} : ~uint64_t{0} << (tail % 64);
    return others.Word(i) | (here & again);
  });
}

// Whether the sign at `at` may come again behind what it is put in with: most do not.
bool MayComeAgain(std::string_view text, size_t at) {
  return text.substr(std::min(at + 2, text.size()), kApartMax + Signs::kBytesMax - 1).find(text[at]) !=
         std::string_view::npos;
}

class CutReader {
 public:
  CutReader(std::string_view text, const Edits& read) : text_(text), read_(read) {}
  EvenCuts Read() {
    const ByteMarks begins = MayBeginChain(text_);
    for (size_t at = begins.Next(0); at < text_.size() && ReadingWork::Spend(kSignSteps); at = begins.Next(at)) {
      if (!MayComeAgain(text_, at)) {
        ++at;
        continue;
      }
      read_end_ = 0;
      const Chain chain = ChainAt(at);
      if (chain.signs == 0) {
        at = std::max(at + 1, read_end_);
        continue;
      }
      Take(chain);
      at = chain.last() + chain.sign;
    }
    if (!edges_) cuts_.inner = Edits();
    return std::move(cuts_);
  }

 private:
  // The chain that begins at `at`; without signs: there is none.
  Chain ChainAt(size_t at) {
    const Signs signs = SignsAt(text_, at);
    for (size_t i = signs.count; i-- > 0;) {
      const Chain chain = ChainOf(at, signs.lengths[i], i > 0);
      if (chain.signs > 0) return chain;
    }
    return {};
  }
  Chain ChainOf(size_t at, size_t length, bool several) {
    constexpr size_t kSettledBytes = 2 * kSinglesMin;
    const std::string_view sign = text_.substr(at, length);
    const size_t run_end = length == 1 ? RunEnd(at) : at;
    for (size_t apart = 1; apart <= kApartMax; ++apart) {
      const size_t second = at + apart + length;
      if (second + length > text_.size()) break;
      if (text_[second] != sign[0]) continue;
      // In a row of one sign: what follows says below of the single characters, and of a chain of blanks.
      if (apart > 1 && run_end >= second + kSettledBytes) continue;
      if (apart == 1 && run_end > at + kChainMax + 2 && (sign[0] == ' ' || sign[0] == '\n')) {
        in_vain_[apart] = {};
        continue;
      }
      // Of a chain in vain the rest is looked at only where it is short.
      Vain& vain = in_vain_[apart][at % (apart + length)];
      if (at <= vain.last && length == vain.sign) continue;
      const size_t third = second + apart + length;  // most end here
      if ((apart < kFewApart || sign[0] == ' ') && (third >= text_.size() || text_[third] != sign[0])) continue;
      Chain chain{text_, at, length, apart, Repeats(text_, at, sign, apart + length), several};
      ReadingWork::Spend(kChainSteps + chain.signs * kRepeatSteps);
      const bool few = apart >= kFewApart && chain.signs >= kFewMin;
      if (!few && chain.signs < kSignsMin[apart]) continue;
      // Of single characters set apart every second sign is as even.
      if (apart > 1 && Repeats(text_, second, sign, 1 + length, kSinglesMin) >= kSinglesMin) continue;
      // A short code with signs of base64 between its groups may read as base64 by accident.
      if (!(few && IsBase64Byte(sign[0])) && IsRead(chain)) {
        read_end_ = std::max(read_end_, chain.last());
        continue;
      }
      if (MayHide(chain)) {
        chain.signs += Repeats(text_, chain.last() + chain.period(), sign, chain.period(), text_.size());
        return chain;
      }
      if (few && chain.signs < kSignsMin[apart]) continue;
      vain = {static_cast<uint32_t>(chain.last()), static_cast<uint32_t>(length)};
    }
    return {};
  }
  // Where the row of one and the same byte ends that `at` lies in.
  size_t RunEnd(size_t at) {
    if (at >= run_end_) {
      for (run_end_ = at + 1; run_end_ < text_.size() && text_[run_end_] == text_[at];) ++run_end_;
    }
    return run_end_;
  }
  bool IsRead(const Chain& chain) {
    while (next_read_ < read_.list.size() && read_.list[next_read_].end <= chain.begin) ++next_read_;
    return next_read_ < read_.list.size() && read_.list[next_read_].begin <= chain.begin &&
           chain.last() <= read_.list[next_read_].end;
  }
  void Take(const Chain& chain) {
    const size_t at = chain.begin, length = chain.sign;
    const bool blank = length == 1 && (text_[at] == ' ' || text_[at] == '\n');
    const Edge first = blank ? EdgeOf(LettersBefore(at), chain.apart) : Edge::kGroup;
    const Edge last = blank ? EdgeOf(LettersAt(chain.last() + length), chain.apart) : Edge::kGroup;
    edges_ |= first == Edge::kEither || last == Edge::kEither;
    for (size_t i = 0; i < chain.signs; ++i) {
      const size_t sign = at + i * chain.period();
      const Edge edge = i == 0 ? first : i + 1 == chain.signs ? last : Edge::kGroup;
      if (edge != Edge::kWord) cuts_.all.Add(sign, sign + length, "", sign);
      if (edge == Edge::kGroup) cuts_.inner.Add(sign, sign + length, "", sign);
    }
  }
  static constexpr size_t kGlueMax = 3, kLettersMax = kApartMax + kGlueMax + 1;
  // What stands beyond the first or the last blank: a group, a word that is longer than one with letters glued to it,
  // or either.
  enum class Edge { kGroup, kWord, kEither };
  static Edge EdgeOf(size_t letters, size_t apart) {
    return letters == 0 ? Edge::kGroup : letters > apart + kGlueMax ? Edge::kWord : Edge::kEither;
  }
  size_t LettersBefore(size_t at) const {
    size_t letters = 0;
    while (letters < kLettersMax && letters < at && IsLetter(text_[at - letters - 1])) ++letters;
    return letters;
  }
  size_t LettersAt(size_t at) const {
    size_t letters = 0;
    while (letters < kLettersMax && at + letters < text_.size() && IsLetter(text_[at + letters])) ++letters;
    return letters;
  }

  const std::string_view text_;
  const Edits& read_;
  size_t next_read_ = 0;
  EvenCuts cuts_;
  bool edges_ = false;
  size_t read_end_ = 0;  // of the chain at hand that is read already
  size_t run_end_ = 0;   // of the last row of one byte that was looked at
  struct Vain {
    uint32_t last = 0, sign = 0;
  };
  // By distance and place in it, where the last chain that hides nothing ends.
  std::array<std::array<Vain, kApartMax + Signs::kBytesMax>, kApartMax + 1> in_vain_{};
};

}  // namespace

EvenCuts ReadEvenCuts(std::string_view text, const Edits& read) { return CutReader(text, read).Read(); }

}  // namespace headgate::router
