// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/spoken_numbers.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

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

class SpokenReader {
 public:
  explicit SpokenReader(std::string_view text) : text_(text) {}
  Edits Read() {
    for (size_t at = 0; at < text_.size();) {
      if (!IsAlnum(text_[at])) {
        ++at;
        continue;
      }
      const size_t begin = at;
      while (at < text_.size() && IsLetter(text_[at])) ++at;
      if (at == begin) {
        while (at < text_.size() && IsDigit(text_[at])) ++at;
      }
      if (Pending() || at - begin <= kWordMax) Add(begin, at);  // a longer token says nothing by itself
    }
    End();
    return std::move(edits_);
  }

 private:
  static constexpr size_t kGapMax = 5, kWordsMin = 8, kCharactersMax = 40;
  static constexpr size_t kSureMin = 13;  // shorter ones are numerals.h's

  bool Pending() const { return words_ + said_.size() > 0; }
  void Add(size_t begin, size_t end) {
    if (Pending() && begin - end_ > kGapMax) End();
    const std::string_view token = text_.substr(begin, end - begin);
    const bool letter = token.size() == 1 && IsLetter(token[0]);
    const Word* word = IsLetter(token[0]) && token.size() <= kWordMax ? Find(token) : nullptr;
    if (said_.size() > kCharactersMax || (word == nullptr && !letter && (!IsDigit(token[0]) || token.size() > 4))) {
      return End();
    }
    if (said_.empty() && words_ == 0) begin_ = begin;
    words_ += word != nullptr || letter;
    end_ = end;
    Say(word == nullptr ? token : word->meaning, begin);
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
  Edits edits_;
  std::string said_;
  std::vector<uint32_t> origin_;
  size_t words_ = 0, begin_ = 0, end_ = 0, times_ = 1;
  char tens_ = 0;
};

}  // namespace

Edits ReadSpokenNumbers(std::string_view text) { return SpokenReader(text).Read(); }

}  // namespace headgate::router
