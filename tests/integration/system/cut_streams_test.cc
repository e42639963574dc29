// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One of the three goes in mid-stream: the engine, the cloud, the client. The stream ends as docs/life-of-a-request.md
// says, and nothing is left behind.
#include <gmock/gmock.h>

#include <csignal>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "tests/integration/system/system_world.h"

namespace headgate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kChat[] = "/v1/chat/completions";
const std::vector<std::string> kSlowEngine = {"--reference", "--reference-step-ms=5"};
constexpr double kGrowthMaxMib = kSanitized ? 1000 : 4;

class CutStreamsTest : public SystemWorld {
 protected:
  static void ExpectCut(StreamCall& call) {
    call.Wait();
    EXPECT_EQ(call.status().error_code(), grpc::StatusCode::UNAVAILABLE) << call.status().error_message();
    EXPECT_FALSE(call.text().empty());
    EXPECT_EQ(call.finishes(), 0);
  }
};

TEST_F(CutStreamsTest, TheEngineIsKilledAndAnotherServesOnItsPort) {
  StartSystem({}, kSlowEngine);
  const auto stub = Inference();
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round);
    std::vector<std::unique_ptr<StreamCall>> calls;
    for (int i = 0; i < 4; ++i) {
      calls.push_back(std::make_unique<StreamCall>(*stub, Request(absl::StrCat(kResidentId, " ", i), 1000)));
      calls.back()->WaitContent();
    }
    engine_->Signal(SIGKILL);
    for (const auto& call : calls) ExpectCut(*call);
    ASSERT_EQ(engine_->WaitExit().value_or(-1), 128 + SIGKILL);
    WaitFor("no request in flight", [this] { return State().in_flight() == 0; });
    StartEngineAt(engine_address_, kSlowEngine);
    WaitForEngine();
    StreamCall after(*stub, Request(kResidentId));
    after.Wait();
    EXPECT_TRUE(after.status().ok()) << after.status().error_message();
    EXPECT_EQ(after.finishes(), 1);
  }
  EXPECT_EQ(emulator_->stats().chats_total, 0) << "never towards less trust";
  WaitForRest();
}

TEST_F(CutStreamsTest, TheCloudIsCut) {
  RouterYaml yaml;
  yaml.cloud = "  breaker_failures: 100\n";  // every row shall reach the cloud
  StartSystem(yaml, kSlowEngine);
  const auto stub = Inference();
  const struct {
    const char* name;
    DeepSeekPlan::End end;
  } rows[] = {
      {"reset", DeepSeekPlan::End::kReset},
      {"closed inside the body", DeepSeekPlan::End::kClose},
      {"ended without [DONE]", DeepSeekPlan::End::kEof},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    DeepSeekPlan plan;
    plan.tokens = 20;
    plan.end_after = 5;
    plan.end = row.end;
    emulator_->AddPlan(plan);
    StreamCall call(*stub, Request("hello", 100));
    ExpectCut(call);
    emulator_->AddPlan(plan);
    const HttpResult result = PostJson(http(kChat), ChatBody("hello", "\"stream\":true"));
    EXPECT_THAT(result.body, AllOf(HasSubstr("[sha8:"), HasSubstr("\"error\""), Not(HasSubstr("[DONE]"))));
  }
  StreamCall after(*stub, Request("hello"));
  after.Wait();
  EXPECT_TRUE(after.status().ok()) << after.status().error_message();
  WaitForRest();
}

TEST_F(CutStreamsTest, ClientsThatLeaveLeaveNothingBehind) {
  StartSystem({}, kSlowEngine);
  DeepSeekPlan plan;
  plan.tokens = 100000;
  plan.token_interval = absl::Milliseconds(5);
  emulator_->SetDefaultPlan(plan);
  const auto stub = Inference();
  // Local and cloud, gRPC and HTTP, in turn.
  const auto leave = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const std::string text = i % 2 == 0 ? kResidentId : "hello";
      if (i % 4 < 2) {
        StreamCall call(*stub, Request(text, 1000));
        call.WaitContent();
        call.Cancel();
        call.Wait();
        EXPECT_EQ(call.status().error_code(), grpc::StatusCode::CANCELLED);
        EXPECT_FALSE(call.text().empty());
      } else {
        HttpCall call;
        call.url = http(kChat);
        call.body = ChatBody(text, "\"stream\":true,\"max_tokens\":1000");
        call.on_data = [](std::string_view) { return false; };
        EXPECT_FALSE(Fetch(call).transport_ok);
      }
    }
    WaitForRest();
  };
  constexpr int kWarmUp = 120;  // pools and arenas have their size then
  leave(kWarmUp);
  const ProcessUse before = Use(*router_);
  constexpr int kTimes = 200;
  leave(kTimes);
  if (before.open_files) {
    // The last connections close a moment after the requests have ended; of those to the cloud some may be kept.
    const auto at_most = *before.open_files + 4;
    WaitFor("no more open files than before", [&] { return *Use(*router_).open_files <= at_most; });
  } else {
    std::cout << "open files not checked: only root may see them\n";
  }
  const ProcessUse after = Use(*router_);
  EXPECT_EQ(emulator_->stats().chats_abandoned, (kWarmUp + kTimes) / 2);
  EXPECT_LT(after.rss_mib - before.rss_mib, kGrowthMaxMib);
  std::cout << kTimes << " clients left: " << before.rss_mib << " -> " << after.rss_mib << " MiB, "
            << before.open_files.value_or(-1) << " -> " << after.open_files.value_or(-1) << " open files\n";
}

}  // namespace
}  // namespace headgate
