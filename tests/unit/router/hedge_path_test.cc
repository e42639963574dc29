// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Hedging on the whole path: the record before a byte leaves, the money of both sides, the budget.
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

// Nearly everything is over the threshold, so local; the price of a token is a whole micro-unit.
void Hedges(RouterConfig& config) {
  config.policy.cloud_qps_threshold = 0.001;
  config.policy.hedge_share = 0.1;
  PriceRow row;
  row.version = "v";
  row.model = config.cloud.model;
  row.currency = "USD";
  row.valid_from = absl::UnixEpoch();
  row.cache_hit = row.cache_miss = row.output = 1'000'000;
  row.peak_cache_hit = row.peak_cache_miss = row.peak_output = 1'000'000;
  config.accounting.prices = {row};
  config.accounting.reserve_output_tokens = 100;
}

struct HedgeWorld : World {
  explicit HedgeWorld(const std::function<void(RouterConfig&)>& change = {})
      : World([&](RouterConfig& config) {
          Hedges(config);
          if (change) change(config);
        }) {
    for (int i = 0; i < 60; ++i) Ask(Everyday());
    before = cloud.calls();
    Slow(Seconds(20));
  }
  void Slow(absl::Duration first) {
    engine().set_answerer(
        [first](const Prompt&, const CallOptions&) { return Script::Answer({"local"}).After(first); });
  }
  int sent() const { return cloud.calls() - before; }
  int before = 0;
};

TEST(HedgePath, TheRecordComesBeforeTheBytes) {
  HedgeWorld world;
  const Client client = world.Ask(World::Everyday());
  EXPECT_TRUE(client.status.ok());
  EXPECT_EQ(client.text, "cloud answer");
  EXPECT_EQ(client.reasons(), "hedge,over_threshold");
  const auto decisions = world.Records("decision");
  EXPECT_EQ(decisions[0]["route"]["target"], "cloud");
  EXPECT_EQ(decisions[0]["route"]["reasons"][0], "hedge");
  EXPECT_EQ(decisions[1]["route"]["target"], "local");
  EXPECT_EQ(decisions[0]["request_id"], decisions[1]["request_id"]);
  const json outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["route"]["target"], "cloud");
  EXPECT_EQ(outcome["cloud_attempts"], 1);
  EXPECT_EQ(outcome["detail"], "hedge won");
  EXPECT_EQ(outcome["cost"]["micro_units"], 12) << "10 prompt tokens, 2 of the answer";
}

TEST(HedgePath, AHedgeThatLostIsPaidFor) {
  HedgeWorld world;
  world.Slow(Milliseconds(550));
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::StallAfter({}); });
  const Client client = world.Ask(World::Everyday());
  EXPECT_EQ(client.text, "local");
  EXPECT_EQ(world.sent(), 1);
  const json outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["route"]["target"], "local");
  EXPECT_EQ(outcome["cloud_attempts"], 1);
  EXPECT_EQ(outcome["detail"], "hedge lost, usage estimated");
  EXPECT_EQ(outcome["cost"]["micro_units"], World::Everyday().messages(0).content().size() / 4);
}

// Nobody hedged here: the cloud broke off twice before the engine, or the cloud itself, answered.
TEST(LostAttempts, ArePaidForWhoeverAnswers) {
  World world([](RouterConfig& config) {
    Hedges(config);
    config.policy = PolicyConfig();
    config.policy.cloud_qps_threshold = 1000;
    config.accounting.budget.limit_micro_units = 1'000'000;
  });
  const int64_t prompt = static_cast<int64_t>(World::Everyday().messages(0).content().size() / 4);
  int broken = 100;
  world.cloud.set_answerer([&](const CloudPrompt&) {
    if (broken-- <= 0) return Script::Answer({"cloud ", "answer"});
    Script script = Script::Fail(absl::UnavailableError("cut"));
    script.paid_for = 7;
    return script;
  });
  EXPECT_EQ(world.Ask(World::Everyday()).text, "local answer");
  json outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["route"]["target"], "local");
  EXPECT_EQ(outcome["detail"], "usage of 3 failed cloud attempts estimated");
  EXPECT_EQ(outcome["cost"]["micro_units"], 3 * (prompt + 7));
  broken = 1;
  EXPECT_EQ(world.Ask(World::Everyday()).text, "cloud answer");
  outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["route"]["target"], "cloud");
  EXPECT_EQ(outcome["detail"], "usage of 1 failed cloud attempts estimated");
  EXPECT_EQ(outcome["cost"]["micro_units"], prompt + 7 + 12);
  EXPECT_EQ(outcome["cost"]["price_version"], "v");
  // The client leaves while the cloud works.
  broken = 0;
  world.cloud.set_answerer([&](const CloudPrompt&) {
    Script script = Script::StallAfter({});
    script.paid_for = 0;
    return script;
  });
  const auto leaves = world.clock.CallAt(world.clock.Monotonic() + Milliseconds(5),
                                         [&] { world.cancellation.Cancel(absl::CancelledError("left")); });
  EXPECT_EQ(world.Ask(World::Everyday()).status.code(), StatusCode::kCancelled);
  outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["detail"], "usage of 1 failed cloud attempts estimated");
  EXPECT_EQ(outcome["cost"]["micro_units"], prompt);
}

// The guard still held back what had come when the client left: it was computed all the same.
TEST(LostAttempts, WhatTheClientNeverSawIsCountedToo) {
  World world([](RouterConfig& config) { Hedges(config), config.policy.cloud_qps_threshold = 1000; });
  world.cloud.set_answerer([](const CloudPrompt&) {
    return Script::FailAfter({"forb", "idd"}, absl::UnavailableError("cut"));
  });
  const Client client = world.Ask(World::Everyday());
  EXPECT_EQ(client.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(client.text, "");
  const json outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["detail"], "usage estimated");
  EXPECT_EQ(outcome["usage"]["completion_tokens"], 2);
}

TEST(HedgePath, NoRecordNoHedge) {
  HedgeWorld world;
  const auto breaks = world.clock.CallAt(world.clock.Monotonic() + Milliseconds(300), [&] { world.broken = true; });
  const Client client = world.Ask(World::Everyday());
  world.broken = false;
  EXPECT_EQ(client.text, "local");
  EXPECT_EQ(world.sent(), 0);
}

TEST(HedgePath, NoMoneyNoHedge) {
  HedgeWorld world([](RouterConfig& config) { config.accounting.budget.limit_micro_units = 300; });
  EXPECT_EQ(world.Ask(World::Everyday()).text, "cloud answer") << "about 250 are reserved, 12 are spent";
  for (int i = 0; i < 60; ++i) world.Ask(World::Everyday());
  const int sent = world.sent();
  EXPECT_GT(sent, 1);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(world.Ask(World::Everyday()).text, "local");
  EXPECT_EQ(world.sent(), sent);
}

TEST(HedgePath, NothingSensitiveIsHedged) {
  HedgeWorld world;
  const Client client = world.Ask(World::Everyday("My number is 110105199003077577."));
  EXPECT_EQ(client.text, "local");
  EXPECT_EQ(client.reasons(), "sensitive");
  v1::GenerateRequest declared = World::Everyday();
  declared.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
  EXPECT_EQ(world.Ask(declared).text, "local");
  EXPECT_EQ(world.sent(), 0);
}

}  // namespace
}  // namespace headgate::router
