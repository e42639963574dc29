// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One pass over the text's tokens; what may belong together is remembered, so that each token costs a bounded amount.
#include "router/sensitivity/scattered_numbers.h"

#include <algorithm>
#include <array>
#include <vector>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/escapes.h"
#include "router/sensitivity/rule.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kCharactersMin = 8, kCharactersMax = 34;  // of the identifiers
constexpr size_t kTokenMax = 20;
constexpr size_t kGlueMax = 3;  // small letters that are glued to a number
constexpr size_t kTokensMax = 40;

struct Token {
  uint32_t begin = 0, end = 0;
  uint32_t digits = 0;
  bool lower = false;    // holds a small letter
  bool capital = false;  // ends in a capital
  size_t size() const { return end - begin; }
  // Of digits, or with them, or capitals: no word.
  bool part() const { return digits > 0 || !lower || size() == 1 || (capital && size() <= kGlueMax + 1); }
};

// A resident ID, an IBAN: hardly ever by chance. One number in ten that begins like a card is one.
bool IsSure(std::string_view characters) { return IsCnResidentId(characters) || IsIban(characters); }

class ScatterReader {
 public:
  explicit ScatterReader(std::string_view text) : text_(text) {}
  Edits Read() {
    const ByteMarks alnum(text_, kAlnumBytes), telling = MarkTelling(alnum);
    for (size_t at = 0;;) {
      size_t begin = telling.Next(at);
      while (begin > at && begin < text_.size() && alnum.Has(begin - 1)) --begin;
      if (const size_t word = alnum.Next(at); word < begin) PassWords(word);
      if (begin >= text_.size()) break;
      Token token{static_cast<uint32_t>(begin), static_cast<uint32_t>(begin)};
      while (token.end < text_.size() && IsAlnum(text_[token.end])) {
        token.digits += IsDigit(text_[token.end]);
        token.lower |= IsLower(text_[token.end]);
        ++token.end;
      }
      token.capital = IsUpper(text_[token.end - 1]);
      at = token.end;
      if (!ReadingWork::Spend(kTokenSteps)) break;
      Count(token);
      Follow(token);
      Single(token);
    }
    EndRun();
    EndCount();
    EndSingles();
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) { return a.begin < b.begin; });
    Edits edits;
    for (const Found& found : found_) {
      if (!edits.empty() && edits.list.back().end > found.begin) continue;
      edits.Add(found.begin, found.end, found.characters, found.origin);
    }
    return edits;
  }

 private:
  static constexpr size_t kTokenSteps = 40, kRunSteps = 300;

  // Something in each token that is no word of small letters: a digit, a capital at its end, that it is one character
  // or too long for a part.
  ByteMarks MarkTelling(const ByteMarks& alnum) const {
    const ByteMarks digits(text_, kDigitBytes), capitals(text_, kCapitalBytes), longs = alnum.Runs(kTokenMax + 1);
    return ByteMarks::Combine(text_.size(), [&](size_t i) {
      const uint64_t ends = alnum.Word(i) & ~alnum.WordBehind(i, 1);
      return digits.Word(i) | longs.Word(i) | (ends & (capitals.Word(i) | ~alnum.WordBefore(i, 1)));
    });
  }
  // Words of small letters, the first of them at `begin`: no part of anything, but what came before may end there.
  void PassWords(size_t begin) {
    if (parts_count_ > 0 && begin - last_ > kBetweenMax) EndCount();
    EndRun();
  }

  struct Found {
    size_t begin, end;
    std::string characters;
    std::vector<uint32_t> origin;
  };
  // The characters of tokens, each with its place; at most kCharactersMax and a few.
  struct Joined {
    std::string characters;
    std::vector<uint32_t> origin;
  };
  Joined Join(const Token* first, const Token* end, size_t from_each = 0) const {
    Joined joined;
    for (; first != end && joined.characters.size() <= kCharactersMax; ++first) {
      for (uint32_t i = first->begin + (from_each == 0 ? 0 : first->size() - from_each); i < first->end; ++i) {
        joined.characters += text_[i];
        joined.origin.push_back(i);
      }
    }
    return joined;
  }
  void Put(size_t begin, size_t end, const Joined& joined, std::string_view between) {
    Found found{begin, end, "", {}};
    for (size_t i = 0; i < joined.characters.size(); ++i) {
      if (i > 0 && joined.origin[i] != joined.origin[i - 1] + 1) {
        const std::string_view gap = text_.substr(joined.origin[i - 1], joined.origin[i] - joined.origin[i - 1]);
        found.characters += gap.find('(') == std::string_view::npos ? between : "(";  // of a Hong Kong ID
        found.origin.resize(found.characters.size(), joined.origin[i]);
      }
      found.characters += joined.characters[i];
      found.origin.push_back(joined.origin[i]);
    }
    if (found.characters != text_.substr(begin, end - begin)) found_.push_back(std::move(found));
  }

  // ---- Tokens with nothing but signs between them ----

  void Follow(const Token& token) {
    constexpr size_t kSignsMax = 20;
    const bool goes_on = count_ > 0 && token.begin - run_[count_ - 1].end <= kSignsMax && token.part() &&
                         token.size() <= kTokenMax && count_ < kTokensMax &&
                         OnlySigns(run_[count_ - 1].end, token.begin);
    if (!goes_on) EndRun();
    if (token.part() && token.size() <= kTokenMax) run_[count_++] = token;
  }
  bool OnlySigns(size_t begin, size_t end) {
    if (IsOfEntities(text_.substr(begin, end - begin))) return false;
    for (size_t at = begin; at < end; ++at) {
      const auto byte = static_cast<uint8_t>(text_[at]);
      if (byte >= 0xE4 && byte < 0xF0) return false;  // a word of Chinese or another script
      odd_ |= byte >= 0x80 || SeparatorLength(text_, at) == 0;
    }
    wide_ |= end - begin > kSeparatorsMax;
    return true;
  }
  // Digits with one kind of known separators are read elsewhere.
  void EndRun() {
    const auto letters = [](const Token& token) { return token.digits < token.size(); };
    const bool odd = odd_ || wide_ || std::any_of(&run_[0], &run_[count_], letters);
    if (count_ > 1 && !ReadPadded() && odd && !ReadRun() && !(Unglue() && ReadRun())) ReadEveryOther();
    count_ = 0;
    odd_ = wide_ = false;
  }
  bool ReadRun() {
    constexpr size_t kDroppedMax = 3;
    size_t characters = 0;
    for (size_t i = 0; i < count_; ++i) characters += run_[i].size();
    if (characters < kCharactersMin || count_ == kTokensMax) return false;
    ReadingWork::Spend(kRunSteps);
    written_.clear();
    for (size_t i = 0; i < count_; ++i) written_ += text_.substr(run_[i].begin, run_[i].size());
    size_t dropped = 0;  // characters
    for (size_t first = 0; first <= kDroppedMax && first + 1 < count_; characters -= run_[first++].size()) {
      size_t left = characters;
      for (size_t end = count_; end + kDroppedMax >= count_ && end > first + 1; left -= run_[--end].size()) {
        if (left < kCharactersMin || left > kCharactersMax) continue;
        const std::string_view joined = std::string_view(written_).substr(dropped, left);
        if (!IsCheckedIdentifier(joined) && !HasForm(joined, first, end)) continue;
        // One number in ten that begins like a card is one.
        const bool card = !IsSure(joined) && IsBankCard(joined);
        if (card && (first > 0 || end < count_ || !(odd_ || wide_))) continue;
        // Their rules ask how they are written.
        const bool apart = card || IsTaiwanId(joined);
        Put(run_[first].begin, run_[end - 1].end, Join(&run_[first], &run_[end]), apart ? " " : "");
        return true;
      }
      dropped += run_[first].size();
    }
    return false;
  }
  // `{"110105":1,"19870612":2,"1007":3}`: with something short behind each part.
  void ReadEveryOther() {
    constexpr size_t kShort = 2, kLeast = 4, kMost = 12;
    if (count_ < kLeast || count_ > kMost) return;
    std::array<Token, kMost> parts;
    size_t size = 0;
    for (size_t i = 0; i < count_; ++i) {
      if (i % 2 == 0) parts[size++] = run_[i];
      if (i % 2 == 1 && run_[i].size() > kShort) return;
    }
    const Joined joined = Join(parts.data(), parts.data() + size);
    if (IsSure(joined.characters)) Put(parts[0].begin, parts[size - 1].end, joined, "");
  }
  // A number of national insurance or of Macau, which a word beside it makes one.
  bool HasForm(std::string_view joined, size_t first, size_t end) const {
    constexpr size_t kMacau = 8, kPartsMin = 3;
    if (end - first < kPartsMin) return false;
    if (joined.size() != kMacau) return IsNino(joined);
    const size_t bracket = run_[end - 2].end, last = run_[end - 1].begin;
    return std::string_view("157").find(joined[0]) != std::string_view::npos && run_[end - 1].size() == 1 &&
           std::all_of(joined.begin(), joined.end(), IsDigit) &&
           text_.substr(bracket, last - bracket).find('(') != std::string_view::npos;
  }
  // Takes small letters off the outer sides (`noE714#029#4ok`, `no9140 9417 ENok`). False: there are none.
  bool Unglue() {
    const auto lower = [&](size_t at) { return IsLower(text_[at]); };
    const bool tail = TakeTail();
    Token &first = run_[0], &last = run_[count_ - 1];
    const size_t lead = first.begin, trail = last.end;
    while (first.size() > 1 && first.begin - lead < kGlueMax && lower(first.begin)) ++first.begin;
    while (last.size() > 1 && trail - last.end < kGlueMax && lower(last.end - 1)) --last.end;
    return first.begin > lead || last.end < trail || tail;
  }
  // The last part, where it is letters alone with small ones glued to them.
  bool TakeTail() {
    const size_t behind = run_[count_ - 1].end, begin = behind + SeparatorLength(text_, behind);
    size_t end = begin, small = 0;
    while (end < text_.size() && IsUpper(text_[end]) && end - begin < kTokenMax) ++end;
    while (end + small < text_.size() && IsLower(text_[end + small]) && small <= kGlueMax) ++small;
    if (begin == behind || end == begin || small == 0 || small > kGlueMax || count_ == kTokensMax) return false;
    run_[count_++] = {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
    return true;
  }
  // `01 01 00`: of each token the last character.
  bool ReadPadded() {
    const size_t size = run_[0].size();
    if (size < 2 || size > 4 || count_ < 13) return false;
    for (size_t i = 0; i < count_; ++i) {
      if (run_[i].size() != size) return false;
      for (uint32_t at = run_[i].begin; at + 1 < run_[i].end; ++at) {
        if (text_[at] != '0') return false;
      }
    }
    const Joined joined = Join(&run_[0], &run_[count_], 1);
    if (!IsLongIdentifier(joined.characters)) return false;
    Put(run_[0].begin, run_[count_ - 1].end, joined, "");
    return true;
  }

  // ---- Single digits with words between them ----

  void Single(const Token& token) {
    constexpr size_t kWordsMax = 16;
    const bool digit = token.size() == 1 && (token.digits == 1 || LowerAscii(text_[token.begin]) == 'x');
    if (!digit && token.digits == 0 && token.lower) return;
    if (!digit || (singles_count_ > 0 && token.begin - singles_[singles_count_ - 1].end > kWordsMax)) EndSingles();
    if (digit && singles_count_ < kTokensMax) singles_[singles_count_++] = token;
  }
  void EndSingles() {
    constexpr size_t kSinglesMin = 15;
    if (singles_count_ >= kSinglesMin) {
      const Joined joined = Join(singles_.data(), singles_.data() + singles_count_);
      if (IsLongIdentifier(joined.characters)) {
        Put(singles_[0].begin, singles_[singles_count_ - 1].end, joined, "");
      }
    }
    singles_count_ = 0;
  }

  // ---- One part for each number that counts on ----

  static constexpr size_t kBetweenMax = 48;

  // The number that ends a token such as `part12`; -1 when it has none.
  int NumberOf(const Token& token) const {
    uint32_t at = token.end;
    while (at > token.begin && IsDigit(text_[at - 1]) && token.end - at < 3) --at;
    if (at == token.end || (at > token.begin && !IsLetter(text_[at - 1]))) return -1;
    int number = 0;
    for (; at < token.end; ++at) number = number * 10 + (text_[at] - '0');
    return number;
  }
  // A number that is one more than the last, then its part, and so on.
  void Count(const Token& token) {
    if (token.size() > kTokenMax) return EndCount();
    if (parts_count_ > 0 && token.begin - last_ > kBetweenMax) EndCount();
    const int number = NumberOf(token);
    if (wants_part_) {
      if (!token.part()) return;  // `is`, `part`
      if (parts_count_ < kTokensMax) parts_[parts_count_++] = token;
      wants_part_ = false;
      last_ = token.end;
      return;
    }
    if (parts_count_ > 0 && number == next_number_) {
      ++next_number_;
      wants_part_ = true;
      last_ = token.end;
      return;
    }
    if (!token.part() && number < 0) return;
    EndCount();
    if (number != 0 && number != 1) return;
    next_number_ = number + 1;
    wants_part_ = true;
    last_ = token.end;
  }
  void EndCount() {
    if (parts_count_ > 2) {
      const Joined joined = Join(parts_.data(), parts_.data() + parts_count_);
      if (IsLongIdentifier(joined.characters)) {
        Put(parts_[0].begin, parts_[parts_count_ - 1].end, joined, "");
      }
    }
    parts_count_ = 0;
    wants_part_ = false;
    next_number_ = -1;
  }

  const std::string_view text_;
  std::vector<Found> found_;
  std::string written_;  // the characters of run_
  std::array<Token, kTokensMax> run_, parts_, singles_;
  size_t count_ = 0, parts_count_ = 0, singles_count_ = 0;
  bool odd_ = false, wide_ = false, wants_part_ = false;
  int next_number_ = -1;
  size_t last_ = 0;
};

}  // namespace

Edits ReadScatteredNumbers(std::string_view text) { return ScatterReader(text).Read(); }

}  // namespace headgate::router
