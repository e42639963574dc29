// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_answer.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

v1::GenerateStreamResponse Event(const std::string& text) {
  v1::GenerateStreamResponse event;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &event)) << text;
  return event;
}

constexpr char kRoute[] = R"(route { target: TARGET_CLOUD model: "deep\"seek" request_id: "r1" })";

// Each `data:` line of `sse`, parsed strictly.
std::vector<Json> Chunks(const std::string& sse) {
  std::vector<Json> chunks;
  for (absl::string_view event : absl::StrSplit(sse, "\n\n", absl::SkipEmpty())) {
    EXPECT_TRUE(absl::ConsumePrefix(&event, "data: ")) << event;
    const auto json = ParseJson({event.data(), event.size()});
    EXPECT_TRUE(json.ok()) << event;
    if (json.ok()) chunks.push_back(*json);
  }
  return chunks;
}

TEST(AnswerEncoderTest, StreamsChatChunks) {
  AnswerEncoder encoder(true, true, 1700000000);
  EXPECT_EQ(encoder.Chunk(Event(kRoute)), "");
  std::string sse;
  for (const char* event :
       {R"(delta { reasoning_content: "hm" })", R"(delta { content: "a\"\n\345\245\275" })",
        R"(delta { tool_calls { index: 1 id: "c" name: "f" arguments: "{\"x\"" } })",
        R"(delta { tool_calls { index: 1 arguments: ":1}" } })",
        "finish { reason: FINISH_REASON_TOOL_CALLS usage { prompt_tokens: 3 completion_tokens: 4 cached_tokens: 1 "
        "reasoning_tokens: 2 } }"}) {
    sse += encoder.Chunk(Event(event));
  }
  const auto chunks = Chunks(sse);
  ASSERT_EQ(chunks.size(), 6u);
  for (const Json& chunk : chunks) {
    EXPECT_EQ(chunk.at("id"), "chatcmpl-r1");
    EXPECT_EQ(chunk.at("object"), "chat.completion.chunk");
    EXPECT_EQ(chunk.at("created"), 1700000000);
    EXPECT_EQ(chunk.at("model"), "deep\"seek");
  }
  const auto delta = [&](int i) { return chunks[i].at("choices").at(0).at("delta").dump(); };
  EXPECT_EQ(delta(0), R"({"role":"assistant","reasoning_content":"hm"})");
  EXPECT_EQ(delta(1), "{\"content\":\"a\\\"\\n\345\245\275\"}");
  EXPECT_EQ(delta(2),
            R"({"tool_calls":[{"index":1,"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\""}}]})");
  EXPECT_EQ(delta(3), R"({"tool_calls":[{"index":1,"function":{"arguments":":1}"}}]})");
  EXPECT_EQ(delta(4), "{}");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(chunks[i].at("choices").at(0).at("finish_reason").is_null());
  EXPECT_EQ(chunks[4].at("choices").at(0).at("finish_reason"), "tool_calls");
  EXPECT_TRUE(chunks[4].at("usage").is_null());
  EXPECT_EQ(chunks[5].at("choices").dump(), "[]");
  EXPECT_EQ(chunks[5].at("usage").dump(),
            R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1},)"
            R"("completion_tokens_details":{"reasoning_tokens":2}})");
}

TEST(AnswerEncoderTest, WithoutUsageThereIsNone) {
  AnswerEncoder encoder(true, false, 0);
  encoder.Chunk(Event(kRoute));
  const auto chunks = Chunks(encoder.Chunk(Event("finish { reason: FINISH_REASON_LENGTH }")));
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_FALSE(chunks[0].contains("usage"));
  EXPECT_EQ(chunks[0].at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(chunks[0].at("choices").at(0).at("delta").at("role"), "assistant");
}

TEST(AnswerEncoderTest, StreamsCompletions) {
  AnswerEncoder encoder(false, false, 5);
  encoder.Chunk(Event(kRoute));
  std::string sse = encoder.Chunk(Event(R"(delta { content: "x" })"));
  sse += encoder.Chunk(Event(R"(delta { reasoning_content: "no place for it" })"));
  sse += encoder.Chunk(Event("finish { reason: FINISH_REASON_STOP }"));
  const auto chunks = Chunks(sse);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].at("object"), "text_completion");
  EXPECT_EQ(chunks[0].at("id"), "cmpl-r1");
  EXPECT_EQ(chunks[0].at("choices").at(0).at("text"), "x");
  EXPECT_EQ(chunks[1].at("choices").at(0).at("finish_reason"), "stop");
}

TEST(AnswerEncoderTest, CollectsAWholeAnswer) {
  AnswerEncoder encoder(true, false, 9);
  for (const char* event : {kRoute, R"(delta { reasoning_content: "r1" })", R"(delta { reasoning_content: "r2" })",
                            R"(delta { content: "a" })", R"(delta { content: "b" })",
                            R"(delta { tool_calls { index: 0 id: "c0" name: "f" arguments: "{" } })",
                            R"(delta { tool_calls { index: 0 arguments: "}" } })",
                            R"(delta { tool_calls { index: 1 id: "c1" name: "g" } })",
                            "finish { reason: FINISH_REASON_TOOL_CALLS usage { prompt_tokens: 1 } }"}) {
    encoder.Collect(Event(event));
  }
  const auto body = ParseJson(encoder.Body());
  ASSERT_TRUE(body.ok()) << encoder.Body();
  EXPECT_EQ(body->at("object"), "chat.completion");
  EXPECT_EQ(body->at("choices").at(0).at("message").dump(),
            R"({"role":"assistant","reasoning_content":"r1r2","content":"ab","tool_calls":[)"
            R"({"id":"c0","type":"function","function":{"name":"f","arguments":"{}"}},)"
            R"({"id":"c1","type":"function","function":{"name":"g","arguments":""}}],"refusal":null})");
  EXPECT_EQ(body->at("usage").at("total_tokens"), 1);
}

TEST(AppendDeltaTest, AWildToolIndexAllocatesNothing) {
  v1::Message message;
  v1::Delta delta;
  delta.add_tool_calls()->set_index(2000000000);
  delta.add_tool_calls()->set_index(-1);
  AppendDelta(delta, message);
  EXPECT_EQ(message.tool_calls_size(), 0);
}

TEST(EmbedBodyTest, FloatsAndBase64AreTheSameNumbers) {
  v1::EmbedResponse response;
  for (const float value : {0.1f, -1.0f, 3.4e-5f}) response.add_embeddings()->add_values(value);
  response.mutable_usage()->set_prompt_tokens(6);
  const auto floats = ParseJson(EmbedBody(response, false));
  const auto base64 = ParseJson(EmbedBody(response, true));
  ASSERT_TRUE(floats.ok() && base64.ok());
  for (int i = 0; i < 3; ++i) {
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(base64->at("data").at(i).at("embedding").get<std::string>(), &bytes));
    float value = 0;
    ASSERT_EQ(bytes.size(), sizeof(value));
    std::memcpy(&value, bytes.data(), sizeof(value));
    EXPECT_EQ(value, response.embeddings(i).values(0));
    EXPECT_EQ(floats->at("data").at(i).at("embedding").at(0).get<float>(), value);
  }
  EXPECT_EQ(floats->at("usage").at("total_tokens"), 6);
}

TEST(ErrorTest, EveryCodeHasItsHttpStatusAndShape) {
  const struct {
    absl::StatusCode code;
    int http;
    const char* type;
  } rows[] = {
      {absl::StatusCode::kInvalidArgument, 400, "invalid_request_error"},
      {absl::StatusCode::kUnauthenticated, 401, "authentication_error"},
      {absl::StatusCode::kPermissionDenied, 403, "permission_error"},
      {absl::StatusCode::kNotFound, 404, "invalid_request_error"},
      {absl::StatusCode::kOutOfRange, 413, "invalid_request_error"},
      {absl::StatusCode::kResourceExhausted, 429, "rate_limit_error"},
      {absl::StatusCode::kUnimplemented, 501, "server_error"},
      {absl::StatusCode::kUnavailable, 503, "server_error"},
      {absl::StatusCode::kFailedPrecondition, 503, "server_error"},
      {absl::StatusCode::kDeadlineExceeded, 504, "server_error"},
      {absl::StatusCode::kInternal, 500, "server_error"},
      {absl::StatusCode::kDataLoss, 500, "server_error"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(absl::StatusCodeToString(row.code));
    const absl::Status status(row.code, "say \"why\"");
    EXPECT_EQ(HttpStatus(status), row.http);
    const auto json = ParseJson(ErrorBody(status));
    ASSERT_TRUE(json.ok());
    EXPECT_EQ(json->at("error").at("message"), "say \"why\"");
    EXPECT_EQ(json->at("error").at("type"), row.type);
    EXPECT_TRUE(json->at("error").at("param").is_null());
    EXPECT_TRUE(json->at("error").contains("code"));
  }
  const auto named = ParseJson(ErrorBody(FieldError("messages[0].role", "is required")));
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->at("error").at("param"), "messages[0].role");
}

}  // namespace
}  // namespace headgate::services
