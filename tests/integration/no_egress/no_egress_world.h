// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The whole router on a real clock, with the real cloud client, between a DeepSeek emulator that records every byte,
// engines that fail, detectors that fail and an audit log that fails, all at random by one seed. Runs generated
// requests through it, and judges afterwards from outside: what the emulator received, what the logs, metrics, error
// messages and audit files say.
//
// Thread-safety: none; one World at a time (it captures stderr).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "headgate/v1/inference.pb.h"
#include "tests/integration/no_egress/canary_requests.h"

namespace headgate::router {

struct NoEgressOptions {
  int requests = 0;
  uint64_t seed = 1;
  // Guards to remove, to see that the judgement notices.
  bool blind_detectors = false;  // they find nothing
  bool ignore_declared = false;
  bool ignore_tenants = false;   // neither floor nor local-only
  bool lying_audit = false;      // records are lost, and said to be written
};

// How one request ended, as its client saw it.
struct Ended {
  int times = 0;     // Generate returned
  int routes = 0, finishes = 0;
  bool after_finish = false;  // something came after the finish
  v1::Route::Target target = v1::Route::TARGET_UNSPECIFIED;
  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  absl::Status status;
};

struct NoEgressReport {
  std::vector<std::string> leaks;       // of content to the cloud: kind, field, why; one each
  std::map<Kind, int> leaks_by_kind;
  std::vector<std::string> complaints;  // everything else that must not be, canaries in logs and such included
  int reached_cloud = 0;                // requests whose canary, or a stream of whose, was at the emulator
  int everyday_found = 0;               // the positive control: seen in the record of what was received
  int cloud_answers = 0, local_answers = 0, refused = 0, failed = 0;
  int decided_sensitive = 0, detector_faults = 0, audit_faults = 0;
  size_t received_bytes = 0, log_bytes = 0;
  double seconds_run = 0, seconds_judge = 0;

  std::string Summary(int requests) const;
};

NoEgressReport RunNoEgress(const NoEgressOptions& options);

}  // namespace headgate::router
