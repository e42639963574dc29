// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Replay: a deterministic discrete-event simulation of a trace under a strategy. The same scenario, trace and strategy
// give the same result, bit by bit.
//
// Cost: replicas from the order to boot until their last answer after they are no longer wanted (at the end of the
// trace: until their last answer), plus cloud answers at the price table's price when they end. A request that is
// refused with 429 goes local; one whose prompt has not begun by the deadline is lost. Local requests go through the
// router's own queue and choice of an engine (fleet.h).
//
// Thread-safety: functions from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "planner/scenario.h"
#include "planner/strategy.h"
#include "planner/trace.h"

namespace headgate::planner {

struct ClassResult {
  int64_t requests = 0;
  int64_t lost = 0;      // waited too long, or broke off with its replica
  int64_t rejected = 0;  // by the queue
  int64_t first_token_met = 0;
  int64_t end_met = 0;
  double first_token_p50_s = 0, first_token_p99_s = 0;
  double attained() const { return requests == 0 ? 1 : static_cast<double>(first_token_met) / requests; }
  double end_attained() const { return requests == 0 ? 1 : static_cast<double>(end_met) / requests; }
};
// One of a few hundred equal slices of time, for plots.
struct Slice {
  double cloud = 0, local = 0;      // arrivals sent there
  double replica_seconds = 0;
  double cloud_micro_units = 0;
};
struct Result {
  std::string name;
  double span_s = 0;
  double slice_s = 0;
  double cloud_micro_units = 0;
  double replica_micro_units = 0;
  double gpu_hours = 0;
  double busy_share = 0;            // of the replica hours
  ClassResult sensitive, ordinary;
  int64_t cloud_requests = 0, local_requests = 0;
  int64_t rate_limited = 0;         // 429s
  int64_t cloud_failed = 0;         // 503s and 402s
  int64_t restarted = 0;            // began again because their replica died
  int64_t flips = 0;
  int64_t client_switches = 0;      // of a client's consecutive ordinary requests
  int64_t leaked = 0;               // sensitive requests sent to the cloud: must be 0
  int64_t overspent_micro_units = 0;
  int64_t boots = 0;
  int64_t replicas_peak = 0;
  std::vector<Slice> slices;

  double cost() const { return cloud_micro_units + replica_micro_units; }
  double flips_per_hour() const { return span_s > 0 ? flips * 3600.0 / span_s : 0; }
  bool Attained(double share) const {
    return sensitive.attained() >= share && ordinary.attained() >= share && sensitive.end_attained() >= share &&
           ordinary.end_attained() >= share;
  }
};

// Whether a request of the trace counts as sensitive in this scenario.
bool IsSensitive(const Scenario& scenario, const TraceRequest& request, uint32_t id);

using MakeStrategy = std::function<std::unique_ptr<Strategy>(SimulatedClock&)>;
// `progress` (may be empty) hears of the share that is done, a hundred times.
Result Replay(const Scenario& scenario, const Trace& trace, const MakeStrategy& make,
              const std::function<void(double)>& progress = {});

}  // namespace headgate::planner
