// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The OpenAI-compatible API of the running router.
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "boost/asio.hpp"
#include "common/digest.h"
#include "services/router/openai_json.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using services::Json;
using services::ParseJson;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kChat[] = "/v1/chat/completions";

class HttpApiTest : public RouterWorld {
 protected:
  // Tenant alpha with key-a; slow with key-s and one request in its bucket. Small limits.
  static RouterYaml TwoTenants() {
    RouterYaml yaml;
    yaml.limits = "  drain: 1s\n  body_bytes_max: 20000\n  prompt_bytes_max: 10000\n";
    yaml.tenants = absl::StrCat("tenants:\n  - name: alpha\n    api_key_sha256: [\"", Hex(Sha256("key-a")),
                                "\"]\n  - name: slow\n    requests_per_second: 0.01\n    burst: 1\n"
                                "    api_key_sha256: [\"",
                                Hex(Sha256("key-s")), "\"]\n");
    return yaml;
  }
  static Json Parse(const std::string& body) {
    const auto json = ParseJson(body);
    EXPECT_TRUE(json.ok()) << json.status() << " in " << body;
    return json.ok() ? *json : Json();
  }
  // The JSON of each `data:` line but [DONE].
  static std::vector<Json> Events(const std::string& sse) {
    std::vector<Json> events;
    for (absl::string_view event : absl::StrSplit(sse, "\n\n", absl::SkipEmpty())) {
      EXPECT_TRUE(absl::ConsumePrefix(&event, "data: ")) << event;
      if (event != "[DONE]") events.push_back(Parse(std::string(event)));
    }
    return events;
  }
};

TEST_F(HttpApiTest, EachRequestGoesWhereItMust) {
  StartAll();
  const struct {
    const char* name;
    std::string text;
    std::vector<std::string> headers;
    const char* route;
    const char* level;
  } rows[] = {
      {"everyday", "What is a canal?", {}, "cloud", "public"},
      {"resident ID", absl::StrCat("Who is ", kResidentId, "?"), {}, "local", "restricted"},
      {"declared restricted", "What is a canal?", {"x-headgate-sensitivity: restricted"}, "local", "restricted"},
      {"declared confidential", "What is a canal?", {"X-Headgate-Sensitivity: Confidential"}, "local", "confidential"},
      {"declared internal", "What is a canal?", {"x-headgate-sensitivity: internal"}, "cloud", "internal"},
      {"two declarations: the higher counts", "What is a canal?",
       {"x-headgate-sensitivity: restricted", "x-headgate-sensitivity: public"}, "local", "restricted"},
      {"a declaration cannot lower", kResidentId, {"x-headgate-sensitivity: public"}, "local", "restricted"},
  };
  for (const auto& row : rows) {
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(absl::StrCat(row.name, stream ? ", streamed" : ""));
      const char* const more = stream ? "\"max_tokens\":8,\"stream\":true" : "\"max_tokens\":8";
      const HttpResult result = PostJson(http(kChat), ChatBody(row.text, more), row.headers);
      EXPECT_TRUE(result.transport_ok);
      EXPECT_EQ(result.status, 200) << result.body;
      EXPECT_EQ(result.headers.at("x-headgate-route"), row.route);
      EXPECT_EQ(result.headers.at("x-headgate-sensitivity"), row.level);
      EXPECT_EQ(result.headers.count("x-headgate-reasons"), 1u);
      EXPECT_FALSE(result.headers.at("x-request-id").empty());
      if (stream) {
        EXPECT_THAT(result.body, EndsWith("data: [DONE]\n\n"));
      }
    }
  }
  for (const std::string& record : emulator_->Records()) {
    EXPECT_THAT(record, ::testing::Not(HasSubstr(kResidentId)));
    EXPECT_THAT(record, ::testing::Not(HasSubstr("x-headgate")));
  }
}

// SDKs name a model: /v1/models lists the cloud's, and some know no other than their own.
TEST_F(HttpApiTest, ANameThatNoEngineServesIsAnsweredLocallyToo) {
  StartAll();
  for (const char* const model : {"", "reference", "deepseek-flash", "gpt-4o"}) {
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(absl::StrCat(model, stream ? ", streamed" : ""));
      const auto body = [&](const char* text) {
        const Json message = {{"role", "user"}, {"content", text}};
        return Json{{"model", model}, {"messages", {message}}, {"max_tokens", 8}, {"stream", stream}}.dump();
      };
      const HttpResult local = PostJson(http(kChat), body(kResidentId));
      EXPECT_EQ(local.status, 200) << local.body;
      EXPECT_EQ(local.headers.at("x-headgate-route"), "local");
      EXPECT_THAT(local.body, HasSubstr("\"model\":\"reference\""));
      const HttpResult cloud = PostJson(http(kChat), body("What is a canal?"));
      EXPECT_EQ(cloud.status, 200) << cloud.body;
      EXPECT_EQ(cloud.headers.at("x-headgate-route"), "cloud");
    }
  }
  const HttpResult embedding = PostJson(http("/v1/embeddings"), R"({"input":"a","model":"text-embedding-3-small"})");
  EXPECT_EQ(embedding.status, 404) << "numbers of another model are of no use";
}

// Every URL that a request holds leads to the cloud's own port: whoever fetched one would be in its record.
TEST_F(HttpApiTest, NoUrlInARequestIsFetched) {
  StartAll();
  const std::string trap = absl::StrCat("http://127.0.0.1:", emulator_->port(), "/trap");
  const std::string content = absl::StrCat("Look: ![a](", trap, ".png) <img src='", trap, "'> ", trap, "/page");
  const std::string more = absl::StrCat(R"("max_tokens":2,"user":")", trap,
                                        R"(","tools":[{"type":"function","function":{"name":"f","description":")",
                                        trap, R"(","parameters":{"$schema":")", trap, R"(","$ref":")", trap,
                                        R"("}}}])");
  for (const char* level : {"public", "restricted"}) {
    const std::vector<std::string> headers = {absl::StrCat("x-headgate-sensitivity: ", level)};
    const HttpResult result = PostJson(http(kChat), ChatBody(content, more), headers);
    EXPECT_EQ(result.status, 200) << result.body;
  }
  const auto fetched = [this] {
    int count = 0;
    for (const std::string& record : emulator_->Records()) {
      count += absl::StrContains(record, "GET /trap") || absl::StrContains(record, "HEAD /trap");
    }
    return count;
  };
  EXPECT_EQ(emulator_->stats().chats_total, 1);
  EXPECT_EQ(fetched(), 0);
  Get(trap + ".png");
  EXPECT_EQ(fetched(), 1) << "the trap works";
}

TEST_F(HttpApiTest, AWholeAnswerAndAStreamSayTheSame) {
  StartAll();
  for (const char* level : {"public", "restricted"}) {
    SCOPED_TRACE(level);
    const std::vector<std::string> headers = {absl::StrCat("x-headgate-sensitivity: ", level), "x-request-id: my-id_1"};
    const std::string more = R"("max_tokens":8,"temperature":0,"user":"u")";
    const HttpResult whole = PostJson(http(kChat), ChatBody("hello", more), headers);
    ASSERT_EQ(whole.status, 200) << whole.body;
    const Json answer = Parse(whole.body);
    EXPECT_EQ(answer.at("object"), "chat.completion");
    EXPECT_EQ(answer.at("id"), "chatcmpl-my-id_1");
    EXPECT_EQ(whole.headers.at("x-request-id"), "my-id_1");
    const std::string content = answer.at("choices").at(0).at("message").at("content");
    EXPECT_FALSE(content.empty());

    const HttpResult stream = PostJson(
        http(kChat), ChatBody("hello", more + R"(,"stream":true,"stream_options":{"include_usage":true})"), headers);
    ASSERT_EQ(stream.status, 200) << stream.body;
    EXPECT_THAT(stream.headers.at("content-type"), HasSubstr("text/event-stream"));
    const auto events = Events(stream.body);
    ASSERT_GE(events.size(), 3u);
    std::string together;
    for (const Json& event : events) {
      EXPECT_EQ(event.at("object"), "chat.completion.chunk");
      if (event.at("choices").empty()) continue;
      const Json& delta = event.at("choices").at(0).at("delta");
      if (delta.contains("content")) together += delta.at("content").get<std::string>();
    }
    EXPECT_EQ(together, content);
    EXPECT_EQ(events[0].at("choices").at(0).at("delta").at("role"), "assistant");
    EXPECT_EQ(events[events.size() - 2].at("choices").at(0).at("finish_reason"),
              answer.at("choices").at(0).at("finish_reason"));
    EXPECT_EQ(events.back().at("usage").at("total_tokens"), answer.at("usage").at("total_tokens"));
  }
}

TEST_F(HttpApiTest, OtherPaths) {
  StartAll();
  EXPECT_EQ(Get(http("/healthz")).status, 200);
  EXPECT_EQ(Get(http("/readyz")).status, 200);
  const Json models = Parse(Get(http("/v1/models")).body);
  std::vector<std::string> ids;
  for (const Json& model : models.at("data")) ids.push_back(model.at("id"));
  EXPECT_THAT(ids, ::testing::IsSupersetOf({"reference", "deepseek-flash"}));
  EXPECT_EQ(Parse(Get(http("/v1/models/reference")).body).at("id"), "reference");
  EXPECT_EQ(Get(http("/v1/models/none")).status, 404);

  const HttpResult text = PostJson(http("/v1/completions"), R"({"prompt":"Once","max_tokens":4})");
  EXPECT_EQ(text.status, 200) << text.body;
  EXPECT_EQ(Parse(text.body).at("object"), "text_completion");

  // Whether the reference engine offers embeddings or not, they never go to the cloud and never hang.
  const auto before = emulator_->stats().chats_total;
  const HttpResult embedding = PostJson(http("/v1/embeddings"), R"({"input":"a","model":"reference"})");
  EXPECT_THAT(embedding.status, ::testing::AnyOf(200, 501)) << embedding.body;
  EXPECT_EQ(emulator_->stats().chats_total, before);
}

TEST_F(HttpApiTest, AWrongMethodIsToldTheRightOnes) {
  StartAll();
  const struct {
    const char* method;
    const char* path;
    const char* allow;
  } rows[] = {
      {"OPTIONS", kChat, "POST"},
      {"GET", kChat, "POST"},
      {"PUT", "/v1/models", "GET"},
      {"PATCH", "/v1/files", "GET, POST"},
      {"POST", "/healthz", "GET"},
      {"HEAD", kChat, "POST"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(absl::StrCat(row.method, " ", row.path));
    HttpCall call;
    call.method = row.method;
    call.url = http(row.path);
    const HttpResult result = Fetch(call);
    EXPECT_EQ(result.status, 405) << result.body;
    EXPECT_EQ(result.headers.at("allow"), row.allow);
  }
  HttpCall head;
  head.method = "HEAD";
  for (const char* const path : {"/healthz", "/readyz", "/v1/models", "/v1/files", "/v1/batches"}) {
    head.url = http(path);
    const HttpResult result = Fetch(head);
    EXPECT_EQ(result.status, 200) << path;
    EXPECT_EQ(result.body, "") << path;
    EXPECT_NE(result.headers.at("content-length"), "0") << "what GET would have";
  }
}

TEST_F(HttpApiTest, RefusalsAreInOpenAisShape) {
  StartAll(TwoTenants());
  const std::string key = "authorization: Bearer key-a";
  const struct {
    const char* name;
    const char* method;
    const char* path;
    std::vector<std::string> headers;
    std::string body;
    long status;
    const char* type;
    const char* param;
  } rows[] = {
      {"no key", "POST", kChat, {}, ChatBody("x"), 401, "authentication_error", ""},
      {"wrong key", "POST", kChat, {"authorization: Bearer key-b"}, ChatBody("x"), 401, "authentication_error", ""},
      {"models need a key", "GET", "/v1/models", {}, "", 401, "authentication_error", ""},
      {"not JSON", "POST", kChat, {key}, "{", 400, "invalid_request_error", ""},
      {"duplicate key", "POST", kChat, {key}, R"({"messages":[],"messages":[]})", 400, "invalid_request_error", ""},
      {"unknown field", "POST", kChat, {key}, ChatBody("x", R"("frobnicate":1)"), 400, "invalid_request_error",
       "frobnicate"},
      {"image", "POST", kChat, {key}, R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})", 400,
       "invalid_request_error", "messages[0].content[0].type"},
      {"temperature out of range", "POST", kChat, {key}, ChatBody("x", R"("temperature":9)"), 400,
       "invalid_request_error", "temperature"},
      {"no messages", "POST", kChat, {key}, R"({"messages":[]})", 400, "invalid_request_error", "messages"},
      {"bad declared level", "POST", kChat, {key, "x-headgate-sensitivity: secret"}, ChatBody("x"), 400,
       "invalid_request_error", "x-headgate-sensitivity"},
      {"bad timeout", "POST", kChat, {key, "x-headgate-timeout: soon"}, ChatBody("x"), 400, "invalid_request_error",
       "x-headgate-timeout"},
      {"too large on the wire", "POST", kChat, {key}, ChatBody(std::string(30000, 'x')), 413, "invalid_request_error",
       ""},
      {"too much text", "POST", kChat, {key}, ChatBody(std::string(11000, 'x')), 400, "invalid_request_error", ""},
      {"no such path", "POST", "/v1/frobnicate", {key}, "{}", 404, "invalid_request_error", ""},
      {"wrong method", "GET", kChat, {key}, "", 405, "invalid_request_error", ""},
      {"wrong method for models", "POST", "/v1/models", {key}, "{}", 405, "invalid_request_error", ""},
      {"no JSON type", "POST", kChat, {key, "content-type: text/plain"}, ChatBody("x"), 415, "invalid_request_error",
       ""},
      {"compressed", "POST", kChat, {key, "content-encoding: gzip"}, "x", 415, "invalid_request_error", ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    HttpCall call;
    call.method = row.method;
    call.url = http(row.path);
    call.body = row.body;
    for (const std::string& header : row.headers) {
      if (absl::StartsWith(header, "content-type:")) call.headers.clear();
      call.headers.push_back(header);
    }
    const HttpResult result = Fetch(call);
    EXPECT_EQ(result.status, row.status) << result.body;
    const Json error = Parse(result.body).at("error");
    EXPECT_EQ(error.at("type"), row.type) << result.body;
    EXPECT_FALSE(error.at("message").get<std::string>().empty());
    EXPECT_TRUE(error.contains("code"));
    if (*row.param != '\0') {
      EXPECT_EQ(error.at("param"), row.param) << result.body;
    }
    EXPECT_EQ(result.headers.count("x-request-id"), row.status == 413 ? 0u : 1u);
  }
  EXPECT_EQ(PostJson(http(kChat), ChatBody("x"), {key}).status, 200);
  EXPECT_EQ(PostJson(http(kChat), ChatBody("x"), {"x-api-key: key-a"}).status, 200);
}

TEST_F(HttpApiTest, ATimeoutEndsTheWorkUpstream) {
  StartAll();
  DeepSeekPlan plan;
  plan.end = DeepSeekPlan::End::kStall;
  plan.end_after = 2;
  emulator_->AddPlan(plan);
  EXPECT_EQ(PostJson(http(kChat), ChatBody("hello"), {"x-headgate-timeout: 0.3"}).status, 504);
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_active == 0; }));
}

TEST_F(HttpApiTest, ATenantOverItsRateIsToldWhenToComeAgain) {
  StartAll(TwoTenants());
  EXPECT_EQ(PostJson(http(kChat), ChatBody("x"), {"authorization: Bearer key-s"}).status, 200);
  const HttpResult limited = PostJson(http(kChat), ChatBody("x"), {"authorization: Bearer key-s"});
  EXPECT_EQ(limited.status, 429) << limited.body;
  EXPECT_EQ(Parse(limited.body).at("error").at("type"), "rate_limit_error");
  EXPECT_EQ(limited.headers.count("retry-after"), 1u);
}

TEST_F(HttpApiTest, ADeadUpstreamEndsTheStreamWithAnErrorAndNoDone) {
  StartAll();
  for (const auto end : {DeepSeekPlan::End::kClose, DeepSeekPlan::End::kReset, DeepSeekPlan::End::kEof,
                         DeepSeekPlan::End::kMalformed}) {
    SCOPED_TRACE(static_cast<int>(end));
    DeepSeekPlan plan;
    plan.end = end;
    plan.end_after = 3;
    emulator_->AddPlan(plan);
    const HttpResult result = PostJson(http(kChat), ChatBody("hello", "\"stream\":true"));
    EXPECT_EQ(result.status, 200);
    EXPECT_FALSE(result.transport_ok) << "the closing chunk must be missing";
    EXPECT_THAT(result.body, ::testing::Not(HasSubstr("[DONE]")));
    const auto events = Events(result.body);
    ASSERT_GE(events.size(), 2u);
    EXPECT_EQ(events.back().at("error").at("code"), "unavailable");
    emulator_->ClearRules();
  }
  EXPECT_EQ(State().in_flight(), 0);
}

TEST_F(HttpApiTest, WhenTheCloudFailsEverydayRequestsAreAnsweredLocally) {
  StartAll();
  DeepSeekPlan plan;
  plan.status = 503;
  emulator_->AddRule({plan, -1, 1});
  const HttpResult result = PostJson(http(kChat), ChatBody("hello", "\"max_tokens\":4"));
  EXPECT_EQ(result.status, 200) << result.body;
  EXPECT_EQ(result.headers.at("x-headgate-route"), "local");
}

TEST_F(HttpApiTest, AClientThatLeavesStopsTheWorkUpstream) {
  StartAll({}, {"--reference-step-ms", "5"});
  DeepSeekPlan plan;
  plan.tokens = 100000;
  plan.token_interval = absl::Milliseconds(5);
  emulator_->SetDefaultPlan(plan);
  HttpCall call;
  call.url = http(kChat);
  call.on_data = [](std::string_view) { return false; };  // leaves at the first byte
  call.body = ChatBody("hello", "\"stream\":true");
  EXPECT_FALSE(Fetch(call).transport_ok);
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_abandoned == 1; }));

  call.body = ChatBody("hello", "\"stream\":true,\"max_tokens\":1000");
  call.headers.push_back("x-headgate-sensitivity: restricted");
  EXPECT_FALSE(Fetch(call).transport_ok);
  WaitForIdleEngine();
  WaitFor("no request in flight", [this] { return State().in_flight() == 0; });
}

// Nobody reads piece by piece here, so only the end of the connection tells.
TEST_F(HttpApiTest, AClientThatLeavesBeforeAWholeAnswerStopsTheWorkUpstream) {
  StartAll();
  DeepSeekPlan plan;
  plan.keep_alive_for = absl::Minutes(10);
  emulator_->SetDefaultPlan(plan);
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(http_.substr(http_.rfind(':') + 1), &port));
  socket.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  const std::string body = ChatBody("hello");
  const std::string request = absl::StrCat("POST ", kChat, " HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n",
                                           "content-length: ", body.size(), "\r\n\r\n", body);
  boost::asio::write(socket, boost::asio::buffer(request));
  ASSERT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_active == 1; }));
  socket.close();
  EXPECT_TRUE(emulator_->WaitUntil([](const DeepSeekEmulator::Stats& s) { return s.chats_abandoned == 1; }));
  WaitFor("no request in flight", [this] { return State().in_flight() == 0; });
}

TEST_F(HttpApiTest, AnAnswerFromTheCacheIsAStreamToo) {
  RouterYaml yaml;
  yaml.more = "cache:\n  bytes_max: 1048576\n";
  StartAll(yaml);
  const std::string body = ChatBody("hello", "\"stream\":true,\"temperature\":0");
  const auto content = [](const HttpResult& result) {
    std::string text;
    const std::vector<std::string> pieces = absl::StrSplit(result.body, "\"content\":\"");
    for (size_t i = 1; i < pieces.size(); ++i) text += pieces[i].substr(0, pieces[i].find('"'));
    return text;
  };
  const HttpResult first = PostJson(http(kChat), body), second = PostJson(http(kChat), body);
  EXPECT_EQ(first.headers.at("x-headgate-reasons"), "everyday");
  EXPECT_EQ(second.headers.at("x-headgate-reasons"), "cached");
  EXPECT_EQ(second.headers.at("content-type"), first.headers.at("content-type"));
  EXPECT_THAT(second.body, EndsWith("data: [DONE]\n\n"));
  EXPECT_THAT(content(first), HasSubstr("[sha8:"));
  EXPECT_EQ(content(second), content(first));
  EXPECT_EQ(emulator_->stats().chats_total, 1);
}

}  // namespace
}  // namespace headgate
