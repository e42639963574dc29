// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/comparison.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace headgate::planner {
namespace {

constexpr int64_t kStarts[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48};
constexpr double kFar = 1e9;  // a threshold that is never reached

struct Best {
  std::optional<Result> result;
  int64_t start = 0;
  void Offer(Result candidate, int64_t at, double share) {
    if (result && !Better(candidate, *result, share)) return;
    result = std::move(candidate);
    start = at;
  }
};

Scenario StartingWith(Scenario scenario, int64_t replicas) {
  scenario.replicas_start = replicas;
  return scenario;
}

std::vector<int64_t> Starts(const Scenario& scenario) {
  std::vector<int64_t> starts;
  for (const int64_t n : kStarts) {
    if (n >= scenario.router.scaling.replicas_min && n <= scenario.router.scaling.replicas_max) starts.push_back(n);
  }
  if (starts.empty()) starts.push_back(scenario.replicas_start);
  return starts;
}

// Headgate with the best start; beyond two starts that only get dearer nothing better comes.
Best BestHeadgate(const Scenario& scenario, const Trace& trace, bool search, const Progress& progress) {
  Best best;
  int dearer = 0;
  const std::vector<int64_t> starts = search ? Starts(scenario) : std::vector<int64_t>{scenario.replicas_start};
  for (size_t i = 0; i < starts.size() && dearer < 2; ++i) {
    const Scenario from = StartingWith(scenario, starts[i]);
    Result result = Replay(
        from, trace, [&](SimulatedClock& clock) { return MakeHeadgate(from, trace, clock, {}); },
        [&](double share) {
          if (progress) progress("headgate", share);
        });
    const bool met = best.result && best.result->Attained(scenario.attainment);
    dearer = met && result.cost() > best.result->cost() ? dearer + 1 : 0;
    best.Offer(std::move(result), starts[i], scenario.attainment);
  }
  return best;
}

// One kind of baseline: its thresholds x (HPA, every static size until more is only dearer).
Result BestBaseline(const Scenario& scenario, const Trace& trace, BaselineKind kind,
                    const std::vector<double>& thresholds) {
  Best best;
  for (const double threshold : thresholds) {
    const auto run = [&](const Scaler& scaler, int64_t start) {
      const Scenario from = StartingWith(scenario, start);
      const Baseline baseline{kind, threshold, scaler};
      return Replay(from, trace, [&](SimulatedClock& clock) { return MakeBaseline(baseline, from, clock); });
    };
    best.Offer(run({Scaler::Kind::kHpa, 1, 0.6}, scenario.replicas_start), scenario.replicas_start,
               scenario.attainment);
    for (const int64_t n : Starts(scenario)) {
      Result result = run({Scaler::Kind::kStatic, n, 0}, n);
      const bool met = result.Attained(scenario.attainment);
      best.Offer(std::move(result), n, scenario.attainment);
      if (met) break;  // more replicas only cost more
    }
  }
  return *std::move(best.result);
}

std::vector<Result> Baselines(const Scenario& scenario, const Trace& trace, double cloud_share,
                              const Progress& progress) {
  const double rate = static_cast<double>(trace.requests.size()) / std::max(1.0, trace.span_s());
  const std::vector<double> thresholds = {0.5 * rate, rate, 1.5 * rate, 2 * rate, 3 * rate};
  const struct {
    BaselineKind kind;
    std::vector<double> thresholds;
  } kinds[] = {{BaselineKind::kAllCloud, {0}},
               {BaselineKind::kAllLocal, {0}},
               {BaselineKind::kThreshold, thresholds},
               {BaselineKind::kHysteresis, thresholds},
               {BaselineKind::kSaturation, {0}},
               {BaselineKind::kRequestRate, {0.5 * rate, rate}},
               {BaselineKind::kRandomSplit, {cloud_share}}};
  std::vector<Result> results;
  for (size_t i = 0; i < std::size(kinds); ++i) {
    if (progress) progress("baselines", static_cast<double>(i) / std::size(kinds));
    results.push_back(BestBaseline(scenario, trace, kinds[i].kind, kinds[i].thresholds));
  }
  return results;
}

// Every threshold policy: those with a threshold between, and the two ends.
int BestThreshold(const std::vector<Result>& results, double share) {
  int best = -1;
  for (int i = 0; i < std::min<int>(4, static_cast<int>(results.size())); ++i) {
    if (best < 0 || Better(results[i], results[best], share)) best = i;
  }
  return best;
}

void RunExtras(const Scenario& scenario, const Trace& trace, Comparison* out) {
  Scenario switched = scenario;
  switched.router.policy.mode = router::PolicyConfig::Mode::kSwitch;
  switched.router.policy.cloud_qps_threshold = 1.25 * (1 - scenario.sensitive_share) *
                                               static_cast<double>(trace.requests.size()) /
                                               std::max(1.0, trace.span_s());
  out->switched =
      Replay(switched, trace, [&](SimulatedClock& clock) { return MakeHeadgate(switched, trace, clock, {}); });
  Scenario budgeted = scenario;
  out->budget_micro_units = std::max<int64_t>(1, std::llround(out->ours.cloud_micro_units / 2));
  budgeted.router.accounting.budget.limit_micro_units = out->budget_micro_units;
  budgeted.router.accounting.budget.period = router::BudgetConfig::Period::kMonth;
  // As if every client sent max_tokens: no answer of the trace is longer.
  int32_t longest = 1;
  for (const TraceRequest& request : trace.requests) longest = std::max(longest, request.output_tokens);
  budgeted.router.accounting.reserve_output_tokens = longest;
  out->budgeted =
      Replay(budgeted, trace, [&](SimulatedClock& clock) { return MakeHeadgate(budgeted, trace, clock, {}); });
}

}  // namespace

bool Better(const Result& a, const Result& b, double share) {
  const bool a_meets = a.Attained(share);
  const bool b_meets = b.Attained(share);
  if (a_meets != b_meets) return a_meets;
  if (a_meets) return a.cost() < b.cost();
  const auto worst = [](const Result& r) { return std::min(r.sensitive.attained(), r.ordinary.attained()); };
  return worst(a) > worst(b);
}

Comparison Compare(const Scenario& scenario, const Trace& trace, const CompareOptions& options,
                   const Progress& progress) {
  Comparison out;
  out.trace = trace.name;
  Best best = BestHeadgate(scenario, trace, options.search_start, progress);
  out.ours = *std::move(best.result);
  out.replicas_start = best.start;
  const Scenario from = StartingWith(scenario, best.start);
  if (options.baselines) {
    const double routed = static_cast<double>(out.ours.cloud_requests + out.ours.local_requests);
    const double cloud_share = static_cast<double>(out.ours.cloud_requests) / std::max(1.0, routed) /
                               std::max(1e-9, 1 - scenario.sensitive_share);
    out.baselines = Baselines(from, trace, std::clamp(cloud_share, 1e-9, 1.0), progress);
    out.best_threshold = BestThreshold(out.baselines, scenario.attainment);
  }
  if (options.extras) RunExtras(from, trace, &out);
  if (options.bound_rounds <= 0) return out;
  double known = out.ours.cost();
  for (const Result& result : out.baselines) {
    if (result.Attained(scenario.attainment)) known = std::min(known, result.cost());
  }
  out.bound = BestBound(from, trace, known, options.bound_rounds, [&](double share) {
    if (progress) progress("bound", share);
  });
  if (progress) progress("done", 1);
  return out;
}

}  // namespace headgate::planner
