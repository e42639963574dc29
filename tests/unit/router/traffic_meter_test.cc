// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/traffic_meter.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/io_context.hpp"
#include "common/digest.h"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

PolicyConfig Overflow(double threshold) {
  PolicyConfig config;
  config.cloud_qps_threshold = threshold;
  return config;
}

PolicyConfig Switch(double threshold, absl::Duration window, absl::Duration dwell) {
  PolicyConfig config = Overflow(threshold);
  config.mode = PolicyConfig::Mode::kSwitch;
  config.switch_window = window;
  config.switch_dwell = dwell;
  return config;
}

class TrafficMeterTest : public testing::Test {
 protected:
  // Requests at `rate` for `length`, evenly; returns how many were admitted.
  int Feed(TrafficMeter& meter, double rate, absl::Duration length) {
    int admitted = 0;
    const MonotonicTime begin = clock_.Monotonic();
    for (int i = 0; i < rate * absl::ToDoubleSeconds(length); ++i) {
      clock_.AdvanceTo(begin + absl::Seconds(i / rate));
      if (!meter.Arrive().cloud_rate_conforms) continue;
      meter.CommitCloud();
      ++admitted;
    }
    clock_.AdvanceTo(begin + length);
    return admitted;
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
};

TEST_F(TrafficMeterTest, BelowTheThresholdEverythingConforms) {
  TrafficMeter meter(clock_, Overflow(200));
  EXPECT_EQ(Feed(meter, 190, absl::Seconds(10)), 1900);
}

TEST_F(TrafficMeterTest, AboveItTheThresholdIsUsedFully) {
  TrafficMeter meter(clock_, Overflow(200));
  const int admitted = Feed(meter, 1000, absl::Seconds(10));
  EXPECT_GE(admitted, 2000);
  EXPECT_LE(admitted, 2051);
}

TEST_F(TrafficMeterTest, ABurstIsAQuarterOfASecondsWorth) {
  TrafficMeter meter(clock_, Overflow(200));
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    if (!meter.Arrive().cloud_rate_conforms) continue;
    meter.CommitCloud();
    ++admitted;
  }
  EXPECT_EQ(admitted, 51);  // B + 1
}

TEST_F(TrafficMeterTest, WhatIsNotCommittedTakesNoPlace) {
  TrafficMeter meter(clock_, Overflow(200));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(meter.Arrive().cloud_rate_conforms);
}

TEST_F(TrafficMeterTest, ThresholdZeroSendsNothing) {
  TrafficMeter overflow(clock_, Overflow(0));
  EXPECT_EQ(Feed(overflow, 10, absl::Seconds(100)), 0);
  TrafficMeter switching(clock_, Switch(0, absl::Seconds(1), absl::Seconds(1)));
  EXPECT_TRUE(switching.Peek().peak);
  EXPECT_TRUE(switching.Arrive().peak);
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(switching.Peek().peak);
}

// Every interval between two admitted requests, over random arrivals: bursts, pauses and trickles.
TEST_F(TrafficMeterTest, BoundsHoldOverEveryInterval) {
  for (const double threshold : {0.3, 1.0, 3.0, 7.7, 10.0, 200.0, 333.3, 5000.0}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      SCOPED_TRACE(absl::StrCat("threshold ", threshold, " seed ", seed));
      const RandomBytes random = SeededRandom(seed);
      TrafficMeter meter(clock_, Overflow(threshold));
      std::vector<double> admitted;  // seconds
      const MonotonicTime begin = clock_.Monotonic();
      double mean_gap = 0.5 / threshold;
      while (admitted.size() < 500 + 3 * threshold) {
        if (RandomUnit(random) < 0.01) mean_gap = std::pow(10, 2 - 4 * RandomUnit(random)) / threshold;
        const bool together = RandomUnit(random) < 0.3;
        if (!together) clock_.Advance(absl::Seconds(-std::log(1 - RandomUnit(random)) * mean_gap));
        if (!meter.Arrive().cloud_rate_conforms) continue;
        meter.CommitCloud();
        admitted.push_back(absl::ToDoubleSeconds(clock_.Monotonic() - begin));
      }
      const double burst = threshold / 4;
      // Requests i..j within d seconds: j - i + 1 <= T*d + B + 1, for all i <= j, as one running minimum.
      double lowest = 0;
      for (size_t j = 0; j < admitted.size(); ++j) {
        const double ahead = static_cast<double>(j) - threshold * admitted[j];
        lowest = j == 0 ? ahead : std::min(lowest, ahead);
        ASSERT_LE(ahead - lowest, burst + 1e-6) << j;
      }
      // Any half-open second.
      const auto second_max = static_cast<size_t>(std::max(1.0, std::floor(threshold + burst)));
      for (size_t i = 0; i + second_max < admitted.size(); ++i) {
        ASSERT_GE(admitted[i + second_max] - admitted[i], 1 - 1e-9) << i;
      }
    }
  }
}

// A source that sends at the first instant at which it may, to the quarter of a nanosecond: rounding must not add up.
TEST_F(TrafficMeterTest, RoundingNeverAdmitsOneTooMany) {
  constexpr double kThreshold = 333.3;
  constexpr size_t kSecondMax = 416;  // floor(T + T/4)
  TrafficMeter meter(clock_, Overflow(kThreshold));
  const MonotonicTime begin = clock_.Monotonic();
  std::vector<MonotonicTime> admitted;
  while (admitted.size() < 900) {
    const MonotonicTime about =
        begin + absl::Seconds(static_cast<double>(admitted.size()) / kThreshold - (kSecondMax / kThreshold - 1));
    if (clock_.Monotonic() < about - absl::Nanoseconds(50)) clock_.AdvanceTo(about - absl::Nanoseconds(50));
    while (!meter.Peek().cloud_rate_conforms) clock_.Advance(absl::Nanoseconds(1) / 4);
    meter.CommitCloud();
    admitted.push_back(clock_.Monotonic());
  }
  for (size_t i = 0; i + kSecondMax < admitted.size(); ++i) {
    ASSERT_GE(admitted[i + kSecondMax] - admitted[i], absl::Seconds(1)) << i;
  }
}

TEST_F(TrafficMeterTest, EligibleQpsIsOfTheLastTenSeconds) {
  TrafficMeter meter(clock_, Overflow(200));
  EXPECT_EQ(meter.Peek().eligible_qps, 0);
  Feed(meter, 50, absl::Seconds(10));
  EXPECT_NEAR(meter.Peek().eligible_qps, 50, 1);
  clock_.Advance(absl::Seconds(5));
  EXPECT_NEAR(meter.Peek().eligible_qps, 25, 1);
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(meter.Peek().eligible_qps, 0);
}

TEST_F(TrafficMeterTest, ApplyKeepsTheCounts) {
  TrafficMeter meter(clock_, Overflow(200));
  Feed(meter, 1000, absl::Seconds(1));
  meter.Apply(Overflow(100));
  EXPECT_NEAR(meter.Peek().eligible_qps, 100, 1);
  EXPECT_LE(Feed(meter, 1e6, absl::Microseconds(100)), 2);  // a fresh meter would let 26 through
}

TEST_F(TrafficMeterTest, SwitchGoesToPeakAndBackAfterTheDwell) {
  TrafficMeter meter(clock_, Switch(10, absl::Seconds(10), absl::Seconds(30)));
  Feed(meter, 9, absl::Seconds(60));
  EXPECT_FALSE(meter.Peek().peak);
  Feed(meter, 11, absl::Seconds(10));
  EXPECT_TRUE(meter.Peek().peak);
  Feed(meter, 9, absl::Seconds(300));  // between 0.8 T and T: stays
  EXPECT_TRUE(meter.Peek().peak);
  Feed(meter, 7, absl::Seconds(30));  // below 0.8 T since about 5 s
  EXPECT_TRUE(meter.Peek().peak);
  Feed(meter, 7, absl::Seconds(10));
  EXPECT_FALSE(meter.Peek().peak);
}

TEST_F(TrafficMeterTest, SwitchReturnsWithoutArrivals) {
  TrafficMeter meter(clock_, Switch(10, absl::Seconds(10), absl::Seconds(30)));
  Feed(meter, 20, absl::Seconds(10));
  EXPECT_TRUE(meter.Peek().peak);
  // 200 requests in the window; at 80 of them, 6 s later, the rate is low, and 30 s after that the dwell is over.
  clock_.Advance(absl::Seconds(35));
  EXPECT_TRUE(meter.Peek().peak);
  clock_.Advance(absl::Seconds(2));
  EXPECT_FALSE(meter.Peek().peak);
  EXPECT_FALSE(meter.Arrive().peak);
}

TEST_F(TrafficMeterTest, ABriefDipDoesNotEndPeak) {
  TrafficMeter meter(clock_, Switch(10, absl::Seconds(10), absl::Seconds(30)));
  Feed(meter, 20, absl::Seconds(60));
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Seconds(25));
    Feed(meter, 20, absl::Seconds(10));
    EXPECT_TRUE(meter.Peek().peak) << i;
  }
}

TEST_F(TrafficMeterTest, OverflowHasNoPeak) {
  TrafficMeter meter(clock_, Overflow(10));
  Feed(meter, 100, absl::Seconds(60));
  EXPECT_FALSE(meter.Peek().peak);
}

TEST_F(TrafficMeterTest, FlipsAreBoundedByTheDwell) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const RandomBytes random = SeededRandom(seed);
    TrafficMeter meter(clock_, Switch(5, absl::Seconds(2), absl::Seconds(20)));
    const MonotonicTime begin = clock_.Monotonic();
    MonotonicTime peak_since;
    bool peak = false;
    int flips = 0;
    double rate = 5;
    while (clock_.Monotonic() - begin < absl::Hours(1)) {
      if (RandomUnit(random) < 0.02) rate = RandomUnit(random) < 0.5 ? 1 : 20;
      clock_.Advance(absl::Seconds(-std::log(1 - RandomUnit(random)) / rate));
      const bool now = meter.Arrive().peak;
      if (now == peak) continue;
      // PEAK never lasts less than the dwell.
      if (now) {
        peak_since = clock_.Monotonic();
      } else {
        EXPECT_GE(clock_.Monotonic() - peak_since, absl::Seconds(20));
      }
      peak = now;
      ++flips;
    }
    EXPECT_LE(flips, 2 * 3600 / 20) << seed;
    EXPECT_GT(flips, 10) << seed;  // the arrivals do provoke it
  }
}

}  // namespace
}  // namespace headgate::router
