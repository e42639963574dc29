// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_registry.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/detached.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

v1::Load Busy(int running, int waiting = 0) {
  v1::Load load;
  load.set_running_max(10);
  load.set_running(running);
  load.set_waiting(waiting);
  return load;
}

// A registry over fake engines and fake DNS.
struct World {
  void Start(std::vector<EndpointConfig> endpoints) {
    config_.endpoints = std::move(endpoints);
    registry_.emplace(io_.get_executor(), clock_, SeededRandom(1), config_, fleet_.connect(), fleet_.resolve(),
                      metrics_, watch_);
    boost::asio::co_spawn(io_.get_executor(), registry_->Run(stop_), boost::asio::detached);
    clock_.RunUntilIdle();
  }
  ~World() {
    stop_.Cancel(absl::CancelledError("end of test"));
    clock_.RunUntilIdle();  // Run has ended
    registry_.reset();      // ends its watches
    clock_.RunUntilIdle();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& endpoint : registry_->endpoints()) names.push_back(endpoint->name);
    return names;
  }
  // How often each endpoint is picked.
  std::map<std::string, int> Picks(bool sensitive, int n, const std::vector<std::string>& exclude = {}) {
    std::map<std::string, int> counts;
    for (int i = 0; i < n; ++i) {
      const auto picked = registry_->Pick(sensitive, exclude);
      ++counts[picked ? picked->name : "none"];
    }
    return counts;
  }
  double Refused() {
    return metrics_.GetCounter("headgate_router_refused_addresses_total", "", {{"endpoint", "pods"}}).Value();
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Metrics metrics_;
  FakeFleet fleet_{io_.get_executor(), clock_};
  LocalConfig config_;
  Cancellation stop_;
  EndpointRegistry::Watch watch_;
  std::optional<EndpointRegistry> registry_;
};

class EndpointRegistryTest : public testing::Test, protected World {};

TEST_F(EndpointRegistryTest, LiteralsAndNames) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1"});
  fleet_.SetName("one.example", std::vector<std::string>{"10.0.0.9"});
  Start({{"a", "127.0.0.1:5000"}, {"b", "[::1]:5001"}, {"pods", "pods.example:6000"}, {"one", "one.example:7000"}});
  EXPECT_THAT(Names(), ElementsAre("a", "b", "pods/10.0.0.1:6000", "pods/10.0.0.2:6000", "pods/[fd00::1]:6000", "one"));
  EXPECT_EQ(registry_->endpoints()[1]->address, "[::1]:5001");
  EXPECT_EQ(registry_->endpoints()[5]->address, "10.0.0.9:7000");
}

TEST_F(EndpointRegistryTest, AddressesOutsideTheRangesAreRefusedAndCounted) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1", "8.8.8.8"});
  Start({{"pods", "pods.example:6000"}, {"literal", "9.9.9.9:6000"}});
  EXPECT_THAT(Names(), ElementsAre("pods"));
  EXPECT_EQ(Refused(), 1);
  EXPECT_EQ(fleet_.engine("8.8.8.8:6000").connections(), 0);
  EXPECT_EQ(fleet_.engine("9.9.9.9:6000").connections(), 0);
}

// As many pods as a large fleet has, by DNS and by a Service (below): all of them take requests.
std::vector<std::string> Pods(int count) {
  std::vector<std::string> ips;
  for (int i = 0; i < count; ++i) ips.push_back(absl::StrCat("10.1.", i / 250, ".", i % 250));
  return ips;
}

TEST_F(EndpointRegistryTest, AThousandPodsOfOneNameAreAllUsed) {
  fleet_.SetName("pods.example", Pods(1'000));
  Start({{"pods", "pods.example:6000"}});
  EXPECT_EQ(registry_->endpoints().size(), 1'000u);
  const auto kept = registry_->endpoints()[0];
  // One goes, one comes; the others keep their connections.
  std::vector<std::string> moved = Pods(1'001);
  moved.erase(moved.begin() + 500);
  fleet_.SetName("pods.example", moved);
  clock_.Advance(config_.resolve_interval);
  EXPECT_EQ(registry_->endpoints().size(), 1'000u);
  EXPECT_EQ(registry_->endpoints()[0], kept);
  EXPECT_EQ(fleet_.engine("10.1.2.0:6000").connections(), 0);
  EXPECT_EQ(fleet_.engine("10.1.4.0:6000").connections(), 1);
}

TEST_F(EndpointRegistryTest, BeyondTheLimitTheSameAddressesAreUsedEachTimeAndItSaysSo) {
  std::vector<std::string> ips = Pods(4'100);
  fleet_.SetName("pods.example", ips);
  testing::internal::CaptureStderr();
  Start({{"pods", "pods.example:6000"}});
  const std::vector<std::string> before = Names();
  EXPECT_EQ(before.size(), 4'096u);
  std::reverse(ips.begin(), ips.end());  // as name servers do
  fleet_.SetName("pods.example", ips);
  clock_.Advance(config_.resolve_interval);
  EXPECT_EQ(Names(), before);
  const std::string log = testing::internal::GetCapturedStderr();
  const size_t said = log.find("more addresses than are used: name=pods addresses=4100 used=4096");
  ASSERT_NE(said, std::string::npos);
  EXPECT_EQ(log.find("more addresses than are used", said + 1), std::string::npos) << "once";
}

// A Service whose pods a test names.
struct FakeWatch : ServiceWatch {
  FakeWatch(EndpointRegistry::OnAddresses on, int& l) : on_addresses(std::move(on)), live(l) { ++live; }
  ~FakeWatch() override { --live; }
  EndpointRegistry::OnAddresses on_addresses;
  int& live;
};

TEST_F(EndpointRegistryTest, FollowsAService) {
  int watches = 0;
  FakeWatch* watch = nullptr;
  watch_ = [&](const EndpointConfig& config, EndpointRegistry::OnAddresses on_addresses) {
    EXPECT_EQ(config.service, "serving/engines");
    auto made = std::make_unique<FakeWatch>(std::move(on_addresses), watches);
    watch = made.get();
    return made;
  };
  EndpointConfig pods;
  pods.name = "pods";
  pods.service = "serving/engines";
  Start({{"a", "127.0.0.1:5000"}, pods});
  ASSERT_NE(watch, nullptr);
  EXPECT_THAT(Names(), ElementsAre("a"));
  // At once, not with the next resolution; outside the ranges never.
  watch->on_addresses({"10.0.0.1:8090", "10.0.0.2:8090", "8.8.8.8:8090"});
  EXPECT_THAT(Names(), ElementsAre("a", "pods/10.0.0.1:8090", "pods/10.0.0.2:8090"));
  EXPECT_EQ(Refused(), 1);
  for (const char* address : {"10.0.0.1:8090", "10.0.0.2:8090"}) fleet_.engine(address).ReportLoad();
  const auto leaving = registry_->Pick(false, {"10.0.0.2:8090"});
  ASSERT_NE(leaving, nullptr);
  // One terminates: no new request, what it has it finishes. Another one comes.
  watch->on_addresses({"10.0.0.2:8090", "10.0.0.3:8090"});
  EXPECT_TRUE(leaving->gone);
  EXPECT_EQ(fleet_.engine("10.0.0.1:8090").connections(), 1) << "held by who uses it";
  EXPECT_THAT(Names(), ElementsAre("a", "pods/10.0.0.2:8090", "pods/10.0.0.3:8090"));
  clock_.Advance(config_.resolve_interval * 3);
  EXPECT_THAT(Names(), ElementsAre("a", "pods/10.0.0.2:8090", "pods/10.0.0.3:8090")) << "resolutions keep it";
  EXPECT_EQ(watches, 1);
  std::vector<std::string> many = Pods(1'000);
  for (std::string& address : many) absl::StrAppend(&address, ":8090");
  watch->on_addresses(many);
  EXPECT_EQ(registry_->endpoints().size(), 1'001u);
  // Taken out of the configuration, it is not followed any longer.
  config_.endpoints.pop_back();
  registry_->Apply(config_);
  clock_.RunUntilIdle();
  EXPECT_THAT(Names(), ElementsAre("a"));
  EXPECT_EQ(watches, 0);
}

TEST_F(EndpointRegistryTest, AnotherProtocolConnectsAnew) {
  Start({{"a", "127.0.0.1:5000"}});
  const auto before = registry_->endpoints().at(0);
  registry_->Apply(config_);
  clock_.RunUntilIdle();
  EXPECT_EQ(registry_->endpoints().at(0), before);
  config_.endpoints[0].protocol = EndpointConfig::Protocol::kOpenAi;
  registry_->Apply(config_);
  clock_.RunUntilIdle();
  EXPECT_NE(registry_->endpoints().at(0), before);
  EXPECT_TRUE(before->gone);
}

TEST_F(EndpointRegistryTest, FollowsDns) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1"});
  Start({{"pods", "pods.example:6000"}});
  fleet_.engine("10.0.0.1:6000").ReportLoad();
  const auto old = registry_->Pick(false, {});
  ASSERT_NE(old, nullptr);
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.2"});
  clock_.Advance(config_.resolve_interval);
  EXPECT_TRUE(old->gone);
  EXPECT_EQ(fleet_.engine("10.0.0.1:6000").connections(), 1) << "what it has may finish";
  EXPECT_THAT(Picks(true, 5), UnorderedElementsAre(std::pair("pods", 5)));
  EXPECT_EQ(registry_->Pick(true, {})->address, "10.0.0.2:6000");
  EXPECT_EQ(registry_->Pick(false, {}), nullptr) << "no load reported yet";
  fleet_.engine("10.0.0.2:6000").ReportLoad();
  EXPECT_NE(registry_->Pick(false, {}), nullptr) << "at once after the first load";
}

// A name that answers otherwise every time (DNS rebinding): what is connected to is what was checked.
TEST_F(EndpointRegistryTest, ANameThatChangesItsAnswerMovesNoConnectionOutside) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1"});
  Start({{"pods", "pods.example:6000"}});
  EXPECT_EQ(registry_->endpoints().at(0)->address, "10.0.0.1:6000");
  const std::vector<std::vector<std::string>> answers = {
      {"8.8.8.8"}, {"10.0.0.1", "8.8.8.8"}, {"169.254.169.254"}, {"::ffff:8.8.4.4"}, {"2001:db8::1", "8.8.8.8"}};
  for (const auto& answer : answers) {
    const double refused = Refused();
    fleet_.SetName("pods.example", answer);
    // The engine drops the connection: that is when a rebinding resolver would be asked again.
    if (!registry_->endpoints().empty()) registry_->ReportFailure(*registry_->endpoints()[0]);
    clock_.Advance(config_.resolve_interval);
    EXPECT_GT(Refused(), refused) << answer.front();
    for (const auto& endpoint : registry_->endpoints()) EXPECT_EQ(endpoint->address, "10.0.0.1:6000");
    for (const std::string& ip : answer) {
      const int expected = ip == "10.0.0.1" ? fleet_.engine("10.0.0.1:6000").connections() : 0;
      EXPECT_EQ(fleet_.engine(absl::StrCat(ip, ":6000")).connections(), expected) << ip;
    }
  }
}

TEST_F(EndpointRegistryTest, AFailureMakesTheNameBeLookedUpSoon) {
  config_.resolve_interval = absl::Minutes(10);
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1"});
  Start({{"pods", "pods.example:6000"}});
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.2"});
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(registry_->endpoints().at(0)->address, "10.0.0.1:6000");
  registry_->ReportFailure(*registry_->endpoints()[0]);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(registry_->endpoints().at(0)->address, "10.0.0.2:6000");
}

TEST_F(EndpointRegistryTest, GoneEndpointIsFreedWithItsLastUse) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1"});
  Start({{"pods", "pods.example:6000"}});
  {
    EndpointUse use(registry_->Pick(true, {}));
    EXPECT_EQ(use->in_flight, 1);
    fleet_.SetName("pods.example", std::vector<std::string>{});
    clock_.Advance(config_.resolve_interval);
    EXPECT_THAT(Names(), IsEmpty());
    EXPECT_EQ(fleet_.engine("10.0.0.1:6000").connections(), 1);
  }
  EXPECT_EQ(fleet_.engine("10.0.0.1:6000").connections(), 0);
}

TEST_F(EndpointRegistryTest, NameThatStopsResolvingKeepsWhatItHad) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1", "10.0.0.2"});
  Start({{"pods", "pods.example:6000"}});
  fleet_.SetName("pods.example", absl::UnavailableError("server failure"));
  clock_.Advance(config_.resolve_interval * 3);
  EXPECT_THAT(Names(), ElementsAre("pods/10.0.0.1:6000", "pods/10.0.0.2:6000"));
  EXPECT_FALSE(registry_->endpoints()[0]->gone);
  EXPECT_EQ(fleet_.engine("10.0.0.1:6000").connections(), 1) << "not reconnected";
}

TEST_F(EndpointRegistryTest, ApplyTakesEffectAtOnce) {
  Start({{"a", "10.0.0.1:5000"}, {"b", "127.0.0.1:5000"}});
  LocalConfig narrower = config_;
  narrower.address_ranges = {"10.0.0.0/8"};
  narrower.endpoints.push_back({"c", "10.0.0.3:5000"});
  registry_->Apply(narrower);
  EXPECT_THAT(Names(), ElementsAre("a"));
  clock_.RunUntilIdle();
  EXPECT_THAT(Names(), ElementsAre("a", "c"));
  EXPECT_EQ(fleet_.engine("127.0.0.1:5000").connections(), 0);
}

TEST_F(EndpointRegistryTest, NewIdentityReconnects) {
  Start({{"a", "10.0.0.1:5000"}});
  const auto before = registry_->endpoints()[0];
  LocalConfig other = config_;
  other.tls_server_name = "engine.internal";
  registry_->Apply(other);
  EXPECT_TRUE(before->gone);
  clock_.RunUntilIdle();
  ASSERT_EQ(registry_->endpoints().size(), 1u);
  EXPECT_NE(registry_->endpoints()[0], before);
}

TEST_F(EndpointRegistryTest, StaleLoadIsFullForNotSensitive) {
  Start({{"a", "10.0.0.1:5000"}, {"b", "10.0.0.2:5000"}});
  EXPECT_EQ(registry_->ReadyCount(), 0);
  fleet_.engine("10.0.0.1:5000").ReportLoad();
  fleet_.engine("10.0.0.2:5000").ReportLoad();
  EXPECT_EQ(registry_->ReadyCount(), 2);
  clock_.Advance(config_.load_age_max - absl::Milliseconds(100));
  fleet_.engine("10.0.0.2:5000").ReportLoad();
  clock_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(registry_->ReadyCount(), 1);
  EXPECT_THAT(Picks(false, 20), UnorderedElementsAre(std::pair("b", 20)));
  EXPECT_THAT(Picks(true, 20), UnorderedElementsAre(std::pair("b", 20))) << "only reorders";
  clock_.Advance(config_.load_age_max);
  EXPECT_THAT(Picks(false, 20), UnorderedElementsAre(std::pair("none", 20)));
  const auto sensitive = Picks(true, 200);
  EXPECT_EQ(sensitive.count("none"), 0u);
  EXPECT_EQ(sensitive.size(), 2u);
}

TEST(EndpointRegistry, WhoMayBePicked) {
  struct Row {
    const char* name;
    std::function<void(World& world, Endpoint& endpoint)> change;
    bool for_any, for_sensitive;
  };
  const std::vector<Row> rows = {
      {"idle", [](World&, Endpoint&) {}, true, true},
      {"all but the reserve taken", [](World&, Endpoint& e) { e.load = Busy(6); }, true, true},
      {"only the reserve left", [](World&, Endpoint& e) { e.load = Busy(7); }, false, true},
      {"batch full, room to wait", [](World&, Endpoint& e) { e.load = Busy(10, 9); }, false, true},
      {"full", [](World&, Endpoint& e) { e.load = Busy(10, 10); }, false, false},
      {"full of our own", [](World&, Endpoint& e) { e.in_flight = 20; }, false, false},
      {"burst since the last load",
       [](World&, Endpoint& e) {
         e.load = Busy(10, 5);
         e.started_since_load = 5;
       },
       false, false},
      {"no KV cells",
       [](World&, Endpoint& e) {
         e.load.set_kv_cells_total(100);
         e.load.set_kv_cells_free(0);
       },
       false, false},
      {"only the reserve of KV cells left",
       [](World&, Endpoint& e) {
         e.load.set_kv_cells_total(100);
         e.load.set_kv_cells_free(30);
       },
       false, true},
      {"silent", [](World& w, Endpoint&) { w.clock_.Advance(absl::Milliseconds(1100)); }, false, true},
      {"draining", [](World&, Endpoint& e) { e.load.set_draining(true); }, false, false},
      {"gone", [](World&, Endpoint& e) { e.gone = true; }, false, false},
      {"backing off", [](World& w, Endpoint& e) { w.registry_->ReportFailure(e); }, false, false},
      {"backed off",
       [](World& w, Endpoint& e) {
         w.registry_->ReportFailure(e);
         w.clock_.Advance(absl::Milliseconds(250));
       },
       false, true},
      {"backed off and heard of again",
       [](World& w, Endpoint& e) {
         w.registry_->ReportFailure(e);
         w.clock_.Advance(absl::Milliseconds(250));
         w.fleet_.engine("10.0.0.1:5000").ReportLoad(Busy(0));
       },
       true, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    World world;
    world.Start({{"a", "10.0.0.1:5000"}});
    world.fleet_.engine("10.0.0.1:5000").ReportLoad(Busy(0));
    row.change(world, *world.registry_->endpoints()[0]);
    EXPECT_EQ(world.registry_->Pick(false, {}) != nullptr, row.for_any);
    EXPECT_EQ(world.registry_->Pick(true, {}) != nullptr, row.for_sensitive);
    EXPECT_EQ(world.registry_->ReadyCount(), row.for_any ? 1 : 0);
    EXPECT_EQ(world.registry_->Pick(true, {"10.0.0.1:5000"}), nullptr) << "excluded";
  }
}

TEST_F(EndpointRegistryTest, FailuresBackOffUpToFiveSeconds) {
  Start({{"a", "10.0.0.1:5000"}});
  Endpoint& endpoint = *registry_->endpoints()[0];
  for (const int ms : {250, 500, 1000, 2000, 4000, 5000, 5000}) {
    registry_->ReportFailure(endpoint);
    EXPECT_EQ(endpoint.retry_at - clock_.Monotonic(), absl::Milliseconds(ms));
  }
  registry_->ReportSuccess(endpoint);
  EXPECT_NE(registry_->Pick(true, {}), nullptr);
  registry_->ReportFailure(endpoint);
  EXPECT_EQ(endpoint.retry_at - clock_.Monotonic(), absl::Milliseconds(250));
}

TEST_F(EndpointRegistryTest, PrefersTheShorterWait) {
  Start({{"idle", "10.0.0.1:5000"}, {"busy", "10.0.0.2:5000"}});
  fleet_.engine("10.0.0.1:5000").ReportLoad(Busy(1));
  fleet_.engine("10.0.0.2:5000").ReportLoad(Busy(9));
  EXPECT_THAT(Picks(false, 100), UnorderedElementsAre(std::pair("idle", 100)));
  // Fewer sequences, but a book to read first.
  v1::Load reading = Busy(1);
  reading.set_prompt_tokens_waiting(100000);
  reading.set_prefill_tokens_per_second(1000);
  fleet_.engine("10.0.0.1:5000").ReportLoad(reading);
  EXPECT_THAT(Picks(false, 100), UnorderedElementsAre(std::pair("busy", 100)));
}

TEST_F(EndpointRegistryTest, ABurstBetweenTwoReportsDoesNotHerd) {
  std::vector<EndpointConfig> endpoints;
  for (int i = 0; i < 10; ++i) endpoints.push_back({absl::StrCat("e", i), absl::StrCat("10.0.0.", i + 1, ":5000")});
  config_.reserved_share = 0;
  Start(endpoints);
  // One looks idle, nine half busy: a router that trusts the report alone sends all 100 to the idle one.
  for (int i = 0; i < 10; ++i) fleet_.engine(endpoints[i].address).ReportLoad(Busy(i == 0 ? 0 : 5));
  std::vector<EndpointUse> uses;
  std::map<std::string, int> counts;
  for (int i = 0; i < 100; ++i) {
    uses.emplace_back(registry_->Pick(false, {}));
    ++counts[uses.back()->name];
  }
  EXPECT_EQ(counts.size(), 10u);
  for (const auto& [name, count] : counts) {
    EXPECT_GE(count, 5) << name;
    EXPECT_LE(count, 20) << name;
  }
}

TEST_F(EndpointRegistryTest, GaugesSumByConfiguredName) {
  fleet_.SetName("pods.example", std::vector<std::string>{"10.0.0.1", "10.0.0.2"});
  Start({{"pods", "pods.example:6000"}});
  fleet_.engine("10.0.0.1:6000").ReportLoad();
  EndpointUse use(registry_->Pick(false, {}));
  clock_.Advance(absl::Seconds(1));
  const auto gauge = [&](const char* name, Labels labels) { return metrics_.GetGauge(name, "", labels).Value(); };
  EXPECT_EQ(gauge("headgate_router_endpoints", {{"endpoint", "pods"}, {"state", "ready"}}), 1);
  EXPECT_EQ(gauge("headgate_router_endpoints", {{"endpoint", "pods"}, {"state", "unready"}}), 1);
  EXPECT_EQ(gauge("headgate_router_endpoint_in_flight", {{"endpoint", "pods"}}), 1);
}

TEST_F(EndpointRegistryTest, EnginesOnOtherMachinesWithoutTlsAreCounted) {
  struct Row {
    const char* name;
    std::vector<EndpointConfig> endpoints;
    bool tls;
    double counted;
  };
  const std::vector<Row> rows = {
      {"this machine", {{"a", "127.0.0.1:5000"}, {"b", "[::1]:5001"}}, false, 0},
      {"another machine", {{"a", "127.0.0.1:5000"}, {"b", "10.0.0.1:5000"}, {"c", "[fd00::1]:5000"}}, false, 2},
      {"with TLS", {{"b", "10.0.0.1:5000"}}, true, 0},
      {"without again", {{"b", "10.0.0.1:5000"}}, false, 1},
  };
  Start({});
  for (const Row& row : rows) {
    config_.endpoints = row.endpoints;
    config_.tls.ca_file = row.tls ? "ca.pem" : "";
    testing::internal::CaptureStderr();
    registry_->Apply(config_);
    clock_.RunUntilIdle();
    const bool said = testing::internal::GetCapturedStderr().find("local.tls is not set") != std::string::npos;
    EXPECT_EQ(metrics_.GetGauge("headgate_router_engines_without_tls", "").Value(), row.counted) << row.name;
    EXPECT_EQ(said, row.counted > 0) << row.name;
  }
}

TEST_F(EndpointRegistryTest, LoadAfterTheRegistryIsGoneIsHarmless) {
  Start({{"a", "10.0.0.1:5000"}});
  auto kept = registry_->endpoints()[0];
  stop_.Cancel(absl::CancelledError("stop"));
  clock_.RunUntilIdle();
  registry_.reset();
  fleet_.engine("10.0.0.1:5000").ReportLoad();
  EXPECT_EQ(kept->load.running_max(), 0);
}

TEST(DnsResolve, Localhost) {
  boost::asio::io_context io;
  ManualClock clock(io);  // no time-out fires: real resolution, no timer moves
  std::optional<absl::StatusOr<std::vector<std::string>>> ips;
  Spawn(io, MakeDnsResolve(io.get_executor(), clock)("localhost"), &ips);
  while (!ips) io.run_one();
  ASSERT_TRUE(ips->ok()) << ips->status();
  for (const auto& ip : **ips) EXPECT_TRUE(AddressInRanges(ip, {"127.0.0.0/8", "::1/128"})) << ip;
}

}  // namespace
}  // namespace headgate::router
