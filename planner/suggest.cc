// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Suggest: which change of the configuration saves how much.
#include <algorithm>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "planner/comparison.h"

namespace headgate::planner {
namespace {

struct Change {
  std::string text;
  std::function<void(Scenario&)> apply;
};
// Changes of one setting; at most one of a group is taken.
using Group = std::vector<Change>;

std::vector<Group> Groups(const Scenario& scenario, const Trace& trace, double cloud_micro_units) {
  using Mode = router::PolicyConfig::Mode;
  const double rate = static_cast<double>(trace.requests.size()) / std::max(1.0, trace.span_s());
  const auto& scaling = scenario.router.scaling;
  std::vector<Group> groups(5);
  for (const auto& [name, mode] : {std::pair{"overflow", Mode::kOverflow}, std::pair{"cost", Mode::kCost}}) {
    if (mode == scenario.router.policy.mode) continue;
    groups[0].push_back({absl::StrCat("policy.mode: ", name), [m = mode](Scenario& s) { s.router.policy.mode = m; }});
  }
  for (const double factor : {0.25, 0.5, 1.0, 2.0}) {
    const double threshold = factor * rate;
    groups[0].push_back({absl::StrFormat("policy.mode: overflow, cloud_qps_threshold: %.3g", threshold),
                         [threshold](Scenario& s) {
                           s.router.policy.mode = Mode::kOverflow;
                           s.router.policy.cloud_qps_threshold = threshold;
                         }});
  }
  for (const int64_t n : {0, 1, 2, 3, 4, 6, 8, 12}) {
    if (n != scaling.replicas_min && n <= scaling.replicas_max) {
      groups[1].push_back({absl::StrCat("scaling.replicas_min: ", n), [n](Scenario& s) {
                             s.router.scaling.replicas_min = n;
                             s.replicas_start = std::max(s.replicas_start, n);
                           }});
    }
    if (n > 0 && n != scaling.replicas_max && n >= scaling.replicas_min) {
      groups[2].push_back({absl::StrCat("scaling.replicas_max: ", n), [n](Scenario& s) {
                             s.router.scaling.replicas_max = std::max(n, s.router.scaling.replicas_min);
                             s.replicas_start = std::min(s.replicas_start, s.router.scaling.replicas_max);
                           }});
    }
  }
  for (const double value : {0.6, 0.7, 0.8, 0.9}) {
    groups[3].push_back({absl::StrFormat("scaling.utilisation_max: %g", value),
                         [value](Scenario& s) { s.router.scaling.utilisation_max = value; }});
  }
  for (const double share : {0.25, 0.5, 0.75, 1.0}) {
    const auto limit = static_cast<int64_t>(share * cloud_micro_units);
    if (limit <= 0 || scenario.router.accounting.budget.limit_micro_units > 0) continue;
    groups[4].push_back({absl::StrFormat("accounting.budget.limit_micro_units: %d", limit), [limit](Scenario& s) {
                           s.router.accounting.budget.limit_micro_units = limit;
                           s.router.accounting.budget.period = router::BudgetConfig::Period::kMonth;
                         }});
  }
  return groups;
}

Result Run(const Scenario& scenario, const Trace& trace) {
  return Replay(scenario, trace, [&](SimulatedClock& clock) { return MakeHeadgate(scenario, trace, clock, {}); });
}

}  // namespace

Suggestions Suggest(const Scenario& scenario, const Trace& trace, const Progress& progress) {
  Suggestions out;
  const Result base = Run(scenario, trace);
  out.cost_micro_units = base.cost();
  out.attained = base.Attained(scenario.attainment);
  const std::vector<Group> groups = Groups(scenario, trace, base.cloud_micro_units);
  double done = 0;
  double all = 0;
  for (const Group& group : groups) all += 2.0 * static_cast<double>(group.size());
  const auto tick = [&] { if (progress) progress("suggest", ++done / all); };
  for (const Group& group : groups) {
    for (const Change& change : group) {
      Scenario changed = scenario;
      change.apply(changed);
      const Result result = Run(changed, trace);
      out.single.push_back({change.text, result.cost(), result.Attained(scenario.attainment)});
      tick();
    }
  }
  std::stable_sort(out.single.begin(), out.single.end(), [](const Suggestion& a, const Suggestion& b) {
    return a.attained != b.attained ? a.attained : a.cost_micro_units < b.cost_micro_units;
  });
  // By coordinates: each group's best on top of what was taken before.
  Scenario best = scenario;
  Result best_result = base;
  for (const Group& group : groups) {
    const Change* taken = nullptr;
    Scenario with = best;
    for (const Change& change : group) {
      Scenario changed = best;
      change.apply(changed);
      Result result = Run(changed, trace);
      tick();
      if (!Better(result, best_result, scenario.attainment)) continue;
      best_result = std::move(result);
      with = changed;
      taken = &change;
    }
    best = with;
    if (taken != nullptr) out.best.push_back(taken->text);
  }
  out.best_cost_micro_units = best_result.cost();
  out.best_attained = best_result.Attained(scenario.attainment);
  return out;
}

std::string FormatSuggestions(const Scenario& scenario, const Suggestions& suggestions) {
  constexpr size_t kShown = 12;
  const auto line = [&](const std::string& what, double cost, bool attained) {
    return absl::StrFormat("  %-55s %12.4f  %+7.2f %%%s\n", what, cost / 1e6,
                           100 * (cost / std::max(1e-9, suggestions.cost_micro_units) - 1),
                           attained ? "" : "  misses the objective");
  };
  std::string text = absl::StrFormat("Least cost with the objective met for %.1f %% of each class\n",
                                     100 * scenario.attainment);
  text += line("as configured", suggestions.cost_micro_units, suggestions.attained);
  text += "one change alone:\n";
  for (size_t i = 0; i < std::min(kShown, suggestions.single.size()); ++i) {
    const Suggestion& s = suggestions.single[i];
    text += line(s.change, s.cost_micro_units, s.attained);
  }
  for (const char* setting : {"policy.mode", "replicas_min", "replicas_max", "utilisation_max", "budget"}) {
    const auto best = std::find_if(suggestions.single.begin(), suggestions.single.end(), [&](const Suggestion& s) {
      return absl::StrContains(s.change, setting) && s.attained;
    });
    if (best == suggestions.single.end()) absl::StrAppend(&text, "  no change of ", setting, " meets the objective\n");
  }
  if (suggestions.best.empty()) return text + "together: nothing is better than what is configured\n";
  text += "together:\n";
  for (const std::string& change : suggestions.best) absl::StrAppend(&text, "  ", change, "\n");
  text += line("all of these", suggestions.best_cost_micro_units, suggestions.best_attained);
  return text;
}

}  // namespace headgate::planner
