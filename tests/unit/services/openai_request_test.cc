// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_request.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

v1::GenerateRequest Expected(const std::string& text) {
  v1::GenerateRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

void ExpectSame(const v1::GenerateRequest& actual, const std::string& expected) {
  google::protobuf::util::MessageDifferencer differencer;
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differencer.Compare(Expected(expected), actual)) << difference;
}

std::string Chat(const std::string& more) {
  constexpr char kBody[] = R"({"model":"m","messages":[{"role":"user","content":"hi"}])";
  return absl::StrCat(kBody, more.empty() ? "" : ",", more, "}");
}
constexpr char kHi[] = R"(model: "m" messages { role: ROLE_USER content: "hi" })";

TEST(ParseChatRequestTest, TakesEveryFieldOfTheTable) {
  const struct {
    const char* name;
    const char* more;
    const char* expected;
  } rows[] = {
      {"nothing more", "", ""},
      {"sampling",
       R"("temperature":0,"top_p":0.5,"top_k":40,"min_p":0.1,"repetition_penalty":1.5,"presence_penalty":-2,
          "frequency_penalty":2,"seed":7)",
       "sampling { temperature: 0 top_p: 0.5 top_k: 40 min_p: 0.1 repetition_penalty: 1.5 presence_penalty: -2 "
       "frequency_penalty: 2 seed: 7 }"},
      {"negative seed", R"("seed":-1)", "sampling { seed: 18446744073709551615 }"},
      {"max_tokens", R"("max_tokens":5)", "max_tokens: 5"},
      {"max_completion_tokens", R"("max_completion_tokens":6)", "max_tokens: 6"},
      {"both names, same", R"("max_completion_tokens":6,"max_tokens":6)", "max_tokens: 6"},
      {"stop string", R"("stop":"x")", R"(stop: "x")"},
      {"stop array", R"("stop":["x","y"])", R"(stop: "x" stop: "y")"},
      {"user", R"("user":"u1")", R"(user: "u1")"},
      {"text format", R"("response_format":{"type":"text"})", "response_format { type: TYPE_TEXT }"},
      {"json format", R"("response_format":{"type":"json_object"})", "response_format { type: TYPE_JSON_OBJECT }"},
      {"schema",
       R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"z":1,"a":2}}})",
       R"(response_format { type: TYPE_JSON_SCHEMA json_schema: '{"z":1,"a":2}' })"},
      {"tools",
       R"("tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,
          "parameters":{"type":"object","properties":{"b":{},"a":{}}}}},{"type":"function","function":{"name":"g"}}])",
       R"(tools { name: "f" description: "d" parameters_json: '{"type":"object","properties":{"b":{},"a":{}}}' }
          tools { name: "g" })"},
      {"tool_choice none", R"("tool_choice":"none")", "tool_choice { mode: MODE_NONE }"},
      {"tool_choice auto", R"("tool_choice":"auto")", "tool_choice { mode: MODE_AUTO }"},
      {"tool_choice required", R"("tool_choice":"required")", "tool_choice { mode: MODE_REQUIRED }"},
      {"tool_choice function", R"("tool_choice":{"type":"function","function":{"name":"f"}})",
       R"(tool_choice { mode: MODE_FUNCTION function_name: "f" })"},
      {"ignored fields go nowhere",
       R"("metadata":{"k":"v"},"store":true,"service_tier":"auto","parallel_tool_calls":true,
          "safety_identifier":"s","prompt_cache_key":"p")",
       ""},
      {"refused fields that say nothing",
       R"("n":1,"logprobs":false,"top_logprobs":0,"logit_bias":{},"modalities":["text"],"audio":null,"functions":[])",
       ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto parsed = ParseChatRequest(Chat(row.more));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ExpectSame(parsed->content, absl::StrCat(kHi, " ", row.expected));
  }
}

TEST(ParseChatRequestTest, ReadsMessages) {
  const struct {
    const char* name;
    const char* message;
    const char* expected;
  } rows[] = {
      {"system", R"({"role":"system","content":"s"})", R"(role: ROLE_SYSTEM content: "s")"},
      {"developer is system", R"({"role":"developer","content":"s"})", R"(role: ROLE_SYSTEM content: "s")"},
      {"name", R"({"role":"user","content":"s","name":"bob"})", R"(role: ROLE_USER content: "s" name: "bob")"},
      {"parts", R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})",
       R"(role: ROLE_USER content: "a\nb")"},
      {"tool calls",
       R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","index":0,
           "function":{"name":"f","arguments":"{\"x\":1}"}}],"refusal":null,"annotations":[],"audio":null})",
       R"(role: ROLE_ASSISTANT tool_calls { id: "c1" name: "f" arguments: '{"x":1}' })"},
      {"tool", R"({"role":"tool","tool_call_id":"c1","content":"5"})",
       R"(role: ROLE_TOOL tool_call_id: "c1" content: "5")"},
      {"reasoning", R"({"role":"assistant","content":"a","reasoning_content":"r"})",
       R"(role: ROLE_ASSISTANT content: "a" reasoning_content: "r")"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto parsed = ParseChatRequest(absl::StrCat(R"({"messages":[)", row.message, "]}"));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ExpectSame(parsed->content, absl::StrCat("messages { ", row.expected, " }"));
  }
}

TEST(ParseChatRequestTest, RefusesByName) {
  const struct {
    const char* name;
    std::string body;
    const char* field;
  } rows[] = {
      {"no messages", "{}", "messages"},
      {"not an object", "[]", "body"},
      {"messages no array", R"({"messages":{}})", "messages"},
      {"message no object", R"({"messages":["x"]})", "messages[0]"},
      {"no role", R"({"messages":[{"content":"x"}]})", "messages[0].role"},
      {"role function", R"({"messages":[{"role":"function","content":"x"}]})", "messages[0].role"},
      {"image part", R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},
          {"type":"image_url","image_url":{"url":"data:"}}]}]})", "messages[0].content[1].type"},
      {"file part", R"({"messages":[{"role":"user","content":[
          {"type":"file","file":{"file_id":"f","filename":"a.pdf"}}]}]})", "messages[0].content[0].type"},
      {"audio part", R"({"messages":[{"role":"user","content":[
          {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]})",
       "messages[0].content[0].type"},
      {"part with more", R"({"messages":[{"role":"user","content":[{"type":"text","text":"a","x":1}]}]})",
       "messages[0].content[0].x"},
      {"prefix message", R"({"messages":[{"role":"assistant","content":"a","prefix":true}]})", "messages[0].prefix"},
      {"old function call", R"({"messages":[{"role":"assistant","content":"a","function_call":{"name":"f"}}]})",
       "messages[0].function_call"},
      {"custom tool call", R"({"messages":[{"role":"assistant","tool_calls":[{"type":"custom"}]}]})",
       "messages[0].tool_calls[0].type"},
      {"unknown field", Chat(R"("frobnicate":1)"), "frobnicate"},
      {"misspelt field", Chat(R"("max_token":1)"), "max_token"},
      {"model number", R"({"model":1,"messages":[]})", "model"},
      {"temperature text", Chat(R"("temperature":"0.5")"), "temperature"},
      {"temperature huge", Chat(R"("temperature":1e300)"), "temperature"},
      {"max_tokens fraction", Chat(R"("max_tokens":1.5)"), "max_tokens"},
      {"max_tokens huge", Chat(R"("max_tokens":4294967297)"), "max_tokens"},
      {"two different maxima", Chat(R"("max_tokens":1,"max_completion_tokens":2)"), "max_completion_tokens"},
      {"seed huge", Chat(R"("seed":18446744073709551615)"), "seed"},
      {"n", Chat(R"("n":2)"), "n"},
      {"logprobs", Chat(R"("logprobs":true)"), "logprobs"},
      {"top_logprobs", Chat(R"("top_logprobs":3)"), "top_logprobs"},
      {"logit_bias", Chat(R"("logit_bias":{"50256":-100})"), "logit_bias"},
      {"audio", Chat(R"("modalities":["text","audio"])"), "modalities"},
      {"functions", Chat(R"("functions":[{"name":"f"}])"), "functions"},
      {"reasoning_effort", Chat(R"("reasoning_effort":"high")"), "reasoning_effort"},
      {"stop number", Chat(R"("stop":[1])"), "stop[0]"},
      {"format", Chat(R"("response_format":{"type":"yaml"})"), "response_format.type"},
      {"schema missing", Chat(R"("response_format":{"type":"json_schema"})"), "response_format.json_schema"},
      {"schema no object", Chat(R"("response_format":{"type":"json_schema","json_schema":{"schema":"x"}})"),
       "response_format.json_schema.schema"},
      {"tool type", Chat(R"("tools":[{"type":"retrieval"}])"), "tools[0].type"},
      {"tool name", Chat(R"("tools":[{"type":"function","function":{}}])"), "tools[0].function.name"},
      {"tool parameters", Chat(R"("tools":[{"type":"function","function":{"name":"f","parameters":[]}}])"),
       "tools[0].function.parameters"},
      {"tool_choice", Chat(R"("tool_choice":"any")"), "tool_choice"},
      {"stream_options without stream", Chat(R"("stream_options":{"include_usage":true})"), "stream_options"},
      {"stream_options unknown", Chat(R"("stream":true,"stream_options":{"x":1})"), "stream_options.x"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto parsed = ParseChatRequest(row.body);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ParamOf(parsed.status()), row.field) << parsed.status();
  }
}

TEST(ParseChatRequestTest, ReadsStreamOptions) {
  const auto whole = ParseChatRequest(Chat(""));
  ASSERT_TRUE(whole.ok());
  EXPECT_FALSE(whole->stream);
  const auto stream = ParseChatRequest(Chat(R"("stream":true,"stream_options":{"include_usage":true})"));
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_TRUE(stream->stream);
  EXPECT_TRUE(stream->include_usage);
}

// No string of an ignored or refused field may reach the request: it would be sent on, or at least kept, unscreened.
TEST(ParseChatRequestTest, NothingThatIsIgnoredReachesTheRequest) {
  const auto parsed = ParseChatRequest(
      Chat(R"("metadata":{"canary":"canary"},"service_tier":"canary","safety_identifier":"canary",
              "prompt_cache_key":"canary","response_format":{"type":"json_schema","json_schema":
              {"name":"canary","description":"canary","schema":{}}})"));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->content.SerializeAsString().find("canary"), std::string::npos);
}

TEST(ParseCompletionRequestTest, Table) {
  const struct {
    const char* name;
    const char* body;
    const char* field;  // empty: accepted
  } rows[] = {
      {"text", R"({"model":"m","prompt":"p","max_tokens":3,"temperature":0})", ""},
      {"one text in an array", R"({"prompt":["p"]})", ""},
      {"legacy nulls", R"({"prompt":"p","suffix":null,"echo":false,"best_of":1,"logprobs":null})", ""},
      {"no prompt", R"({})", "prompt"},
      {"two prompts", R"({"prompt":["a","b"]})", "prompt"},
      {"no prompts", R"({"prompt":[]})", "prompt"},
      {"tokens", R"({"prompt":[1,2]})", "prompt"},
      {"token arrays", R"({"prompt":[[1,2]]})", "prompt"},
      {"suffix", R"({"prompt":"p","suffix":"s"})", "suffix"},
      {"echo", R"({"prompt":"p","echo":true})", "echo"},
      {"best_of", R"({"prompt":"p","best_of":3})", "best_of"},
      {"messages", R"({"prompt":"p","messages":[]})", "messages"},
      {"max_completion_tokens is chat's", R"({"prompt":"p","max_completion_tokens":1})", "max_completion_tokens"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto parsed = ParseCompletionRequest(row.body);
    EXPECT_EQ(parsed.ok(), *row.field == '\0') << parsed.status();
    if (parsed.ok()) {
      EXPECT_EQ(parsed->content.prompt(), "p");
    } else {
      EXPECT_EQ(ParamOf(parsed.status()), row.field);
    }
  }
}

TEST(ParseEmbedRequestTest, Table) {
  const auto one = ParseEmbedRequest(R"({"model":"m","input":"a","encoding_format":"base64","user":"u"})");
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_TRUE(one->base64);
  EXPECT_EQ(one->content.input_size(), 1);
  const auto two = ParseEmbedRequest(R"({"input":["a","b"]})");
  ASSERT_TRUE(two.ok());
  EXPECT_FALSE(two->base64);
  EXPECT_EQ(two->content.input(1), "b");
  EXPECT_EQ(ParamOf(ParseEmbedRequest(R"({"input":[1]})").status()), "input");
  EXPECT_EQ(ParamOf(ParseEmbedRequest(R"({"input":"a","dimensions":8})").status()), "dimensions");
  EXPECT_EQ(ParamOf(ParseEmbedRequest(R"({"input":"a","encoding_format":"hex"})").status()), "encoding_format");
}

TEST(ParseSensitivityTest, AcceptsTheFourNamesOnly) {
  for (const char* name : {"public", "internal", "confidential", "restricted"}) {
    const auto level = ParseSensitivity(name);
    ASSERT_TRUE(level.ok());
    EXPECT_EQ(SensitivityName(*level), name);
  }
  EXPECT_EQ(*ParseSensitivity("Restricted"), v1::SENSITIVITY_LEVEL_RESTRICTED);
  for (const char* name : {"", "secret", "0", "4", "restricted ", "publicity"}) {
    EXPECT_FALSE(ParseSensitivity(name).ok()) << name;
  }
}

}  // namespace
}  // namespace headgate::services
