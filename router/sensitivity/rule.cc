// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

// Numbers that one in ten or twenty of their length is: what the others in their column are held to, and the word that
// settles it.
struct CommonNumber {
  std::string_view type;
  bool (*is_valid)(std::string_view digits);
  Cue word;
};
constexpr CommonNumber kCommonNumbers[] = {{"PHONE_CN_MOBILE", IsCnMobile, Cue::kPhone},
                                           {"BANK_CARD", IsBankCard, Cue::kCard}};

bool IsByChance(std::string_view type, const Match& match, TextRange range) {
  const std::string_view text = match.text();
  while (range.begin < range.end && !IsAlnum(text[range.begin])) ++range.begin;  // `+`
  while (range.end > range.begin && !IsAlnum(text[range.end - 1])) --range.end;
  if (IsCutFromFigures(text, range)) return true;
  for (const CommonNumber& common : kCommonNumbers) {
    if (common.type != type || match.evidence.Near(common.word, range)) continue;
    if (match.evidence.figures().IsChanceInColumn(range.begin, common.is_valid)) return true;
  }
  return false;
}

}  // namespace

std::optional<Value> Judge(const PatternRule& rule, const Match& match) {
  const std::optional<Value> value = rule.validate(match);
  if (value && rule.number && IsByChance(rule.type, match, value->range)) return std::nullopt;
  return value;
}

bool TouchesDigit(std::string_view text, TextRange range) {
  return (range.begin > 0 && IsDigit(text[range.begin - 1])) || (range.end < text.size() && IsDigit(text[range.end]));
}

bool TouchesLetter(std::string_view text, TextRange range) {
  return (range.begin > 0 && IsLetter(text[range.begin - 1])) || (range.end < text.size() && IsLetter(text[range.end]));
}

bool InsideMixedToken(std::string_view text, TextRange range) {
  const auto part = [&](size_t at) { return IsAlnum(text[at]) || text[at] == '-' || text[at] == '_'; };
  constexpr size_t kLookMax = 64;
  if (range.begin > 0 && IsLetter(text[range.begin - 1])) {
    for (size_t at = range.begin, n = 0; at > 0 && n < kLookMax && part(at - 1); --at, ++n) {
      if (IsDigit(text[at - 1])) return true;
    }
  }
  if (range.end < text.size() && IsLetter(text[range.end])) {
    for (size_t at = range.end, n = 0; at < text.size() && n < kLookMax && part(at); ++at, ++n) {
      if (IsDigit(text[at])) return true;
    }
  }
  return false;
}

bool IsFraction(std::string_view text, size_t begin) {
  if (begin < 2 || text[begin - 1] != '.' || !IsDigit(text[begin - 2])) return false;
  constexpr size_t kLookMax = 32;
  const size_t floor = begin > kLookMax ? begin - kLookMax : 0;
  size_t at = begin - 1;
  while (at > floor && IsDigit(text[at - 1])) --at;
  while (at > floor && text[at - 1] == ' ') --at;
  return at > 0 && text[at - 1] != '\n';
}

bool IsOperand(std::string_view text, TextRange range) {
  size_t at = range.end;
  while (at < text.size() && text[at] == ' ') ++at;
  const std::string_view sign = text.substr(at, 2);
  const bool wide = sign == "×" || sign == "÷";
  // × is folded to x.
  if (!wide && sign.find_first_of(at > range.end ? "*^%x" : "*^%") != 0) return false;
  at += wide ? 2 : 1;
  while (at < text.size() && text[at] == ' ') ++at;
  return at < text.size() && IsDigit(text[at]);
}

Collected CollectAlnum(std::string_view text, size_t at, size_t count_max) {
  const size_t token_max = count_max + 64;
  Collected collected;
  collected.range = {at, at};
  while (at < text.size() && collected.characters.size() < count_max) {
    const size_t begin = at;
    size_t digits = 0;
    // A longer token is no value, and many may begin in it: each costs a bounded amount.
    while (at < text.size() && at - begin < token_max && IsAlnum(text[at])) digits += IsDigit(text[at]), ++at;
    if (at == begin) break;
    const bool word = digits == 0 && at - begin > 2;
    if (word && !collected.characters.empty()) break;
    const size_t room = count_max - collected.characters.size();
    const size_t taken = std::min(at - begin, room);
    collected.characters += text.substr(begin, taken);
    collected.digits += digits;
    collected.range.end = begin + taken;
    for (int i = 0; i < kSeparatorsMax && at < text.size() && !IsAlnum(text[at]); ++i) at += SeparatorLength(text, at);
  }
  return collected;
}

bool DigitsGoOn(std::string_view text, size_t at, size_t count) {
  for (; count > 0; ++at, --count) {
    for (int i = 0; i < kSeparatorsMax && at < text.size() && !IsDigit(text[at]); ++i) at += SeparatorLength(text, at);
    if (at >= text.size() || !IsDigit(text[at])) return false;
  }
  return true;
}

bool IsPlaceholderNumber(std::string_view characters) {
  if (characters.empty()) return true;
  size_t same = 0, rising = 0;
  for (size_t i = 1; i < characters.size(); ++i) {
    same += characters[i] == characters[i - 1];
    rising += characters[i] == characters[i - 1] + 1 || (characters[i] == '0' && characters[i - 1] == '9');
  }
  const size_t steps = characters.size() - 1;
  return same == steps || rising == steps;
}

char32_t HanAt(std::string_view text, size_t at) {
  if (at + 2 >= text.size()) return 0;
  const auto a = static_cast<uint8_t>(text[at]);
  if (a < 0xE3 || a > 0xE9) return 0;
  const auto b = static_cast<uint8_t>(text[at + 1]), c = static_cast<uint8_t>(text[at + 2]);
  const auto code_point = static_cast<char32_t>((a & 0x0F) << 12 | (b & 0x3F) << 6 | (c & 0x3F));
  return code_point >= 0x4E00 && code_point < 0xA000 ? code_point : 0;
}

char32_t HanBefore(std::string_view text, size_t end) { return end >= 3 ? HanAt(text, end - 3) : 0; }

}  // namespace headgate::router
