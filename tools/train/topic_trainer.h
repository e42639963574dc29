// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Trains the topic model: logistic regression by AdaGrad on the highest-scoring window of each text (multiple-instance
// learning), one output a topic, then int8. A sensitive text of another kind teaches a topic nothing: it may be both.
//
// Thread-safety: a TopicTrainer belongs to one thread.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tools/train/corpus.h"

namespace headgate::train {

// A document with its names replaced, as rows and windows.
struct Example {
  const Document* document;
  struct Field {
    std::vector<router::UnitRows> units;
    std::vector<uint8_t> person, han;
    std::vector<router::UnitWindow> windows;
  };
  std::vector<Field> fields;
};
Example MakeExample(const Document& document, const router::NameTagger& names);

class TopicTrainer {
 public:
  explicit TopicTrainer(uint64_t seed) : dice_(seed) {}
  void Train(const std::vector<const Example*>& examples, int epochs);
  // Adds the weights of `other`, as if there were one more model to ask: what chance decided in each evens out.
  // `count`: how many models it is then the mean of.
  void Blend(const TopicTrainer& other, size_t count);

  struct Highest {
    std::array<float, router::kTopics> score;  // logits
    std::array<bool, router::kTopics> han;     // the winning window's script
  };
  Highest Score(const Example& example) const;
  // `shift[0]` for windows in Han script, `shift[1]` for others: added to the logits.
  std::string Weights(const std::array<std::array<float, router::kTopics>, 2>& shift) const;

 private:
  using Row = std::array<float, 8>;
  struct Choice {
    float score = -1e9f;
    size_t field = 0;
    router::UnitWindow window;
    bool person = false;
  };
  using Choices = std::array<Choice, router::kTopics>;

  Choices Choose(const Example& example, const std::vector<std::vector<uint8_t>>* dropped, bool longest) const;
  void Step(const Example& example, const Choice& choice, const std::vector<uint8_t>& dropped, size_t topic,
            float target);

  std::vector<Row> rows_ = std::vector<Row>(router::TopicModel::kRows);
  std::vector<Row> squares_ = std::vector<Row>(router::TopicModel::kRows, Row{});
  Row bias_{-1, -1, -1, -1, -1, -1, 0, 0};
  Dice dice_;
};

}  // namespace headgate::train
