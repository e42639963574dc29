// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The planner's readers on arbitrary text: a trace, a scenario, a TCO profile or an audit log, by the first byte. What
// is accepted keeps to its ranges and can be computed with; what is refused names a line.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "planner/audit_log.h"
#include "planner/ledger.h"
#include "planner/scenario.h"
#include "planner/tco.h"
#include "planner/trace.h"

namespace {

using namespace headgate::planner;

void Require(bool holds) {
  if (!holds) std::abort();
}

// "f:12: " somewhere in front.
void RequireLine(const absl::Status& status) {
  const std::string message(status.message());
  Require(message.size() > 3 && message.rfind("f:", 0) == 0 && message[2] >= '0' && message[2] <= '9');
}

void FuzzTrace(const std::string& text) {
  const auto trace = ParseTrace("f", text);
  if (!trace.ok()) return RequireLine(trace.status());
  double last = 0;
  for (const TraceRequest& request : trace->requests) {
    Require(std::isfinite(request.arrival_s) && request.arrival_s >= last);
    Require(request.input_tokens >= 0 && request.input_tokens <= kInputTokensMax);
    Require(request.output_tokens >= 0 && request.output_tokens <= kOutputTokensMax);
    Require(request.client < trace->clients.size());
    Require(size_t{request.first_block} + request.block_count <= trace->blocks.size());
    last = request.arrival_s;
  }
}

void FuzzProfile(const std::string& text) {
  const auto profile = ParseTcoProfile("f", text);
  if (!profile.ok()) return RequireLine(profile.status());
  for (const auto& [key, input] : profile->inputs) {
    Require(std::isfinite(input.value) && input.low <= input.value && input.value <= input.high);
    Require(!input.date.empty() && !input.source.empty());
  }
  const Tco tco = ComputeTco(*profile);
  for (const int years : {1, 3, 5}) {
    Require(!std::isnan(tco.Cloud(years)) && !std::isnan(tco.Local(years)) && !std::isnan(tco.Hybrid(years)));
  }
}

void FuzzAuditLog(const std::string& text) {
  const auto log = ParseAuditLog("f", text);
  if (!log.ok()) return RequireLine(log.status());
  int64_t requests = 0;
  const Ledger ledger = MakeLedger(*log);
  for (const auto& [key, row] : ledger.rows) requests += row.requests;
  Require(requests == static_cast<int64_t>(log->outcomes.size()));
  for (const std::string& month : Months(ledger)) ChargebackCsv(ledger, month, {{"m", {1, 1'000'000, "USD"}}});
  FormatBudgets(*log, SuggestBudgets(*log, 1.2));
  Reconcile(*log, "USD", "2", "1", "0").IgnoreError();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      FuzzTrace(text);
      break;
    case 1:
      FuzzAuditLog(text);
      break;
    case 2:
      FuzzProfile(text);
      break;
    case 3:
      if (const auto scenario = ParseScenario("f", text); !scenario.ok()) RequireLine(scenario.status());
  }
  return 0;
}
