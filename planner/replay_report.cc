// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What Compare found, as bench rows, as text and as a page.
#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "planner/comparison.h"
#include "planner/plot.h"

namespace headgate::planner {
namespace {

constexpr double kMillion = 1e6;

const std::string& Currency(const Scenario& scenario) { return scenario.currency; }

std::string Percent(double share) { return absl::StrFormat("%.2f %%", 100 * share); }

Table ResultTable(const Scenario& scenario, const Comparison& comparison) {
  Table table = {{"policy", "cost", "cloud", "replicas", "replica h", "busy", "/ bound", "objective met: sensitive",
                  "ordinary", "rejected", "lost", "429", "503/402", "cloud share", "flips/h", "side changes"}};
  const auto add = [&](const std::string& name, const Result& r) {
    const double all = static_cast<double>(std::max<int64_t>(1, r.cloud_requests + r.local_requests));
    table.push_back({name, absl::StrFormat("%.4f", r.cost() / kMillion),
                     absl::StrFormat("%.4f", r.cloud_micro_units / kMillion),
                     absl::StrFormat("%.4f", r.replica_micro_units / kMillion), absl::StrFormat("%.2f", r.gpu_hours),
                     absl::StrFormat("%.2f", r.busy_share),
                     comparison.bound.cost > 0 ? absl::StrFormat("%.3f", r.cost() / comparison.bound.cost) : "-",
                     Percent(r.sensitive.attained()), Percent(r.ordinary.attained()),
                     absl::StrCat(r.sensitive.rejected + r.ordinary.rejected),
                     absl::StrCat(r.sensitive.lost + r.ordinary.lost), absl::StrCat(r.rate_limited),
                     absl::StrCat(r.cloud_failed),
                     Percent(static_cast<double>(r.cloud_requests) / all), absl::StrFormat("%.1f", r.flips_per_hour()),
                     absl::StrCat(r.client_switches)});
  };
  add(absl::StrCat("ours: ", comparison.ours.name), comparison.ours);
  for (const Result& result : comparison.baselines) {
    add(absl::StrCat(result.name, result.Attained(scenario.attainment) ? "" : " (misses the objective)"), result);
  }
  if (!comparison.switched.slices.empty()) add("ours, mode switch", comparison.switched);
  if (!comparison.budgeted.slices.empty()) add("ours, half the cloud budget", comparison.budgeted);
  if (comparison.bound.cost > 0) {
    table.push_back({"offline bound", absl::StrFormat("%.4f", comparison.bound.cost / kMillion)});
    table.back().resize(table.front().size());
  }
  return table;
}

std::string Aligned(const Table& table) {
  std::vector<size_t> widths(table.front().size());
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&text, row[i], std::string(widths[i] - row[i].size() + 2, ' '));
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += "\n";
  }
  return text;
}

// The price sheets of the cloud model, with their dates.
std::string PriceSheets(const Scenario& scenario) {
  std::vector<std::string> sheets;
  for (const router::PriceRow& row : scenario.router.accounting.prices) {
    if (row.model != scenario.router.cloud.model) continue;
    sheets.push_back(absl::StrCat(row.version, " valid from ",
                                  absl::FormatTime("%Y-%m-%d", row.valid_from, absl::UTCTimeZone())));
  }
  return absl::StrCat("; prices of ", scenario.router.cloud.model, ": ", absl::StrJoin(sheets, ", "), " (",
                      scenario.file, ")");
}

std::string Constants(const Scenario& scenario) {
  const auto& scaling = scenario.router.scaling;
  const std::string text = absl::StrFormat(
      "seed %d, start %s, %.0f %% of unmarked requests sensitive; a replica: %g prompt and %g answer tokens a second "
      "(%s), %.2f %s an hour, cold start %s; objective: first token %s + %s per 1,000 prompt tokens for %.1f %% of "
      "each "
      "class",
      scenario.seed, absl::FormatTime(absl::RFC3339_sec, scenario.start, absl::UTCTimeZone()),
      100 * scenario.sensitive_share, scaling.prefill_tokens_per_second, scaling.decode_tokens_per_second,
      scenario.rates, static_cast<double>(scaling.replica_hour_micro_units) / kMillion, Currency(scenario),
      absl::FormatDuration(scaling.cold_start), absl::FormatDuration(scenario.router.policy.first_token_objective),
      absl::FormatDuration(scenario.router.policy.first_token_objective_per_1k), 100 * scenario.attainment);
  return text + PriceSheets(scenario);
}

Series Values(const std::string& name, const Result& result, double Slice::*field, double factor) {
  Series series{name, {}};
  for (const Slice& slice : result.slices) series.values.push_back(slice.*field * factor);
  return series;
}

Series Running(const std::string& name, const Scenario& scenario, const Result& result) {
  Series series{name, {}};
  const double second = static_cast<double>(scenario.router.scaling.replica_hour_micro_units) / 3600;
  double sum = 0;
  for (const Slice& slice : result.slices) {
    sum += (slice.cloud_micro_units + slice.replica_seconds * second) / kMillion;
    series.values.push_back(sum);
  }
  return series;
}

// Peak hours of a year whose holidays are not all known: said, not guessed.
std::vector<std::string> HolidayNotes(const Scenario& scenario, const Trace& trace) {
  constexpr int64_t kFixedByRegulation = 13;  // more in a year: the notice that moves days was entered
  const absl::TimeZone beijing = absl::FixedTimeZone(8 * 3600);
  const absl::CivilYear last(absl::ToCivilDay(scenario.start + absl::Seconds(trace.span_s()), beijing));
  std::vector<std::string> notes;
  const auto& prices = scenario.router.accounting.prices;
  if (std::none_of(prices.begin(), prices.end(), [](const auto& row) { return row.peak_output != row.output; })) {
    return notes;
  }
  for (absl::CivilYear year(absl::ToCivilDay(scenario.start, beijing)); year <= last; ++year) {
    int64_t listed = 0;
    for (const std::string& day : scenario.router.accounting.holidays) {
      listed += absl::StartsWith(day, absl::StrCat(year.year(), "-"));
    }
    if (listed > kFixedByRegulation) continue;
    notes.push_back(absl::StrFormat(
        "accounting.holidays lists %d days of %d, not more than the regulation fixes: days off by that year's notice "
        "of the State Council are missing and count as peak days; enter them", listed, year.year()));
  }
  return notes;
}

// What the log itself says about first tokens: beside the replay's, never mixed with it.
std::vector<std::string> MeasuredNotes(const Scenario& scenario, const Trace& trace) {
  std::vector<std::string> notes;
  if (trace.measured.empty()) return notes;
  for (const bool cloud : {false, true}) {
    int64_t all = 0, met = 0, untimed = 0;
    for (size_t i = 0; i < trace.measured.size(); ++i) {
      if (trace.measured[i].cloud != cloud) continue;
      const double took = trace.measured[i].first_token_s;
      if (took < 0) {
        ++untimed;
        continue;
      }
      ++all;
      met += took <= FirstTokenObjective(scenario, trace.requests[i].input_tokens);
    }
    if (all + untimed == 0) continue;
    notes.push_back(absl::StrFormat("measured in the log, %s: %s; %d answers without a recorded first token",
                                    cloud ? "cloud" : "local",
                                    all == 0 ? std::string("no first token")
                                             : absl::StrFormat("first token in time for %s of %d",
                                                               Percent(static_cast<double>(met) / all), all),
                                    untimed));
  }
  return notes;
}

std::vector<std::string> Notes(const Scenario& scenario, const Trace& trace) {
  std::vector<std::string> notes = trace.notes;
  notes.insert(notes.end(), scenario.notes.begin(), scenario.notes.end());
  for (std::string& note : HolidayNotes(scenario, trace)) notes.push_back(std::move(note));
  for (std::string& note : MeasuredNotes(scenario, trace)) notes.push_back(std::move(note));
  return notes;
}

}  // namespace

std::string BenchRows(const Scenario& scenario, const Comparison& c) {
  const auto row = [&](const std::string& name, double ours, double bound, const char* target) {
    const double ratio = bound != 0 ? ours / bound : ours == 0 ? 0 : INFINITY;
    return absl::StrFormat("%s%s %.4f %.4f %.3f %s\n", c.trace, name, ours, bound, ratio, target);
  };
  std::string text = row("", c.ours.cost() / kMillion, c.bound.cost / kMillion, "<=1.15");
  if (c.best_threshold >= 0) {
    const Result& best = c.baselines[static_cast<size_t>(c.best_threshold)];
    text += row("/vs_best_threshold", c.ours.cost() / kMillion, best.cost() / kMillion, "<=0.85");
  }
  text += row("/objective_missed", 1 - std::min(c.ours.sensitive.attained(), c.ours.ordinary.attained()),
              1 - scenario.attainment, "<=1");
  if (!c.switched.slices.empty()) text += row("/switch_flips_per_hour", c.switched.flips_per_hour(), 10, "<=1");
  if (!c.budgeted.slices.empty()) {
    text += row("/overspent", static_cast<double>(c.budgeted.overspent_micro_units) / kMillion,
                static_cast<double>(c.budget_micro_units) / kMillion, "<=0");
  }
  text += row("/leaked", static_cast<double>(c.ours.leaked), 1, "<=0");
  const std::vector<std::string> beside = absl::StrSplit(Aligned(ResultTable(scenario, c)), '\n', absl::SkipEmpty());
  for (const std::string& line : beside) absl::StrAppend(&text, "# ", line, "\n");
  absl::StrAppend(&text, "# ", Constants(scenario), "\n");
  return text;
}

std::string TextReport(const Scenario& scenario, const Trace& trace, const Comparison& comparison) {
  std::string text = absl::StrFormat("%s: %d requests in %.0f s; costs in %s\n%s\n\n", trace.name,
                                     trace.requests.size(), trace.span_s(), Currency(scenario), Constants(scenario));
  for (const std::string& note : Notes(scenario, trace)) absl::StrAppend(&text, "note: ", note, "\n");
  absl::StrAppend(&text, Aligned(ResultTable(scenario, comparison)));
  if (comparison.ours.leaked > 0) absl::StrAppend(&text, "LEAKED: ", comparison.ours.leaked, " sensitive requests\n");
  return text;
}

std::string HtmlReport(const Scenario& scenario, const Trace& trace, const Comparison& c) {
  const double hours = c.ours.span_s / 3600;
  const double per_second = 1 / std::max(1e-9, c.ours.slice_s);
  std::string body = absl::StrCat("<p>", trace.requests.size(), " requests. ", Escape(Constants(scenario)), ".</p>\n");
  for (const std::string& note : Notes(scenario, trace)) {
    absl::StrAppend(&body, "<p class=\"warn\">", Escape(note), "</p>\n");
  }
  if (!c.ours.Attained(scenario.attainment)) {
    absl::StrAppend(&body, "<p class=\"warn\">The objective is not met: costs are not comparable.</p>\n");
  }
  absl::StrAppend(&body, "<p>Costs in ", Currency(scenario),
                  ". The bound is what no policy can beat that knows the "
                  "future and meets the objective.</p>\n",
                  HtmlTable(ResultTable(scenario, c)));
  Chart arrivals{"Where requests went", "hours", "requests a second", 0, hours, {}};
  arrivals.series = {Values("local", c.ours, &Slice::local, per_second),
                     Values("cloud", c.ours, &Slice::cloud, per_second)};
  absl::StrAppend(&body, AreaChart(arrivals));
  Chart shares{"Share of the cloud", "hours", "%", 0, hours, {{"cloud", {}}}};
  for (const Slice& slice : c.ours.slices) {
    const double all = slice.cloud + slice.local;
    shares.series[0].values.push_back(all > 0 ? 100 * slice.cloud / all : 0);
  }
  absl::StrAppend(&body, LineChart(shares));
  Chart replicas{"Replicas", "hours", "paid for",
                 0,          hours,   {Values("ours", c.ours, &Slice::replica_seconds, per_second)}};
  Chart cost{"Cost so far", "hours", Currency(scenario), 0, hours, {Running("ours", scenario, c.ours)}};
  if (c.best_threshold >= 0) {
    const Result& best = c.baselines[static_cast<size_t>(c.best_threshold)];
    replicas.series.push_back(Values(best.name, best, &Slice::replica_seconds, per_second));
    cost.series.push_back(Running(best.name, scenario, best));
  }
  absl::StrAppend(&body, LineChart(replicas), LineChart(cost));
  std::vector<Bar> bars = {{"ours", 0, c.ours.cost() / kMillion}};
  for (const Result& result : c.baselines) bars.push_back({result.name, 0, result.cost() / kMillion});
  absl::StrAppend(&body,
                  BarChart("Cost beside the bound", Currency(scenario) + " (bound)", bars, c.bound.cost / kMillion));
  return HtmlPage(absl::StrCat("Replay of ", trace.name), body);
}

}  // namespace headgate::planner
