// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Mode `switch` of several routers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <iostream>
#include <utility>

#include "common/digest.h"
#include "tests/unit/router/sharing_world.h"

namespace headgate::router {
namespace {

// policy.md 3.2's counting error: requests that a router lets go otherwise than one meter that sees all of them would.
// The rate swings around T, so that the mode flips.
TEST(SharedRate, FourRoutersSwitchAsOne) {
  struct Row {
    const char* name;
    absl::Duration window, dwell, period;
    double low, high, skew;  // of T; arrivals at the first router
    double error_max;
  };
  const Row rows[] = {
      {"slow", absl::Seconds(60), absl::Seconds(60), absl::Seconds(600), 0.6, 1.2, 0.25, 0.01},
      {"skewed", absl::Seconds(60), absl::Seconds(60), absl::Seconds(600), 0.6, 1.2, 0.55, 0.01},
      {"just touching", absl::Seconds(60), absl::Seconds(60), absl::Seconds(600), 0.7, 1.01, 0.25, 0.01},
      {"short window", absl::Seconds(10), absl::Seconds(60), absl::Seconds(300), 0.6, 1.2, 0.25, 0.01},
      // It touches T once in a while for a moment that only the one meter sees.
      {"at its worst", absl::Seconds(10), absl::Seconds(10), absl::Seconds(60), 0.75, 1.0, 0.25, 0.04},
      {"at its worst, skewed", absl::Seconds(10), absl::Seconds(10), absl::Seconds(60), 0.75, 1.0, 0.55, 0.04},
  };
  for (const Row& row : rows) {
    SharingWorld world;
    PolicyConfig policy;
    policy.mode = PolicyConfig::Mode::kSwitch;
    policy.switch_window = row.window;
    policy.switch_dwell = row.dwell;
    std::deque<TrafficMeter> meters;
    Share(world, policy, meters);
    TrafficMeter reference(world.clock, policy);
    const RandomBytes random = SeededRandom(11);
    const MonotonicTime begin = world.clock.Monotonic();
    int arrivals = 0, otherwise = 0, flips = 0;
    bool peak = false;
    while (world.clock.Monotonic() < begin + absl::Minutes(30)) {
      const double phase = absl::FDivDuration(world.clock.Monotonic() - begin, row.period);
      const double share = row.low + (row.high - row.low) * (0.5 - 0.5 * std::cos(2 * M_PI * phase));
      const double rate = share * policy.cloud_qps_threshold;
      world.clock.Advance(absl::Seconds(-std::log(1 - RandomUnit(random)) / rate));
      const bool first = RandomUnit(random) < row.skew;
      const size_t other = 1 + static_cast<size_t>(RandomUnit(random) * (kRouters - 1));
      const bool here = meters[first ? 0 : std::min<size_t>(other, kRouters - 1)].Arrive().peak;
      const bool all = reference.Arrive().peak;
      ++arrivals;
      otherwise += here != all;
      flips += std::exchange(peak, all) != all;
    }
    const double error = otherwise / static_cast<double>(arrivals);
    std::cout << row.name << ": decided otherwise " << 100 * error << " % of " << arrivals << ", " << flips
              << " flips\n";
    EXPECT_GE(flips, 2) << row.name;
    EXPECT_LE(error, row.error_max) << row.name;
  }
}

}  // namespace
}  // namespace headgate::router
