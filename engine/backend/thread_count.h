// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How many threads a step has beside other processes. The threads of a step wait for each other at every node of the
// graph, so on two cores a busy neighbour takes two thirds of the speed of two threads, but a quarter of that of one.
// The kernel says how long a thread waited for a core: each neighbour that shows there in two windows costs a thread,
// and all are tried again for a window after a second, two, four and so on. On a machine of its own nothing changes.
//
// Thread-safety: none: the decode thread only.
#pragma once

#include <optional>

namespace headgate::engine {

// Seconds since the thread began.
struct CpuTimes {
  double ran = 0;
  double waited = 0;  // could have run, but had no core
};

// Of the calling thread; absent where the kernel does not tell.
std::optional<CpuTimes> CpuTimesOfThread();

class ThreadCount {
 public:
  static constexpr double kWindowSeconds = 0.25;  // of steps, between two looks
  static constexpr double kRetrySeconds = 1;      // of steps, with fewer threads than `most`; doubled each time
  static constexpr double kRetrySecondsMax = 8;

  explicit ThreadCount(int most) : most_(most), threads_(most) {}

  // After each step: whether a window is over and Look wants the times.
  bool Ran(double seconds) { return (window_ += seconds) >= kWindowSeconds; }

  // The threads from now on.
  int Look(const CpuTimes& times);

 private:
  int most_;
  int threads_;
  double window_ = 0;
  double fewer_for_ = 0;
  double retry_ = kRetrySeconds;
  bool crowded_ = false;  // all threads waited in the last window, or are tried
  CpuTimes last_;
};

}  // namespace headgate::engine
