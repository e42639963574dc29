// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CloudLimit: how many answers may be under way on the cloud, from sending to the end of the response, and how many
// calls a day may have.
//
// The cap begins at `concurrency_max`. A 429 sets it to 0.8 of what was under way (but no more than halves it), or to
// 0.9 of the limit that the 429 names; attempts from before the last cut cut nothing. As many successes as the cap is
// high add one (AIMD: Chiu and Jain 1989). Routers that share limits share the cap too: what one has learned holds for
// all within two exchanges, and everybody's successes raise it. While the store is lost each has its share of the last
// one; a share below one place is none.
// The day is UTC's. Its calls reach at most calls_per_day * calls_per_day_ratio, never more than twice calls_per_day. A
// wall clock that goes back opens no new day.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/metrics.h"
#include "router/config_upstreams.h"
#include "router/shared_limits.h"

namespace headgate::router {

class CloudLimit {
 public:
  CloudLimit(const Clock& clock, const CloudConfig& config, Metrics& metrics);
  void Apply(const CloudConfig& config);
  // From now on cap and calls are those of all routers; while the store is lost, this router's share of them.
  void Share(SharedLimits& limits);

  // Calls of today from before this process began.
  void Restore(int64_t calls);
  bool HasRoom() const;
  // One attempt takes a place; it must end in one of the other three. Nullopt: no room.
  struct Attempt {
    int64_t cuts = 0;  // so far, when it began
  };
  std::optional<Attempt> Take();
  void Succeeded();
  // 429. `limit`: the number of requests at a time that the cloud named.
  void Limited(const Attempt& attempt, std::optional<int64_t> limit);
  void Ended();  // in any other way

  int64_t cap() const { return static_cast<int64_t>(cap_); }
  int64_t in_flight() const { return in_flight_; }

 private:
  bool CallsLeft() const;
  double CallsPerDay() const;  // authorised, by the ratio
  std::string Key(const char* what) const;  // of what is shared
  double Cap() const;
  void Follow();  // what the others have learned
  void Publish();
  int64_t Today() const;
  void SetGauges();

  const Clock& clock_;
  CloudConfig config_;
  SharedLimits::Lease* places_ = nullptr;
  SharedLimits::Lease* shared_calls_ = nullptr;
  SharedLimits::Lease* shared_cap_ = nullptr;
  Gauge& cap_gauge_;
  Gauge& calls_gauge_;
  Gauge& used_up_gauge_;
  double cap_;
  int64_t in_flight_ = 0;
  int64_t successes_ = 0;  // since the cap last moved
  int64_t cuts_ = 0;
  int64_t day_ = 0;
  int64_t calls_ = 0;      // on day_
  bool alarmed_ = false;   // today
};

}  // namespace headgate::router
