// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The cache on the whole path: many who ask the same at once, the warm-up file, and what both do to one engine.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

namespace fs = std::filesystem;

v1::GenerateRequest Greedy(const std::string& text) {
  v1::GenerateRequest request = World::Everyday(text);
  request.mutable_sampling()->set_temperature(0);
  return request;
}

// Many clients at once.
struct CrowdWorld : World {
  explicit CrowdWorld(const std::function<void(RouterConfig&)>& change = {}) : World(change) {}
  struct Member {
    RequestHead head;
    std::unique_ptr<Prompt> prompt;
    Client client;
    Cancellation cancellation;
    std::optional<absl::Status> ended;
  };
  Member& Begin(const v1::GenerateRequest& request) {
    Member& member = *crowd.emplace_back(std::make_unique<Member>());
    member.head = Head();
    member.prompt = std::make_unique<Prompt>(request);
    Spawn(io, router->Generate(member.head, *member.prompt, member.client, member.cancellation), &member.ended);
    return member;
  }
  void Finish() {
    ASSERT_TRUE(clock.RunUntil([&] {
      return std::all_of(crowd.begin(), crowd.end(), [](const auto& one) { return one->ended.has_value(); });
    }));
  }
  std::vector<std::unique_ptr<Member>> crowd;
};

TEST(CachePath, ManyWhoAskTheSameAtOnceCostOneAnswer) {
  CrowdWorld world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"one ", "answer"}).After(Seconds(1)); });
  for (int i = 0; i < 50; ++i) world.Begin(Greedy("Why is the sky blue?"));
  world.Begin(Greedy("And the sea?"));
  world.Finish();
  EXPECT_EQ(world.cloud.calls(), 2);
  int cached = 0;
  for (const auto& one : world.crowd) {
    EXPECT_TRUE(one->ended->ok());
    EXPECT_EQ(one->client.text, "one answer");
    EXPECT_EQ(one->client.route.request_id(), one->head.request_id);
    cached += one->client.reasons() == "cached";
  }
  EXPECT_EQ(cached, 49);
}

TEST(CachePath, WhenTheFirstFailsTheNextAsks) {
  CrowdWorld world;
  int calls = 0;
  world.cloud.set_answerer([&](const CloudPrompt&) {
    return ++calls == 1 ? Script::StallAfter({}) : Script::Answer({"second"}).After(Milliseconds(10));
  });
  auto& first = world.Begin(Greedy("q"));
  for (int i = 0; i < 5; ++i) world.Begin(Greedy("q"));
  world.clock.Advance(Milliseconds(100));
  first.cancellation.Cancel(absl::CancelledError("left"));
  world.Finish();
  EXPECT_EQ(calls, 2);
  for (size_t i = 1; i < world.crowd.size(); ++i) EXPECT_EQ(world.crowd[i]->client.text, "second");
}

TEST(CachePath, WhoWaitsMayLeave) {
  CrowdWorld world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"a"}).After(Seconds(5)); });
  world.Begin(Greedy("q"));
  auto& second = world.Begin(Greedy("q"));
  world.clock.Advance(Milliseconds(10));
  second.cancellation.Cancel(absl::CancelledError("left"));
  world.clock.RunUntilIdle();
  ASSERT_TRUE(second.ended);
  EXPECT_TRUE(absl::IsCancelled(*second.ended));
  world.Finish();
  EXPECT_TRUE(world.crowd[0]->ended->ok());
}

TEST(CachePath, NobodyWaitsForeverForASlowReader) {
  CrowdWorld world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"a", "b"}).Every(Seconds(60)); });
  world.Begin(Greedy("q"));
  world.Begin(Greedy("q"));
  world.clock.Advance(Seconds(11));
  EXPECT_EQ(world.cloud.calls(), 2) << "it asks by itself";
  world.Finish();
}

TEST(CachePath, OtherPrioritiesTenantsAndSensitiveOnesDoNotWait) {
  CrowdWorld world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"a"}).After(Seconds(1)); });
  v1::GenerateRequest batch = Greedy("q");
  batch.set_priority(v1::PRIORITY_BATCH);
  world.Begin(batch);
  world.Begin(Greedy("q"));
  v1::GenerateRequest sensitive = Greedy("q");
  sensitive.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_RESTRICTED);
  world.Begin(sensitive);
  world.Begin(sensitive);
  world.Finish();
  EXPECT_EQ(world.engine().calls(), 2) << "each asks for itself";
}

struct WarmUpFile {
  explicit WarmUpFile(const std::string& text)
      : path((fs::temp_directory_path() / absl::StrCat("headgate-warm-", getpid())).string()) {
    std::ofstream(path) << text;
  }
  ~WarmUpFile() { fs::remove(path); }
  const std::string path;
};

std::string Entry(const std::string& text, const std::string& more = "", const std::string& tenant = "default") {
  return absl::StrCat(R"({"tenant":")", tenant, R"(","request":{"messages":[{"role":"ROLE_USER","content":")", text,
                      R"("}],"sampling":{"temperature":0})", more, R"(},"answer":"warm"})", "\n");
}

TEST(CachePath, TheWarmUpFileIsThereFromTheStartButNothingSensitive) {
  const WarmUpFile file(absl::StrCat(Entry("known"), "\n", Entry("My number is 110105199003077577."),
                                     Entry("declared", R"(,"declared_sensitivity":"SENSITIVITY_LEVEL_RESTRICTED")"),
                                     Entry("of nobody", "", "nobody"), "no json\n", R"({"tenant":"default"})", "\n"));
  World world([&](RouterConfig& config) { config.cache.warm_up_file = file.path; });
  const Client known = world.Ask(Greedy("known"));
  EXPECT_EQ(known.text, "warm");
  EXPECT_EQ(known.reasons(), "cached");
  EXPECT_EQ(world.cloud.calls(), 0);
  EXPECT_NE(world.Ask(Greedy("My number is 110105199003077577.")).text, "warm");
  EXPECT_NE(world.Ask(Greedy("declared")).text, "warm");
  EXPECT_NE(world.Ask(Greedy("unknown")).text, "warm");
}

TEST(CachePath, WarmAnswersOutliveTheTtlButNotTheirLine) {
  const WarmUpFile file(absl::StrCat(Entry("known"), Entry("other")));
  World world([&](RouterConfig& config) { config.cache.warm_up_file = file.path; });
  EXPECT_EQ(world.Ask(Greedy("asked")).reasons(), "everyday");
  EXPECT_EQ(world.Ask(Greedy("asked")).reasons(), "cached");
  world.clock.Advance(world.config.cache.ttl + Seconds(1));
  EXPECT_EQ(world.Ask(Greedy("asked")).reasons(), "everyday") << "the TTL of an answer that was given";
  EXPECT_EQ(world.Ask(Greedy("known")).text, "warm");
  EXPECT_EQ(world.Ask(Greedy("other")).text, "warm");
  std::ofstream(file.path) << Entry("other");
  world.router->Apply(*Rules::Make(world.config));  // of the same version
  world.clock.RunUntilIdle();
  EXPECT_NE(world.Ask(Greedy("known")).text, "warm");
  EXPECT_EQ(world.Ask(Greedy("other")).text, "warm");
}

// A reload with a long list: whoever asks meanwhile is answered meanwhile, with threads for it and without.
TEST(CachePath, RequestsDoNotWaitForTheWarmUpList) {
  constexpr int kLines = 2000;
  std::string entries;
  for (int i = 0; i < kLines; ++i) absl::StrAppend(&entries, Entry(absl::StrCat("known ", i)));
  const WarmUpFile file(entries);
  const std::string last = absl::StrCat("known ", kLines - 1);
  for (const size_t threads : {0, 1}) {
    SCOPED_TRACE(threads);
    World world([](RouterConfig& config) { config.cache.bytes_max = 64 << 20; }, threads);
    world.config.cache.warm_up_file = file.path;
    world.router->Apply(*Rules::Make(world.config));
    if (threads == 0) {
      EXPECT_NE(world.Ask(Greedy(last)).text, "warm") << "it came between two slices";
    }
    std::string text;
    for (int i = 0; i < 100'000 && text != "warm"; ++i) text = world.Ask(Greedy(last)).text;
    EXPECT_EQ(text, "warm");
  }
  // A list that another one replaces ends, and a router that ends does not wait for its list.
  World world([](RouterConfig& config) { config.cache.bytes_max = 64 << 20; }, 1);
  world.config.cache.warm_up_file = file.path;
  for (int i = 0; i < 3; ++i) world.router->Apply(*Rules::Make(world.config));
}

// One engine that answers 80 a second (8 at a time, 100 ms each), asked as hard as possible for ten seconds.
double Sustained(double known_share, const std::string& warm_up_file) {
  CrowdWorld world([&](RouterConfig& config) {
    config.cloud.enabled = true;
    config.tenants[0].cloud_allowed = false;
    config.local.reserved_share = 0;
    config.cache.bytes_max = 64 << 20;
    config.cache.warm_up_file = warm_up_file;
  });
  world.engine().set_running_max(8);
  world.engine().set_answerer(
      [](const Prompt&, const CallOptions&) { return Script::Answer({"a"}).After(Milliseconds(100)); });
  world.engine().ReportLoad(Milliseconds(20));
  const RandomBytes random = SeededRandom(5);
  const MonotonicTime began = world.clock.Monotonic();
  int next = 0, answered = 0;
  // 16 clients, each asking again as soon as it is answered.
  while (world.clock.Monotonic() < began + Seconds(10)) {
    int open = 0;
    for (const auto& one : world.crowd) open += !one->ended.has_value();
    for (; open < 16; ++open) {
      const bool known = RandomUnit(random) < known_share;
      const auto which = static_cast<int>(RandomUnit(random) * 200);
      world.Begin(Greedy(known ? absl::StrCat("known ", which) : absl::StrCat("new ", ++next)));
    }
    std::erase_if(world.crowd, [&](const auto& one) {
      answered += one->ended.has_value();
      return one->ended.has_value();
    });
    world.clock.Advance(Milliseconds(1));
  }
  world.Finish();
  return answered / 10.0;
}

TEST(CachePath, WhatItDoesToOneEngine) {
  std::string entries;
  for (int i = 0; i < 200; ++i) absl::StrAppend(&entries, Entry(absl::StrCat("known ", i)));
  const WarmUpFile file(entries);
  const double none = Sustained(0, ""), cold = Sustained(0.6, ""), warm = Sustained(0.6, file.path),
               warmer = Sustained(0.75, file.path);
  std::cout << "answers a second of one engine: nothing known " << none << ", 60 % known, cold " << cold
            << ", warmed up " << warm << ", 75 % known, warmed up " << warmer << "\n";
  EXPECT_NEAR(none, 80, 8);
  EXPECT_GT(cold, none);
  EXPECT_GT(warm, cold);
  EXPECT_NEAR(warm, 80 / 0.4, 25);
  EXPECT_NEAR(warmer, 80 / 0.25, 45);
}

}  // namespace
}  // namespace headgate::router
