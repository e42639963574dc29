// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A whole router over a fake cloud and a fake engine, for tests of one request's way.
//
// Thread-safety: none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "router/router.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {

using absl::Milliseconds;
using absl::Seconds;
using absl::StatusCode;
using nlohmann::json;

class KeptLines : public AuditStore {
 public:
  KeptLines(std::vector<std::string>& lines, const bool& broken) : lines_(lines), broken_(broken) {}
  absl::Status Append(const std::string& line) override {
    if (broken_) return absl::UnavailableError("full");
    lines_.push_back(line);
    return absl::OkStatus();
  }

 private:
  std::vector<std::string>& lines_;
  const bool& broken_;
};

struct Client : AnswerSink {
  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    if (on_event) on_event();
    if (gone) co_return absl::CancelledError("the client left");
    if (event.has_route()) route = event.route();
    text += event.delta().content();
    if (event.has_finish()) finish = event.finish().reason();
    co_return absl::OkStatus();
  }
  std::string reasons() const { return absl::StrJoin(route.reasons(), ","); }

  std::function<void()> on_event;
  bool gone = false;
  v1::Route route;
  std::string text;
  v1::FinishReason finish = v1::FINISH_REASON_UNSPECIFIED;
  absl::Status status;
};

inline RouterConfig BaseConfig() {
  RouterConfig config;
  config.version = "v1";
  config.anonymous = true;
  config.tenants.push_back({});
  config.tenants.back().name = "default";
  config.local.endpoints.push_back({"engine-0", "10.0.0.1:8090"});
  config.cloud.enabled = true;
  config.cloud.breaker_failures = 100;
  config.output_guard.word_lists.push_back({"stop", GuardWordList::Action::kStop, {"forbidden"}});
  config.cache.bytes_max = 1 << 20;
  return config;
}

struct World {
  // `inspect_threads`: for large requests; 0: they are read on the executor.
  explicit World(const std::function<void(RouterConfig&)>& change = {}, size_t inspect_threads = 0,
                 size_t inspect_waiting = 1) {
    config = BaseConfig();
    if (change) change(config);
    registry.emplace(io.get_executor(), clock, SeededRandom(1), config.local, fleet.connect(), fleet.resolve(),
                     metrics);
    boost::asio::co_spawn(io.get_executor(), registry->Run(stop), boost::asio::detached);
    clock.RunUntilIdle();
    engine().ReportLoad(Milliseconds(100));
    auto rules = Rules::Make(config);
    if (!rules.ok()) std::terminate();
    RouterParts parts{io.get_executor(), clock, SeededRandom(2), metrics, *registry, &cloud, audit, "key"};
    for (size_t i = 0; i < config.clouds.size(); ++i) {
      clouds.push_back(std::make_unique<FakeCloud>(io.get_executor(), clock));
      parts.clouds.push_back(clouds.back().get());
    }
    if (inspect_threads > 0) {
      parts.inspection = &inspection.emplace(io.get_executor(), clock, inspect_threads, inspect_waiting);
    }
    router.emplace(std::move(parts), *std::move(rules));
    clock.RunUntilIdle();  // the warm-up list, if there is one
  }
  ~World() {
    EXPECT_EQ(router ? router->in_flight() : 0, 0);
    EXPECT_EQ(cloud.live_streams(), 0);
    EXPECT_EQ(fleet.live_streams(), 0);
    router.reset();
    EXPECT_TRUE(VerifyAuditChain(audit_key, lines).ok());
    stop.Cancel(absl::CancelledError("end of test"));
    clock.RunUntilIdle();
  }
  FakeEngine& engine() { return fleet.engine("10.0.0.1:8090"); }

  static v1::GenerateRequest Everyday(const std::string& text = "Why is the sky blue?") {
    v1::GenerateRequest request;
    v1::Message& message = *request.add_messages();
    message.set_role(v1::ROLE_USER);
    message.set_content(text);
    return request;
  }
  RequestHead Head() {
    RequestHead head;
    head.request_id = absl::StrCat("req-", ++requests);
    head.api = "test";
    head.received = clock.Monotonic();
    return head;
  }
  Client Ask(const v1::GenerateRequest& request, const std::function<void(RequestHead&)>& change = {}) {
    Client client;
    Talk(request, change, client);
    return client;
  }
  void Talk(const v1::GenerateRequest& request, const std::function<void(RequestHead&)>& change, Client& client) {
    RequestHead head = Head();
    if (change) change(head);
    const Prompt prompt(request);
    client.status = clock.Await(router->Generate(head, prompt, client, cancellation));
  }
  absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request) {
    return clock.Await(router->Explain(request, cancellation));
  }
  // The records of one kind, last one first.
  std::vector<json> Records(const std::string& kind) const {
    std::vector<json> records;
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
      json record = json::parse(*line);
      if (record["kind"] == kind) records.push_back(std::move(record));
    }
    return records;
  }

  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  FakeFleet fleet{io.get_executor(), clock};
  FakeCloud cloud{io.get_executor(), clock};
  std::vector<std::unique_ptr<FakeCloud>> clouds;  // of config.clouds
  RouterConfig config;
  Cancellation stop, cancellation;
  bool broken = false;
  std::vector<std::string> lines;
  const std::string audit_key = std::string(32, 'k');
  Audit audit{clock, audit_key, std::make_unique<KeptLines>(lines, broken), "chain", metrics};
  std::optional<EndpointRegistry> registry;
  std::optional<InspectionPool> inspection;
  std::optional<Router> router;
  int requests = 0;
};

}  // namespace headgate::router
