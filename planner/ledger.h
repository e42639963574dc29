// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Ledger: who used what and what it cost, from a router's audit log. Money is integer micro-units and carries its price
// version; a cloud answer without a price is counted as unpriced, never as zero. Months are Beijing's, like the prices.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/audit_log.h"

namespace headgate::planner {

struct LedgerKey {
  std::string month, tenant, target, model, currency, price_version;
  auto operator<=>(const LedgerKey&) const = default;
};
struct LedgerRow {
  int64_t requests = 0, succeeded = 0;
  int64_t hit_tokens = 0, miss_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
  int64_t micro_units = 0;          // of what has a price
  int64_t unpriced = 0;             // cloud answers with tokens and without a price: their cost is not known
  int64_t estimated = 0;            // the upstream's count never came
  int64_t busy_us = 0;              // sum of the durations
};
struct Ledger {
  std::map<LedgerKey, LedgerRow> rows;
};
Ledger MakeLedger(const AuditLog& log);
// The months in it, ascending.
std::vector<std::string> Months(const Ledger& ledger);
bool HasMonth(const Ledger& ledger, const std::string& month);

// What local answers cost: `gpu_hours` at `micro_units_per_hour`, shared by tokens computed in the month.
struct LocalCost {
  double gpu_hours = 0;
  int64_t micro_units_per_hour = 0;
  std::string currency;
  int64_t total() const;
};
// Micro-units by row, whole numbers that add up to the total exactly (largest remainders).
std::map<LedgerKey, int64_t> ShareLocalCost(const Ledger& ledger, const std::string& month, const LocalCost& cost);

// month,tenant,target,model,requests,...: one row a key, formulas in docs/accounting.md.
std::string ChargebackCsv(const Ledger& ledger, const std::string& month, const std::optional<LocalCost>& local);

// The provider's balance before and after against the ledger.
struct Reconciliation {
  int64_t booked = 0, fallen = 0, topped_up = 0;
  int64_t difference() const { return fallen - booked; }  // > 0: the provider took more than was booked
  int64_t unpriced = 0, estimated = 0;
  std::string explanation;
};
// "110.00" as micro-units, exactly; INVALID_ARGUMENT otherwise.
absl::StatusOr<int64_t> ParseMoney(const std::string& text);
absl::StatusOr<Reconciliation> Reconcile(const Ledger& ledger, const std::string& currency, const std::string& before,
                                         const std::string& after, const std::string& topped_up);

// A monthly budget by tenant: the mean day of the log x 31 x `headroom`, at least twice the dearest answer.
struct BudgetProposal {
  std::string tenant, currency;
  int64_t limit_micro_units = 0;
  std::vector<double> hourly_profile;  // Beijing hours
  int64_t unpriced = 0;                // answers that the proposal cannot know about
};
std::vector<BudgetProposal> SuggestBudgets(const AuditLog& log, double headroom);
std::string FormatBudgets(const std::vector<BudgetProposal>& proposals);

}  // namespace headgate::planner
