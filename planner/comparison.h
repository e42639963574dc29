// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Comparison: one trace under Headgate's policy, the baselines and the offline bound, at the same objective.
//
// Fairness: every policy may choose the number of replicas that it starts with; a static one keeps that number. Of each
// kind the cheapest that meets the objective counts (threshold and size are searched with hindsight, which Headgate's
// own settings are not); if none does, the one that comes closest.
//
// Thread-safety: functions from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "planner/bound.h"
#include "planner/simulation.h"

namespace headgate::planner {

struct CompareOptions {
  int bound_rounds = 800;          // 0: no bound
  bool search_start = true;        // false: ours once, from the scenario's replicas_start
  bool baselines = true;
  bool extras = true;              // the switch mode and the budget run
};
struct Comparison {
  std::string trace;
  int64_t replicas_start = 0;      // of the run that is reported
  Result ours;
  Bound bound;
  std::vector<Result> baselines;   // the best of each kind
  // The cheapest of threshold and hysteresis, "all" thresholds included (0: all local, infinite: all cloud).
  int best_threshold = -1;         // index into baselines
  Result switched;                 // mode `switch`, T = 1.25 x the mean rate
  Result budgeted;                 // with a budget of half of what ours spent on the cloud
  int64_t budget_micro_units = 0;

  double ratio() const { return bound.cost > 0 ? ours.cost() / bound.cost : 0; }
};

// Who meets the objective, then who is cheaper; if nobody does, who comes closer.
bool Better(const Result& a, const Result& b, double share);

using Progress = std::function<void(const std::string& what, double share)>;
Comparison Compare(const Scenario& scenario, const Trace& trace, const CompareOptions& options,
                   const Progress& progress = {});

// The rows of `make bench-replay`: `name ours bound ratio target`, five columns without spaces. Lines that begin with #
// show the baselines and flips beside.
std::string BenchRows(const Scenario& scenario, const Comparison& comparison);
// For a terminal.
std::string TextReport(const Scenario& scenario, const Trace& trace, const Comparison& comparison);
// A page without outside assets.
std::string HtmlReport(const Scenario& scenario, const Trace& trace, const Comparison& comparison);

// A change of the configuration and what it is worth.
struct Suggestion {
  std::string change;              // "scaling.replicas_max 24 -> 4"
  double cost_micro_units = 0;     // afterwards, alone
  bool attained = true;
};
struct Suggestions {
  double cost_micro_units = 0;     // as configured
  bool attained = true;
  std::vector<Suggestion> single;  // each change alone, the best first
  std::vector<std::string> best;   // changes that are best together
  double best_cost_micro_units = 0;
  bool best_attained = false;
};
// Searches mode, threshold, replicas and utilisation by coordinates for the least cost at the objective.
Suggestions Suggest(const Scenario& scenario, const Trace& trace, const Progress& progress = {});
std::string FormatSuggestions(const Scenario& scenario, const Suggestions& suggestions);

}  // namespace headgate::planner
