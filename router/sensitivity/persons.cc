// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A private person's name together with what is nobody else's business: age, birth, pay, family, belief, health,
// offence, discipline, school or job. A name alone is nothing, an attribute alone is nothing. Stories, exercises and
// public figures are told by their words.
#include <algorithm>

#include "router/sensitivity/labels.h"
#include "router/sensitivity/names.h"
#include "router/sensitivity/reading_work.h"
#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kAttributeChars = 60;  // between a name and what is said of it
constexpr size_t kContraChars = 120;

// How much an attribute's word says, by its kind.
double Weight(Cue cue) {
  switch (cue) {
    case Cue::kAgeNumber:
    case Cue::kBirth:
    case Cue::kSalary:
    case Cue::kDiagnosis:
    case Cue::kOffence:
    case Cue::kSexuality:
      return 0.5;
    case Cue::kMarital:
    case Cue::kBelief:
    case Cue::kDiscipline:
    case Cue::kSchoolJob:
    case Cue::kMedication:
      return 0.4;
    case Cue::kEthnic:
      return 0.35;
    default:
      return 0;
  }
}

bool HasDigitNear(std::string_view text, size_t begin, size_t bytes) {
  for (size_t at = begin; at < std::min(text.size(), begin + bytes); ++at) {
    if (IsDigit(text[at])) return true;
    // `一个月拿一万九`
    if (const char32_t unit = HanAt(text, at); (unit == U'万' || unit == U'千') && at >= 3) {
      if (std::u32string_view(U"一二三四五六七八九十两几").find(HanBefore(text, at)) != std::u32string_view::npos) return true;
    }
    if (text[at] == '\n' && at > begin + 2) return false;
  }
  return false;
}

// Words that need a figure: pay and birth dates.
bool IsComplete(const Evidence& evidence, const Evidence::Hit& attribute) {
  const std::string_view text = evidence.text();
  if (attribute.cue == Cue::kSalary)
    return HasDigitNear(text, attribute.end, 32) ||
           HasDigitNear(text, attribute.begin > 16 ? attribute.begin - 16 : 0, 16);
  if (attribute.cue == Cue::kBirth)
    return HasDigitNear(text, attribute.end, 24) ||
           HasDigitNear(text, attribute.begin > 20 ? attribute.begin - 20 : 0, 20);
  if (attribute.cue == Cue::kMedication) return HasDigitNear(text, attribute.begin > 24 ? attribute.begin - 24 : 0, 48);
  return true;
}

bool IsHealth(Cue cue) { return cue == Cue::kDiagnosis || cue == Cue::kMedication; }

double Contra(const Evidence& evidence, TextRange range) {
  double factor = 1;
  if (evidence.Near(Cue::kFiction, range, kContraChars)) factor *= 0.55;
  if (evidence.Near(Cue::kPublicFigure, range, kContraChars)) factor *= 0.6;
  if (evidence.Near(Cue::kExample, range, kContraChars)) factor *= 0.75;
  constexpr size_t kContraBytes = 4 * kContraChars;
  const auto far_before = [&](const NameSpan& name) { return name.end + kContraBytes < range.begin; };
  const std::vector<NameSpan>& names = evidence.names();
  for (auto at = std::partition_point(names.begin(), names.end(), far_before); at != names.end(); ++at) {
    const NameSpan& name = *at;
    if (name.begin > range.end + kContraBytes) break;
    // Who is entered in a form (`姓名:`) is nobody's idol.
    if (name.type != NameType::kPublicPerson || evidence.Before(Cue::kNameLabel, {name.begin, name.begin}, 3)) continue;
    const bool near = name.end <= range.begin
                          ? Within(evidence.text(), name.end, range.begin, kContraChars)
                          : name.begin >= range.end &&
                                Within(evidence.text(), range.end, name.begin, kContraChars);
    if (near) return factor * 0.6;
  }
  return factor;
}

void ReadAround(const Evidence& evidence, const std::vector<PersonName>& names, const Evidence::Hit& attribute,
                Report report) {
  const std::string_view text = evidence.text();
  const PersonName* best = nullptr;
  double best_score = 0;
  for (const PersonName& name : names) {
    const bool before = name.range.end <= attribute.begin;
    const size_t from = before ? name.range.end : attribute.end, to = before ? attribute.begin : name.range.begin;
    // Who is called by one name is no private person by that, but a patient.
    if (name.score < kFullNameMin && !IsHealth(attribute.cue)) continue;
    if (to < from || !Within(text, from, to, kAttributeChars)) continue;
    // What is said in another paragraph is said of somebody else.
    if (text.substr(from, to - from).find("\n\n") != std::string_view::npos) continue;
    const double score = 1 - (1 - name.score) * (1 - Weight(attribute.cue));
    if (score > best_score) best = &name, best_score = score;
  }
  if (best == nullptr) return;
  best_score *= Contra(evidence, best->range);
  report(IsHealth(attribute.cue) ? "HEALTH_RECORD" : "PERSON_ATTRIBUTE", best->range, best_score);
}

// Pay in a column: `name | base | bonus` above rows of names and figures.
void ReadColumns(const Evidence& evidence, const Evidence::Hit& head, Report report) {
  constexpr size_t kHeadBytesMax = 160, kRowsBytesMax = 800;
  const std::string_view text = evidence.text();
  const size_t end = text.find('\n', head.end);
  if (end == std::string_view::npos || end - head.end > kHeadBytesMax) return;
  const size_t before = head.begin == 0 ? std::string_view::npos : text.rfind('\n', head.begin - 1);
  const size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const auto count = [](std::string_view line, char c) { return std::count(line.begin(), line.end(), c); };
  const std::string_view title = text.substr(begin, end - begin);
  TextRange rows{end + 1, end + 1};
  for (const char delimiter : {'|', '\t', ';', ',', ' '}) {
    const auto columns = count(title, delimiter);
    if (columns == 0 || (columns == 1 && (delimiter == ' ' || delimiter == ','))) continue;
    while (rows.end < text.size() && rows.end - rows.begin < kRowsBytesMax) {
      const size_t stop = std::min(text.find('\n', rows.end), text.size());
      // Figures may hold the delimiter as well: `1,200`.
      if (count(text.substr(rows.end, stop - rows.end), delimiter) < columns) break;
      rows.end = std::min(stop + 1, text.size());
    }
    break;
  }
  if (rows.end == rows.begin) return;
  for (const PersonName& name : FindNames(evidence, rows)) {
    if (name.score < kFullNameMin || name.range.begin < rows.begin) continue;
    const size_t stop = std::min(text.find('\n', name.range.end), text.size());
    const std::string_view row = text.substr(name.range.end, stop - name.range.end);
    if (std::count_if(row.begin(), row.end(), IsDigit) < 3) continue;
    const double score = 1 - (1 - name.score) * (1 - Weight(head.cue));
    report("PERSON_ATTRIBUTE", name.range, score * Contra(evidence, name.range));
  }
}

// A birth date after its label is a person's, named or not.
void ReadBirthDate(const Evidence& evidence, const Evidence::Hit& birth, Report report) {
  const std::string_view text = evidence.text();
  const Connector connector = SkipConnector(text, birth.end);
  if (!connector.strong || connector.value_begin >= text.size()) return;
  const size_t begin = connector.value_begin;
  size_t end = begin, digits = 0;
  while (end < text.size() && end - begin < 24) {
    if (IsDigit(text[end])) {
      ++digits, ++end;
    } else if (std::string_view("-/. ,").find(text[end]) != std::string_view::npos || IsLetter(text[end])) {
      ++end;
    } else if (const char32_t han = HanAt(text, end); han == U'年' || han == U'月' || han == U'日') {
      end += 3;
    } else {
      break;
    }
  }
  if (digits < 5 || digits > 8 || !IsDigit(text[begin])) return;
  const TextRange range{begin, end};
  report("DATE_OF_BIRTH", range, kScoreLikely * Contra(evidence, range));
}

}  // namespace

void ReadPersons(const Evidence& evidence, Report report) {
  bool any = false;
  for (const Cue cue :
       {Cue::kAgeNumber, Cue::kBirth, Cue::kSalary, Cue::kDiagnosis, Cue::kOffence, Cue::kSexuality, Cue::kMarital,
        Cue::kBelief, Cue::kDiscipline, Cue::kSchoolJob, Cue::kMedication, Cue::kEthnic}) {
    any |= evidence.Has(cue);
  }
  if (!any) return;
  constexpr size_t kWindowBytes = kAttributeChars * 3 + 24;
  const std::string_view text = evidence.text();
  // Attributes stand close together: one window of names serves all of them.
  TextRange window{0, 0};
  std::vector<PersonName> names;
  for (const Evidence::Hit& hit : evidence.hits()) {
    if (ReadingWork::Spent()) break;
    if (hit.cue == Cue::kSalary) ReadColumns(evidence, hit, report);
    if (Weight(hit.cue) == 0 || !IsComplete(evidence, hit)) continue;
    if (hit.cue == Cue::kBirth) ReadBirthDate(evidence, hit, report);
    const size_t begin = hit.begin > kWindowBytes ? hit.begin - kWindowBytes : 0;
    const size_t end = std::min(text.size(), hit.end + kWindowBytes);
    if (end > window.end) {
      // A step of several windows at once, so that a text full of attributes is read about twice.
      window = {begin, std::min(text.size(), end + 4 * kWindowBytes)};
      names = FindNames(evidence, window);
    }
    ReadAround(evidence, names, hit, report);
  }
}

}  // namespace headgate::router
