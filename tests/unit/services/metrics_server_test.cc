// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/metrics_server.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace headgate::services {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

class MetricsServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = MetricsServer::Start("127.0.0.1:0", metrics_, [this] { return healthy_.load(); },
                                       [this] { metrics_.GetGauge("now", "Set before a scrape").Set(++scrapes_); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  tcp::socket Connect() {
    tcp::socket socket(io_);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(server_->port())});
    return socket;
  }
  // Everything until the server closes.
  static std::string Read(tcp::socket& socket) {
    std::string text;
    boost::system::error_code error;
    boost::asio::read(socket, boost::asio::dynamic_buffer(text), error);
    return text;
  }
  std::string Send(const std::string& request) {
    tcp::socket socket = Connect();
    boost::asio::write(socket, boost::asio::buffer(request));
    return Read(socket);
  }
  std::string Get(const std::string& target) {
    return Send(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  }

  Metrics metrics_;
  std::atomic<bool> healthy_{true};
  std::atomic<int> scrapes_{0};
  boost::asio::io_context io_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsServerTest, ServesMetricsAndHealth) {
  EXPECT_THAT(Get("/metrics"), testing::AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("text/plain; version=0.0.4"),
                                              HasSubstr("\nnow 1\n")));
  EXPECT_THAT(Get("/metrics"), HasSubstr("\nnow 2\n"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  healthy_ = false;
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/other"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Send("POST /metrics HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 405"));
}

TEST_F(MetricsServerTest, ClosesOnNonsense) {
  EXPECT_EQ(Send("\x16\x03\x01 not http\r\n\r\n"), "");
  EXPECT_EQ(Send(absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(10000, 'x'), "\r\n\r\n")), "");
}

TEST_F(MetricsServerTest, IdleConnectionsDoNotLockAScraperOut) {
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 40; ++i) idle.push_back(Connect());
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(Read(idle.front()), "") << "the oldest was closed";
}

TEST(MetricsServerStart, NamesABadAddress) {
  Metrics metrics;
  const auto start = [&](const std::string& address) {
    return MetricsServer::Start(address, metrics, [] { return true; }, [] {}).status();
  };
  for (const char* address : {"", "localhost", "localhost:80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"}) {
    EXPECT_EQ(start(address).code(), absl::StatusCode::kInvalidArgument) << address;
  }
  const auto first = MetricsServer::Start("127.0.0.1:0", metrics, [] { return true; }, [] {});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(start((*first)->address()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace headgate::services
