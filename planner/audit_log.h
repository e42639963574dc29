// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the planner reads of a router's audit log (docs/audit-format.md): the outcomes. It checks the form of every
// line, and that no record is there twice; the chain's macs are left to `headgate audit verify`. What contradicts
// itself but can be counted, and what is missing, becomes a note that every report prints.
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
  std::string endpoint;    // of the side that answered
  std::string target;      // local, cloud, unspecified
  std::string status;      // OK, ...
  bool sensitive = false;  // confidential or restricted, or not classified
  // At most prompt_tokens are cached, at most completion_tokens reasoning: more is a note.
  int64_t prompt_tokens = 0, completion_tokens = 0, cached_tokens = 0, reasoning_tokens = 0;
  bool priced = false;  // the record has a cost: of the answer, of attempts that did not become it, or of both
  int64_t cost_micro_units = 0;
  std::string currency, price_version;
  bool estimated = false;      // some of the usage that was booked was counted by the router, not by the upstream
  bool lost_attempts = false;  // attempts at the cloud that did not become the answer were booked
  bool hedged = false;
  int64_t cloud_attempts = 0;
  uint64_t content = 0;        // equal for equal content; 0: not recorded

  bool HasUsage() const { return prompt_tokens + completion_tokens > 0; }
  // Something that costs money was used, and the record says no price.
  bool Unpriced() const { return !priced && (lost_attempts || (target == "cloud" && HasUsage())); }
};

struct AuditLog {
  std::vector<AuditOutcome> outcomes;  // in the order of the files
  int64_t records = 0;
  std::vector<std::string> notes;      // bounded
};

// A segment, or a directory with `audit-*.jsonl`. INVALID_ARGUMENT: `file:line: key: what is wrong`.
absl::StatusOr<AuditLog> ReadAuditLog(const std::string& path);
// The same from one segment's text in memory.
absl::StatusOr<AuditLog> ParseAuditLog(const std::string& name, const std::string& text);

}  // namespace headgate::planner
