// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Drift of a model: mean log-probability of what it says, length of its answers, and how often it refuses, over a fixed
// set of questions, greedily answered. Weights, engine or settings that changed move them.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::services {

// Everyday questions, and some that a careful model refuses. Never changed: a baseline names their digest.
std::vector<std::string> DriftProbes();
// One question a line; at most 1,000.
std::vector<std::string> ProbesOf(std::string_view text);

v1::GenerateRequest ProbeRequest(const std::string& question);

struct ProbeAnswer {
  double logprob_sum = 0;
  int64_t tokens = 0;
  bool refused = false;
};
// UNIMPLEMENTED when the answer has no log-probabilities: it did not come from an engine.
absl::StatusOr<ProbeAnswer> ReadProbeAnswer(const v1::GenerateResponse& response);
// English and Chinese ways to say no at the beginning of an answer.
bool LooksRefused(std::string_view answer);

struct DriftFigures {
  std::string model;
  std::string probes;        // digest of the questions
  int64_t count = 0;
  double mean_logprob = 0;   // of a token, nats
  double answer_tokens = 0;  // mean
  double refusal_rate = 0;   // 0..1
};
DriftFigures FiguresOf(const std::string& model, const std::vector<std::string>& probes,
                       const std::vector<ProbeAnswer>& answers);

std::string BaselineJson(const DriftFigures& figures);
// INVALID_ARGUMENT names file and key.
absl::StatusOr<DriftFigures> ParseBaseline(const std::string& text, const std::string& file);

struct DriftLimits {
  double logprob_change_max = 0.03;  // nats, either way; the same weights asked twice: 0.014 seen
  double length_change_max = 0.10;   // of the mean before
  double refusal_change_max = 0.15;  // of the rate
};
// What moved too far, a line each; other questions cannot be compared, which is one too.
std::vector<std::string> CompareDrift(const DriftLimits& limits, const DriftFigures& before, const DriftFigures& now);

}  // namespace headgate::services
