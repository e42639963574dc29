// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Rules: what detectors.cc runs over a scanned text. A PatternRule judges one match of a fixed-length expression; a
// Reader goes over the cue words and the text around them and reports what it makes of them. Both look at a bounded
// number of bytes around each match, so a scan stays linear.
//
// Scores are 0..1; at kScoreSensitive and above a value counts.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/evidence.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {

inline constexpr double kScoreSensitive = 0.5;
// Surest first: a check digit or an exact form; a form with its word beside it; a form that is rarely anything else.
inline constexpr double kScoreCertain = 1.0;
inline constexpr double kScoreLabelled = 0.9;
inline constexpr double kScoreLikely = 0.7;
inline constexpr std::string_view kManualsMobile = "13800138000";  // every manual's example

// One match of a rule's expression: [begin, end) in `view`, which is text() or joined().
struct Match {
  const CanonicalText& canonical;
  const Evidence& evidence;
  std::string_view view;
  bool joined;
  size_t begin, end;

  std::string_view text() const { return canonical.text(); }
  // The range of text() that [from, to) of the view came from.
  TextRange InText(size_t from, size_t to) const {
    if (!joined) return {from, to};
    return {canonical.TextOffsetOfJoined(from), canonical.TextOffsetOfJoined(to - 1) + 1};
  }
};

struct Value {
  TextRange range;  // in text()
  double score = kScoreCertain;
};
using Validator = std::optional<Value> (*)(const Match& match);

struct PatternRule {
  const char* type;
  Validator validate;
  bool number;                           // of digits (number_patterns.h); looked for in joined() as well
  std::vector<std::string> expressions;  // each matches a fixed number of bytes
  bool caseless = false;
  bool digits =
      true;  // every value holds at least kRuleDigitsMin digits: texts with fewer are not looked through for it
};
inline constexpr size_t kRuleDigitsMin = 3;

// What the rule makes of the match, unless it is a number that comes up by chance among others (figures.h).
std::optional<Value> Judge(const PatternRule& rule, const Match& match);

// Reports one finding; below kScoreSensitive it is dropped.
using Report = absl::FunctionRef<void(std::string_view type, TextRange range, double score)>;
using Reader = void (*)(const Evidence& evidence, Report report);

const std::vector<PatternRule>& IdentityRules();                // identity_rules.cc
const std::vector<PatternRule>& NationalRules();                // national_rules.cc
const std::vector<PatternRule>& MoneyRules();                   // money_rules.cc
const std::vector<PatternRule>& ContactRules();                 // contact_rules.cc
const std::vector<PatternRule>& NetworkRules();                 // network_rules.cc
const std::vector<PatternRule>& SecretRules();                  // secret_rules.cc
void ReadLabels(const Evidence& evidence, Report report);       // labels.cc: `passport no: ...`
void ReadCredentials(const Evidence& evidence, Report report);  // credentials.cc: passwords, tokens, cookies
void ReadAddresses(const Evidence& evidence, Report report);    // addresses.cc
void ReadPersons(const Evidence& evidence, Report report);      // persons.cc: names with attributes
void ReadPatients(const Evidence& evidence, Report report);     // patients.cc: illness of somebody pointed at
void ReadRecords(const Evidence& evidence, Report report);      // records.cc: patient and finance records
void ReadMarkings(const Evidence& evidence, Report report);     // markings.cc: confidential documents

// ---- Shared by the rules ----

bool TouchesDigit(std::string_view text, TextRange range);
bool TouchesLetter(std::string_view text, TextRange range);
// A letter or digit on neither side.
inline bool StandsAlone(std::string_view text, TextRange range) {
  return !TouchesDigit(text, range) && !TouchesLetter(text, range);
}
// Part of an identifier or hash that mixes letters and digits (`a13812345678f0`).
bool InsideMixedToken(std::string_view text, TextRange range);
// The digits after the point of a decimal number. `1.` at the beginning of a line numbers a list and is none.
bool IsFraction(std::string_view text, size_t begin);
// `13912345678 × 17`: what is calculated with.
bool IsOperand(std::string_view text, TextRange range);
// Letters and digits from `at` on, over up to kSeparatorsMax separators between them, until `count_max`; `range` is
// where they stand. Stops at a word: a token of letters only that is longer than two, after the first digit.
struct Collected {
  std::string characters;
  TextRange range;
  size_t digits = 0;
};
Collected CollectAlnum(std::string_view text, size_t at, size_t count_max);
// `count` digits from `at` on, over separators as there: what most candidates fail at.
bool DigitsGoOn(std::string_view text, size_t at, size_t count);
// A value cannot be this: placeholders such as XXXX, 0000, 123456 in sequence, one character repeated.
bool IsPlaceholderNumber(std::string_view characters);
// A Chinese character (3 bytes) begins at `at`; 0 otherwise.
char32_t HanAt(std::string_view text, size_t at);
// The Han character that ends at `end`; 0 when there is none.
char32_t HanBefore(std::string_view text, size_t end);

}  // namespace headgate::router
