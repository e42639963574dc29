// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Against a server that speaks as vLLM does.
#include "router/upstream/openai_engine.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/fakes/http_stub.h"
#include "tests/unit/upstream/real_loop.h"
#include "tests/unit/upstream/test_certificate.h"

namespace headgate::router {
namespace {

using absl::StatusCode;
using nlohmann::json;
using testing::HasSubstr;

constexpr char kMetrics[] = "vllm:num_requests_running 2\nvllm:num_requests_waiting 1\nvllm:kv_cache_usage_perc 0.1\n";

// The machine's clock, a thousand times as fast.
class FastClock : public Clock {
 public:
  explicit FastClock(boost::asio::io_context& io) : real_(MakeRealClock(io)), start_(real_->Monotonic()) {}
  absl::Time WallTime() const override { return real_->WallTime(); }
  MonotonicTime Monotonic() const override { return start_ + (real_->Monotonic() - start_) * 1000; }
  std::unique_ptr<Timer> CallAt(MonotonicTime when, std::function<void()> callback) override {
    return real_->CallAt(start_ + (when - start_) / 1000, std::move(callback));
  }

 private:
  const std::unique_ptr<Clock> real_;
  const MonotonicTime start_;
};

class OpenAiEngineTest : public testing::Test {
 protected:
  using Reply = std::shared_ptr<HttpStub::Reply>;
  using ChatHandler = std::function<void(const json& body, Reply reply)>;

  OpenAiEngineTest() { local_.metrics_interval = absl::Milliseconds(50); }
  ~OpenAiEngineTest() override {
    engine_.reset();
    loop_.RunFor(absl::Milliseconds(5));
  }

  void Serve(const HttpStub::Tls& tls = {}) {
    server_.emplace(
        loop_.io,
        [this](const HttpStub::Request& request, Reply reply) {
          if (request.target == "/metrics") return reply->Send(200, metrics_page_);
          if (request.target == "/v1/models") return reply->Send(200, R"({"data":[{"id":"served"}]})");
          if (request.target == "/tokenize") return reply->Send(200, R"({"count":5,"tokens":[1,2,3,4,5]})");
          if (request.target == "/v1/embeddings") {
            return reply->Send(200, R"({"data":[{"embedding":[0.5,1]},{"embedding":[2,3]}]})");
          }
          if (request.target != "/v1/chat/completions") return reply->Send(404, "");
          chat_(json::parse(request.body), reply);
        },
        tls);
  }
  void Connect(const std::string& model = "") {
    EndpointConfig endpoint;
    endpoint.name = "pod";
    endpoint.protocol = EndpointConfig::Protocol::kOpenAi;
    endpoint.model = model;
    engine_ = ConnectOpenAiEngine(loop_.io.get_executor(), *loop_.clock, endpoint,
                                  address_.empty() ? server_->address() : address_, local_, metrics_,
                                  [this](const v1::Load& load) { loads_.push_back(load); });
  }
  bool Ready() { return loop_.RunUntil([&] { return !loads_.empty(); }); }
  MonotonicTime Soon() const { return loop_.clock->Monotonic() + absl::Seconds(20); }

  struct Outcome {
    absl::Status status;
    std::string text;
    std::optional<v1::Finish> finish;
  };
  std::unique_ptr<AnswerStream> Start(const v1::GenerateRequest& request, MonotonicTime deadline) {
    prompt_.emplace(request);
    return engine_->Generate(*prompt_, CallOptions{"request-1", deadline, "tenant"});
  }
  Task<Outcome> Read(AnswerStream& stream) {
    Outcome outcome;
    while (true) {
      auto event = co_await stream.Next(absl::InfiniteDuration(), cancellation_);
      outcome.status = event.status();
      if (!event.ok() || !event->has_value()) co_return outcome;
      outcome.text += (*event)->delta().content();
      if ((*event)->has_finish()) outcome.finish = (*event)->finish();
    }
  }
  Outcome Ask(const v1::GenerateRequest& request = Says("hi")) {
    auto stream = Start(request, Soon());
    return loop_.Await(Read(*stream));
  }
  static v1::GenerateRequest Says(const std::string& text) {
    v1::GenerateRequest request;
    auto* message = request.add_messages();
    message->set_role(v1::ROLE_USER);
    message->set_content(text);
    return request;
  }
  static std::string Chunk(const std::string& content) {
    return absl::StrCat(R"(data: {"choices":[{"index":0,"delta":{"content":")", content,
                        R"("},"finish_reason":null}]})", "\n\n");
  }
  static std::string Finish() {
    return R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
           "\n\n"
           R"(data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}})"
           "\n\ndata: [DONE]\n\n";
  }

  RealLoop loop_;
  Metrics metrics_;
  LocalConfig local_;
  std::string address_;
  std::string metrics_page_ = kMetrics;
  ChatHandler chat_ = [](const json&, Reply reply) {
    reply->Begin(200);
    reply->Write(Chunk("one ") + Chunk("two"));
    reply->Write(Finish());
    reply->End();
  };
  std::optional<HttpStub> server_;
  std::vector<v1::Load> loads_;
  std::optional<Prompt> prompt_;
  Cancellation cancellation_;
  std::unique_ptr<LocalUpstream> engine_;
};

TEST_F(OpenAiEngineTest, AnswersOnceItsModelAndLoadAreKnown) {
  Serve();
  Connect();
  EXPECT_EQ(Ask().status.code(), StatusCode::kUnavailable) << "nothing is known of it yet";
  ASSERT_TRUE(Ready());
  EXPECT_EQ(loads_[0].model(), "served");
  EXPECT_EQ(loads_[0].running(), 2);
  EXPECT_EQ(loads_[0].waiting(), 1);
  EXPECT_EQ(loads_[0].running_max(), 256);
  json sent;
  chat_ = [&, answer = chat_](const json& body, Reply reply) {
    sent = body;
    answer(body, std::move(reply));
  };
  v1::GenerateRequest request = Says("hello");
  request.set_user("canary-user");
  request.mutable_sampling()->set_top_k(40);
  request.mutable_sampling()->set_seed(7);
  request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
  request.mutable_response_format()->set_json_schema(R"({"type":"object"})");
  const Outcome outcome = Ask(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.text, "one two");
  ASSERT_TRUE(outcome.finish);
  EXPECT_EQ(outcome.finish->usage().prompt_tokens(), 9);
  EXPECT_EQ(sent["model"], "served");
  EXPECT_EQ(sent["stream"], true);
  EXPECT_EQ(sent["messages"][0]["content"], "hello");
  EXPECT_EQ(sent["top_k"], 40);
  EXPECT_EQ(sent["seed"], 7);
  EXPECT_EQ(sent["response_format"]["json_schema"]["schema"]["type"], "object");
  EXPECT_FALSE(sent.contains("thinking"));
  EXPECT_EQ(sent.dump().find("canary"), std::string::npos);
  // And its load goes on.
  const size_t before = loads_.size();
  EXPECT_TRUE(loop_.RunUntil([&] { return loads_.size() > before + 1; }));
}

TEST_F(OpenAiEngineTest, WhatItsFailuresMean) {
  struct Row {
    const char* name;
    std::function<void(Reply)> answer;
    StatusCode code;
  };
  const auto status = [](int code) {
    return [code](Reply reply) { reply->Send(code, R"({"error":{"message":"canary"}})"); };
  };
  const Row rows[] = {
      {"400", status(400), StatusCode::kInvalidArgument},
      {"422", status(422), StatusCode::kInvalidArgument},
      {"401", status(401), StatusCode::kUnavailable},
      {"429", status(429), StatusCode::kResourceExhausted},
      {"500", status(500), StatusCode::kUnavailable},
      {"redirect", status(307), StatusCode::kUnavailable},
      {"cut before a byte", [](Reply reply) { reply->Cut(); }, StatusCode::kUnavailable},
      {"ends early",
       [](Reply reply) {
         reply->Begin(200);
         reply->Write(Chunk("x"));
         reply->End();
       },
       StatusCode::kUnavailable},
      {"no chunk",
       [](Reply reply) {
         reply->Begin(200);
         reply->Write("data: {\n\n");
         reply->End();
       },
       StatusCode::kUnavailable},
      {"aborted",
       [](Reply reply) {
         reply->Begin(200);
         reply->Write("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}\n\ndata: [DONE]\n\n");
         reply->End();
       },
       StatusCode::kUnavailable},
  };
  Serve();
  Connect("m");
  for (const Row& row : rows) {
    chat_ = [&](const json&, Reply reply) { row.answer(std::move(reply)); };
    const Outcome outcome = Ask();
    EXPECT_EQ(outcome.status.code(), row.code) << row.name;
    EXPECT_EQ(std::string(outcome.status.message()).find("canary"), std::string::npos) << row.name;
  }
}

TEST_F(OpenAiEngineTest, ASlowReaderHoldsThePodBack) {
  constexpr int kPieces = 40'000;  // far more than sockets hold
  int written = 0;
  Reply reply;
  chat_ = [&](const json&, Reply r) {
    reply = std::move(r);
    reply->Begin(200);
    std::string all;
    for (; written < kPieces; ++written) all += Chunk(std::string(100, 'x'));
    reply->Write(all + Finish());
    reply->End();
  };
  Serve();
  Connect("m");
  auto stream = Start(Says("much"), Soon());
  const auto first = loop_.Await(stream->Next(Soon(), cancellation_));
  ASSERT_TRUE(first.ok());
  loop_.RunFor(absl::Milliseconds(100));
  const Outcome rest = loop_.Await(Read(*stream));
  EXPECT_TRUE(rest.status.ok()) << rest.status;
  EXPECT_EQ(rest.text.size(), 100u * (kPieces - 1)) << "nothing was lost";
}

TEST_F(OpenAiEngineTest, AReaderThatLeavesClosesTheConnection) {
  Reply reply;
  chat_ = [&](const json&, Reply r) {
    reply = std::move(r);
    reply->Begin(200);
    reply->Write(Chunk("x"));
  };
  Serve();
  Connect("m");
  auto stream = Start(Says("long"), Soon());
  ASSERT_TRUE(loop_.Await(stream->Next(Soon(), cancellation_)).ok());
  stream.reset();
  EXPECT_TRUE(loop_.RunUntil([&] {
    reply->Write(Chunk("y"));
    return reply->gone();
  }));
}

TEST_F(OpenAiEngineTest, TheDeadlineEndsTheAnswer) {
  Reply kept;
  chat_ = [&](const json&, Reply r) { kept = std::move(r); };
  Serve();
  Connect("m");
  auto stream = Start(Says("x"), loop_.clock->Monotonic() + absl::Milliseconds(100));
  EXPECT_EQ(loop_.Await(Read(*stream)).status.code(), StatusCode::kDeadlineExceeded);
}

// Its sockets are open, as those of a process that was stopped. Nobody else would notice before the deadline.
TEST_F(OpenAiEngineTest, SilenceInMidAnswerEndsIt) {
  Reply reply;
  chat_ = [&](const json&, Reply r) {
    reply = std::move(r);
    reply->Begin(200);
    reply->Write(Chunk("half an "));
  };
  Serve();
  FastClock clock(loop_.io);
  local_.connect_timeout = absl::Hours(24);
  EndpointConfig endpoint;
  endpoint.protocol = EndpointConfig::Protocol::kOpenAi;
  endpoint.model = "m";
  engine_ = ConnectOpenAiEngine(loop_.io.get_executor(), clock, endpoint, server_->address(), local_, metrics_,
                                [](const v1::Load&) {});
  auto stream = Start(Says("hi"), clock.Monotonic() + absl::Hours(24));
  const Outcome outcome = loop_.Await(Read(*stream));
  EXPECT_EQ(outcome.status.code(), StatusCode::kUnavailable) << outcome.status;
  EXPECT_THAT(std::string(outcome.status.message()), HasSubstr("silent"));
  EXPECT_EQ(outcome.text, "half an ");
  stream.reset();
  engine_.reset();  // before its clock
  loop_.RunFor(absl::Milliseconds(5));
}

TEST_F(OpenAiEngineTest, APageThatIsNoneCountsAsSilence) {
  Serve();
  metrics_page_ = "up 1\n";
  Connect("m");
  loop_.RunFor(absl::Milliseconds(200));
  EXPECT_TRUE(loads_.empty());
  metrics_page_ = std::string(2 << 20, '\n');  // beyond every bound
  loop_.RunFor(absl::Milliseconds(200));
  EXPECT_TRUE(loads_.empty());
  metrics_page_ = kMetrics;
  EXPECT_TRUE(Ready());
}

TEST_F(OpenAiEngineTest, CountsEmbedsAndLists) {
  Serve();
  Connect("m");
  v1::CountTokensRequest count;
  *count.mutable_messages() = Says("hi").messages();
  const auto counted = loop_.Await(engine_->CountTokens(count, Soon(), cancellation_));
  ASSERT_TRUE(counted.ok()) << counted.status();
  EXPECT_EQ(counted->tokens(), 5);
  v1::EmbedRequest embed;
  embed.add_input("a");
  embed.add_input("b");
  const auto embedded = loop_.Await(engine_->Embed(embed, Soon(), cancellation_));
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ(embedded->embeddings(1).values(1), 3);
  embed.add_input("c");
  EXPECT_EQ(loop_.Await(engine_->Embed(embed, Soon(), cancellation_)).status().code(), StatusCode::kUnavailable);
  const auto models = loop_.Await(engine_->ListModels(Soon(), cancellation_));
  ASSERT_TRUE(models.ok());
  EXPECT_EQ(models->models(0).id(), "served");
}

// Local is a fact, not a label.
TEST_F(OpenAiEngineTest, NothingIsSentOutsideTheRanges) {
  Serve();
  local_.address_ranges = {"10.0.0.0/8"};
  Connect("m");
  loop_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(Ask().status.code(), StatusCode::kUnavailable);
  for (const char* name : {"localhost:80", "example.com:80", "", "10.0.0.1"}) {
    address_ = name;
    Connect("m");
    EXPECT_EQ(Ask().status.code(), StatusCode::kUnavailable) << name;
  }
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(OpenAiEngineTest, ThePodMustProveWhoItIs) {
  const TestCertificate pod("URI:spiffe://cluster/engine,DNS:pod.serving"), other("URI:spiffe://cluster/other");
  struct Row {
    const char* name;
    std::string ca;
    std::vector<std::string> identities;
    std::string server_name;
    bool reached;
  };
  const Row rows[] = {
      {"by SPIFFE", pod.cert_file(), {"spiffe://cluster/engine"}, "", true},
      {"all below", pod.cert_file(), {"spiffe://cluster/*"}, "", true},
      {"by DNS name", pod.cert_file(), {"pod.serving"}, "", true},
      {"another identity", pod.cert_file(), {"spiffe://cluster/other"}, "", false},
      {"signed by nobody we know", other.cert_file(), {"spiffe://cluster/engine"}, "", false},
      {"by server name", pod.cert_file(), {}, "pod.serving", true},
      {"another server name", pod.cert_file(), {}, "pod.other", false},
      {"the address is no name of it", pod.cert_file(), {}, "", false},
  };
  Serve({pod.cert_file(), pod.key_file(), ""});
  for (const Row& row : rows) {
    local_.tls.ca_file = row.ca;
    local_.tls_identities = row.identities;
    local_.tls_server_name = row.server_name;
    loads_.clear();
    Counter& refused = metrics_.GetCounter("headgate_router_refused_identities_total", "");
    const double refused_before = refused.Value();
    int chats = 0;
    chat_ = [&](const json&, Reply reply) {
      ++chats;
      reply->Begin(200);
      reply->Write(Chunk("x") + Finish());
      reply->End();
    };
    Connect("m");
    const Outcome outcome = Ask();
    EXPECT_EQ(outcome.status.ok(), row.reached) << row.name << " " << outcome.status;
    EXPECT_EQ(chats, row.reached ? 1 : 0) << row.name;
    EXPECT_EQ(refused.Value() > refused_before, !row.reached) << row.name << ": counted";
  }
}

TEST_F(OpenAiEngineTest, WePresentOurCertificateWhenAsked) {
  const TestCertificate pod("URI:spiffe://cluster/engine"), router("URI:spiffe://cluster/router");
  Serve({pod.cert_file(), pod.key_file(), router.cert_file()});
  local_.tls.ca_file = pod.cert_file();
  local_.tls_identities = {"spiffe://cluster/engine"};
  Connect("m");
  EXPECT_EQ(Ask().status.code(), StatusCode::kUnavailable) << "without one it refuses us";
  local_.tls.certificate_file = router.cert_file();
  local_.tls.key_file = router.key_file();
  Connect("m");
  EXPECT_TRUE(Ask().status.ok());
}

}  // namespace
}  // namespace headgate::router
