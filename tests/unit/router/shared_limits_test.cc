// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/shared_limits.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "gtest/gtest.h"
#include "router/budget.h"
#include "router/traffic_meter.h"
#include "router/upstream/cloud_limit.h"
#include "tests/unit/router/sharing_world.h"

namespace headgate::router {
namespace {

using absl::Milliseconds;
using absl::Seconds;

struct Counted {
  int arrivals = 0, admitted = 0, together = 0, otherwise = 0;
  size_t most_in_a_second = 0;   // admitted, in any
  std::vector<int> by_second;  // admitted in it, beside what one meter for all would have admitted
  double error() const { return std::abs(admitted - together) / static_cast<double>(arrivals); }
  // Of any second that is over, and of all of them on average, in requests.
  int worst_second() const {
    int worst = 0;
    for (size_t i = 0; i + 1 < by_second.size(); ++i) worst = std::max(worst, std::abs(by_second[i]));
    return worst;
  }
  double mean_second() const {
    double sum = 0;
    for (size_t i = 0; i + 1 < by_second.size(); ++i) sum += std::abs(by_second[i]);
    return sum / static_cast<double>(by_second.size() - 1);
  }
};

// Poisson arrivals at `rate`, `skew` of them at the first router, against one meter that sees them all.
Counted Count(SharingWorld& world, std::deque<TrafficMeter>& meters, const PolicyConfig& policy, double rate,
              double skew, absl::Duration time) {
  TrafficMeter reference(world.clock, policy);
  const RandomBytes random = SeededRandom(7);
  Counted counted;
  std::deque<MonotonicTime> admitted;
  const MonotonicTime begin = world.clock.Monotonic(), end = begin + time;
  while (world.clock.Monotonic() < end) {
    world.clock.Advance(absl::Seconds(-std::log(1 - RandomUnit(random)) / rate));
    const bool first = RandomUnit(random) < skew;
    const auto other = 1 + static_cast<size_t>(RandomUnit(random) * static_cast<double>(meters.size() - 1));
    TrafficMeter& meter = meters[first ? 0 : std::min(other, meters.size() - 1)];
    const bool here = meter.Arrive().cloud_rate_conforms;
    const bool all = reference.Arrive().cloud_rate_conforms;
    if (here) meter.CommitCloud(), admitted.push_back(world.clock.Monotonic());
    while (!admitted.empty() && admitted.front() <= world.clock.Monotonic() - Seconds(1)) admitted.pop_front();
    counted.most_in_a_second = std::max(counted.most_in_a_second, admitted.size());
    if (all) reference.CommitCloud();
    ++counted.arrivals;
    counted.admitted += here;
    counted.together += all;
    counted.otherwise += here != all;
    counted.by_second.resize(static_cast<size_t>((world.clock.Monotonic() - begin) / Seconds(1)) + 1);
    counted.by_second.back() += static_cast<int>(here) - static_cast<int>(all);
  }
  return counted;
}

TEST(SharedRate, FourRoutersCountAsOne) {
  struct Row {
    const char* name;
    double offered, skew;
  };
  const Row rows[] = {{"below", 120, 0.25},  {"just above", 220, 0.25}, {"twice", 400, 0.25},
                      {"skewed", 400, 0.55}, {"ten times", 2000, 0.25}, {"one router alone", 400, 1}};
  for (const Row& row : rows) {
    SharingWorld world;
    PolicyConfig policy;
    std::deque<TrafficMeter> meters;
    Share(world, policy, meters);
    const Counted counted = Count(world, meters, policy, row.offered, row.skew, Seconds(60));
    std::cout << row.name << ": count error " << 100 * counted.error() << " %, decided otherwise "
              << 100.0 * counted.otherwise / counted.arrivals << " %, in a second " << counted.mean_second()
              << " requests, at worst " << counted.worst_second() << "\n";
    EXPECT_LE(counted.error(), 0.01) << row.name;
    // By the second: on average within 2.5 % of T, never by more than the burst; and never more than T, burst and one
    // of each router leave.
    EXPECT_LE(counted.mean_second(), 0.025 * policy.cloud_qps_threshold) << row.name;
    EXPECT_LE(counted.worst_second(), policy.cloud_qps_threshold / 4) << row.name;
    EXPECT_LE(static_cast<double>(counted.most_in_a_second), policy.cloud_qps_threshold * 1.25 + kRouters) << row.name;
  }
}

TEST(SharedRate, WithoutTheStoreEachHasItsShareAndNeverTheWhole) {
  SharingWorld world;
  PolicyConfig policy;
  std::deque<TrafficMeter> meters;
  Share(world, policy, meters);
  world.leases.down = true;
  world.clock.Advance(Seconds(1));
  const Counted lost = Count(world, meters, policy, 2000, 0.25, Seconds(20));
  EXPECT_LE(lost.admitted, 200 * 20 + 50 + kRouters);
  EXPECT_GE(lost.admitted, 200 * 20 * 0.95);
  for (const auto& router : world.all) EXPECT_FALSE(router->limits->live());
  EXPECT_EQ(world.all[0]->metrics.GetGauge("headgate_router_sharing_live", "").Value(), 0);
  // All of it at one router: a quarter.
  const Counted alone = Count(world, meters, policy, 2000, 1, Seconds(20));
  EXPECT_LE(alone.admitted, 50 * 20 + 13 + 1);
  world.leases.down = false;
  world.clock.Advance(Seconds(1));
  EXPECT_LE(Count(world, meters, policy, 400, 0.25, Seconds(60)).error(), 0.01) << "and together again";
}

TEST(SharedRate, TheSwitchSeesTheRateOfAll) {
  SharingWorld world;
  PolicyConfig policy;
  policy.mode = PolicyConfig::Mode::kSwitch;
  policy.switch_window = Seconds(10);
  policy.switch_dwell = Seconds(10);
  policy.cloud_qps_threshold = 100;
  std::deque<TrafficMeter> meters;
  Share(world, policy, meters);
  (void)Count(world, meters, policy, 80, 0.25, Seconds(30));
  for (TrafficMeter& meter : meters) EXPECT_FALSE(meter.Peek().peak);
  (void)Count(world, meters, policy, 160, 0.25, Seconds(30));
  for (TrafficMeter& meter : meters) EXPECT_TRUE(meter.Peek().peak) << "40 a second here, 160 in all";
  world.clock.Advance(Seconds(60));
  for (TrafficMeter& meter : meters) EXPECT_FALSE(meter.Peek().peak);
}

TEST(SharedCap, TheCloudsPlacesAreSharedOut) {
  SharingWorld world;
  CloudConfig cloud;
  cloud.concurrency_max = 40;
  std::vector<std::unique_ptr<CloudLimit>> limits;
  for (const auto& router : world.all) {
    limits.push_back(std::make_unique<CloudLimit>(world.clock, cloud, router->metrics));
    limits.back()->Share(*router->limits);
  }
  world.clock.Advance(Milliseconds(200));
  // All demand at one router: it gets what the others leave.
  std::vector<std::pair<int, CloudLimit::Attempt>> taken;
  const auto fill = [&](int router) {
    int before = static_cast<int>(taken.size());
    for (int i = 0; i < 60; ++i) {
      if (const auto attempt = limits[router]->Take()) taken.emplace_back(router, *attempt);
      world.clock.Advance(Milliseconds(20));
    }
    return static_cast<int>(taken.size()) - before;
  };
  EXPECT_GE(fill(0), 30);
  for (int router = 1; router < kRouters; ++router) fill(router);
  EXPECT_EQ(taken.size(), 40u) << "all places are used, none twice";
  for (const auto& [router, attempt] : taken) limits[router]->Ended();
}

// After a quiet time a burst comes before the next exchange could bring anything.
TEST(SharedCap, AFirstBurstFindsPlacesAndTokens) {
  SharingWorld world;
  CloudLimit limit(world.clock, CloudConfig(), world.all[0]->metrics);
  limit.Share(*world.all[0]->limits);
  PolicyConfig policy;
  policy.cloud_qps_threshold = 10'000;
  TrafficMeter meter(world.clock, policy);
  meter.Share(*world.all[0]->limits);
  world.clock.Advance(Seconds(1));
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(meter.Arrive().cloud_rate_conforms) << i;
    meter.CommitCloud();
    EXPECT_TRUE(limit.Take()) << i;
  }
  for (int i = 0; i < 20; ++i) limit.Ended();
  // A moment without one before the exchange does not give the places of all back.
  for (int i = 0; i < 400; ++i) {
    if (i % 50 == 0) world.clock.Advance(Milliseconds(50));
    ASSERT_TRUE(limit.Take());
    limit.Ended();
  }
}

TEST(SharedCap, WithoutTheStoreEachHasItsShare) {
  SharingWorld world;
  CloudConfig cloud;
  cloud.concurrency_max = 40;
  CloudLimit limit(world.clock, cloud, world.all[0]->metrics);
  limit.Share(*world.all[0]->limits);
  world.leases.down = true;
  world.clock.Advance(Seconds(2));
  int taken = 0;
  while (limit.Take()) ++taken;
  EXPECT_EQ(taken, 10);
  for (; taken > 0; --taken) limit.Ended();
}

TEST(SharedCap, PlacesOfARouterThatDiedComeFree) {
  SharingWorld world(2);
  CloudConfig cloud;
  cloud.concurrency_max = 20;
  CloudLimit one(world.clock, cloud, world.all[0]->metrics);
  one.Share(*world.all[0]->limits);
  auto& places = world.leases.held["cloud_places"];
  places["dead"] = {20, world.clock.Monotonic() + kLeaseLife, 20};
  world.clock.Advance(Milliseconds(200));
  EXPECT_FALSE(one.HasRoom());
  world.clock.Advance(kLeaseLife + Milliseconds(200));
  EXPECT_TRUE(one.HasRoom());
}

// One cloud, four routers: each with its limit of it.
struct CapWorld : SharingWorld {
  explicit CapWorld(int64_t concurrency_max) {
    config.concurrency_max = concurrency_max;
    for (const auto& router : all) {
      limits.push_back(std::make_unique<CloudLimit>(clock, config, router->metrics));
      limits.back()->Share(*router->limits);
    }
    clock.Advance(Milliseconds(200));
  }
  ~CapWorld() { EmptyAll(); }
  // All take what they get, for a while, beginning with `first`.
  int64_t Fill(size_t first = 0, absl::Duration time = Seconds(1)) {
    for (const MonotonicTime end = clock.Monotonic() + time; clock.Monotonic() < end;) {
      for (size_t i = 0; i < limits.size(); ++i) {
        while (const auto attempt = limits[(first + i) % limits.size()]->Take()) last = *attempt;
      }
      clock.Advance(Milliseconds(10));
    }
    return InFlight();
  }
  int64_t InFlight() const {
    int64_t all_of_them = 0;
    for (const auto& limit : limits) all_of_them += limit->in_flight();
    return all_of_them;
  }
  void Empty(size_t router) {
    while (limits[router]->in_flight() > 0) limits[router]->Ended();
  }
  void EmptyAll() {
    for (size_t i = 0; i < limits.size(); ++i) Empty(i);
  }
  CloudConfig config;
  CloudLimit::Attempt last;
  std::vector<std::unique_ptr<CloudLimit>> limits;
};

TEST(SharedCap, WhatOneLearnsHoldsForAll) {
  struct Row {
    const char* name;
    std::optional<int64_t> named;  // by the 429
    int64_t cap;
  };
  const Row rows[] = {{"a limit that the cloud names", 43, 38}, {"one that it does not name", std::nullopt, 1250}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    CapWorld world(2500);
    const auto attempt = world.limits[0]->Take();
    ASSERT_TRUE(attempt);
    world.limits[0]->Limited(*attempt, row.named);
    EXPECT_EQ(world.limits[0]->cap(), row.cap) << "at once";
    world.clock.Advance(Milliseconds(110));  // two exchanges
    EXPECT_EQ(world.Fill(1), row.cap) << "none too many, none left over";
    for (const auto& limit : world.limits) EXPECT_EQ(limit->cap(), row.cap);
    world.EmptyAll();
    // It outlives who learned it, and the loss of the store.
    world.leases.down = true;
    world.clock.Advance(Seconds(2));
    EXPECT_LE(world.Fill(), row.cap);
  }
}

TEST(SharedCap, SuccessesOfAllRaiseIt) {
  CapWorld world(2500);
  world.limits[0]->Limited(*world.limits[0]->Take(), 20);  // 18
  world.clock.Advance(Milliseconds(200));
  for (int i = 0; i < 19; ++i) {  // of three other routers
    const auto router = static_cast<size_t>(1 + i % 3);
    while (!world.limits[router]->Take()) world.clock.Advance(Milliseconds(10));
    world.limits[router]->Succeeded();
  }
  world.clock.Advance(Milliseconds(200));
  EXPECT_EQ(world.Fill(), 19);
}

TEST(SharedCap, RefusalsOfARoundCutOnce) {
  CapWorld world(100);
  EXPECT_EQ(world.Fill(), 100);
  // Every router hears the same refusal, one after another, of what was sent before anybody knew.
  for (const auto& limit : world.limits) {
    while (limit->in_flight() > 0) limit->Limited(CloudLimit::Attempt{}, std::nullopt);
    world.clock.Advance(Milliseconds(120));
  }
  EXPECT_EQ(world.limits[3]->cap(), 50);
}

TEST(SharedCap, ANewMaximumIsLearnedAnew) {
  CapWorld world(100);
  world.limits[0]->Limited(*world.limits[0]->Take(), 20);
  world.clock.Advance(Milliseconds(200));
  world.config.concurrency_max = 60;
  for (const auto& limit : world.limits) limit->Apply(world.config);
  world.clock.Advance(Milliseconds(200));
  EXPECT_EQ(world.Fill(), 60);
}

// No router has a place of its own beyond the cap.
TEST(SharedCap, BelowTheNumberOfRouters) {
  for (const int64_t cap : {1, 2, 3}) {
    SCOPED_TRACE(cap);
    CapWorld world(cap);
    int64_t most = 0;
    std::vector<int> got(kRouters);
    for (int i = 0; i < 4000; ++i) {  // each in turn has 10 s in which it asks alone
      const auto router = static_cast<size_t>(i / 1000);
      if (world.limits[router]->Take()) ++got[router];
      most = std::max(most, world.InFlight());
      world.clock.Advance(Milliseconds(10));
      if (i % 10 == 9) world.Empty(router);
    }
    EXPECT_LE(most, cap);
    for (int router = 0; router < kRouters; ++router) EXPECT_GE(got[router], 50) << router;
    EXPECT_EQ(world.Fill(), cap);
    world.EmptyAll();
    world.leases.down = true;
    world.clock.Advance(Seconds(2));
    EXPECT_EQ(world.Fill(), 0) << "a share of less than one place is none";
  }
}

// Who comes late gets its part, although another one wants everything all the time.
TEST(SharedCap, ALateRouterGetsItsPart) {
  CapWorld world(40);
  const auto busy = [&](size_t router) {
    while (world.limits[router]->Take()) {
    }
  };
  int64_t most = 0;
  const auto work = [&](std::vector<size_t> routers) {
    for (int i = 0; i < 200; ++i) {
      for (const size_t router : routers) busy(router);
      most = std::max(most, world.InFlight());
      for (const size_t router : routers) world.limits[router]->Ended();
      world.clock.Advance(Milliseconds(10));
      for (const size_t router : routers) busy(router);
    }
  };
  work({0});
  EXPECT_GE(world.limits[0]->in_flight(), 30);
  work({0, 1});
  EXPECT_GE(world.limits[1]->in_flight(), 10);
  EXPECT_GE(world.limits[0]->in_flight(), 10);
  EXPECT_LE(most, 40);
}

TEST(SharedCalls, TheDaysCallsAreNeverExceeded) {
  SharingWorld world;
  CloudConfig cloud;
  cloud.calls_per_day = 1000;
  std::vector<std::unique_ptr<CloudLimit>> limits;
  for (const auto& router : world.all) {
    limits.push_back(std::make_unique<CloudLimit>(world.clock, cloud, router->metrics));
    limits.back()->Share(*router->limits);
  }
  int calls = 0;
  for (int i = 0; i < 5000; ++i) {
    world.clock.Advance(Milliseconds(2));
    CloudLimit& limit = *limits[static_cast<size_t>(i) % limits.size()];
    if (!limit.Take()) continue;
    ++calls;
    limit.Ended();
  }
  EXPECT_LE(calls, 1000);
  EXPECT_GE(calls, 980);
  for (const auto& limit : limits) EXPECT_FALSE(limit->HasRoom());
}

TEST(SharedBudget, NeverOverspentAlsoWithoutTheStore) {
  SharingWorld world;
  BudgetConfig config;
  config.limit_micro_units = 100'000;
  std::vector<std::unique_ptr<BudgetBook>> books;
  for (const auto& router : world.all) {
    books.push_back(std::make_unique<BudgetBook>(world.clock, router->metrics));
    books.back()->Apply(config, {});
    books.back()->Share(*router->limits);
    (void)books.back()->Look("t", 0);
  }
  int64_t spent = 0;
  const auto spend = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      world.clock.Advance(Milliseconds(10));
      BudgetBook& book = *books[static_cast<size_t>(i) % books.size()];
      if (!book.Look("t", 100).room) continue;
      auto hold = book.Reserve("t", 100);
      book.Settle(std::move(hold), 60);
      spent += 60;
    }
  };
  spend(800);
  EXPECT_GT(spent, 20'000);
  world.leases.down = true;
  spend(2000);
  EXPECT_LE(spent, 100'000);
  world.leases.down = false;
  spend(4000);
  EXPECT_LE(spent, 100'000);
  EXPECT_GE(spent, 97'000);
}

TEST(SharedLimits, OneExchangeForEverything) {
  SharingWorld world(1);
  for (int i = 0; i < 50; ++i) world.all[0]->limits->Get(LeaseAsk::Kind::kRate, absl::StrCat("rate-", i)).Set(10, 2);
  const int before = world.leases.exchanges;
  world.clock.Advance(Seconds(1));
  EXPECT_LE(world.leases.exchanges - before, 21);
  EXPECT_GE(world.leases.exchanges - before, 19);
}

}  // namespace
}  // namespace headgate::router
