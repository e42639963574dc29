// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One conversation that goes to the cloud, to a pod with the OpenAI API and back: neither side loses what the other one
// thought. (litellm and others lose it, and DeepSeek then refuses the turn.)
#include <gmock/gmock.h>

#include <mutex>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/io_context.hpp"
#include "services/router/openai_json.h"
#include "tests/fakes/http_stub.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using services::Json;
using services::ParseJson;

// A pod that speaks as vLLM does, on a thread of its own.
class Pod {
 public:
  Pod() : thread_([this] { io_.run(); }) {}
  ~Pod() {
    io_.stop();
    thread_.join();
  }
  std::string address() const { return server_.address(); }
  std::vector<Json> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void Answer(const HttpStub::Request& request, const std::shared_ptr<HttpStub::Reply>& reply) {
    if (request.target == "/metrics") return reply->Send(200, "vllm:num_requests_running 0\n");
    if (request.target != "/v1/chat/completions") return reply->Send(404, "");
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(ParseJson(request.body).value());
    }
    reply->Begin(200);
    for (const char* delta : {R"({"role":"assistant"})", R"({"reasoning_content":"pod-thought"})",
                              R"({"content":"pod-answer"})"}) {
      reply->Write(
          absl::StrCat(R"(data: {"choices":[{"index":0,"delta":)", delta, R"(,"finish_reason":null}]})", "\n\n"));
    }
    reply->Write(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n"
        "data: [DONE]\n\n");
    reply->End();
  }

  mutable std::mutex mutex_;
  std::vector<Json> asked_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  HttpStub server_{io_, [this](const HttpStub::Request& request, std::shared_ptr<HttpStub::Reply> reply) {
                     Answer(request, reply);
                   }};
  std::thread thread_;  // last: all it uses is there
};

class TwoSidesTest : public RouterWorld {
 protected:
  // Asks with the conversation so far, adds the answer's message to it and returns where it went.
  std::string Turn(Json& messages) {
    Json body = {{"model", ""}, {"messages", messages}};
    body["tools"] = Json::array({{{"type", "function"}, {"function", {{"name", "look_up"}}}}});
    const HttpResult result = PostJson(http("/v1/chat/completions"), body.dump());
    EXPECT_EQ(result.status, 200) << result.body;
    const auto answer = ParseJson(result.body);
    if (result.status != 200 || !answer.ok()) return "";
    messages.push_back((*answer)["choices"][0]["message"]);
    return absl::StrCat(result.headers.at("x-headgate-route"), " ", result.headers.at("x-headgate-reasons"));
  }
};

TEST_F(TwoSidesTest, ThoughtsStayWithAConversationFromTheCloudToAPodAndBack) {
  Pod pod;
  StartEmulator();
  // Few words: many at random may look like a health record.
  const DeepSeekPlan plan = {.tokens = 2, .reasoning_tokens = 1};
  emulator_->SetDefaultPlan(plan);
  engine_address_ = pod.address();
  RouterYaml yaml;
  yaml.endpoint = "      protocol: openai\n      model: served\n";
  yaml.cloud = "  thinking: true\n";
  StartRouter(yaml);
  WaitFor("a pod that is ready", [this] {
    const auto state = State();
    return state.endpoints_size() == 1 && state.endpoints(0).ready();
  });

  Json messages = Json::array({{{"role", "user"}, {"content", "What is a canal?"}}});
  ASSERT_EQ(Turn(messages), "cloud everyday");
  const std::string cloud_thought = messages[1].value("reasoning_content", "");
  ASSERT_FALSE(cloud_thought.empty()) << messages;

  emulator_->SetDefaultPlan({.status = 500});
  messages.push_back({{"role", "user"}, {"content", "And a lock?"}});
  ASSERT_EQ(Turn(messages), "local cloud_unavailable,everyday") << messages;
  ASSERT_EQ(pod.asked().size(), 1u);
  EXPECT_EQ(pod.asked()[0]["messages"][1].value("reasoning_content", ""), cloud_thought) << "to the pod";
  EXPECT_EQ(messages[3].value("reasoning_content", ""), "pod-thought");

  emulator_->SetDefaultPlan(plan);
  emulator_->ClearRecords();
  messages.push_back({{"role", "user"}, {"content", "And a weir?"}});
  ASSERT_EQ(Turn(messages), "cloud everyday");
  std::string sent;
  for (const std::string& record : emulator_->Records()) sent += record;
  EXPECT_THAT(sent, testing::HasSubstr(R"("reasoning_content":"pod-thought")")) << "back to the cloud";
  EXPECT_TRUE(absl::StrContains(sent, services::Json(cloud_thought).dump())) << "and what it thought itself";
}

}  // namespace
}  // namespace headgate
