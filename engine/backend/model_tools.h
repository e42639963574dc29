// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What is done with a model file before it is served: looked at, quantised, measured, and promoted when it is good
// enough. `headgate model` is made of these.
//
// Perplexity is exp(mean of -ln p) over the tokens of a text after its first, each given all before it in the window.
//
// Thread-safety: plain functions; each takes all threads it is given.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace headgate::engine {

// Names as llama.cpp writes them: Q8_0, Q4_K_M, F16, ...; INVALID_ARGUMENT lists them all.
absl::StatusOr<int> QuantizationOf(const std::string& name);

// Writes `to`, which must not exist, through libllama; nothing is left of it when that fails. `from` may be quantised
// already: what was lost there stays lost. INVALID_ARGUMENT (type, no GGUF, encrypted), ALREADY_EXISTS, INTERNAL.
absl::Status QuantizeModel(const std::string& from, const std::string& to, const std::string& type, int threads);

struct ModelFacts {
  bool encrypted = false;
  int64_t bytes = 0;
  int64_t tensors = 0;
  std::vector<std::pair<std::string, std::string>> metadata;  // scalars; texts cut at 120 bytes
};
// `key` as for LoadModelKey; needed for an encrypted file only.
absl::StatusOr<ModelFacts> InspectModel(const std::string& path, const std::string& key);

struct ModelFigures {
  int64_t bytes = 0;
  int64_t tokens = 0;                    // of the text
  double perplexity = 0;
  double prefill_tokens_per_second = 0;
  double decode_tokens_per_second = 0;   // of one answer
};
// The fixed text of every comparison: some 600 words of our own.
const std::string& EvaluationText();
absl::StatusOr<ModelFigures> EvaluateModel(const std::string& path, const std::string& key, const std::string& text,
                                           int threads);

// What a candidate may lose against the model it was made from.
struct ModelGate {
  double perplexity_rise_max = 0.05;  // 0.05: at most 5 % more
  double size_ratio_max = 1;          // of the bytes before
  double decode_ratio_min = 0;        // of the tokens/s before; noisy on a busy machine, so off
};
// OK, or FAILED_PRECONDITION naming each limit that is broken.
absl::Status CheckGate(const ModelGate& gate, const ModelFigures& before, const ModelFigures& after);

struct Pipeline {
  std::string from;                 // its manifest is checked where there is one
  std::string to;                   // must not exist
  std::string type;
  std::string served;               // the manifest that an engine watches: replaced at the end
  std::string name;                 // served model name; empty = of the manifest of `from`
  std::vector<std::string> copies;  // folders that get a copy of `to` each
  std::string text;                 // empty = EvaluationText
  ModelGate gate;
  int threads = 0;                  // 0 = the cores of this process
};
struct PipelineFigures {
  bool verified = false;            // there was a manifest to verify by
  ModelFigures before;
  ModelFigures after;
};
// verify -> quantise -> evaluate against the gate -> promote. When any of these fails `served` stays as it was and `to`
// is removed. `figures` is filled as far as it went.
absl::Status RunPipeline(const Pipeline& pipeline, PipelineFigures& figures);

}  // namespace headgate::engine
