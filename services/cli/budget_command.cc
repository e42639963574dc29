// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// budget ledger, suggest, reconcile: the money in a router's audit log.
#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>

#include "absl/strings/numbers.h"
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
  std::vector<std::string> gpu_hours, gpu_hour_price;
  double headroom = 1.2;
};

void PrintNotes(const planner::AuditLog& log) {
  for (const std::string& note : log.notes) std::cerr << "note: " << note << "\n";
}

// `[MODEL=]NUMBER` of one option, by model; "" is the only model.
absl::StatusOr<std::map<std::string, double>> ByModel(const char* option, const std::vector<std::string>& values) {
  std::map<std::string, double> out;
  for (const std::string& value : values) {
    const size_t sign = value.rfind('=');
    const std::string model = sign == std::string::npos ? "" : value.substr(0, sign);
    const std::string number = sign == std::string::npos ? value : value.substr(sign + 1);
    double parsed = 0;
    if (!absl::SimpleAtod(number, &parsed) || !(parsed > 0 && parsed <= 1e9)) {
      return absl::InvalidArgumentError(absl::StrCat(option, " ", value, ": must be [MODEL=]NUMBER above 0"));
    }
    if (!out.emplace(model, parsed).second) {
      return absl::InvalidArgumentError(absl::StrCat(option, " ", value, ": this model is given twice"));
    }
  }
  return out;
}

// Hours and price of every model that either names. Unknown is not zero: one needs the other.
absl::StatusOr<planner::LocalCosts> LocalCosts(const BudgetOptions& options, const std::vector<std::string>& models) {
  const auto hours = ByModel("--gpu-hours", options.gpu_hours);
  if (!hours.ok()) return hours.status();
  const auto prices = ByModel("--gpu-hour-price", options.gpu_hour_price);
  if (!prices.ok()) return prices.status();
  if (hours->empty() != prices->empty()) {
    return absl::InvalidArgumentError("--gpu-hours and --gpu-hour-price belong together: unknown is not zero");
  }
  planner::LocalCosts out;
  for (const auto& [model, count] : *hours) {
    auto price = prices->find(model);
    if (price == prices->end()) price = prices->find("");
    if (price == prices->end()) {
      return absl::InvalidArgumentError(absl::StrCat("--gpu-hour-price: none for ", model, ": unknown is not zero"));
    }
    if (model.empty() && (models.size() > 1 || hours->size() > 1)) {
      return absl::InvalidArgumentError(absl::StrCat("--gpu-hours: the month holds ", absl::StrJoin(models, ", "),
                                                     ": give MODEL=HOURS for each whose cost is known"));
    }
    const std::string name = model.empty() && !models.empty() ? models.front() : model;
    out[name] = {count, std::llround(price->second * 1e6), options.currency};
  }
  for (const auto& [model, price] : *prices) {
    if (!model.empty() && !hours->contains(model)) {
      return absl::InvalidArgumentError(absl::StrCat("--gpu-hours: none for ", model, ": unknown is not zero"));
    }
  }
  return out;
}

int PrintLedger(const BudgetOptions& options) {
  const auto log = planner::ReadAuditLog(options.audit);
  if (!log.ok()) return Fail(log.status());
  const planner::Ledger ledger = planner::MakeLedger(*log);
  if (!planner::HasMonth(ledger, options.month)) {
    return Fail(absl::NotFoundError(absl::StrCat("--month ", options.month, ": nothing in the log; it holds ",
                                                 absl::StrJoin(planner::Months(ledger), ", "))));
  }
  const auto local = LocalCosts(options, planner::LocalModels(ledger, options.month));
  if (!local.ok()) return Fail(local.status());
  PrintNotes(*log);
  std::cout << planner::ChargebackCsv(ledger, options.month, *local);
  return 0;
}

int PrintBudgets(const BudgetOptions& options) {
  const auto log = planner::ReadAuditLog(options.audit);
  if (!log.ok()) return Fail(log.status());
  std::cout << planner::FormatBudgets(*log, planner::SuggestBudgets(*log, options.headroom));
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
  const auto result =
      planner::Reconcile(*log, options.currency, options.before, options.after, options.topped_up);
  if (!result.ok()) return Fail(result.status());
  const auto line = [&](const char* what, int64_t micro_units, const std::string& after) {
    std::cout << absl::StreamFormat("%-22s %16.6f%s\n", what, static_cast<double>(micro_units) / 1e6, after);
  };
  line("balance fell by", result->fallen, " " + options.currency);
  line("ledger booked", result->booked, "");
  line("difference", result->difference(), "");
  line("explained, at most", result->explained, "");
  for (const std::string& reason : result->explanation) std::cout << "- " << reason << "\n";
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
  ledger->add_option("--gpu-hours", options->gpu_hours,
                     "Replica hours of the month, shared among local answers; with several models MODEL=HOURS each")
      ->allow_extra_args(false);
  ledger->add_option("--gpu-hour-price", options->gpu_hour_price, "Of one replica hour: PRICE or MODEL=PRICE")
      ->allow_extra_args(false);
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
