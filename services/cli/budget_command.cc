// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// budget ledger, suggest, reconcile: the money in a router's audit log.
#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "planner/ledger.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

struct BudgetOptions {
  std::string audit, month, currency = "USD", before, after, topped_up = "0", since, until;
  double gpu_hours = 0, gpu_hour_price = 0, headroom = 1.2;
};

int PrintLedger(const BudgetOptions& options) {
  const auto log = planner::ReadAuditLog(options.audit);
  if (!log.ok()) return Fail(log.status());
  std::optional<planner::LocalCost> local;
  if ((options.gpu_hours > 0) != (options.gpu_hour_price > 0)) {
    return Fail(absl::InvalidArgumentError("--gpu-hours and --gpu-hour-price belong together: unknown is not zero"));
  }
  const planner::Ledger ledger = planner::MakeLedger(*log);
  if (!planner::HasMonth(ledger, options.month)) {
    return Fail(absl::NotFoundError(absl::StrCat("--month ", options.month, ": nothing in the log; it holds ",
                                                 absl::StrJoin(planner::Months(ledger), ", "))));
  }
  if (options.gpu_hours > 0) {
    local = planner::LocalCost{options.gpu_hours, std::llround(options.gpu_hour_price * 1e6), options.currency};
  }
  std::cout << planner::ChargebackCsv(ledger, options.month, local);
  return 0;
}

int PrintBudgets(const BudgetOptions& options) {
  const auto log = planner::ReadAuditLog(options.audit);
  if (!log.ok()) return Fail(log.status());
  std::cout << planner::FormatBudgets(planner::SuggestBudgets(*log, options.headroom));
  return 0;
}

int PrintReconciliation(const BudgetOptions& options) {
  auto log = planner::ReadAuditLog(options.audit);
  if (!log.ok()) return Fail(log.status());
  for (const auto& [flag, text] : {std::pair{"--since", options.since}, std::pair{"--until", options.until}}) {
    absl::Time when;
    std::string error;
    if (text.empty()) continue;
    if (!absl::ParseTime(absl::RFC3339_full, text, &when, &error)) {
      return Fail(absl::InvalidArgumentError(absl::StrCat(flag, ": must be a time such as 2026-11-01T00:00:00Z")));
    }
    const bool since = std::string(flag) == "--since";
    std::erase_if(log->outcomes,
                  [&](const auto& outcome) { return since ? outcome.time < when : outcome.time >= when; });
  }
  const auto result = planner::Reconcile(planner::MakeLedger(*log), options.currency, options.before, options.after,
                                         options.topped_up);
  if (!result.ok()) return Fail(result.status());
  std::cout << absl::StreamFormat("balance fell by  %16.6f %s\nledger booked    %16.6f\ndifference       %16.6f\n%s\n",
                                  static_cast<double>(result->fallen) / 1e6, options.currency,
                                  static_cast<double>(result->booked) / 1e6,
                                  static_cast<double>(result->difference()) / 1e6, result->explanation);
  return 0;
}

}  // namespace

void AddBudgetCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("budget", "Money: chargeback, budgets from history, the provider's balance");
  command->require_subcommand(1);
  const auto options = std::make_shared<BudgetOptions>();
  CLI::App* ledger = command->add_subcommand("ledger", "Chargeback of a month as CSV");
  ledger->add_option("audit", options->audit, "audit.directory of the router, or a segment")->required();
  ledger->add_option("--month", options->month, "2026-11, in Beijing time")->required();
  ledger->add_option("--gpu-hours", options->gpu_hours, "Replica hours of the month, shared among local answers");
  ledger->add_option("--gpu-hour-price", options->gpu_hour_price, "Of one replica hour");
  ledger->add_option("--currency", options->currency, "Of the replica hours");
  ledger->callback([options, &exit_code] { exit_code = PrintLedger(*options); });
  CLI::App* suggest = command->add_subcommand("suggest", "Budgets per tenant from what was spent");
  suggest->add_option("audit", options->audit, "audit.directory of the router, or a segment")->required();
  suggest->add_option("--headroom", options->headroom, "Times the spending of the log")->check(CLI::Range(0.1, 100.0));
  suggest->callback([options, &exit_code] { exit_code = PrintBudgets(*options); });
  CLI::App* reconcile = command->add_subcommand("reconcile", "Does the ledger agree with the provider's balance?");
  reconcile->add_option("audit", options->audit, "audit.directory of the router, or a segment")->required();
  reconcile->add_option("--before", options->before, "Balance before the log began, 110.00")->required();
  reconcile->add_option("--after", options->after, "Balance now")->required();
  reconcile->add_option("--topped-up", options->topped_up, "Paid in between");
  reconcile->add_option("--since", options->since, "When --before was read; the log from there on");
  reconcile->add_option("--until", options->until, "When --after was read");
  reconcile->add_option("--currency", options->currency, "Of the balance");
  reconcile->callback([options, &exit_code] { exit_code = PrintReconciliation(*options); });
}

}  // namespace headgate::services
