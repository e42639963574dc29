// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// accounting: tokens and money per tenant, from a dated price table with the peak clock. Money is integer micro-units
// of the table's currency, rounded once per request; an unknown price is an error that is counted, never zero. Budgets
// (budget.h) are reserved before an answer and settled after it.
// Price formula and peak clock: DeepSeek quick_start/pricing (docs/accounting.md).
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "headgate/v1/inference.pb.h"
#include "router/admission.h"
#include "router/budget.h"
#include "router/config.h"
#include "router/policy.h"

namespace headgate::router {

struct Charge {
  int64_t micro_units = 0;
  std::string currency;
  std::string price_version;
};

// The cost of `usage` at `when`. NOT_FOUND when no row is valid for the model then. Pure.
absl::StatusOr<Charge> Price(const AccountingConfig& config, const std::string& model, const v1::Usage& usage,
                             absl::Time when);
// The most that one answer begun in [from, until] can cost: every prompt token a miss, peak prices, the dearest sheet.
// NOT_FOUND as Price. Pure.
absl::StatusOr<int64_t> WorstCase(const AccountingConfig& config, const std::string& model, int64_t prompt_tokens,
                                  int64_t output_tokens, absl::Time from, absl::Time until);
// Prices at `when` relative to off-peak prices: 1 without a row. Pure.
double PeakRatio(const AccountingConfig& config, const std::string& model, absl::Time when);
// Peak: Monday to Friday except holidays, 01:00-04:00 and 06:00-10:00 UTC. Pure.
bool IsPeak(const AccountingConfig& config, absl::Time when);

class Accounting {
 public:
  Accounting(const Clock& clock, const AccountingConfig& config, Metrics& metrics);
  void Apply(const AccountingConfig& config, const std::vector<TenantConfig>& tenants = {});
  void Share(SharedLimits& limits) { budgets_.Share(limits); }
  // What policy must know about money, for an answer to `prompt` from `model`.
  Budget BudgetFor(const Ticket& ticket, const Prompt& prompt, const std::string& model);
  // Holds the worst case. REQUIRES: BudgetFor said that there is room, nothing suspended since.
  BudgetBook::Hold Reserve(const Ticket& ticket, const Prompt& prompt, const std::string& model);
  // Books what an answer used, complete or broken off. Local answers cost nothing here (the cluster is paid for).
  // A cloud answer of unknown price is booked in tokens and counted in headgate_router_unpriced_requests_total.
  // A cloud answer's hold becomes what it cost; of unknown cost, the whole hold.
  Charge Settle(const Ticket& ticket, const v1::Route& route, const v1::Usage& usage, BudgetBook::Hold hold = {});
  // Brings back what this month's records in `audit_directory` say was spent, whatever their macs: the budgets of a
  // process that has just begun. Reads files; before the first request. Returns the number of answers.
  int64_t Restore(const std::string& audit_directory);
  BudgetBook& budgets() { return budgets_; }

 private:
  // 0 when no budget is configured, so that nothing needs a price; nullopt: not known.
  std::optional<int64_t> WorstCaseOf(const Ticket& ticket, const Prompt& prompt, const std::string& model) const;

  const Clock& clock_;
  AccountingConfig config_;
  bool unpriced_logged_ = false;  // once for a configuration; the metric counts them
  Metrics& metrics_;
  BudgetBook budgets_;
  bool any_budget_ = false;
};

}  // namespace headgate::router
