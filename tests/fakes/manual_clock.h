// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// ManualClock: time that moves only when told, and the discrete-event loop around it: run what is ready, jump to the
// next timer, again. The same code under the same seed runs the same way: timers fire by (time, order of CallAt), one
// by one, each with everything it makes ready before the next.
//
// Useful for: every test of something that waits, and tests/sim.
//
// Thread-safety: the thread that runs `io` only (WallTime and Monotonic too).
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/io_context.hpp"
#include "common/clock.h"
#include "common/task.h"

namespace headgate {

class ManualClock : public Clock {
 public:
  // Starts at `start` on the wall, and at one hour on the monotonic clock (so that "long ago" exists).
  explicit ManualClock(boost::asio::io_context& io, absl::Time start = absl::FromUnixSeconds(1'790'000'000));
  ~ManualClock() override;

  absl::Time WallTime() const override { return wall_base_ + now_; }
  MonotonicTime Monotonic() const override { return now_; }
  std::unique_ptr<Timer> CallAt(MonotonicTime when, std::function<void()> callback) override;

  // The wall clock jumps (NTP, an operator); monotonic time does not.
  void JumpWall(absl::Duration by) { wall_base_ += by; }

  // Runs what is ready, and timers that are due, until nothing is; time stands still.
  void RunUntilIdle();
  // Runs everything that happens up to and including `when`, in order; then it is `when`.
  void AdvanceTo(MonotonicTime when);
  void Advance(absl::Duration by) { AdvanceTo(now_ + by); }
  // As Advance, but stops as soon as `done` says so, also between two events of the same instant. Returns done().
  bool RunUntil(const std::function<bool()>& done, absl::Duration at_most = absl::Hours(24));
  // When the next timer is due; nullopt when there is none.
  std::optional<MonotonicTime> NextTimer() const;
  size_t timers() const { return timers_.size(); }

  // Runs `task` to its end on this clock and returns what it returned. Aborts when it is not finished after `at_most`
  // of simulated time, or when it throws.
  template <typename T>
  T Await(Task<T> task, absl::Duration at_most = absl::Hours(24)) {
    std::optional<T> result;
    boost::asio::co_spawn(io_.get_executor(), std::move(task), [&result](std::exception_ptr error, T value) {
      if (error) std::terminate();
      result.emplace(std::move(value));
    });
    if (!RunUntil([&result] { return result.has_value(); }, at_most)) std::terminate();
    return *std::move(result);
  }

 private:
  class ManualTimer;
  using Key = std::pair<MonotonicTime, uint64_t>;
  using Callback = std::shared_ptr<std::function<void()>>;
  void Fire();  // the first timer

  boost::asio::io_context& io_;
  absl::Time wall_base_;
  MonotonicTime now_ = absl::Hours(1);
  uint64_t next_id_ = 0;
  std::map<Key, Callback> timers_;
};

// Starts `task` and sets `*result` when it ends; `*result` must outlive it. For tests that act while it waits.
template <typename T>
void Spawn(boost::asio::io_context& io, Task<T> task, std::optional<T>* result) {
  boost::asio::co_spawn(io.get_executor(), std::move(task), [result](std::exception_ptr error, T value) {
    if (error) std::terminate();
    result->emplace(std::move(value));
  });
}

}  // namespace headgate
