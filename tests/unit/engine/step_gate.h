// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A gate in front of each step of an engine's decode thread.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace headgate::engine {

// Stands at the start of each step. Open at first.
class StepGate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || permits_ > 0; });
    if (!open_) --permits_;
  }
  void Close() {
    std::lock_guard lock(mutex_);
    open_ = false;
    arrived_ = 0;
  }
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Allow(int steps) {
    std::lock_guard lock(mutex_);
    permits_ += steps;
    changed_.notify_all();
  }
  // Until `n` steps have come to the gate since Close.
  void WaitArrived(int n) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return arrived_ >= n; })) << "no step";
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int permits_ = 0;
  int arrived_ = 0;
};

}  // namespace headgate::engine
