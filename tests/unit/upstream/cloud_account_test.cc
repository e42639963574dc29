// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The cloud client and its account, against the DeepSeek emulator: several keys, limits that an answer names, tenants,
// the balance.

#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "common/digest.h"
#include "nlohmann/json.hpp"
#include "router/policy.h"
#include "router/upstream/cloud_client.h"
#include "router/upstream/cloud_wire.h"
#include "router/upstream/upstream_error.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/fakes/http_stub.h"
#include "tests/unit/upstream/permitted.h"

namespace headgate::router {
namespace {

using absl::StatusCode;

DeepSeekEmulatorOptions Accepting(const std::string& key) {
  DeepSeekEmulatorOptions options;
  options.api_keys = {key};
  return options;
}

class CloudAccountTest : public ::testing::Test {
 protected:
  void Start(DeepSeekEmulatorOptions options, CloudSecrets secrets) {
    emulator_ = *DeepSeekEmulator::Start(options);
    config_.base_url = emulator_->base_url();
    auto client = MakeCloudClient(io_.get_executor(), *clock_, config_, std::move(secrets), metrics_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  ~CloudAccountTest() override { client_.reset(); }

  bool RunUntil(const std::function<bool()>& done) {
    io_.restart();
    const MonotonicTime until = clock_->Monotonic() + absl::Seconds(30);
    while (!done() && clock_->Monotonic() < until) io_.run_one_for(std::chrono::milliseconds(20));
    return done();
  }
  absl::Status Ask(const std::string& text = "hello", const std::string& tenant = "ward-3") {
    const CloudPrompt prompt = Permitted(UserSays(text));
    const auto stream = client_->Generate(prompt, CloudCall(clock_->Monotonic() + absl::Seconds(30), tenant));
    absl::Status status = absl::UnknownError("still running");
    boost::asio::co_spawn(
        io_.get_executor(),
        [this, &stream]() -> Task<absl::Status> {
          while (true) {
            auto event = co_await stream->Next(absl::InfiniteDuration(), never_);
            if (!event.ok()) co_return event.status();
            if (!event->has_value()) co_return absl::OkStatus();
          }
        },
        [&status](std::exception_ptr error, absl::Status ended) {
          status = error ? absl::InternalError("exception") : std::move(ended);
        });
    EXPECT_TRUE(RunUntil([&] { return status.code() != StatusCode::kUnknown; }));
    return status;
  }
  nlohmann::json BodyOf(size_t connection) {
    const std::string record = emulator_->Records().at(connection);
    return nlohmann::json::parse(record.substr(record.find("\r\n\r\n") + 4), nullptr, false);
  }
  std::string All() {
    std::string all;
    for (const std::string& record : emulator_->Records()) all += record;
    return all;
  }

  boost::asio::io_context io_;
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Metrics metrics_;
  Cancellation never_;
  CloudConfig config_;
  std::unique_ptr<DeepSeekEmulator> emulator_;
  std::unique_ptr<CloudUpstream> client_;
};

TEST_F(CloudAccountTest, ARefusedKeyIsLeftOutAndTheNextOneTakesOver) {
  Start(Accepting("sk-good"), CloudSecrets({"sk-bad", "sk-good"}, ""));
  const absl::Status first = Ask();
  EXPECT_EQ(first.code(), StatusCode::kUnauthenticated);
  EXPECT_TRUE(OtherKeyLeft(first));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Ask().ok()) << i;
  const auto keys = [&](const char* state) {
    return metrics_.GetGauge("headgate_router_cloud_keys", "", {{"state", state}}).Value();
  };
  EXPECT_EQ(keys("usable"), 1);
  EXPECT_EQ(keys("refused"), 1);
}

TEST_F(CloudAccountTest, WithoutAnyGoodKeyTheCloudIsRefusedForGood) {
  Start(Accepting("sk-good"), CloudSecrets({"sk-bad", "sk-worse"}, ""));
  EXPECT_TRUE(OtherKeyLeft(Ask()));
  const absl::Status last = Ask();
  EXPECT_EQ(last.code(), StatusCode::kUnauthenticated);
  EXPECT_FALSE(OtherKeyLeft(last));
}

TEST_F(CloudAccountTest, KeysTakeTurns) {
  Start({}, CloudSecrets({"sk-one", "sk-two"}, ""));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Ask().ok());
  EXPECT_TRUE(absl::StrContains(All(), "Bearer sk-one\r\n"));
  EXPECT_TRUE(absl::StrContains(All(), "Bearer sk-two\r\n"));
}

TEST_F(CloudAccountTest, TheLimitThatA429NamesArrives) {
  DeepSeekEmulatorOptions options;
  options.limits.flash = 0;
  Start(options, CloudSecrets("sk-one"));
  const absl::Status refused = Ask();
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_FALSE(ConcurrencyLimit(refused).has_value()) << "a limit of 0 is none";
  emulator_->AddPlan({.status = 429, .error_text = "Your current concurrency is 40, which exceeds your concurrency "
                                                    "limit of 39 based on your remaining balance."});
  emulator_->SetLimits({});
  const absl::Status named = Ask();
  EXPECT_EQ(named.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ConcurrencyLimit(named), 39);
  EXPECT_FALSE(absl::StrContains(named.ToString(), "balance")) << "nothing of the body in the message";
}

TEST_F(CloudAccountTest, TenantsAreToldApartWithoutBeingNamed) {
  Start({}, CloudSecrets({"sk-one"}, "salt"));
  ASSERT_TRUE(Ask("hello", "ward-3").ok());
  const std::string id = BodyOf(0).value("user_id", "");
  EXPECT_EQ(id, Hex(HmacSha256("salt", "ward-3")).substr(0, 32));
  EXPECT_FALSE(absl::StrContains(All(), "ward-3"));
  EXPECT_LE(id.size(), 512u);
}

TEST_F(CloudAccountTest, NoUserIdWhereItIsOff) {
  config_.user_id = false;
  Start({}, CloudSecrets({"sk-one"}, "salt"));
  ASSERT_TRUE(Ask().ok());
  EXPECT_FALSE(BodyOf(0).contains("user_id"));
}

TEST_F(CloudAccountTest, TheBalanceIsAskedForAgainAndAgainWithoutABody) {
  config_.balance_interval = absl::Milliseconds(20);
  Start({}, CloudSecrets("sk-one"));
  emulator_->SetBalance(1'500'000'000, 2'000'000'000);
  Gauge& balance = metrics_.GetGauge("headgate_router_cloud_balance_micro_units",
                                     "What is left on the cloud's account.", {{"currency", "CNY"}});
  EXPECT_TRUE(RunUntil([&] { return balance.Value() == 3'500'000; }));
  emulator_->SetBalance(0, 250'000'000);
  EXPECT_TRUE(RunUntil([&] { return balance.Value() == 250'000; }));
  EXPECT_TRUE(absl::StrContains(All(), "GET /user/balance HTTP/1.1\r\n"));
  EXPECT_FALSE(absl::StrContains(All(), "Content-Length"));
}

TEST_F(CloudAccountTest, ALowBalanceIsShownSoonAfterTheStart) {
  config_.balance_interval = absl::Minutes(5);
  config_.balance_min_micro_units = 1'000'000;
  Start({}, CloudSecrets("sk-one"));
  emulator_->SetBalance(0, 999'000'000);
  Gauge& low = metrics_.GetGauge("headgate_router_cloud_balance_low", "");
  EXPECT_TRUE(RunUntil([&] { return low.Value() == 1; }));
}

// Two accounts: none hides the other.
TEST_F(CloudAccountTest, EveryKeyHasItsOwnBalance) {
  HttpStub stub(io_, [](const HttpStub::Request& request, const std::shared_ptr<HttpStub::Reply>& reply) {
    const bool one = absl::StrContains(request.head, "Bearer sk-one\r\n");
    reply->Send(200, absl::StrCat(R"({"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":")",
                                  one ? "70.00" : "0.50", R"("}]})"));
  });
  config_.base_url = stub.url();
  config_.balance_interval = absl::Milliseconds(20);
  config_.balance_min_micro_units = 1'000'000;
  auto client = MakeCloudClient(io_.get_executor(), *clock_, config_, CloudSecrets({"sk-one", "sk-two"}, ""), metrics_);
  ASSERT_TRUE(client.ok()) << client.status();
  client_ = *std::move(client);
  const auto balance = [&](const char* key) {
    return metrics_.GetGauge("headgate_router_cloud_balance_micro_units", "", {{"currency", "CNY"}, {"key", key}})
        .Value();
  };
  Gauge& low = metrics_.GetGauge("headgate_router_cloud_balance_low", "");
  EXPECT_TRUE(RunUntil([&] { return balance("1") != 0 && balance("2") != 0; }));
  for (size_t asked = stub.requests().size(); asked < 8; ++asked) {
    EXPECT_TRUE(RunUntil([&] { return stub.requests().size() > asked; }));
    EXPECT_EQ(balance("1"), 70'000'000);
    EXPECT_EQ(balance("2"), 500'000);
    EXPECT_EQ(low.Value(), 1);
  }
  client_.reset();
}

TEST(NamedConcurrencyLimit, Table) {
  const std::vector<std::pair<std::string, std::optional<int64_t>>> rows = {
      {"exceeds your concurrency limit of 39 based on", 39},
      {"concurrency limit of 39", 39},
      {"concurrency limit of 0", std::nullopt},
      {"concurrency limit of -3", std::nullopt},
      {"concurrency limit of many", std::nullopt},
      {"concurrency limit of 99999999999999999999", std::nullopt},
      {"concurrency limit of ", std::nullopt},
      {"Rate limit reached for TPM", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [body, limit] : rows) EXPECT_EQ(NamedConcurrencyLimit(body), limit) << body;
}

}  // namespace
}  // namespace headgate::router
