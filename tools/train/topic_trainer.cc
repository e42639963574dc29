// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/train/topic_trainer.h"

#include <algorithm>
#include <cmath>

namespace headgate::train {
namespace {

using router::kTopics;
using router::TopicModel;
using router::Unit;
using router::UnitKind;
using router::UnitWindow;

// The decay takes from rows what only a few texts gave them: what they would add up to in long texts of other people.
constexpr float kRate = 0.25f, kDecay = 2e-4f;
// Of a text's many windows only the highest counts, so that an ordinary one must be pushed down harder.
constexpr float kOrdinaryWeight = 2.0f;
// How much faster than pairs and triples of them single words and their stems learn: what a pair adds is only what its
// words do not tell, and texts of other people share words more often than pairs. A single Han character tells little.
using Rates = std::array<float, router::UnitRows::kUnitRows>;
constexpr Rates kWordRates = {3.0f, 1.0f, 1.0f, 2.0f}, kHanRates = {1.0f, 1.0f, 1.0f, 1.0f};
constexpr double kDrop = 0.12;  // share of units left out of a step, so that no single word decides

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

Example MakeExample(const Document& document, const router::NameTagger& names) {
  Example example{&document, {}};
  for (std::vector<Unit> raw : document.fields) {
    const std::vector<router::NameSpan> spans = names.Tag(raw);
    const std::vector<Unit> units = router::ReplaceNames(raw, spans);
    Example::Field field;
    const bool persons =
        std::any_of(units.begin(), units.end(), [](const Unit& unit) { return unit.kind == UnitKind::kPerson; });
    for (size_t at = 0; at < units.size(); ++at) {
      field.units.push_back(router::RowsOf(units, at, persons));
      field.person.push_back(units[at].kind == UnitKind::kPerson);
      field.han.push_back(units[at].kind == UnitKind::kHan);
    }
    router::ForEachWindow(units, [&](const UnitWindow& window) { field.windows.push_back(window); });
    if (!units.empty()) example.fields.push_back(std::move(field));
  }
  return example;
}

// `longest`: not the highest but the longest window, for the first steps, when scores mean nothing yet.
TopicTrainer::Choices TopicTrainer::Choose(const Example& example, const std::vector<std::vector<uint8_t>>* dropped,
                                           bool longest) const {
  Choices choices;
  for (size_t f = 0; f < example.fields.size(); ++f) {
    const Example::Field& field = example.fields[f];
    std::vector<Row> all(field.units.size() + 1), with_person(field.units.size() + 1);
    std::vector<uint32_t> persons(field.units.size() + 1);
    for (size_t at = 0; at < field.units.size(); ++at) {
      all[at + 1] = all[at];
      with_person[at + 1] = with_person[at];
      persons[at + 1] = persons[at] + field.person[at];
      if (dropped != nullptr && (*dropped)[f][at] != 0) continue;
      const router::UnitRows& unit = field.units[at];
      for (size_t i = 0; i < unit.count; ++i) {
        for (size_t t = 0; t < kTopics; ++t) all[at + 1][t] += rows_[unit.rows[i]][t];
      }
      for (size_t i = 0; i < unit.person_count; ++i) {
        for (size_t t = 0; t < kTopics; ++t) with_person[at + 1][t] += rows_[unit.person_rows[i]][t];
      }
    }
    for (const UnitWindow& window : field.windows) {
      const bool person = persons[window.last] > persons[window.first];
      const auto length = static_cast<float>(window.last - window.first);
      const float norm = 1 / router::WindowNorm(window.last - window.first);
      for (size_t t = 0; t < kTopics; ++t) {
        float sum = all[window.last][t] - all[window.first][t];
        if (person) sum += with_person[window.last][t] - with_person[window.first][t];
        const float score = longest ? length : bias_[t] + sum * norm;
        if (score > choices[t].score) choices[t] = {score, f, window, person};
      }
    }
  }
  return choices;
}

void TopicTrainer::Step(const Example& example, const Choice& choice, const std::vector<uint8_t>& dropped,
                        size_t topic, float target) {
  const Example::Field& field = example.fields[choice.field];
  const float norm = 1 / router::WindowNorm(choice.window.last - choice.window.first);
  float sum = 0;
  const auto each = [&](const auto& visit) {
    for (size_t at = choice.window.first; at < choice.window.last; ++at) {
      if (dropped[at] != 0) continue;
      const router::UnitRows& unit = field.units[at];
      const auto& rates = field.han[at] != 0 ? kHanRates : kWordRates;
      for (size_t i = 0; i < unit.count; ++i) visit(unit.rows[i], rates[i]);
      for (size_t i = 0; choice.person && i < unit.person_count; ++i) visit(unit.person_rows[i], 1.0f);
    }
  };
  each([&](uint32_t row, float) { sum += rows_[row][topic]; });
  const float error = Sigmoid(bias_[topic] + sum * norm) - target;
  if (std::fabs(error) < 0.02f) return;
  bias_[topic] -= 0.01f * error;
  const float gradient = error * norm * (target == 0 ? kOrdinaryWeight : 1.0f);
  each([&](uint32_t row, float rate) {
    float& weight = rows_[row][topic];
    float& square = squares_[row][topic];
    square += gradient * gradient;
    weight -= rate * kRate * gradient / (std::sqrt(square) + 0.02f) + kDecay * weight;
  });
}

void TopicTrainer::Train(const std::vector<const Example*>& examples, int epochs) {
  std::vector<const Example*> order = examples;
  std::vector<std::vector<uint8_t>> dropped;
  // The mean of what the later epochs end with: the order of the last examples decides less.
  const int first_counted = epochs / 2;
  std::vector<Row> sums(rows_.size(), Row{});
  Row bias_sums{};
  const auto add = [](Row& sum, const Row& row) {
    for (size_t t = 0; t < row.size(); ++t) sum[t] += row[t];
  };
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[dice_.Below(i)]);
    for (const Example* example : order) {
      if (example->fields.empty()) continue;
      dropped.resize(example->fields.size());
      for (size_t f = 0; f < example->fields.size(); ++f) {
        dropped[f].assign(example->fields[f].units.size(), 0);
        for (uint8_t& drop : dropped[f]) drop = dice_.Chance(kDrop);
      }
      const Document& document = *example->document;
      const Choices choices = Choose(*example, &dropped, epoch == 0 && document.sensitive);
      for (size_t topic = 0; topic < kTopics; ++topic) {
        const bool is = document.topic == static_cast<int>(topic);
        if (document.sensitive && !is) continue;
        Step(*example, choices[topic], dropped[choices[topic].field], topic, is ? 1.0f : 0.0f);
      }
    }
    if (epoch < first_counted) continue;
    for (size_t i = 0; i < rows_.size(); ++i) add(sums[i], rows_[i]);
    add(bias_sums, bias_);
  }
  const auto counted = static_cast<float>(epochs - first_counted);
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (size_t t = 0; t < kTopics; ++t) rows_[i][t] = sums[i][t] / counted;
  }
  for (size_t t = 0; t < kTopics; ++t) bias_[t] = bias_sums[t] / counted;
}

void TopicTrainer::Blend(const TopicTrainer& other, size_t count) {
  const float share = 1.0f / static_cast<float>(count);
  const auto blend = [share](Row& row, const Row& more) {
    for (size_t t = 0; t < row.size(); ++t) row[t] += (more[t] - row[t]) * share;
  };
  for (size_t i = 0; i < rows_.size(); ++i) blend(rows_[i], other.rows_[i]);
  blend(bias_, other.bias_);
}

TopicTrainer::Highest TopicTrainer::Score(const Example& example) const {
  Highest highest;
  const Choices choices = Choose(example, nullptr, false);
  for (size_t t = 0; t < kTopics; ++t) {
    highest.score[t] = choices[t].score;
    size_t han = 0;
    const UnitWindow& window = choices[t].window;
    if (!example.fields.empty()) {
      const Example::Field& field = example.fields[choices[t].field];
      for (size_t at = window.first; at < window.last; ++at) han += field.han[at];
    }
    highest.han[t] = han * 4 > window.last - window.first;
  }
  return highest;
}

std::string TopicTrainer::Weights(const std::array<std::array<float, kTopics>, 2>& shift) const {
  std::string out = "HGTM0002";
  const auto append = [&out](float value) { out.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  std::array<float, kTopics> scale;
  for (size_t t = 0; t < kTopics; ++t) {
    std::vector<float> sizes;
    for (const Row& row : rows_) {
      if (row[t] != 0) sizes.push_back(std::fabs(row[t]));
    }
    std::sort(sizes.begin(), sizes.end());
    scale[t] = sizes.empty() ? 1.0f : std::max(sizes[sizes.size() * 9998 / 10000] / 127, 1e-6f);
    append(scale[t]);
  }
  for (const auto& language : shift) {
    for (size_t t = 0; t < kTopics; ++t) append(bias_[t] + language[t]);
  }
  for (const Row& row : rows_) {
    for (size_t t = 0; t < kTopics; ++t) {
      out.push_back(static_cast<char>(std::lround(std::clamp(row[t] / scale[t], -127.0f, 127.0f))));
    }
  }
  return out;
}

}  // namespace headgate::train
