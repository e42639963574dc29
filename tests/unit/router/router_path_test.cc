// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One request's way through the whole router, by cases. Combinations and interleavings: tests/sim.
#include "router/upstream/upstream_error.h"
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

v1::GenerateRequest Declared(v1::SensitivityLevel level) {
  v1::GenerateRequest request = World::Everyday();
  request.set_declared_sensitivity(level);
  return request;
}
v1::GenerateRequest WithSchema() {
  v1::GenerateRequest request = World::Everyday();
  request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
  request.mutable_response_format()->set_json_schema("{\"type\":\"object\"}");
  return request;
}

TEST(RouterPath, WhereARequestGoesAndWhy) {
  struct Row {
    const char* name;
    v1::GenerateRequest request;
    bool cloud;
    const char* reasons;
    int cloud_calls;
    std::function<void(RouterConfig&)> config = {};
    std::function<void(World&)> world = {};
    std::function<void(RequestHead&)> head = {};
  };
  const auto floor = [](RouterConfig& c) { c.tenants[0].sensitivity_floor = v1::SENSITIVITY_LEVEL_RESTRICTED; };
  const auto cloud_fails = [](absl::Status why) {
    return [why](World& world) {
      world.cloud.set_answerer([why](const CloudPrompt&) { return Script::Fail(why); });
    };
  };
  const std::vector<Row> rows = {
      {"everyday", World::Everyday(), true, "everyday", 1},
      {"resident ID", World::Everyday("for 11010519491231002X please"), false, "sensitive", 0},
      {"declared in the request", Declared(v1::SENSITIVITY_LEVEL_RESTRICTED), false, "sensitive", 0},
      {"declared in the head", World::Everyday(), false, "sensitive", 0, {}, {},
       [](RequestHead& head) { head.declared_sensitivity = v1::SENSITIVITY_LEVEL_RESTRICTED; }},
      {"declared low, found high",
       [] {
         v1::GenerateRequest request = Declared(v1::SENSITIVITY_LEVEL_PUBLIC);
         request.mutable_messages(0)->set_content("for 11010519491231002X please");
         return request;
       }(),
       false, "sensitive", 0},
      {"tenant floor", World::Everyday(), false, "sensitive", 0, floor},
      {"tenant stays local", World::Everyday(), false, "tenant_local_only", 0,
       [](RouterConfig& c) { c.tenants[0].cloud_allowed = false; }},
      {"too long to inspect", World::Everyday(std::string(2000, 'a')), false, "unclassified", 0,
       [](RouterConfig& c) { c.limits.inspect_bytes_max = 1000; }},
      {"needs a local feature", WithSchema(), false, "local_feature", 0},
      {"threshold zero", World::Everyday(), false, "over_threshold", 0,
       [](RouterConfig& c) { c.policy.cloud_qps_threshold = 0; }},
      {"audit unwritable", World::Everyday(), false, "audit_unwritable", 0, {}, [](World& w) { w.broken = true; }},
      {"cloud 503", World::Everyday(), false, "cloud_unavailable,everyday", 3, {},
       cloud_fails(absl::UnavailableError("503"))},
      {"cloud 429", World::Everyday(), false, "cloud_rate_limited,everyday", 3, {},
       cloud_fails(absl::ResourceExhaustedError("429"))},
      {"cloud 401", World::Everyday(), false, "cloud_rejected,everyday", 1, {},
       cloud_fails(absl::UnauthenticatedError("401"))},
      {"cloud 402", World::Everyday(), false, "cloud_rejected,everyday", 1, {},
       cloud_fails(absl::FailedPreconditionError("402"))},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World world(row.config);
    if (row.world) row.world(world);
    const Client client = world.Ask(row.request, row.head);
    EXPECT_TRUE(client.status.ok()) << client.status;
    EXPECT_EQ(client.text, row.cloud ? "cloud answer" : "local answer");
    EXPECT_EQ(client.route.target(), row.cloud ? v1::Route::TARGET_CLOUD : v1::Route::TARGET_LOCAL);
    EXPECT_EQ(client.reasons(), row.reasons);
    EXPECT_EQ(client.finish, v1::FINISH_REASON_STOP);
    EXPECT_EQ(world.cloud.calls(), row.cloud_calls);
    if (world.broken) continue;
    const auto outcomes = world.Records("outcome");
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0]["status"], "OK");
    EXPECT_EQ(outcomes[0]["cloud_attempts"], row.cloud_calls);
    EXPECT_EQ(outcomes[0]["route"]["target"], row.cloud ? "cloud" : "local");
    const auto decisions = world.Records("decision");
    ASSERT_EQ(decisions.size(), 1u);
    EXPECT_EQ(decisions[0]["route"]["target"], row.cloud_calls > 0 ? "cloud" : "local");
  }
}

TEST(RouterPath, WhatIsNotAnswered) {
  struct Row {
    const char* name;
    v1::GenerateRequest request;
    StatusCode code;
    const char* stage;
    std::function<void(RouterConfig&)> config = {};
    std::function<void(World&)> world = {};
    std::function<void(RequestHead&)> head = {};
    const char* text = "";
    bool estimated = false;
  };
  const auto kNoOne = [](RouterConfig& c) { c.anonymous = false; };
  const auto cloud_says = [](Script script) {
    return [script = std::move(script)](World& world) {
      world.cloud.set_answerer([script](const CloudPrompt&) { return script; });
    };
  };
  v1::GenerateRequest hot = World::Everyday();
  hot.mutable_sampling()->set_temperature(9);
  const std::vector<Row> rows = {
      {"no key", World::Everyday(), StatusCode::kUnauthenticated, "admission", kNoOne},
      {"unknown key", World::Everyday(), StatusCode::kUnauthenticated, "admission", {}, {},
       [](RequestHead& head) { head.api_key = "nobody"; }},
      {"empty", v1::GenerateRequest(), StatusCode::kInvalidArgument, "admission"},
      {"temperature", hot, StatusCode::kInvalidArgument, "admission"},
      {"too long", World::Everyday(std::string(2000, 'a')), StatusCode::kInvalidArgument, "admission",
       [](RouterConfig& c) { c.limits.prompt_bytes_max = 1000; }},
      {"deadline in the past", World::Everyday(), StatusCode::kDeadlineExceeded, "admission", {}, {},
       [](RequestHead& head) { head.deadline = head.received; }},
      {"in flight", World::Everyday(), StatusCode::kResourceExhausted, "admission",
       [](RouterConfig& c) { c.limits.in_flight_max = 0; }},
      {"draining", World::Everyday(), StatusCode::kUnavailable, "admission", {}, [](World& w) { w.router->Drain(); }},
      {"left before", World::Everyday(), StatusCode::kCancelled, "dispatch", {},
       [](World& w) { w.cancellation.Cancel(absl::CancelledError("left")); }},
      {"deadline before the first token", World::Everyday(), StatusCode::kDeadlineExceeded, "dispatch", {},
       cloud_says(Script::StallAfter({})), [](RequestHead& head) { head.deadline = head.received + Seconds(1); }},
      {"deadline in the middle", World::Everyday(), StatusCode::kDeadlineExceeded, "output_guard", {},
       cloud_says(Script::StallAfter({"cloud "})),
       [](RequestHead& head) { head.deadline = head.received + Seconds(1); }, "cloud ", true},
      {"the cloud dies in the middle", World::Everyday(), StatusCode::kUnavailable, "output_guard", {},
       cloud_says(Script::FailAfter({"cloud ", "ans"}, absl::UnavailableError("reset"))), {}, "cloud ans", true},
      {"the cloud ends without finish", World::Everyday(), StatusCode::kUnavailable, "output_guard", {},
       cloud_says(Script::FailAfter({"cloud "}, absl::UnavailableError("truncated"))), {}, "cloud ", true},
      {"nothing writable when the engine dies too", World::Everyday("11010519491231002X"), StatusCode::kUnavailable,
       "dispatch", {}, [](World& w) { w.engine().Kill(); },
       [](RequestHead& head) { head.deadline = head.received + Seconds(5); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World world(row.config);
    if (row.world) row.world(world);
    const Client client = world.Ask(row.request, row.head);
    EXPECT_EQ(client.status.code(), row.code) << client.status;
    EXPECT_EQ(client.text, row.text);
    EXPECT_EQ(client.finish, v1::FINISH_REASON_UNSPECIFIED);
    const auto outcomes = world.Records("outcome");
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0]["status"], absl::StatusCodeToString(row.code));
    EXPECT_EQ(outcomes[0]["stage"], row.stage);
    EXPECT_EQ(outcomes[0].value("detail", ""), row.estimated ? "usage estimated" : "");
    EXPECT_EQ(outcomes[0].contains("usage"), row.estimated);
    if (std::string(row.stage) == "admission") {
      EXPECT_TRUE(world.Records("decision").empty());
      EXPECT_EQ(world.cloud.calls() + world.engine().calls(), 0);
    }
  }
}

TEST(RouterPath, TheExcessGoesLocal) {
  World world([](RouterConfig& c) { c.policy.cloud_qps_threshold = 4; });  // and a burst of one
  int cloud = 0;
  for (int i = 0; i < 10; ++i) {
    const Client client = world.Ask(World::Everyday());
    ASSERT_TRUE(client.status.ok());
    if (client.route.target() == v1::Route::TARGET_CLOUD) {
      ++cloud;
    } else {
      EXPECT_EQ(client.reasons(), "over_threshold");
    }
  }
  EXPECT_GE(cloud, 1);
  EXPECT_LE(cloud, 5);
  EXPECT_EQ(world.cloud.calls(), cloud);
  world.clock.Advance(Seconds(1));
  EXPECT_EQ(world.Ask(World::Everyday()).route.target(), v1::Route::TARGET_CLOUD);
}

TEST(RouterPath, TheTenantsBucket) {
  World world([](RouterConfig& c) { c.tenants[0].requests_per_second = 1; });
  EXPECT_TRUE(world.Ask(World::Everyday()).status.ok());
  const absl::Status refused = world.Ask(World::Everyday()).status;
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryAfter(refused).has_value());
  EXPECT_EQ(world.Records("outcome")[0]["stage"], "admission");
  EXPECT_EQ(world.cloud.calls(), 1);
}

// The store fails exactly at the decision for the cloud: decided again, locally, and nothing has left.
TEST(RouterPath, ADecisionThatCannotBeWrittenSendsNothing) {
  World world;
  ASSERT_TRUE(world.Ask(World::Everyday()).status.ok());
  ASSERT_TRUE(world.audit.writable());
  world.broken = true;
  const Client client = world.Ask(World::Everyday());
  EXPECT_EQ(client.text, "local answer");
  EXPECT_EQ(client.reasons(), "audit_unwritable");
  EXPECT_EQ(world.cloud.calls(), 1);
  world.broken = false;
  EXPECT_EQ(world.Ask(World::Everyday()).text, "local answer") << "the gate opens with the next record written";
  EXPECT_EQ(world.Ask(World::Everyday()).text, "cloud answer");
}

TEST(RouterPath, TheClientLeavesInTheMiddle) {
  World world;
  Client client;
  int events = 0;
  client.on_event = [&] { client.gone = ++events == 3; };  // route, first piece, ...
  world.Talk(World::Everyday(), {}, client);
  EXPECT_EQ(client.status.code(), StatusCode::kCancelled);
  EXPECT_EQ(client.text, "cloud ");
  EXPECT_EQ(world.Records("outcome")[0]["status"], "CANCELLED");
  EXPECT_EQ(world.Records("outcome")[0]["detail"], "usage estimated");
}

TEST(RouterPath, TheOutputGuardStops) {
  World world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"say forb", "idden", " word"}); });
  const Client client = world.Ask(World::Everyday());
  EXPECT_TRUE(client.status.ok());
  EXPECT_EQ(client.text, "say ");
  EXPECT_EQ(client.finish, v1::FINISH_REASON_CONTENT_FILTER);
  const json outcome = world.Records("outcome")[0];
  EXPECT_EQ(outcome["detail"], "output_guard matched stop; usage estimated");
}

TEST(RouterPath, TheCacheReplays) {
  World world;
  v1::GenerateRequest greedy = World::Everyday();
  greedy.mutable_sampling()->set_temperature(0);
  const Client first = world.Ask(greedy);
  const Client second = world.Ask(greedy);
  EXPECT_EQ(second.text, first.text);
  EXPECT_EQ(second.finish, first.finish);
  EXPECT_EQ(first.reasons(), "everyday");
  EXPECT_EQ(second.reasons(), "cached");
  EXPECT_EQ(second.route.request_id(), "req-2");
  EXPECT_EQ(world.cloud.calls(), 1);
  EXPECT_EQ(world.Records("decision").size(), 1u);
  const auto outcomes = world.Records("outcome");
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_FALSE(outcomes[0].contains("usage")) << "a replay costs no tokens";
  // The same text, said to be sensitive: not from the cache.
  const Client sensitive = world.Ask(
      greedy, [](RequestHead& head) { head.declared_sensitivity = v1::SENSITIVITY_LEVEL_CONFIDENTIAL; });
  EXPECT_EQ(sensitive.text, "local answer");
}

TEST(RouterPath, ExplainSendsAndCountsNothing) {
  World world([](RouterConfig& c) { c.policy.cloud_qps_threshold = 1; });
  v1::ExplainRequest request;
  *request.mutable_request() = World::Everyday();
  for (int i = 0; i < 5; ++i) {
    const auto answer = world.Explain(request);
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->route().target(), v1::Route::TARGET_CLOUD);
  }
  *request.mutable_request() = World::Everyday("for 11010519491231002X please");
  const auto sensitive = world.Explain(request);
  ASSERT_TRUE(sensitive.ok());
  EXPECT_EQ(sensitive->route().target(), v1::Route::TARGET_LOCAL);
  EXPECT_EQ(sensitive->findings(0).type(), "CN_RESIDENT_ID");
  EXPECT_EQ(sensitive->SerializeAsString().find("11010519491231002X"), std::string::npos);
  EXPECT_EQ(world.cloud.calls() + world.engine().calls(), 0);
  EXPECT_EQ(world.router->GetState().eligible_qps(), 0);
  EXPECT_EQ(world.Records("admin").size(), 6u);
  world.broken = true;
  EXPECT_EQ(world.Explain(request).status().code(), StatusCode::kUnavailable);
}

TEST(RouterPath, DrainFinishesWhatItHas) {
  World world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"slow"}).After(Seconds(5)); });
  Client client;
  const RequestHead head = world.Head();
  const Prompt prompt(World::Everyday());
  std::optional<absl::Status> status;
  Spawn(world.io, world.router->Generate(head, prompt, client, world.cancellation), &status);
  world.clock.Advance(Seconds(1));
  EXPECT_EQ(world.router->in_flight(), 1);
  world.router->Drain();
  EXPECT_EQ(world.Ask(World::Everyday()).status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(world.router->in_flight(), 1);
  world.clock.Advance(Seconds(10));
  ASSERT_TRUE(status.has_value());
  EXPECT_TRUE(status->ok());
  EXPECT_EQ(client.text, "slow");
}

// A request in flight ends under the rules it began with.
TEST(RouterPath, ReloadInTheMiddle) {
  World world;
  world.cloud.set_answerer([](const CloudPrompt&) { return Script::Answer({"a forbid", "den"}).After(Seconds(5)); });
  Client client;
  const RequestHead head = world.Head();
  const Prompt prompt(World::Everyday());
  std::optional<absl::Status> status;
  Spawn(world.io, world.router->Generate(head, prompt, client, world.cancellation), &status);
  world.clock.Advance(Seconds(1));
  RouterConfig config = world.config;
  config.version = "v2";
  config.output_guard.word_lists.clear();
  config.policy.cloud_qps_threshold = 0;
  world.router->Apply(*Rules::Make(config));
  world.clock.Advance(Seconds(10));
  EXPECT_EQ(client.text, "a ");
  EXPECT_EQ(world.Records("outcome")[0]["policy_version"], "v1");
  EXPECT_EQ(world.Ask(World::Everyday()).reasons(), "over_threshold");
  EXPECT_EQ(world.Records("outcome")[0]["policy_version"], "v2");
}

TEST(RouterPath, CallsThatOnlyTheClusterAnswers) {
  World world;
  v1::CountTokensRequest count;
  *count.mutable_messages() = World::Everyday("for 11010519491231002X please").messages();
  const RequestHead head = world.Head();
  const auto counted = world.clock.Await(world.router->CountTokens(head, count, world.cancellation));
  ASSERT_TRUE(counted.ok());
  EXPECT_EQ(counted->tokens(), 7);
  EXPECT_EQ(world.cloud.calls(), 0);
  EXPECT_EQ(world.Records("outcome")[0]["route"]["reasons"], json({"local_only_call"}));
}

TEST(RouterPath, AModelsNameChoosesAmongLocalPoolsOnly) {
  World world([](RouterConfig& config) { config.local.endpoints.push_back({"other", "10.0.0.2:8090"}); });
  v1::Load load;
  load.set_model("other");
  load.set_running_max(8);
  world.fleet.engine("10.0.0.2:8090").ReportLoad(load);
  const struct {
    const char* model;
    const char* text;
    const char* endpoint;  // empty: any
  } rows[] = {
      {"other", "for 11010519491231002X please", "other"},
      {"fake", "for 11010519491231002X please", "engine-0"},
      {"deepseek-flash", "for 11010519491231002X please", ""},
      {"nobody's", "for 11010519491231002X please", ""},
      {"other", "Why is the sky blue?", "deepseek"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(absl::StrCat(row.model, ": ", row.text));
    for (int i = 0; i < 8; ++i) {
      v1::GenerateRequest request = World::Everyday(row.text);
      request.set_model(row.model);
      const Client client = world.Ask(request);
      ASSERT_TRUE(client.status.ok()) << client.status;
      if (*row.endpoint != 0) {
        EXPECT_EQ(client.route.endpoint(), row.endpoint);
      }
      v1::ExplainRequest explain;
      *explain.mutable_request() = request;
      const auto explained = world.Explain(explain);
      ASSERT_TRUE(explained.ok()) << explained.status();
      if (*row.endpoint != 0) {
        EXPECT_EQ(explained->route().endpoint(), row.endpoint);
      }
    }
  }
}

TEST(RouterPath, ListsTheModelsOfEveryPoolOnce) {
  World world([](RouterConfig& config) {
    config.local.endpoints.push_back({"engine-1", "10.0.0.2:8090"});
    config.local.endpoints.push_back({"vllm", "10.0.0.3:8000"});
  });
  world.fleet.engine("10.0.0.2:8090").ReportLoad();
  v1::Load other;
  other.set_model("other");
  other.set_running_max(1);
  world.fleet.engine("10.0.0.3:8000").ReportLoad(other);
  const auto listed = world.clock.Await(world.router->ListModels(world.Head(), world.cancellation));
  ASSERT_TRUE(listed.ok());
  std::multiset<std::string> ids;
  for (const v1::Model& model : listed->models()) ids.insert(model.id());
  EXPECT_EQ(ids, (std::multiset<std::string>{"fake", "other", world.config.cloud.model}));
}

}  // namespace
}  // namespace headgate::router
