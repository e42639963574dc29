// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/name_tagger.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headgate::router {
namespace {

constexpr std::string_view kMagic = "HGNT0001";
constexpr size_t kFileTags = NameTagger::kTags - 1;  // O is the zero that the others are measured against
constexpr size_t kCueBefore = 6, kCueAfter = 24;     // units around a cue; an address is longer than a name

// Tag 2t+1 begins type t, 2t+2 is inside of it.
size_t TypeOf(size_t tag) { return (tag - 1) / 2; }
bool Begins(size_t tag) { return tag % 2 == 1; }

template <typename T>
T Read(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

}  // namespace

absl::StatusOr<NameTagger> NameTagger::Load(std::string_view bytes) {
  constexpr size_t kSize = 8 + kTags * kTags * sizeof(int16_t) + sizeof(int16_t) + sizeof(float) + kRows * kFileTags;
  if (bytes.size() != kSize || bytes.substr(0, 8) != kMagic) {
    return absl::InvalidArgumentError("weights of the name tagger: not a file of this version");
  }
  bytes.remove_prefix(8);
  NameTagger tagger;
  for (auto& from : tagger.transitions_) {
    for (int16_t& to : from) to = Read<int16_t>(bytes);
  }
  tagger.cue_ = Read<int16_t>(bytes);
  tagger.unit_scale_ = Read<float>(bytes);
  tagger.rows_.resize(kRows);
  for (auto& row : tagger.rows_) {
    row.fill(0);
    std::memcpy(&row[1], bytes.data(), kFileTags);
    bytes.remove_prefix(kFileTags);
  }
  return tagger;
}

std::array<uint32_t, NameTagger::kFeatures> NameTagger::Features(const std::vector<Unit>& units, size_t at) {
  const auto hash = [&](ptrdiff_t offset) -> uint32_t {
    const auto i = static_cast<ptrdiff_t>(at) + offset;
    return i < 0 ? 1u : i >= static_cast<ptrdiff_t>(units.size()) ? 2u : units[static_cast<size_t>(i)].hash;
  };
  const auto kind = [&](ptrdiff_t offset) -> uint32_t {
    const auto i = static_cast<ptrdiff_t>(at) + offset;
    const bool outside = i < 0 || i >= static_cast<ptrdiff_t>(units.size());
    return outside ? 15u : static_cast<uint32_t>(units[static_cast<size_t>(i)].kind);
  };
  const uint32_t h = hash(0), before = hash(-1), after = hash(1);
  const uint32_t kinds = kind(-2) << 16 | kind(-1) << 12 | kind(0) << 8 | kind(1) << 4 | kind(2);
  const uint32_t pair = MixHash(before, h), next = MixHash(h, after);
  const std::array<uint32_t, kFeatures> features = {
      MixHash(101, h),
      MixHash(102, before),
      MixHash(103, after),
      MixHash(104, hash(-2)),
      MixHash(105, hash(2)),
      MixHash(106, pair),
      MixHash(107, next),
      MixHash(108, MixHash(before, after)),
      MixHash(109, kinds),
      MixHash(110, MixHash(hash(-2), before)),
      MixHash(111, MixHash(after, hash(2))),
      MixHash(112, MixHash(kinds, before)),
  };
  std::array<uint32_t, kFeatures> rows;
  for (size_t i = 0; i < kFeatures; ++i) rows[i] = (features[i] >> 7) & (kRows - 1);
  return rows;
}

std::vector<NameSpan> NameTagger::Tag(const std::vector<Unit>& units) const {
  std::vector<NameSpan> spans;
  size_t first = 0, last = 0;  // the window being collected
  for (size_t at = 0; at < units.size(); ++at) {
    if (units[at].kind > UnitKind::kUpper && units[at].kind != UnitKind::kDigits) continue;
    const auto& row = rows_[(MixHash(101, units[at].hash) >> 7) & (kRows - 1)];
    const int8_t best = *std::max_element(row.begin() + 1, row.begin() + kTags);
    if (best <= cue_) continue;
    const size_t from = at > kCueBefore ? at - kCueBefore : 0;
    if (from > last || last == 0) {
      if (last > first) TagRange(units, first, last, spans);
      first = std::max(from, last);
    }
    last = std::min(units.size(), at + kCueAfter);
  }
  if (last > first) TagRange(units, first, last, spans);
  return spans;
}

void NameTagger::TagRange(const std::vector<Unit>& units, size_t first, size_t last,
                          std::vector<NameSpan>& spans) const {
  const size_t count = last - first;
  std::vector<std::array<int32_t, kTags>> emission(count);
  std::vector<std::array<uint8_t, kTags>> from(count);
  std::array<int32_t, kTags> score{};
  for (size_t i = 0; i < count; ++i) {
    std::array<int32_t, 8> sum{};
    for (const uint32_t row : Features(units, first + i)) {
      for (size_t tag = 0; tag < 8; ++tag) sum[tag] += rows_[row][tag];
    }
    std::array<int32_t, kTags> next;
    for (size_t to = 0; to < kTags; ++to) {
      emission[i][to] = sum[to];
      int32_t best = INT32_MIN;
      for (size_t tag = 0; tag < kTags; ++tag) {
        // Inside only follows begin or inside of the same type.
        const bool inside = to > 0 && !Begins(to);
        if (inside && (i == 0 || tag == 0 || TypeOf(tag) != TypeOf(to))) continue;
        const int32_t value = (i == 0 ? (tag == 0 ? 0 : INT32_MIN / 2) : score[tag]) + transitions_[tag][to];
        if (value > best) best = value, from[i][to] = static_cast<uint8_t>(tag);
      }
      next[to] = best == INT32_MIN ? INT32_MIN / 2 : best + sum[to];
    }
    score = next;
  }
  size_t tag = static_cast<size_t>(std::max_element(score.begin(), score.end()) - score.begin());
  std::vector<uint8_t> tags(count);
  for (size_t i = count; i-- > 0;) {
    tags[i] = static_cast<uint8_t>(tag);
    tag = from[i][tag];
  }
  for (size_t i = 0; i < count;) {
    if (tags[i] == 0) {
      ++i;
      continue;
    }
    size_t end = i + 1;
    int64_t margin = emission[i][tags[i]];
    while (end < count && tags[end] == tags[i] + (Begins(tags[i]) ? 1 : 0) && !Begins(tags[end])) {
      margin += emission[end][tags[end]];
      ++end;
    }
    const float mean = static_cast<float>(margin) / static_cast<float>(end - i);
    spans.push_back({static_cast<NameType>(TypeOf(tags[i])), first + i, first + end, units[first + i].begin,
                     units[first + end - 1].end, 1.0f / (1.0f + std::exp(-mean * unit_scale_))});
    i = end;
  }
}

}  // namespace headgate::router
