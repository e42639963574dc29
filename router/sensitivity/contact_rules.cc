// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Telephone numbers, e-mail and addresses of the Continent. None has a check digit: form, neighbours and contra-words
// count.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/number_shape.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kCloseChars = 40, kVeryCloseChars = 16;

template <size_t kCount>
bool OneOf(std::string_view text, const std::string_view (&list)[kCount]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

// The country code 86 (+86, 0086) stands before the number, with or without a separator.
bool AfterCountryCode(std::string_view text, size_t begin) {
  size_t at = begin;
  while (at > 0 && begin - at < 2 && SeparatorLength(text, at - 1) == 1) --at;
  if (at < 2 || text.substr(at - 2, 2) != "86") return false;
  at -= 2;
  if (at >= 2 && text.substr(at - 2, 2) == "00") at -= 2;
  return at == 0 || !IsDigit(text[at - 1]);
}

bool WrittenAsMobile(std::string_view text, TextRange range, const NumberShape& shape, bool named) {
  constexpr std::string_view kShapes[] = {"3-8", "7-4", "3-3-5", "3-3-3-2", "4-3-4", "5-6", "6-5", "4-7", "5-3-3"};
  const std::string groups = shape.group_count() <= 4 ? shape.groups() : "";
  if (groups == "3-4-4") return !shape.has_comma() || !IsListedByCommas(text, range);
  if (!shape.free_standing() && !AfterCountryCode(text, range.begin)) return false;
  if (shape.LooksLikeIpv4()) return false;
  const bool any = named && shape.group_size(0) > 2;  // unlike numbers with another country's code
  return OneOf(groups, kShapes) || (!shape.has_comma() && (any || shape.Uniform(1)));
}

// `营收 13812345678 元` is an amount.
bool IsCounted(std::string_view text, size_t end) {
  while (end < text.size() && text[end] == ' ') ++end;
  return std::u32string_view(U"元万个次件股").find(HanAt(text, end)) != std::u32string_view::npos;
}

std::optional<Value> CnMobile(const Match& match) {
  const std::string_view text = match.text();
  const TextRange range = match.InText(match.begin, match.end);
  const bool after_code = AfterCountryCode(text, range.begin);
  if (range.begin > 0 && IsDigit(text[range.begin - 1]) && !after_code) return std::nullopt;
  if (range.end < text.size() && IsDigit(text[range.end])) return std::nullopt;
  if (!IsCnMobile(match.view.substr(match.begin, match.end - match.begin))) return std::nullopt;
  const NumberShape shape(text, range);
  const bool named = match.evidence.Before(Cue::kPhone, range, kVeryCloseChars);
  const bool written = shape.separated() ? WrittenAsMobile(text, range, shape, named)
                                         : !IsFraction(text, range.begin) && !InsideMixedToken(text, range);
  if (!written) return std::nullopt;
  if (text.substr(range.begin, 11) == kManualsMobile || IsOperand(text, range)) return std::nullopt;
  if (text.substr(0, range.begin).ends_with('+')) return std::nullopt;  // `+14155552671` is another country's
  if (IsCounted(text, range.end) && !match.evidence.Near(Cue::kPhone, range, kCloseChars)) return std::nullopt;
  // `订单号 13812345678`: only the word right before it speaks of it.
  const bool other = match.evidence.Before(Cue::kOtherNumber, range, 4);
  if (other && !match.evidence.Near(Cue::kPhone, range, kCloseChars)) return std::nullopt;
  return Value{range, kScoreLabelled};
}

// A public line; or a number reserved for examples (Ofcom's for drama, 555) where one speaks of examples.
bool IsHotline(const Match& match, TextRange range) {
  if (match.evidence.Near(Cue::kHotline, range, kCloseChars)) return true;
  if (!match.evidence.Near(Cue::kExample, range, 60)) return false;
  std::string digits;
  for (size_t at = range.begin; at < range.end; ++at) {
    if (IsDigit(match.text()[at])) digits += match.text()[at];
  }
  for (const std::string_view reserved : {"7700900", "2079460", "1632960", "1555010", "1500555", "14155552671"}) {
    const size_t at = digits.find(reserved);
    if (at != std::string::npos && at < 5) return true;
  }
  return false;
}

// 010-12345678, 0755 1234567, (021)12345678: area code and number.
std::optional<Value> Landline(const Match& match) {
  const std::string_view text = match.text();
  size_t end = match.begin;
  while (end < match.view.size() && end - match.begin < 13 && IsDigit(match.view[end])) ++end;
  const size_t length = end - match.begin;
  const char second = match.view[match.begin + 1];
  const bool three_digit_area = second == '1' || second == '2';
  if (three_digit_area ? length != 11 && length != 10 : length != 11 && length != 12) return std::nullopt;
  if (second == '1' && match.view[match.begin + 2] != '0') return std::nullopt;
  const TextRange range = match.InText(match.begin, end);
  if (TouchesDigit(text, range) || InsideMixedToken(text, range) || IsFraction(text, range.begin)) return std::nullopt;
  const char first_of_number = match.view[match.begin + (three_digit_area ? 3 : 4)];
  if (first_of_number < '2' || IsHotline(match, range)) return std::nullopt;
  const NumberShape shape(text, range);
  const bool phone = match.evidence.Near(Cue::kPhone, range, kCloseChars);
  if (shape.separated()) {
    const size_t area = shape.group_size(0);
    if (!shape.free_standing() || shape.has_comma() || shape.LooksLikeIpv4()) return std::nullopt;
    if (area == (three_digit_area ? 3u : 4u) && shape.group_count() <= 3 && !shape.has_dot())
      return Value{range, kScoreLikely};
  }
  if (!phone) return std::nullopt;
  return Value{range, kScoreLikely};
}

// 400 numbers belong to companies and are printed on everything: only with a person's word beside them.
std::optional<Value> ServiceLine(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  if (!StandsAlone(match.text(), range) || IsHotline(match, range)) return std::nullopt;
  if (!match.evidence.Before(Cue::kPhone, range, kVeryCloseChars)) return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> UsPhone(const Match& match) {
  const std::string_view text = match.text();
  const std::string_view digits = match.view.substr(match.begin, 10);
  TextRange range = match.InText(match.begin, match.end);
  // Without a telephone's word only one in groups of three, three and four counts: most numbers are settled here.
  const auto digit_at = [&](size_t i) { return range.begin + i < text.size() && IsDigit(text[range.begin + i]); };
  if (!match.evidence.Has(Cue::kPhone) && (!digit_at(1) || !digit_at(2) || digit_at(3))) return std::nullopt;
  // A country code of one digit may stand before: `1-415-555-2671`, `+1415...`.
  if (range.begin > 0 && IsDigit(text[range.begin - 1]) &&
      text.substr(std::max<size_t>(range.begin, 2) - 2, 2) != "+1") {
    return std::nullopt;
  }
  if (range.end < text.size() && IsDigit(text[range.end])) return std::nullopt;
  if (digits[0] < '2' || digits[3] < '2' || InsideMixedToken(text, range)) return std::nullopt;
  if (IsPlaceholderNumber(digits) || IsHotline(match, range)) return std::nullopt;
  const bool fiction = digits.substr(3, 5) == "55501";  // to 555-0199: films and documentation
  if (IsTollFree(digits) || fiction) return std::nullopt;
  const NumberShape shape(text, range);
  const bool phone = match.evidence.Near(Cue::kPhone, range, kCloseChars);
  const std::string_view rest = text.substr(range.end, 2);  // `415-226-9013-B` is a part
  if (!phone && rest.size() == 2 && rest[0] == '-' && IsUpper(rest[1])) return std::nullopt;
  // `431/685/8678` are numbers of corners, lines or pages.
  if (!phone && shape.one_separator() && text[range.begin + shape.group_size(0)] == '/') return std::nullopt;
  const bool other = match.evidence.Before(Cue::kOtherNumber, range, kVeryCloseChars);
  if (shape.separated() && shape.groups() == "3-3-4" && !shape.has_comma() &&
      (phone || (!other && shape.free_standing()))) {
    return Value{range, kScoreLikely};
  }
  if (!match.evidence.Before(Cue::kPhone, range, kVeryCloseChars)) return std::nullopt;
  return Value{range, kScoreLikely};
}

// Numbers in the national form of other countries, with their leading zero: with a telephone's word beside them, or
// grouped as a British mobile number is.
std::optional<Value> NationalPhone(const Match& match) {
  const std::string_view text = match.text();
  size_t end = match.begin;
  while (end < match.view.size() && end - match.begin < 12 && IsDigit(match.view[end])) ++end;
  const size_t length = end - match.begin;
  if (length < 10 || length > 12) return std::nullopt;
  const TextRange range = match.InText(match.begin, end);
  if (TouchesDigit(text, range) || InsideMixedToken(text, range) || IsHotline(match, range)) return std::nullopt;
  const NumberShape shape(text, range);
  if (!shape.separated() || !shape.free_standing() || shape.has_comma() || shape.LooksLikeIpv4()) return std::nullopt;
  // `0.243 264.376`, `[.184E.0020.0002.111D]`
  if (shape.has_dot() && (shape.group_size(0) == 1 || TouchesLetter(text, range))) return std::nullopt;
  constexpr std::string_view kMobile[] = {"5-6", "5-3-3", "4-3-3", "4-3-4"};
  const char second = match.view[match.begin + 1];
  const bool pairs = shape.groups() == "2-2-2-2-2";  // as the French write them
  if (shape.group_count() > 4 && !pairs) return std::nullopt;
  // Australia and Taiwan: 0412 886 309, 0928-331-705.
  const bool thirds = (second == '4' || second == '9') && (shape.groups() == "4-3-3" || shape.groups() == "4-6");
  // Germany: 0151 2345 8876.
  const bool quarters = second == '1' && shape.groups() == "4-4-4";
  if (length == 12 && !quarters) return std::nullopt;
  const bool mobile = (second == '7' && OneOf(shape.groups(), kMobile)) || thirds || quarters ||
                      (pairs && (second == '6' || second == '7'));
  if (!mobile && !match.evidence.Near(Cue::kPhone, range, 60)) return std::nullopt;
  if (match.evidence.Before(Cue::kOtherNumber, range, kVeryCloseChars)) return std::nullopt;
  return Value{range, kScoreLikely};
}

// `+` and 8 to 15 digits.
std::optional<Value> E164(const Match& match) {
  size_t end = match.begin + 1;
  while (end < match.view.size() && end - match.begin < 17 && IsDigit(match.view[end])) ++end;
  const size_t digits = end - match.begin - 1;
  const TextRange range = match.InText(match.begin, end);
  const std::string_view text = match.text();
  if (digits < 8 || digits > 15 || TouchesDigit(text, range) || InsideMixedToken(text, range)) return std::nullopt;
  if (IsHotline(match, range) || IsPlaceholderNumber(match.view.substr(match.begin + 1, digits))) return std::nullopt;
  const bool incomplete = match.view[match.begin + 1] == '1' && digits < 11;  // `+1 555 0100` reaches nobody
  if (incomplete || IsTollFree(match.view.substr(match.begin + 1, digits))) return std::nullopt;
  if (match.view.substr(match.begin + 1, 2) == "86" && IsCnMobile(match.view.substr(match.begin + 3, digits - 2))) {
    return std::nullopt;  // named as what it is
  }
  // `1 +12345678` is a sum.
  size_t before = range.begin;
  while (before > 0 && text[before - 1] == ' ') --before;
  if (before > 0 && IsDigit(text[before - 1])) return std::nullopt;
  const NumberShape shape(text, {range.begin + 1, range.end});
  if (shape.has_comma()) return std::nullopt;
  // `+5024-10439`: degrees and minutes of a place.
  const bool place = shape.groups() == "4-5" || shape.groups() == "6-7";
  if (place && !match.evidence.Near(Cue::kPhone, range, kCloseChars)) return std::nullopt;
  return Value{range, kScoreLikely};
}

// `00 44 7911 234 872`, `0044 7911 234872`: the country's code apart from or with the zeros, then groups.
std::optional<Value> DialledAbroad(const Match& match) {
  constexpr std::string_view kCountries[] = {"1",  "7",  "20", "27", "30", "31", "32", "33",  "34",  "36",  "39",
                                             "40", "41", "43", "44", "45", "46", "47", "48",  "49",  "52",  "54",
                                             "55", "60", "61", "62", "63", "64", "65", "66",  "81",  "82",  "84",
                                             "86", "90", "91", "92", "94", "98", "234", "254", "351", "353", "358",
                                             "380", "420", "852", "853", "880", "886", "966", "971", "972"};
  const std::string_view text = match.text();
  size_t end = match.begin;
  while (end < match.view.size() && end - match.begin < 17 && IsDigit(match.view[end])) ++end;
  const size_t length = end - match.begin;
  if (length < 11 || length > 15) return std::nullopt;
  const TextRange range = match.InText(match.begin, end);
  if (TouchesDigit(text, range) || InsideMixedToken(text, range) || IsHotline(match, range)) return std::nullopt;
  const NumberShape shape(text, range);
  const std::string_view digits = match.view.substr(match.begin + 2, length - 2);
  const auto begins = [digits](std::string_view country) { return digits.starts_with(country); };
  const auto* country = std::find_if(std::begin(kCountries), std::end(kCountries), begins);
  if (country == std::end(kCountries) || shape.has_comma() || shape.LooksLikeIpv4()) return std::nullopt;
  if (match.evidence.Before(Cue::kOtherNumber, range, kVeryCloseChars)) return std::nullopt;
  const bool phone = match.evidence.Near(Cue::kPhone, range, kCloseChars);
  if (!shape.separated()) return phone ? std::optional<Value>({range, kScoreLikely}) : std::nullopt;
  const size_t first = shape.group_size(0);
  const bool written = first == country->size() + 2 || (first == 2 && shape.group_size(1) == country->size());
  if (!shape.free_standing() || shape.group_count() > 7 || !(written || phone)) return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> Email(const Match& match) {
  const std::optional<TextRange> range = EmailAround(match.text(), match.begin + 1);
  if (!range) return std::nullopt;
  return Value{*range, kScoreLabelled};
}

// ---- Addresses with words for their signs: `jane [at] smith [dot] org`, `liwei点zhang艾特qq点com` ----

// The sign that the words at `at` stand for, over the spaces around them.
struct SpelledSign {
  char sign = 0;
  size_t end = 0;
  bool bracketed = false;
};
SpelledSign SpelledSignAt(std::string_view text, size_t at) {
  const auto spaces = [&](size_t from) { return std::min(text.find_first_not_of(' ', from), text.size()); };
  if (std::string_view(" ([{<\xE5\xE7\xE8").find(text[at]) == std::string_view::npos) return {};  // most bytes
  const size_t word = spaces(at);
  if (word + 2 >= text.size()) return {};
  const bool bracket = text[word] == '(' || text[word] == '[' || text[word] == '{' || text[word] == '<';
  const size_t begin = bracket ? spaces(word + 1) : word;
  for (const auto& [han, sign] : {std::pair<std::string_view, char>{"艾特", '@'}, {"圈a", '@'}, {"点", '.'}, {"在", '@'}}) {
    if (text.substr(begin, han.size()) != han) continue;
    const size_t end = begin + han.size();
    const bool closed = bracket && text.substr(end, 1).find_first_of(")]}>") == 0;
    return {sign, spaces(end + closed), closed || han.size() > 3};
  }
  if (!bracket && word == at) return {};
  for (const std::string_view name : {"at", "dot"}) {
    size_t i = 0;
    while (i < name.size() && begin + i < text.size() && LowerAscii(text[begin + i]) == name[i]) ++i;
    if (i < name.size()) continue;
    size_t end = spaces(begin + i);
    if (bracket && end < text.size() && std::string_view(")]}>").find(text[end]) != std::string_view::npos) {
      return {name == "at" ? '@' : '.', spaces(end + 1), true};
    }
    if (!bracket && end > begin + i) return {name == "at" ? '@' : '.', end, false};
  }
  return {};
}

// Words before `at amazon dot com` that are no name of a mailbox.
bool IsProseBeforeAt(std::string_view word) {
  constexpr std::string_view kWords[] = {"look", "shop", "check",  "visit", "online",    "us",   "me",   "you",  "find",
                                         "buy",  "out",  "apply",  "site",  "available", "work", "it",   "them", "here",
                                         "live", "now",  "orders", "that",  "this",      "and",  "page", "is",   "are"};
  std::string lower(word);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerAscii);
  return OneOf(std::string_view(lower), kWords);
}

std::optional<Value> SpelledEmail(const Match& match) {
  constexpr size_t kLookBytes = 64, kSteps = 1500;
  const std::string_view text = match.text();
  const size_t begin = match.begin > kLookBytes ? match.begin - kLookBytes : 0;
  const size_t limit = std::min(text.size(), match.end + kLookBytes);
  ReadingWork::Spend(kSteps);
  std::string read;  // as it is meant, and where each byte came from
  std::vector<size_t> origin;
  std::vector<std::pair<size_t, bool>> signs;  // of `@`: where in `read`, and whether in brackets
  bool dots = false;
  for (size_t at = begin; at < limit;) {
    const SpelledSign sign = SpelledSignAt(text.substr(0, limit), at);
    if (sign.sign != 0) {
      if (sign.sign == '@') signs.emplace_back(read.size(), sign.bracketed);
      dots |= sign.sign == '.';
      read += sign.sign;
      origin.push_back(at);
      at = sign.end;
    } else {
      read += text[at];
      origin.push_back(at++);
    }
  }
  origin.push_back(limit);
  for (const auto& [sign, bracketed] : signs) {
    const std::optional<TextRange> range = EmailAround(read, sign);
    if (!range || range->begin == sign || (!bracketed && !dots)) continue;
    if (!bracketed && IsProseBeforeAt(std::string_view(read).substr(range->begin, sign - range->begin))) continue;
    return Value{{origin[range->begin], origin[range->end]}, kScoreLikely};
  }
  return std::nullopt;
}

// ---- Streets of the Continent: `Kastanienallee 71, 10435 Berlin`, `12 rue Cadet, 75009 Paris` ----

// A postal code of four or five digits and a place behind it.
bool PostalPlaceAfter(std::string_view text, size_t at) {
  constexpr size_t kLookBytes = 48;
  const size_t limit = std::min(text.size(), at + kLookBytes);
  for (; at < limit; ++at) {
    if (!IsDigit(text[at])) continue;
    const size_t begin = at;
    while (at < limit && IsDigit(text[at])) ++at;
    const bool code = at - begin == 4 || at - begin == 5;
    if (code && at + 1 < limit && text[at] == ' ' && IsUpper(text[at + 1]) && !IsAlnum(text[begin - 1])) return true;
  }
  return false;
}

std::optional<Value> ContinentalStreet(const Match& match) {
  constexpr size_t kNameBytesMax = 40;
  const std::string_view text = match.text();
  size_t begin = match.begin, end = match.end;
  while (begin > 0 && IsLetter(text[begin - 1]) && match.begin - begin < kNameBytesMax) --begin;
  bool number = IsDigit(text[match.end - 1]);
  if (!number) {
    // `rue Cadet`: the house number stands before it, or behind the name.
    size_t before = begin;
    while (before > 0 && (text[before - 1] == ' ' || text[before - 1] == ',')) --before;
    number = before > 0 && before < begin && IsDigit(text[before - 1]);
    if (begin != match.begin) return std::nullopt;
    while (!number && end < text.size() && end - match.end < kNameBytesMax && text[end] != '\n') {
      number = IsDigit(text[end++]);
    }
  } else if (begin == match.begin || !IsUpper(text[begin])) {
    return std::nullopt;
  }
  if (!number) return std::nullopt;
  while (end < text.size() && IsAlnum(text[end])) ++end;
  const TextRange range{begin, end};
  const bool home = match.evidence.Before(Cue::kHome, range, kCloseChars);
  if (!home && !PostalPlaceAfter(text, end)) return std::nullopt;
  return Value{range, match.evidence.Near(Cue::kCompany, range, kCloseChars) && !home ? 0.4 : kScoreLikely};
}

std::vector<std::string> StreetExpressions() {
  std::vector<std::string> expressions;
  for (const char* ending : {"strasse", "straße", "allee", "gasse", "gatan", "gata", "gade", "straat", "laan", "veien",
                             "vej", "platz", "damm", "ufer", "weg", "str\\."}) {
    expressions.push_back(absl::StrCat(ending, " [0-9]"));
  }
  for (const char* kind :
       {"rue", "calle", "avenida", "viale", "carrer", "ulica", "ul\\.", "piazza", "impasse", "chemin"}) {
    expressions.push_back(absl::StrCat(kind, " [A-Za-z]"));
  }
  return expressions;
}

}  // namespace

const std::vector<PatternRule>& ContactRules() {
  static const std::vector<PatternRule> rules = {
      {"PHONE_CN_MOBILE", CnMobile, true, {"1[3-9][0-9]{9}"}},
      {"PHONE_CN_LANDLINE", Landline, true, {"0[1-9][0-9]{8}"}},
      {"PHONE_CN_LANDLINE", ServiceLine, true, {"400[0-9]{7}"}},
      {"PHONE_US", UsPhone, true, {"[2-9][0-9]{9}"}},
      {"PHONE_E164", NationalPhone, true, {"0[1-9][0-9]{8}"}},
      {"PHONE_E164", E164, true, {"\\+[1-9][0-9]{7}"}},
      {"PHONE_E164", DialledAbroad, true, {"00[1-9][0-9]{8}"}},
      {"ADDRESS", ContinentalStreet, false, StreetExpressions(), true},
      {"EMAIL", Email, false, {"[A-Za-z0-9._%+-]@[A-Za-z0-9]"}, false, false},
      {"EMAIL",
       SpelledEmail,
       false,
       {"[(\\[{<]at[)\\]}>]", "[(\\[{<] at [)\\]}>]", "[ (\\[]dot[ )\\]]", "点(?:com|net|org)", "点cn", "艾特"},
       true,
       false},
  };
  return rules;
}

}  // namespace headgate::router
