// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/train/name_trainer.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace headgate::train {
namespace {

using router::NameTagger;
using router::Unit;

constexpr size_t kTags = NameTagger::kTags;

using Row = std::array<float, kTags>;
using Features = std::array<uint32_t, NameTagger::kFeatures>;

// Weights, and their sums over time for the average (Daume's trick: total of value x time of change).
struct Weights {
  std::vector<Row> rows = std::vector<Row>(NameTagger::kRows), row_sums = rows;
  std::array<Row, kTags> moves{}, move_sums{};
  float time = 1;
};

bool Allowed(size_t from, size_t to) { return to == 0 || to % 2 == 1 || (from != 0 && (from - 1) / 2 == (to - 1) / 2); }

std::vector<uint8_t> Decode(const Weights& weights, const std::vector<Features>& features) {
  const size_t count = features.size();
  std::vector<std::array<uint8_t, kTags>> from(count);
  Row score{};
  for (size_t i = 0; i < count; ++i) {
    Row sum{}, next{};
    for (const uint32_t row : features[i]) {
      for (size_t tag = 0; tag < kTags; ++tag) sum[tag] += weights.rows[row][tag];
    }
    for (size_t to = 0; to < kTags; ++to) {
      float best = -1e30f;
      for (size_t tag = 0; tag < kTags; ++tag) {
        if (!Allowed(tag, to) || (i == 0 && tag != 0)) continue;
        const float value = score[tag] + weights.moves[tag][to];
        if (value > best) best = value, from[i][to] = static_cast<uint8_t>(tag);
      }
      next[to] = best + sum[to];
    }
    score = next;
  }
  std::vector<uint8_t> tags(count);
  size_t tag = static_cast<size_t>(std::max_element(score.begin(), score.end()) - score.begin());
  for (size_t i = count; i-- > 0;) {
    tags[i] = static_cast<uint8_t>(tag);
    tag = from[i][tag];
  }
  return tags;
}

void Update(Weights& weights, const std::vector<Features>& features, const std::vector<uint8_t>& tags, float step) {
  for (size_t i = 0; i < tags.size(); ++i) {
    for (const uint32_t row : features[i]) {
      weights.rows[row][tags[i]] += step;
      weights.row_sums[row][tags[i]] += step * weights.time;
    }
    const size_t before = i == 0 ? 0 : tags[i - 1];
    weights.moves[before][tags[i]] += step;
    weights.move_sums[before][tags[i]] += step * weights.time;
  }
}

template <typename T>
void Append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// Averages; O is taken off, since only differences decide; scaled so that all but a few fit int8.
std::string Quantised(Weights& weights, const router::WordSet& words) {
  std::vector<float> sizes;
  const auto average = [&](Row& row, const Row& sums) {
    for (size_t tag = 0; tag < kTags; ++tag) row[tag] -= sums[tag] / weights.time;
  };
  for (size_t i = 0; i < weights.rows.size(); ++i) {
    Row& row = weights.rows[i];
    average(row, weights.row_sums[i]);
    for (size_t tag = 1; tag < kTags; ++tag) {
      row[tag] -= row[0];
      if (row[tag] != 0) sizes.push_back(std::fabs(row[tag]));
    }
  }
  std::sort(sizes.begin(), sizes.end());
  const float largest = sizes.empty() ? 1 : sizes[sizes.size() * 9995 / 10000];
  const float scale = 127 / largest;
  std::string out = "HGNT0002";
  for (size_t from = 0; from < kTags; ++from) {
    average(weights.moves[from], weights.move_sums[from]);
    for (size_t to = 0; to < kTags; ++to) {
      const float value = std::clamp(weights.moves[from][to] * scale, -30000.0f, 30000.0f);
      Append(out, static_cast<int16_t>(std::lround(value)));
    }
  }
  Append(out, static_cast<int16_t>(std::lround(1.2f * scale)));  // cue: a unit seen in names more than outside
  Append(out, 0.5f / scale);
  for (const Row& row : weights.rows) {
    for (size_t tag = 1; tag < kTags; ++tag) {
      Append(out, static_cast<int8_t>(std::lround(std::clamp(row[tag] * scale, -127.0f, 127.0f))));
    }
  }
  return out + words.Bytes();
}

}  // namespace

std::string TrainNames(const std::vector<const Document*>& documents, const router::WordSet& words, int epochs,
                       uint64_t seed) {
  struct Sequence {
    std::vector<Features> features;
    const std::vector<uint8_t>* tags;
  };
  std::vector<Sequence> sequences;
  for (const Document* document : documents) {
    for (size_t field = 0; field < document->tags.size(); ++field) {
      std::vector<Unit> units = document->fields[field];
      router::MarkNewWords(words, units);
      Sequence sequence{{}, &document->tags[field]};
      for (size_t at = 0; at < units.size(); ++at) sequence.features.push_back(NameTagger::Features(units, at));
      if (!units.empty()) sequences.push_back(std::move(sequence));
    }
  }
  Weights weights;
  Dice dice(seed);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (size_t i = sequences.size(); i > 1; --i) std::swap(sequences[i - 1], sequences[dice.Below(i)]);
    for (const Sequence& sequence : sequences) {
      const std::vector<uint8_t> guess = Decode(weights, sequence.features);
      if (guess != *sequence.tags) {
        Update(weights, sequence.features, *sequence.tags, 1);
        Update(weights, sequence.features, guess, -1);
      }
      weights.time += 1;
    }
  }
  return Quantised(weights, words);
}

}  // namespace headgate::train
