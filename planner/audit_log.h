// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the planner reads of a router's audit log (docs/audit-format.md): the outcomes. It checks the form of every
// line, not the chain: `headgate audit verify` does that.
//
// Thread-safety: values; functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace headgate::planner {

struct AuditOutcome {
  absl::Time time;  // when it ended
  absl::Duration duration;
  absl::Duration first_token;  // zero: not recorded
  std::string tenant;  // "-" when admission refused
  std::string model;
  std::string target;      // local, cloud, unspecified
  std::string status;      // OK, ...
  bool sensitive = false;  // confidential or restricted, or not classified
  int64_t prompt_tokens = 0, completion_tokens = 0, cached_tokens = 0, reasoning_tokens = 0;
  bool priced = false;  // the record has a cost
  int64_t cost_micro_units = 0;
  std::string currency, price_version;
  bool estimated = false;  // the upstream's count never came
};

struct AuditLog {
  std::vector<AuditOutcome> outcomes;  // in the order of the files
  int64_t records = 0;
};

// A segment, or a directory with `audit-*.jsonl`. INVALID_ARGUMENT: `file:line: key: what is wrong`.
absl::StatusOr<AuditLog> ReadAuditLog(const std::string& path);
// The same from one segment's text in memory.
absl::StatusOr<AuditLog> ParseAuditLog(const std::string& name, const std::string& text);

}  // namespace headgate::planner
