// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A local request with a second permit: the cloud is asked too when its first token is late.
#include <utility>

#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "common/log.h"
#include "common/mailbox.h"
#include "router/dispatch_stream.h"

namespace headgate::router {

// Shared by the two sides; SendHedged returns when both have ended.
struct Dispatch::Race {
  Race(Executor executor, const Exchange& x)
      : local{x.ticket, x.prompt, x.sensitivity, x.attempts, stop_local, x.route, x.cloud},
        cloud{x.ticket, x.prompt, x.sensitivity, x.attempts, stop_cloud, x.route, x.cloud},
        cloud_ended(executor, 1) {
    cloud.route.mutable_reasons()->Clear();
    cloud.route.add_reasons("hedge");
    cloud.route.mutable_reasons()->MergeFrom(x.route.reasons());
  }
  Cancellation stop_local, stop_cloud;
  Exchange local, cloud;
  Mailbox<bool> cloud_ended;
  bool cloud_began = false;
  std::unique_ptr<Answer> answer;  // the cloud's
};

Task<absl::StatusOr<std::unique_ptr<Answer>>> Dispatch::SendHedged(Exchange& exchange, CloudPermit permit,
                                                                   const ApproveHedge& approve) {
  const MonotonicTime began = clock_.Monotonic();
  const MonotonicTime late = began + hedging_.Begin();
  const auto race = std::make_shared<Race>(executor_, exchange);
  const auto stop = exchange.cancellation.OnCancel([&exchange, race] {
    race->stop_local.Cancel(exchange.cancellation.reason());
    race->stop_cloud.Cancel(exchange.cancellation.reason());
  });
  std::unique_ptr<Timer> timer;
  if (late < exchange.ticket.deadline) {
    timer = clock_.CallAt(late, [&] {
      // What cannot be sent costs the budget nothing.
      if (!cloud_available(exchange.cloud) || !cloud_has_room(exchange.cloud) || !hedging_.Take()) return;
      race->cloud_began = true;
      boost::asio::co_spawn(executor_, RunHedge(race, std::move(permit), approve), boost::asio::detached);
    });
  }
  auto answer = co_await SendLocal(race->local);
  timer.reset();
  if (answer.ok() || race->answer) hedging_.Observe(clock_.Monotonic() - began);
  if (!race->cloud_began) co_return answer;
  if (answer.ok()) race->stop_cloud.Cancel(absl::CancelledError("the engine was first"));
  Cancellation never;  // the cloud's side stops when its own is cancelled
  (void)co_await race->cloud_ended.Receive(clock_, absl::InfiniteDuration(), never);
  if (race->answer && !answer.ok()) {
    exchange.attempts.hedge = Attempts::Hedge::kWon;
    answer = std::move(race->answer);
  } else if (race->answer) {
    exchange.attempts.hedge = Attempts::Hedge::kLost;
    race->answer.reset();
  }
  CountHedge(exchange.attempts.hedge);
  co_return answer;
}

Task<void> Dispatch::RunHedge(std::shared_ptr<Race> race, CloudPermit permit, const ApproveHedge& approve) {
  co_await Hedge(*race, std::move(permit), approve);
  (void)race->cloud_ended.Offer(true);
}

Task<void> Dispatch::Hedge(Race& race, CloudPermit permit, const ApproveHedge& approve) {
  Exchange& x = race.cloud;
  auto made = CloudPrompt::Make(std::move(permit), x.ticket.request_id, x.prompt);
  if (!made.ok()) {
    HG_LOG(Error, "hedge not sent: ", std::string(made.status().message()));
    co_return;
  }
  const auto prompt = std::make_shared<const CloudPrompt>(*std::move(made));
  const absl::Status approved = co_await approve(x.cancellation);
  if (!approved.ok() || x.cancellation.cancelled()) co_return;
  std::string why;
  const auto attempt = TakeCloud(x.cloud, why);  // it may have closed meanwhile
  if (!attempt) co_return;
  ++x.attempts.cloud;
  Cloud& cloud = *attempt->cloud;
  RetryBudget::Hold active = cloud.retries.Begin();
  auto answer = std::make_unique<StreamAnswer>(*this, x.route, prompt, *attempt, x.ticket);
  const MonotonicTime first_by = clock_.Monotonic() + cloud.config.first_token_timeout;
  Begun begun = co_await answer->Begin(first_by, x.cancellation);
  if (begun.outcome == Outcome::kOk) {
    answer->Keep(std::move(active));
    race.answer = std::move(answer);
    race.stop_local.Cancel(absl::CancelledError("the cloud was first"));
  } else if (begun.outcome == Outcome::kCancelled) {
    x.attempts.hedge = Attempts::Hedge::kLost;
  } else {
    x.attempts.hedge = Attempts::Hedge::kFailed;
    begun.Tell(x.attempts);
  }
}

void Dispatch::CountHedge(Attempts::Hedge result) {
  static constexpr const char* kNames[] = {"not_sent", "failed", "lost", "won"};
  metrics_
      .GetCounter("headgate_router_hedges_total",
                  "Late local requests that the cloud was asked too, by what came of it.",
                  {{"result", kNames[static_cast<int>(result)]}})
      .Increment();
}

}  // namespace headgate::router
