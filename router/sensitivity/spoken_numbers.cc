// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/spoken_numbers.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

// A word and what it stands for: digits, a letter, `+` twenty and the like (its units follow), `*2` twice the next.
struct Word {
  std::string_view word, meaning;
};
constexpr Word kWords[] = {
    // English, and as radio says it
    {"zero", "0"}, {"oh", "0"}, {"nought", "0"}, {"one", "1"}, {"two", "2"}, {"tree", "3"}, {"three", "3"},
    {"four", "4"}, {"fower", "4"}, {"five", "5"}, {"fife", "5"}, {"six", "6"}, {"seven", "7"}, {"eight", "8"},
    {"ait", "8"}, {"nine", "9"}, {"niner", "9"}, {"ten", "10"}, {"eleven", "11"}, {"twelve", "12"},
    {"thirteen", "13"}, {"fourteen", "14"}, {"fifteen", "15"}, {"sixteen", "16"}, {"seventeen", "17"},
    {"eighteen", "18"}, {"nineteen", "19"}, {"twenty", "+2"}, {"thirty", "+3"}, {"forty", "+4"}, {"fifty", "+5"},
    {"sixty", "+6"}, {"seventy", "+7"}, {"eighty", "+8"}, {"ninety", "+9"}, {"double", "*2"}, {"triple", "*3"},
    // The alphabet of radio
    {"alfa", "A"}, {"alpha", "A"}, {"bravo", "B"}, {"charlie", "C"}, {"delta", "D"}, {"echo", "E"},
    {"foxtrot", "F"}, {"golf", "G"}, {"hotel", "H"}, {"india", "I"}, {"juliet", "J"}, {"juliett", "J"},
    {"kilo", "K"}, {"lima", "L"}, {"mike", "M"}, {"november", "N"}, {"oscar", "O"}, {"papa", "P"},
    {"quebec", "Q"}, {"romeo", "R"}, {"sierra", "S"}, {"tango", "T"}, {"uniform", "U"}, {"victor", "V"},
    {"whiskey", "W"}, {"whisky", "W"}, {"xray", "X"}, {"ray", ""}, {"yankee", "Y"}, {"zulu", "Z"},
    // Pinyin
    {"ling", "0"}, {"dong", "0"}, {"yi", "1"}, {"yao", "1"}, {"er", "2"}, {"liang", "2"}, {"san", "3"}, {"si", "4"},
    {"wu", "5"}, {"liu", "6"}, {"qi", "7"}, {"guai", "7"}, {"ba", "8"}, {"jiu", "9"}, {"gou", "9"},
    // German, French, Spanish
    {"null", "0"}, {"eins", "1"}, {"zwei", "2"}, {"zwo", "2"}, {"drei", "3"}, {"vier", "4"}, {"funf", "5"},
    {"sechs", "6"}, {"sieben", "7"}, {"acht", "8"}, {"neun", "9"}, {"un", "1"}, {"deux", "2"}, {"trois", "3"},
    {"quatre", "4"}, {"cinq", "5"}, {"sept", "7"}, {"huit", "8"}, {"neuf", "9"}, {"cero", "0"}, {"uno", "1"},
    {"dos", "2"}, {"tres", "3"}, {"cuatro", "4"}, {"cinco", "5"}, {"seis", "6"}, {"siete", "7"}, {"ocho", "8"},
    {"nueve", "9"},
    // Roman
    {"ii", "2"}, {"iii", "3"}, {"iv", "4"}, {"vi", "6"}, {"vii", "7"}, {"viii", "8"}, {"ix", "9"}, {"nulla", "0"}};
constexpr size_t kWordMax = 9;

// By the first letter and the last, which tells nearly all words that are none: the last such word, and for each word
// the one before it; counted from 1.
struct Index {
  std::array<std::array<uint8_t, 26>, 26> last{};
  std::array<uint8_t, std::size(kWords) + 1> before{};
};
constexpr Index kIndex = [] {
  Index index;
  for (size_t i = 0; i < std::size(kWords); ++i) {
    const std::string_view word = kWords[i].word;
    uint8_t& last = index.last[static_cast<size_t>(word.front() - 'a')][static_cast<size_t>(word.back() - 'a')];
    index.before[i + 1] = last;
    last = static_cast<uint8_t>(i + 1);
  }
  return index;
}();

const Word* Find(std::string_view token) {
  const auto number = [](char c) { return static_cast<size_t>(LowerAscii(c) - 'a'); };
  const auto equal = [](char a, char b) { return LowerAscii(a) == b; };
  for (size_t i = kIndex.last[number(token.front())][number(token.back())]; i > 0; i = kIndex.before[i]) {
    const std::string_view word = kWords[i - 1].word;
    if (std::equal(token.begin(), token.end(), word.begin(), word.end(), equal)) return &kWords[i - 1];
  }
  return nullptr;
}

// Where tokens begin: runs of letters, and of digits.
ByteMarks MarkTokens(std::string_view text) {
  const ByteMarks letters(text, kLetterBytes), digits(text, kDigitBytes);
  return ByteMarks::Combine(text.size(), [&](size_t i) {
    return (letters.Word(i) & ~letters.WordBefore(i, 1)) | (digits.Word(i) & ~digits.WordBefore(i, 1));
  });
}

// What a token says: a word, a letter, a few digits; or nothing.
struct Said {
  std::string_view token;
  const Word* word = nullptr;
  bool letter() const { return token.size() == 1 && IsLetter(token[0]); }
  bool nothing() const { return word == nullptr && !letter() && (!IsDigit(token[0]) || token.size() > 4); }
};
Said SaidAt(std::string_view text, size_t begin) {
  size_t end = begin + 1;
  const bool letters = IsLetter(text[begin]);
  while (end < text.size() && (letters ? IsLetter(text[end]) : IsDigit(text[end]))) ++end;
  const std::string_view token = text.substr(begin, end - begin);
  return {token, letters && token.size() <= kWordMax ? Find(token) : nullptr};
}

class SpokenReader {
 public:
  explicit SpokenReader(std::string_view text) : text_(text), tokens_(MarkTokens(text)) {}
  // Of eight tokens in a row that say something each eighth token is one, so the others are not looked at before.
  Edits Read() {
    size_t first = tokens_.Next(0);  // nothing was said before
    for (size_t at = tokens_.Skip(first, kWordsMin - 1); at < text_.size(); at = tokens_.Skip(first, kWordsMin - 1)) {
      if (!SaidAt(text_, at).nothing()) {
        for (size_t before = at; before > first; at = before) {
          before = tokens_.EndBefore(before) - 1;
          if (SaidAt(text_, before).nothing()) break;
        }
        at = ReadFrom(at);
      }
      first = tokens_.Next(at + 1);
    }
    return std::move(edits_);
  }

 private:
  static constexpr size_t kGapMax = 5, kWordsMin = 8, kCharactersMax = 40;
  static constexpr size_t kSureMin = 13;  // shorter ones are numerals.h's

  bool Pending() const { return words_ + said_.size() > 0; }
  // Up to the first token that says nothing, which it returns.
  size_t ReadFrom(size_t at) {
    for (; at < text_.size(); at = tokens_.Next(at + 1)) {
      const Said said = SaidAt(text_, at);
      if (said.nothing()) break;
      Add(at, said);
    }
    End();
    return at;
  }
  void Add(size_t begin, const Said& said) {
    if (Pending() && begin - end_ > kGapMax) End();
    if (said_.size() > kCharactersMax) return End();
    if (said_.empty() && words_ == 0) begin_ = begin;
    words_ += said.word != nullptr || said.letter();
    end_ = begin + said.token.size();
    Say(said.word == nullptr ? said.token : said.word->meaning, begin);
  }
  // `roman_` is the same with I, V, X and N as digits.
  void Say(std::string_view meaning, size_t begin) {
    if (meaning.starts_with('*')) {
      times_ = static_cast<size_t>(meaning[1] - '0');
      return;
    }
    if (meaning.starts_with('+')) {
      Flush(begin);
      tens_ = meaning[1];
      return;
    }
    const bool unit = tens_ != 0 && meaning.size() == 1 && IsDigit(meaning[0]) && meaning[0] != '0';
    if (unit) {
      Put({&tens_, 1}, begin);
      tens_ = 0;
    }
    Flush(begin);
    for (size_t i = 0; i < times_; ++i) Put(meaning, begin);
    times_ = 1;
  }
  void Flush(size_t begin) {
    if (tens_ == 0) return;
    const char number[] = {tens_, '0'};
    tens_ = 0;
    Put({number, 2}, begin);
  }
  void Put(std::string_view characters, size_t begin) {
    said_ += characters;
    origin_.resize(said_.size(), static_cast<uint32_t>(begin));
  }
  void End() {
    if (!Pending()) return;  // as after most words of prose
    Flush(end_);
    if (words_ >= kWordsMin) {
      std::string roman = said_;
      for (char& c : roman) c = c == 'I' ? '1' : c == 'V' ? '5' : c == 'N' ? '0' : c;
      for (const std::string& said : {said_, roman}) {
        if (said.size() < kSureMin || !IsCheckedIdentifier(said)) continue;
        edits_.Add(begin_, end_, said, origin_);
        break;
      }
    }
    said_.clear();
    origin_.clear();
    words_ = 0;
    times_ = 1;
    tens_ = 0;
  }

  const std::string_view text_;
  const ByteMarks tokens_;
  Edits edits_;
  std::string said_;
  std::vector<uint32_t> origin_;
  size_t words_ = 0, begin_ = 0, end_ = 0, times_ = 1;
  char tens_ = 0;
};

}  // namespace

Edits ReadSpokenNumbers(std::string_view text) { return SpokenReader(text).Read(); }

}  // namespace headgate::router
