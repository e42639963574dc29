// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/unit/router/dispatch_world.h"

namespace headgate::router {
namespace {

const std::vector<std::string> kNoEngines;

TEST(Dispatch, WaitsForRoomAsLongAsItMay) {
  struct Row {
    const char* name;
    bool sensitive;
    absl::Duration deadline, room_at;
    StatusCode code;
    absl::Duration took_min, took_max;
  };
  const std::vector<Row> rows = {
      {"room in time, sensitive", true, Seconds(120), Seconds(90), StatusCode::kOk, Seconds(90), Seconds(91)},
      {"room in time, everyday", false, Seconds(120), Seconds(20), StatusCode::kOk, Seconds(20), Seconds(21)},
      {"no room, sensitive", true, Seconds(120), absl::InfiniteDuration(), StatusCode::kUnavailable, Seconds(119.9),
       Seconds(120)},
      {"no room, everyday", false, Seconds(120), absl::InfiniteDuration(), StatusCode::kUnavailable, Seconds(30),
       Seconds(30)},
      {"no room, everyday, short deadline", false, Seconds(5), absl::InfiniteDuration(), StatusCode::kUnavailable,
       Seconds(4.9), Seconds(5)},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World world({"10.0.0.1:1"});
    FakeEngine& engine = world.fleet.engine("10.0.0.1:1");
    engine.Kill();  // nobody there; its last load is fresh for another second
    world.clock.Advance(Seconds(2));
    auto start = world.clock.CallAt(world.clock.Monotonic() + row.room_at, [&] {
      engine.Start();
      engine.ReportLoad(Milliseconds(100));
    });
    const Result result = world.Local(row.sensitive, row.deadline);
    EXPECT_EQ(result.status.code(), row.code) << result.status;
    EXPECT_EQ(RetryAfter(result.status).has_value(), row.code == StatusCode::kUnavailable);
    EXPECT_GE(result.took, row.took_min);
    // A sensitive request finds out by trying: its endpoint backs off up to 5 s.
    EXPECT_LE(result.took, row.took_max + (row.sensitive ? Seconds(5) : kNow));
    EXPECT_EQ(world.cloud.calls(), 0);
  }
}

TEST(Dispatch, FallbackWithoutLocalRoomIsUnavailableWithRetryAfter) {
  World world(kNoEngines);
  world.CloudAnswers({Script::Fail(kDown)});
  const Result result = world.Everyday();
  EXPECT_EQ(result.status.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(RetryAfter(result.status).has_value());
  EXPECT_EQ(result.attempts.cloud, 3);
  EXPECT_EQ(result.attempts.local, 0);
}

TEST(Dispatch, BackoffIsJitteredAndGrows) {
  // Over many requests the waits fill the interval [0, base * 2^n), capped at ten seconds whatever is configured.
  World world;
  world.cloud_config.attempts_max = 12;
  world.cloud_config.breaker_failures = 1000;
  world.cloud_config.backoff_max = absl::Hours(1);
  world.dispatch->Apply(world.cloud_config, world.local_config);
  world.CloudAnswers({Script::Fail(kDown)});
  absl::Duration first_max, last_max;
  for (int i = 0; i < 40; ++i) {
    const size_t begin = world.cloud.call_times().size();
    EXPECT_EQ(world.Everyday().attempts.cloud, 12);
    const auto& times = world.cloud.call_times();
    first_max = std::max(first_max, times[begin + 1] - times[begin]);
    last_max = std::max(last_max, times[begin + 11] - times[begin + 10]);
  }
  EXPECT_GT(first_max, Milliseconds(80));
  EXPECT_LE(first_max, Milliseconds(100));
  EXPECT_GT(last_max, Seconds(8));
  EXPECT_LE(last_max, Seconds(10));
}

TEST(Dispatch, BreakerOpensAndOneProbeClosesIt) {
  World world;
  world.CloudAnswers({Script::Fail(kDown)});
  EXPECT_EQ(world.Everyday().attempts.cloud, 3);
  EXPECT_EQ(world.Everyday().attempts.cloud, 2) << "the fifth failure opens it";
  EXPECT_FALSE(world.dispatch->cloud_available());
  EXPECT_EQ(world.metrics.GetGauge("headgate_router_cloud_breaker_open", "").Value(), 1);
  EXPECT_EQ(world.dispatch->Clouds()[0].opened_by, "unavailable");
  const Result refused = world.Everyday();
  EXPECT_EQ(refused.attempts.cloud, 0);
  EXPECT_EQ(refused.text, "local answer");
  EXPECT_EQ(refused.route.reasons(0), "cloud_unavailable");
  EXPECT_EQ(refused.route.reasons(1), "everyday");

  world.clock.Advance(Seconds(10));
  EXPECT_TRUE(world.dispatch->cloud_available());
  world.CloudAnswers({Script::Answer({"cloud"}).After(Seconds(1))});
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  std::optional<Result> probe, other;
  Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(60), world.never), &probe);
  Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(60), world.never), &other);
  world.clock.Advance(Seconds(2));
  EXPECT_EQ(probe->text, "cloud");
  EXPECT_EQ(other->text, "local answer");
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), "closed");
  EXPECT_EQ(world.metrics.GetGauge("headgate_router_cloud_breaker_open", "").Value(), 0);
  EXPECT_EQ(world.dispatch->Clouds()[0].opened_by, "");
}

// Its client does not read on, or the answer is long: the others need not wait for it.
TEST(Dispatch, AProbeInMidAnswerDoesNotKeepTheCloudClosed) {
  World world;
  world.CloudAnswers({Script::Fail(kDown)});
  for (int i = 0; i < 2; ++i) (void)world.Everyday();
  world.clock.Advance(Seconds(10));
  world.CloudAnswers({Script::Answer({"cloud", "..."})});
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  const Ticket ticket = world.MakeTicket(Seconds(600));
  Attempts attempts;
  auto probe = world.clock.Await(world.dispatch->Send(ticket, world.prompt, sensitivity,
                                                      world.Decide("req-1", sensitivity), attempts, world.never));
  ASSERT_TRUE(probe.ok());
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), "half_open");
  EXPECT_EQ(world.Everyday().text, "cloud...");
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), "closed");
}

TEST(Dispatch, DeathInMidStreamCountsForTheBreaker) {
  World world;
  world.CloudAnswers({Script::FailAfter({"a"}, kDown)});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(world.Everyday().status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), "open");
  EXPECT_EQ(world.Count("cloud", "died"), 5);
}

TEST(Dispatch, BusyCallersErrorAndLeavingDoNotCountForTheBreaker) {
  World world;
  for (const Script& script : {Script::Fail(kBusy), Script::Fail(absl::InvalidArgumentError("400"))}) {
    world.CloudAnswers({script});
    for (int i = 0; i < 10; ++i) (void)world.Everyday();
    EXPECT_EQ(std::string(world.dispatch->breaker().state()), "closed");
  }
  EXPECT_EQ(world.Count("cloud", "exhausted"), 30);
  EXPECT_EQ(world.Count("cloud", "caller_error"), 10);
}

TEST(Dispatch, SpentBalanceClosesTheCloudForAMinute) {
  World world;
  world.CloudAnswers({Script::Fail(absl::FailedPreconditionError("402")), Script::Answer({"cloud"})});
  (void)world.Everyday();
  EXPECT_EQ(world.dispatch->Clouds()[0].opened_by, "rejected");
  world.clock.Advance(Seconds(59));
  EXPECT_EQ(world.Everyday().attempts.cloud, 0);
  world.clock.Advance(Seconds(1));
  EXPECT_EQ(world.Everyday().text, "cloud");
}

TEST(Dispatch, KilledEngineEndsItsStreamsAtOnce) {
  World world({"10.0.0.1:1"});
  world.EnginesAnswer({Script::Answer({"a", "b", "c"}).Every(Seconds(1))});
  auto kill =
      world.clock.CallAt(world.clock.Monotonic() + Seconds(1.5), [&] { world.fleet.engine("10.0.0.1:1").Kill(); });
  const Result result = world.Local(true);
  EXPECT_EQ(result.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(result.text, "ab");
  EXPECT_EQ(result.took, Seconds(1.5));
  EXPECT_EQ(result.attempts.local, 1);
}

TEST(Dispatch, DroppedAnswerFreesEverything) {
  World world;
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  for (const bool to_cloud : {true, false}) {
    world.CloudAnswers({Script::StallAfter({"a"})});
    world.EnginesAnswer({Script::StallAfter({"a"})});
    const Ticket ticket = world.MakeTicket(Seconds(60));
    Attempts attempts;
    auto answer = world.clock.Await(world.dispatch->Send(
        ticket, world.prompt, sensitivity, world.Decide("req-1", sensitivity, to_cloud), attempts, world.never));
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(world.cloud.live_streams() + world.fleet.live_streams(), 1);
    answer->reset();
    EXPECT_EQ(world.cloud.live_streams() + world.fleet.live_streams(), 0);
  }
  EXPECT_EQ(world.Count("cloud", "cancelled"), 1);
  EXPECT_EQ(world.Count("local", "cancelled"), 1);
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), "closed");
}

// The client leaves at every moment of several lives of a request.
TEST(Dispatch, CancellationAtEveryAwaitEndsAtOnceAndLeaksNothing) {
  struct Row {
    const char* name;
    bool sensitive;
    Scripts cloud, local;
    absl::Duration step, until;
  };
  const std::vector<Row> rows = {
      {"slow cloud",
       false,
       {Script::Answer({"a", "b"}).After(Seconds(1)).Every(Seconds(1))},
       {kLocalAnswer},
       Milliseconds(130),
       Seconds(2.9)},
      {"cloud retries",
       false,
       {Script::Fail(WithRetryAfter(kDown, Seconds(1)))},
       {Script::StallAfter({"x"})},
       Milliseconds(130),
       Seconds(3)},
      {"slow local",
       true,
       {kCloudAnswer},
       {Script::Answer({"a", "b"}).After(Seconds(1)).Every(Seconds(1))},
       Milliseconds(130),
       Seconds(2.9)},
      {"waiting for room", true, {kCloudAnswer}, {Script::Fail(kBusy)}, Milliseconds(13), Milliseconds(500)},
      {"first token never", false, {Script::StallAfter({""})}, {kLocalAnswer}, Seconds(7), Seconds(80)},
  };
  for (const Row& row : rows) {
    for (absl::Duration at; at < row.until; at += row.step) {
      SCOPED_TRACE(absl::StrCat(row.name, " ", absl::FormatDuration(at)));
      World world;
      world.CloudAnswers(row.cloud);
      world.EnginesAnswer(row.local);
      const Sensitivity sensitivity =
          world.Classified(row.sensitive ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_PUBLIC);
      Cancellation client;
      std::optional<Result> result;
      const size_t timers_before = world.clock.timers();
      Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(600), client), &result);
      world.clock.Advance(at);
      ASSERT_FALSE(result.has_value());
      client.Cancel(absl::CancelledError("client left"));
      world.clock.RunUntilIdle();
      ASSERT_TRUE(result.has_value());
      EXPECT_EQ(result->status.code(), StatusCode::kCancelled);
      EXPECT_EQ(result->took, at);
      EXPECT_EQ(world.cloud.live_streams() + world.fleet.live_streams(), 0);
      EXPECT_EQ(world.clock.timers(), timers_before);
      EXPECT_TRUE(world.dispatch->cloud_available());
    }
  }
}

TEST(Dispatch, ProbeWhoseClientLeavesDoesNotKeepTheBreakerHalfOpen) {
  World world;
  world.CloudAnswers({Script::Fail(absl::UnauthenticatedError("401")), Script::StallAfter({})});
  (void)world.Everyday();
  world.clock.Advance(absl::Minutes(1));
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  Cancellation client;
  std::optional<Result> result;
  Spawn(world.io, world.Talk(sensitivity, world.Decide("req-1", sensitivity), Seconds(600), client), &result);
  world.clock.Advance(Seconds(1));
  EXPECT_FALSE(world.dispatch->cloud_available()) << "one probe only";
  client.Cancel(absl::CancelledError("client left"));
  world.clock.RunUntilIdle();
  EXPECT_TRUE(world.dispatch->cloud_available());
}

// The second lock behind policy: whatever dispatch is told, only the right permit for these bytes goes out.
TEST(DispatchGate, NothingLeavesWithoutTheRightPermit) {
  World world;
  const Sensitivity everyday = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  Sensitivity other_bytes = everyday;
  other_bytes.digest = std::string(32, 'x');
  Decision no_permit = world.Decide("req-1", everyday);
  no_permit.permit.reset();
  std::vector<std::pair<Sensitivity, Decision>> rows;
  rows.emplace_back(world.Classified(v1::SENSITIVITY_LEVEL_RESTRICTED), world.Decide("req-1", everyday));
  rows.emplace_back(Sensitivity(), world.Decide("req-1", everyday));
  rows.emplace_back(everyday, world.Decide("req-2", everyday));
  rows.emplace_back(everyday, world.Decide("req-1", other_bytes));
  rows.emplace_back(everyday, std::move(no_permit));
  for (size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_EQ(rows[i].second.target, Target::kCloud);
    const Result result =
        world.clock.Await(world.Talk(rows[i].first, std::move(rows[i].second), Seconds(60), world.never));
    EXPECT_EQ(result.status.code(), StatusCode::kInternal);
    EXPECT_EQ(result.attempts.cloud, 0);
  }
  EXPECT_EQ(world.cloud.calls(), 0);
}

TEST(Dispatch, CloudThatIsOffOrMissingFallsBack) {
  World world;
  const Sensitivity sensitivity = world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
  Decision decision = world.Decide("req-1", sensitivity);
  world.cloud_config.enabled = false;
  world.dispatch->Apply(world.cloud_config, world.local_config);
  EXPECT_FALSE(world.dispatch->cloud_available());
  Result result = world.clock.Await(world.Talk(sensitivity, std::move(decision), Seconds(60), world.never));
  EXPECT_EQ(result.text, "local answer");
  world.cloud_config.enabled = true;
  world.dispatch.emplace(world.io.get_executor(), world.clock, SeededRandom(2), world.cloud_config,
                         world.local_config, *world.registry, nullptr, world.metrics);
  EXPECT_FALSE(world.dispatch->cloud_available());
  EXPECT_EQ(world.Everyday().text, "local answer");
}

// What is asked before the decision: the beginnings that either side was sent, each tenant's own.
TEST(Dispatch, LooksAheadOnBothSides) {
  World world({"10.0.0.1:1", "10.0.0.2:1"}, LocalConfig(), Says(std::string(4000, 'x')));
  const auto look = [&](const std::string& tenant) { return world.dispatch->Look(tenant, world.prompt, false); };
  EXPECT_EQ(look("").local.cached_tokens, 0);
  EXPECT_EQ(look("").cloud_cached_tokens, 0);
  EXPECT_LT(look("").local.first_token_seconds, 100);
  EXPECT_TRUE(world.Everyday().status.ok());
  EXPECT_GT(look("").cloud_cached_tokens, 900);
  EXPECT_EQ(look("").local.cached_tokens, 0);
  EXPECT_TRUE(world.Local(false).status.ok());
  EXPECT_GT(look("").local.cached_tokens, 900);
  EXPECT_EQ(look("other").local.cached_tokens, 0);
  EXPECT_EQ(look("other").cloud_cached_tokens, 0);
}

TEST(Dispatch, WaitForLocal) {
  World world({"10.0.0.1:1"});
  auto found = world.clock.Await(world.dispatch->WaitForLocal("", world.clock.Monotonic() + Seconds(5), world.never));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ((*found)->address, "10.0.0.1:1");
  World empty(kNoEngines);
  auto none = empty.clock.Await(empty.dispatch->WaitForLocal("", empty.clock.Monotonic() + Seconds(5), empty.never));
  EXPECT_EQ(none.status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace headgate::router
