// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CircuitBreaker: stops asking an upstream that fails. Closed -> open after `failures` consecutive failures or a Trip;
// open -> half open after `open_for` (doubled with each failed probe, up to 10 * open_for); half open lets one probe
// through at a time. A stream that dies in the middle is a failure too; success is a stream that reached its finish.
// A probe gives its place to the next one with its first content: an answer may take minutes, or wait for a slow
// client, and must not keep everyone else from the cloud. What an attempt from before the last opening says is old
// news and ignored.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <optional>
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
  // Permission for one attempt, which must end in Success, Failure, Trip or Abandon.
  struct Attempt {
    int64_t opening = 0;  // the last one when it began
    bool probe = false;   // holds the place of the probe
  };
  std::optional<Attempt> Acquire();
  // Its first content came.
  void Answered(Attempt& attempt);
  void Success(const Attempt& attempt);
  void Failure(const Attempt& attempt);
  // At once, whatever the count: key refused, balance spent.
  void Trip(absl::Duration open_for);
  // The attempt said nothing about the upstream (the client left, the caller's error).
  void Abandon(const Attempt& attempt);
  std::string_view state() const;  // closed | open | half_open

 private:
  bool HalfOpen() const { return open_ && clock_.Monotonic() >= open_until_; }
  void Open(absl::Duration open_for);

  const Clock& clock_;
  int64_t failures_max_;
  absl::Duration open_for_;
  int64_t failures_ = 0;  // consecutive
  int64_t opening_ = 0;   // number of the last one
  int64_t openings_ = 0;  // since it was last closed
  bool open_ = false;
  bool probing_ = false;  // the probe's place is taken
  MonotonicTime open_until_;
};

}  // namespace headgate::router
