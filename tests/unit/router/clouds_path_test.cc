// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Several clouds, and the operator's profiles, on the whole path.
#include "router/contingency.h"
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

PriceRow Price(const std::string& model, int64_t output) {
  PriceRow row;
  row.version = "v";
  row.model = model;
  row.currency = "USD";
  row.valid_from = absl::UnixEpoch();
  row.output = row.peak_output = output;
  return row;
}

// The first cloud, one for batch, one for the tenant `rich`.
struct CloudsWorld : World {
  explicit CloudsWorld(const std::function<void(RouterConfig&)>& change = {})
      : World([&change](RouterConfig& config) {
          config.tenants.push_back({});
          config.tenants.back().name = "rich";
          config.tenants.back().api_key_sha256 = {Hex(Sha256("rich-key"))};
          for (const char* name : {"night", "fine"}) {
            CloudConfig cloud;
            cloud.enabled = cloud.further = true;
            cloud.name = name;
            cloud.model = absl::StrCat("model-", name);
            cloud.breaker_failures = 1;
            cloud.attempts_max = 1;
            config.clouds.push_back(cloud);
          }
          config.cloud_choice = {{{"rich"}, CloudChoiceConfig::Scenario::kRealtime, "fine"},
                                 {{}, CloudChoiceConfig::Scenario::kBatch, "night"}};
          config.accounting.prices = {Price(config.cloud.model, 1'000'000), Price("model-night", 2'000'000),
                                      Price("model-fine", 5'000'000)};
          if (change) change(config);
        }),
        night(*clouds[0]),
        fine(*clouds[1]) {}
  static v1::GenerateRequest Batch() {
    v1::GenerateRequest request = Everyday();
    request.set_priority(v1::PRIORITY_BATCH);
    return request;
  }
  FakeCloud& night;
  FakeCloud& fine;
};

void AsRich(RequestHead& head) { head.api_key = "rich-key"; }

TEST(Clouds, ChosenByTenantAndScenario) {
  CloudsWorld world;
  struct Row {
    const char* name;
    bool batch, rich;
    const char* endpoint;
    int64_t cost;
  };
  const Row rows[] = {{"anybody", false, false, "deepseek", 2},
                      {"batch", true, false, "night", 4},
                      {"rich", false, true, "fine", 10},
                      {"rich, batch", true, true, "night", 4}};
  for (const Row& row : rows) {
    const Client client = world.Ask(row.batch ? CloudsWorld::Batch() : World::Everyday(),
                                    row.rich ? AsRich : [](RequestHead&) {});
    EXPECT_EQ(client.route.endpoint(), row.endpoint) << row.name;
    EXPECT_EQ(client.reasons(), "everyday") << row.name;
    const json outcome = world.Records("outcome")[0];
    EXPECT_EQ(outcome["route"]["endpoint"], row.endpoint) << row.name;
    EXPECT_EQ(outcome["cost"]["micro_units"], row.cost) << row.name;
  }
  EXPECT_EQ(world.cloud.calls(), 1);
  EXPECT_EQ(world.night.calls(), 2);
  EXPECT_EQ(world.fine.calls(), 1);
}

TEST(Clouds, OneThatFailsIsReplacedByTheEnginesAndByNoOtherCloud) {
  CloudsWorld world;
  world.night.set_answerer([](const CloudPrompt&) { return Script::Fail(absl::UnavailableError("503")); });
  EXPECT_EQ(world.Ask(CloudsWorld::Batch()).reasons(), "cloud_unavailable,everyday");
  EXPECT_EQ(world.Ask(CloudsWorld::Batch()).reasons(), "cloud_unavailable") << "its breaker is open";
  EXPECT_EQ(world.Ask(World::Everyday()).route.endpoint(), "deepseek") << "the others are not concerned";
  EXPECT_EQ(world.night.calls(), 1);
  EXPECT_EQ(world.cloud.calls(), 1);
}

// bifrost#2578: limits belong to a provider, not to the gateway.
TEST(Clouds, TheLimitsOfOneAreNotTheOthers) {
  struct Row {
    const char* name;
    std::function<void(CloudConfig&)> limit;
  };
  const Row rows[] = {{"calls of a day", [](CloudConfig& cloud) { cloud.calls_per_day = 1; }},
                      {"concurrency", [](CloudConfig& cloud) { cloud.concurrency_max = 1; }}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    CloudsWorld world([&](RouterConfig& config) { row.limit(config.clouds[0]); });
    world.night.set_answerer([](const CloudPrompt&) { return Script::Answer({"night"}).After(Seconds(10)); });
    const RequestHead head = world.Head();
    const Prompt prompt(CloudsWorld::Batch());
    Client first;
    Cancellation never;
    std::optional<absl::Status> ended;
    Spawn(world.io, world.router->Generate(head, prompt, first, never), &ended);
    world.clock.RunUntilIdle();
    EXPECT_EQ(world.night.calls(), 1);
    EXPECT_EQ(world.Ask(CloudsWorld::Batch()).reasons(), "cloud_at_cap") << "the second one";
    EXPECT_EQ(world.Ask(World::Everyday()).route.endpoint(), "deepseek");
    EXPECT_EQ(world.Ask(World::Everyday(), AsRich).route.endpoint(), "fine");
    EXPECT_EQ(world.night.calls(), 1);
    world.clock.Advance(Seconds(20));
    EXPECT_TRUE(ended.has_value());
  }
}

TEST(Clouds, NothingSensitiveToAnyOfThem) {
  CloudsWorld world;
  v1::GenerateRequest request = CloudsWorld::Batch();
  request.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
  EXPECT_EQ(world.Ask(request).reasons(), "sensitive");
  EXPECT_EQ(world.Ask(World::Everyday("My number is 110105199003077577."), AsRich).reasons(), "sensitive");
  EXPECT_EQ(world.cloud.calls() + world.night.calls() + world.fine.calls(), 0);
}

// Mode `cost` compares the engines with the cloud that the request would go to.
TEST(Clouds, ThePriceIsThatOfTheChosenOne) {
  struct Row {
    const char* name;
    int64_t first, fine;  // micro-units a million tokens
    bool rich;            // whose cloud is `fine`
    const char* reasons;
  };
  // An engine that is ten seconds late: 830 micro-units. An answer of 256 tokens costs 256, or ten times as much.
  constexpr int64_t kCheap = 1'000'000, kDear = 10'000'000;
  const Row rows[] = {{"both cheap, the first", kCheap, kCheap, false, "everyday"},
                      {"both cheap, the second", kCheap, kCheap, true, "everyday"},
                      {"the second ten times as dear, the first", kCheap, kDear, false, "everyday"},
                      {"the second ten times as dear, the second", kCheap, kDear, true, "cheaper_local"},
                      {"the first ten times as dear, the first", kDear, kCheap, false, "cheaper_local"},
                      {"the first ten times as dear, the second", kDear, kCheap, true, "everyday"}};
  for (const Row& row : rows) {
    CloudsWorld world([&row](RouterConfig& config) {
      config.policy.mode = PolicyConfig::Mode::kCost;
      config.policy.delay_price = 100;
      config.accounting.prices = {Price(config.cloud.model, row.first), Price("model-fine", row.fine)};
    });
    world.engine().StopReporting();
    v1::Load load;
    load.set_sequence_number(1'000);
    load.set_running_max(64);
    load.set_prefill_tokens_per_second(100);
    load.set_prompt_tokens_waiting(1'000);
    world.engine().ReportLoad(load);
    const auto whose = row.rich ? AsRich : [](RequestHead&) {};
    v1::ExplainRequest explain;
    *explain.mutable_request() = World::Everyday();
    explain.set_tenant(row.rich ? "rich" : "default");
    const auto explained = world.Explain(explain);
    ASSERT_TRUE(explained.ok()) << explained.status();
    EXPECT_EQ(explained->route().reasons(0), row.reasons) << row.name;
    EXPECT_EQ(world.Ask(World::Everyday(), whose).reasons(), row.reasons) << row.name;
  }
}

TEST(Clouds, TheChainSaysWhoGetsWhat) {
  CloudsWorld world;
  bool told = false;
  for (const std::string& line : world.lines) {
    const json record = json::parse(line);
    const std::string detail = record.value("detail", "");
    const auto names = [&](const char* what) { return detail.find(what) != std::string::npos; };
    told |= names("; cloud deepseek at ") && names("; cloud night at ") && names("; cloud fine at ");
  }
  EXPECT_TRUE(told);
}

TEST(Profile, DeclaredByTheOperatorRecordedAndShown) {
  World world;
  const auto in_force = [&](const char* name) {
    return world.metrics.GetGauge("headgate_router_profile", "", {{"profile", name}}).Value();
  };
  const auto declare = [&](const std::string& name) {
    v1::SetProfileRequest request;
    request.set_profile(name);
    return world.router->SetProfile(request);
  };
  EXPECT_EQ(world.Ask(World::Everyday()).reasons(), "everyday");
  EXPECT_EQ(in_force("none"), 1);
  auto declared = declare("cloud_outage");
  ASSERT_TRUE(declared.ok()) << declared.status();
  EXPECT_EQ(declared->previous(), "none");
  EXPECT_EQ(declared->profile(), "cloud_outage");
  EXPECT_EQ(world.Records("admin")[0]["detail"], "profile cloud_outage");
  EXPECT_EQ(in_force("cloud_outage"), 1);
  EXPECT_EQ(in_force("none"), 0);
  EXPECT_EQ(world.router->GetState().profile(), "cloud_outage");
  EXPECT_EQ(world.Ask(World::Everyday()).reasons(), "profile_cloud_outage");
  ASSERT_TRUE(declare("no_local").ok());
  EXPECT_EQ(world.Ask(World::Everyday()).reasons(), "profile_no_local");
  EXPECT_EQ(world.Ask(World::Everyday("My number is 110105199003077577.")).reasons(), "sensitive");
  EXPECT_EQ(declare("storm").status().code(), StatusCode::kInvalidArgument);
  // A reload changes nothing that was declared; an empty name goes back to the configuration.
  auto rules = Rules::Make(world.config);
  ASSERT_TRUE(rules.ok());
  world.router->Apply(*rules);
  EXPECT_EQ(world.router->GetState().profile(), "no_local");
  ASSERT_TRUE(declare("").ok());
  EXPECT_EQ(world.router->GetState().profile(), "none");
  // What cannot be recorded does not happen.
  world.broken = true;
  EXPECT_EQ(declare("no_local").status().code(), StatusCode::kUnavailable);
  world.broken = false;
  EXPECT_EQ(world.router->GetState().profile(), "none");
}

TEST(Profile, ARehearsalSendsAndChangesNothing) {
  World world;
  v1::ExplainRequest explain;
  *explain.mutable_request() = World::Everyday();
  explain.set_profile("cloud_outage");
  auto answer = world.Explain(explain);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->route().reasons(0), "profile_cloud_outage");
  EXPECT_EQ(answer->route().endpoint(), "engine-0");
  explain.mutable_request()->set_declared_sensitivity(v1::SENSITIVITY_LEVEL_RESTRICTED);
  explain.set_profile("no_local");
  answer = world.Explain(explain);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->route().reasons(0), "sensitive");
  EXPECT_EQ(answer->route().endpoint(), "") << "there would be no engine";
  explain.set_profile("storm");
  EXPECT_EQ(world.Explain(explain).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(world.cloud.calls() + world.engine().calls(), 0);
  EXPECT_EQ(world.router->GetState().profile(), "none");
}

}  // namespace
}  // namespace headgate::router
