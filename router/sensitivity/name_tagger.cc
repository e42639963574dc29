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

// What surrounds a unit: those beyond the text's ends read as one and the same.
struct Around {
  uint32_t before_last, before, here, after, after_next;  // hashes
  uint32_t kinds;
};

// `inside`: two units lie on either side, so that nothing need be looked at twice.
template <bool inside>
Around LookAround(const std::vector<Unit>& units, size_t at) {
  const auto held = [&](ptrdiff_t offset) {
    const auto i = static_cast<ptrdiff_t>(at) + offset;
    return inside || (i >= 0 && i < static_cast<ptrdiff_t>(units.size()));
  };
  const auto hash = [&](ptrdiff_t offset) -> uint32_t {
    if (!held(offset)) return offset < 0 ? 1u : 2u;
    return units[static_cast<size_t>(static_cast<ptrdiff_t>(at) + offset)].hash;
  };
  const auto kind = [&](ptrdiff_t offset) -> uint32_t {
    if (!held(offset)) return 15u;
    return static_cast<uint32_t>(units[static_cast<size_t>(static_cast<ptrdiff_t>(at) + offset)].kind);
  };
  return {hash(-2), hash(-1), hash(0), hash(1), hash(2),
          kind(-2) << 16 | kind(-1) << 12 | kind(0) << 8 | kind(1) << 4 | kind(2)};
}

// Four hashes at once, each as MixHash makes it.
using Hashes = uint32_t __attribute__((vector_size(16)));
Hashes MixHashes(Hashes seeds, Hashes values) {
  Hashes h = (seeds ^ values) * 0x9E3779B1u;
  h ^= h >> 15;
  return h * 0x85EBCA77u + values;
}

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
  const bool inside = at >= 2 && at + 2 < units.size();
  const Around u = inside ? LookAround<true>(units, at) : LookAround<false>(units, at);
  // The pairs (before, here), (here, after), (before, after), (before_last, before); then two more.
  const Hashes pairs = MixHashes(Hashes{u.before, u.here, u.before, u.before_last},
                                 Hashes{u.here, u.after, u.after, u.before});
  const Hashes rest = MixHashes(Hashes{u.after, u.kinds, 0, 0}, Hashes{u.after_next, u.before, 0, 0});
  const Hashes features[] = {
      MixHashes(Hashes{101, 102, 103, 104}, Hashes{u.here, u.before, u.after, u.before_last}),
      MixHashes(Hashes{105, 106, 107, 108}, Hashes{u.after_next, pairs[0], pairs[1], pairs[2]}),
      MixHashes(Hashes{109, 110, 111, 112}, Hashes{u.kinds, pairs[3], rest[0], rest[1]}),
  };
  std::array<uint32_t, kFeatures> rows;
  for (size_t i = 0; i < std::size(features); ++i) {
    const Hashes four = (features[i] >> 7) & static_cast<uint32_t>(kRows - 1);
    std::memcpy(&rows[4 * i], &four, sizeof(four));
  }
  return rows;
}

bool NameTagger::IsCue(const std::vector<Unit>& units, size_t at) const {
  const Unit& unit = units[at];
  const auto capital = [&](size_t i) {
    return i < units.size() && (units[i].kind == UnitKind::kNewCapital || units[i].kind == UnitKind::kCapital);
  };
  if (unit.kind == UnitKind::kNewCapital && (capital(at + 1) || (at > 0 && capital(at - 1)))) return true;
  const bool word = unit.kind <= UnitKind::kDigits || unit.kind >= UnitKind::kNewCapital;
  return word && cues_[(MixHash(101, unit.hash) >> 7) & (kRows - 1)];
}

std::vector<NameSpan> NameTagger::Tag(std::vector<Unit>& units) const {
  MarkNewWords(words_, units);
  std::vector<NameSpan> spans;
  std::vector<Step> steps;
  steps.reserve(std::min(units.size(), kStepsKept));
  for (size_t at = 0, read = 0; at < units.size(); ++at) {
    if (!IsCue(units, at)) continue;
    at = read = TagFrom(units, std::max(at > kCueBefore ? at - kCueBefore : 0, read), at, steps, spans);
  }
  return spans;
}

NameTagger::Lanes NameTagger::Emission(const std::array<uint32_t, kFeatures>& features) const {
  using Bytes = int8_t __attribute__((vector_size(8)));
  Lanes sum{};
  for (const uint32_t row : features) {
    Bytes bytes;
    std::memcpy(&bytes, rows_[row].data(), sizeof(bytes));
    sum += __builtin_convertvector(bytes, Lanes);
  }
  return sum;
}

// Reads the window of the cue at `cue` and of those that follow at once; returns its last unit. Scores are relative to
// that of O, which every tag leads to, so that 16 bits are enough for any length.
size_t NameTagger::TagFrom(const std::vector<Unit>& units, size_t first, size_t cue, std::vector<Step>& steps,
                           std::vector<NameSpan>& spans) const {
  steps.clear();
  Lanes score = Lanes{} + kNever;
  score[0] = 0;  // nothing goes on from before the window
  // The rows of the next units are on their way while one is read: they lie all over a megabyte.
  constexpr size_t kAhead = 2;
  std::array<std::array<uint32_t, kFeatures>, kAhead> ahead;
  const auto fetch = [&](size_t i) {
    if (i >= units.size()) return;
    ahead[i % kAhead] = Features(units, i);
    for (const uint32_t row : ahead[i % kAhead]) __builtin_prefetch(&rows_[row]);
  };
  size_t at = first;
  for (size_t i = at; i < at + kAhead; ++i) fetch(i);
  for (;; ++at) {
    if (at > cue && IsCue(units, at)) cue = at;
    Step& step = steps.emplace_back();
    step.emission = Emission(ahead[at % kAhead]);
    fetch(at + kAhead);
    Lanes best = score[0] + transitions_[0], from{};
    for (size_t tag = 1; tag < kTags; ++tag) {
      const Lanes value = score[tag] + transitions_[tag];
      const Lanes better = value > best;
      best = better ? value : best;
      from = better ? Lanes{} + static_cast<int16_t>(tag) : from;
    }
    step.from = from;
    best += step.emission;
    best -= best[0];
    score = best > kNever ? best : Lanes{} + kNever;
    if (at + 1 == units.size()) break;
    if (at < cue + kCueAfter) continue;
    int16_t highest = 0;
    for (size_t tag = 1; tag < kTags; ++tag) highest = std::max<int16_t>(highest, score[tag]);
    if (highest == 0) break;
  }
  size_t tag = 0;
  for (size_t other = 1; other < kTags; ++other) {
    if (score[other] > score[tag]) tag = other;
  }
  ReadSpans(units, first, steps, tag, spans);
  return at;
}

// `tag`: of the last unit.
void NameTagger::ReadSpans(const std::vector<Unit>& units, size_t first, const std::vector<Step>& steps, size_t tag,
                           std::vector<NameSpan>& spans) const {
  const size_t count = steps.size();
  std::vector<uint8_t> tags(count);
  for (size_t i = count; i-- > 0;) {
    tags[i] = static_cast<uint8_t>(tag);
    tag = static_cast<size_t>(steps[i].from[tag]);
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
    spans.push_back({type, first + i, first + last, units[first + i].begin, units[first + last - 1].end,
                     1.0f / (1.0f + std::exp(-mean * unit_scale_))});
    i = end;
  }
}

}  // namespace headgate::router
