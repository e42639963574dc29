// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/cache.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

Prompt MakePrompt(const std::string& text, float temperature = 0, bool tools = false) {
  v1::GenerateRequest content;
  content.set_prompt(text);
  content.mutable_sampling()->set_temperature(temperature);
  if (tools) content.add_tools()->set_name("lookup");
  return Prompt(std::move(content));
}

Cache::Events Answer(size_t bytes, v1::FinishReason reason = v1::FINISH_REASON_STOP, bool finish = true) {
  Cache::Events events(finish ? 3 : 2);
  events[0].mutable_route()->set_endpoint("engine-0");
  events[1].mutable_delta()->set_content(std::string(bytes, 'x'));
  if (finish) events[2].mutable_finish()->set_reason(reason);
  return events;
}

struct World {
  explicit World(int64_t bytes_max) : cache(clock, Config(bytes_max), "secret", metrics) {}
  static CacheConfig Config(int64_t bytes_max) { return {bytes_max, absl::Minutes(10)}; }
  static Ticket From(const std::string& tenant) {
    TenantConfig config;
    config.name = tenant;
    return Ticket{.request_id = "r",
                  .api = "test",
                  .tenant = std::make_shared<const TenantConfig>(config),
                  .received = {},
                  .deadline = {},
                  .in_flight = InFlight(std::make_shared<int64_t>(0))};
  }
  static Sensitivity Level(v1::SensitivityLevel level, ClassificationState state = ClassificationState::kClassified) {
    Sensitivity sensitivity;
    sensitivity.state = state;
    sensitivity.level = level;
    return sensitivity;
  }
  void Store(const std::string& text, size_t bytes) {
    cache.Store(From("a"), MakePrompt(text), Level(v1::SENSITIVITY_LEVEL_PUBLIC), Answer(bytes));
  }
  bool Has(const std::string& text, const std::string& tenant = "a") {
    return cache.Find(From(tenant), MakePrompt(text), Level(v1::SENSITIVITY_LEVEL_PUBLIC)) != nullptr;
  }

  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  Cache cache;
};

TEST(Cache, GivesBackExactlyWhatWasStored) {
  World world(1 << 20);
  world.Store("p", 10);
  const auto found = world.cache.Find(World::From("a"), MakePrompt("p"), World::Level(v1::SENSITIVITY_LEVEL_PUBLIC));
  ASSERT_NE(found, nullptr);
  const Cache::Events stored = Answer(10);
  ASSERT_EQ(found->size(), stored.size());
  for (size_t i = 0; i < stored.size(); ++i) {
    EXPECT_EQ((*found)[i].SerializeAsString(), stored[i].SerializeAsString());
  }
  EXPECT_FALSE(world.Has("p "));
  EXPECT_FALSE(world.Has("p", "b")) << "another tenant";
}

TEST(Cache, KeepsOnlyWhatItMay) {
  struct Row {
    const char* name;
    v1::SensitivityLevel level;
    ClassificationState state;
    float temperature;
    bool tools;
    Cache::Events events;
    int64_t bytes_max;
    bool kept;
  };
  const auto kDone = ClassificationState::kClassified;
  const auto kPublic = v1::SENSITIVITY_LEVEL_PUBLIC;
  const int64_t kBig = 1 << 20;
  const std::vector<Row> rows = {
      {"everyday", kPublic, kDone, 0, false, Answer(10), kBig, true},
      {"cut by length", kPublic, kDone, 0, false, Answer(10, v1::FINISH_REASON_LENGTH), kBig, true},
      {"confidential", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, kDone, 0, false, Answer(10), kBig, false},
      {"restricted", v1::SENSITIVITY_LEVEL_RESTRICTED, kDone, 0, false, Answer(10), kBig, false},
      {"detectors failed", kPublic, ClassificationState::kUnavailable, 0, false, Answer(10), kBig, false},
      {"not inspected", kPublic, ClassificationState::kSkipped, 0, false, Answer(10), kBig, false},
      {"not greedy", kPublic, kDone, 0.1F, false, Answer(10), kBig, false},
      {"tools", kPublic, kDone, 0, true, Answer(10), kBig, false},
      {"no finish", kPublic, kDone, 0, false, Answer(10, v1::FINISH_REASON_STOP, false), kBig, false},
      {"stopped", kPublic, kDone, 0, false, Answer(10, v1::FINISH_REASON_CONTENT_FILTER), kBig, false},
      {"no events", kPublic, kDone, 0, false, {}, kBig, false},
      {"above a sixteenth", kPublic, kDone, 0, false, Answer((1 << 16) + 1), kBig, false},
      {"off", kPublic, kDone, 0, false, Answer(10), 0, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World world(row.bytes_max);
    const Sensitivity sensitivity = World::Level(row.level, row.state);
    const Prompt prompt = MakePrompt("p", row.temperature, row.tools);
    world.cache.Store(World::From("a"), prompt, sensitivity, row.events);
    EXPECT_EQ(world.cache.Find(World::From("a"), prompt, sensitivity) != nullptr, row.kept);
    // Nor may a request that is sensitive by other means (a header) be told what an everyday one got.
    EXPECT_EQ(world.cache.Find(World::From("a"), prompt, World::Level(v1::SENSITIVITY_LEVEL_RESTRICTED)), nullptr);
  }
}

TEST(Cache, ForgetsTheLeastRecentlyUsed) {
  World world(64 << 10);
  const size_t kBytes = 3 << 10;  // 20 fit, with what surrounds them
  for (int i = 0; i < 16; ++i) world.Store(absl::StrCat("p", i), kBytes);
  EXPECT_TRUE(world.Has("p0"));  // now the most recent
  for (int i = 16; i < 26; ++i) world.Store(absl::StrCat("p", i), kBytes);
  EXPECT_TRUE(world.Has("p0"));
  EXPECT_FALSE(world.Has("p1"));
  EXPECT_TRUE(world.Has("p25"));
  const double bytes = world.metrics.GetGauge("headgate_router_cache_bytes", "").Value();
  EXPECT_LE(bytes, 64 << 10);
  EXPECT_GT(bytes, 48 << 10);
}

TEST(Cache, ReplacesAnEntryWithoutCountingItTwice) {
  World world(64 << 10);
  world.Store("p", 1000);
  const double once = world.metrics.GetGauge("headgate_router_cache_bytes", "").Value();
  for (int i = 0; i < 100; ++i) world.Store("p", 1000);
  EXPECT_EQ(world.metrics.GetGauge("headgate_router_cache_bytes", "").Value(), once);
}

TEST(Cache, ForgetsAfterItsTime) {
  World world(64 << 10);
  world.Store("p", 10);
  world.clock.Advance(absl::Minutes(10) - absl::Milliseconds(1));
  EXPECT_TRUE(world.Has("p"));
  world.clock.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(world.Has("p"));
  world.Store("p", 10);
  EXPECT_TRUE(world.Has("p"));
}

// What an output guard has let pass may be forbidden since.
TEST(Cache, AnswersOfAnotherPolicyAreNone) {
  World world(1 << 20);
  Ticket ticket = World::From("a");
  const Sensitivity sensitivity = World::Level(v1::SENSITIVITY_LEVEL_PUBLIC);
  ticket.policy_version = "1";
  world.cache.Store(ticket, MakePrompt("p"), sensitivity, Answer(10));
  world.cache.Warm("a", "1", MakePrompt("warm"), "answer");
  for (const char* text : {"p", "warm"}) {
    ticket.policy_version = "1";
    EXPECT_NE(world.cache.Find(ticket, MakePrompt(text), sensitivity), nullptr) << text;
    ticket.policy_version = "2";
    EXPECT_EQ(world.cache.Find(ticket, MakePrompt(text), sensitivity), nullptr) << text;
  }
}

TEST(Cache, ShrinksAndGoesOffOnReload) {
  World world(64 << 10);
  for (int i = 0; i < 10; ++i) world.Store(absl::StrCat("p", i), 1000);
  world.cache.Apply(World::Config(4 << 10));
  EXPECT_LE(world.metrics.GetGauge("headgate_router_cache_bytes", "").Value(), 4 << 10);
  EXPECT_TRUE(world.Has("p9"));
  EXPECT_FALSE(world.Has("p0"));
  world.cache.Apply(World::Config(0));
  EXPECT_FALSE(world.Has("p9"));
  EXPECT_EQ(world.metrics.GetGauge("headgate_router_cache_bytes", "").Value(), 0);
}

// A second level in memory.
struct FakeCacheStore : CacheStore {
  FakeCacheStore(Executor e, Clock& c) : executor(e), clock(c) {}
  Task<absl::StatusOr<std::string>> Get(std::string key, MonotonicTime deadline) override {
    ++gets;
    Cancellation never;
    const MonotonicTime answered = clock.Monotonic() + takes;
    (void)co_await SleepUntil(executor, clock, std::min(answered, deadline), never);
    if (answered > deadline) co_return absl::DeadlineExceededError("slow");
    const auto found = values.find(key);
    if (found == values.end()) co_return absl::NotFoundError("not there");
    co_return found->second;
  }
  void Put(std::string key, std::string value, absl::Duration) override { values[key] = std::move(value); }

  Executor executor;
  Clock& clock;
  absl::Duration takes = absl::Milliseconds(1);
  int gets = 0;
  std::map<std::string, std::string> values;
};

struct TwoLevels : World {
  TwoLevels() : World(1 << 20) {
    CacheConfig config = Config(1 << 20);
    config.shared = true;
    cache.Apply(config);
    cache.SetStore(&store);
  }
  Cache::Found Ask(Cache& from, const std::string& text, const std::string& tenant = "a", bool* leads = nullptr) {
    Ticket ticket = From(tenant);
    ticket.deadline = clock.Monotonic() + absl::Minutes(1);
    const Prompt prompt = MakePrompt(text);
    Cache::Flight flight;
    Cancellation never;
    auto found = clock.Await(
        from.FindOrLead(io.get_executor(), ticket, prompt, Level(v1::SENSITIVITY_LEVEL_PUBLIC), flight, never));
    if (leads != nullptr) *leads = found.ok() && !*found;
    return found.ok() ? *found : nullptr;
  }
  FakeCacheStore store{io.get_executor(), clock};
};

TEST(CacheStore, AnotherRouterFindsTheAnswer) {
  TwoLevels world;
  world.Store("q", 10);
  ASSERT_EQ(world.store.values.size(), 1u);
  Metrics metrics;
  CacheConfig config = World::Config(1 << 20);
  config.shared = true;
  Cache other(world.clock, config, "secret", metrics);
  other.SetStore(&world.store);
  const Cache::Found found = world.Ask(other, "q");
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[1].delta().content(), std::string(10, 'x'));
  const int gets = world.store.gets;
  EXPECT_TRUE(world.Ask(other, "q"));
  EXPECT_EQ(world.store.gets, gets) << "now it has it itself";
  EXPECT_FALSE(world.Ask(other, "q", "b")) << "another tenant's";
  // Without the key nothing there is believed.
  Cache stranger(world.clock, config, "another secret", metrics);
  stranger.SetStore(&world.store);
  EXPECT_FALSE(world.Ask(stranger, "q"));
}

TEST(CacheStore, WhatSomebodyWroteThereIsNoAnswer) {
  TwoLevels world;
  world.Store("q", 10);
  world.Store("r", 10);
  const std::string q = world.store.values.begin()->second, r = world.store.values.rbegin()->second;
  const auto asked = [&](const std::string& value) {
    for (auto& [key, kept] : world.store.values) kept = value;
    Metrics metrics;
    CacheConfig config = World::Config(1 << 20);
    config.shared = true;
    Cache fresh(world.clock, config, "secret", metrics);
    fresh.SetStore(&world.store);
    return (world.Ask(fresh, "q") != nullptr) + (world.Ask(fresh, "r") != nullptr);
  };
  EXPECT_EQ(asked(q), 1) << "under its own key only";
  EXPECT_EQ(asked(r), 1);
  for (const std::string& bad : {std::string(), std::string("short"), q + "x", q.substr(0, q.size() - 1),
                                 std::string(32, 'm') + q.substr(32)}) {
    EXPECT_EQ(asked(bad), 0);
  }
}

TEST(CacheStore, ASlowOneIsNotWaitedFor) {
  TwoLevels world;
  world.store.takes = absl::Seconds(5);
  const MonotonicTime began = world.clock.Monotonic();
  EXPECT_FALSE(world.Ask(world.cache, "q"));
  EXPECT_LE(world.clock.Monotonic() - began, absl::Milliseconds(20));
}

TEST(Cache, MarkedRequestsNeedNotBeGreedy) {
  World world(1 << 20);
  Ticket marked = World::From("a");
  const Prompt warm = MakePrompt("q", 0.7F);
  EXPECT_FALSE(world.cache.Cacheable(marked, warm, World::Level(v1::SENSITIVITY_LEVEL_PUBLIC)));
  marked.cacheable = true;
  EXPECT_TRUE(world.cache.Cacheable(marked, warm, World::Level(v1::SENSITIVITY_LEVEL_PUBLIC)));
  EXPECT_FALSE(world.cache.Cacheable(marked, warm, World::Level(v1::SENSITIVITY_LEVEL_RESTRICTED)));
  EXPECT_FALSE(world.cache.Cacheable(marked, MakePrompt("q", 0, true), World::Level(v1::SENSITIVITY_LEVEL_PUBLIC)));
}

}  // namespace
}  // namespace headgate::router
