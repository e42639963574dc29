// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "planner/exchange.h"
#include "planner/tco.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

struct TcoOptions {
  std::string profile, trace, audit, date, html;
  double sensitive_share = 0;
};

int RunTco(const TcoOptions& options) {
  auto profile = planner::LoadTcoProfile(options.profile);
  if (!profile.ok()) return Fail(profile.status());
  const bool traffic = !options.trace.empty() || !options.audit.empty();
  if (!traffic && !options.date.empty()) {
    return Fail(absl::InvalidArgumentError("--date: belongs to --trace or --audit"));
  }
  if (traffic && !planner::IsDate(options.date)) {
    return Fail(absl::InvalidArgumentError(
        absl::StrCat("--date ", options.date, ": must be a date such as 2026-11-22: when the traffic was recorded")));
  }
  if (traffic) {
    const auto trace =
        options.trace.empty() ? planner::ReadAuditTrace(options.audit) : planner::ReadTrace(options.trace);
    if (!trace.ok()) return Fail(trace.status());
    for (const std::string& note : trace->notes) profile->notes.push_back(absl::StrCat(trace->name, ": ", note));
    planner::SetVolume(*trace, options.sensitive_share, options.date, &*profile);
  }
  if (!options.audit.empty()) {
    const auto log = planner::ReadAuditLog(options.audit);
    if (!log.ok()) return Fail(log.status());
    const std::string source = "audit log " + options.audit;
    profile->recorded = planner::Record(*log, source);
    planner::SetCachedShare(*log, source, options.date, &*profile);
  }
  std::cout << planner::TcoMarkdown(*profile);
  if (options.html.empty()) return 0;
  std::ofstream out(options.html, std::ios::binary);
  out << planner::TcoHtml(*profile);
  out.close();
  return out ? 0 : Fail(absl::UnavailableError(absl::StrCat(options.html, ": cannot be written")));
}

}  // namespace

void AddTcoCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("tco", "Cloud, local or both: what it costs over years (docs/planner.md)");
  const auto options = std::make_shared<TcoOptions>();
  command->add_option("--profile", options->profile, "Inputs with date and source: deploy/config/tco/*.yaml")
      ->required();
  command->add_option("--trace", options->trace, "Take the volume from this trace");
  command->add_option("--audit", options->audit, "Take the volume from this audit log and fill the checklist");
  command->add_option("--date", options->date, "When the trace was taken, 2026-11-22");
  command->add_option("--sensitive-share", options->sensitive_share, "Of requests whose class the trace does not say")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--html", options->html, "Write a page with charts to this file");
  command->callback([options, &exit_code] { exit_code = RunTco(*options); });
}

}  // namespace headgate::services
