// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TrafficMeter: the state behind the policy's rate rules, so that policy itself stays pure. GCRA at rate T with tolerance
// (T/4)/T for `overflow`; arrivals in 100 ms buckets, and the NORMAL/PEAK mode with dwell, for `switch`.
// GCRA: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm (virtual scheduling form).
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <deque>

#include "common/clock.h"
#include "router/config.h"
#include "router/policy.h"

namespace headgate::router {

class TrafficMeter {
 public:
  TrafficMeter(const Clock& clock, const PolicyConfig& config);
  void Apply(const PolicyConfig& config);  // keeps the counts

  // Counts one eligible (not sensitive) arrival and returns the load as it is now.
  Load Arrive();
  // The load without counting: Explain, GetState.
  Load Peek() const;
  // The request that Arrive was called for goes to the cloud: takes its place in the GCRA.
  void CommitCloud();

 private:
  bool Conforms(MonotonicTime now) const;
  double Rate(MonotonicTime now, absl::Duration window) const;
  void UpdatePeak(MonotonicTime now);

  const Clock& clock_;
  PolicyConfig config_;
  MonotonicTime theoretical_arrival_;     // GCRA's TAT
  struct Slot {
    int64_t index = 0;                    // monotonic time / 100 ms
    int64_t count = 0;
  };
  std::deque<Slot> slots_;                // at most switch_window / 100 ms
  bool peak_ = false;
  MonotonicTime mode_since_;
  MonotonicTime below_since_ = absl::InfiniteDuration();
};

}  // namespace headgate::router
