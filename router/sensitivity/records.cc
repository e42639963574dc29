// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Text in the form of a record: the headings of an admission or visit with something behind them, laboratory values, a
// consultation turn by turn; pay and account lists. An empty template has the headings and nothing behind them.
#include <algorithm>
#include <bitset>

#include "router/sensitivity/rule.h"

namespace headgate::router {
namespace {

constexpr size_t kRecordBytes = 4500;  // a record's parts lie within as many bytes, 1,500 Chinese characters

// Something is written between a heading and the next line or heading: not only blanks, dots and underscores.
// `end`: where the next heading begins.
bool HasContent(std::string_view text, size_t at, size_t end) {
  text = text.substr(0, end);
  if (at < text.size() && text[at] == ' ') ++at;
  if (at >= text.size() ||
      (text[at] != ':' && text[at] != ']' && text[at] != '\n' && text[at] != '*' && text.substr(at, 3) != "】"))
    return false;
  const bool own_line = text[at] == '\n';
  constexpr size_t kLookBytes = 60;
  size_t letters = 0, blanks = 0, newlines = 0;
  for (++at; at < text.size() && letters < 8; ++at) {
    const char c = text[at];
    if (c == '\n') {
      if (++newlines > (own_line ? 0u : 1u) || letters >= 3) break;
      continue;
    }
    if (c == '_' || c == '[' || c == '{' || c == '<') ++blanks;
    letters += IsAlnum(c) || static_cast<uint8_t>(c) >= 0x80;
    if (blanks + letters > kLookBytes) break;
  }
  return letters >= 3 && blanks == 0;
}

// A figure behind a laboratory item, within a few characters.
bool HasFigure(std::string_view text, size_t at) {
  const size_t limit = std::min(text.size(), at + 14);
  for (; at < limit; ++at) {
    if (IsDigit(text[at])) return true;
    if (text[at] == '\n' || text[at] == ',' || text[at] == ';') return false;
  }
  return false;
}

// Counts different words within a moving window of hits; `kMax` words at most are told apart.
struct Counter {
  std::vector<const Evidence::Hit*> hits;
  void Add(const Evidence::Hit& hit) {
    // `出院诊断` holds `诊断`: the longer one counts.
    if (!hits.empty() && hits.back()->end > hit.begin) {
      if (hit.end - hit.begin > hits.back()->end - hits.back()->begin) hits.back() = &hit;
      return;
    }
    hits.push_back(&hit);
  }
  // The largest number of different words whose hits lie within kRecordBytes; `range` is where.
  int Distinct(TextRange* range) const {
    int best = 0;
    for (size_t first = 0, last = 0; last < hits.size(); ++last) {
      while (hits[last]->end - hits[first]->begin > kRecordBytes) ++first;
      // Sixteen are enough to decide on.
      const size_t from = last - first > 15 ? last - 15 : first;
      int distinct = 0;
      for (size_t i = from; i <= last; ++i) {
        const bool again =
            std::any_of(hits.begin() + static_cast<std::ptrdiff_t>(from), hits.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const Evidence::Hit* other) { return other->word == hits[i]->word; });
        distinct += !again;
      }
      if (distinct > best) best = distinct, *range = {hits[from]->begin, hits[last]->end};
    }
    return best;
  }
};

bool BeginsLine(std::string_view text, size_t at) {
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '*' || text[at - 1] == '#' || text[at - 1] == '[' ||
                    text[at - 1] == '-'))
    --at;
  if (at >= 3 && text.substr(at - 3, 3) == "【") return true;
  return at == 0 || text[at - 1] == '\n' || text[at - 1] == '.' || text[at - 1] == ';' || text[at - 1] == ',' ||
         text.substr(at >= 3 ? at - 3 : 0, 3) == "。" || text[at - 1] == ':' || text[at - 1] == '|';
}

}  // namespace

void ReadRecords(const Evidence& evidence, Report report) {
  if (!evidence.Has(Cue::kRecordHeading) && !evidence.Has(Cue::kLabItem) && !evidence.Has(Cue::kPatientTurn)) return;
  const std::string_view text = evidence.text();
  Counter headings, labs;
  int doctor = 0, patient = 0;
  size_t first_turn = text.size(), last_turn = 0;
  bool strong = false;
  const auto next_heading = [&](size_t i) {
    const size_t end = evidence.hits()[i].end;
    constexpr size_t kLookHits = 8;
    for (size_t j = i + 1; j < std::min(evidence.hits().size(), i + kLookHits); ++j) {
      if (evidence.hits()[j].cue == Cue::kRecordHeading && evidence.hits()[j].begin > end)
        return size_t{evidence.hits()[j].begin};
    }
    return text.size();
  };
  for (size_t i = 0; i < evidence.hits().size(); ++i) {
    const Evidence::Hit& hit = evidence.hits()[i];
    switch (hit.cue) {
      case Cue::kRecordHeading:
        if (BeginsLine(text, hit.begin) && HasContent(text, hit.end, next_heading(i))) headings.Add(hit);
        break;
      case Cue::kRecordStrong:
        strong |= HasContent(text, hit.end, next_heading(i));
        break;
      case Cue::kLabItem:
        if (HasFigure(text, hit.end)) labs.Add(hit);
        break;
      case Cue::kDoctorTurn:
      case Cue::kPatientTurn:
        if (!BeginsLine(text, hit.begin)) break;
        (hit.cue == Cue::kDoctorTurn ? doctor : patient) += 1;
        first_turn = std::min<size_t>(first_turn, hit.begin);
        last_turn = std::max<size_t>(last_turn, hit.end);
        break;
      default:
        break;
    }
  }
  TextRange range, lab_range;
  const int heading_count = headings.Distinct(&range);
  const int lab_count = labs.Distinct(&lab_range);
  double score = heading_count >= 4   ? 0.95
                 : heading_count == 3 ? 0.85
                 : heading_count == 2 ? (strong ? 0.75 : 0.45)
                 : strong             ? 0.45
                                      : 0;
  if (heading_count >= 1 && lab_count >= 2) score = std::max(score, 0.8);
  if (heading_count > 0) report("HEALTH_RECORD", range, score);
  if (lab_count >= 2)
    report("HEALTH_RECORD", lab_range,
           lab_count >= 4                                    ? 0.85
           : lab_count == 3                                  ? 0.7
           : evidence.Near(Cue::kPersonRole, lab_range, 100) ? 0.55
                                                             : 0.4);
  if (doctor >= 1 && patient >= 1 && doctor + patient >= 3) report("HEALTH_RECORD", {first_turn, last_turn}, 0.85);
}

}  // namespace headgate::router
