// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Suggest: which change of the configuration saves how much.
#include <algorithm>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "planner/comparison.h"

namespace headgate::planner {
namespace {

// What is cheaper by less than this share is the model's noise, not a suggestion.
constexpr double kWorthwhile = 0.001;

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
  const bool switches = scenario.router.policy.mode == Mode::kSwitch;
  for (const double factor : {0.25, 0.5, 1.0, 2.0}) {
    // What is printed is what is tried.
    const std::string text = absl::StrFormat("%.3g", factor * rate);
    double threshold = 0;
    if (!absl::SimpleAtod(text, &threshold) || threshold <= 0) continue;
    const auto add = [&](const char* name, Mode mode) {
      groups[0].push_back({absl::StrCat("policy.mode: ", name, ", cloud_qps_threshold: ", text),
                           [threshold, mode](Scenario& s) {
                             s.router.policy.mode = mode;
                             s.router.policy.cloud_qps_threshold = threshold;
                           }});
    };
    add("overflow", Mode::kOverflow);
    if (switches) add("switch", Mode::kSwitch);
  }
  const auto starting = [&](const std::string& text, int64_t start) {
    return start == scenario.replicas_start ? text : absl::StrCat(text, ", replay.replicas_start: ", start);
  };
  for (const int64_t n : {0, 1, 2, 3, 4, 6, 8, 12}) {
    if (n != scaling.replicas_min && n <= scaling.replicas_max) {
      groups[1].push_back({starting(absl::StrCat("scaling.replicas_min: ", n), std::max(scenario.replicas_start, n)),
                           [n](Scenario& s) {
                             s.router.scaling.replicas_min = n;
                             s.replicas_start = std::max(s.replicas_start, n);
                           }});
    }
    if (n > 0 && n != scaling.replicas_max && n >= scaling.replicas_min) {
      groups[2].push_back({starting(absl::StrCat("scaling.replicas_max: ", n), std::min(scenario.replicas_start, n)),
                           [n](Scenario& s) {
                             s.router.scaling.replicas_max = std::max(n, s.router.scaling.replicas_min);
                             s.replicas_start = std::min(s.replicas_start, s.router.scaling.replicas_max);
                           }});
    }
  }
  for (const double value : {0.6, 0.7, 0.8, 0.9}) {
    if (value == scaling.utilisation_max) continue;
    groups[3].push_back({absl::StrFormat("scaling.utilisation_max: %g", value),
                         [value](Scenario& s) { s.router.scaling.utilisation_max = value; }});
  }
  // Of what is spent without a budget, or of the budget that there is.
  const auto budget = static_cast<double>(scenario.router.accounting.budget.limit_micro_units);
  const auto shares = budget > 0 ? std::vector<double>{0.5, 0.75, 1.5, 2} : std::vector<double>{0.25, 0.5, 0.75, 1};
  for (const double share : shares) {
    const auto limit = static_cast<int64_t>(share * (budget > 0 ? budget : cloud_micro_units));
    if (limit <= 0) continue;
    groups[4].push_back({absl::StrFormat("accounting.budget.limit_micro_units: %d", limit), [limit](Scenario& s) {
                           router::BudgetConfig& own = s.router.accounting.budget;
                           if (own.limit_micro_units <= 0) own.period = router::BudgetConfig::Period::kMonth;
                           own.limit_micro_units = limit;
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
  Scenario best = scenario;
  Result best_result = base;
  const auto worthwhile = [&](const Result& result) {
    if (!Better(result, best_result, scenario.attainment)) return false;
    return !best_result.Attained(scenario.attainment) || result.cost() < best_result.cost() * (1 - kWorthwhile);
  };
  const Group* first = nullptr;  // the group of the best change alone
  for (const Group& group : groups) {
    for (const Change& change : group) {
      Scenario changed = scenario;
      change.apply(changed);
      Result result = Run(changed, trace);
      out.single.push_back({change.text, result.cost(), result.Attained(scenario.attainment)});
      tick();
      if (!worthwhile(result)) continue;
      best_result = std::move(result);
      best = changed;
      first = &group;
      out.best = {change.text};
    }
  }
  std::stable_sort(out.single.begin(), out.single.end(), [](const Suggestion& a, const Suggestion& b) {
    return a.attained != b.attained ? a.attained : a.cost_micro_units < b.cost_micro_units;
  });
  // By coordinates from there: each other group's best on top of what was taken before.
  for (const Group& group : groups) {
    if (&group == first) continue;
    const Change* taken = nullptr;
    Scenario with = best;
    for (const Change& change : group) {
      Scenario changed = best;
      change.apply(changed);
      Result result = Run(changed, trace);
      tick();
      if (!worthwhile(result)) continue;
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

namespace {

// The change that is worth most in each setting, and why there is none.
std::string NothingIn(const Suggestions& suggestions, const char* setting) {
  bool tried = false, attained = false;
  for (const Suggestion& s : suggestions.single) {
    if (!absl::StrContains(s.change, setting)) continue;
    tried = true;
    attained = attained || s.attained;
  }
  if (!tried) return "nothing to try";
  return attained ? "nothing to gain" : "every change misses the objective";
}

}  // namespace

std::string FormatSuggestions(const Scenario& scenario, const Suggestions& suggestions) {
  constexpr size_t kShown = 12;
  const double base = std::max(1e-9, suggestions.cost_micro_units);
  const auto line = [&](const std::string& what, double cost, bool attained) {
    return absl::StrFormat("  %-55s %12.4f  %+12.4f  %+7.2f %%%s\n", what, cost / 1e6,
                           (cost - suggestions.cost_micro_units) / 1e6, 100 * (cost / base - 1),
                           attained ? "" : "  misses the objective");
  };
  // Cheaper, or meeting the objective that is missed now.
  const auto gains = [&](double cost, bool attained) {
    return attained && (!suggestions.attained || cost < suggestions.cost_micro_units * (1 - kWorthwhile));
  };
  std::string text = absl::StrFormat("Least cost in %s with the objective met for %.1f %% of each class\n",
                                     scenario.currency, 100 * scenario.attainment);
  text += line("as configured", suggestions.cost_micro_units, suggestions.attained);
  text += "one change alone, and what it is worth:\n";
  size_t shown = 0;
  for (const Suggestion& s : suggestions.single) {
    if (!gains(s.cost_micro_units, s.attained) || shown++ >= kShown) continue;
    text += line(s.change, s.cost_micro_units, s.attained);
  }
  if (!suggestions.attained) text += "  (what is configured misses the objective: a dearer change can be worth it)\n";
  if (shown == 0) text += "  none: no single change is worth 0.1 % or more\n";
  if (shown > kShown) absl::StrAppend(&text, "  and ", shown - kShown, " more\n");
  for (const char* setting : {"policy.mode", "replicas_min", "replicas_max", "utilisation_max", "budget"}) {
    const bool gain = std::any_of(suggestions.single.begin(), suggestions.single.end(), [&](const Suggestion& s) {
      return absl::StrContains(s.change, setting) && gains(s.cost_micro_units, s.attained);
    });
    if (!gain) absl::StrAppend(&text, "  ", setting, ": ", NothingIn(suggestions, setting), "\n");
  }
  if (suggestions.best.empty() || !gains(suggestions.best_cost_micro_units, suggestions.best_attained)) {
    return text + (suggestions.attained ? "together: nothing to gain\n"
                                        : "together: nothing tried here meets the objective\n");
  }
  text += "together:\n";
  for (const std::string& change : suggestions.best) absl::StrAppend(&text, "  ", change, "\n");
  text += line("all of these", suggestions.best_cost_micro_units, suggestions.best_attained);
  return text;
}

}  // namespace headgate::planner
