// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// accounting: tokens and money per tenant, from a dated price table with the peak clock. Money is integer micro-units
// of the table's currency, rounded once per request; an unknown price is an error that is counted, never zero.
// Price formula and peak clock: DeepSeek quick_start/pricing (docs/accounting.md).
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "headgate/v1/inference.pb.h"
#include "router/admission.h"
#include "router/config.h"

namespace headgate::router {

struct Charge {
  int64_t micro_units = 0;
  std::string currency;
  std::string price_version;
};

// The cost of `usage` at `when`. NOT_FOUND when no row is valid for the model then. Pure.
absl::StatusOr<Charge> Price(const AccountingConfig& config, const std::string& model, const v1::Usage& usage,
                             absl::Time when);
// Peak: Monday to Friday except holidays, 01:00-04:00 and 06:00-10:00 UTC. Pure.
bool IsPeak(const AccountingConfig& config, absl::Time when);

class Accounting {
 public:
  Accounting(const Clock& clock, const AccountingConfig& config, Metrics& metrics);
  void Apply(const AccountingConfig& config) { config_ = config; }
  // Books what an answer used, complete or broken off. Local answers cost nothing here (the cluster is paid for).
  // A cloud answer of unknown price is booked in tokens and counted in headgate_router_unpriced_requests_total.
  Charge Settle(const Ticket& ticket, const v1::Route& route, const v1::Usage& usage);

 private:
  const Clock& clock_;
  AccountingConfig config_;
  Metrics& metrics_;
};

}  // namespace headgate::router
