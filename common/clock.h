// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Clock: the only source of time. Everything that waits or looks at the time gets one by constructor; nothing else may
// call now() or create a timer (tools/tidy checks). Tests and the simulation use a clock that they move by hand.
//
// Two times: WallTime for records, prices and certificates (it may jump); MonotonicTime for deadlines, rates and
// waiting (it never goes back; its origin is arbitrary).
//
// Thread-safety: WallTime and MonotonicTime from any thread; CallAt and Timer only on the executor's thread.
#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/task.h"

namespace headgate {

// Duration since an arbitrary fixed origin.
using MonotonicTime = absl::Duration;

// A pending call; destroying it cancels the call. Destroying it inside its own callback is allowed.
class Timer {
 public:
  virtual ~Timer() = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time WallTime() const = 0;
  virtual MonotonicTime Monotonic() const = 0;
  // Calls `callback` once on the executor at `when` or soon after; never from inside CallAt.
  // The clock must outlive the Timer.
  [[nodiscard]] virtual std::unique_ptr<Timer> CallAt(MonotonicTime when, std::function<void()> callback) = 0;
};

// The machine's clock with timers on `io`. `io` must outlive it.
std::unique_ptr<Clock> MakeRealClock(boost::asio::io_context& io);

// The machine's clock for threads without an executor (the engine's decode thread). CallAt must not be called.
const Clock& RealTime();

}  // namespace headgate
