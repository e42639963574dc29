// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What limits our calls of the cloud: cap, day, keys, retries, balance.

#include "router/upstream/cloud_limit.h"

#include <vector>

#include "gtest/gtest.h"
#include "router/upstream/cloud_balance.h"
#include "router/upstream/key_ring.h"
#include "router/upstream/retry_budget.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

struct World {
  explicit World(int64_t concurrency_max = 100) {
    config.concurrency_max = concurrency_max;
    limit.emplace(clock, config, metrics);
  }
  std::vector<CloudLimit::Attempt> Fill(int64_t n) {
    std::vector<CloudLimit::Attempt> attempts;
    for (int64_t i = 0; i < n; ++i) attempts.push_back(*limit->Take());
    return attempts;
  }
  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  CloudConfig config;
  std::optional<CloudLimit> limit;
};

TEST(CloudLimit, TakesNoMoreThanTheCap) {
  World world(3);
  world.Fill(3);
  EXPECT_FALSE(world.limit->HasRoom());
  EXPECT_FALSE(world.limit->Take().has_value());
  world.limit->Ended();
  EXPECT_TRUE(world.limit->Take().has_value());
}

TEST(CloudLimit, OneCutARound) {
  World world(100);
  const auto attempts = world.Fill(100);
  // All were sent before anybody knew: together they say one thing.
  for (const auto& attempt : attempts) world.limit->Limited(attempt, std::nullopt);
  EXPECT_EQ(world.limit->cap(), 80);
  const auto later = world.Fill(80);
  world.limit->Limited(later[0], std::nullopt);
  EXPECT_EQ(world.limit->cap(), 64);
}

TEST(CloudLimit, ACapFarAboveWhatWasUnderWayIsHalved) {
  World world(2500);
  const auto attempts = world.Fill(10);
  world.limit->Limited(attempts[0], std::nullopt);
  EXPECT_EQ(world.limit->cap(), 1250);
}

TEST(CloudLimit, TheNamedLimitCountsAndNeverRaises) {
  World world(100);
  world.limit->Limited(*world.limit->Take(), 40);
  EXPECT_EQ(world.limit->cap(), 36);
  world.limit->Limited(*world.limit->Take(), 4000);
  EXPECT_EQ(world.limit->cap(), 36);
  world.limit->Limited(*world.limit->Take(), 1);
  EXPECT_EQ(world.limit->cap(), 1) << "one is always tried";
  EXPECT_TRUE(world.limit->HasRoom());
}

TEST(CloudLimit, GrowsByOneARoundUpToTheMaximum) {
  World world(12);
  world.limit->Limited(*world.limit->Take(), 11);  // 9.9
  ASSERT_EQ(world.limit->cap(), 9);
  int successes = 0;
  const auto succeed = [&] {
    ASSERT_TRUE(world.limit->Take().has_value());
    world.limit->Succeeded();
    ++successes;
  };
  while (world.limit->cap() < 10) succeed();
  EXPECT_EQ(successes, 10);
  for (int i = 0; i < 1000; ++i) succeed();
  EXPECT_EQ(world.limit->cap(), 12);
}

// A cloud with a hidden limit: the cap finds it and stays near.
TEST(CloudLimit, SettlesNearAHiddenLimit) {
  World world(2500);
  int refused = 0, all = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<CloudLimit::Attempt> attempts;
    while (attempts.size() < 200 && world.limit->HasRoom()) attempts.push_back(*world.limit->Take());
    // Refusals come at once, answers later.
    for (size_t i = 39; i < attempts.size(); ++i) world.limit->Limited(attempts[i], std::nullopt);
    for (size_t i = 0; i < std::min<size_t>(39, attempts.size()); ++i) world.limit->Succeeded();
    if (round < 50) continue;
    all += static_cast<int>(attempts.size());
    refused += static_cast<int>(attempts.size() - std::min<size_t>(39, attempts.size()));
  }
  EXPECT_GE(world.limit->cap(), 25);
  EXPECT_LE(world.limit->cap(), 41);
  EXPECT_LT(refused, all / 20);
}

TEST(CloudLimit, TheDaysCallsEndAtTheRatio) {
  struct Row {
    const char* name;
    double ratio;
    int64_t calls;
  };
  for (const Row& row : {Row{"the volume", 1, 10}, Row{"half as much again", 1.5, 15}, Row{"twice", 2, 20},
                         Row{"never above twice, whatever is configured", 7, 20}}) {
    SCOPED_TRACE(row.name);
    World world;
    world.config.calls_per_day = 10;
    world.config.calls_per_day_ratio = row.ratio;
    world.limit->Apply(world.config);
    const auto spend = [&] {
      int64_t calls = 0;
      while (world.limit->Take()) ++calls, world.limit->Ended();
      return calls;
    };
    EXPECT_EQ(spend(), row.calls);
    EXPECT_FALSE(world.limit->HasRoom());
    world.clock.JumpWall(absl::Hours(-30));
    EXPECT_EQ(spend(), 0) << "a clock that goes back opens no new day";
    world.clock.JumpWall(absl::Hours(54));
    EXPECT_EQ(spend(), row.calls);
  }
}

TEST(CloudLimit, CallsFromBeforeARestartCount) {
  World world;
  world.config.calls_per_day = 10;
  world.limit->Apply(world.config);
  world.limit->Restore(8);
  EXPECT_TRUE(world.limit->Take().has_value());
  EXPECT_TRUE(world.limit->Take().has_value());
  EXPECT_FALSE(world.limit->Take().has_value());
}

TEST(KeyRing, InTurnWithoutTheRefusedAndTheLimited) {
  boost::asio::io_context io;
  ManualClock clock(io);
  Metrics metrics;
  KeyRing ring(clock, 3, metrics);
  const auto next = [&](int n) {
    std::vector<size_t> keys;
    for (int i = 0; i < n; ++i) keys.push_back(ring.Next());
    return keys;
  };
  EXPECT_EQ(next(4), (std::vector<size_t>{0, 1, 2, 0}));
  EXPECT_TRUE(ring.Refused(1, 401)) << "others are left";
  EXPECT_EQ(next(4), (std::vector<size_t>{2, 0, 2, 0}));
  ring.Limited(2, absl::Seconds(5));
  EXPECT_EQ(next(2), (std::vector<size_t>{0, 0}));
  EXPECT_EQ(metrics.GetGauge("headgate_router_cloud_keys", "", {{"state", "refused"}}).Value(), 1);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(next(2), (std::vector<size_t>{2, 0}));
  EXPECT_TRUE(ring.Refused(0, 402));
  EXPECT_FALSE(ring.Refused(2, 401)) << "none is left";
  EXPECT_EQ(ring.Next(), 1u) << "the one whose time is up first";
  ring.Worked(1);
  EXPECT_EQ(next(3), (std::vector<size_t>{1, 1, 1}));
  clock.Advance(absl::Minutes(10));
  EXPECT_EQ(next(3), (std::vector<size_t>{2, 0, 1})) << "a person may have put things right";
}

TEST(KeyRing, ALimitIsNeverShortened) {
  struct Row {
    const char* name;
    std::vector<std::optional<absl::Duration>> limits;
    absl::Duration until;
  };
  const std::vector<Row> rows = {
      {"no time said", {std::nullopt}, absl::Seconds(1)},
      {"a long one, then one that says no time", {absl::Seconds(60), std::nullopt}, absl::Seconds(60)},
      {"a long one, then a short one", {absl::Seconds(60), absl::Seconds(5)}, absl::Seconds(60)},
      {"a short one, then a long one", {absl::Seconds(5), absl::Seconds(60)}, absl::Seconds(60)},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    boost::asio::io_context io;
    ManualClock clock(io);
    Metrics metrics;
    KeyRing ring(clock, 2, metrics);
    for (const auto& limit : row.limits) ring.Limited(1, limit);
    const auto taken = [&] {
      const size_t first = ring.Next();
      return ring.Next() == 1 || first == 1;
    };
    clock.Advance(row.until - absl::Milliseconds(1));
    EXPECT_FALSE(taken());
    clock.Advance(absl::Milliseconds(1));
    EXPECT_TRUE(taken());
  }
}

TEST(RetryBudget, AShareOfTheActiveAndAFew) {
  RetryBudget budget;
  std::vector<RetryBudget::Hold> active, retries;
  for (int i = 0; i < 3; ++i) retries.push_back(*budget.Retry());
  EXPECT_FALSE(budget.Retry().has_value());
  for (int i = 0; i < 50; ++i) active.push_back(budget.Begin());
  for (int i = 3; i < 10; ++i) retries.push_back(*budget.Retry());
  EXPECT_FALSE(budget.Retry().has_value());
  retries.pop_back();
  EXPECT_TRUE(budget.Retry().has_value()) << "and given back at once";
  active.clear();
  EXPECT_EQ(budget.active(), 0);
}

TEST(CloudBalance, Table) {
  const auto one = [](const char* amount) {
    return std::string(R"({"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":)") + amount + "}]}";
  };
  const std::vector<std::pair<std::string, std::optional<int64_t>>> rows = {
      {one(R"("110.00")"), 110'000'000},
      {one(R"("0.0000019")"), 1},
      {one(R"("7")"), 7'000'000},
      {one(R"("-3.5")"), -3'500'000},
      {one("110.0"), std::nullopt},  // amounts are strings
      {one(R"("1e3")"), std::nullopt},
      {one(R"("")"), std::nullopt},
      {one(R"("9999999999999")"), std::nullopt},
      {R"({"is_available":true})", std::nullopt},
      {R"({"is_available":"yes","balance_infos":[]})", std::nullopt},
      {"<html>", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [body, expected] : rows) {
    const auto balance = ParseCloudBalance(body);
    ASSERT_EQ(balance.ok(), expected.has_value()) << body;
    if (!expected) continue;
    EXPECT_EQ(balance->amounts.at(0).micro_units, *expected) << body;
  }
  EXPECT_FALSE(ParseCloudBalance(R"({"is_available":false,"balance_infos":[]})")->available);
}

}  // namespace
}  // namespace headgate::router
