// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TopicModel: what a text is about, as far as sensitivity goes. Hashed n-grams of text units (1 to 3) with names put in
// their units' place, one logistic output a topic, read from checked-in int8 weights that tools/train makes. Scores are
// maxima over windows of whole sentences, at most kWindowChars long: more text never lowers a score.
//
// Linear in the text. Thread-safety: immutable after Load; Score from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "router/sensitivity/name_tagger.h"
#include "router/sensitivity/text_units.h"

namespace headgate::router {

enum class Topic : uint8_t {
  kHealthRecord,
  kFinance,      // accounts, cards, pay, credit of a person or customer
  kCredential,
  kInternal,     // confidential documents and unpublished facts of a company
  kPersonal,     // a private person with an attribute
  kAddress,
};
inline constexpr size_t kTopics = 6;
std::string_view Name(Topic topic);  // `HEALTH_RECORD`, ...

struct TopicScore {
  float probability = 0;       // calibrated: 0.5 is the operating point, per language
  size_t begin = 0, end = 0;   // the window, bytes of the canonical text
};

class TopicModel {
 public:
  static constexpr size_t kRows = size_t{1} << 17;
  static constexpr size_t kWindowChars = 300;

  // INVALID_ARGUMENT when `weights` is no file of this version; its digest was checked before.
  static absl::StatusOr<TopicModel> Load(std::string_view weights);
  // `units` as ReplaceNames gives them.
  std::array<TopicScore, kTopics> Score(const std::vector<Unit>& units) const;

 private:
  std::vector<std::array<int8_t, 8>> rows_;  // and an empty one
  std::array<float, kTopics> scale_{};                  // of the weights
  std::array<std::array<float, kTopics>, 2> bias_{};    // Han or other script
};

// ---- What the model and its training share. ----

// Each name's units become one unit of its kind: the model never sees a name.
std::vector<Unit> ReplaceNames(const std::vector<Unit>& units, const std::vector<NameSpan>& names);

// The rows of unit `at`: of it alone, of two units, of three, and of its stem if it has one; and those that count only
// in windows with a person.
struct UnitRows {
  static constexpr size_t kUnitRows = 4, kPersonRows = 2;
  std::array<uint32_t, kUnitRows> rows;
  std::array<uint32_t, kPersonRows> person_rows;
  uint8_t count = 0, person_count = 0;
};
UnitRows RowsOf(const std::vector<Unit>& units, size_t at, bool persons);

// Windows of whole segments, as unit ranges [first, last). In text order; a bounded number from each segment.
struct UnitWindow {
  size_t first = 0, last = 0;
};
void ForEachWindow(const std::vector<Unit>& units, const auto& visit);

// The divisor of a window's sum: short and long windows are comparable.
float WindowNorm(size_t units);

// Where segments begin, the end of the text included.
std::vector<uint32_t> SegmentStarts(const std::vector<Unit>& units);

// `visit` is told the numbers of the segments that a window begins with and ends before.
void ForEachWindow(const std::vector<Unit>& units, const std::vector<uint32_t>& starts, const auto& visit) {
  constexpr size_t kSteps[] = {1, 2, 3, 4, 6, 8, 12, 18, 27, 40};
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    for (const size_t step : kSteps) {
      if (i + step >= starts.size()) break;
      const UnitWindow window{starts[i], starts[i + step]};
      // Bytes are the bound: a Han character has three.
      const size_t bytes = units[window.last - 1].end - units[window.first].begin;
      const size_t per_char = units[window.first].kind == UnitKind::kHan ? 3 : 1;
      if (step > 1 && bytes > TopicModel::kWindowChars * per_char) break;
      visit(i, i + step);
    }
  }
}

void ForEachWindow(const std::vector<Unit>& units, const auto& visit) {
  const std::vector<uint32_t> starts = SegmentStarts(units);
  ForEachWindow(units, starts, [&](size_t first, size_t last) { visit(UnitWindow{starts[first], starts[last]}); });
}

}  // namespace headgate::router
