// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SimTrace: what was seen from outside during a simulated run, and whether it was what must always hold.
//
// Thread-safety: plain values.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "headgate/v1/inference.pb.h"
#include "tests/sim/sim_plan.h"

namespace headgate::router {

// What one request's client saw.
struct SimSeen {
  int ends = 0;
  absl::Status status;
  std::vector<v1::Route> routes;
  std::string text;
  int finishes = 0;
  v1::FinishReason finish = v1::FINISH_REASON_UNSPECIFIED;
  bool out_of_order = false;  // an event before the route or after the finish
  MonotonicTime ended;
  bool crashed = false;  // its router ended before it did, or was not there
};

struct SimTrace {
  struct Written {  // an attempt to write one audit line
    std::string line;
    bool stored = false;
    MonotonicTime at;
    std::string chain;  // of one process
  };
  struct Sent {  // a call of the cloud
    std::string content;
    MonotonicTime at;
    size_t lines_before = 0;  // audit attempts so far; where the audit waits for the medium, those on it
  };
  std::vector<SimSeen> seen;  // by request
  std::vector<Written> audit;
  std::vector<Sent> cloud;
  std::map<std::string, size_t> local_first;  // request id -> cloud calls before its first call of an engine
  std::vector<std::string> engine_mixups;     // an engine was given another request's content
  std::map<std::string, int64_t> cost;        // tenant -> micro-units, as the metrics say, of all processes
  int64_t cloud_in_flight_max = 0;            // of all routers
  int64_t open_at_engines_max = 0;            // requests that are not sensitive, at engines at a time, of one router
  int64_t open_of_all_max = 0;                // of all
  int64_t open_places = 0;                    // that the reserve leaves for them
  std::set<std::string> stalled;              // ids of requests at an engine that gives nothing
  int moved = 0;                              // calls of an engine for one of these afterwards
  int masked = 0;                             // calls of the cloud with a placeholder
  int blank = 0;                              // and those for JSON that got nothing
  int shared_hits = 0;                        // answers that the second level of the cache had
  std::map<std::string, int> lost;            // marker -> attempts that broke off and may be paid for
  int leftovers = 0;                          // streams, in-flight counts after the end
  std::string audit_key;
};

struct SimReport {
  std::vector<std::string> violations;
  std::string digest;  // of everything that was seen
  std::map<std::string, int> counts;
};

SimReport Check(const SimPlan& plan, const SimTrace& trace);

}  // namespace headgate::router
