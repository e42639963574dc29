// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Every pattern matches a fixed number of bytes, the part of a value that is cheap to find; the validator of its row
// then looks around it in the text, bounded, and says whether it is a value and where it begins and ends. Numbers are
// looked for in both views, everything else in text() only. Scanning is linear: a match costs a bounded amount of work.
//
// Tested by tables of named rows and against a naive scanner over all substrings.
#include "router/sensitivity/detectors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/status_macros.h"
#include "router/sensitivity/keywords.h"
#include "router/sensitivity/number_shape.h"
#include "router/sensitivity/pattern_database.h"
#include "router/sensitivity/secrets.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kDetectionsPerTypeMax = 64;

// One match of a row's pattern: [begin, end) in `view`, which is text() or joined().
struct Match {
  const CanonicalText& canonical;
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

using Validator = std::optional<TextRange> (*)(const Match& match);  // the value's range in text()

// Part of an identifier or hash that mixes letters and digits (`a13812345678f0`): not a number that a person would
// write.
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

// The digits after the point of a decimal number. `1.` at the beginning of a line numbers a list and is none.
bool IsFraction(std::string_view text, size_t begin) {
  if (begin < 2 || text[begin - 1] != '.' || !IsDigit(text[begin - 2])) return false;
  size_t at = begin - 1;
  while (at > 0 && IsDigit(text[at - 1])) --at;
  while (at > 0 && text[at - 1] == ' ') --at;
  return at > 0 && text[at - 1] != '\n';
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

std::optional<TextRange> ResidentId(const Match& match) {
  const TextRange range = match.InText(match.begin, match.end);
  const std::string_view text = match.text();
  const bool touches =
      (range.begin > 0 && IsDigit(text[range.begin - 1])) || (range.end < text.size() && IsDigit(text[range.end]));
  if (touches || !IsCnResidentId(match.view.substr(match.begin, match.end - match.begin))) return std::nullopt;
  return range;
}

template <size_t kCount>
bool OneOf(std::string_view text, const std::string_view (&list)[kCount]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

bool WrittenAsCard(const NumberShape& shape) {
  constexpr std::string_view kShapes[] = {"4-4-4-4", "4-4-4-4-1", "4-4-4-4-2", "4-4-4-4-3", "4-6-5", "4-6-4",
                                          "6-13",    "6-12",      "6-10",      "8-8",       "4-12"};
  if (shape.group_count() <= 5 && OneOf(shape.groups(), kShapes)) return true;
  if (!shape.free_standing()) return false;
  if (shape.Uniform(3)) return true;
  return !shape.has_comma() && (shape.Uniform(1) || (shape.one_separator() && shape.group_count() > 2)) &&
         !(shape.group_count() == 2 && shape.has_dot());
}

std::optional<TextRange> BankCard(const Match& match) {
  const std::string_view text = match.text();
  const size_t text_begin = match.InText(match.begin, match.end).begin;
  if (text_begin > 0 && IsDigit(text[text_begin - 1])) return std::nullopt;
  constexpr size_t kLengthMin = 14, kLengthMax = 19;
  size_t end = match.begin + kLengthMin;
  while (end < match.view.size() && end - match.begin < kLengthMax && IsDigit(match.view[end])) ++end;
  for (; end >= match.begin + kLengthMin; --end) {
    const TextRange range = match.InText(match.begin, end);
    if (range.end < text.size() && IsDigit(text[range.end])) continue;
    const std::string_view digits = match.view.substr(match.begin, end - match.begin);
    // One ID in ten that begins like a card passes Luhn as well: it is named once, as what it is.
    if (!IsBankCard(digits) || IsCnResidentId(digits)) continue;
    const NumberShape shape(text, range);
    const bool written =
        shape.separated() ? WrittenAsCard(shape) : !IsFraction(text, range.begin) && !InsideMixedToken(text, range);
    if (written) return range;
  }
  return std::nullopt;
}

bool WrittenAsMobile(std::string_view text, TextRange range, const NumberShape& shape) {
  constexpr std::string_view kShapes[] = {"3-8", "7-4", "3-3-5", "3-3-3-2", "4-3-4", "5-6", "6-5", "4-7"};
  const std::string groups = shape.group_count() <= 4 ? shape.groups() : "";
  if (groups == "3-4-4") return true;
  if (!shape.free_standing() && !AfterCountryCode(text, range.begin)) return false;
  if (shape.LooksLikeIpv4()) return false;
  return OneOf(groups, kShapes) || (!shape.has_comma() && shape.Uniform(1));
}

std::optional<TextRange> CnMobile(const Match& match) {
  const std::string_view text = match.text();
  const TextRange range = match.InText(match.begin, match.end);
  const bool after_code = AfterCountryCode(text, range.begin);
  if (range.begin > 0 && IsDigit(text[range.begin - 1]) && !after_code) return std::nullopt;
  if (range.end < text.size() && IsDigit(text[range.end])) return std::nullopt;
  if (!IsCnMobile(match.view.substr(match.begin, match.end - match.begin))) return std::nullopt;
  const NumberShape shape(text, range);
  if (shape.separated()) {
    if (!WrittenAsMobile(text, range, shape)) return std::nullopt;
  } else if (IsFraction(text, range.begin) || InsideMixedToken(text, range)) {
    return std::nullopt;
  }
  return range;
}

std::optional<TextRange> Email(const Match& match) { return EmailAround(match.text(), match.begin + 1); }
std::optional<TextRange> PrivateKey(const Match& match) { return PrivateKeyAt(match.text(), match.end); }
std::optional<TextRange> Jwt(const Match& match) { return JwtAt(match.text(), match.begin); }

// ---- The table: one row per type. ----

struct Row {
  const char* type;
  v1::SensitivityLevel level;
  Validator validate;  // null: an API key, judged with its prefix
  bool number;         // looked for in joined() as well
  std::vector<const char*> expressions;
};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {"CN_RESIDENT_ID", v1::SENSITIVITY_LEVEL_RESTRICTED, ResidentId, true, {"[0-9]{17}[0-9Xx]"}},
      {"BANK_CARD", v1::SENSITIVITY_LEVEL_RESTRICTED, BankCard, true, {"[0-9]{14}"}},
      {"PHONE_CN_MOBILE", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, CnMobile, true, {"1[3-9][0-9]{9}"}},
      {"EMAIL", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, Email, false, {"[A-Za-z0-9._%+-]@[A-Za-z0-9]"}},
      {"PRIVATE_KEY",
       v1::SENSITIVITY_LEVEL_RESTRICTED,
       PrivateKey,
       false,
       {"PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"}},
      {"JWT", v1::SENSITIVITY_LEVEL_RESTRICTED, Jwt, false, {"eyJ[A-Za-z0-9_-]{8}"}},
      {"API_KEY", v1::SENSITIVITY_LEVEL_RESTRICTED, nullptr, false, {}},  // expressions from KeyPrefixes()
  };
  return rows;
}

class PatternDetectors : public Detectors {
 public:
  PatternDetectors(PatternDatabase database, Keywords keywords)
      : database_(std::move(database)), keywords_(std::move(keywords)) {}
  static absl::StatusOr<std::unique_ptr<Detectors>> Make(const SensitivityConfig& config);
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override;

 private:
  struct Pattern {
    size_t row;
    size_t prefix_bytes;  // API keys only
  };
  // One text's findings: bounded per type, so that a text full of values costs no more than another.
  struct Found {
    std::vector<Detection> detections;
    std::vector<size_t> count;
  };

  void Check(const Match& match, const Pattern& pattern, Found& found) const;
  static void Add(const std::string& type, v1::SensitivityLevel level, CanonicalText::Span span, size_t& count,
                  Found& found);

  PatternDatabase database_;
  Keywords keywords_;
  std::vector<Pattern> patterns_;
  std::vector<v1::SensitivityLevel> levels_;                         // of each row
  std::vector<std::pair<std::string, v1::SensitivityLevel>> lists_;  // of each keyword list: type, level
};

absl::Status CheckLevels(const SensitivityConfig& config) {
  const std::vector<std::string> types = DetectorTypes();
  for (const auto& [type, level] : config.detector_levels) {
    if (std::find(types.begin(), types.end(), type) == types.end()) {
      return absl::InvalidArgumentError(absl::StrCat("detector_levels: there is no detector `", type, "`"));
    }
    if (level < config.threshold || level > v1::SENSITIVITY_LEVEL_RESTRICTED) {
      return absl::InvalidArgumentError(
          absl::StrCat("detector_levels: `", type, "` must stay at or above the threshold"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Detectors>> PatternDetectors::Make(const SensitivityConfig& config) {
  RETURN_IF_ERROR(CheckLevels(config));
  ASSIGN_OR_RETURN(Keywords keywords, Keywords::Make(config.keyword_lists));
  std::vector<Pattern> patterns;
  std::vector<PatternDatabase::Pattern> expressions;
  for (size_t row = 0; row < Rows().size(); ++row) {
    for (const char* expression : Rows()[row].expressions) {
      patterns.push_back({row, 0});
      expressions.push_back({expression});
    }
    if (Rows()[row].validate != nullptr) continue;
    for (const KeyPrefix& key : KeyPrefixes()) {
      patterns.push_back({row, std::string_view(key.prefix).size()});
      expressions.push_back(
          {absl::StrCat(absl::StrReplaceAll(key.prefix, {{".", "\\."}}), key.body, "{", key.body_bytes_min, "}")});
    }
  }
  ASSIGN_OR_RETURN(PatternDatabase database, PatternDatabase::Compile(expressions));
  auto detectors = std::make_unique<PatternDetectors>(std::move(database), std::move(keywords));
  detectors->patterns_ = std::move(patterns);
  for (const Row& row : Rows()) {
    const auto changed = config.detector_levels.find(row.type);
    detectors->levels_.push_back(changed == config.detector_levels.end() ? row.level : changed->second);
  }
  for (const KeywordListConfig& list : config.keyword_lists) {
    detectors->lists_.emplace_back(absl::StrCat("KEYWORD:", list.name), list.level);
  }
  return detectors;
}

void PatternDetectors::Add(const std::string& type, v1::SensitivityLevel level, CanonicalText::Span span, size_t& count,
                           Found& found) {
  const auto same = [&](const Detection& other) {
    return other.span.begin == span.begin && other.span.end == span.end && other.type == type;
  };
  // The same value found by two patterns or in both views.
  if (std::any_of(found.detections.begin(), found.detections.end(), same)) return;
  ++count;
  found.detections.push_back({type, level, 1.0, span});
}

void PatternDetectors::Check(const Match& match, const Pattern& pattern, Found& found) const {
  const Row& row = Rows()[pattern.row];
  if (found.count[pattern.row] >= kDetectionsPerTypeMax || (match.joined && !row.number)) return;
  const std::optional<TextRange> range =
      row.validate != nullptr ? row.validate(match) : ApiKeyAt(match.text(), match.begin, pattern.prefix_bytes);
  if (!range) return;
  Add(row.type, levels_[pattern.row], match.canonical.Original(range->begin, range->end), found.count[pattern.row],
      found);
}

absl::StatusOr<std::vector<Detection>> PatternDetectors::Scan(const CanonicalText& text) const {
  Found found;
  found.count.assign(Rows().size() + lists_.size(), 0);
  const auto scan = [&](std::string_view view, bool joined) {
    return database_.Scan(view, [&](size_t index, size_t begin, size_t end) {
      Check({text, view, joined, begin, end}, patterns_[index], found);
    });
  };
  RETURN_IF_ERROR(scan(text.text(), false));
  if (text.has_joined()) RETURN_IF_ERROR(scan(text.joined(), true));
  keywords_.Scan(text.text(), [&](size_t list, size_t begin, size_t end) {
    size_t& count = found.count[Rows().size() + list];
    if (count < kDetectionsPerTypeMax)
      Add(lists_[list].first, lists_[list].second, text.Original(begin, end), count, found);
  });
  return std::move(found.detections);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Detectors>> MakePatternDetectors(const SensitivityConfig& config) {
  return PatternDetectors::Make(config);
}

std::vector<std::string> DetectorTypes() {
  std::vector<std::string> types;
  for (const Row& row : Rows()) types.push_back(row.type);
  return types;
}

}  // namespace headgate::router
