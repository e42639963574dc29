// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The leases in a real Redis, over a Unix socket, TCP and TLS; the same questions to the fake, so that it stays true.
// Skipped where redis-tools is not installed (tools/packages/debian12-test.txt).
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/detached.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "gtest/gtest.h"
#include "router/shared_limits.h"
#include "router/upstream/redis_connection.h"
#include "tests/fakes/fake_lease_store.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/tcp_sockets.h"
#include "tests/unit/upstream/real_loop.h"
#include "tests/unit/upstream/test_certificate.h"

namespace headgate::router {
namespace {

using Kind = LeaseAsk::Kind;

#define SKIP_WITHOUT_REDIS() \
  if (!RedisServer::Installed()) GTEST_SKIP() << "there is no redis-server: apt-get install redis-tools"

std::vector<double> Ask(RealLoop& loop, LeaseStore& store, std::vector<LeaseAsk> asks) {
  // A server that has just been started needs a moment.
  std::vector<double> given;
  EXPECT_TRUE(loop.RunUntil([&] {
    if (!given.empty()) return true;  // asked once: an answer takes what it gives
    auto answer = loop.Await(store.Exchange(asks, loop.clock->Monotonic() + absl::Seconds(5)));
    if (answer.ok()) given = *answer;
    return answer.ok();
  }));
  return given;
}

void HoldsTheContract(RealLoop& loop, LeaseStore& a, LeaseStore& b) {
  // A rate begins with its burst, gives no more than there is, and takes back.
  EXPECT_EQ(Ask(loop, a, {{Kind::kRate, "r", 0.001, 10, 4}})[0], 4);
  const double rest = Ask(loop, b, {{Kind::kRate, "r", 0.001, 10, 100}})[0];
  EXPECT_NEAR(rest, 6, 0.1);
  EXPECT_EQ(Ask(loop, b, {{Kind::kRate, "r", 0.001, 10, -3}})[0], -3);
  const double back = Ask(loop, a, {{Kind::kRate, "r", 0.001, 10, 100}})[0];
  EXPECT_NEAR(back, 3, 0.1);
  // Places: what the others leave; the same router may change its mind.
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "p", 10, 0, 7}})[0], 7);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "p", 10, 0, 7}})[0], 3);
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "p", 10, 0, 1}})[0], 1);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "p", 10, 0, 7}})[0], 7);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "p", 0, 0, 7}})[0], 0) << "a limit that fell";
  // More is wanted than there is: what one has in use stays its, but it gets its part only.
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "wanted", 10, 0, 9}})[0], 9);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "wanted", 10, 0, 4}})[0], 1);
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "wanted", 10, 8, 9}})[0], 6);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "wanted", 10, 1, 4}})[0], 2) << "eight are still in use";
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "wanted", 10, 6, 9}})[0], 6);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "wanted", 10, 2, 4}})[0], 4);
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "few", 1, 0, 1}})[0], 1);
  EXPECT_EQ(Ask(loop, b, {{Kind::kPlaces, "few", 1, 0, 1}})[0], 0);
  EXPECT_EQ(Ask(loop, a, {{Kind::kPlaces, "few", 1, 1, 1}})[0], 1) << "no part of one place";
  // A cap: the lowest that anybody learned, and one more for as many answers.
  EXPECT_EQ(Ask(loop, a, {{Kind::kCap, "c", 100, 0, 100}})[0], 100);
  EXPECT_EQ(Ask(loop, a, {{Kind::kCap, "c", 100, 0, 40}})[0], 40);
  EXPECT_EQ(Ask(loop, b, {{Kind::kCap, "c", 100, 0, 100}})[0], 40);
  EXPECT_EQ(Ask(loop, b, {{Kind::kCap, "c", 100, 40, 100}})[0], 41);
  EXPECT_EQ(Ask(loop, b, {{Kind::kCap, "c", 30, 300, 30}})[0], 30) << "never above the limit";
  // Money, with fractions and large numbers.
  EXPECT_EQ(Ask(loop, a, {{Kind::kSpend, "s", 1e15, 0, 123456789012345}})[0], 123456789012345);
  EXPECT_EQ(Ask(loop, b, {{Kind::kSpend, "s", 1e15, 0, 1e15}})[0], 1e15 - 123456789012345);
  // A sum.
  EXPECT_EQ(Ask(loop, a, {{Kind::kSum, "q", 0, 0, 2.5}})[0], 2.5);
  EXPECT_EQ(Ask(loop, b, {{Kind::kSum, "q", 0, 0, 4}})[0], 6.5);
  // Everything in one exchange.
  EXPECT_EQ(Ask(loop, a, {{Kind::kSum, "x", 0, 0, 1}, {Kind::kPlaces, "y", 5, 0, 2}, {Kind::kRate, "z", 1, 3, 1}}),
            (std::vector<double>{1, 2, 1}));
}

SharingConfig Config(const std::string& redis) {
  SharingConfig config;
  config.redis = redis;
  config.routers = 4;
  return config;
}

TEST(Leases, TheFakeHoldsTheContract) {
  RealLoop loop;
  FakeLeases leases;
  FakeLeaseStore a(leases, loop.io.get_executor(), *loop.clock, "a");
  FakeLeaseStore b(leases, loop.io.get_executor(), *loop.clock, "b");
  HoldsTheContract(loop, a, b);
}

TEST(RedisLeases, HoldsTheContract) {
  SKIP_WITHOUT_REDIS();
  RedisServer server({"--port", "0", "--requirepass", "secret"});
  RealLoop loop;
  const SharingConfig config = Config("unix:" + server.socket());
  const auto a = MakeRedisLeases(loop.io.get_executor(), *loop.clock, config, "secret", "a");
  const auto b = MakeRedisLeases(loop.io.get_executor(), *loop.clock, config, "secret", "b");
  HoldsTheContract(loop, *a, *b);
  const auto stranger = MakeRedisLeases(loop.io.get_executor(), *loop.clock, config, "wrong", "c");
  const auto refused = loop.Await(
      stranger->Exchange({{Kind::kSum, "q", 0, 0, 1}}, loop.clock->Monotonic() + absl::Seconds(5)));
  EXPECT_FALSE(refused.ok());
}

// A server that was restarted knows neither script nor leases.
TEST(RedisLeases, GoesOnAfterARestart) {
  SKIP_WITHOUT_REDIS();
  RedisServer server;
  RealLoop loop;
  const auto store = MakeRedisLeases(loop.io.get_executor(), *loop.clock, Config("unix:" + server.socket()), "", "a");
  EXPECT_EQ(Ask(loop, *store, {{Kind::kPlaces, "p", 10, 0, 7}})[0], 7);
  server.Stop();
  const auto down =
      loop.Await(store->Exchange({{Kind::kPlaces, "p", 10, 0, 7}}, loop.clock->Monotonic() + absl::Seconds(5)));
  EXPECT_TRUE(absl::IsUnavailable(down.status())) << down.status();
  server.Start();
  EXPECT_EQ(Ask(loop, *store, {{Kind::kPlaces, "p", 10, 0, 7}})[0], 7);
}

int FreePort() {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  return acceptor.local_endpoint().port();
}

TEST(RedisLeases, OverTlsOnlyWithTheRightServer) {
  SKIP_WITHOUT_REDIS();
  const TestCertificate right("IP:127.0.0.1"), other("IP:127.0.0.1");
  const int port = FreePort();
  RedisServer server({"--port", "0", "--tls-port", absl::StrCat(port), "--tls-cert-file", right.cert_file(),
                      "--tls-key-file", right.key_file(), "--tls-ca-cert-file", right.cert_file(),
                      "--tls-auth-clients", "no"});
  RealLoop loop;
  SharingConfig config = Config(absl::StrCat("127.0.0.1:", port));
  config.tls.ca_file = right.cert_file();
  const auto store = MakeRedisLeases(loop.io.get_executor(), *loop.clock, config, "", "a");
  EXPECT_EQ(Ask(loop, *store, {{Kind::kPlaces, "p", 10, 0, 7}})[0], 7);
  EXPECT_EQ(HeldBack(port, TcpSide::kMade), 0) << "Nagle";
  config.tls.ca_file = other.cert_file();
  const auto misled = MakeRedisLeases(loop.io.get_executor(), *loop.clock, config, "", "b");
  EXPECT_FALSE(
      loop.Await(misled->Exchange({{Kind::kSum, "q", 0, 0, 1}}, loop.clock->Monotonic() + absl::Seconds(5))).ok());
}

// Four routers that take all that they can get, for two seconds.
TEST(RedisLeases, FourRoutersTakeNoMoreThanTheRate) {
  SKIP_WITHOUT_REDIS();
  RedisServer server;
  RealLoop loop;
  constexpr double kRate = 2000, kBurst = 100;
  struct Router {
    Metrics metrics;
    std::unique_ptr<LeaseStore> store;
    std::optional<SharedLimits> limits;
  };
  std::vector<std::unique_ptr<Router>> routers;
  Cancellation stop;
  const SharingConfig config = Config("unix:" + server.socket());
  for (int i = 0; i < 4; ++i) {
    Router& one = *routers.emplace_back(std::make_unique<Router>());
    one.store = MakeRedisLeases(loop.io.get_executor(), *loop.clock, config, "", absl::StrCat("router-", i));
    one.limits.emplace(loop.io.get_executor(), *loop.clock, config, *one.store, one.metrics);
    one.limits->Get(Kind::kRate, "qps").Set(kRate, kBurst);
    boost::asio::co_spawn(loop.io.get_executor(), one.limits->Run(stop), boost::asio::detached);
  }
  ASSERT_TRUE(loop.RunUntil([&] {
    for (const auto& one : routers) {
      if (!one->limits->live()) return false;
    }
    return true;
  }));
  int taken = 0;
  const auto drain = [&] {
    for (const auto& one : routers) {
      SharedLimits::Lease& lease = one->limits->Get(Kind::kRate, "qps");
      for (int i = 0; i < 5; ++i) lease.Asked();
      while (lease.HasToken()) lease.Take(), ++taken;
    }
  };
  drain();
  taken = 0;
  const MonotonicTime began = loop.clock->Monotonic();
  while (loop.clock->Monotonic() < began + absl::Seconds(2)) {
    loop.RunFor(absl::Milliseconds(2));
    drain();
  }
  const double seconds = absl::ToDoubleSeconds(loop.clock->Monotonic() - began);
  std::cout << "taken " << taken << " in " << seconds << " s, the rate allows " << kRate * seconds << "\n";
  EXPECT_LE(taken, kRate * seconds * 1.01 + kBurst);
  EXPECT_GT(taken, kRate * seconds * 0.5) << "and much of it, also on a slow machine";
  stop.Cancel(absl::CancelledError("end of test"));
  loop.RunFor(absl::Milliseconds(100));
}

TEST(RedisReplies, Every) {
  struct Row {
    const char* name;
    std::string bytes;
    absl::StatusCode code;
    size_t left;
  };
  const auto kOk = absl::StatusCode::kOk, kMore = absl::StatusCode::kNotFound,
             kWrong = absl::StatusCode::kInvalidArgument, kError = absl::StatusCode::kFailedPrecondition;
  const Row rows[] = {
      {"simple", "+OK\r\nrest", kOk, 4},
      {"number", ":-12\r\n", kOk, 0},
      {"bulk", "$3\r\na\nb\r\n", kOk, 0},
      {"empty bulk", "$0\r\n\r\n", kOk, 0},
      {"nothing", "$-1\r\n", kOk, 0},
      {"list", "*2\r\n$1\r\na\r\n:5\r\n", kOk, 0},
      {"error", "-NOSCRIPT No matching script\r\n+", kError, 1},
      {"no end of line", "+OK", kMore, 3},
      {"half a bulk", "$5\r\nab", kMore, 6},
      {"half a list", "*2\r\n:5\r\n", kMore, 8},
      {"an odd type", "!3\r\n", kWrong, 4},
      {"no number", "$x\r\n", kWrong, 4},
      {"a negative length", "$-5\r\n", kWrong, 5},
      {"too long", "$99999999999\r\n", kWrong, 14},
      {"too deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", kWrong, 28},
      {"an empty line", "\r\n", kWrong, 2},
  };
  for (const Row& row : rows) {
    std::string_view bytes = row.bytes;
    EXPECT_EQ(TakeRedisReply(bytes).status().code(), row.code) << row.name;
    EXPECT_EQ(bytes.size(), row.left) << row.name;
  }
  EXPECT_EQ(RedisCommand({"GET", "a\r\n"}), "*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n");
}

}  // namespace
}  // namespace headgate::router
