// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/topic_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headgate::router {
namespace {

constexpr std::string_view kMagic = "HGTM0001";
constexpr size_t kSegmentUnitsMax = 64;  // a longer one is cut: no text is one window

constexpr uint32_t Row(uint32_t hash) { return (hash >> 9) & (TopicModel::kRows - 1); }

// A value a topic, and two that are not used: processors add them at once.
using Sums = int32_t __attribute__((vector_size(32), aligned(16)));
using Floats = float __attribute__((vector_size(32), aligned(16)));

// At most kUnitRows rows.
void AddRows(const std::vector<std::array<int8_t, 8>>& rows, const uint32_t* first, size_t count, Sums& sums) {
  using Bytes = int8_t __attribute__((vector_size(8)));
  using Shorts = int16_t __attribute__((vector_size(16)));
  Shorts sum{};
  for (size_t i = 0; i < count; ++i) {
    Bytes bytes;
    std::memcpy(&bytes, rows[first[i]].data(), sizeof(bytes));
    sum += __builtin_convertvector(bytes, Shorts);
  }
  sums += __builtin_convertvector(sum, Sums);
}

// Sums over all units before a segment, so that a window costs one subtraction.
struct Prefix {
  Sums all, with_person;
  uint32_t han, persons;
};

void Widen(const std::array<float, kTopics>& values, Floats& wide) {
  wide = Floats{};
  for (size_t topic = 0; topic < kTopics; ++topic) wide[topic] = values[topic];
}

bool Any(const Sums& mask) {
  std::array<uint64_t, 4> parts;
  std::memcpy(&parts, &mask, sizeof(parts));
  return (parts[0] | parts[1] | parts[2] | parts[3]) != 0;
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
  model.rows_.resize(kRows);
  for (auto& row : model.rows_) {
    row.fill(0);
    std::memcpy(row.data(), at, kTopics);
    at += kTopics;
  }
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

// In place: a copy would wait for what was just written.
void PutRows(const std::vector<Unit>& units, size_t at, bool persons, UnitRows& out) {
  const auto hash = [&](size_t back) -> uint32_t { return back > at ? 1u : units[at - back].hash; };
  const uint32_t h = hash(0);
  const uint32_t two = MixHash(hash(1), h);
  // Four characters only made more of them share a row: no text was told better.
  const uint32_t three = MixHash(hash(2), two);
  out.rows[0] = Row(MixHash(201, h));
  out.rows[1] = Row(MixHash(202, two));
  out.rows[2] = Row(MixHash(203, three));
  out.count = 3;
  if (units[at].kind != UnitKind::kHan) out.rows[out.count++] = Row(MixHash(205, MixHash(hash(2), h)));
  out.person_count = persons ? 2 : 0;
  if (!persons) return;
  out.person_rows[0] = Row(MixHash(211, h));
  out.person_rows[1] = Row(MixHash(212, two));
}

}  // namespace

UnitRows RowsOf(const std::vector<Unit>& units, size_t at, bool persons) {
  UnitRows rows;
  PutRows(units, at, persons, rows);
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

std::array<TopicScore, kTopics> TopicModel::Score(const std::vector<Unit>& units) const {
  std::array<TopicScore, kTopics> best;
  if (units.empty()) return best;
  const bool persons =
      std::any_of(units.begin(), units.end(), [](const Unit& unit) { return unit.kind == UnitKind::kPerson; });
  // The rows of the next units are on their way while one is added: they lie all over a megabyte.
  constexpr size_t kAhead = 8;
  std::array<UnitRows, kAhead> ahead;
  const auto fetch = [&](size_t at) {
    if (at >= units.size()) return;
    UnitRows& rows = ahead[at % kAhead];
    PutRows(units, at, persons, rows);
    for (size_t i = 0; i < rows.count; ++i) __builtin_prefetch(&rows_[rows.rows[i]]);
  };
  for (size_t at = 0; at < kAhead; ++at) fetch(at);
  const std::vector<uint32_t> starts = SegmentStarts(units);
  std::vector<Prefix> prefix(starts.size());  // at each start
  Prefix sums{};
  for (size_t at = 0, segment = 0; at < units.size(); ++at) {
    if (starts[segment] == at) prefix[segment++] = sums;
    const UnitRows& rows = ahead[at % kAhead];
    AddRows(rows_, rows.rows.data(), rows.count, sums.all);
    if (persons) AddRows(rows_, rows.person_rows.data(), rows.person_count, sums.with_person);
    sums.han += units[at].kind == UnitKind::kHan ? 1 : 0;
    sums.persons += units[at].kind == UnitKind::kPerson ? 1 : 0;
    fetch(at + kAhead);
  }
  prefix.back() = sums;
  Floats scale;
  Floats biases[2];
  Widen(scale_, scale);
  for (size_t script = 0; script < 2; ++script) Widen(bias_[script], biases[script]);
  Floats highest = Floats{} - 1e9f;
  ForEachWindow(units, starts, [&](size_t first, size_t last) {
    const Prefix& from = prefix[first];
    const Prefix& to = prefix[last];
    const size_t count = starts[last] - starts[first];
    Sums sum = to.all - from.all;
    if (to.persons > from.persons) sum += to.with_person - from.with_person;
    const float norm = 1.0f / WindowNorm(count);
    const Floats& bias = biases[(to.han - from.han) * 4 > count ? 0 : 1];
    const Floats value = bias + scale * __builtin_convertvector(sum, Floats) * norm;
    const Sums higher = value > highest;
    if (!Any(higher)) return;
    highest = higher ? value : highest;
    for (size_t topic = 0; topic < kTopics; ++topic) {
      if (higher[topic] == 0) continue;
      best[topic].begin = units[starts[first]].begin;
      best[topic].end = units[starts[last] - 1].end;
    }
  });
  for (size_t topic = 0; topic < kTopics; ++topic) {
    best[topic].probability = 1.0f / (1.0f + std::exp(-highest[topic]));
  }
  return best;
}

}  // namespace headgate::router
