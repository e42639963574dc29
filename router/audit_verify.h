// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Is a folder of audit segments whole and unaltered? Found: a record changed, dropped, reordered, brought in from
// elsewhere, cut; a segment, manifest or payload that is missing or was changed; a chain that is missing or shorter
// than an anchor, or a later chain, says.
//
// Files are read in pieces, and anything may be in them.
//
// Thread-safety: functions from any thread; ChainState none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "headgate/v1/audit.pb.h"
#include "router/audit_record.h"

namespace headgate::router {

// Where a chain stands: what the next record must continue.
struct ChainState {
  std::string chain_id;  // empty before the first record
  std::string previous_mac;
  uint64_t records = 0;

  // Takes the next line. DATA_LOSS: what is wrong with it; the state is as before.
  absl::StatusOr<v1::AuditRecord> Step(const std::string& key, std::string_view line);
};

struct VerifyOptions {
  std::vector<std::string> keys;  // each chain was made with one of them; at least one
  std::vector<AuditAnchor> anchors;
  // Segments and payloads whose last record is older may be missing, as long as the segments' manifests are there.
  absl::Time retired_before = absl::InfinitePast();
  // Called for each authentic record, chain by chain, in order.
  std::function<void(const v1::AuditRecord& record, const std::string& line)> on_record;
};

struct ChainVerdict {
  std::string chain_id;
  int64_t records = 0;   // authentic
  int64_t segments = 0;
  std::string first_time, last_time;
  bool ended = false;    // with a chain_end; otherwise it runs, was killed, or was cut after its last anchor
  int64_t anchors = 0;   // that were found in it, those of later chains included
  std::vector<std::string> problems;  // `file:line: what`; at most 20, and how many more
  std::vector<std::string> notes;     // worth knowing, and no proof of anything wrong
  int64_t problems_total = 0;
};

struct FolderVerdict {
  std::vector<ChainVerdict> chains;    // by their first record's time
  std::vector<std::string> problems;   // of no chain in the folder
  bool good() const;
};

// NOT_FOUND: no folder, or no segments in it and no anchors.
absl::StatusOr<FolderVerdict> VerifyAuditFolder(const std::string& directory, const VerifyOptions& options);

// The anchors in a text: log lines (router/audit_record.h), or metrics in Prometheus' text format. INVALID_ARGUMENT:
// `line N: ...`, or no anchor at all.
absl::StatusOr<std::vector<AuditAnchor>> ReadAuditAnchors(std::string_view text);

}  // namespace headgate::router
