// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/thread_count.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

namespace headgate::engine {

std::optional<CpuTimes> CpuTimesOfThread() {
  // Nanoseconds on a core and waiting for one: Documentation/scheduler/sched-stats.rst.
  std::ifstream file("/proc/thread-self/schedstat");
  double ran = 0;
  double waited = 0;
  if (!(file >> ran >> waited)) return std::nullopt;
  return CpuTimes{ran / 1e9, waited / 1e9};
}

int ThreadCount::Look(const CpuTimes& times) {
  const double ran = times.ran - last_.ran;
  const double waited = times.waited - last_.waited;
  last_ = times;
  fewer_for_ += std::exchange(window_, 0);
  // `threads` of ours and n others share the cores evenly: each waits n / (threads + n) of its time.
  const double share = ran > 0 ? std::min<double>(threads_ * waited / ran, most_) : 0;
  const int others = static_cast<int>(std::lround(share));
  const bool all = threads_ == most_;
  if (others == 0) {
    crowded_ = false;
    if (all) {
      retry_ = kRetrySeconds;
    } else if (fewer_for_ >= retry_) {
      threads_ = most_;
      crowded_ = true;  // one window tells whether they are still there
      retry_ = std::min(2 * retry_, kRetrySecondsMax);
    }
  } else if (all && !crowded_) {
    crowded_ = true;  // for a moment, perhaps
  } else {
    threads_ = std::max(1, threads_ - others);
    fewer_for_ = 0;
  }
  return threads_;
}

}  // namespace headgate::engine
