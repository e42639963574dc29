// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Answers that are asked for in one piece: complete or an error, and nothing in between.

#include <set>

#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "router/upstream/cloud_wire.h"
#include "router/upstream/upstream_error.h"
#include "tests/fakes/time_scale.h"
#include "tests/unit/upstream/cloud_client_fixture.h"

namespace headgate::router {
namespace {

using absl::StatusCode;
using End = DeepSeekPlan::End;

class CloudWholeTest : public CloudClientTest {
 protected:
  CloudOutcome AskWhole(v1::GenerateRequest request, absl::Duration deadline = absl::Seconds(30)) {
    return Ask(std::move(request), deadline, /*whole=*/true);
  }
};

TEST_F(CloudWholeTest, ComesAsOneDeltaAndTheFinish) {
  const CloudOutcome outcome = AskWhole(UserSays("what is a canal"));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.deltas, 1);
  EXPECT_EQ(outcome.content, Ask(UserSays("what is a canal")).content) << "not what is streamed";
  ASSERT_TRUE(outcome.finish);
  EXPECT_EQ(outcome.finish->reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(outcome.finish->usage().completion_tokens(), 16);
  EXPECT_GT(outcome.finish->usage().prompt_tokens(), 0);
}

TEST_F(CloudWholeTest, ThinksAndCallsTools) {
  config_.thinking = true;
  Connect();
  v1::GenerateRequest request = UserSays("call");
  request.add_tools()->set_name("f");
  request.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_REQUIRED);
  const CloudOutcome outcome = AskWhole(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(outcome.reasoning.empty());
  EXPECT_EQ(outcome.calls, absl::StrCat("f{\"marker\":\"", DeepSeekMarker("call"), "\"}"));
  EXPECT_EQ(outcome.finish->reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(outcome.finish->usage().reasoning_tokens(), 4);
}

TEST_F(CloudWholeTest, SendsTheClosedListOnly) {
  v1::GenerateRequest request = UserSays("everyday");
  request.set_user("canary-user");
  request.set_session("canary-session");
  request.set_model("canary-model");
  ASSERT_TRUE(AskWhole(request).status.ok());
  const std::vector<std::string> records = emulator_->Records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_FALSE(absl::StrContains(records[0], "canary")) << records[0];
  std::set<std::string> fields;
  const nlohmann::json sent = nlohmann::json::parse(records[0].substr(records[0].find("\r\n\r\n") + 4));
  for (const auto& [key, value] : sent.items()) fields.insert(key);
  EXPECT_EQ(fields, (std::set<std::string>{"model", "messages", "stream", "thinking"}));
  EXPECT_EQ(sent["stream"], false);
}

TEST_F(CloudWholeTest, AllOrNothing) {
  const std::pair<const char*, DeepSeekPlan> rows[] = {
      {"500", {.status = 500}},
      {"closed without an answer", {.no_headers = true, .end = End::kClose}},
      {"reset without an answer", {.no_headers = true, .end = End::kReset}},
      {"no body", {.end = End::kEof, .end_after = 5}},
      {"closed in the body", {.end = End::kClose, .end_after = 5}},
      {"reset in the body", {.end = End::kReset, .end_after = 5}},
      {"not JSON", {.end = End::kMalformed, .end_after = 5}},
      {"an error instead", {.end = End::kErrorChunk, .end_after = 5}},
      {"overload", {.end = End::kInsufficient, .end_after = 5}},
  };
  for (const auto& [name, plan] : rows) {
    emulator_->AddPlan(plan);
    const CloudOutcome outcome = AskWhole(UserSays("canary prompt"));
    EXPECT_EQ(outcome.status.code(), StatusCode::kUnavailable) << name << ": " << outcome.status;
    EXPECT_EQ(outcome.deltas, 0) << name;
    EXPECT_FALSE(outcome.finish) << name;
    EXPECT_FALSE(absl::StrContains(outcome.status.message(), "canary")) << name;
    // And the next one, which may have the same handle, is served.
    EXPECT_TRUE(AskWhole(UserSays("again")).status.ok()) << name;
  }
}

TEST_F(CloudWholeTest, RefusalsSayWhatStreamedOnesSay) {
  emulator_->AddPlan({.status = 429, .retry_after = "7"});
  const CloudOutcome limited = AskWhole(UserSays("x"));
  EXPECT_EQ(limited.status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(limited.status), absl::Seconds(7));
  // A handle that is used again keeps nothing of it.
  emulator_->AddPlan({.status = 429});
  EXPECT_EQ(RetryAfter(AskWhole(UserSays("x")).status), std::nullopt);
  emulator_->AddPlan({.status = 422});
  EXPECT_EQ(AskWhole(UserSays("x")).status.code(), StatusCode::kInvalidArgument);
}

// DeepSeek writes blank lines while it works: they are no first token that must come in time, but without them it is
// taken for hung long before `idle_timeout`.
TEST_F(CloudWholeTest, BlankLinesAreTheSignOfLife) {
  config_.first_token_timeout = absl::Milliseconds(400) * TimeScale();
  config_.idle_timeout = absl::Hours(1);
  Connect();
  emulator_->AddPlan({.keep_alive_for = absl::Milliseconds(1000) * TimeScale(),
                      .keep_alive_interval = absl::Milliseconds(20)});
  EXPECT_TRUE(AskWhole(UserSays("alive")).status.ok());
  const std::pair<const char*, DeepSeekPlan> rows[] = {
      {"no byte", {.no_headers = true, .end = End::kStall}},
      {"headers, then nothing", {.end = End::kStall, .end_after = 0}},
      {"half an answer, then nothing", {.end = End::kStall, .end_after = 5}},
      {"blank lines, then nothing", {.keep_alive_for = absl::Milliseconds(100), .end = End::kStall, .end_after = 0}},
  };
  for (const auto& [name, plan] : rows) {
    emulator_->AddPlan(plan);
    const CloudOutcome silent = AskWhole(UserSays("silent"), absl::Hours(1));
    EXPECT_EQ(silent.status.code(), StatusCode::kDeadlineExceeded) << name;
    EXPECT_TRUE(absl::StrContains(silent.status.message(), "silent")) << name << ": " << silent.status;
  }
}

// Other clouds promise no sign of life.
TEST_F(CloudWholeTest, OnlySilenceAndTheDeadlineEndIt) {
  config_.dialect = CloudConfig::Dialect::kOpenAi;
  config_.first_token_timeout = absl::Milliseconds(50);
  config_.idle_timeout = absl::Milliseconds(400) * TimeScale();
  Connect();
  emulator_->AddPlan({.first_byte_delay = absl::Milliseconds(150)});
  EXPECT_TRUE(AskWhole(UserSays("late")).status.ok());
  emulator_->AddPlan({.no_headers = true, .end = End::kStall});
  const CloudOutcome silent = AskWhole(UserSays("silent"), absl::Hours(1));
  EXPECT_EQ(silent.status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(absl::StrContains(silent.status.message(), "silent")) << silent.status;
  emulator_->AddPlan({.keep_alive_for = absl::Seconds(60), .keep_alive_interval = absl::Milliseconds(10)});
  const CloudOutcome out_of_time = AskWhole(UserSays("x"), absl::Milliseconds(200));
  EXPECT_EQ(out_of_time.status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(absl::StrContains(out_of_time.status.message(), "deadline")) << out_of_time.status;
}

// Who billed what is not known: nothing only where nothing was sent, or it was refused.
TEST_F(CloudWholeTest, WhatBrokeOffMayBePaidFor) {
  const struct {
    const char* name;
    DeepSeekPlan plan;
    bool paid;
    bool output;
  } rows[] = {
      {"500", {.status = 500}, false, false},
      {"429", {.status = 429}, false, false},
      {"402", {.status = 402}, false, false},
      {"closed without an answer", {.no_headers = true, .end = End::kClose}, true, false},
      {"closed in the body", {.end = End::kClose, .end_after = 5}, true, true},
  };
  for (const auto& row : rows) {
    for (const bool whole : {true, false}) {
      emulator_->AddPlan(row.plan);
      const CloudOutcome outcome = Ask(UserSays("paid"), absl::Seconds(30), whole);
      EXPECT_FALSE(outcome.status.ok()) << row.name;
      EXPECT_EQ(outcome.paid_for.has_value(), row.paid) << row.name << " whole " << whole;
      if (whole) {
        EXPECT_EQ(outcome.paid_for.value_or(0) > 0, row.output) << row.name;
      }
    }
  }
  config_.base_url = "http://127.0.0.1:1";
  Connect();
  EXPECT_EQ(AskWhole(UserSays("never sent")).paid_for, std::nullopt);
}

TEST_F(CloudWholeTest, SharesConnectionsAndHandlesWithStreams) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(AskWhole(UserSays(absl::StrCat("turn ", i))).status.ok());
    const CloudOutcome streamed = Ask(UserSays(absl::StrCat("turn ", i)));
    ASSERT_TRUE(streamed.status.ok());
    EXPECT_EQ(streamed.deltas, 16);
  }
  EXPECT_EQ(emulator_->stats().connections_total, 1);
}

struct BodyRow {
  const char* name;
  const char* body;
  const char* content;  // null: UNAVAILABLE
};

TEST(ReadWholeAnswerTest, Table) {
  const BodyRow rows[] = {
      {"plain", R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"completion_tokens":1}})",
       "a"},
      {"blank lines first", "\n\n {\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}",
       "a"},
      {"escapes", R"({"choices":[{"message":{"content":"\u6c34\n"},"finish_reason":"stop"}]})", "水\n"},
      {"no text", R"({"choices":[{"message":{"content":null},"finish_reason":"stop"}]})", ""},
      {"no message", R"({"choices":[{"finish_reason":"stop"}]})", ""},
      {"empty", "", nullptr},
      {"cut", R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}])", nullptr},
      {"two", R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}{})", nullptr},
      {"no choice", R"({"choices":[]})", nullptr},
      {"no choices", R"({"object":"chat.completion"})", nullptr},
      {"an array", "[]", nullptr},
      {"no reason", R"({"choices":[{"message":{"content":"a"},"finish_reason":null}]})", nullptr},
      {"unknown reason", R"({"choices":[{"message":{"content":"a"},"finish_reason":"tired"}]})", nullptr},
      {"overload", R"({"choices":[{"message":{"content":"a"},"finish_reason":"insufficient_system_resource"}]})",
       nullptr},
      {"error", R"({"error":{"message":"x"},"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]})",
       nullptr},
      {"not UTF-8", "{\"choices\":[{\"message\":{\"content\":\"\xff\"},\"finish_reason\":\"stop\"}]}", nullptr},
  };
  for (const BodyRow& row : rows) {
    std::vector<v1::GenerateStreamResponse> events;
    const absl::Status status = ReadWholeAnswer(row.body, events);
    if (row.content == nullptr) {
      EXPECT_EQ(status.code(), StatusCode::kUnavailable) << row.name;
      EXPECT_TRUE(events.empty()) << row.name;
      continue;
    }
    ASSERT_TRUE(status.ok()) << row.name << ": " << status;
    ASSERT_EQ(events.size(), *row.content == '\0' ? 1u : 2u) << row.name;
    EXPECT_EQ(events.front().delta().content(), row.content) << row.name;
    EXPECT_TRUE(events.back().has_finish()) << row.name;
  }
}

// What the quick way reads, and what it leaves to the whole parser.
TEST(ReadWholeAnswerTest, UsageIsTheSameBothWays) {
  for (const char* content : {"a", "\\u0061"}) {
    std::vector<v1::GenerateStreamResponse> events;
    const std::string body =
        absl::StrCat(R"({"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":")", content,
                     R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,)",
                     R"("total_tokens":12,"prompt_tokens_details":{"cached_tokens":4},"prompt_cache_miss_tokens":5,)",
                     R"("completion_tokens_details":{"reasoning_tokens":7}}})");
    ASSERT_TRUE(ReadWholeAnswer(body, events).ok()) << body;
    EXPECT_EQ(events.front().delta().content(), "a");
    const v1::Usage& usage = events.back().finish().usage();
    EXPECT_EQ(usage.prompt_tokens(), 9);
    EXPECT_EQ(usage.completion_tokens(), 3);
    EXPECT_EQ(usage.cached_tokens(), 4);
    EXPECT_EQ(usage.reasoning_tokens(), 3) << "more than there are tokens";
  }
}

TEST(ReadWholeAnswerTest, NumbersToolCallsAsTheyStand) {
  std::vector<v1::GenerateStreamResponse> events;
  ASSERT_TRUE(ReadWholeAnswer(R"({"choices":[{"finish_reason":"tool_calls","message":{"content":"","tool_calls":[
      {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
      {"id":"b","type":"function","function":{"name":"g","arguments":"{\"x\":1}"}}]}}],
      "usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_cache_hit_tokens":4}})",
                              events)
                  .ok());
  const v1::Delta& delta = events.front().delta();
  ASSERT_EQ(delta.tool_calls_size(), 2);
  EXPECT_EQ(delta.tool_calls(0).index(), 0);
  EXPECT_EQ(delta.tool_calls(1).index(), 1);
  EXPECT_EQ(delta.tool_calls(1).arguments(), "{\"x\":1}");
  EXPECT_EQ(events.back().finish().usage().cached_tokens(), 4);
}

}  // namespace
}  // namespace headgate::router
