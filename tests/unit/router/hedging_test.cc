// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/hedging.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/unit/router/dispatch_world.h"

namespace headgate::router {
namespace {

using HedgeEnd = Attempts::Hedge;

PolicyConfig Hedges(double share = 0.1) {
  PolicyConfig policy;
  policy.hedge_share = share;
  return policy;
}

TEST(Hedging, LateIsWhatNineteenInTwentyAreNot) {
  Hedging hedging(Hedges());
  EXPECT_EQ(hedging.Begin(), absl::InfiniteDuration()) << "nothing was seen yet";
  for (int i = 1; i <= 200; ++i) hedging.Observe(Seconds(i));
  EXPECT_GE(hedging.Begin(), Seconds(185));
  EXPECT_LE(hedging.Begin(), Seconds(195));
  for (int i = 0; i < 1000; ++i) hedging.Observe(Milliseconds(1));
  EXPECT_EQ(hedging.Begin(), Hedges().hedge_delay_min) << "the old ones are forgotten, the least delay stays";
  hedging.Apply(PolicyConfig());
  EXPECT_EQ(hedging.Begin(), absl::InfiniteDuration()) << "switched off";
  EXPECT_FALSE(hedging.Take());
}

TEST(Hedging, NeverMoreThanItsShare) {
  Hedging hedging(Hedges(0.02));
  int hedged = 0;
  for (int i = 0; i < 10'000; ++i) {
    (void)hedging.Begin();
    hedged += hedging.Take();
  }
  EXPECT_GE(hedged, 190);
  EXPECT_LE(hedged, 200);
  // What a quiet time saves up is bounded.
  for (int i = 0; i < 10'000; ++i) (void)hedging.Begin();
  hedged = 0;
  while (hedging.Take()) ++hedged;
  EXPECT_EQ(hedged, 5);
}

// Engines that answer at once, until a test says otherwise; the cloud after 100 ms.
struct HedgeWorld : World {
  HedgeWorld() {
    dispatch->Apply(Hedges());
    EnginesAnswer({Script::Answer({"lo", "cal"}).After(Milliseconds(10))});
    CloudAnswers({Script::Answer({"cloud"}).After(Milliseconds(100))});
    for (int i = 0; i < 60; ++i) EXPECT_EQ(Ask().attempts.cloud, 0) << "nothing is late";
  }
  Task<Result> Hedged(Sensitivity sensitivity, Cancellation& cancellation) {
    PolicyConfig policy = Hedges();
    FleetSnapshot snapshot;
    snapshot.cloud_configured = snapshot.cloud_available = snapshot.audit_writable = true;
    Decision decision =
        Policy(policy).Decide("req-1", TenantConfig(), Classified(v1::SENSITIVITY_LEVEL_PUBLIC), Load(), snapshot);
    EXPECT_TRUE(decision.hedge);
    const Ticket ticket = MakeTicket(Seconds(60));
    Result result;
    const ApproveHedge approve = [this](Cancellation& stop) -> Task<absl::Status> {
      ++asked;
      if (approval_takes > absl::ZeroDuration()) {
        absl::Status slept =
            co_await SleepUntil(io.get_executor(), clock, clock.Monotonic() + approval_takes, stop);
        if (!slept.ok()) co_return slept;
      }
      co_return approval;
    };
    auto answer = co_await dispatch->Send(ticket, prompt, sensitivity, std::move(decision), result.attempts,
                                          cancellation, approve);
    result.status = answer.status();
    while (answer.ok()) {
      result.route = (*answer)->route();
      auto event = co_await (*answer)->Next(cancellation);
      result.status = event.status();
      if (!event.ok() || !event->has_value()) break;
      result.text += (*event)->delta().content();
    }
    result.took = clock.Monotonic() - ticket.received;
    co_return result;
  }
  Result Ask(v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_PUBLIC) {
    return clock.Await(Hedged(Classified(level), never));
  }
  double Hedge(const char* result) {
    return metrics.GetCounter("headgate_router_hedges_total", "", {{"result", result}}).Value();
  }

  int asked = 0;
  absl::Status approval;
  absl::Duration approval_takes;
};

TEST(Hedge, ALateEngineIsOvertakenByTheCloud) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Seconds(30))});
  const Result result = world.Ask();
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.text, "cloud");
  EXPECT_EQ(result.route.target(), v1::Route::TARGET_CLOUD);
  EXPECT_EQ(result.route.reasons(0), "hedge");
  EXPECT_EQ(result.route.reasons(1), "over_threshold");
  EXPECT_EQ(result.attempts.cloud, 1);
  EXPECT_EQ(result.attempts.local, 1);
  EXPECT_EQ(result.attempts.hedge, HedgeEnd::kWon);
  EXPECT_EQ(result.took, Milliseconds(600)) << "the least delay, then the cloud's";
  EXPECT_EQ(world.Hedge("won"), 1);
  EXPECT_EQ(world.Count("local", "cancelled"), 1) << "the loser is stopped";
}

TEST(Hedge, AnEngineThatIsFirstAfterAllStopsTheCloud) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Milliseconds(550))});
  const Result result = world.Ask();
  EXPECT_EQ(result.text, "local");
  EXPECT_EQ(result.route.target(), v1::Route::TARGET_LOCAL);
  EXPECT_EQ(result.attempts.cloud, 1);
  EXPECT_EQ(result.attempts.hedge, HedgeEnd::kLost) << "it has the prompt: this is paid for";
  EXPECT_EQ(world.Count("cloud", "cancelled"), 1);
}

TEST(Hedge, ACloudThatFailsChangesNothing) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Seconds(2))});
  world.CloudAnswers({Script::Fail(kDown)});
  const Result result = world.Ask();
  EXPECT_EQ(result.text, "local");
  EXPECT_EQ(result.attempts.cloud, 1) << "a hedge is not retried";
  EXPECT_EQ(result.attempts.hedge, HedgeEnd::kFailed);
}

TEST(Hedge, TheCloudAnswersWhenEveryEngineDies) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Fail(kDown).After(Milliseconds(590))});
  const Result result = world.Ask();
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.text, "cloud");
}

TEST(Hedge, WithoutApprovalNothingIsSent) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Seconds(2))});
  world.approval = absl::ResourceExhaustedError("no money");
  const Result result = world.Ask();
  EXPECT_EQ(result.text, "local");
  EXPECT_EQ(world.asked, 1);
  EXPECT_EQ(world.cloud.calls(), 0);
  EXPECT_EQ(result.attempts.hedge, HedgeEnd::kNone);
}

TEST(Hedge, AnApprovalThatComesAfterTheAnswerSendsNothing) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Milliseconds(600))});
  world.approval_takes = Seconds(3);
  const Result result = world.Ask();
  EXPECT_EQ(result.text, "local");
  EXPECT_EQ(result.took, Milliseconds(600)) << "nobody waits for it";
  EXPECT_EQ(world.cloud.calls(), 0);
}

TEST(Hedge, NeverForWhatIsSensitiveWhateverItCarries) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Seconds(5))});
  const Result result = world.Ask(v1::SENSITIVITY_LEVEL_RESTRICTED);
  EXPECT_EQ(result.text, "local");
  EXPECT_EQ(world.asked, 0);
  EXPECT_EQ(world.cloud.calls(), 0);
}

TEST(Hedge, NotWhileTheCloudIsClosed) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Seconds(2))});
  world.cloud_config.enabled = false;
  world.dispatch->Apply(world.cloud_config, world.local_config);
  EXPECT_EQ(world.Ask().text, "local");
  EXPECT_EQ(world.asked, 0);
}

TEST(Hedge, AClientThatLeavesStopsBothSides) {
  HedgeWorld world;
  world.EnginesAnswer({Script::StallAfter({})});
  world.CloudAnswers({Script::StallAfter({})});
  Cancellation client;
  const auto timer = world.clock.CallAt(world.clock.Monotonic() + Milliseconds(700),
                                        [&] { client.Cancel(absl::CancelledError("left")); });
  const Result result =
      world.clock.Await(world.Hedged(world.Classified(v1::SENSITIVITY_LEVEL_PUBLIC), client));
  EXPECT_TRUE(absl::IsCancelled(result.status)) << result.status;
  EXPECT_EQ(result.took, Milliseconds(700));
  EXPECT_EQ(world.cloud.live_streams() + world.fleet.live_streams(), 0);
  EXPECT_EQ(result.attempts.hedge, HedgeEnd::kLost);
}

TEST(Hedge, SlowEnginesDoNotTurnAllTrafficIntoCloudTraffic) {
  HedgeWorld world;
  world.EnginesAnswer({Script::Answer({"local"}).After(Seconds(2))});
  const int before = world.cloud.calls();
  for (int i = 0; i < 200; ++i) (void)world.Ask();
  EXPECT_LE(world.cloud.calls() - before, 200 * 0.1 + 5);
  EXPECT_GE(world.cloud.calls() - before, 1);
}

}  // namespace
}  // namespace headgate::router
