// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/name_tagger.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headgate::router {
namespace {

constexpr std::string_view kMagic = "HGNT0002";
constexpr size_t kFileTags = NameTagger::kTags - 1;  // O is the zero that the others are measured against
// A window begins this many units before a cue, and ends where nothing is likelier to be a name than not, as many after
// the last one.
constexpr size_t kCueBefore = 4, kCueAfter = 3;
constexpr uint32_t kFirstSeed = 101;  // of the features, the unit's own; the others follow
constexpr size_t kStepsKept = 128;  // room for those of most texts
constexpr int16_t kNever = -12000;  // far below what weights add up to, and far from the end of 16 bits

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

// What features are made of, one beside the other: those beyond the text's ends read as one and the same.
class Around {
 public:
  Around(const Unit* units, size_t count) : hashes_(count + 2 * kPad, 2u), kinds_(count + 2 * kPad, 15u) {
    for (size_t i = 0; i < kPad; ++i) hashes_[i] = 1;
    for (size_t i = 0; i < count; ++i) {
      hashes_[i + kPad] = units[i].hash;
      kinds_[i + kPad] = static_cast<uint32_t>(units[i].kind);
    }
  }
  // The rows of the four units from `at` on: by feature.
  using Rows = std::array<Hashes, NameTagger::kFeatures>;
  Rows RowsAt(size_t at) const {
    const auto of = [&](const std::vector<uint32_t>& values, size_t i) {
      Hashes four;
      std::memcpy(&four, &values[at + kPad - 2 + i], sizeof(four));
      return four;
    };
    const Hashes before_last = of(hashes_, 0), before = of(hashes_, 1), here = of(hashes_, 2), after = of(hashes_, 3),
                 after_next = of(hashes_, 4);
    const Hashes kinds = of(kinds_, 0) << 16 | of(kinds_, 1) << 12 | of(kinds_, 2) << 8 | of(kinds_, 3) << 4 |
                         of(kinds_, 4);
    const Hashes features[] = {here,
                               before,
                               after,
                               before_last,
                               after_next,
                               MixHashes(before, here),
                               MixHashes(here, after),
                               MixHashes(before, after),
                               kinds,
                               MixHashes(before_last, before),
                               MixHashes(after, after_next),
                               MixHashes(kinds, before)};
    Rows rows;
#pragma GCC unroll 12
    for (size_t i = 0; i < NameTagger::kFeatures; ++i) {
      const Hashes seed = Hashes{} + (kFirstSeed + static_cast<uint32_t>(i));
      rows[i] = (MixHashes(seed, features[i]) >> 7) & static_cast<uint32_t>(NameTagger::kRows - 1);
    }
    return rows;
  }

 private:
  static constexpr size_t kPad = 8;  // two units and whole fours behind them
  std::vector<uint32_t> hashes_, kinds_;
};

}  // namespace

std::string WordSet::Bytes() const {
  std::string bytes(kBits / 8, '\0');
  for (size_t i = 0; i < kBits; ++i) bytes[i / 8] = static_cast<char>(bytes[i / 8] | (bits_[i] ? 1 << (i % 8) : 0));
  return bytes;
}

void WordSet::Read(std::string_view bytes) {
  for (size_t i = 0; i < kBits; ++i) bits_[i] = (static_cast<uint8_t>(bytes[i / 8]) >> (i % 8) & 1) != 0;
}

void MarkNewWords(const WordSet& words, std::vector<Unit>& units) {
  for (Unit& unit : units) {
    if (unit.kind != UnitKind::kCapital && unit.kind != UnitKind::kUpper) continue;
    if (unit.end - unit.begin < 2 || words.Has(unit.hash)) continue;
    unit.kind = unit.kind == UnitKind::kCapital ? UnitKind::kNewCapital : UnitKind::kNewUpper;
  }
}

absl::StatusOr<NameTagger> NameTagger::Load(std::string_view bytes) {
  constexpr size_t kSize = 8 + kTags * kTags * sizeof(int16_t) + sizeof(int16_t) + sizeof(float) + kRows * kFileTags +
                           WordSet::kBits / 8;
  if (bytes.size() != kSize || bytes.substr(0, 8) != kMagic) {
    return absl::InvalidArgumentError("weights of the name tagger: not a file of this version");
  }
  bytes.remove_prefix(8);
  NameTagger tagger;
  for (size_t from = 0; from < kTags; ++from) {
    Lanes& to = tagger.transitions_[from];
    to = Lanes{} + kNever;
    for (size_t tag = 0; tag < kTags; ++tag) {
      const auto value = std::clamp<int16_t>(Read<int16_t>(bytes), -4000, 4000);
      // Inside only follows begin or inside of the same type.
      if (tag == 0 || Begins(tag) || (from != 0 && TypeOf(from) == TypeOf(tag))) to[tag] = value;
    }
  }
  const auto cue = Read<int16_t>(bytes);
  tagger.unit_scale_ = Read<float>(bytes);
  tagger.rows_.resize(kRows);
  for (size_t i = 0; i < kRows; ++i) {
    auto& row = tagger.rows_[i];
    row.fill(0);
    std::memcpy(&row[1], bytes.data(), kFileTags);
    bytes.remove_prefix(kFileTags);
    tagger.cues_[i] = *std::max_element(row.begin() + 1, row.begin() + kTags) > cue;
  }
  tagger.words_.Read(bytes);
  return tagger;
}

std::array<uint32_t, NameTagger::kFeatures> NameTagger::Features(const std::vector<Unit>& units, size_t at) {
  // Those near it, as what stands beyond the ends reads otherwise than a unit.
  constexpr size_t kNear = 2;
  const size_t first = at - std::min(at, kNear), end = std::min(units.size(), at + kNear + 1);
  const Around::Rows of = Around(units.data() + first, end - first).RowsAt(at - first);
  std::array<uint32_t, kFeatures> rows;
  for (size_t i = 0; i < kFeatures; ++i) rows[i] = of[i][0];
  return rows;
}

// One text's, while it is read.
struct NameTagger::Reading {
  const std::vector<Unit>& units;
  const Around around;
  std::vector<Step> steps = {};    // of a window
  std::vector<uint8_t> tags = {};  // of its units
  std::vector<NameSpan> spans = {};
};

bool NameTagger::IsCue(const std::vector<Unit>& units, size_t at, uint32_t row) const {
  const Unit& unit = units[at];
  const auto capital = [&](size_t i) {
    return i < units.size() && (units[i].kind == UnitKind::kNewCapital || units[i].kind == UnitKind::kCapital);
  };
  if (unit.kind == UnitKind::kNewCapital && (capital(at + 1) || (at > 0 && capital(at - 1)))) return true;
  const bool word = unit.kind <= UnitKind::kDigits || unit.kind >= UnitKind::kNewCapital;
  return word && cues_[row];
}

std::vector<NameSpan> NameTagger::Tag(std::vector<Unit>& units) const {
  MarkNewWords(words_, units);
  Reading reading{units, Around(units.data(), units.size())};
  reading.steps.reserve(std::min(units.size(), kStepsKept));
  for (size_t at = 0, read = 0; at < units.size(); ++at) {
    if (!IsCue(units, at, (MixHash(kFirstSeed, units[at].hash) >> 7) & (kRows - 1))) continue;
    at = read = TagFrom(reading, std::max(at > kCueBefore ? at - kCueBefore : 0, read), at);
  }
  return std::move(reading.spans);
}

// Reads the window of the cue at `cue` and of those that follow at once; returns its last unit. Scores are relative to
// that of O, which every tag leads to, so that 16 bits are enough for any length.
size_t NameTagger::TagFrom(Reading& reading, size_t first, size_t cue) const {
  using Bytes = int8_t __attribute__((vector_size(8)));
  const std::vector<Unit>& units = reading.units;
  std::vector<Step>& steps = reading.steps;
  steps.clear();
  Lanes score = Lanes{} + kNever;
  score[0] = 0;  // nothing goes on from before the window
  // The weights of the next units are on their way while four are read: they lie all over a megabyte.
  constexpr size_t kFour = 4;
  std::array<Around::Rows, 2> rows;
  const auto fetch = [&](size_t at) {
    if (at >= units.size()) return;
    Around::Rows& four = rows[(at - first) / kFour % 2];
    four = reading.around.RowsAt(at);
    for (const Hashes& feature : four) {
#pragma GCC unroll 4
      for (size_t i = 0; i < kFour; ++i) __builtin_prefetch(&rows_[feature[i]]);
    }
  };
  fetch(first);
  size_t at = first;
  for (;; ++at) {
    const size_t in_four = (at - first) % kFour;
    if (in_four == 0) fetch(at + kFour);
    const Around::Rows& of = rows[(at - first) / kFour % 2];
    if (at > cue && IsCue(units, at, of[0][in_four])) cue = at;
    Step& step = steps.emplace_back();
    Lanes emission{};
#pragma GCC unroll 12
    for (size_t i = 0; i < kFeatures; ++i) {
      Bytes bytes;
      std::memcpy(&bytes, rows_[of[i][in_four]].data(), sizeof(bytes));
      emission += __builtin_convertvector(bytes, Lanes);
    }
    Lanes best = score[0] + transitions_[0];
#pragma GCC unroll 6
    for (size_t tag = 1; tag < kTags; ++tag) {
      const Lanes value = score[tag] + transitions_[tag];
      best = value > best ? value : best;
    }
    step.emission = emission;
    step.best = best;
    best += emission;
    best -= best[0];
    step.score = score = best > kNever ? best : Lanes{} + kNever;
    if (at + 1 == units.size()) break;
    if (at < cue + kCueAfter) continue;
    const Lanes higher = score > 0;  // than O
    std::array<uint64_t, 2> halves;
    std::memcpy(&halves, &higher, sizeof(halves));
    if ((halves[0] | halves[1]) == 0) break;
  }
  size_t tag = 0;
  for (size_t other = 1; other < kTags; ++other) {
    if (score[other] > score[tag]) tag = other;
  }
  ReadSpans(reading, first, tag);
  return at;
}

// The tag before that of a window's unit: the first of those that lead to it best.
size_t NameTagger::TagBefore(const Reading& reading, size_t step, size_t tag) const {
  const int16_t best = reading.steps[step].best[tag];
  for (size_t before = 0; before + 1 < kTags; ++before) {
    const int16_t score = step > 0 ? reading.steps[step - 1].score[before] : before == 0 ? int16_t{0} : kNever;
    if (static_cast<int16_t>(score + transitions_[before][tag]) == best) return before;
  }
  return kTags - 1;
}

// `tag`: of the last unit.
void NameTagger::ReadSpans(Reading& reading, size_t first, size_t tag) const {
  const std::vector<Unit>& units = reading.units;
  const std::vector<Step>& steps = reading.steps;
  std::vector<uint8_t>& tags = reading.tags;
  const size_t count = steps.size();
  tags.resize(count);
  for (size_t i = count; i-- > 0;) {
    tags[i] = static_cast<uint8_t>(tag);
    tag = TagBefore(reading, i, tag);
  }
  for (size_t i = 0; i < count;) {
    if (tags[i] == 0) {
      ++i;
      continue;
    }
    size_t end = i + 1;
    int64_t margin = steps[i].emission[tags[i]];
    while (end < count && tags[end] == tags[i] + (Begins(tags[i]) ? 1 : 0) && !Begins(tags[end])) {
      margin += steps[end].emission[tags[end]];
      ++end;
    }
    // No person's name ends in a comma.
    const auto type = static_cast<NameType>(TypeOf(tags[i]));
    size_t last = end;
    const auto sign = [&](size_t at) { return units[first + at].kind == UnitKind::kSign; };
    while (type != NameType::kAddress && last > i + 1 && sign(last - 1)) --last;
    const float mean = static_cast<float>(margin) / static_cast<float>(end - i);
    reading.spans.push_back({type, first + i, first + last, units[first + i].begin, units[first + last - 1].end,
                     1.0f / (1.0f + std::exp(-mean * unit_scale_))});
    i = end;
  }
}

}  // namespace headgate::router
