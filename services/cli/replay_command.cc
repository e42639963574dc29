// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/log.h"
#include "planner/comparison.h"
#include "planner/scenario.h"
#include "planner/trace.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

struct ReplayOptions {
  std::vector<std::string> traces;
  std::string audit, generate_to, config, html;
  bool bench = false, suggest = false, quiet = false, no_baselines = false, only_ours = false;
  planner::GeneratorOptions generator;
};

// One line that is rewritten, on a terminal only.
planner::Progress Shown(const ReplayOptions& options) {
  if (options.quiet || isatty(STDERR_FILENO) == 0) return {};
  return [](const std::string& what, double share) {
    if (share >= 1)
      std::cerr << "\r\033[K";
    else
      std::cerr << absl::StreamFormat("\r\033[K%s %3.0f %%", what, 100 * share) << std::flush;
  };
}

absl::StatusOr<std::vector<planner::Trace>> Traces(const ReplayOptions& options) {
  std::vector<planner::Trace> traces;
  for (const std::string& path : options.traces) {
    auto trace = planner::ReadTrace(path);
    if (!trace.ok()) return trace.status();
    traces.push_back(*std::move(trace));
  }
  if (!options.audit.empty()) {
    auto trace = planner::ReadAuditTrace(options.audit);
    if (!trace.ok()) return trace.status();
    traces.push_back(*std::move(trace));
  }
  if (traces.empty()) return absl::InvalidArgumentError("give --trace FILE or --audit DIRECTORY");
  return traces;
}

int Generate(const ReplayOptions& options) {
  const auto trace = planner::GenerateTrace(options.generator);
  if (!trace.ok()) return Fail(trace.status());
  std::ofstream out(options.generate_to, std::ios::binary);
  out << planner::FormatTrace(*trace);
  out.close();
  if (!out) return Fail(absl::UnavailableError(absl::StrCat(options.generate_to, ": cannot be written")));
  std::cout << trace->requests.size() << " requests in " << options.generate_to << "\n";
  return 0;
}

int RunReplay(const ReplayOptions& options) {
  SetLogSeverity(LogSeverity::kError);  // what the router's parts say of simulated storms and limits is in the report
  if (!options.generate_to.empty()) return Generate(options);
  if (options.config.empty()) return Fail(absl::InvalidArgumentError("--config is required: a scenario file"));
  const auto scenario = planner::LoadScenario(options.config);
  if (!scenario.ok()) return Fail(scenario.status());
  const auto traces = Traces(options);
  if (!traces.ok()) return Fail(traces.status());
  if (options.bench) std::cout << "# name ours bound ratio target\n";
  for (const planner::Trace& trace : *traces) {
    planner::Scenario own = *scenario;
    if (trace.start > absl::InfinitePast()) own.start = trace.start;  // an audit log knows when it was
    if (options.suggest) {
      std::cout << planner::FormatSuggestions(own, planner::Suggest(own, trace, Shown(options)));
      continue;
    }
    planner::CompareOptions compare;
    compare.baselines = !options.no_baselines && !options.only_ours;
    if (options.only_ours) {
      compare.bound_rounds = 0;
      compare.search_start = compare.extras = false;
    }
    const planner::Comparison comparison = planner::Compare(own, trace, compare, Shown(options));
    std::cout << (options.bench ? planner::BenchRows(own, comparison) : planner::TextReport(own, trace, comparison))
              << std::flush;
    if (!options.html.empty()) {
      const std::string path =
          traces->size() == 1 ? options.html : absl::StrCat(options.html, ".", trace.name, ".html");
      std::ofstream out(path, std::ios::binary);
      out << planner::HtmlReport(own, trace, comparison);
      out.close();
      if (!out) return Fail(absl::UnavailableError(absl::StrCat(path, ": cannot be written")));
    }
    if (comparison.ours.leaked > 0) return Fail(absl::InternalError("sensitive requests went to the cloud"));
  }
  return 0;
}

void AddGenerator(CLI::App& command, ReplayOptions& options) {
  planner::GeneratorOptions& g = options.generator;
  command.add_option("--generate", options.generate_to, "Write a made-up trace to this file instead of replaying");
  command.add_option("--seed", g.seed, "The generator's seed");
  command.add_option("--hours", g.hours, "How long");
  command.add_option("--requests-per-second", g.requests_per_second, "Mean rate");
  command.add_option("--day-night-ratio", g.day_night_ratio, "Busiest / quietest rate over 24 h");
  command.add_option("--burstiness", g.burstiness, "Coefficient of variation of the gaps; 1 = Poisson");
  command.add_option("--input-tokens", g.input_tokens, "Mean prompt");
  command.add_option("--output-tokens", g.output_tokens, "Mean answer");
  command.add_option("--reused-prefix", g.reused_prefix, "Share of requests that continue an earlier one");
  command.add_option("--spread", g.spread, "Sigma of the lognormal lengths");
  command.add_option("--clients", g.clients, "Number of clients");
  command.add_option("--sensitive-share", g.sensitive_share, "Share of sensitive requests");
}

}  // namespace

void AddReplayCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("replay", "What would this traffic cost under another policy? (docs/planner.md)");
  const auto options = std::make_shared<ReplayOptions>();
  command->add_option("--trace", options->traces, "CSV, plain or gzip; may be repeated");
  command->add_option("--audit", options->audit, "A router's audit directory or one of its segments");
  command->add_option("--config", options->config, "A scenario such as deploy/config/replay.yaml");
  command->add_option("--html", options->html, "Write a page with plots to this file");
  command->add_flag("--suggest", options->suggest, "Search for cheaper settings and say what each change is worth");
  command->add_flag("--bench", options->bench, "Rows `name ours bound ratio target`");
  command->add_flag("--no-baselines", options->no_baselines, "Only ours and the bound: faster");
  command->add_flag("--only-ours", options->only_ours,
                    "The configured policy once, from replay.replicas_start: seconds for millions of requests");
  command->add_flag("--quiet", options->quiet, "No progress");
  AddGenerator(*command, *options);
  command->callback([options, &exit_code] { exit_code = RunReplay(*options); });
}

}  // namespace headgate::services
