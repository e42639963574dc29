// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CircuitBreaker: stops asking an upstream that fails. Closed -> open after `failures` consecutive failures or a Trip;
// open -> half open after `open_for` (doubled with each failed probe, up to 10 * open_for); half open lets one probe
// through. A stream that dies in the middle is a failure too; success is a stream that reached its finish. What an
// attempt from before the opening says while the breaker is open is old news and ignored.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/clock.h"

namespace headgate::router {

class CircuitBreaker {
 public:
  CircuitBreaker(const Clock& clock, int64_t failures, absl::Duration open_for);
  // New limits from now on; the state stays.
  void Configure(int64_t failures, absl::Duration open_for);

  // Whether a request could go now; does not take the probe.
  bool Available() const;
  // Takes permission for one attempt, which must end in Success, Failure, Trip or Abandon.
  bool Acquire();
  void Success();
  void Failure();
  // At once, whatever the count: key refused, balance spent.
  void Trip(absl::Duration open_for);
  // The attempt said nothing about the upstream (the client left, the caller's error).
  void Abandon();
  std::string_view state() const;  // closed | open | half_open

 private:
  bool HalfOpen() const { return open_ && clock_.Monotonic() >= open_until_; }
  void Open(absl::Duration open_for);

  const Clock& clock_;
  int64_t failures_max_;
  absl::Duration open_for_;
  int64_t failures_ = 0;  // consecutive
  int64_t openings_ = 0;  // since it was last closed
  bool open_ = false;
  bool probing_ = false;
  MonotonicTime open_until_;
};

}  // namespace headgate::router
