// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Reload and shutdown of the running router, with streams in flight.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/clock.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kChat[] = "/v1/chat/completions";

class LifecycleTest : public RouterWorld {
 protected:
  // A stream from the cloud, on its own thread, that has begun.
  struct Stream {
    std::future<HttpResult> result;
    std::future<void> begun;
  };
  Stream StartStream(int64_t tokens, absl::Duration interval, DeepSeekPlan::End end = DeepSeekPlan::End::kDone) {
    DeepSeekPlan plan;
    plan.tokens = tokens;
    plan.token_interval = interval;
    plan.end = end;
    emulator_->AddPlan(plan);
    auto first = std::make_shared<std::promise<void>>();
    Stream stream;
    stream.begun = first->get_future();
    HttpCall call;
    call.url = http(kChat);
    call.body = ChatBody("hello", "\"stream\":true");
    call.on_data = [first, seen = false](std::string_view) mutable {
      if (!std::exchange(seen, true)) first->set_value();
      return true;
    };
    stream.result = std::async(std::launch::async, [call] { return Fetch(call); });
    EXPECT_EQ(stream.begun.wait_for(std::chrono::seconds(20 * TimeScale())), std::future_status::ready);
    return stream;
  }
};

TEST_F(LifecycleTest, AGoodConfigurationTakesEffectWithoutDroppingAStream) {
  StartAll();
  const std::string before = State().config_version();
  Stream stream = StartStream(40, absl::Milliseconds(20));
  RouterYaml stricter;
  stricter.more = "sensitivity:\n  keyword_lists:\n    - name: projects\n      words: [bluebird]\n";
  EXPECT_EQ(PostJson(http(kChat), ChatBody("bluebird")).headers.at("x-headgate-route"), "cloud");
  Write("router.yaml", RouterYamlText(stricter));
  router_->Signal(SIGHUP);
  WaitFor("the new version", [&] { return State().config_version() != before; });
  EXPECT_EQ(PostJson(http(kChat), ChatBody("bluebird", "\"max_tokens\":2")).headers.at("x-headgate-route"), "local");
  EXPECT_EQ(RouterMetric("headgate_router_config_reloads_total{result=\"ok\"}"), 1);
  EXPECT_EQ(RouterMetric("headgate_router_config_last_reload_ok"), 1);
  const HttpResult result = stream.result.get();
  EXPECT_TRUE(result.transport_ok);
  EXPECT_THAT(result.body, EndsWith("data: [DONE]\n\n"));
}

// The cloud client is made at the start: what names the cloud must not say another than is in use.
TEST_F(LifecycleTest, AnotherCloudTakesEffectAtTheNextStartOnly) {
  StartAll();
  const std::string before = State().config_version();
  RouterYaml other;
  other.cloud = "  name: elsewhere\n  model: another-model\n";
  Write("router.yaml", RouterYamlText(other));
  router_->Signal(SIGHUP);
  WaitFor("the new version", [&] { return State().config_version() != before; });
  const HttpResult answer = PostJson(http(kChat), ChatBody("hello", "\"max_tokens\":2"));
  EXPECT_EQ(answer.headers.at("x-headgate-route"), "cloud");
  EXPECT_EQ(answer.body.find("another-model"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("deepseek-flash"), std::string::npos) << answer.body;
}

TEST_F(LifecycleTest, ABadConfigurationKeepsTheOldOneAndSaysSo) {
  StartAll();
  const std::string before = State().config_version();
  Stream stream = StartStream(40, absl::Milliseconds(20));
  Write("router.yaml", RouterYamlText({}) + "frobnicate: 1\n");
  router_->Signal(SIGHUP);
  WaitFor("the refusal", [&] { return RouterMetric("headgate_router_config_reloads_total{result=\"refused\"}") == 1; });
  EXPECT_EQ(RouterMetric("headgate_router_config_last_reload_ok"), 0);
  EXPECT_EQ(State().config_version(), before);
  EXPECT_THAT(router_->Stderr(), HasSubstr("frobnicate"));
  EXPECT_EQ(PostJson(http(kChat), ChatBody("hello")).status, 200);
  EXPECT_THAT(stream.result.get().body, EndsWith("data: [DONE]\n\n"));
}

TEST_F(LifecycleTest, AChangedFileIsNoticedWithoutASignal) {
  RouterYaml yaml;
  yaml.tenants = "tenants:\n  - name: alpha\n    cloud_allowed: false\n    api_key_sha256: "
                 "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\n";
  StartAll(yaml);
  const std::string before = State().config_version();
  Write("tenants.yaml", absl::StrReplaceAll(yaml.tenants, {{"cloud_allowed: false", "cloud_allowed: true"}}));
  WaitFor("the new version", [&] { return State().config_version() != before; });
}

// Without a signal: a word more, a file that cannot be used, one that is not there yet.
TEST_F(LifecycleTest, ADictionaryIsReadAgainWhenItChanges) {
  const auto with_words = [](const std::string& file) {
    RouterYaml yaml;
    yaml.more = absl::StrCat("sensitivity:\n  keyword_lists:\n    - name: birds\n      words_file: ", file, "\n");
    return yaml;
  };
  const auto route = [this](const std::string& word) {
    return PostJson(http(kChat), ChatBody(word, "\"max_tokens\":2")).headers.at("x-headgate-route");
  };
  const auto replace = [this](const std::string& file, const std::string& text) {  // never half written
    std::filesystem::rename(Write(file + ".new", text), Path(file));
  };
  const auto wait_for_version_after = [this](const std::string& before) {
    WaitFor("the new version", [&] { return State().config_version() != before; });
    return State().config_version();
  };
  const auto wait_for_refusals = [this](int count) {
    WaitFor("a refusal",
            [&] { return RouterMetric("headgate_router_config_reloads_total{result=\"refused\"}") == count; });
  };
  Write("words.txt", "bluebird\n");
  StartAll(with_words("words.txt"));
  std::string version = State().config_version();
  EXPECT_EQ(route("kingfisher"), "cloud");
  replace("words.txt", "bluebird\nkingfisher\n");
  version = wait_for_version_after(version);
  EXPECT_EQ(route("a kingfisher"), "local");

  replace("words.txt", std::string(300, 'x') + "\n");
  wait_for_refusals(1);
  EXPECT_EQ(State().config_version(), version);
  EXPECT_EQ(route("the kingfisher"), "local");

  replace("router.yaml", RouterYamlText(with_words("more.txt")));
  wait_for_refusals(2);
  EXPECT_EQ(State().config_version(), version);
  replace("more.txt", "albatross\n");
  wait_for_version_after(version);
  EXPECT_EQ(route("albatross"), "local");
  EXPECT_EQ(route("one kingfisher"), "cloud");
}

TEST_F(LifecycleTest, ATermSignalFinishesWhatIsThereAndRefusesWhatIsNew) {
  StartAll();
  Stream stream = StartStream(60, absl::Milliseconds(20));
  router_->Signal(SIGTERM);
  WaitFor("draining", [&] { return Get(http("/readyz")).status == 503; });
  EXPECT_EQ(Get(http("/healthz")).status, 200);
  const HttpResult refused = PostJson(http(kChat), ChatBody("hello"));
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.headers.at("connection"), "close");
  grpc::ClientContext context;
  v1::GenerateResponse response;
  EXPECT_EQ(Inference()->Generate(&context, Request("hello"), &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  const HttpResult result = stream.result.get();
  EXPECT_TRUE(result.transport_ok);
  EXPECT_THAT(result.body, EndsWith("data: [DONE]\n\n"));
  EXPECT_EQ(router_->WaitExit().value_or(-1), 0);
}

TEST_F(LifecycleTest, ADrainThatRunsOutEndsStreamsWithAnError) {
  RouterYaml yaml;
  yaml.limits = "  drain: 200ms\n";
  StartAll(yaml);
  Stream stream = StartStream(3, absl::ZeroDuration(), DeepSeekPlan::End::kStall);
  router_->Signal(SIGTERM);
  const HttpResult result = stream.result.get();
  EXPECT_FALSE(result.transport_ok);
  EXPECT_THAT(result.body, AllOf(HasSubstr("\"error\""), HasSubstr("shutting down"), Not(HasSubstr("[DONE]"))));
  EXPECT_EQ(router_->WaitExit().value_or(-1), 0);
}

// A core file would hold prompts.
TEST_F(LifecycleTest, CoreDumpsAreOff) {
  StartAll();
  for (const Process* process : {router_.get(), engine_.get()}) {
    std::ifstream limits(absl::StrCat("/proc/", process->pid(), "/limits"));
    const std::string text(std::istreambuf_iterator<char>(limits), {});
    EXPECT_THAT(text, testing::ContainsRegex("Max core file size +0 +0 "));
  }
}

TEST_F(LifecycleTest, ASecondSignalStopsAtOnce) {
  StartAll();
  Stream stream = StartStream(3, absl::ZeroDuration(), DeepSeekPlan::End::kStall);
  router_->Signal(SIGTERM);
  WaitFor("draining", [&] { return Get(http("/readyz")).status == 503; });
  router_->Signal(SIGINT);
  EXPECT_EQ(router_->WaitExit(absl::Seconds(5)).value_or(-1), 128 + SIGINT);
  EXPECT_FALSE(stream.result.get().transport_ok);
}

TEST_F(LifecycleTest, ManyStreamsAtOnceAreAllAnsweredAndNothingIsLeft) {
  StartAll();
  constexpr int kStreams = 64;
  std::vector<std::future<HttpResult>> results;
  for (int i = 0; i < kStreams; ++i) {
    results.push_back(std::async(std::launch::async, [this, i] {
      return PostJson(http(kChat), ChatBody(absl::StrCat("question ", i), "\"stream\":true,\"max_tokens\":16"),
                      i % 2 == 0 ? std::vector<std::string>{"x-headgate-sensitivity: restricted"}
                                 : std::vector<std::string>());
    }));
  }
  for (int i = 0; i < kStreams; ++i) {
    const HttpResult result = results[i].get();
    EXPECT_TRUE(result.transport_ok);
    EXPECT_EQ(result.headers.at("x-headgate-route"), i % 2 == 0 ? "local" : "cloud");
    EXPECT_THAT(result.body, EndsWith("data: [DONE]\n\n"));
  }
  WaitForIdleEngine();
  WaitFor("no request in flight", [this] { return State().in_flight() == 0; });
  WaitFor("no HTTP connection", [this] { return RouterMetric("headgate_router_http_connections") == 0; });
}

TEST_F(LifecycleTest, TheEngineDyingInMidStreamIsAnErrorEvent) {
  StartAll({}, {"--reference-step-ms", "20"});
  HttpCall call;
  call.url = http(kChat);
  call.body = ChatBody(kResidentId, "\"stream\":true,\"max_tokens\":1000");
  call.on_data = [this, killed = false](std::string_view) mutable {
    if (!std::exchange(killed, true)) engine_->Signal(SIGKILL);
    return true;
  };
  const HttpResult result = Fetch(call);
  EXPECT_EQ(result.status, 200);
  EXPECT_THAT(result.body, AllOf(HasSubstr("\"error\""), Not(HasSubstr("[DONE]"))));
  EXPECT_EQ(emulator_->stats().chats_total, 0) << "never towards less trust";
}

}  // namespace
}  // namespace headgate
