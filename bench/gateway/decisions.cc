// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// gateway-decisions: microseconds that one request takes in the router itself, over fakes that answer at once and at
// 10,000 requests a second, with one engine and one tenant and with many. Prints rows `name ours peer target`.

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "common/digest.h"
#include "common/log.h"
#include "router/router.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

constexpr int kRequests = 2000, kRounds = 5;
// On the router's clock: what it keeps for some milliseconds is made anew as often as under load.
constexpr absl::Duration kBetween = absl::Microseconds(100);

struct Unread : AnswerSink {
  Task<absl::Status> Write(const v1::GenerateStreamResponse&) override { co_return absl::OkStatus(); }
};

class Unkept : public AuditStore {
  absl::Status Append(const std::string&) override { return absl::OkStatus(); }
};

class World {
 public:
  World(int endpoints, int tenants) : tenants_(tenants) {
    RouterConfig config;
    config.version = "bench";
    config.policy.cloud_qps_threshold = 1e6;
    for (int i = 0; i < tenants; ++i) {
      config.tenants.push_back({});
      config.tenants.back().name = absl::StrCat("tenant-", i);
      config.tenants.back().api_key_sha256 = {Hex(Sha256(absl::StrCat("key-", i)))};
    }
    for (int i = 0; i < endpoints; ++i) {
      config.local.endpoints.push_back({absl::StrCat("engine-", i), absl::StrCat("10.0.", i / 250, ".", i % 250 + 1,
                                                                                 ":8090")});
    }
    config.cloud.enabled = true;
    registry_.emplace(io_.get_executor(), clock_, SeededRandom(1), config.local, fleet_.connect(), fleet_.resolve(),
                      metrics_);
    boost::asio::co_spawn(io_.get_executor(), registry_->Run(stop_), boost::asio::detached);
    clock_.RunUntilIdle();
    for (const EndpointConfig& endpoint : config.local.endpoints) addresses_.push_back(endpoint.address);
    ReportLoads();
    auto rules = Rules::Make(config);
    if (!rules.ok()) std::terminate();
    router_.emplace(RouterParts{io_.get_executor(), clock_, SeededRandom(2), metrics_, *registry_, &cloud_, audit_,
                                "key"},
                    *std::move(rules));
  }
  ~World() {
    router_.reset();
    stop_.Cancel(absl::CancelledError("end"));
    clock_.RunUntilIdle();
  }

  // Of one request.
  double Microseconds(v1::SensitivityLevel level, int requests = kRequests) {
    v1::GenerateRequest request;
    request.set_declared_sensitivity(level);
    v1::Message& message = *request.add_messages();
    message.set_role(v1::ROLE_USER);
    message.set_content("Why is the sky blue?");
    Unread sink;
    Cancellation never;
    ReportLoads();  // before it becomes stale; not what is measured
    const MonotonicTime begin = RealTime().Monotonic();
    for (int i = 0; i < requests; ++i) {
      RequestHead head;
      head.request_id = absl::StrCat("request-", ++requests_);
      head.api = "bench";
      if (i > 0 && i % kRequests == 0) ReportLoads();
      clock_.Advance(kBetween);
      head.received = clock_.Monotonic();
      head.api_key = absl::StrCat("key-", requests_ * 7919 % tenants_);  // each time another one, in no order
      if (!clock_.Await(router_->Generate(head, Prompt(request), sink, never)).ok()) std::terminate();
    }
    return absl::ToDoubleMicroseconds(RealTime().Monotonic() - begin) / requests;
  }

 private:
  void ReportLoads() {
    for (const std::string& address : addresses_) fleet_.engine(address).ReportLoad();
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Metrics metrics_;
  FakeFleet fleet_{io_.get_executor(), clock_};
  FakeCloud cloud_{io_.get_executor(), clock_};
  Cancellation stop_;
  Audit audit_{clock_, std::string(32, 'k'), std::make_unique<Unkept>(), "chain", metrics_};
  std::optional<EndpointRegistry> registry_;
  std::optional<Router> router_;
  std::vector<std::string> addresses_;
  const int tenants_;
  int requests_ = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main() {
  SetLogSeverity(LogSeverity::kError);
  const struct {
    const char* name;
    int endpoints, tenants;
  } cases[] = {{"1000_endpoints", 1000, 1}, {"10000_tenants", 1, 10000}};
  for (const auto& one : cases) {
    World small(1, 1), large(one.endpoints, one.tenants);
    for (const auto& [side, level] : {std::pair("cloud", v1::SENSITIVITY_LEVEL_UNSPECIFIED),
                                      std::pair("local", v1::SENSITIVITY_LEVEL_RESTRICTED)}) {
      std::vector<double> with_one, with_many;
      // A tenant's first request makes what is kept of it.
      for (World* world : {&small, &large}) world->Microseconds(level, std::max(one.tenants, kRequests));
      for (int round = 0; round < kRounds; ++round) {
        with_one.push_back(small.Microseconds(level));
        with_many.push_back(large.Microseconds(level));
      }
      std::cout << absl::StrCat("request_us_", side, "_", one.name, "_vs_1 ", Median(with_many), " ", Median(with_one),
                                " <=1.2")
                << std::endl;
    }
  }
  return 0;
}

}  // namespace
}  // namespace headgate::router

int main() { return headgate::router::Main(); }
