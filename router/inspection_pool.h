// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// InspectionPool: threads that read large requests, so that a small one never waits for a large one's detectors on the
// serving thread. Bounded: what finds no place in the queue is not read, and sensitive for it.
//
// Thread-safety: executor thread only.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/task.h"

namespace headgate::router {

// Requests with less text are read at once: less than a millisecond for 32 KiB of words, and eight for the worst there
// is. Handing one over and taking it back costs what reading 2 KiB does. A message costs as much as so many bytes more.
inline constexpr size_t kInspectAsideBytes = 32 << 10;
inline constexpr size_t kInspectBytesPerMessage = 1 << 10;

class InspectionPool {
 public:
  // REQUIRES: threads >= 1. `waiting_max`: jobs that may wait for a thread.
  InspectionPool(Executor executor, Clock& clock, size_t threads, size_t waiting_max);
  ~InspectionPool();  // waits for the jobs that run; nobody is told any more
  InspectionPool(const InspectionPool&) = delete;

  // Runs `job` on another thread and returns when it has. RESOURCE_EXHAUSTED: too many wait. The cancellation's
  // reason: it had not begun. A job that has begun is waited for in any case, since it may use what the caller owns.
  // INTERNAL: it threw.
  Task<absl::Status> Run(std::function<void()> job, Cancellation& cancellation);
  // Runs `job` on another thread when no request waits for one; nobody is told. Never, when the pool ends before.
  // Keep it short: a request that comes meanwhile has a thread less.
  void RunIdle(std::function<void()> job);

 private:
  struct Work;
  void Serve();

  const Executor executor_;
  Clock& clock_;
  const size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Work>> waiting_;  // guarded by mutex_
  std::deque<std::function<void()>> idle_;     // guarded by mutex_
  bool stop_ = false;                          // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace headgate::router
