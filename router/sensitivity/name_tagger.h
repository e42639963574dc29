// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// NameTagger: finds names of persons and street addresses. A sequence model over text units (averaged perceptron,
// Viterbi; Collins 2002), read from checked-in weights that tools/train makes. It runs only around units that its own
// weights hold for part of a name (cues), so ordinary text costs one look-up a unit.
//
// Public figures and characters have a type of their own: their names are no private data by themselves.
//
// Thread-safety: immutable after Load; Tag from any thread.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "router/sensitivity/text_units.h"

namespace headgate::router {

enum class NameType : uint8_t { kPerson, kPublicPerson, kAddress };

struct NameSpan {
  NameType type = NameType::kPerson;
  size_t first = 0, last = 0;  // units, end exclusive
  size_t begin = 0, end = 0;   // bytes of the canonical text
  float score = 0;             // 0..1
};

// Words that are written with a small letter: a capitalised word that is not among them is most often a name. A Bloom
// filter over Unit::hash: one in forty other words counts as held.
class WordSet {
 public:
  static constexpr size_t kBits = size_t{1} << 19;
  void Add(uint32_t hash) { bits_.set(First(hash)), bits_.set(Second(hash)); }
  bool Has(uint32_t hash) const { return bits_[First(hash)] && bits_[Second(hash)]; }
  // kBits / 8 bytes, as the weights hold them.
  std::string Bytes() const;
  void Read(std::string_view bytes);

 private:
  static size_t First(uint32_t hash) { return (hash ^ (hash >> 13)) & (kBits - 1); }
  static size_t Second(uint32_t hash) { return (MixHash(301, hash) >> 7) & (kBits - 1); }
  std::bitset<kBits> bits_;
};

// kCapital and kUpper become kNewCapital and kNewUpper where `words` does not hold them.
void MarkNewWords(const WordSet& words, std::vector<Unit>& units);

class NameTagger {
 public:
  // O, then begin and inside of each type.
  static constexpr size_t kTags = 7;
  static constexpr size_t kRows = size_t{1} << 17;
  static constexpr size_t kFeatures = 12;

  // INVALID_ARGUMENT when `weights` is no file of this version; its digest was checked before.
  static absl::StatusOr<NameTagger> Load(std::string_view weights);
  // Spans in the order of the text, without overlap. Marks the units by the word set of the weights.
  std::vector<NameSpan> Tag(std::vector<Unit>& units) const;

  // The rows that unit `at` reads; row 0 of the result is the unit's own. For tools/train as well.
  static std::array<uint32_t, kFeatures> Features(const std::vector<Unit>& units, size_t at);

 private:
  // A score a tag, and one that is not used: processors add and compare them at once.
  using Lanes = int16_t __attribute__((vector_size(16)));
  // Of one unit: `best` is what the tags before it lead to with each tag, `score` that and its emission.
  struct Step {
    Lanes emission, best, score;
  };
  struct Reading;
  // `row`: of the unit's own feature.
  bool IsCue(const std::vector<Unit>& units, size_t at, uint32_t row) const;
  size_t TagFrom(Reading& reading, size_t first, size_t cue) const;
  size_t TagBefore(const Reading& reading, size_t step, size_t tag) const;
  void ReadSpans(Reading& reading, size_t first, size_t tag) const;

  WordSet words_;
  std::vector<std::array<int8_t, 8>> rows_;
  std::bitset<kRows> cues_;               // rows of units that begin a cue window
  std::array<Lanes, kTags> transitions_;  // from, to; in units of the weights
  float unit_scale_ = 0;                  // of the mean margin a unit, for the score
};

}  // namespace headgate::router
