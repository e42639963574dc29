// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Dispatch with more work than engines: who waits, who is served, who is refused.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "router/audit_record.h"
#include "tests/unit/router/dispatch_world.h"

namespace headgate::router {
namespace {

constexpr char kEngine[] = "10.0.0.1:1";

LocalConfig Locally(double reserved_share = 0.3, int64_t queue_max = 1000) {
  LocalConfig config;
  config.reserved_share = reserved_share;
  config.queue_max = queue_max;
  config.queue_target = Milliseconds(400);
  config.queue_interval = Seconds(2);
  return config;
}

// One engine with `slots` places whose answers take a second.
struct Busy : World {
  explicit Busy(int slots, LocalConfig local = Locally()) : World({kEngine}, std::move(local)) {
    EnginesAnswer({Script::Answer({"a"}).After(Seconds(1))});
    fleet.engine(kEngine).set_running_max(slots);
    fleet.engine(kEngine).ReportLoad();
  }
  ~Busy() {
    for (auto& request : requests) {
      if (!request->result) request->client.Cancel(absl::CancelledError("end of test"));
    }
    clock.RunUntilIdle();
  }
  struct Request {
    std::string name;
    Cancellation client;
    std::optional<Result> result;
  };
  Request& Start(const std::string& name, bool sensitive, absl::Duration deadline = Seconds(600),
                 v1::Priority priority = v1::PRIORITY_NORMAL, const std::string& tenant = "t") {
    Request& request = *requests.emplace_back(std::make_unique<Request>());
    request.name = name;
    const Sensitivity level =
        Classified(sensitive ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_PUBLIC);
    Spawn(io, Ended(request, TalkAs(MakeTicket(deadline, priority, tenant), level, Decide("req-1", level, false),
                                    request.client)),
          &request.result);
    clock.RunUntilIdle();
    return request;
  }
  Task<Result> Ended(Request& request, Task<Result> task) {
    Result result = co_await std::move(task);
    if (result.status.ok()) order.push_back(request.name);
    co_return result;
  }
  int Live() { return fleet.live_streams(); }

  std::vector<std::unique_ptr<Request>> requests;
  std::vector<std::string> order;  // of those that were answered
};

TEST(DispatchOverload, OverflowNeverTakesTheReserve) {
  Busy world(10);
  for (int i = 0; i < 50; ++i) world.Start("open", false);
  EXPECT_EQ(world.Live(), 7);
  for (int i = 0; i < 3; ++i) world.Start("sensitive", true);
  EXPECT_EQ(world.Live(), 10) << "sensitive requests are served at once";
  world.clock.Advance(Seconds(1.1));
  EXPECT_EQ(world.order.size(), 10u);
  EXPECT_EQ(world.Live(), 7) << "what came free again is for the open ones, up to their share";
}

// Whatever not sensitive load there is: no sensitive request is refused or even waits while the reserve has room.
TEST(DispatchOverload, SensitiveRequestsAreNeverRefusedWhileTheReserveIsFree) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 dice(seed);
    Busy world(10, Locally(0.3, 20));
    std::vector<Busy::Request*> sensitive;
    for (int i = 0; i < 300; ++i) {
      const size_t under_way = static_cast<size_t>(std::count_if(
          sensitive.begin(), sensitive.end(), [](const Busy::Request* request) { return !request->result; }));
      if (dice() % 5 == 0 && under_way < 3) {
        sensitive.push_back(&world.Start("sensitive", true));
      } else {
        const auto priority = dice() % 2 == 0 ? v1::PRIORITY_BATCH : v1::PRIORITY_INTERACTIVE;
        world.Start("open", false, Seconds(1 + static_cast<double>(dice() % 60)), priority, dice() % 2 ? "t" : "u");
      }
      world.clock.Advance(Milliseconds(static_cast<int64_t>(dice() % 60)));
    }
    world.clock.Advance(Seconds(2));
    EXPECT_GT(sensitive.size(), 20u);
    for (const Busy::Request* request : sensitive) {
      ASSERT_TRUE(request->result.has_value());
      EXPECT_TRUE(request->result->status.ok()) << request->result->status;
      EXPECT_EQ(request->result->took, Seconds(1)) << "it waited";
    }
    EXPECT_EQ(world.cloud.calls(), 0);
  }
}

TEST(DispatchOverload, BandsComeInOrder) {
  Busy world(1, Locally(0.01));
  world.Start("running", false);
  world.Start("batch", false, Seconds(600), v1::PRIORITY_BATCH);
  world.Start("interactive", false, Seconds(600), v1::PRIORITY_INTERACTIVE);
  world.Start("sensitive", true);
  for (int i = 0; i < 5; ++i) world.clock.Advance(Seconds(1));
  EXPECT_EQ(world.order, (std::vector<std::string>{"running", "sensitive", "interactive", "batch"}));
}

TEST(DispatchOverload, TenantsShareFairlyWhoeverAsksMore) {
  LocalConfig local = Locally(0.01);
  local.queue_target = Seconds(500);  // no dropping here
  local.queue_interval = Seconds(500);
  Busy world(2, local);
  for (int i = 0; i < 60; ++i) world.Start("greedy", false, Seconds(600), v1::PRIORITY_NORMAL, "greedy");
  for (int i = 0; i < 8; ++i) world.Start("modest", false, Seconds(600), v1::PRIORITY_NORMAL, "modest");
  for (int i = 0; i < 20; ++i) world.clock.Advance(Seconds(1));
  const auto modest = std::count(world.order.begin(), world.order.end(), "modest");
  EXPECT_EQ(modest, 8) << "of " << world.order.size();
}

TEST(DispatchOverload, AFullQueueShedsBatchFirstAndSensitiveLast) {
  Busy world(1, Locally(0.01, 3));
  world.Start("running", false);
  auto& batch = world.Start("batch", false, Seconds(600), v1::PRIORITY_BATCH);
  auto& first = world.Start("interactive 1", false);
  auto& second = world.Start("interactive 2", false);
  auto& newcomer = world.Start("batch 2", false, Seconds(600), v1::PRIORITY_BATCH);
  ASSERT_TRUE(newcomer.result.has_value()) << "nobody is below it";
  EXPECT_EQ(newcomer.result->status.code(), StatusCode::kUnavailable);
  EXPECT_FALSE(batch.result.has_value());
  auto& third = world.Start("interactive 3", false);
  ASSERT_TRUE(batch.result.has_value());
  EXPECT_TRUE(RetryAfter(batch.result->status).has_value());
  auto& sensitive = world.Start("sensitive", true);
  EXPECT_FALSE(sensitive.result.has_value());
  const int refused = first.result.has_value() + second.result.has_value() + third.result.has_value();
  EXPECT_EQ(refused, 1) << "one interactive request gave its place";
  world.Start("sensitive", true), world.Start("sensitive", true);
  auto& last = world.Start("sensitive", true);
  ASSERT_TRUE(last.result.has_value()) << "full of sensitive requests";
  EXPECT_EQ(last.result->status.code(), StatusCode::kUnavailable);
}

// 30 requests a second at an engine that answers one: the waits stay near the objective, those who are served came
// lately, and batch goes first.
TEST(DispatchOverload, ControlledDelayKeepsTheWaitsShort) {
  Busy world(1);
  std::vector<Busy::Request*> batch, interactive;
  for (int i = 0; i < 900; ++i) {
    auto& list = i % 3 == 1 ? batch : interactive;
    list.push_back(&world.Start("r", false, Seconds(600), i % 3 == 1 ? v1::PRIORITY_BATCH : v1::PRIORITY_NORMAL));
    world.clock.Advance(Milliseconds(33));
  }
  int batch_served = 0, served = 0, prompt = 0, refused = 0;
  for (const auto* request : batch) batch_served += request->result && request->result->status.ok();
  for (const auto* request : interactive) {
    if (!request->result) continue;
    const bool ok = request->result->status.ok();
    served += ok, refused += !ok;
    prompt += ok && request->result->took < Seconds(3);
    EXPECT_NE(ok, RetryAfter(request->result->status).has_value());
  }
  EXPECT_EQ(batch_served, 0);
  EXPECT_GE(served, 25);
  EXPECT_GE(prompt, served - 8) << "most answers are fresh although the queue is hopeless";
  EXPECT_GT(refused, 100);
}

TEST(DispatchOverload, ADeadlineThatCannotBeMetIsRefusedAtOnceWithAMeaningfulRetryAfter) {
  LocalConfig local = Locally(0.01);
  local.queue_target = local.queue_interval = Seconds(500);
  Busy world(1, local);
  for (int i = 0; i < 40; ++i) world.Start("r", false, Seconds(600));
  for (int i = 0; i < 10; ++i) world.clock.Advance(Seconds(1));  // the pace is known now: one a second
  auto& hopeless = world.Start("hopeless", false, Seconds(5));
  ASSERT_TRUE(hopeless.result.has_value());
  EXPECT_EQ(hopeless.result->status.code(), StatusCode::kUnavailable);
  const auto after = RetryAfter(hopeless.result->status);
  ASSERT_TRUE(after.has_value());
  EXPECT_GE(*after, Seconds(10)) << "about thirty are before it";
  EXPECT_LE(*after, Seconds(60));
  EXPECT_FALSE(world.Start("patient", false, Seconds(600)).result.has_value());
  EXPECT_FALSE(world.Start("sensitive", true, Seconds(5)).result.has_value()) << "not even then";
}

// Without a pace of the queue the engines' reports say it. A crowd that is refused together does not come together.
TEST(DispatchOverload, RetryAfterIsAnEstimateAndSpread) {
  const struct {
    const char* name;
    std::optional<int64_t> prompt_tokens_waiting;  // without: no engine reports
    absl::Duration min, max;
  } rows[] = {
      {"no engine reports", std::nullopt, Seconds(5), Seconds(8)},
      {"nothing waits", 0, Seconds(1), Seconds(4)},
      {"ten seconds of prompts", 10'000, Seconds(10), Seconds(15)},
      {"an hour of prompts", 3'600'000, Seconds(40), Seconds(60)},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    World world({kEngine});
    world.fleet.engine(kEngine).StopReporting();
    world.clock.Advance(Seconds(2));
    std::set<absl::Duration> asked;
    for (int i = 0; i < 40; ++i) {
      if (row.prompt_tokens_waiting) {
        v1::Load full;
        full.set_kv_cells_total(1000);
        full.set_prefill_tokens_per_second(1000);
        full.set_prompt_tokens_waiting(*row.prompt_tokens_waiting);
        world.fleet.engine(kEngine).ReportLoad(full);
      }
      const Result refused = world.Local(/*sensitive=*/false, Milliseconds(200));
      EXPECT_EQ(refused.status.code(), StatusCode::kUnavailable);
      asked.insert(RetryAfter(refused.status).value_or(kNow));
    }
    EXPECT_GE(*asked.begin(), row.min);
    EXPECT_LE(*asked.rbegin(), row.max);
    EXPECT_GE(*asked.rbegin() - *asked.begin(), (row.max - row.min) / 2) << "spread";
    EXPECT_GT(asked.size(), 30u);
  }
  // Engines that fail it: the same.
  World world;
  world.EnginesAnswer({Script::Fail(kDown)});
  std::set<absl::Duration> asked;
  for (int i = 0; i < 10; ++i) asked.insert(RetryAfter(world.Local(true).status).value_or(kNow));
  EXPECT_GT(asked.size(), 5u);
  EXPECT_GE(*asked.begin(), Seconds(1));
}

TEST(DispatchOverload, WhoLeavesTheQueueLeavesNoTrace) {
  Busy world(1, Locally(0.01));
  world.Start("running", false);
  const size_t timers = world.clock.timers();
  auto& waiting = world.Start("waiting", false);
  waiting.client.Cancel(absl::CancelledError("left"));
  world.clock.RunUntilIdle();
  EXPECT_EQ(waiting.result->status.code(), StatusCode::kCancelled);
  world.clock.Advance(Milliseconds(50));
  EXPECT_LE(world.clock.timers(), timers);
  EXPECT_EQ(world.metrics.GetGauge("headgate_router_queue_waiting", "", {{"band", "interactive"}}).Value(), 0);
}

TEST(DispatchOverload, AStoppedEngineGivesItsRequestsToAnother) {
  World world;
  world.EnginesAnswer({Script::StallAfter({}), kLocalAnswer});
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_RESTRICTED);
  std::optional<Result> result;
  Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(60), world.never), &result);
  world.clock.Advance(Seconds(1));
  EXPECT_FALSE(result.has_value());
  // As by SIGSTOP: its sockets live, it says nothing more.
  const bool first = world.fleet.engine("10.0.0.1:1").live_streams() > 0;
  world.fleet.engine(first ? "10.0.0.1:1" : "10.0.0.2:1").StopReporting();
  world.clock.Advance(Seconds(7));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->text, "local");
  EXPECT_EQ(result->attempts.local, 2);
  EXPECT_EQ(world.cloud.calls(), 0);
}

// Whatever happens to the engines, panic included: what is sensitive is not sent to the cloud.
TEST(DispatchOverload, PanicDoesNotOpenTheGate) {
  World world;
  world.EnginesAnswer({Script::Fail(kDown)});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(world.Local(true, Seconds(5)).status.code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(world.cloud.calls(), 0);
}

TEST(DispatchCloud, TheCapTurnsRequestsToTheEngines) {
  World world;
  world.cloud_config.concurrency_max = 2;
  world.dispatch->Apply(world.cloud_config, world.local_config);
  world.CloudAnswers({Script::Answer({"cloud"}).After(Seconds(1))});
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  std::vector<std::optional<Result>> results(4);
  for (auto& result : results) {
    Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(60), world.never), &result);
  }
  world.clock.RunUntilIdle();
  EXPECT_FALSE(world.dispatch->cloud_has_room());
  world.clock.Advance(Seconds(2));
  int local = 0;
  for (const auto& result : results) {
    ASSERT_TRUE(result.has_value());
    if (result->route.target() != v1::Route::TARGET_LOCAL) continue;
    ++local;
    EXPECT_EQ(result->route.reasons(0), "cloud_at_cap");
  }
  EXPECT_EQ(local, 2);
  EXPECT_TRUE(world.dispatch->cloud_has_room());
}

TEST(DispatchCloud, AnotherKeyIsTriedAtOnceAndTheBreakerDoesNotCountIt) {
  World world;
  world.CloudAnswers({Script::Fail(WithOtherKey(absl::UnauthenticatedError("401"))), kCloudAnswer});
  const Result result = world.Everyday();
  EXPECT_EQ(result.text, "cloud");
  EXPECT_EQ(result.attempts.cloud, 2);
  EXPECT_EQ(result.took, kNow);
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), "closed");
}

// A cloud that fails everything: 100 requests at once make 100 first attempts and few more.
TEST(DispatchCloud, RetriesHaveABudget) {
  World world;
  world.cloud_config.breaker_failures = 1000;
  world.dispatch->Apply(world.cloud_config, world.local_config);
  world.CloudAnswers({Script::Fail(kDown)});
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  std::vector<std::optional<Result>> results(100);
  for (auto& result : results) {
    Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(60), world.never), &result);
  }
  world.clock.Advance(Seconds(30));
  int attempts = 0;
  for (const auto& result : results) {
    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(result->status.ok()) << result->status;
    attempts += result->attempts.cloud;
  }
  EXPECT_GT(attempts, 105);
  EXPECT_LE(attempts, 145) << "without a budget 300";
  EXPECT_GT(world.metrics.GetCounter("headgate_router_retries_refused_total", "").Value(), 0);
}

// Engines that all fail everything: each request is sent a second time, only a few a third time.
TEST(DispatchOverload, LocalRetriesHaveABudget) {
  Busy world(64);
  world.fleet.engine("10.0.0.1:1").set_running_max(500);
  world.EnginesAnswer({Script::Fail(kDown).After(Milliseconds(50))});
  world.fleet.engine(kEngine).ReportLoad(Milliseconds(10));
  for (int i = 0; i < 100; ++i) world.Start(absl::StrCat(i), /*sensitive=*/true, Seconds(60));
  world.clock.Advance(Seconds(60));
  int attempts = 0, thrice = 0;
  for (const auto& request : world.requests) {
    ASSERT_TRUE(request->result.has_value());
    EXPECT_EQ(request->result->status.code(), StatusCode::kUnavailable);
    EXPECT_TRUE(RetryAfter(request->result->status).has_value());
    attempts += request->result->attempts.local;
    thrice += request->result->attempts.local == 3;
  }
  EXPECT_GE(attempts, 200);
  EXPECT_GT(thrice, 0);
  EXPECT_LE(thrice, 45) << "without a budget 100";
}

// sglang#13894: workers live, and callers get 503 all the same.
TEST(DispatchOverload, AStormOfCallersIsServedWhileTheEnginesHaveRoom) {
  Busy world(2048);
  for (int i = 0; i < 2048; ++i) world.Start(absl::StrCat(i), /*sensitive=*/true);
  world.clock.Advance(Seconds(2));
  EXPECT_EQ(world.order.size(), 2048u);
}

TEST(DispatchCloud, TodaysCallsSurviveARestart) {
  World world;
  world.cloud_config.calls_per_day = 10;
  world.dispatch->Apply(world.cloud_config, world.local_config);
  const auto folder = std::filesystem::temp_directory_path() / ("headgate_calls_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto line = [](absl::Time when, int attempts) {
    v1::AuditRecord record;
    record.set_kind(v1::AuditRecord::KIND_OUTCOME);
    record.set_time(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", when, absl::UTCTimeZone()));
    record.set_cloud_attempts(attempts);
    std::string mac;
    return WriteAuditLine("key", record, &mac) + "\n";
  };
  const absl::Time now = world.clock.WallTime();
  const auto file = folder / "audit-c-000000.jsonl";
  std::ofstream(file) << line(now, 7) << line(now - absl::Hours(24), 1000) << line(now, 0) << line(now, 2);
  // Written "now", whatever the test's clock says.
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() + std::chrono::hours(99999));
  EXPECT_EQ(world.dispatch->RestoreCalls(folder.string()), 9);
  EXPECT_EQ(world.Everyday().attempts.cloud, 1);
  const Result refused = world.Everyday();
  EXPECT_EQ(refused.attempts.cloud, 0);
  EXPECT_EQ(refused.route.reasons(0), "cloud_at_cap");
  EXPECT_EQ(world.dispatch->RestoreCalls((folder / "none").string()), 0);
  std::filesystem::remove_all(folder);
}

// The cloud replaces what is not JSON by white space and stops as if all were well (deepseek-api, JSON mode).
TEST(DispatchCloud, BlankJsonIsAskedForAgain) {
  const Script blank = Script::Answer({" ", "  \n"});
  const struct {
    const char* name;
    Scripts scripts;
    bool json, whole;
    const char* text;
    int attempts;
  } rows[] = {
      {"again", {blank, Script::Answer({"  ", "{}"})}, true, false, "  {}", 2},
      {"again, whole", {blank, Script::Answer({"{}"})}, true, true, "{}", 2},
      {"always: the engines", {blank}, true, false, "local", 3},
      {"nothing at all", {Script::Answer({})}, true, false, "local", 3},
      {"no JSON was asked for", {blank}, false, false, "   \n", 1},
      {"a tool call", {Bare(ToolCallEvent(), kDown), kCloudAnswer}, true, true, "cloud", 2},
  };
  for (const auto& row : rows) {
    v1::GenerateRequest request = Says("as JSON please");
    if (row.json) request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
    World world({"10.0.0.1:1"}, LocalConfig(), request);
    world.CloudAnswers(row.scripts);
    world.EnginesAnswer({kLocalAnswer});
    const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
    Ticket ticket = world.MakeTicket(Seconds(60));
    ticket.whole = row.whole;
    Decision decision = world.Decide("req-1", sensitivity);
    const Result result =
        world.clock.Await(world.TalkAs(std::move(ticket), sensitivity, std::move(decision), world.never));
    EXPECT_TRUE(result.finished) << row.name << ": " << result.status;
    EXPECT_EQ(result.text, row.text) << row.name;
    EXPECT_EQ(result.attempts.cloud, row.attempts) << row.name;
    EXPECT_EQ(std::string(world.dispatch->breaker().state()), "closed") << row.name;
    EXPECT_EQ(result.attempts.lost, world.Count("cloud", "blank")) << row.name;
  }
}

TEST(DispatchCloud, A429ThatNamesALimitSetsTheCap) {
  World world;
  world.CloudAnswers({Script::Fail(WithConcurrencyLimit(kBusy, 40)), kCloudAnswer});
  (void)world.Everyday();
  EXPECT_EQ(world.metrics.GetGauge("headgate_router_cloud_concurrency_cap", "").Value(), 36);
}

}  // namespace
}  // namespace headgate::router
