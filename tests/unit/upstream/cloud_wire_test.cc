// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/cloud_wire.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

using Json = nlohmann::json;
using absl::StatusCode;

v1::GenerateRequest Request(const std::string& text) {
  v1::GenerateRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

Json Body(const std::string& request, bool thinking) {
  const auto body = CloudRequestBody(Request(request), {"configured-model", thinking});
  EXPECT_TRUE(body.ok()) << body.status();
  return body.ok() ? Json::parse(*body) : Json();
}

struct BodyRow {
  const char* name;
  const char* request;
  bool thinking;
  const char* extra;  // JSON beside model, stream, stream_options, thinking
};

const BodyRow kBodyRows[] = {
    {"messages in order", R"(messages { role: ROLE_SYSTEM content: "s" } messages { role: ROLE_USER content: "u" })",
     false, R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]})"},
    {"raw prompt becomes a user message", R"(prompt: "once")", false,
     R"({"messages":[{"role":"user","content":"once"}]})"},
    {"sampling, limits, shortest decimals",
     R"(prompt: "p" sampling { temperature: 0.7 top_p: 0.1 presence_penalty: -0.5 frequency_penalty: 2 }
        max_tokens: 5 stop: "a" stop: "b" response_format { type: TYPE_JSON_OBJECT })",
     false,
     R"({"messages":[{"role":"user","content":"p"}],"temperature":0.7,"top_p":0.1,"presence_penalty":-0.5,
         "frequency_penalty":2.0,"max_tokens":5,"stop":["a","b"],"response_format":{"type":"json_object"}})"},
    {"fields of local engines and of the client stay here",
     R"(model: "m" prompt: "p" sampling { top_k: 4 min_p: 0.5 repetition_penalty: 1.1 seed: 7 } priority: PRIORITY_BATCH
        declared_sensitivity: SENSITIVITY_LEVEL_PUBLIC session: "s" user: "u")",
     false, R"({"messages":[{"role":"user","content":"p"}]})"},
    {"tools",
     R"(prompt: "p" tools { name: "f" description: "d" parameters_json: "{\"type\":\"object\"}" }
        tools { name: "g" }
        tool_choice { mode: MODE_REQUIRED })",
     false,
     R"({"messages":[{"role":"user","content":"p"}],"tool_choice":"required","tools":[
         {"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},
         {"type":"function","function":{"name":"g"}}]})"},
    {"tool choice by name", R"(prompt: "p" tool_choice { mode: MODE_FUNCTION function_name: "f" })", false,
     R"({"messages":[{"role":"user","content":"p"}],"tool_choice":{"type":"function","function":{"name":"f"}}})"},
    {"thinking: a tool-call turn carries reasoning_content even when empty",
     R"(messages { role: ROLE_ASSISTANT tool_calls { id: "c" name: "f" arguments: "{}" } }
        messages { role: ROLE_TOOL content: "r" tool_call_id: "c" })",
     true,
     R"({"messages":[{"role":"assistant","content":"","reasoning_content":"","tool_calls":[
         {"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
         {"role":"tool","content":"r","tool_call_id":"c"}]})"},
    {"thinking: other turns carry it when there is some",
     R"(messages { role: ROLE_ASSISTANT content: "a" reasoning_content: "why" }
        messages { role: ROLE_ASSISTANT content: "b" })",
     true,
     R"({"messages":[{"role":"assistant","content":"a","reasoning_content":"why"},
         {"role":"assistant","content":"b"}]})"},
    {"not thinking: reasoning is not sent",
     R"(messages { role: ROLE_ASSISTANT content: "a" reasoning_content: "why" })", false,
     R"({"messages":[{"role":"assistant","content":"a"}]})"},
};

TEST(CloudRequestBodyTest, RebuildsFromTheClosedList) {
  for (const BodyRow& row : kBodyRows) {
    Json expected = Json::parse(row.extra);
    expected["model"] = "configured-model";
    expected["stream"] = true;
    expected["stream_options"] = {{"include_usage", true}};
    expected["thinking"] = {{"type", row.thinking ? "enabled" : "disabled"}};
    EXPECT_EQ(Body(row.request, row.thinking), expected) << row.name;
  }
}

TEST(CloudRequestBodyTest, WhoGetsEarlierThoughts) {
  using Dialect = CloudBody::Dialect;
  const v1::GenerateRequest request = Request(
      R"(messages { role: ROLE_ASSISTANT reasoning_content: "why" tool_calls { id: "c" name: "f" arguments: "{}" } }
         messages { role: ROLE_ASSISTANT tool_calls { id: "d" name: "f" arguments: "{}" } }
         messages { role: ROLE_USER content: "u" })");
  struct Row {
    const char* name;
    Dialect dialect;
    bool thinking;
    const char *first, *second;  // null: the field is absent
  };
  const Row rows[] = {
      {"DeepSeek that thinks", Dialect::kDeepSeek, true, "why", ""},
      {"DeepSeek that does not", Dialect::kDeepSeek, false, nullptr, nullptr},
      {"another cloud", Dialect::kOpenAi, false, nullptr, nullptr},
      {"a pod of our own", Dialect::kLocalEngine, false, "why", nullptr},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    CloudBody about{"m", row.thinking};
    about.dialect = row.dialect;
    const Json body = Json::parse(CloudRequestBody(request, about).value());
    const char* const expected[] = {row.first, row.second};
    for (size_t i = 0; i < 2; ++i) {
      const Json& message = body["messages"][i];
      EXPECT_EQ(message.contains("reasoning_content"), expected[i] != nullptr) << message;
      if (expected[i] != nullptr) {
        EXPECT_EQ(message["reasoning_content"], expected[i]);
      }
    }
  }
}

TEST(CloudRequestBodyTest, RefusesWhatItCannotSay) {
  const std::string deep = absl::StrCat(R"(prompt: "p" tools { name: "f" parameters_json: '{"a":)",
                                        std::string(100000, '['), std::string(100000, ']'), "}' }");
  const std::pair<const char*, std::string> rows[] = {
      {"schema is not JSON", R"(prompt: "p" tools { name: "f" parameters_json: "{" })"},
      {"schema is not an object", R"(prompt: "p" tools { name: "f" parameters_json: "[]" })"},
      {"schema nests too deep", deep},
      {"schema for the answer", R"(prompt: "p" response_format { type: TYPE_JSON_SCHEMA json_schema: "{}" })"},
  };
  for (const auto& [name, text] : rows)
    EXPECT_EQ(CloudRequestBody(Request(text), {"m"}).status().code(), StatusCode::kInvalidArgument) << name;
}

TEST(CloudStatusTest, EveryStatus) {
  const std::pair<long, StatusCode> rows[] = {
      {400, StatusCode::kInvalidArgument},   {401, StatusCode::kUnauthenticated},
      {402, StatusCode::kFailedPrecondition},
      {403, StatusCode::kUnauthenticated},   {404, StatusCode::kUnavailable},     {422, StatusCode::kInvalidArgument},
      {429, StatusCode::kResourceExhausted}, {500, StatusCode::kUnavailable},     {502, StatusCode::kUnavailable},
      {503, StatusCode::kUnavailable},       {302, StatusCode::kUnavailable},     {204, StatusCode::kUnavailable}};
  for (const auto& [http, code] : rows) {
    const absl::Status status = CloudStatus(http, absl::Seconds(3));
    EXPECT_EQ(status.code(), code) << http;
    const bool delayed = code == StatusCode::kResourceExhausted || code == StatusCode::kUnavailable;
    EXPECT_EQ(RetryAfter(status).has_value(), delayed) << http;
  }
  EXPECT_EQ(CloudStatus(400, std::nullopt).message(), "cloud refused the request (status 400)");
}

TEST(ParseRetryAfterTest, SecondsAndDates) {
  const absl::Time now = absl::FromUnixSeconds(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_EQ(ParseRetryAfter("3", now), absl::Seconds(3));
  EXPECT_EQ(ParseRetryAfter(" 0 ", now), absl::ZeroDuration());
  EXPECT_EQ(ParseRetryAfter("99999999999999999999", now), absl::Hours(1));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:47 GMT", now), absl::Seconds(10));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:07 GMT", now), absl::ZeroDuration());
  for (const char* bad : {"", "-1", "soon", "1.5"}) EXPECT_EQ(ParseRetryAfter(bad, now), std::nullopt) << bad;
}

std::string Chunk(const std::string& delta, const std::string& finish = "null") {
  return absl::StrCat("data: {\"choices\":[{\"index\":0,\"delta\":", delta, ",\"finish_reason\":", finish, "}]}\n\n");
}

constexpr char kUsage[] =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_cache_hit_tokens\":4,"
    "\"prompt_cache_miss_tokens\":6,\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\n";
constexpr char kDone[] = "data: [DONE]\n\n";

// Everything that a reader made of `pieces`, and how it ended.
struct Reading {
  std::string content, reasoning, calls;
  std::optional<v1::Finish> finish;
  int deltas = 0;
  absl::Status status;
};

Reading ReadPieces(const std::vector<std::string>& pieces) {
  SseReader reader;
  Reading reading;
  std::vector<v1::GenerateStreamResponse> events;
  for (const std::string& piece : pieces) {
    reading.status = reader.Read(piece, events);
    if (!reading.status.ok()) break;
  }
  if (reading.status.ok()) reading.status = reader.End(events);
  for (const v1::GenerateStreamResponse& event : events) {
    if (event.has_finish()) reading.finish = event.finish();
    if (!event.has_delta()) continue;
    ++reading.deltas;
    reading.content += event.delta().content();
    reading.reasoning += event.delta().reasoning_content();
    for (const auto& call : event.delta().tool_calls())
      absl::StrAppend(&reading.calls, call.index(), ":", call.id(), ":", call.name(), ":", call.arguments(), ";");
  }
  return reading;
}

Reading ReadText(const std::string& text) { return ReadPieces({text}); }

const std::string& WholeStream() {
  static const std::string stream = absl::StrCat(
      ": keep-alive\r\n\r\n\n", Chunk(R"({"role":"assistant","content":null,"reasoning_content":""})"),
      Chunk(R"({"reasoning_content":"think"})"), Chunk(R"({"content":"水 \u6c34"})"), Chunk(R"({"content":" b"})"),
      Chunk("{}", "\"stop\""), kUsage, kDone);
  return stream;
}

void ExpectWhole(const Reading& reading, const std::string& where) {
  ASSERT_TRUE(reading.status.ok()) << where << " " << reading.status;
  EXPECT_EQ(reading.reasoning, "think") << where;
  EXPECT_EQ(reading.content, "水 水 b") << where;
  EXPECT_EQ(reading.deltas, 3) << where << ": the first thinking chunk is not content";
  ASSERT_TRUE(reading.finish) << where;
  EXPECT_EQ(reading.finish->reason(), v1::FINISH_REASON_STOP) << where;
  EXPECT_EQ(reading.finish->usage().prompt_tokens(), 10) << where;
  EXPECT_EQ(reading.finish->usage().cached_tokens(), 4) << where;
  EXPECT_EQ(reading.finish->usage().completion_tokens(), 5) << where;
  EXPECT_EQ(reading.finish->usage().reasoning_tokens(), 2) << where;
}

TEST(SseReaderTest, EverySplitGivesTheSameEvents) {
  const std::string& stream = WholeStream();
  ExpectWhole(ReadText(stream), "whole");
  for (size_t i = 0; i <= stream.size(); ++i)
    ExpectWhole(ReadPieces({stream.substr(0, i), stream.substr(i)}), absl::StrCat("split at ", i));
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  ExpectWhole(ReadPieces(bytes), "byte by byte");
  std::string crlf;
  for (const char c : stream) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  ExpectWhole(ReadText(crlf), "CRLF");
}

TEST(SseReaderTest, EveryCutBeforeDoneIsUnavailable) {
  const std::string& stream = WholeStream();
  const size_t done = stream.find("[DONE]") + 6;  // the line end itself may be missing
  for (size_t i = 0; i < done; ++i) {
    const Reading reading = ReadText(stream.substr(0, i));
    EXPECT_EQ(reading.status.code(), StatusCode::kUnavailable) << "cut at " << i;
    EXPECT_FALSE(reading.finish) << "cut at " << i;
  }
  ExpectWhole(ReadText(stream.substr(0, done)), "cut after DONE");
}

TEST(SseReaderTest, UsageLastOneCounts) {
  const std::string wrong = R"(,"usage":{"prompt_tokens":1,"completion_tokens":1}})";
  std::string finish = Chunk("{}", "\"stop\"");
  finish.replace(finish.rfind('}'), 1, wrong);
  const Reading both = ReadText(absl::StrCat(finish, kUsage, kDone));
  ASSERT_TRUE(both.finish) << both.status;
  EXPECT_EQ(both.finish->usage().prompt_tokens(), 10);
  const Reading only = ReadText(absl::StrCat(finish, kDone));
  ASSERT_TRUE(only.finish);
  EXPECT_EQ(only.finish->usage().prompt_tokens(), 1);
  const Reading none = ReadText(absl::StrCat(Chunk("{}", "\"stop\""), kDone));
  ASSERT_TRUE(none.finish);
  EXPECT_FALSE(none.finish->has_usage());
}

TEST(SseReaderTest, UsageIsNeverNegativeNorCachedAboveThePrompt) {
  const Reading reading = ReadText(absl::StrCat(
      Chunk("{}", "\"stop\""),
      R"(data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":-5,)"
      R"("prompt_tokens_details":{"cached_tokens":9}}})",
      "\n", kDone));
  ASSERT_TRUE(reading.finish);
  EXPECT_EQ(reading.finish->usage().cached_tokens(), 3);
  EXPECT_EQ(reading.finish->usage().completion_tokens(), 0);
}

TEST(SseReaderTest, ToolCalls) {
  const Reading reading = ReadText(absl::StrCat(
      Chunk(R"({"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}}]})"),
      Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]})"),
      Chunk(R"({"tool_calls":[{"index":1,"id":"c1","function":{"name":"g","arguments":"{}"}}]})"),
      Chunk("{}", "\"tool_calls\""), kDone));
  ASSERT_TRUE(reading.finish) << reading.status;
  EXPECT_EQ(reading.finish->reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(reading.calls, "0:c0:f:;0:::{\"a\";1:c1:g:{};");
}

TEST(SseReaderTest, Endings) {
  const std::pair<const char*, v1::FinishReason> clean[] = {{"stop", v1::FINISH_REASON_STOP},
                                                            {"length", v1::FINISH_REASON_LENGTH},
                                                            {"content_filter", v1::FINISH_REASON_CONTENT_FILTER}};
  for (const auto& [name, reason] : clean) {
    const Reading reading = ReadText(absl::StrCat(Chunk("{}", absl::StrCat("\"", name, "\"")), kDone));
    ASSERT_TRUE(reading.finish) << name;
    EXPECT_EQ(reading.finish->reason(), reason) << name;
  }
  const std::pair<const char*, std::string> broken[] = {
      {"overload", Chunk("{}", "\"insufficient_system_resource\"")},
      {"unknown reason", Chunk("{}", "\"because\"")},
      {"no reason", Chunk(R"({"content":"a"})")},
      {"error chunk", "data: {\"error\":{\"message\":\"m\"}}\n\n"},
      {"not JSON", "data: {\"choices\":[\n\n"},
      {"not an object", "data: 5\n\n"},
      {"choices of a wrong type", "data: {\"choices\":3}\n\n"},
      {"bad UTF-8", "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n"},
      {"line without an end", std::string(SseReader::kLineBytesMax + 1, 'x')},
  };
  for (const auto& [name, text] : broken) {
    const Reading reading = ReadText(text + kDone);
    EXPECT_EQ(reading.status.code(), StatusCode::kUnavailable) << name;
    EXPECT_FALSE(reading.finish) << name;
  }
}

TEST(SseReaderTest, OddButHarmless) {
  const Reading reading = ReadText(absl::StrCat(
      "event: message\nid: 5\nretry: 10\n", "data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n", "data:\n",
      "data: {}\n",
      "data: {\"choices\":[{\"delta\":{\"content\":7,\"tool_calls\":null}}]}\n", "data: {\"choices\":[null]}\n",
      Chunk("{}", "\"stop\""), kDone, "data: not JSON, after the end\n"));
  EXPECT_TRUE(reading.status.ok()) << reading.status;
  EXPECT_EQ(reading.content, "a");
}

}  // namespace
}  // namespace headgate::router
