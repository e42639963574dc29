// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Training text: JSON lines of the generators (`text`, `spans` in bytes) and of tests/golden/detection (`messages`),
// read through the router's own canonical text and units, so that training sees what the router sees.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "router/sensitivity/topic_model.h"

namespace headgate::train {

struct Document {
  std::string id, kind, group, lang;
  bool sensitive = false;
  int topic = -1;                                  // what `kind` is about; -1: none of the topics
  std::vector<std::vector<router::Unit>> fields;   // each text of the request
  std::vector<std::vector<uint8_t>> tags;          // of the units, as NameTagger counts them; empty: not labelled
};

absl::StatusOr<std::vector<Document>> ReadCorpus(const std::string& path);

// The same numbers on every machine.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint32_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>(state_ >> 32);
  }
  size_t Below(size_t n) { return Next() % n; }
  bool Chance(double share) { return Next() < share * 4294967296.0; }

 private:
  uint64_t state_;
};

}  // namespace headgate::train
