// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Ledger: who used what and what it cost, from a router's audit log. Money is integer micro-units and carries its price
// version; a cloud answer without a price is counted as unpriced, never as zero. Months are Beijing's, like the prices.
//
// Attempts at the cloud that did not become the answer, of answers that came from elsewhere, have a row of their own:
// target `cloud`, model `-`, no requests.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/audit_log.h"

namespace headgate::planner {

inline constexpr char kNoAnswer[] = "-";  // LedgerKey::model of attempts without an answer

struct LedgerKey {
  std::string month, tenant, target, model, currency, price_version;
  auto operator<=>(const LedgerKey&) const = default;
};
struct LedgerRow {
  int64_t requests = 0, succeeded = 0;
  int64_t hit_tokens = 0, miss_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
  int64_t micro_units = 0;          // of what has a price
  int64_t unpriced = 0;             // used at the cloud without a price: their cost is not known
  int64_t estimated = 0;            // some of their usage was counted by the router, not by the upstream
};
struct Ledger {
  std::map<LedgerKey, LedgerRow> rows;
  // Time in which an endpoint of a local model had at least one request, summed over endpoints; by month and model.
  std::map<std::pair<std::string, std::string>, absl::Duration> busy;
};
Ledger MakeLedger(const AuditLog& log);
// The months in it, ascending.
std::vector<std::string> Months(const Ledger& ledger);
bool HasMonth(const Ledger& ledger, const std::string& month);
// The models that computed local answers in the month, ascending.
std::vector<std::string> LocalModels(const Ledger& ledger, const std::string& month);

// What a model's replicas cost in the month, shared by the tokens that it computed.
struct LocalCost {
  double gpu_hours = 0;
  int64_t micro_units_per_hour = 0;
  std::string currency;
  int64_t total() const;
};
using LocalCosts = std::map<std::string, LocalCost>;  // by model
// Micro-units by row, whole numbers that add up to the total exactly (largest remainders). Nobody used the model: one
// row of the tenant `-`, so that replicas that stood idle are paid for too.
std::map<LedgerKey, int64_t> ShareLocalCost(const Ledger& ledger, const std::string& month, const std::string& model,
                                            const LocalCost& cost);

// month,tenant,target,model,requests,...: one row a key, formulas in docs/accounting.md.
std::string ChargebackCsv(const Ledger& ledger, const std::string& month, const LocalCosts& local);

// The provider's balance before and after against the ledger.
struct Reconciliation {
  int64_t booked = 0, fallen = 0, topped_up = 0;
  int64_t difference() const { return fallen - booked; }  // > 0: the provider took more than was booked
  // How much of the difference what the log knows to be uncertain can make up, at most, on the side of its sign.
  int64_t explained = 0;
  std::vector<std::string> explanation;                   // one cause a line, with its sum
};
// "110.00" as micro-units, exactly; INVALID_ARGUMENT otherwise.
absl::StatusOr<int64_t> ParseMoney(const std::string& text);
absl::StatusOr<Reconciliation> Reconcile(const AuditLog& log, const std::string& currency, const std::string& before,
                                         const std::string& after, const std::string& topped_up);

// A monthly budget by tenant: the mean day of the log x 31 x `headroom`, at least twice the dearest answer.
struct BudgetProposal {
  std::string tenant, currency;
  int64_t limit_micro_units = 0;
  std::vector<double> hourly_profile;  // Beijing hours
  int64_t unpriced = 0;                // answers that the proposal cannot know about
};
std::vector<BudgetProposal> SuggestBudgets(const AuditLog& log, double headroom);
// With what the log does not know as comments.
std::string FormatBudgets(const AuditLog& log, const std::vector<BudgetProposal>& proposals);

}  // namespace headgate::planner
