// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// DiskSync: one thread that calls fdatasync, so that the executor never waits for the medium. One job at a time.
//
// Thread-safety: executor thread only.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "boost/asio/executor_work_guard.hpp"
#include "common/task.h"

namespace headgate::router {

class DiskSync {
 public:
  explicit DiskSync(Executor executor);
  ~DiskSync();  // waits for the job that runs; its `done` is not called any more

  // Flushes these descriptors, which it duplicates, and calls `done` on the executor. REQUIRES: !busy().
  void Start(const std::vector<int>& descriptors, std::function<void(absl::Status)> done);
  bool busy() const { return busy_; }

 private:
  void Run();
  void Finish(const absl::Status& status);

  const Executor executor_;
  bool busy_ = false;
  std::function<void(absl::Status)> done_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<int> job_;   // guarded by mutex_
  bool stop_ = false;      // guarded by mutex_
  std::thread thread_;
};

}  // namespace headgate::router
