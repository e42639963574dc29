// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Text units: canonical text as the models read it. A unit is a Latin word, one Han character (or other letter), a run
// of digits, a sign or a line break; spaces only separate. Words are compared without case and digit runs by their
// length, so that a model learns the shape of a number and never its value.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace headgate::router {

enum class UnitKind : uint8_t {
  kHan,      // one character of a script without spaces
  kLower,    // a word as `patient`
  kCapital,  // `Patient`
  kUpper,    // `PATIENT`, one letter included
  kDigits,
  kSign,
  kLine,           // a line break
  kPerson,         // a name, put in place of its units (topic_model.h)
  kPublicPerson,   // somebody from news, history or fiction
  kAddress,
  kNewCapital,  // a kCapital or kUpper that is in no word list: most often a name (name_tagger.h)
  kNewUpper,
};

struct Unit {
  uint32_t hash = 0;
  uint32_t begin = 0, end = 0;  // bytes of the canonical text
  UnitKind kind = UnitKind::kSign;
  uint32_t stem = 0;  // of a word's first kStemLetters letters: `diagnosed` and `diagnosis` are alike; 0: none
};
inline constexpr size_t kStemLetters = 5;

// Linear; never fails (what is not UTF-8 cannot be in canonical text, and counts as signs).
std::vector<Unit> SplitUnits(std::string_view canonical);

// The end of a sentence or line: units after `at` begin a new segment.
bool EndsSegment(const std::vector<Unit>& units, size_t at);

// One hash of several: the models' feature numbers. `kind` tells features of different kinds apart.
constexpr uint32_t MixHash(uint32_t seed, uint32_t value) {
  uint32_t h = (seed ^ value) * 0x9E3779B1u;
  h ^= h >> 15;
  return h * 0x85EBCA77u + value;
}
// Four at once.
using Hashes = uint32_t __attribute__((vector_size(16)));
inline Hashes MixHashes(Hashes seeds, Hashes values) {
  Hashes h = (seeds ^ values) * 0x9E3779B1u;
  h ^= h >> 15;
  return h * 0x85EBCA77u + values;
}

}  // namespace headgate::router
