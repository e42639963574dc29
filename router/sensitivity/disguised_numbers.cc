// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/disguised_numbers.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kNumberMin = 13, kNumberMax = 19;  // digits of what is known by its check digit alone

// A run of letters and digits.
struct Token {
  uint32_t begin = 0, end = 0;
  uint32_t digits = 0;
  size_t size() const { return end - begin; }
  bool is_number() const { return digits == size(); }
};

Token TokenAt(std::string_view text, size_t at) {
  Token token{static_cast<uint32_t>(at), static_cast<uint32_t>(at)};
  while (token.end < text.size() && IsAlnum(text[token.end])) token.digits += IsDigit(text[token.end++]);
  return token;
}

// Of one byte; signs of several are looked at.
constexpr ByteSet kKnownSeparators(" -./_,\n\r\t()|*");

// Some number in ten of those in hex passes a check of cards.
bool IsHex(std::string_view token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return HexNumber({&c, 1}, 0, 1) >= 0; });
}

char AsDigit(char c) {
  switch (c) {
    case 'O':
    case 'o':
    case 'Q':
    case 'D':
      return '0';
    case 'I':
    case 'i':
    case 'l':
    case 'L':
      return '1';
    case 'Z':
    case 'z':
      return '2';
    case 'E':
      return '3';
    case 'A':
    case 'h':
      return '4';
    case 'S':
    case 's':
      return '5';
    case 'G':
    case 'b':
      return '6';
    case 'T':
      return '7';
    case 'B':
      return '8';
    case 'g':
    case 'q':
      return '9';
    default:
      return c;
  }
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), LowerAscii);
  return out;
}

// Whether `words` speak of the parts of something.
bool SpeaksOfParts(std::string_view words) {
  const std::string lower = Lower(words);
  for (const std::string_view word :
       {"part",  "half",  "first", "second", "third",  "fourth", "last",  "rest",  "then", "next", "follow", "remain",
        "begin", "start", "end",   "digit",  "middle", "\"mid",   "plus",  "group", "block", "finally", "tail",
        "dash",   "hyphen", "space", "dot", "slash", "杠", "空格", "横线", "前",   "后",   "剩",     "余",
        "接",    "再",    "段",    "部分",   "半",     "头",     "尾",    "末",    "开始", "位",   "组"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

bool SaysBackwards(std::string_view text) {
  for (const std::string_view word :
       {"revers", "Revers", "REVERS", "backward", "Backward", "right to left", "mirror", "倒", "反过来", "逆序", "反序",
        "反着", "从后往前", "从右往左", "从右到左"}) {
    if (text.find(word) != std::string_view::npos) return true;
  }
  return false;
}

// Whether `text` puts the variable that is set just before `between` ends behind another: `a + b`, `{a}{b}`, `$a$b`.
bool PutsTogether(std::string_view text, std::string_view between) {
  constexpr size_t kNameMax = 24;
  const size_t equals = between.find_last_of("=:");
  if (equals == std::string_view::npos) return false;
  size_t end = equals;
  while (end > 0 && !IsAlnum(between[end - 1]) && between[end - 1] != '_') --end;
  size_t begin = end;
  while (begin > 0 && (IsAlnum(between[begin - 1]) || between[begin - 1] == '_')) --begin;
  if (end == begin || end - begin > kNameMax) return false;
  const std::string_view name = between.substr(begin, end - begin);
  for (const std::string_view before : {"+ ", "+", "}{", "}${", ".. ", "& "}) {
    if (text.find(std::string(before).append(name)) != std::string_view::npos) return true;
  }
  // `$A$B`
  const size_t dollar = text.find(std::string("$").append(name));
  return dollar != std::string_view::npos && dollar > 0 && IsAlnum(text[dollar - 1]);
}

class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : text_(text) {}
  Edits Read() {
    const ByteMarks alnum(text_, kAlnumBytes), telling = MarkTelling(alnum);
    for (size_t at = 0, next = telling.Next(0); next < text_.size() && ReadingWork::Spend(kTokenSteps);
         next = telling.Next(std::max(at, next + 1))) {
      size_t begin = alnum.EndBefore(next + 1);
      while (begin > at && alnum.Has(begin - 1)) --begin;
      const Token token = TokenAt(text_, begin);
      if (begin < at || token.size() == 0) continue;
      at = token.end;
      if (token.size() >= kNumberMin && token.size() <= kNumberMax && ReadToken(token)) continue;
      if (token.size() > kNumberMax && ReadLong(token)) continue;
      if (const size_t end = ReadSeparated(token); end > 0) {
        at = end;
        last_ = {};
        continue;
      }
      ReadPart(token);
    }
    return std::move(edits_);
  }

 private:
  static constexpr size_t kTokenSteps = 40, kReadSteps = 150;

  // Something in or behind each token that is more than a word of letters between known separators: a digit, a length
  // of kNumberMin, one character, or an odd sign among those behind it.
  ByteMarks MarkTelling(const ByteMarks& alnum) const {
    const ByteMarks digits(text_, kDigitBytes), known(text_, kKnownSeparators), longs = alnum.Runs(kNumberMin);
    bool carry = false;
    return ByteMarks::Combine(text_.size(), [&](size_t i) {
      const uint64_t ends = alnum.Word(i) & ~alnum.WordBehind(i, 1);
      // What adds to the first of the separators behind a token carries on to what stands behind the last one.
      uint64_t behind = alnum.WordBefore(i, 1) & ~alnum.Word(i);
      bool more = __builtin_add_overflow(behind, uint64_t{carry}, &behind);
      more |= __builtin_add_overflow(behind, known.Word(i), &behind);
      carry = more;
      const uint64_t odd = behind & ~known.Word(i) & ~alnum.Word(i);
      return digits.Word(i) | longs.Word(i) | (ends & ~alnum.WordBefore(i, 1)) | (odd & Within(i));
    });
  }
  // The bits of word i that stand for a byte.
  uint64_t Within(size_t i) const {
    return text_.size() >= i * 64 + 64 ? ~uint64_t{0} : ~(~uint64_t{0} << (text_.size() % 64));
  }

  void Put(const std::vector<Token>& parts, const std::string& number, size_t begin, size_t end) {
    std::vector<uint32_t> origin;
    for (const Token& part : parts) {
      for (uint32_t i = part.begin; i < part.end; ++i) origin.push_back(i);
    }
    edits_.Add(begin, end, number, origin);
  }

  // Letters for digits; backwards.
  bool ReadToken(const Token& token) {
    ReadingWork::Spend(kReadSteps);
    std::string written(text_.substr(token.begin, token.size()));
    if (token.digits > 0 && token.digits < token.size() && !IsHex(written)) {
      std::string digits = written;
      std::transform(digits.begin(), digits.end() - (digits.size() == 18 ? 1 : 0), digits.begin(), AsDigit);
      if (digits.size() == 18 && LowerAscii(digits.back()) != 'x') digits.back() = AsDigit(digits.back());
      if (digits != written && (IsCnResidentId(digits) || (IsBankCard(digits) && token.digits * 2 > token.size()))) {
        Put({token}, digits, token.begin, token.end);
        return true;
      }
    }
    if (IsLongIdentifier(written)) return false;
    std::reverse(written.begin(), written.end());
    if (!IsCnResidentId(written) && !((IsBankCard(written) || IsIban(written)) && Backwards())) return false;
    Put({token}, written, token.begin, token.end);
    return true;
  }
  // A resident ID with zeros before it, another number glued to it, or a letter behind each of its digits.
  bool ReadLong(const Token& token) {
    constexpr size_t kIdSize = 18, kLongMax = 64;
    if (token.size() > kLongMax) return false;
    const std::string_view written = text_.substr(token.begin, token.size());
    std::string digits;
    std::vector<uint32_t> origin;
    for (size_t i = 0; i < written.size(); i += 2) {
      digits += written[i];
      origin.push_back(token.begin + static_cast<uint32_t>(i));
      if (i + 1 < written.size() && IsDigit(written[i + 1])) break;
    }
    if (digits.size() * 2 + 1 >= written.size() && IsLongIdentifier(digits)) {
      edits_.Add(token.begin, token.end, digits, origin);
      return true;
    }
    if (token.digits + 1 < token.size()) return false;
    for (const size_t at : {token.size() - kIdSize, size_t{0}}) {
      if (!IsCnResidentId(written.substr(at, kIdSize))) continue;
      std::string apart(written);
      apart.insert(at == 0 ? kIdSize : at, "; ");
      std::vector<uint32_t> places;
      for (size_t i = 0; i < apart.size(); ++i) {
        const size_t cut = at == 0 ? kIdSize : at;
        places.push_back(token.begin + static_cast<uint32_t>(i < cut ? i : std::max(cut, i - 2)));
      }
      edits_.Add(token.begin, token.end, apart, places);
      return true;
    }
    return false;
  }
  bool Backwards() {
    if (!looked_backwards_) backwards_ = SaysBackwards(text_);
    looked_backwards_ = true;
    return backwards_;
  }

  // The signs behind `at`, where a number or a code may go on behind them; `odd`: no number is written with them. Empty
  // when they are the ones that others read.
  std::string_view SeparatorAt(size_t at, bool* odd) const {
    constexpr size_t kSeparatorMax = 12;
    size_t end = at, characters = 0;
    *odd = false;
    while (end < text_.size() && end - at <= kSeparatorMax && !IsAlnum(text_[end])) {
      const size_t known = SeparatorLength(text_, end);
      *odd |= known == 0;
      ++characters;
      end += known == 0 ? 1 : known;
    }
    if (end >= text_.size() || end - at > kSeparatorMax) return {};
    if (IsOfEntities(text_.substr(at, end - at))) return {};
    // Single characters with ` | ` between them may be letters.
    const bool single = at > 0 && characters > 1 && (at == 1 || !IsAlnum(text_[at - 2]));
    return *odd || single ? text_.substr(at, end - at) : std::string_view();
  }

  // The rest of a longer list.
  bool GoesOnBefore(size_t at, std::string_view separator) const {
    const size_t size = separator.size();
    return at > size && IsAlnum(text_[at - size - 1]) && text_[at - size] == separator[0] &&
           text_.substr(at - size, size) == separator;
  }

  // Tokens with one odd separator between them, from `first` on; where they end, or 0.
  size_t ReadSeparated(const Token& first) {
    constexpr size_t kTokenMax = 10, kDigitsMin = 6, kDigitsMax = 34, kPartsMax = 40;
    if (first.size() > kTokenMax) return 0;
    bool odd = false;
    const std::string_view separator = SeparatorAt(first.end, &odd);
    if (separator.empty() || GoesOnBefore(first.begin, separator)) return 0;
    std::vector<Token> parts = {first};
    size_t digits = first.digits, letters = first.size() - first.digits, next = first.end + separator.size();
    while (parts.size() < kPartsMax) {
      const Token token = TokenAt(text_, next);
      if (token.size() > kTokenMax) return 0;
      parts.push_back(token);
      digits += token.digits;
      letters += token.size() - token.digits;
      next = token.end + separator.size();
      if (text_.substr(token.end, separator.size()) != separator || next >= text_.size() || !IsAlnum(text_[next]))
        break;
    }
    const bool cross = letters == 1 && LowerAscii(text_[parts.back().end - 1]) == 'x';
    if (digits < kDigitsMin || digits > kDigitsMax || (parts.size() == 2 && digits < kNumberMin)) return 0;
    if (!odd && (letters == 0 || cross)) return 0;
    // Of colons are times and addresses.
    if (letters > digits || (separator == ":" && (digits < kNumberMin || (letters > 0 && !cross)))) return 0;
    for (size_t i = 1; i < parts.size(); ++i) {
      edits_.Add(parts[i - 1].end, parts[i].begin, letters == 0 || cross ? " " : "", parts[i - 1].end);
    }
    return parts.back().end;
  }

  // Digits with words between them.
  void ReadPart(const Token& token) {
    constexpr size_t kPartMin = 1, kPartsMax = 8;
    const bool cross = token.digits + 1 == token.size() && LowerAscii(text_[token.end - 1]) == 'x';
    if (token.digits < kPartMin || !(token.is_number() || cross)) return;
    if (!last_.empty() && !WordsBetween(last_.back().end, token.begin)) {
      // `born 1987-06-12`
      if (!IsDate(last_.back(), token)) last_.clear();
    }
    last_.push_back(token);
    if (last_.size() > kPartsMax) last_.erase(last_.begin());
    size_t digits = 0;
    for (const Token& part : last_) digits += part.size();
    if (digits < kNumberMin) return;
    std::string number;
    for (size_t first = last_.size(); first-- > 0;) {
      const std::string_view part = text_.substr(last_[first].begin, last_[first].size());
      number.insert(0, part);
      if (number.size() > kNumberMax) return;
      if (first + 1 == last_.size()) continue;
      if (Takes(first, number)) return;
      if (first + 2 != last_.size()) continue;
      std::string swapped(text_.substr(token.begin, token.size()));
      if (Takes(first, swapped.append(part))) return;
    }
  }
  // A few of them; what is only set apart is read elsewhere.
  bool WordsBetween(size_t begin, size_t end) const {
    constexpr size_t kBetweenMax = 48;
    if (end - begin > kBetweenMax) return false;
    return std::any_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                       text_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](char c) { return IsLetter(c) || static_cast<uint8_t>(c) >= 0x80; });
  }
  // A year and its month, or the day behind them, with one sign between.
  bool IsDate(const Token& before, const Token& token) const {
    constexpr size_t kYear = 4, kPart = 2;
    const bool year = before.size() == kYear;
    if (token.size() != kPart || token.begin != before.end + 1) return false;
    if (year) return text_[before.begin] == '1' || text_[before.begin] == '2';
    return before.size() == kPart && last_.size() > 1 && last_[last_.size() - 2].size() == kYear &&
           last_[last_.size() - 2].end + 1 == before.begin;
  }
  // Milliseconds since 1970, as logs have them.
  bool IsTime(const Token& part) const {
    constexpr size_t kDigits = 13;
    return part.size() == kDigits && text_[part.begin] == '1' && text_[part.begin + 1] >= '4';
  }
  bool Takes(size_t first, const std::string& number) {
    if (number.size() < kNumberMin) return false;
    const size_t begin = last_[first].begin, end = last_.back().end;
    if (!edits_.empty() && edits_.list.back().end > begin) return false;
    const bool id = IsCnResidentId(number);
    if (!id && !IsBankCard(number)) return false;
    for (size_t i = first + 1; i < last_.size(); ++i) {
      const std::string_view between = text_.substr(last_[i - 1].end, last_[i].begin - last_[i - 1].end);
      if (!id && !SpeaksOfParts(between) && !PutsTogether(text_, between)) return false;
    }
    if (!id && std::any_of(&last_[first], &last_.back() + 1, [&](const Token& part) { return IsTime(part); })) {
      return false;
    }
    const std::vector<Token> parts(last_.begin() + static_cast<std::ptrdiff_t>(first), last_.end());
    Put(parts, number, begin, end);
    last_.clear();
    return true;
  }

  const std::string_view text_;
  Edits edits_;
  std::vector<Token> last_;
  bool looked_backwards_ = false, backwards_ = false;
};

}  // namespace

Edits ReadDisguisedNumbers(std::string_view text) { return NumberReader(text).Read(); }

}  // namespace headgate::router
