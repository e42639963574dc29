// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// National identity numbers of other countries. Where the form and its check are hardly anything else's they count
// without a word; digits alone need one within kWordChars (labels.cc takes those right behind their word).
#include <string>

#include "router/sensitivity/national_ids.h"
#include "router/sensitivity/number_shape.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kWordChars = 120;

// The match, which may be of letters and digits, without its signs, letters as capitals.
std::string Bare(const Match& match) {
  std::string bare;
  for (const char c : match.view.substr(match.begin, match.end - match.begin)) {
    if (IsAlnum(c)) bare += UpperAscii(c);
  }
  return bare;
}

// A number that goes on behind a point or dash is another one.
bool GoesOn(std::string_view text, TextRange range) {
  const auto sign = [](char c) { return c == '-' || c == '.' || c == '/' || c == '_'; };
  return (range.begin > 1 && sign(text[range.begin - 1]) && IsAlnum(text[range.begin - 2])) ||
         (range.end + 1 < text.size() && sign(text[range.end]) && IsAlnum(text[range.end + 1]));
}

template <auto kIsValid>
std::optional<Value> Checked(const Match& match) {
  const TextRange range{match.begin, match.end};
  if (!StandsAlone(match.text(), range) || GoesOn(match.text(), range)) return std::nullopt;
  const std::string bare = Bare(match);
  std::string digits;
  for (const char c : bare) {
    if (IsDigit(c)) digits += c;
  }
  if (!kIsValid(bare) || IsPlaceholderNumber(digits)) return std::nullopt;
  return Value{range, kScoreLikely};
}

// Eight digits and a letter are order numbers, too: one in 23 passes.
std::optional<Value> SpanishDni(const Match& match) {
  const TextRange range{match.begin, match.end};
  if (!IsUpper(match.view[match.end - 1]) || match.evidence.Near(Cue::kOtherNumber, range, kWordChars)) {
    return std::nullopt;
  }
  return Checked<IsSpanishId>(match);
}

// India's PAN of a person: no check, but a form of its own.
std::optional<Value> PermanentAccountNumber(const Match& match) {
  const TextRange range{match.begin, match.end};
  const std::string_view text = match.text();
  if (!StandsAlone(text, range) || GoesOn(text, range)) return std::nullopt;
  if (IsPlaceholderNumber(text.substr(range.begin + 5, 4))) return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> SocialSecurityOfFrance(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  const std::string_view text = match.text();
  if (TouchesDigit(text, range) || InsideMixedToken(text, range)) return std::nullopt;
  if (!IsFrenchNir(match.view.substr(match.begin, 15))) return std::nullopt;
  // `1 85 05 78 006 084 91`, or without spaces.
  const std::string_view written = text.substr(range.begin, range.end - range.begin);
  if (written.size() != 15 && (written.size() < 20 || IsDigit(written[1]) || IsDigit(written[4]))) return std::nullopt;
  return Value{range, kScoreLikely};
}

std::optional<Value> BesideItsWord(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  const std::string_view text = match.text();
  if (!match.evidence.Has(Cue::kNationalId) || TouchesDigit(text, range) || InsideMixedToken(text, range)) {
    return std::nullopt;
  }
  const std::string_view digits = match.view.substr(match.begin, match.end - match.begin);
  if (!IsNationalNumber(digits) || IsPlaceholderNumber(digits)) return std::nullopt;
  // `9.81, 1.0, 0.7, 1.2` is no number in groups.
  const NumberShape shape(text, range);
  if (shape.separated() && !shape.one_separator()) return std::nullopt;
  if (!match.evidence.Near(Cue::kNationalId, range, kWordChars)) return std::nullopt;
  return Value{range, kScoreLikely};
}

}  // namespace

const std::vector<PatternRule>& NationalRules() {
  static const std::vector<PatternRule> rules = {
      {"NATIONAL_ID", Checked<IsSingaporeId>, false, {"[STFGM][0-9]{7}[A-Z]"}, true},
      {"NATIONAL_ID", Checked<IsSpanishId>, false, {"[XYZ][0-9]{7}[A-Z]", "[XYZ]-[0-9]{7}-[A-Z]"}, true},
      {"NATIONAL_ID", SpanishDni, false, {"[0-9]{8}[A-Z]", "[0-9]{8}-[A-Z]", "[0-9]{2}[.][0-9]{3}[.][0-9]{3}-[A-Z]"}},
      {"NATIONAL_ID",
       Checked<HasItalianFiscalForm>,
       false,
       {"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]"},
       true},
      {"NATIONAL_ID", Checked<IsMexicanCurp>, false, {"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]"}, true},
      {"NATIONAL_ID", Checked<IsKoreanResidentNumber>, false, {"[0-9]{6}-[1-8][0-9]{6}"}},
      {"NATIONAL_ID", Checked<IsBrazilianCpf>, false, {"[0-9]{3}[.][0-9]{3}[.][0-9]{3}-[0-9]{2}"}},
      {"NATIONAL_ID",
       Checked<IsChileanRut>,
       false,
       {"[0-9]{2}[.][0-9]{3}[.][0-9]{3}-[0-9K]", "[0-9][.][0-9]{3}[.][0-9]{3}-[0-9K]"},
       true},
      {"NATIONAL_ID", Checked<IsFinnishId>, false, {"[0-9]{6}[-+][0-9]{3}[0-9A-Z]"}},
      {"NATIONAL_ID", Checked<IsBelgianNationalNumber>, false, {"[0-9]{2}[.][0-9]{2}[.][0-9]{2}-[0-9]{3}[.][0-9]{2}"}},
      {"NATIONAL_ID", Checked<IsEmiratesId>, false, {"784-[0-9]{4}-[0-9]{7}-[0-9]", "784[12][0-9]{11}"}},
      {"NATIONAL_ID", Checked<IsThaiId>, false, {"[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]"}},
      {"NATIONAL_ID", Checked<IsMalaysianId>, false, {"[0-9]{6}-[0-9]{2}-[0-9]{4}"}},
      {"NATIONAL_ID", PermanentAccountNumber, false, {"[A-Z]{3}P[A-Z][0-9]{4}[A-Z]"}},
      {"NATIONAL_ID", SocialSecurityOfFrance, true, {"[12][0-9]{14}"}},
      {"NATIONAL_ID", BesideItsWord, true, {"[0-9]{9}", "[0-9]{11}", "[0-9]{12}", "[0-9]{13}"}},
  };
  return rules;
}

}  // namespace headgate::router
