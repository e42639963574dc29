// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TrafficMeter: the state behind the policy's rate rules, so that policy itself stays pure.
//
// `overflow`: GCRA at rate T (requests per second) with tolerance B/T, B = T/4. In any interval of d seconds the cloud
// admits at most T*d + B + 1 requests, in any one second at most T + T/4 (and never fewer than one, unless T = 0).
// `switch`: NORMAL -> PEAK when the rate over switch_window is at least T; back when it has been at most
// switch_low_ratio * T for switch_dwell and PEAK has lasted switch_dwell: at most 2 * 3600 s / switch_dwell flips an
// hour. Arrivals are counted in slots of 100 ms. T = 0: nothing goes to the cloud. Routers that share the rate go into
// PEAK together, and it lasts until the last of them has seen enough to leave it.
// GCRA: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm (virtual scheduling form).
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <deque>

#include "common/clock.h"
#include "router/config.h"
#include "router/policy.h"
#include "router/shared_limits.h"

namespace headgate::router {

class TrafficMeter {
 public:
  TrafficMeter(const Clock& clock, const PolicyConfig& config);
  void Apply(const PolicyConfig& config);  // keeps the counts
  // From now on the rate is counted over all routers. While the store is lost, this router's share of T holds. May not
  // be moved afterwards.
  void Share(SharedLimits& limits);

  // Counts one eligible (not sensitive) arrival and returns the load as it is now.
  Load Arrive();
  // The load without counting: Explain, GetState.
  Load Peek() const;
  // The request that Arrive was called for goes to the cloud: takes its place in the GCRA.
  // REQUIRES: nothing suspended since that Arrive, or two requests would take the same place.
  void CommitCloud();

 private:
  bool Conforms(MonotonicTime now) const;
  bool shared() const { return lease_ != nullptr && lease_->live(); }
  // T, or this router's share of it.
  double Threshold() const;
  // Of all routers.
  double SharedRate(MonotonicTime now) const;
  double Rate(MonotonicTime now, absl::Duration window) const;
  bool OthersInPeak() const { return peaks_ != nullptr && peaks_->others() > 0.5; }
  // Since when the rate has been low enough to leave PEAK, without a new arrival; infinite = it is not.
  MonotonicTime BelowSince(MonotonicTime now) const;
  bool MayLeavePeak(MonotonicTime now) const;
  void LeavePeak(MonotonicTime now);
  void EnterPeak(MonotonicTime now);

  const Clock& clock_;
  SharedLimits::Lease* lease_ = nullptr;  // tokens of the threshold
  SharedLimits::Lease* sum_ = nullptr;    // of the rates over switch_window
  SharedLimits::Lease* peaks_ = nullptr;  // of the routers in PEAK
  PolicyConfig config_;
  MonotonicTime theoretical_arrival_;     // GCRA's TAT
  struct Slot {
    int64_t index = 0;                    // monotonic time / 100 ms
    int64_t count = 0;
  };
  std::deque<Slot> slots_;                // bounded by the longer window / 100 ms
  bool peak_ = false;
  bool follows_ = true;  // into PEAK when others go; not again until all have left it
  MonotonicTime mode_since_;
  MonotonicTime high_at_ = -absl::InfiniteDuration();  // the last arrival at a rate too high to leave PEAK
  MonotonicTime below_since_ = absl::InfiniteDuration();
};

}  // namespace headgate::router
