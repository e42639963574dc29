// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Scenario: everything a replay needs besides the trace: the router's own decision sections (policy, scaling,
// accounting, read by the router's own readers) and models of an engine replica and of the cloud (`replay`,
// docs/planner.md). Rates are measured or given; a report says which.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "router/config.h"

namespace headgate::planner {

// One replica: prompts are computed one after the other, answers together. Whoever decodes takes at most
// 1 - prefill_share_min of its time while a prompt waits.
struct ReplicaModel {
  double prefill_tokens_per_second = 0;      // of router.scaling
  double decode_tokens_per_second = 0;       // all answers together
  double stream_tokens_per_second = 50;      // one answer alone
  int64_t running_max = 32;                  // answers at a time
  double prefill_share_min = 0.5;
  int64_t prefix_cache_tokens = 0;           // 0 = none
};
struct CloudModel {
  double first_token_s = 0.6;                // median; the spread is lognormal, sigma 0.3
  double first_token_s_per_1k = 0.01;        // more for every 1,000 uncached prompt tokens
  double stream_tokens_per_second = 50;
  int64_t concurrency_max = 2500;            // above: 429
  int64_t prefix_cache_tokens = int64_t{1} << 40;
};
// What goes wrong from second `at_s` of the trace on, for a while.
struct Fault {
  enum class Kind { kCloud429, kCloud503, kCloud402, kCloudSlow, kReplicaLoss, kSlowBoots } kind = Kind::kCloud503;
  double at_s = 0;
  double until_s = std::numeric_limits<double>::infinity();
  double factor = 1;                         // kCloudSlow: of the first token; kSlowBoots: of the cold start
  int64_t count = 1;                         // kReplicaLoss
};
struct Scenario {
  std::string file;
  // policy, scaling, accounting, cloud.model, the queue's part of local; tenants by client name
  router::RouterConfig router;
  ReplicaModel replica;
  CloudModel cloud;
  std::string rates = "given, not measured";  // where the rates come from; printed with every result
  absl::Time start;                          // when the trace's second 0 is, for the peak clock
  uint64_t seed = 1;
  double sensitive_share = 0.15;             // of requests whose class the trace does not say
  double deadline_s = 60;                    // a request that has not begun by then is lost
  int64_t replicas_start = 1;
  double attainment = 0.99;                  // share of each class that must meet the objective
  double per_output_token_s = 0.1;           // the objective for the end: first token + this for every token
  std::vector<Fault> faults;
  std::string currency;                      // of every sum; prices in others are converted at dated rates
  std::vector<std::string> notes;            // what a reader should know, such as those rates
};

// A scenario file. INVALID_ARGUMENT: every complaint with file, line and key.
absl::StatusOr<Scenario> LoadScenario(const std::string& path);
absl::StatusOr<Scenario> ParseScenario(const std::string& name, const std::string& text);

// The first token's objective for a prompt.
double FirstTokenObjective(const Scenario& scenario, double prompt_tokens);

}  // namespace headgate::planner
