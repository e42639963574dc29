// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate-train: corpora in, weights and their digests out. `make train` calls it; docs/model-card.md tells the rest.
//
//   headgate-train OUT_DIR REPORT_DIR --words FILE --train FILE... --tune FILE...
//
// `tune` files are trained on too, but first predicted in five folds: thresholds and the printed figures come from
// those predictions, so no text sets its own threshold.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>

#include "common/digest.h"
#include "tools/train/name_trainer.h"
#include "tools/train/topic_trainer.h"

namespace headgate::train {
namespace {

using router::kTopics;
using Shift = std::array<std::array<float, kTopics>, 2>;

constexpr uint64_t kSeed = 20261122;
constexpr int kNameEpochs = 8, kTopicEpochs = 10, kFolds = 5;
constexpr size_t kModels = 8;  // the topic model is the mean of so many, which differ by their seed
constexpr size_t kTuneWeight = 6;  // people's own words count more than generated ones
// Of ordinary prompts and of hard negatives above a topic's threshold, in Han script and in others. The English ones
// may be looser: at the same shares nothing ordinary of the part of the shared data that is not trained on was flagged.
constexpr double kOrdinaryShare[] = {0.012, 0.012}, kHardShare[] = {0.02, 0.04};
// ... and of those of many windows, whatever their group: each has its highest.
constexpr double kLongShare = 0.03;
constexpr size_t kLongUnits = 150;

// How far a threshold may move from where the model itself is in doubt: it learns ordinary text twice as hard
// (topic_trainer.cc), so that sensitive text lies low. The negatives that decide are few.
constexpr float kZeroMin[] = {-2.0f, -2.0f}, kZeroMax = 1.5f;
// English persons are more often public, invented or nobody than the negatives at hand show.
constexpr float kPersonalZeroMin = -0.9f;
// Taken back from every threshold, in Han script and in others: texts of other authors lie higher than the folds do.
constexpr float kCaution[] = {0.5f, 0.3f};

struct Prediction {
  const Document* document;
  TopicTrainer::Highest highest;
};

float Quantile(std::vector<float> values, double share_above) {
  if (values.empty()) return -1e9f;
  std::sort(values.begin(), values.end());
  const auto index = static_cast<size_t>(static_cast<double>(values.size()) * (1 - share_above));
  return values[std::min(index, values.size() - 1)];
}

size_t Units(const Document& document) {
  size_t units = 0;
  for (const auto& field : document.fields) units += field.size();
  return units;
}

// Moves each topic's zero to where few negatives lie above it, within bounds: a handful of prompts decides no more.
Shift Calibrate(const std::vector<Prediction>& predictions) {
  Shift shift{};
  for (size_t language = 0; language < 2; ++language) {
    for (size_t t = 0; t < kTopics; ++t) {
      std::vector<float> ordinary, hard, many;
      for (const Prediction& p : predictions) {
        if (p.document->sensitive || p.highest.han[t] != (language == 0)) continue;
        (p.document->group == "hard_negative" ? hard : ordinary).push_back(p.highest.score[t]);
        if (Units(*p.document) >= kLongUnits) many.push_back(p.highest.score[t]);
      }
      const float zero = std::max({Quantile(ordinary, kOrdinaryShare[language]), Quantile(hard, kHardShare[language]),
                                   Quantile(many, kLongShare)});
      const bool persons = language == 1 && t == static_cast<size_t>(router::Topic::kPersonal);
      const float least = persons ? kPersonalZeroMin : kZeroMin[language];
      shift[language][t] = -std::clamp(zero, least, kZeroMax) - kCaution[language];
    }
  }
  return shift;
}

void Report(const char* title, const std::vector<Prediction>& predictions, const Shift& shift) {
  std::map<std::string, std::pair<int, int>> counts;
  for (const Prediction& p : predictions) {
    bool any = false;
    for (size_t t = 0; t < kTopics; ++t) any |= p.highest.score[t] + shift[p.highest.han[t] ? 0 : 1][t] >= 0;
    auto& count = counts[p.document->lang + " " + p.document->group + " " +
                         (p.document->sensitive ? p.document->kind : "")];
    ++count.second;
    count.first += any;
  }
  std::cout << title << "\n";
  for (const auto& [name, count] : counts) {
    std::cout << "  " << name << " " << count.first << "/" << count.second << " "
              << static_cast<double>(count.first) / count.second << "\n";
  }
}

// One line a prompt, for reading the errors: id, label, kind, then each topic's score (sensitive from 0 on).
std::string PredictionLines(const std::vector<Prediction>& predictions, const Shift& shift) {
  std::string lines;
  for (const Prediction& p : predictions) {
    lines += p.document->id + "\t" + (p.document->sensitive ? "1" : "0") + "\t" + p.document->kind;
    for (size_t t = 0; t < kTopics; ++t) {
      lines += "\t" + std::to_string(p.highest.score[t] + shift[p.highest.han[t] ? 0 : 1][t]);
    }
    lines += "\n";
  }
  return lines;
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  if (!out.flush()) {
    std::cerr << path << ": cannot be written\n";
    std::exit(1);
  }
}

std::vector<const Example*> Weighted(const std::vector<Example>& train, const std::vector<Example>& tune, int fold) {
  std::vector<const Example*> out;
  for (const Example& example : train) out.push_back(&example);
  for (size_t i = 0; i < tune.size(); ++i) {
    if (static_cast<int>(i % kFolds) == fold) continue;
    for (size_t n = 0; n < kTuneWeight; ++n) out.push_back(&tune[i]);
  }
  return out;
}

// The words of the list, and those that the labelled texts often write with a small letter outside of names.
router::WordSet SmallWords(const std::string& path, const std::vector<Document>& train) {
  constexpr int kOften = 3;
  router::WordSet words;
  std::ifstream in(path);
  for (std::string word; std::getline(in, word);) {
    for (const router::Unit& unit : router::SplitUnits(word)) words.Add(unit.hash);
  }
  std::map<uint32_t, int> counts;
  for (const Document& document : train) {
    for (size_t field = 0; field < document.tags.size(); ++field) {
      for (size_t i = 0; i < document.tags[field].size(); ++i) {
        const router::Unit& unit = document.fields[field][i];
        if (unit.kind == router::UnitKind::kLower && document.tags[field][i] == 0) ++counts[unit.hash];
      }
    }
  }
  for (const auto& [hash, count] : counts) {
    if (count >= kOften) words.Add(hash);
  }
  return words;
}

int Run(const std::string& folder, const std::string& report_folder, const std::string& words,
        const std::vector<Document>& train, const std::vector<Document>& tune) {
  std::vector<const Document*> named;
  for (const auto* corpus : {&train, &tune}) {
    for (const Document& document : *corpus) {
      if (!document.tags.empty()) named.push_back(&document);
    }
  }
  const std::string name_weights = TrainNames(named, SmallWords(words, train), kNameEpochs, kSeed);
  const auto names = router::NameTagger::Load(name_weights);
  std::vector<Example> train_examples, tune_examples;
  for (const Document& document : train) train_examples.push_back(MakeExample(document, *names));
  for (const Document& document : tune) tune_examples.push_back(MakeExample(document, *names));

  std::vector<Prediction> predictions, alone;
  for (int fold = 0; fold < kFolds; ++fold) {
    TopicTrainer trainer(kSeed);
    trainer.Train(Weighted(train_examples, tune_examples, fold), kTopicEpochs);
    for (size_t i = static_cast<size_t>(fold); i < tune.size(); i += kFolds) {
      predictions.push_back({&tune[i], trainer.Score(tune_examples[i])});
    }
  }
  const Shift shift = Calibrate(predictions);
  Report("hand-written prompts, predicted in folds", predictions, shift);
  Write(report_folder + "/folds.tsv", PredictionLines(predictions, shift));
  TopicTrainer generators(kSeed);
  std::vector<const Example*> generated;
  for (const Example& example : train_examples) generated.push_back(&example);
  generators.Train(generated, kTopicEpochs);
  for (const Example& example : tune_examples) alone.push_back({example.document, generators.Score(example)});
  Report("hand-written prompts, predicted from the other corpora alone", alone, shift);

  TopicTrainer trainer(kSeed);
  trainer.Train(Weighted(train_examples, tune_examples, -1), kTopicEpochs);
  for (size_t models = 2; models <= kModels; ++models) {
    TopicTrainer other(kSeed + models - 1);
    other.Train(Weighted(train_examples, tune_examples, -1), kTopicEpochs);
    trainer.Blend(other, models);
  }
  const std::string topic_weights = trainer.Weights(shift);
  for (size_t t = 0; t < kTopics; ++t) std::cout << "shift " << shift[0][t] << " " << shift[1][t] << "\n";
  Write(folder + "/name_tagger.bin", name_weights);
  Write(folder + "/topic_model.bin", topic_weights);
  Write(folder + "/digests.h",
        "// Copyright 2026 The Headgate Authors\n// SPDX-License-Identifier: Apache-2.0\n\n"
        "// SHA-256 of the weights, written by headgate-train. Thread-safety: constants.\n#pragma once\n\n"
        "namespace headgate::router {\n\ninline constexpr char kTopicSha256[] =\n    \"" +
            Hex(Sha256(topic_weights)) + "\";\ninline constexpr char kNameSha256[] =\n    \"" +
            Hex(Sha256(name_weights)) + "\";\n\n}  // namespace headgate::router\n");
  return 0;
}

}  // namespace
}  // namespace headgate::train

int main(int argc, char** argv) {
  using namespace headgate::train;
  std::vector<Document> train, tune;
  std::vector<Document>* corpus = nullptr;
  std::string words;
  for (int i = 3; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--train" || argument == "--tune") {
      corpus = argument == "--train" ? &train : &tune;
      continue;
    }
    if (argument == "--words" && i + 1 < argc) {
      words = argv[++i];
      if (!std::ifstream(words)) {
        std::cerr << "headgate-train: " << words << ": cannot be read\n";
        return 1;
      }
      continue;
    }
    auto read = corpus == nullptr ? absl::InvalidArgumentError("--train or --tune first") : ReadCorpus(argument);
    if (!read.ok()) {
      std::cerr << "headgate-train: " << read.status().message() << "\n";
      return 1;
    }
    for (Document& document : *read) corpus->push_back(std::move(document));
  }
  if (argc < 3 || words.empty() || train.empty() || tune.empty()) {
    std::cerr << "usage: headgate-train OUT_DIR REPORT_DIR --words FILE --train FILE... --tune FILE...\n";
    return 2;
  }
  return Run(argv[1], argv[2], words, train, tune);
}
