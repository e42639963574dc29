// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/topic_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headgate::router {
namespace {

constexpr std::string_view kMagic = "HGTM0002";
constexpr size_t kSegmentUnitsMax = 64;  // a longer one is cut: no text is one window

// A value a topic, and two that are not used, in two halves: processors add four at once.
using Sums4 = int32_t __attribute__((vector_size(16)));
using Floats4 = float __attribute__((vector_size(16)));
using Sums = std::array<Sums4, 2>;
using Floats = std::array<Floats4, 2>;

// Of the rows of one segment: too few to be more than 16 bits.
using Shorts = int16_t __attribute__((vector_size(16)));
static_assert(kSegmentUnitsMax * UnitRows::kUnitRows * 128 <= 32768);

void AddRow(const std::array<int8_t, 8>& row, Shorts& sum) {
  using Bytes = int8_t __attribute__((vector_size(8)));
  Bytes bytes;
  std::memcpy(&bytes, row.data(), sizeof(bytes));
  sum += __builtin_convertvector(bytes, Shorts);
}

// Sums over all units before a segment, so that a window costs one subtraction.
struct Prefix {
  Sums all, with_person;
  uint32_t han, persons, words;
};

// How much of a word a unit is, in halves: a character of a script without spaces is half of one.
uint32_t WordHalves(const Unit& unit) {
  constexpr uint32_t kLettersMin = 3;
  switch (unit.kind) {
    case UnitKind::kDigits:
    case UnitKind::kSign:
    case UnitKind::kLine:
      return 0;
    case UnitKind::kHan:
      return 1;
    case UnitKind::kPerson:
    case UnitKind::kPublicPerson:
    case UnitKind::kAddress:
      return 2;
    default:
      return unit.end - unit.begin >= kLettersMin ? 2 : 0;
  }
}

void Count(const Unit& unit, Prefix& sums) {
  sums.han += unit.kind == UnitKind::kHan ? 1 : 0;
  sums.persons += unit.kind == UnitKind::kPerson ? 1 : 0;
  sums.words += WordHalves(unit);
}

Floats Widen(const std::array<float, kTopics>& values) {
  Floats wide{};
  for (size_t topic = 0; topic < kTopics; ++topic) wide[topic / 4][topic % 4] = values[topic];
  return wide;
}

void Add(const Shorts& of, Sums& sums) {
  using Shorts4 = int16_t __attribute__((vector_size(8)));
  for (size_t half = 0; half < 2; ++half) {
    Shorts4 four;
    std::memcpy(&four, reinterpret_cast<const char*>(&of) + half * sizeof(four), sizeof(four));
    sums[half] += __builtin_convertvector(four, Sums4);
  }
}

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

bool Any(const Sums& mask) {
  std::array<uint64_t, 2> parts;
  const Sums4 either = mask[0] | mask[1];
  std::memcpy(&parts, &either, sizeof(parts));
  return (parts[0] | parts[1]) != 0;
}

}  // namespace

std::string_view Name(Topic topic) {
  constexpr std::string_view kNames[kTopics] = {"HEALTH_RECORD", "FINANCE", "CREDENTIAL",
                                                "INTERNAL",      "PERSONAL", "ADDRESS"};
  return kNames[static_cast<size_t>(topic)];
}

absl::StatusOr<TopicModel> TopicModel::Load(std::string_view bytes) {
  constexpr size_t kHead = 8, kFloats = 3 * kTopics * sizeof(float);
  if (bytes.size() != kHead + kFloats + kRows * kTopics || bytes.substr(0, kHead) != kMagic) {
    return absl::InvalidArgumentError("weights of the topic model: not a file of this version");
  }
  TopicModel model;
  const char* at = bytes.data() + kHead;
  std::memcpy(model.scale_.data(), at, sizeof(model.scale_));
  std::memcpy(model.bias_.data(), at + sizeof(model.scale_), sizeof(model.bias_));
  at += kFloats;
  model.rows_.resize(kRows + 1);
  for (auto& row : model.rows_) row.fill(0);
  for (size_t i = 0; i < kRows; ++i, at += kTopics) std::memcpy(model.rows_[i].data(), at, kTopics);
  return model;
}

std::vector<Unit> ReplaceNames(const std::vector<Unit>& units, const std::vector<NameSpan>& names) {
  std::vector<Unit> out;
  out.reserve(units.size());
  size_t at = 0;
  for (const NameSpan& name : names) {
    out.insert(out.end(), units.data() + at, units.data() + name.first);
    const auto kind = static_cast<UnitKind>(static_cast<uint8_t>(UnitKind::kPerson) + static_cast<uint8_t>(name.type));
    out.push_back({MixHash(0x4A3E0000u, static_cast<uint32_t>(kind)), static_cast<uint32_t>(name.begin),
                   static_cast<uint32_t>(name.end), kind});
    at = name.last;
  }
  out.insert(out.end(), units.data() + at, units.data() + units.size());
  return out;
}

namespace {

constexpr uint32_t kEmptyRow = TopicModel::kRows;

Hashes RowsFor(uint32_t seed, Hashes values) {
  return (MixHashes(Hashes{} + seed, values) >> 9) & static_cast<uint32_t>(TopicModel::kRows - 1);
}

// The rows of four units in a row; for each of a unit's rows four.
struct FourRows {
  std::array<Hashes, UnitRows::kUnitRows> rows;
  std::array<Hashes, UnitRows::kPersonRows> person_rows;
};
FourRows FourRowsOf(Hashes before_last, Hashes before, Hashes here, Hashes stem) {
  const Hashes two = MixHashes(before, here);
  // Four characters only made more of them share a row: no text was told better.
  const Hashes three = MixHashes(before_last, two);
  const auto no_stem = reinterpret_cast<Hashes>(stem == Hashes{});
  return {{RowsFor(201, here), RowsFor(202, two), RowsFor(203, three),
           (RowsFor(221, stem) & ~no_stem) | ((Hashes{} + kEmptyRow) & no_stem)},
          {RowsFor(211, here), RowsFor(212, two)}};
}

// What the rows are made of, one beside the other.
class Around {
 public:
  explicit Around(const std::vector<Unit>& units) : hashes_(units.size() + kPad + 4, 1u), stems_(units.size() + 4) {
    for (size_t i = 0; i < units.size(); ++i) {
      hashes_[i + kPad] = units[i].hash;
      stems_[i] = units[i].stem;
    }
  }
  FourRows At(size_t at) const {
    return FourRowsOf(Load(&hashes_[at]), Load(&hashes_[at + 1]), Load(&hashes_[at + 2]), Load(&stems_[at]));
  }

 private:
  static constexpr size_t kPad = 2;
  static Hashes Load(const uint32_t* from) {
    Hashes four;
    std::memcpy(&four, from, sizeof(four));
    return four;
  }
  std::vector<uint32_t> hashes_, stems_;
};

}  // namespace

UnitRows RowsOf(const std::vector<Unit>& units, size_t at, bool persons) {
  const auto hash = [&](size_t back) { return Hashes{back > at ? 1u : units[at - back].hash}; };
  const uint32_t stem = units[at].stem;
  const FourRows four = FourRowsOf(hash(2), hash(1), hash(0), Hashes{} + stem);
  UnitRows rows;
  rows.count = stem == 0 ? 3 : 4;
  for (size_t i = 0; i < rows.count; ++i) rows.rows[i] = four.rows[i][0];
  rows.person_count = persons ? 2 : 0;
  for (size_t i = 0; i < rows.person_count; ++i) rows.person_rows[i] = four.person_rows[i][0];
  return rows;
}

std::vector<uint32_t> SegmentStarts(const std::vector<Unit>& units) {
  std::vector<uint32_t> starts;
  starts.reserve(units.size() / 8 + 2);
  bool start = true;
  for (size_t at = 0; at < units.size(); ++at) {
    if (start || at - starts.back() >= kSegmentUnitsMax) starts.push_back(static_cast<uint32_t>(at));
    start = EndsSegment(units, at);
  }
  starts.push_back(static_cast<uint32_t>(units.size()));
  return starts;
}

float WindowNorm(size_t units) { return std::sqrt(static_cast<float>(units) + 6.0f); }

namespace {

// A root and a division a window are what most of a window would cost.
float InverseNorm(size_t units) {
  static const auto kNorms = [] {
    std::array<float, 512> norms;
    for (size_t i = 0; i < norms.size(); ++i) norms[i] = 1.0f / WindowNorm(i);
    return norms;
  }();
  return units < kNorms.size() ? kNorms[units] : 1.0f / WindowNorm(units);
}

}  // namespace

std::array<TopicScore, kTopics> TopicModel::Score(const std::vector<Unit>& units) const {
  // Rows of figures or signs are about nothing; a few of them may be what somebody was asked for.
  constexpr uint32_t kWordHalvesMin = 2, kFiguresMin = 24;
  std::array<TopicScore, kTopics> best;
  if (units.empty()) return best;
  const bool persons =
      std::any_of(units.begin(), units.end(), [](const Unit& unit) { return unit.kind == UnitKind::kPerson; });
  // The weights of the next units are on their way while some are added: they lie all over a megabyte.
  constexpr size_t kFour = 4, kAhead = 4;
  const Around around(units);
  std::array<FourRows, kAhead> ahead;
  const auto fetch = [&](size_t at) {
    if (at >= units.size()) return;
    FourRows& four = ahead[at / kFour % kAhead];
    four = around.At(at);
    for (const Hashes& rows : four.rows) {
#pragma GCC unroll 4
      for (size_t i = 0; i < kFour; ++i) __builtin_prefetch(&rows_[rows[i]]);
    }
  };
  for (size_t at = 0; at + kFour < kAhead * kFour; at += kFour) fetch(at);
  const std::vector<uint32_t> starts = SegmentStarts(units);
  std::vector<Prefix> prefix(starts.size());  // at each start
  Prefix sums{};
  for (size_t segment = 0; segment + 1 < starts.size(); ++segment) {
    prefix[segment] = sums;
    Shorts all{}, with_person{};
    for (size_t at = starts[segment]; at < starts[segment + 1]; ++at) {
      if (at % kFour == 0) fetch(at + (kAhead - 1) * kFour);
      const FourRows& four = ahead[at / kFour % kAhead];
      for (const Hashes& rows : four.rows) AddRow(rows_[rows[at % kFour]], all);
      if (persons) {
        for (const Hashes& rows : four.person_rows) AddRow(rows_[rows[at % kFour]], with_person);
      }
      Count(units[at], sums);
    }
    Add(all, sums.all);
    Add(with_person, sums.with_person);
  }
  prefix.back() = sums;
  const Floats scale = Widen(scale_), biases[2] = {Widen(bias_[0]), Widen(bias_[1])};
  Floats highest{};
  for (Floats4& half : highest) half -= 1e9f;
  ForEachWindow(units, starts, [&](size_t first, size_t last) {
    const Prefix& from = prefix[first];
    const Prefix& to = prefix[last];
    const size_t count = starts[last] - starts[first];
    if (to.words - from.words < kWordHalvesMin && count >= kFiguresMin) return;
    const bool with_person = to.persons > from.persons;
    const float norm = InverseNorm(count);
    const Floats& bias = biases[(to.han - from.han) * 4 > count ? 0 : 1];
    Floats value;
    Sums higher;
    for (size_t half = 0; half < 2; ++half) {
      Sums4 sum = to.all[half] - from.all[half];
      if (with_person) sum += to.with_person[half] - from.with_person[half];
      value[half] = bias[half] + scale[half] * __builtin_convertvector(sum, Floats4) * norm;
      higher[half] = value[half] > highest[half];
    }
    if (!Any(higher)) return;
    for (size_t half = 0; half < 2; ++half) highest[half] = higher[half] ? value[half] : highest[half];
    for (size_t topic = 0; topic < kTopics; ++topic) {
      if (higher[topic / 4][topic % 4] == 0) continue;
      best[topic].begin = units[starts[first]].begin;
      best[topic].end = units[starts[last] - 1].end;
    }
  });
  for (size_t topic = 0; topic < kTopics; ++topic) best[topic].probability = Sigmoid(highest[topic / 4][topic % 4]);
  return best;
}

}  // namespace headgate::router
