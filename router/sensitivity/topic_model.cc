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

using Sums = std::array<int32_t, 8>;

void Add(const std::array<int8_t, 8>& row, Sums& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += row[i];
}

// Sums over all units before each, so that a window costs one subtraction.
struct Prefix {
  std::vector<Sums> all, with_person;
  std::vector<uint32_t> han, persons;
};

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

UnitRows RowsOf(const std::vector<Unit>& units, size_t at, bool persons) {
  const auto hash = [&](size_t back) -> uint32_t { return back > at ? 1u : units[at - back].hash; };
  UnitRows out;
  const auto add = [&out](uint32_t value) { out.rows[out.count++] = Row(value); };
  const uint32_t h = hash(0);
  const uint32_t two = MixHash(hash(1), h);
  const uint32_t three = MixHash(hash(2), two);
  add(MixHash(201, h));
  add(MixHash(202, two));
  add(MixHash(203, three));
  const bool han = units[at].kind == UnitKind::kHan;
  if (han) add(MixHash(204, MixHash(hash(3), three)));
  if (!han) add(MixHash(205, MixHash(hash(2), h)));
  if (persons) {
    out.person_rows[out.person_count++] = Row(MixHash(211, h));
    out.person_rows[out.person_count++] = Row(MixHash(212, two));
  }
  return out;
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
  Prefix prefix;
  prefix.all.resize(units.size() + 1);
  prefix.with_person.resize(persons ? units.size() + 1 : 0);
  prefix.han.resize(units.size() + 1);
  prefix.persons.resize(units.size() + 1);
  for (size_t at = 0; at < units.size(); ++at) {
    const UnitRows rows = RowsOf(units, at, persons);
    prefix.all[at + 1] = prefix.all[at];
    for (size_t i = 0; i < rows.count; ++i) Add(rows_[rows.rows[i]], prefix.all[at + 1]);
    if (persons) {
      prefix.with_person[at + 1] = prefix.with_person[at];
      for (size_t i = 0; i < rows.person_count; ++i) Add(rows_[rows.person_rows[i]], prefix.with_person[at + 1]);
    }
    prefix.han[at + 1] = prefix.han[at] + (units[at].kind == UnitKind::kHan ? 1 : 0);
    prefix.persons[at + 1] = prefix.persons[at] + (units[at].kind == UnitKind::kPerson ? 1 : 0);
  }
  std::array<float, kTopics> highest;
  highest.fill(-1e9f);
  ForEachWindow(units, [&](const UnitWindow& window) {
    const size_t count = window.last - window.first;
    const size_t han = prefix.han[window.last] - prefix.han[window.first];
    const bool person = prefix.persons[window.last] > prefix.persons[window.first];
    const auto& bias = bias_[han * 4 > count ? 0 : 1];
    const float norm = 1.0f / WindowNorm(count);
    for (size_t topic = 0; topic < kTopics; ++topic) {
      int32_t sum = prefix.all[window.last][topic] - prefix.all[window.first][topic];
      if (person) sum += prefix.with_person[window.last][topic] - prefix.with_person[window.first][topic];
      const float value = bias[topic] + scale_[topic] * static_cast<float>(sum) * norm;
      if (value <= highest[topic]) continue;
      highest[topic] = value;
      best[topic].begin = units[window.first].begin;
      best[topic].end = units[window.last - 1].end;
    }
  });
  for (size_t topic = 0; topic < kTopics; ++topic) {
    best[topic].probability = 1.0f / (1.0f + std::exp(-highest[topic]));
  }
  return best;
}

}  // namespace headgate::router
