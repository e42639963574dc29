// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Documents that say of themselves that they are confidential, and facts that are not public yet. A marking counts on
// content; a question about the word does not.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>

#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kContentCharsMin = 15;  // beside the marking itself
constexpr size_t kQuestionChars = 25;

// Non-blank characters of the text beside the range, counted up to the least that matters.
bool HasContent(std::string_view text, TextRange range) {
  size_t chars = 0;
  const auto count = [&](size_t begin, size_t end) {
    for (size_t at = begin; at < end && chars < kContentCharsMin; ++at) {
      chars += static_cast<uint8_t>(text[at]) > ' ' && (static_cast<uint8_t>(text[at]) & 0xC0) != 0x80;
    }
  };
  count(range.end, text.size());
  count(0, range.begin);
  return chars >= kContentCharsMin;
}

bool IsQuoted(std::string_view text, TextRange range) {
  const std::string_view before =
      text.substr(range.begin >= 3 ? range.begin - 3 : 0, range.begin >= 3 ? 3 : range.begin);
  const char last = before.empty() ? ' ' : before.back();
  return last == '"' || last == '\'' || before == "“" || before == "‘" || before == "「";
}

// The sentence goes on to a question mark.
bool IsInQuestion(std::string_view text, TextRange range) {
  constexpr size_t kLookBytes = 150;
  const std::string_view ahead = text.substr(range.end, kLookBytes);
  const size_t end = std::min(ahead.find_first_of(".\n;"), ahead.find("。"));
  const std::string_view sentence = ahead.substr(0, end);
  return sentence.find('?') != std::string_view::npos || sentence.find("吗") != std::string_view::npos ||
         sentence.find("legal") != std::string_view::npos;
}

// Figures within the bytes around: content, not talk.
bool HasFigures(std::string_view text, TextRange range) {
  constexpr size_t kLookBytes = 160;
  const size_t begin = range.begin > kLookBytes ? range.begin - kLookBytes : 0;
  const std::string_view around = text.substr(begin, range.end + kLookBytes - begin);
  return std::any_of(around.begin(), around.end(), IsDigit);
}

// Three levels or more in a row (`public, internal, secret`) are those of a scheme: a document has one.
bool NamesLevels(std::string_view text, TextRange range) {
  constexpr size_t kLookBytes = 80, kLevelsMin = 3, kSteps = 3000;
  static constexpr std::string_view kLevels[] = {"绝密",     "机密",         "秘密",       "内部",   "公开",
                                                 "敏感",     "top secret",   "secret",     "public", "internal",
                                                 "confidential", "restricted"};
  static constexpr std::string_view kBetween[] = {"、", "，", ",", "/", "|", " ", "和", "与", "及", "or", "and"};
  ReadingWork::Spend(kSteps);
  const size_t begin = range.begin > kLookBytes ? range.begin - kLookBytes : 0;
  std::string around(text.substr(begin, range.end + kLookBytes - begin));
  std::transform(around.begin(), around.end(), around.begin(), LowerAscii);
  const auto first_of = [&](const auto& words, size_t at) -> size_t {
    for (const std::string_view word : words) {
      if (around.compare(at, word.size(), word) == 0) return word.size();
    }
    return 0;
  };
  static constexpr ByteSet kBegins("\xE7\xE6\xE5tspicr");  // of a level
  for (size_t at = 0; at < around.size(); ++at) {
    if (!kBegins.Has(around[at])) continue;
    uint32_t seen = 0;
    for (size_t level = at, length; (length = first_of(kLevels, level)) > 0;) {
      for (size_t i = 0; i < std::size(kLevels); ++i) seen |= uint32_t{kLevels[i] == around.substr(level, length)} << i;
      level += length;
      for (size_t sign; level < around.size() && (sign = first_of(kBetween, level)) > 0;) level += sign;
      if (level >= around.size()) break;
    }
    if (static_cast<size_t>(std::popcount(seen)) >= kLevelsMin) return true;
  }
  return false;
}

// Asks or explains: `what does "internal use only" mean`, 什么是商业机密.
bool IsTalkAbout(const Evidence& evidence, TextRange range) {
  constexpr size_t kTalkChars = 40;
  if (evidence.Near(Cue::kGeneralQuestion, range, kQuestionChars)) return true;
  if (evidence.Near(Cue::kMarkingTalk, range, kTalkChars) || NamesLevels(evidence.text(), range)) return true;
  if (evidence.Near(Cue::kMarkingPolicy, range, kTalkChars) && !HasFigures(evidence.text(), range) &&
      !evidence.Near(Cue::kDealWord, range)) {
    return true;
  }
  return IsQuoted(evidence.text(), range) &&
         (evidence.Near(Cue::kGeneralQuestion, range, 120) || IsInQuestion(evidence.text(), range));
}

// The sentence around asks in general whether or when something is marked: `should a price change be announced under
// embargo?`. What asks for help with the content (`can you summarise this confidential memo?`) does not.
bool IsGeneralSentence(std::string_view text, TextRange range) {
  constexpr size_t kLookBytes = 160;
  constexpr std::string_view kAsks[] = {"should ", "does ", "do ",   "is ",    "are ",   "must ",  "what ",
                                        "which ",  "when ", "where ", "who ",   "why ",   "how ",   "may ",
                                        "is it ",  "at what ", "did ", "has ",  "have "};
  constexpr std::string_view kHanAsks[] = {"吗", "是否", "要不要", "该不该", "能不能", "需不需要", "有没有", "什么", "哪些", "怎么", "多少"};
  size_t begin = range.begin;
  const size_t floor = begin > kLookBytes ? begin - kLookBytes : 0;
  const auto ends = [&](size_t at) {
    const char c = text[at - 1];
    return c == '\n' || c == '.' || c == '!' || c == '?' || c == ';' || c == ':' ||
           (at >= 3 && (text.substr(at - 3, 3) == "。" || text.substr(at - 3, 3) == "；"));
  };
  while (begin > floor && !ends(begin)) --begin;
  if (begin == floor && floor > 0) return false;
  while (begin < range.begin && text[begin] == ' ') ++begin;
  const std::string_view ahead = text.substr(range.end, kLookBytes);
  const size_t stop = std::min(ahead.find_first_of("?.!;:\n"), ahead.find("。"));
  const bool question = stop != std::string_view::npos && ahead[stop] == '?';
  const std::string_view before = text.substr(begin, range.begin - begin), rest = ahead.substr(0, stop);
  for (const std::string_view part : {before, rest}) {
    if (std::any_of(part.begin(), part.end(), IsDigit)) return false;  // figures are content
  }
  if (HanAt(text, range.begin) != 0) {
    return std::any_of(std::begin(kHanAsks), std::end(kHanAsks), [&](std::string_view word) {
      return before.find(word) != std::string_view::npos || (question && rest.find(word) != std::string_view::npos);
    });
  }
  const auto low = [](std::string_view part) {
    std::string lower(part.substr(0, 12));
    std::transform(lower.begin(), lower.end(), lower.begin(), LowerAscii);
    return lower;
  };
  const auto asks = [&](const std::string& part) {
    return std::any_of(std::begin(kAsks), std::end(kAsks),
                       [&](std::string_view word) { return part.starts_with(word); });
  };
  // `Under NDA, can a contractor name the client?`, but not `Under NDA, can you shorten this?`
  if (question && before.empty() && rest.starts_with(", ")) {
    const std::string after = low(rest.substr(2));
    return asks(after) || after.starts_with("can a ") || after.starts_with("can an ");
  }
  return question && asks(low(before));
}

// A marking stands at the head of something: alone on its line, in brackets, before a colon or dash.
bool IsSetApart(std::string_view text, TextRange range) {
  size_t before = range.begin, after = range.end;
  const auto decoration = [](char c) {
    return c == ' ' || c == '*' || c == '#' || c == '-' || c == '=' || c == '/' || c == '|';
  };
  while (before > 0 && decoration(text[before - 1])) --before;
  while (after < text.size() && text[after] == ' ') ++after;
  const bool opens = before == 0 || text[before - 1] == '\n' || text[before - 1] == '[' || text[before - 1] == '(' ||
                     (before >= 3 && text.substr(before - 3, 3) == "【") ||
                     (before >= 3 && text.substr(before - 3, 3) == "〔");
  const std::string_view next = text.substr(after, 3);
  const bool closes = after >= text.size() ||
                      std::string_view("\n]):-*=|/,").find(text[after]) != std::string_view::npos || next == "】" ||
                      next == "〕" || next == "★" || next == "。" || next == "、";
  return opens && closes;
}

bool IsUpperWord(std::string_view word) { return std::none_of(word.begin(), word.end(), IsLower); }

}  // namespace

void ReadMarkings(const Evidence& evidence, Report report) {
  const std::string_view text = evidence.text();
  for (const Evidence::Hit& hit : evidence.hits()) {
    if (ReadingWork::Spent()) break;
    const TextRange range{hit.begin, hit.end};
    switch (hit.cue) {
      case Cue::kMarkingStrong:
      case Cue::kPrivilege:
        if (HasContent(text, range) && !IsTalkAbout(evidence, range) && !IsGeneralSentence(text, range))
          report("CONFIDENTIAL_MARKING", range, kScoreLabelled);
        break;
      case Cue::kMarkingBare: {
        const bool latin = IsLetter(text[hit.begin]);
        const bool weak_word = latin && (LowerAscii(text[hit.begin]) == 'i' || LowerAscii(text[hit.begin]) == 'r' ||
                                         LowerAscii(text[hit.begin]) == 'p');
        if (!IsSetApart(text, range) || !HasContent(text, range) || IsTalkAbout(evidence, range)) break;
        if (weak_word && !IsUpperWord(text.substr(hit.begin, hit.end - hit.begin))) break;
        report("CONFIDENTIAL_MARKING", range, kScoreLikely);
        break;
      }
      case Cue::kUnpublished:
        if (evidence.Near(Cue::kDealWord, range, 60) && HasContent(text, range) && !IsTalkAbout(evidence, range) &&
            !evidence.Near(Cue::kFiction, range, 120)) {
          report("UNPUBLISHED_RESULT", range, kScoreLikely);
        }
        break;
      default:
        break;
    }
  }
}

}  // namespace headgate::router
