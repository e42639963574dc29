// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Against an API server that is a fake.
#include "router/upstream/endpoint_watch.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/http_stub.h"
#include "tests/unit/upstream/real_loop.h"
#include "tests/unit/upstream/test_certificate.h"

namespace headgate::router {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EndpointWatchTest : public testing::Test {
 protected:
  using Reply = std::shared_ptr<HttpStub::Reply>;

  EndpointWatchTest() {
    const char* folder = std::getenv("TMPDIR");
    token_ = absl::StrCat(folder != nullptr ? folder : "/tmp", "/headgate-token-", getpid());
    WriteToken("token-1");
  }
  ~EndpointWatchTest() override { unlink(token_.c_str()); }
  void WriteToken(const std::string& text) { std::ofstream(token_) << text << "\n"; }

  // Lists from `list_`, keeps every watch open.
  void Serve(const HttpStub::Tls& tls = {}) {
    server_.emplace(
        loop_.io,
        [this](const HttpStub::Request& request, Reply reply) {
          heads_.push_back(request.head);
          if (absl::StrContains(request.target, "watch=1")) {
            ++watches_;
            if (watch_status_ != 200) return reply->Send(watch_status_, "{}");
            reply->Begin(200);
            watch_ = reply;
          } else {
            ++lists_;
            reply->Send(list_status_, list_);
          }
        },
        tls);
  }
  void Watch(const std::string& ca_file = "") {
    KubernetesConfig config;
    config.token_file = token_;
    config.ca_file = ca_file;
    EndpointConfig endpoint;
    endpoint.name = "pods";
    endpoint.service = "serving/engines";
    const auto watch = MakeServiceWatch(loop_.io.get_executor(), *loop_.clock, SeededRandom(1), config,
                                        server_->url(), metrics_);
    watching_ = watch(endpoint, [this](std::vector<std::string> addresses) { told_.push_back(std::move(addresses)); });
  }
  static std::string Slice(const std::string& ip, int version) {
    return absl::StrCat(R"({"metadata":{"name":"a","resourceVersion":")", version,
                        R"("},"ports":[{"port":8090}],"endpoints":[{"addresses":[")", ip, R"("]}]})");
  }
  static std::string List(const std::string& ip, int version) {
    return absl::StrCat(R"({"metadata":{"resourceVersion":")", version, R"("},"items":[)", Slice(ip, version), "]}");
  }
  static std::string Modified(const std::string& ip, int version) {
    return absl::StrCat(R"({"type":"MODIFIED","object":)", Slice(ip, version), "}\n");
  }
  bool Told(const std::string& address) {
    return loop_.RunUntil([&] { return !told_.empty() && told_.back() == std::vector<std::string>{address}; });
  }
  bool Watching(int watches) { return loop_.RunUntil([&] { return watches_ >= watches && watch_ != nullptr; }); }
  double Up() { return metrics_.GetGauge("headgate_router_endpoint_watch_up", "", {{"endpoint", "pods"}}).Value(); }

  RealLoop loop_;
  Metrics metrics_;
  std::string token_;
  std::string list_ = List("10.0.0.1", 10);
  int list_status_ = 200, watch_status_ = 200;
  int lists_ = 0, watches_ = 0;
  std::vector<std::string> heads_;
  Reply watch_;
  std::optional<HttpStub> server_;
  std::vector<std::vector<std::string>> told_;
  std::unique_ptr<ServiceWatch> watching_;
};

TEST_F(EndpointWatchTest, ListsAndThenHearsOfEveryChangeAtOnce) {
  Serve();
  Watch();
  ASSERT_TRUE(Told("10.0.0.1:8090"));
  ASSERT_TRUE(Watching(1));
  EXPECT_THAT(heads_[0], HasSubstr("GET /apis/discovery.k8s.io/v1/namespaces/serving/endpointslices?"
                                   "labelSelector=kubernetes.io%2Fservice-name%3Dengines HTTP/1.1"));
  EXPECT_THAT(heads_[0], HasSubstr("Authorization: Bearer token-1\r\n"));
  EXPECT_THAT(heads_[1], HasSubstr("&resourceVersion=10&"));
  EXPECT_EQ(Up(), 1);
  // Cut anywhere: events are lines.
  const std::string event = Modified("10.0.0.2", 11);
  watch_->Write(event.substr(0, 30));
  watch_->Write(event.substr(30));
  ASSERT_TRUE(Told("10.0.0.2:8090"));
  watch_->Write(Modified("10.0.0.3", 12) + Modified("10.0.0.4", 13));
  ASSERT_TRUE(Told("10.0.0.4:8090"));
  EXPECT_EQ(lists_, 1);
}

TEST_F(EndpointWatchTest, AWatchThatEndsGoesOnWhereItWas) {
  Serve();
  Watch();
  ASSERT_TRUE(Watching(1));
  watch_->Write(Modified("10.0.0.2", 17));
  ASSERT_TRUE(Told("10.0.0.2:8090"));
  WriteToken("token-2");
  std::exchange(watch_, nullptr)->End();
  ASSERT_TRUE(Watching(2));
  EXPECT_THAT(heads_.back(), HasSubstr("&resourceVersion=17&"));
  EXPECT_THAT(heads_.back(), HasSubstr("Authorization: Bearer token-2\r\n")) << "it was renewed";
  std::exchange(watch_, nullptr)->Cut();
  ASSERT_TRUE(Watching(3));
  EXPECT_EQ(lists_, 1);
}

TEST_F(EndpointWatchTest, TooOldIsListedAnew) {
  Serve();
  Watch();
  ASSERT_TRUE(Watching(1));
  list_ = List("10.0.0.7", 400);
  std::exchange(watch_, nullptr)->Write(R"({"type":"ERROR","object":{"code":410,"reason":"Expired"}})"
                                        "\n");
  ASSERT_TRUE(Told("10.0.0.7:8090"));
  ASSERT_TRUE(Watching(2));
  EXPECT_THAT(heads_.back(), HasSubstr("&resourceVersion=400&"));
  // The same by status.
  list_ = List("10.0.0.8", 500);
  watch_status_ = 410;
  std::exchange(watch_, nullptr)->End();
  ASSERT_TRUE(loop_.RunUntil([&] { return lists_ == 3; }));
  watch_status_ = 200;
  ASSERT_TRUE(Told("10.0.0.8:8090"));
}

TEST_F(EndpointWatchTest, WhatWasKnownStaysWhileTheServerFails) {
  Serve();
  Watch();
  ASSERT_TRUE(Watching(1));
  list_status_ = watch_status_ = 503;
  std::exchange(watch_, nullptr)->Cut();
  ASSERT_TRUE(loop_.RunUntil([&] { return watches_ >= 3; }));
  EXPECT_EQ(Up(), 0);
  EXPECT_THAT(told_, ElementsAre(ElementsAre("10.0.0.1:8090")));
  list_status_ = watch_status_ = 200;
  list_ = List("10.0.0.5", 600);
  ASSERT_TRUE(Watching(4));
}

TEST_F(EndpointWatchTest, AsksNothingWithoutAToken) {
  WriteToken("");
  Serve();
  Watch();
  loop_.RunFor(absl::Milliseconds(200));
  EXPECT_EQ(server_->connections(), 0);
  WriteToken("token-1");
  EXPECT_TRUE(Told("10.0.0.1:8090"));
}

TEST_F(EndpointWatchTest, OnlyAVerifiedServerIsTold) {
  const TestCertificate right("IP:127.0.0.1"), other("IP:127.0.0.1");
  Serve({right.cert_file(), right.key_file(), ""});
  Watch(other.cert_file());
  loop_.RunFor(absl::Milliseconds(300));
  EXPECT_EQ(lists_, 0) << "the token was shown to nobody";
  Watch(right.cert_file());
  EXPECT_TRUE(Told("10.0.0.1:8090"));
}

TEST(KubernetesApi, OfTheConfigurationOrOfThePod) {
  KubernetesConfig config;
  unsetenv("KUBERNETES_SERVICE_HOST");
  EXPECT_EQ(KubernetesApi(config).status().code(), absl::StatusCode::kFailedPrecondition);
  setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  EXPECT_EQ(*KubernetesApi(config), "https://10.96.0.1:443");
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  EXPECT_EQ(*KubernetesApi(config), "https://[fd00::1]:443");
  config.api = "https://api:6443";
  EXPECT_EQ(*KubernetesApi(config), "https://api:6443");
  unsetenv("KUBERNETES_SERVICE_HOST");
}

}  // namespace
}  // namespace headgate::router
