// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One pass over text() gives the cue words; the next ones give candidates: values with letters or signs by Vectorscan,
// numbers by their runs of digits, over joined() those that were written with separators. Each candidate's validator
// looks around it, bounded; then the readers go over the cue words. Scanning is linear: a match costs a bounded amount
// of work.
//
// Tested by tables of named rows and against a naive scanner over all substrings.
#include "router/sensitivity/detectors.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "router/detector_types.h"
#include "router/sensitivity/allow_list.h"
#include "router/sensitivity/byte_marks.h"
#include "router/sensitivity/cue_words.h"
#include "router/sensitivity/evidence.h"
#include "router/sensitivity/home_points.h"
#include "router/sensitivity/keywords.h"
#include "router/sensitivity/number_patterns.h"
#include "router/sensitivity/pattern_database.h"
#include "router/sensitivity/published_examples.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kDetectionsPerTypeMax = 64;
constexpr size_t kTypeCount = std::size(kDetectorTypes);

constexpr Reader kReaders[] = {ReadLabels,  ReadCredentials, ReadAddresses, ReadPersons,
                               ReadPatients, ReadRecords,     ReadMarkings};

// Of one text, by the patterns; of a match, and of a cue word with all readers.
constexpr size_t kScanSteps = 1500, kScanByteSteps = 8, kMatchSteps = 60, kCueSteps = 100;

constexpr size_t kModelBytesMin = 16;  // shorter texts say nothing that a rule would miss

// A topic needs words: one long token is none.
bool HoldsWords(std::string_view window) {
  constexpr size_t kBetweenMin = 3;
  size_t between = 0;
  for (size_t at = 0; at < window.size() && between < kBetweenMin; ++at) between += !IsAlnum(window[at]);
  return between >= kBetweenMin;
}

// Half of the words are mailboxes, without a password (`a@b.cn:secret`): their own rule says what they are.
bool ListsMailboxes(std::string_view window) {
  size_t words = 0, mailboxes = 0;
  for (size_t at = 0; (at = window.find_first_not_of(" \n\t,;<>\"'", at)) < window.size();) {
    const size_t end = std::min(window.find_first_of(" \n\t,;<>\"'", at), window.size());
    const std::string_view word = window.substr(at, end - at);
    const size_t sign = word.find('@');
    ++words;
    mailboxes += sign != std::string_view::npos && word.find('.', sign) != std::string_view::npos &&
                 word.find_first_of(":/=|") == std::string_view::npos;
    at = end;
  }
  return mailboxes * 2 > words;
}

// What a topic is reported as.
std::string_view TopicType(Topic topic) {
  switch (topic) {
    case Topic::kHealthRecord:
      return "HEALTH_RECORD";
    case Topic::kFinance:
      return "FINANCE_RECORD";
    case Topic::kCredential:
      return "CREDENTIAL_TEXT";
    case Topic::kInternal:
      return "INTERNAL_DOCUMENT";
    case Topic::kPersonal:
      return "PERSON_ATTRIBUTE";
    case Topic::kAddress:
      return "ADDRESS_TEXT";
  }
  return "HEALTH_RECORD";
}

constexpr double kContraOdds = 7.4;  // e to the 2

// Rows of figures that are measured or counted, and nobody's.
bool IsMeasured(const Evidence& evidence, TextRange range) {
  for (const Cue cue : {Cue::kPersonRole, Cue::kDiagnosis, Cue::kLabItem, Cue::kMedication, Cue::kSalary,
                        Cue::kAccount, Cue::kUnpublished, Cue::kMoneyUnit}) {
    if (evidence.Has(cue)) return false;
  }
  return evidence.Near(Cue::kMeasurement, range, 40);
}

// Stories, exercises and public figures say so near by. Only in texts that lie within the context as a
// whole: in a longer one another window may be the highest, and more text must not lower a level.
bool IsSpokenAgainst(const Evidence& evidence, Topic topic, TextRange range) {
  constexpr size_t kContraChars = 120;
  if (!Within(evidence.text(), 0, evidence.text().size(), kContextChars)) return false;
  switch (topic) {
    case Topic::kPersonal:
      return evidence.Near(Cue::kFiction, range, kContraChars) ||
             evidence.Near(Cue::kPublicFigure, range, kContraChars);
    case Topic::kHealthRecord:
    case Topic::kFinance:
      return evidence.Near(Cue::kFiction, range, kContraChars) || IsMeasured(evidence, range);
    case Topic::kInternal:
      return IsMeasured(evidence, range);
    default:
      return false;
  }
}

size_t TypeIndex(std::string_view type) { return static_cast<size_t>(FindDetectorType(type) - kDetectorTypes); }

// The expression of a cue word: literally, any case.
std::string Quoted(std::string_view word) {
  std::string expression;
  for (const char c : word) {
    if (!IsAlnum(c) && static_cast<uint8_t>(c) < 0x80) expression += '\\';
    expression += c;
  }
  return expression;
}

// Cues that are a digit and a word: `88号`, `35岁`.
struct CueExpression {
  Cue cue;
  const char* expression;
};
constexpr CueExpression kCueExpressions[] = {
    {Cue::kHouseNumber, "[0-9]号"},        {Cue::kHouseNumber, "[0-9]号楼"},     {Cue::kHouseNumber, "[0-9]弄"},
    {Cue::kHouseNumber, "[0-9A-Za-z]栋"},  {Cue::kHouseNumber, "[0-9A-Za-z]幢"}, {Cue::kHouseNumber, "[0-9A-Za-z]座"},
    {Cue::kHouseNumber, "[0-9]单元"},      {Cue::kHouseNumber, "[0-9]室"},       {Cue::kHouseNumber, "[0-9]房"},
    {Cue::kHouseNumber, "[0-9]层"},        {Cue::kHouseNumber, "[0-9]楼"},       {Cue::kHouseNumber, "[0-9]户"},
    {Cue::kAgeNumber, "[0-9]岁"},          {Cue::kAgeNumber, "[0-9]周岁"},       {Cue::kAgeNumber, "[0-9] years old"},
    {Cue::kAgeNumber, "[0-9]-year-old"},   {Cue::kAgeNumber, "[0-9] year old"},  {Cue::kAgeNumber, "age: [0-9]{2}"},
    {Cue::kAgeNumber, "age [0-9]{2}"},     {Cue::kAgeNumber, "aged [0-9]{2}"},   {Cue::kAgeNumber, ", [1-9][0-9],"},
    {Cue::kAgeNumber, "\\([1-9][0-9]\\)"}, {Cue::kAgeNumber, "[0-9]yo"},         {Cue::kAgeNumber, "[0-9] yo"},
    {Cue::kAgeNumber, "[0-9]y/o"},         {Cue::kAgeNumber, "年龄:[0-9]{2}"},   {Cue::kAgeNumber, "年龄[0-9]{2}"},
    {Cue::kAgeNumber, "[0-9]{2}年生"},     {Cue::kAgeNumber, "[0-9]{2}年出生"},  {Cue::kAgeNumber, "年龄: [0-9]{2}"},
    {Cue::kSalary, "[0-9]k/month"},        {Cue::kSalary, "[0-9]k/月"},          {Cue::kSchoolJob, "GPA [0-9]\\.[0-9]"},
    {Cue::kSalary, "at [0-9]{2}k"},        {Cue::kSalary, "on [0-9]{2}k"},       {Cue::kSalary, "has [0-9]{2}k"},
    {Cue::kHouseNumber, "[0-9] 号"},       {Cue::kHouseNumber, "[0-9] 栋"},      {Cue::kHouseNumber, "[0-9] 幢"},
    {Cue::kHouseNumber, "[0-9] 弄"},       {Cue::kHouseNumber, "[0-9] 单元"},    {Cue::kHouseNumber, "[0-9] 室"},
    {Cue::kHouseNumber, "[0-9]排"},        {Cue::kHouseNumber, "[0-9] 排"},      {Cue::kHouseNumber, "[0-9] 楼"},
};

// The built-in patterns, compiled once a process: they do not depend on the configuration. Several databases, since
// words and classes of characters together cost more than one after the other, and most texts need few of the latter.
class BuiltIn {
 public:
  struct Pattern {
    const PatternRule* rule = nullptr;
    size_t type = 0;
  };
  struct Group {
    explicit Group(PatternDatabase compiled) : database(std::move(compiled)) {}
    PatternDatabase database;
    std::vector<Pattern> patterns;
  };

  static absl::StatusOr<const BuiltIn*> Get() {
    static const absl::StatusOr<BuiltIn> built_in = Make();
    if (!built_in.ok()) return built_in.status();
    return &*built_in;
  }

  Group any, digits;       // rules for all texts, and for those with digits
  NumberPatterns numbers;  // with and without separators
  std::vector<Pattern> number_of;
  PatternDatabase cues;
  std::vector<Cue> cue_of;

 private:
  BuiltIn(Group of_any, Group of_digits, PatternDatabase of_cues)
      : any(std::move(of_any)), digits(std::move(of_digits)), cues(std::move(of_cues)) {}
  static absl::StatusOr<BuiltIn> Make();
  static absl::StatusOr<Group> MakeGroup(absl::FunctionRef<bool(const PatternRule&)> wanted);
  static absl::StatusOr<std::vector<Pattern>> Collect(absl::FunctionRef<bool(const PatternRule&)> wanted,
                                                      std::vector<PatternDatabase::Pattern>& expressions);
};

absl::StatusOr<std::vector<BuiltIn::Pattern>> BuiltIn::Collect(absl::FunctionRef<bool(const PatternRule&)> wanted,
                                                               std::vector<PatternDatabase::Pattern>& expressions) {
  std::vector<Pattern> patterns;
  for (const auto* rules : {&IdentityRules(), &NationalRules(), &MoneyRules(), &ContactRules(), &NetworkRules(),
                            &SecretRules()}) {
    for (const PatternRule& rule : *rules) {
      if (FindDetectorType(rule.type) == nullptr) return absl::InternalError(absl::StrCat("no type ", rule.type));
      if (!wanted(rule)) continue;
      for (const std::string& expression : rule.expressions) {
        patterns.push_back({&rule, TypeIndex(rule.type)});
        expressions.push_back({expression, rule.caseless});
      }
    }
  }
  return patterns;
}

absl::StatusOr<BuiltIn::Group> BuiltIn::MakeGroup(absl::FunctionRef<bool(const PatternRule&)> wanted) {
  std::vector<PatternDatabase::Pattern> expressions;
  ASSIGN_OR_RETURN(std::vector<Pattern> patterns, Collect(wanted, expressions));
  ASSIGN_OR_RETURN(PatternDatabase database, PatternDatabase::Compile(expressions));
  Group group(std::move(database));
  group.patterns = std::move(patterns);
  return group;
}

absl::StatusOr<BuiltIn> BuiltIn::Make() {
  ASSIGN_OR_RETURN(Group any, MakeGroup([](const PatternRule& rule) { return !rule.digits; }));
  ASSIGN_OR_RETURN(Group digits, MakeGroup([](const PatternRule& rule) { return rule.digits && !rule.number; }));
  std::vector<PatternDatabase::Pattern> numbers;
  ASSIGN_OR_RETURN(std::vector<Pattern> number_of,
                   Collect([](const PatternRule& rule) { return rule.number; }, numbers));
  std::vector<std::string> forms;
  for (const PatternDatabase::Pattern& number : numbers) forms.push_back(number.expression);
  std::vector<PatternDatabase::Pattern> expressions;
  std::vector<Cue> cue_of;
  const auto add_cue = [&](Cue cue, std::string expression) {
    cue_of.push_back(cue);
    expressions.push_back({std::move(expression), true});
  };
  for (const CueWord& word : CueWords()) add_cue(word.cue, Quoted(word.word));
  for (const CueExpression& cue : kCueExpressions) add_cue(cue.cue, cue.expression);
  for (const char* unit : {"号", "栋", "幢", "单元", "室", "层", "楼"}) {
    add_cue(Cue::kHouseNumber, absl::StrCat("(?:一|二|三|四|五|六|七|八|九|十|百)", unit));
  }
  for (const char* estate : {"小区", "苑", "花园", "家园", "公寓", "新村", "嘉园", "华庭", "房号", "邸", "湾", "庭"}) {
    add_cue(Cue::kEstateRoom, absl::StrCat(estate, "[0-9]-[0-9]{3}"));
    add_cue(Cue::kEstateRoom, absl::StrCat(estate, "[0-9]{2}-[0-9]{3}"));
  }
  for (const char* estate : {"小区", "苑", "城", "广场", "家园", "公寓", "园", "村", "府", "邸", "湾", "院"}) {
    add_cue(Cue::kEstateRoom, absl::StrCat(estate, "[0-9]-[0-9]-[0-9]{3}"));
    add_cue(Cue::kEstateRoom, absl::StrCat(estate, "[0-9]{2}-[0-9]-[0-9]{3}"));
  }
  add_cue(Cue::kAgeNumber, "(?:一|二|三|四|五|六|七|八|九|十)岁");
  ASSIGN_OR_RETURN(PatternDatabase cues, PatternDatabase::Compile(expressions));
  BuiltIn built_in(std::move(any), std::move(digits), std::move(cues));
  ASSIGN_OR_RETURN(built_in.numbers, NumberPatterns::Compile(forms));
  built_in.number_of = std::move(number_of);
  built_in.cue_of = std::move(cue_of);
  return built_in;
}

// As close to each other as a value's are.
bool HoldsDigits(std::string_view text) {
  constexpr size_t kValueMax = 96;
  const ByteMarks digits(text, kDigitBytes);
  for (size_t at = digits.Next(0); at < text.size(); at = digits.Next(at + 1)) {
    const size_t third = digits.Skip(at, kRuleDigitsMin - 1);
    if (third < text.size() && third - at <= kValueMax) return true;
  }
  return false;
}

// A Latin word goes on over the boundary at `at`: same script, and no capital that begins a word (`dbPassword`).
bool CutsWord(std::string_view text, size_t at) {
  if (at == 0 || at >= text.size() || !IsLetter(text[at - 1]) || !IsLetter(text[at])) return false;
  return !(IsLower(text[at - 1]) && IsUpper(text[at]));
}

// One text's findings: bounded per type, so that a text full of values costs no more than another.
class Findings {
 public:
  Findings(const CanonicalText& canonical, size_t types) : canonical_(canonical), counts_(types, 0) {}
  bool Full(size_t type) const { return counts_[type] >= kDetectionsPerTypeMax; }
  void Add(size_t type, const std::string& name, v1::SensitivityLevel level, TextRange range, double score) {
    if (score < kScoreSensitive || Full(type)) return;
    const CanonicalText::Span span = canonical_.Original(range.begin, range.end);
    for (Detection& other : detections_) {
      // The same value found by two patterns or in both views.
      if (other.span.begin != span.begin || other.span.end != span.end || other.type != name) continue;
      other.score = std::max(other.score, score);
      return;
    }
    ++counts_[type];
    detections_.push_back({name, level, score, span});
  }
  // Without those that lie in a surer one: a card is not its digits' telephone number as well.
  std::vector<Detection> Take();

 private:
  const CanonicalText& canonical_;
  std::vector<size_t> counts_;
  std::vector<Detection> detections_;
};

// Types that say something of a passage or of a person, not what a value is.
bool IsValueType(std::string_view type) {
  constexpr std::string_view kOthers[] = {"HEALTH_RECORD",        "FINANCE_RECORD",     "PERSON_ATTRIBUTE",
                                          "CONFIDENTIAL_MARKING", "UNPUBLISHED_RESULT", "CREDENTIAL_TEXT",
                                          "INTERNAL_DOCUMENT",    "ADDRESS_TEXT"};
  return type.substr(0, 8) != "KEYWORD:" &&
         std::find(std::begin(kOthers), std::end(kOthers), type) == std::end(kOthers);
}

std::vector<Detection> Findings::Take() {
  if (detections_.size() < 2) return std::move(detections_);
  std::vector<size_t> order(detections_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return detections_[a].span.begin < detections_[b].span.begin; });
  std::vector<bool> drop(order.size(), false);
  // Values are short, so only near neighbours overlap; a long one ends the look-ahead after kNeighboursMax.
  constexpr size_t kNeighboursMax = 32;
  for (size_t i = 0; i < order.size(); ++i) {
    const Detection& a = detections_[order[i]];
    if (!IsValueType(a.type)) continue;
    for (size_t j = i + 1; j < std::min(order.size(), i + kNeighboursMax); ++j) {
      const Detection& b = detections_[order[j]];
      if (b.span.begin >= a.span.end) break;
      if (!IsValueType(b.type)) continue;
      const int32_t a_length = a.span.end - a.span.begin, b_length = b.span.end - b.span.begin;
      const bool a_first = a.score != b.score ? a.score > b.score : a_length >= b_length;
      const Detection& kept = a_first ? a : b;
      const Detection& other = a_first ? b : a;
      // Never one that says more than what covers it.
      if (kept.level >= other.level && !drop[a_first ? order[i] : order[j]]) drop[a_first ? order[j] : order[i]] = true;
    }
  }
  std::vector<Detection> kept;
  for (size_t i = 0; i < detections_.size(); ++i) {
    if (!drop[i]) kept.push_back(std::move(detections_[i]));
  }
  return kept;
}

class PatternDetectors : public Detectors {
 public:
  PatternDetectors(const BuiltIn& built_in, Keywords keywords, AllowList allowed,
                   std::shared_ptr<const TextModels> models, const Clock& clock)
      : built_in_(built_in),
        keywords_(std::move(keywords)),
        allowed_(std::move(allowed)),
        models_(std::move(models)),
        clock_(clock) {}
  static absl::StatusOr<std::unique_ptr<Detectors>> Make(const SensitivityConfig& config,
                                                         std::shared_ptr<const TextModels> models, const Clock& clock);
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override {
    return ScanWith(models_.get(), text);
  }
  absl::StatusOr<std::vector<Detection>> ScanValues(const CanonicalText& text) const override {
    return ScanWith(nullptr, text);
  }

 private:
  absl::StatusOr<std::vector<Detection>> ScanWith(const TextModels* models, const CanonicalText& text) const;
  absl::Status ScanGroup(const BuiltIn::Group& group, const CanonicalText& text, const Evidence& evidence,
                         Findings& findings) const;
  void ScanNumbers(const CanonicalText& text, const Evidence& evidence, bool joined, Findings& findings) const;
  void Check(const Match& match, const BuiltIn::Pattern& pattern, Findings& findings) const;
  void Add(size_t type, TextRange range, double score, std::string_view text, Findings& findings) const;

  const BuiltIn& built_in_;
  const Keywords keywords_;
  const AllowList allowed_;
  const std::shared_ptr<const TextModels> models_;  // null: rules only
  const Clock& clock_;
  std::vector<std::string> names_;                                   // of kDetectorTypes
  std::vector<v1::SensitivityLevel> levels_;                         // of each
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

absl::StatusOr<std::unique_ptr<Detectors>> PatternDetectors::Make(const SensitivityConfig& config,
                                                                  std::shared_ptr<const TextModels> models,
                                                                  const Clock& clock) {
  RETURN_IF_ERROR(CheckLevels(config));
  ASSIGN_OR_RETURN(Keywords keywords, Keywords::Make(config.keyword_lists));
  ASSIGN_OR_RETURN(AllowList allowed, AllowList::Make(config.allow_lists));
  ASSIGN_OR_RETURN(const BuiltIn* built_in, BuiltIn::Get());
  auto detectors =
      std::make_unique<PatternDetectors>(*built_in, std::move(keywords), std::move(allowed), std::move(models), clock);
  for (const DetectorType& type : kDetectorTypes) {
    const auto changed = config.detector_levels.find(type.name);
    detectors->names_.emplace_back(type.name);
    detectors->levels_.push_back(changed == config.detector_levels.end() ? type.level : changed->second);
  }
  for (const KeywordListConfig& list : config.keyword_lists) {
    detectors->lists_.emplace_back(absl::StrCat("KEYWORD:", list.name), list.level);
  }
  return detectors;
}

void PatternDetectors::Check(const Match& match, const BuiltIn::Pattern& pattern, Findings& findings) const {
  if (findings.Full(pattern.type) || !ReadingWork::Spend(kMatchSteps)) return;
  const std::optional<Value> value = Judge(*pattern.rule, match);
  if (value) Add(pattern.type, value->range, value->score, match.text(), findings);
}

void PatternDetectors::Add(size_t type, TextRange range, double score, std::string_view text,
                           Findings& findings) const {
  const std::string_view value = text.substr(range.begin, range.end - range.begin);
  if (IsPublishedExample(value)) return;
  if (!allowed_.empty() && score >= kScoreSensitive && allowed_.Allows(names_[type], value, clock_.WallTime())) return;
  findings.Add(type, names_[type], levels_[type], range, score);
}

absl::Status PatternDetectors::ScanGroup(const BuiltIn::Group& group, const CanonicalText& text,
                                         const Evidence& evidence, Findings& findings) const {
  return group.database.Scan(text.text(), [&](size_t index, size_t begin, size_t end) {
    Check({text, evidence, text.text(), false, begin, end}, group.patterns[index], findings);
  });
}

void PatternDetectors::ScanNumbers(const CanonicalText& text, const Evidence& evidence, bool joined,
                                   Findings& findings) const {
  const std::string_view view = joined ? text.joined() : text.text();
  built_in_.numbers.Scan(text, joined, [&](size_t index, size_t begin, size_t end) {
    Check({text, evidence, view, joined, begin, end}, built_in_.number_of[index], findings);
  });
}

absl::StatusOr<std::vector<Detection>> PatternDetectors::ScanWith(const TextModels* models,
                                                                  const CanonicalText& text) const {
  Findings findings(text, kTypeCount + lists_.size());
  Evidence evidence(text.text());
  ReadingWork::Spend(kScanSteps + kScanByteSteps * text.text().size());
  const auto add = [&](std::string_view type, TextRange range, double score) {
    if (score >= kScoreSensitive) Add(TypeIndex(type), range, score, text.text(), findings);
  };
  RETURN_IF_ERROR(built_in_.cues.Scan(text.text(), [&](size_t word, size_t begin, size_t end) {
    if (CutsWord(text.text(), begin) || CutsWord(text.text(), end)) return;
    evidence.Add({built_in_.cue_of[word], static_cast<uint16_t>(word), static_cast<uint32_t>(begin),
                  static_cast<uint32_t>(end)});
  }));
  if (models != nullptr && text.text().size() >= kModelBytesMin && !ReadingWork::Spent()) {
    TextModels::Reading reading = models->Read(text.text());
    for (size_t topic = 0; topic < kTopics; ++topic) {
      const TopicScore& score = reading.topics[topic];
      if (score.probability < kScoreSensitive) continue;  // what speaks against it could only lower it
      const std::string_view window = text.text().substr(score.begin, score.end - score.begin);
      if (!HoldsWords(window) || (static_cast<Topic>(topic) == Topic::kCredential && ListsMailboxes(window))) continue;
      double probability = score.probability;
      if (IsSpokenAgainst(evidence, static_cast<Topic>(topic), {score.begin, score.end})) {
        probability /= probability + (1 - probability) * kContraOdds;
      }
      add(TopicType(static_cast<Topic>(topic)), {score.begin, score.end}, probability);
    }
    evidence.SetNames(std::move(reading.names));
  }
  RETURN_IF_ERROR(ScanGroup(built_in_.any, text, evidence, findings));
  if (HoldsDigits(text.text())) {
    ScanNumbers(text, evidence, false, findings);
    RETURN_IF_ERROR(ScanGroup(built_in_.digits, text, evidence, findings));
    ReadHomePoints(evidence, add);
  }
  if (text.has_joined()) ScanNumbers(text, evidence, true, findings);
  if (!evidence.hits().empty()) {
    ReadingWork::Spend(kCueSteps * evidence.hits().size());
    for (const Reader reader : kReaders) {
      if (!ReadingWork::Spent()) reader(evidence, add);
    }
  }
  keywords_.Scan(text.text(), [&](size_t list, size_t begin, size_t end) {
    findings.Add(kTypeCount + list, lists_[list].first, lists_[list].second, {begin, end}, kScoreCertain);
  });
  return findings.Take();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Detectors>> MakePatternDetectors(const SensitivityConfig& config,
                                                                std::shared_ptr<const TextModels> models,
                                                                const Clock& clock) {
  return PatternDetectors::Make(config, std::move(models), clock);
}

std::vector<std::string> DetectorTypes() {
  std::vector<std::string> types;
  for (const DetectorType& type : kDetectorTypes) types.emplace_back(type.name);
  return types;
}

}  // namespace headgate::router
