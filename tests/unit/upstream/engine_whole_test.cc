// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Whole answers of an engine: one call, one message, shown as a delta and the finish.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "router/upstream/engine_client.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

class FakeServer final : public v1::Inference::Service {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() override { server_->Shutdown(std::chrono::system_clock::time_point()); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        v1::GenerateResponse* response) override {
    if (request->prompt() == "hang") {
      ++hanging;
      while (!context->IsCancelled()) std::this_thread::yield();
      ++cancelled;
    }
    const auto id = context->client_metadata().find("x-request-id");
    if (id == context->client_metadata().end()) return grpc::Status(grpc::INTERNAL, "no id");
    *response = answer;
    return status;
  }

  v1::GenerateResponse answer;
  grpc::Status status;
  std::atomic<int> hanging = 0, cancelled = 0;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class EngineWholeTest : public testing::Test {
 protected:
  template <typename T>
  T Await(Task<T> task) {
    std::optional<T> result;
    Spawn(io_, std::move(task), &result);
    while (!result) io_.run_one();
    return *std::move(result);
  }
  std::unique_ptr<AnswerStream> Ask(LocalUpstream& client) {
    CallOptions options{"req-7", Soon(), "ward-3"};
    options.whole = true;
    return client.Generate(prompt_, options);
  }
  auto Connect(const std::string& address) {
    return ConnectEngine(io_.get_executor(), *clock_, SeededRandom(1), address, LocalConfig(), metrics_,
                         [](const v1::Load&) {});
  }
  auto Next(AnswerStream& stream) { return Await(stream.Next(Soon(), cancellation_)); }
  MonotonicTime Soon() const { return clock_->Monotonic() + absl::Seconds(60); }
  static v1::GenerateRequest Content(const std::string& text) {
    v1::GenerateRequest content;
    content.set_prompt(text);
    return content;
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<Executor> work_{io_.get_executor()};
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Metrics metrics_;
  Cancellation cancellation_;
  Prompt prompt_{Content("once")};
  Prompt hang_{Content("hang")};
};

TEST_F(EngineWholeTest, IsOneDeltaAndTheFinish) {
  FakeServer server;
  v1::Message& message = *server.answer.mutable_message();
  message.set_content("upon a time");
  message.set_reasoning_content("how");
  message.add_tool_calls()->set_name("f");
  message.add_tool_calls()->set_arguments("{}");
  server.answer.set_finish_reason(v1::FINISH_REASON_LENGTH);
  server.answer.mutable_usage()->set_completion_tokens(3);
  const auto client = Connect(server.address());
  const auto stream = Ask(*client);
  const auto delta = Next(*stream);
  ASSERT_TRUE(delta.ok()) << delta.status();
  EXPECT_EQ((*delta)->delta().content(), "upon a time");
  EXPECT_EQ((*delta)->delta().reasoning_content(), "how");
  ASSERT_EQ((*delta)->delta().tool_calls_size(), 2);
  EXPECT_EQ((*delta)->delta().tool_calls(0).name(), "f");
  EXPECT_EQ((*delta)->delta().tool_calls(1).index(), 1);
  EXPECT_EQ((*delta)->delta().tool_calls(1).arguments(), "{}");
  const auto finish = Next(*stream);
  ASSERT_TRUE(finish.ok() && finish->has_value());
  EXPECT_EQ((*finish)->finish().reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ((*finish)->finish().usage().completion_tokens(), 3);
  const auto end = Next(*stream);
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(end->has_value());
}

TEST_F(EngineWholeTest, FailuresAreThoseOfAStream) {
  FakeServer server;
  const auto client = Connect(server.address());
  const std::pair<grpc::StatusCode, absl::StatusCode> rows[] = {
      {grpc::INVALID_ARGUMENT, absl::StatusCode::kInvalidArgument},
      {grpc::RESOURCE_EXHAUSTED, absl::StatusCode::kResourceExhausted},
      {grpc::UNAVAILABLE, absl::StatusCode::kUnavailable},
      {grpc::INTERNAL, absl::StatusCode::kUnavailable},
  };
  for (const auto& [sent, expected] : rows) {
    server.status = grpc::Status(sent, "words");
    const auto stream = Ask(*client);
    EXPECT_EQ(Next(*stream).status().code(), expected) << sent;
  }
  LocalConfig elsewhere;
  elsewhere.address_ranges = {"10.0.0.0/8"};
  const auto refused = ConnectEngine(io_.get_executor(), *clock_, SeededRandom(1), server.address(), elsewhere,
                                     metrics_, [](const v1::Load&) {});
  const auto stream = Ask(*refused);
  EXPECT_EQ(Next(*stream).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(EngineWholeTest, DroppingItCancelsTheEnginesWork) {
  FakeServer server;
  const auto client = Connect(server.address());
  CallOptions options{"req-7", Soon(), "ward-3"};
  options.whole = true;
  auto stream = client->Generate(hang_, options);
  EXPECT_EQ(Await(stream->Next(clock_->Monotonic() + absl::Milliseconds(20), cancellation_)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  while (server.hanging == 0) io_.poll();
  stream.reset();
  while (server.cancelled == 0) io_.poll();
}

}  // namespace
}  // namespace headgate::router
