// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Streamed answers; whole ones are in cloud_whole_test.cc.

#include <cstdlib>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "boost/asio/ip/tcp.hpp"
#include "nlohmann/json.hpp"
#include "router/upstream/upstream_error.h"
#include "tests/fakes/tcp_sockets.h"
#include "tests/unit/upstream/cloud_client_fixture.h"
#include "tests/unit/upstream/test_certificate.h"

namespace headgate::router {
namespace {

using absl::StatusCode;
using End = DeepSeekPlan::End;
using Outcome = CloudOutcome;

TEST_F(CloudClientTest, Answers) {
  const Outcome outcome = Ask(UserSays("what is a canal"));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_TRUE(absl::StartsWith(outcome.content, DeepSeekMarker("what is a canal"))) << outcome.content;
  EXPECT_EQ(outcome.deltas, 16);
  ASSERT_TRUE(outcome.finish);
  EXPECT_EQ(outcome.finish->reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(outcome.finish->usage().completion_tokens(), 16);
  EXPECT_GT(outcome.finish->usage().prompt_tokens(), 0);
}

TEST_F(CloudClientTest, ThinksAndCallsTools) {
  config_.thinking = true;
  Connect();
  v1::GenerateRequest request = UserSays("call");
  auto* turn = request.add_messages();
  turn->set_role(v1::ROLE_ASSISTANT);
  turn->add_tool_calls()->set_name("f");  // no reasoning_content: the emulator would refuse its absence
  request.add_tools()->set_name("f");
  request.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_REQUIRED);
  const Outcome outcome = Ask(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(outcome.reasoning.empty());
  EXPECT_EQ(outcome.calls, absl::StrCat("f{\"marker\":\"", DeepSeekMarker("call"), "\"}"));
  EXPECT_EQ(outcome.finish->reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(outcome.finish->usage().reasoning_tokens(), 4);
}

// What left, byte for byte: no header and no field beside those listed.
TEST_F(CloudClientTest, SendsTheClosedListOnly) {
  v1::GenerateRequest request = UserSays("everyday");
  request.set_user("canary-user");
  request.set_session("canary-session");
  request.set_model("canary-model");
  request.mutable_messages(0)->set_name("canary-name");
  request.set_priority(v1::PRIORITY_BATCH);
  request.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_PUBLIC);
  request.mutable_sampling()->set_seed(424242);
  ASSERT_TRUE(Ask(request).status.ok());
  const std::vector<std::string> records = emulator_->Records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_FALSE(absl::StrContains(records[0], "canary")) << records[0];
  EXPECT_FALSE(absl::StrContains(records[0], "request-1")) << records[0];
  EXPECT_FALSE(absl::StrContains(records[0], "424242")) << records[0];
  const size_t body = records[0].find("\r\n\r\n");
  ASSERT_NE(body, std::string::npos);
  const std::vector<std::string> lines = absl::StrSplit(records[0].substr(0, body), "\r\n");
  EXPECT_EQ(lines[0], "POST /chat/completions HTTP/1.1");
  std::set<std::string> headers;
  for (size_t i = 1; i < lines.size(); ++i) headers.insert(lines[i].substr(0, lines[i].find(':')));
  EXPECT_EQ(headers, (std::set<std::string>{"Host", "User-Agent", "Content-Type", "Accept", "Authorization",
                                            "Content-Length"}));
  EXPECT_TRUE(absl::StrContains(records[0], "User-Agent: headgate\r\n"));
  EXPECT_TRUE(absl::StrContains(records[0], "Authorization: Bearer sk-test-key\r\n"));
  std::set<std::string> fields;
  const nlohmann::json sent = nlohmann::json::parse(records[0].substr(body + 4));
  for (const auto& [key, value] : sent.items()) fields.insert(key);
  EXPECT_EQ(fields, (std::set<std::string>{"model", "messages", "stream", "stream_options", "thinking"}));
}

struct FaultRow {
  const char* name;
  DeepSeekPlan plan;
  StatusCode code;
  bool content;                             // some arrives before the end
  std::optional<absl::Duration> retry_after = std::nullopt;
};

std::vector<FaultRow> FaultRows() {
  constexpr StatusCode kUnavailable = StatusCode::kUnavailable;
  return {
      {"400", {.status = 400}, StatusCode::kInvalidArgument, false},
      {"401", {.status = 401}, StatusCode::kUnauthenticated, false},
      {"402", {.status = 402}, StatusCode::kFailedPrecondition, false},
      {"422", {.status = 422}, StatusCode::kInvalidArgument, false},
      {"429", {.status = 429}, StatusCode::kResourceExhausted, false},
      {"429 with delay", {.status = 429, .retry_after = "7"}, StatusCode::kResourceExhausted, false, absl::Seconds(7)},
      {"500", {.status = 500}, kUnavailable, false},
      {"502 as text", {.status = 502, .error_text = "<html>bad gateway"}, kUnavailable, false},
      {"503 with delay", {.status = 503, .retry_after = "2"}, kUnavailable, false, absl::Seconds(2)},
      {"503 with a large body", {.status = 503, .error_text = std::string(1 << 20, 'x')}, kUnavailable, false},
      {"429 whose body never comes", {.status = 429, .stall_body = true}, StatusCode::kResourceExhausted, false},
      {"closed without an answer", {.no_headers = true, .end = End::kClose}, kUnavailable, false},
      {"reset without an answer", {.no_headers = true, .end = End::kReset}, kUnavailable, false},
      {"closed before the first token", {.end = End::kClose, .end_after = 0}, kUnavailable, false},
      {"body ends early", {.end = End::kEof, .end_after = 5}, kUnavailable, true},
      {"closed in mid-stream", {.end = End::kClose, .end_after = 5}, kUnavailable, true},
      {"reset in mid-stream", {.end = End::kReset, .end_after = 5}, kUnavailable, true},
      {"malformed chunk", {.end = End::kMalformed, .end_after = 5}, kUnavailable, true},
      {"error chunk", {.end = End::kErrorChunk, .end_after = 5}, kUnavailable, true},
      {"overload at once", {.end = End::kInsufficient, .end_after = 0}, kUnavailable, false},
      {"overload in mid-stream", {.end = End::kInsufficient, .end_after = 5}, kUnavailable, true},
      {"no stream at all", {.raw_stream = "<html>hello</html>"}, kUnavailable, false},
  };
}

TEST_F(CloudClientTest, FaultTable) {
  int64_t chats = 0;
  for (const FaultRow& row : FaultRows()) {
    emulator_->AddPlan(row.plan);
    const Outcome outcome = Ask(UserSays("canary prompt"));
    EXPECT_EQ(outcome.status.code(), row.code) << row.name << ": " << outcome.status;
    EXPECT_EQ(!outcome.content.empty(), row.content) << row.name;
    EXPECT_FALSE(outcome.finish) << row.name;
    EXPECT_EQ(RetryAfter(outcome.status), row.retry_after) << row.name;
    EXPECT_FALSE(absl::StrContains(outcome.status.message(), "canary")) << row.name << ": " << outcome.status;
    EXPECT_EQ(metrics_.GetGauge(kTransfers, "").Value(), 0) << row.name;
    EXPECT_TRUE(emulator_->WaitUntil([](const auto& stats) { return stats.chats_active == 0; })) << row.name;
    EXPECT_EQ(emulator_->stats().chats_total, ++chats) << row.name << ": sent more than once";
    // And the next one is served.
    EXPECT_TRUE(Ask(UserSays("again")).status.ok()) << row.name;
    ++chats;
  }
}

TEST_F(CloudClientTest, OddStreamsThatAreFine) {
  const std::pair<const char*, DeepSeekPlan> rows[] = {
      {"byte by byte", {.tokens = 4, .write_bytes = 1}},
      {"usage on both, the last counts", {.tokens = 4, .usage_at = DeepSeekPlan::UsageAt::kBoth}},
      {"usage on the finish chunk", {.tokens = 4, .usage_at = DeepSeekPlan::UsageAt::kFinish}},
      {"keep-alives first", {.keep_alive_for = absl::Milliseconds(60), .tokens = 4}},
      {"late status line", {.first_byte_delay = absl::Milliseconds(60), .tokens = 4}},
  };
  for (const auto& [name, plan] : rows) {
    emulator_->AddPlan(plan);
    const Outcome outcome = Ask(UserSays(name));
    ASSERT_TRUE(outcome.status.ok()) << name << ": " << outcome.status;
    EXPECT_TRUE(absl::StartsWith(outcome.content, DeepSeekMarker(name))) << name;
    EXPECT_EQ(outcome.finish->usage().completion_tokens(), 4) << name;
  }
  emulator_->AddPlan({.finish_reason = "content_filter"});
  EXPECT_EQ(Ask(UserSays("filtered")).finish->reason(), v1::FINISH_REASON_CONTENT_FILTER);
}

TEST_F(CloudClientTest, KeepAlivesAreNoFirstToken) {
  config_.first_token_timeout = absl::Milliseconds(150);
  Connect();
  emulator_->AddPlan({.keep_alive_for = absl::Seconds(60), .keep_alive_interval = absl::Milliseconds(10)});
  const Outcome outcome = Ask(UserSays("slow"));
  EXPECT_EQ(outcome.status.code(), StatusCode::kDeadlineExceeded) << outcome.status;
  EXPECT_TRUE(absl::StrContains(outcome.status.message(), "first token")) << outcome.status;
}

TEST_F(CloudClientTest, KeepAlivesRearmTheIdleTimer) {
  config_.idle_timeout = absl::Milliseconds(300);
  Connect();
  emulator_->AddPlan({.keep_alive_for = absl::Milliseconds(900), .keep_alive_interval = absl::Milliseconds(30)});
  EXPECT_TRUE(Ask(UserSays("alive")).status.ok());
  emulator_->AddPlan({.end = End::kStall, .end_after = 5});
  const Outcome stalled = Ask(UserSays("stalled"));
  EXPECT_EQ(stalled.status.code(), StatusCode::kDeadlineExceeded) << stalled.status;
  EXPECT_TRUE(absl::StrContains(stalled.status.message(), "silent")) << stalled.status;
  EXPECT_EQ(stalled.deltas, 5);
}

TEST_F(CloudClientTest, DeadlineEndsAStreamThatKeepsAlive) {
  emulator_->AddPlan({.keep_alive_interval = absl::Milliseconds(10), .stall_keep_alives = true, .end = End::kStall,
                      .end_after = 3});
  const Outcome outcome = Ask(UserSays("x"), absl::Milliseconds(200));
  EXPECT_EQ(outcome.status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(outcome.deltas, 3);
}

TEST_F(CloudClientTest, NextIsBoundedAndTheStreamGoesOn) {
  emulator_->AddPlan({.first_byte_delay = absl::Milliseconds(150)});
  const CloudPrompt prompt = Permitted(UserSays("late"));
  const auto stream = client_->Generate(prompt, absl::InfiniteDuration());
  std::optional<absl::Status> first;
  const auto wait = [&]() -> Task<absl::Status> {
    auto event = co_await stream->Next(In(absl::Milliseconds(20)), cancellation_);
    co_return event.status();
  };
  boost::asio::co_spawn(io_.get_executor(), wait(), [&](std::exception_ptr, absl::Status s) { first = s; });
  ASSERT_TRUE(RunUntil([&] { return first.has_value(); }));
  EXPECT_EQ(first->code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Finish(*stream).status.ok());
}

TEST_F(CloudClientTest, ConnectTimeoutCoversTheHandshake) {
  boost::asio::ip::tcp::acceptor silent(io_, {boost::asio::ip::address_v4::loopback(), 0});  // accepts, never speaks
  config_.base_url = absl::StrCat("https://127.0.0.1:", silent.local_endpoint().port());
  config_.connect_timeout = absl::Milliseconds(100);
  Connect();
  EXPECT_EQ(Ask(UserSays("x")).status.code(), StatusCode::kUnavailable);
  silent.close();
  EXPECT_EQ(Ask(UserSays("x")).status.code(), StatusCode::kUnavailable) << "refused";
}

TEST_F(CloudClientTest, DestroyingTheStreamCancels) {
  emulator_->AddRule({{.tokens = 50000, .token_interval = absl::Milliseconds(1)}, 2, 1});
  const CloudPrompt prompt = Permitted(UserSays("long"));
  auto unread = client_->Generate(prompt, absl::InfiniteDuration());
  auto read = client_->Generate(prompt, absl::InfiniteDuration());
  bool got_event = false;
  boost::asio::co_spawn(io_.get_executor(), read->Next(absl::InfiniteDuration(), cancellation_),
                        [&](std::exception_ptr, auto event) { got_event = event.ok(); });
  ASSERT_TRUE(RunUntil([&] { return got_event; }));
  read.reset();
  unread.reset();
  EXPECT_TRUE(emulator_->WaitUntil([](const auto& stats) { return stats.chats_abandoned == 2; }));
  EXPECT_TRUE(Ask(UserSays("next")).status.ok());
  // Destroyed before anything was sent.
  client_->Generate(prompt, absl::InfiniteDuration()).reset();
}

TEST_F(CloudClientTest, StreamsOutliveTheClient) {
  emulator_->AddPlan({.end = End::kStall, .end_after = 3});
  const CloudPrompt prompt = Permitted(UserSays("x"));
  const auto stream = client_->Generate(prompt, absl::InfiniteDuration());
  Outcome outcome;
  SpawnCollect(*stream, outcome);
  ASSERT_TRUE(RunUntil([&] { return outcome.deltas == 3; }));
  client_.reset();
  ASSERT_TRUE(RunUntil([&] { return outcome.status.code() != StatusCode::kUnknown; }));
  EXPECT_EQ(outcome.status.code(), StatusCode::kUnavailable);
}

TEST_F(CloudClientTest, SlowReaderHoldsTheSender) {
  constexpr int kChunks = 20000;
  std::string stream;
  for (int i = 0; i < kChunks; ++i) {
    absl::StrAppend(&stream, R"(data: {"pad":")", std::string(1000, 'x'), R"(","choices":[{"delta":{"content":")", i,
                    " \"}}]}\n\n");
  }
  absl::StrAppend(&stream, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
  config_.idle_timeout = absl::Seconds(1);  // our own slowness is not the cloud's silence
  Connect();
  emulator_->AddPlan({.raw_stream = stream});
  const CloudPrompt prompt = Permitted(UserSays("much"));
  const auto answer = client_->Generate(prompt, absl::InfiniteDuration());
  ASSERT_TRUE(RunUntil([&] { return Count("headgate_router_cloud_pauses_total") > 0; }));
  const MonotonicTime until = In(absl::Milliseconds(1500));
  RunUntil([&] { return clock_->Monotonic() > until; });
  EXPECT_EQ(emulator_->stats().chats_active, 1) << "more than the kernel's buffers hold was taken unread";
  const Outcome outcome = Finish(*answer);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  std::string expected;
  for (int i = 0; i < kChunks; ++i) absl::StrAppend(&expected, i, " ");
  EXPECT_EQ(outcome.deltas, kChunks);
  EXPECT_TRUE(outcome.content == expected);
}

TEST_F(CloudClientTest, ReusesConnections) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Ask(UserSays(absl::StrCat("turn ", i))).status.ok());
  EXPECT_EQ(emulator_->stats().connections_total, 1);
  EXPECT_EQ(Count("headgate_router_cloud_connects_total"), 1);
}

TEST_F(CloudClientTest, ManyAtOnceOnFewConnections) {
  config_.connections_max = 16;
  Connect();
  emulator_->SetDefaultPlan({.token_interval = absl::Milliseconds(1)});
  constexpr int kStreams = 200;
  std::vector<CloudPrompt> prompts;
  std::vector<std::unique_ptr<AnswerStream>> streams;
  std::vector<Outcome> outcomes(kStreams);
  prompts.reserve(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    prompts.push_back(Permitted(UserSays(absl::StrCat("question ", i))));
    streams.push_back(client_->Generate(prompts.back(), In(absl::Seconds(30))));
    SpawnCollect(*streams.back(), outcomes[static_cast<size_t>(i)]);
  }
  RunUntil([&] {
    return std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) { return o.status.ok() || o.finish; });
  });
  for (int i = 0; i < kStreams; ++i) {
    const Outcome& outcome = outcomes[static_cast<size_t>(i)];
    EXPECT_TRUE(outcome.status.ok()) << i << outcome.status;
    EXPECT_TRUE(absl::StartsWith(outcome.content, DeepSeekMarker(absl::StrCat("question ", i)))) << i;
  }
  // On a machine that stood still, a connection whose end of body came late is closed, and another takes its place.
  EXPECT_LT(emulator_->stats().connections_total, 2 * 16);
}

TEST_F(CloudClientTest, IgnoresTheEnvironmentsProxies) {
  const char* const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  for (const char* name : names) setenv(name, "http://127.0.0.1:1", 1);
  Connect();
  EXPECT_TRUE(Ask(UserSays("direct")).status.ok());
  for (const char* name : names) unsetenv(name);
}

TEST_F(CloudClientTest, FollowsNoRedirect) {
  const auto elsewhere = *DeepSeekEmulator::Start({});
  for (const int status : {301, 302, 307, 308}) {
    emulator_->AddPlan({.status = status, .location = elsewhere->base_url() + "/chat/completions"});
    EXPECT_EQ(Ask(UserSays("stay")).status.code(), StatusCode::kUnavailable) << status;
  }
  EXPECT_EQ(elsewhere->stats().connections_total, 0);
}

TEST_F(CloudClientTest, ServerIsVerified) {
  const TestCertificate right("IP:127.0.0.1"), wrong("DNS:elsewhere.example");
  struct Row {
    const char* name;
    const TestCertificate& served;
    std::string trusted;
    bool ok;
  };
  const Row rows[] = {{"trusted", right, right.cert_file(), true},
                      {"not trusted", right, "", false},
                      {"another anchor", right, wrong.cert_file(), false},
                      {"another host's", wrong, wrong.cert_file(), false}};
  for (const Row& row : rows) {
    DeepSeekEmulatorOptions options;
    options.tls_cert = row.served.cert_file();
    options.tls_key = row.served.key_file();
    config_.ca_file = row.trusted;
    StartEmulator(options);
    const Outcome outcome = Ask(UserSays("secret"));
    EXPECT_EQ(outcome.status.code(), row.ok ? StatusCode::kOk : StatusCode::kUnavailable)
        << row.name << ": " << outcome.status;
    EXPECT_EQ(emulator_->Records().empty(), !row.ok) << row.name;
    if (row.ok) {
      EXPECT_EQ(HeldBack(emulator_->port(), TcpSide::kMade), 0) << "Nagle";
    }
  }
}

TEST(MakeCloudClientTest, ChecksUrlAndKey) {
  const std::pair<const char*, bool> urls[] = {{"https://api.deepseek.com", true},
                                               {"https://api.deepseek.com/beta", true},
                                               {"http://127.0.0.1:8080", true},
                                               {"http://127.9.9.9", true},
                                               {"http://[::1]:8080/v1/", true},
                                               {"http://localhost:1", true},
                                               {"http://api.deepseek.com", false},
                                               {"http://10.0.0.1", false},
                                               {"http://localhost.example.com", false},
                                               {"http://127.0.0.1@example.com", false},
                                               {"https://user:password@example.com", false},
                                               {"https://example.com/?q=1", false},
                                               {"https://example.com/#f", false},
                                               {"ftp://example.com", false},
                                               {"file:///etc/passwd", false},
                                               {"example.com", false},
                                               {"", false}};
  for (const auto& [url, ok] : urls) EXPECT_EQ(CheckCloudUrl(url).ok(), ok) << url;
  boost::asio::io_context io;
  const auto clock = MakeRealClock(io);
  Metrics metrics;
  CloudConfig config;
  config.base_url = "https://api.deepseek.com";
  const std::pair<const char*, bool> keys[] = {{"sk-1", true}, {"", false}, {"a b", false}, {"a\r\nX: y", false}};
  for (const auto& [key, ok] : keys)
    EXPECT_EQ(MakeCloudClient(io.get_executor(), *clock, config, key, metrics).ok(), ok) << key;
  config.base_url = "http://example.com";
  EXPECT_FALSE(MakeCloudClient(io.get_executor(), *clock, config, "sk-1", metrics).ok());
}

}  // namespace
}  // namespace headgate::router
