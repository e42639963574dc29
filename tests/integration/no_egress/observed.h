// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What a run of the no-egress world leaves behind, and the judgement on it: from outside only, by what the cloud
// received, what the clients were told, what logs, metrics, audit and other files say.
//
// Thread-safety: plain values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/integration/no_egress/canary_requests.h"
#include "tests/integration/no_egress/doors.h"

namespace headgate::router {

// What can be taken away, to see that the judgement notices.
enum class Guard {
  kNone,
  kDetectors,        // they find nothing
  kFolding,          // full-width and the like are not read
  kDecoding,         // encoded values are not read
  kSeams,            // values split over messages are not read
  kJoining,          // separated numbers are not read
  kNumerals,         // digits in words are not read
  kRecursion,        // what is encoded twice is decoded once
  kMemory,           // conversations are forgotten
  kMaskedScan,       // what was masked is not read again
  kRemains,          // a masked value may stand elsewhere too
  kInputFilter,      // only notes
  kDeclaredLevel,    // is ignored
  kTenantFloor,      // is ignored
  kLocalOnlyTenant,  // may use the cloud
  kFailClosed,       // a detector that fails has found nothing
  kDigest,           // a permit is for any bytes
  kAuditFirst,       // records are lost, and said to be written
  kLessTrust,        // what an engine fails at goes to the cloud
  kClosedFields,     // the author goes along
  kClosedHeaders,    // request id and trace context go along
  kInspectionLimit,  // of what is too long only a part is read
  kReload,           // a new version has the old one's words and floors
  kCloudChoice,      // everything goes to the first cloud
  kDetectorsAtSecond,  // they find nothing, and all that leaves goes to the second cloud
  kDetectorsAtHedges,  // they find nothing, and all that leaves is a hedge
  kHedgeRecord,      // records of hedges are lost, and said to be written
  kCache,            // keeps what is sensitive
  kQuietLog, kQuietMetrics, kQuietErrors, kQuietAudit, kQuietFiles, kQuietRedis,  // they repeat a prompt
};
inline constexpr int kGuards = 34;
const char* Name(Guard guard);

// Everything else that could repeat a request must not either.
inline constexpr char kRequestIdPrefix[] = "qzrequestid";  // ours; no business of the cloud's
std::string RequestIdOf(size_t index);
// With the same beginning, in hex; and in clear.
inline constexpr char kTraceparent[] = "00-717a7265717565737469647472616365-00f067aa0ba902b7-01";
inline constexpr char kTracestate[] = "vendor=qzrequestidstate";

struct Observed {
  bool audit_lies = false;
  std::vector<CanaryRequest> requests;  // without their content
  std::vector<Ended> ended;
  std::vector<std::vector<std::string>> received;  // by each cloud, a connection each
  bool received_all = true;             // nothing of it was dropped
  std::string log, metrics;
  std::vector<std::string> audit;       // lines
  std::vector<std::string> payloads;    // lines: content that must be kept, encrypted
  std::string redis;                    // every write there, and all that Redis has on disk
  std::string files;                    // all others: names and content
  std::string audit_key, payload_key;
  int detector_faults = 0, audit_faults = 0, cache_faults = 0, reloads = 0;
  int redis_hits = 0;                   // of the cache's second level
  double seconds = 0;
  std::vector<std::string> complaints;  // found while running
};

struct NoEgressReport {
  std::vector<std::string> leaks;       // of content to the cloud: kind, field, why; one each
  std::map<Kind, int> leaks_by_kind;
  std::vector<std::string> complaints;  // everything else that must not be, canaries in logs and such included
  std::map<Api, int> answered;          // OK, by API
  std::map<std::string, int> reasons;   // of decisions, by reason code
  std::map<std::string, int> evasions;  // must-stay requests by how their value was written
  std::map<std::string, int> seen;      // what else happened, and must have, or the run proves little
  int requests = 0;
  int reached_cloud = 0;                // requests whose canary, or a stream of whose, was at the emulator
  int everyday_found = 0;               // the positive control: seen in the record of what was received
  int cloud_answers = 0, local_answers = 0, cached = 0, refused = 0, failed = 0;
  int masked = 0, follow_ups = 0;       // left with placeholders; were answered
  int decided_sensitive = 0, detector_faults = 0, audit_faults = 0, reloads = 0;
  size_t received_bytes = 0, log_bytes = 0;
  double seconds_run = 0, seconds_judge = 0;

  void Add(const NoEgressReport& other);
  std::string Summary() const;
};
NoEgressReport Judge(const Observed& observed);

}  // namespace headgate::router
