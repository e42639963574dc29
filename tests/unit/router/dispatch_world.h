// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the dispatch tests run in: dispatch over a fake cloud and fake engines, on a manual clock. Its destructor checks
// that no stream is left.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/detached.hpp"
#include "gtest/gtest.h"
#include "router/dispatch.h"
#include "router/upstream/upstream_error.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {

using absl::Milliseconds;
using absl::Seconds;
using absl::StatusCode;
using Scripts = std::vector<Script>;  // by call, the last one for all further calls

struct Result {
  absl::Status status;
  std::string text;
  bool committed = false;
  bool finished = false;
  v1::Route route;
  Attempts attempts;
  absl::Duration took;
};

inline v1::GenerateRequest Says(const std::string& text) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(text);
  return request;
}

// Dispatch over a fake cloud and two fake engines that report their load every 100 ms.
struct World {
  explicit World(const std::vector<std::string>& engines = {"10.0.0.1:1", "10.0.0.2:1"},
                 LocalConfig local = LocalConfig(),
                 const v1::GenerateRequest& request = Says("Why is the sky blue?"))
      : local_config(std::move(local)), prompt(request) {
    cloud_config.enabled = true;
    for (const auto& address : engines) local_config.endpoints.push_back({absl::StrCat("e", address), address});
    registry.emplace(io.get_executor(), clock, SeededRandom(1), local_config, fleet.connect(), fleet.resolve(),
                     metrics);
    boost::asio::co_spawn(io.get_executor(), registry->Run(stop), boost::asio::detached);
    clock.RunUntilIdle();
    for (const auto& address : engines) fleet.engine(address).ReportLoad(Milliseconds(100));
    dispatch.emplace(io.get_executor(), clock, SeededRandom(2), cloud_config, local_config, *registry, &cloud,
                     metrics);
  }
  ~World() {
    stop.Cancel(absl::CancelledError("end of test"));
    clock.RunUntilIdle();
    EXPECT_EQ(cloud.live_streams(), 0);
    EXPECT_EQ(fleet.live_streams(), 0);
    for (const auto& endpoint : registry->endpoints()) EXPECT_EQ(endpoint->in_flight, 0);
  }

  void CloudAnswers(Scripts scripts) {
    cloud.set_answerer([scripts = std::move(scripts), n = size_t{0}](const CloudPrompt&) mutable {
      return scripts[std::min(n++, scripts.size() - 1)];
    });
  }
  // All engines take turns through one list.
  void EnginesAnswer(Scripts scripts) {
    auto shared = std::make_shared<std::pair<Scripts, size_t>>(std::move(scripts), 0);
    for (const auto& endpoint : local_config.endpoints) {
      fleet.engine(endpoint.address).set_answerer([shared](const Prompt&, const CallOptions&) {
        return shared->first[std::min(shared->second++, shared->first.size() - 1)];
      });
    }
  }
  Ticket MakeTicket(absl::Duration deadline, v1::Priority priority = v1::PRIORITY_NORMAL,
                    const std::string& tenant = "") {
    auto whose = std::make_shared<TenantConfig>();
    whose->name = tenant;
    return Ticket{.request_id = "req-1",
                  .api = "test",
                  .tenant = std::move(whose),
                  .priority = priority,
                  .received = clock.Monotonic(),
                  .deadline = clock.Monotonic() + deadline,
                  .in_flight = InFlight(std::make_shared<int64_t>(0))};
  }
  Sensitivity Classified(v1::SensitivityLevel level) {
    Sensitivity sensitivity;
    sensitivity.state = ClassificationState::kClassified;
    sensitivity.level = level;
    sensitivity.digest = prompt.digest();
    return sensitivity;
  }
  Decision Decide(const std::string& request_id, const Sensitivity& sensitivity, bool cloud_has_room = true) {
    Load load;
    load.cloud_rate_conforms = cloud_has_room;
    FleetSnapshot snapshot;
    snapshot.cloud_configured = snapshot.cloud_available = snapshot.audit_writable = true;
    return Policy(PolicyConfig()).Decide(request_id, TenantConfig(), sensitivity, load, snapshot);
  }

  // Sends and reads to the end.
  Task<Result> Talk(Sensitivity sensitivity, Decision decision, absl::Duration deadline, Cancellation& cancellation) {
    return TalkAs(MakeTicket(deadline), std::move(sensitivity), std::move(decision), cancellation);
  }
  Task<Result> TalkAs(Ticket ticket, Sensitivity sensitivity, Decision decision, Cancellation& cancellation) {
    Result result;
    auto answer =
        co_await dispatch->Send(ticket, prompt, sensitivity, std::move(decision), result.attempts, cancellation);
    result.status = answer.status();
    if (answer.ok()) {
      result.committed = true;
      result.route = (*answer)->route();
      while (true) {
        auto event = co_await (*answer)->Next(cancellation);
        result.status = event.status();
        if (!event.ok() || !event->has_value()) break;
        result.text += (*event)->delta().content() + (*event)->delta().reasoning_content();
        if ((*event)->has_finish()) result.finished = true;
      }
    }
    result.took = clock.Monotonic() - ticket.received;
    co_return result;
  }
  Result Everyday(absl::Duration deadline = Seconds(600)) {
    const Sensitivity sensitivity = Classified(v1::SENSITIVITY_LEVEL_PUBLIC);
    return clock.Await(Talk(sensitivity, Decide("req-1", sensitivity), deadline, never));
  }
  Result Local(bool sensitive, absl::Duration deadline = Seconds(600)) {
    const Sensitivity sensitivity =
        Classified(sensitive ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_PUBLIC);
    return clock.Await(Talk(sensitivity, Decide("req-1", sensitivity, false), deadline, never));
  }
  double Count(const char* upstream, const char* outcome) {
    return metrics
        .GetCounter("headgate_router_upstream_attempts_total", "", {{"upstream", upstream}, {"outcome", outcome}})
        .Value();
  }

  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  FakeFleet fleet{io.get_executor(), clock};
  FakeCloud cloud{io.get_executor(), clock};
  LocalConfig local_config;
  CloudConfig cloud_config;
  Cancellation stop, never;
  std::optional<EndpointRegistry> registry;
  std::optional<Dispatch> dispatch;
  Prompt prompt;
};

inline const absl::Status kDown = absl::UnavailableError("down");
inline const absl::Status kBusy = absl::ResourceExhaustedError("busy");
inline Script Bare(v1::GenerateStreamResponse event, absl::Status failure) {
  Script script = Script::Fail(std::move(failure));
  script.events = {std::move(event)};
  return script;
}
inline v1::GenerateStreamResponse ReasoningEvent() {
  v1::GenerateStreamResponse event;
  event.mutable_delta()->set_reasoning_content("hm");
  return event;
}
inline v1::GenerateStreamResponse ToolCallEvent() {
  v1::GenerateStreamResponse event;
  event.mutable_delta()->add_tool_calls()->set_name("f");
  return event;
}

constexpr absl::Duration kNow = absl::ZeroDuration();
inline const Script kCloudAnswer = Script::Answer({"cloud"});
inline const Script kLocalAnswer = Script::Answer({"lo", "cal"});

}  // namespace headgate::router
