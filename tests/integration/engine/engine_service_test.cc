// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate-engine from outside: the real binary with the reference model, over gRPC and HTTP.

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/grpc_status.h"
#include "tests/integration/engine/engine_process.h"

namespace headgate {
namespace {

using testing::HasSubstr;

constexpr char kLabels[] = "engine=\"0\",model_name=\"reference\"";

StreamEnd Stream(EngineProcess& engine, const v1::GenerateRequest& request) {
  grpc::ClientContext context;
  const auto stub = engine.Inference();
  return ReadAll(*stub->GenerateStream(&context, request));
}

TEST(EngineService, ManyStreamsEqualTheirAloneAnswers) {
  EngineProcess engine({"--parallel=8", "--context-tokens=4096"});
  std::vector<v1::GenerateRequest> requests;
  std::vector<std::string> alone;
  for (int i = 0; i < 32; ++i) {
    requests.push_back(Ask(absl::StrCat("question ", i, std::string(static_cast<size_t>(i * 7), 'x')), 60));
    if (i % 4 == 0) requests.back().mutable_sampling()->set_temperature(0.7f);
    requests.back().mutable_sampling()->set_seed(static_cast<uint64_t>(i));
    const auto end = Stream(engine, requests.back());
    ASSERT_TRUE(end.status.ok()) << end.status.error_message();
    alone.push_back(end.text);
  }
  std::vector<std::future<StreamEnd>> together;
  for (const auto& request : requests) {
    together.push_back(std::async(std::launch::async, [&] { return Stream(engine, request); }));
  }
  for (size_t i = 0; i < together.size(); ++i) {
    const StreamEnd end = together[i].get();
    EXPECT_TRUE(end.status.ok()) << end.status.error_message();
    EXPECT_EQ(end.text, alone[i]) << i;
    EXPECT_NE(end.finish.reason(), v1::FINISH_REASON_UNSPECIFIED);
    EXPECT_GT(end.finish.usage().completion_tokens(), 0);
  }
  // Unary says the same.
  grpc::ClientContext context;
  v1::GenerateResponse response;
  ASSERT_TRUE(engine.Inference()->Generate(&context, requests[5], &response).ok());
  EXPECT_EQ(response.message().content(), alone[5]);
  EXPECT_EQ(response.message().role(), v1::ROLE_ASSISTANT);
}

TEST(EngineService, ABatchIsItsRequestsOneByOne) {
  EngineProcess engine({"--parallel=4"});
  v1::GenerateBatchRequest batch;
  for (int i = 0; i < 32; ++i) *batch.add_requests() = Ask(absl::StrCat("question ", i), 12);
  batch.mutable_requests(7)->set_model("other");
  batch.mutable_requests(9)->set_n(3);
  const auto stub = engine.Inference();
  grpc::ClientContext context;
  v1::GenerateBatchResponse response;
  const grpc::Status status = stub->GenerateBatch(&context, batch, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.results_size(), 32);
  for (int i = 0; i < 32; ++i) {
    const v1::BatchResult& result = response.results(i);
    if (i == 7) {
      EXPECT_EQ(result.code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
      EXPECT_THAT(result.message(), HasSubstr("model: "));
      EXPECT_FALSE(result.has_response());
      continue;
    }
    EXPECT_EQ(result.code(), 0) << result.message();
    EXPECT_EQ(result.response().message().content(), Stream(engine, Ask(absl::StrCat("question ", i), 12)).text) << i;
    EXPECT_EQ(result.response().more_size(), i == 9 ? 2 : 0);
    EXPECT_GT(result.response().usage().prompt_tokens(), 0);
  }
  batch.add_requests();
  grpc::ClientContext large;
  EXPECT_EQ(stub->GenerateBatch(&large, batch, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  grpc::ClientContext empty;
  EXPECT_EQ(stub->GenerateBatch(&empty, {}, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(EngineService, TenantsOfTheMetadataDoNotMeetInTheCache) {
  EngineProcess engine;
  const auto stub = engine.Inference();
  const auto cached = [&](const std::string& tenant) {
    grpc::ClientContext context;
    context.AddMetadata("x-headgate-tenant", tenant);
    v1::GenerateResponse response;
    EXPECT_TRUE(stub->Generate(&context, Ask(std::string(200, 'x'), 2), &response).ok());
    return response.usage().cached_tokens();
  };
  EXPECT_EQ(cached("a"), 0);
  EXPECT_GT(cached("a"), 190);
  EXPECT_EQ(cached("b"), 0);
}

TEST(EngineService, CountsAndLists) {
  EngineProcess engine({"--model-name=toy"});
  const auto stub = engine.Inference();
  v1::ListModelsResponse models;
  grpc::ClientContext list;
  ASSERT_TRUE(stub->ListModels(&list, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).id(), "toy");
  EXPECT_EQ(models.models(0).owned_by(), "headgate");
  EXPECT_EQ(models.models(0).context_length_max(), 8192);
  v1::CountTokensRequest count;
  *count.mutable_messages() = Ask("hi").messages();
  v1::CountTokensResponse counted;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->CountTokens(&context, count, &counted).ok());
  EXPECT_EQ(counted.tokens(), Stream(engine, Ask("hi", 1)).finish.usage().prompt_tokens());
  v1::EmbedRequest texts;
  v1::EmbedResponse embedded;
  grpc::ClientContext none;
  EXPECT_EQ(stub->Embed(&none, texts, &embedded).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  texts.add_input("the gate");
  texts.add_input("the lock");
  grpc::ClientContext embed;
  ASSERT_TRUE(stub->Embed(&embed, texts, &embedded).ok());
  ASSERT_EQ(embedded.embeddings_size(), 2);
  EXPECT_EQ(embedded.model(), "toy");
  EXPECT_GT(embedded.embeddings(0).values_size(), 4);
}

TEST(EngineService, AClientThatLeavesFreesItsPlace) {
  EngineProcess engine({"--reference-step-ms=5"});
  const auto stub = engine.Inference();
  grpc::ClientContext context;
  auto stream = stub->GenerateStream(&context, Ask(" forever", 5000));
  v1::GenerateStreamResponse event;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Read(&event));
  EXPECT_THAT(engine.Http("/metrics"), HasSubstr(absl::StrCat("vllm:num_requests_running{", kLabels, "} 1\n")));
  context.TryCancel();
  EXPECT_EQ(ReadAll(*stream).status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(engine.WaitLoad(
      [](const v1::Load& load) { return load.running() == 0 && load.kv_cells_free() == load.kv_cells_total(); }));
  const std::string metrics = engine.Http("/metrics");
  EXPECT_THAT(metrics, HasSubstr(absl::StrCat("vllm:num_requests_running{", kLabels, "} 0\n")));
  EXPECT_THAT(metrics, HasSubstr(absl::StrCat("headgate_engine_cancel_to_free_seconds_count{", kLabels, "} 1\n")));
  EXPECT_THAT(metrics, HasSubstr("finished_reason=\"abort\",model_name=\"reference\"} 1\n"));
}

TEST(EngineService, AFullQueueRefusesWithRetryInfo) {
  EngineProcess engine({"--parallel=1", "--queue-max=1", "--reference-step-ms=20"});
  const auto stub = engine.Inference();
  grpc::ClientContext first_context;
  grpc::ClientContext second_context;
  auto first = stub->GenerateStream(&first_context, Ask(" forever", 5000));
  v1::GenerateStreamResponse event;
  ASSERT_TRUE(first->Read(&event));
  auto second = stub->GenerateStream(&second_context, Ask("b", 5));
  ASSERT_TRUE(engine.WaitLoad([](const v1::Load& load) { return load.waiting() == 1; }));
  const auto refused = Stream(engine, Ask("c"));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(services::RetryAfter(services::FromGrpc(refused.status)), absl::Seconds(1));
  first_context.TryCancel();
  EXPECT_TRUE(ReadAll(*second).status.ok());
  ReadAll(*first);
}

TEST(EngineService, ADeadlineEndsTheAnswerAndFreesItsPlace) {
  EngineProcess engine({"--reference-step-ms=5"});
  const auto stub = engine.Inference();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(ReadAll(*stub->GenerateStream(&context, Ask(" forever", 5000))).status.error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(engine.WaitLoad([](const v1::Load& load) { return load.running() == 0; }));
}

TEST(EngineService, LoadsKeepComingDuringASlowStep) {
  EngineProcess engine({"--reference-step-ms=20000"});
  const auto stub = engine.Inference();
  grpc::ClientContext stream_context;
  auto stream = stub->GenerateStream(&stream_context, Ask("slow"));
  std::atomic<bool> answered{false};
  std::thread reader([&] {
    v1::GenerateStreamResponse event;
    if (stream->Read(&event)) answered = true;
  });
  grpc::ClientContext context;
  v1::WatchLoadRequest request;
  request.set_interval_ms(20);
  const auto load_stub = engine.Load();
  auto loads = load_stub->WatchLoad(&context, request);
  v1::Load load;
  uint64_t last = 0;
  for (int during = 0; during < 10;) {
    ASSERT_TRUE(loads->Read(&load));
    EXPECT_EQ(load.sequence_number(), last + 1);
    last = load.sequence_number();
    during += load.running() == 1 ? 1 : 0;
  }
  EXPECT_FALSE(answered) << "the step was not slow";
  EXPECT_THAT(engine.Http("/healthz"), HasSubstr("200 OK"));
  engine.process().Signal(SIGKILL);
  reader.join();
}

TEST(EngineService, SigtermFinishesStreamsAndEndsWithZero) {
  EngineProcess engine({"--reference-step-ms=20"});
  const auto stub = engine.Inference();
  EXPECT_EQ(engine.Health(""), EngineProcess::kServing);
  EXPECT_EQ(engine.Health("headgate.v1.Inference"), EngineProcess::kServing);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GenerateStreamResponse>>> streams;
  v1::GenerateStreamResponse event;
  for (int i = 0; i < 4; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub->GenerateStream(contexts.back().get(), Ask(" forever", 80)));
    ASSERT_TRUE(streams.back()->Read(&event));
  }
  engine.process().Signal(SIGTERM);
  ASSERT_TRUE(engine.WaitLoad([](const v1::Load& load) { return load.draining(); }));
  const auto refused = Stream(engine, Ask("late"));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.status.error_message(), "the engine is draining");
  EXPECT_EQ(engine.Health("headgate.v1.Inference"), EngineProcess::kNotServing);
  EXPECT_THAT(engine.Http("/healthz"), HasSubstr("503"));
  for (auto& stream : streams) {
    const StreamEnd end = ReadAll(*stream);
    EXPECT_TRUE(end.status.ok()) << end.status.error_message();
    EXPECT_EQ(end.finish.usage().completion_tokens(), 80);
  }
  EXPECT_EQ(engine.process().WaitExit().value_or(-1), 0) << engine.process().Stderr();
}

TEST(EngineService, ADrainThatRunsOutOfTimeEndsTheRest) {
  EngineProcess engine({"--reference-step-ms=10", "--drain-seconds=0.2"});
  const auto stub = engine.Inference();
  grpc::ClientContext context;
  auto stream = stub->GenerateStream(&context, Ask(" forever", 5000));
  v1::GenerateStreamResponse event;
  ASSERT_TRUE(stream->Read(&event));
  engine.process().Signal(SIGTERM);
  EXPECT_FALSE(ReadAll(*stream).status.ok());
  EXPECT_EQ(engine.process().WaitExit().value_or(-1), 0);
}

TEST(EngineService, ASecondSignalEndsAtOnce) {
  EngineProcess engine({"--reference-step-ms=20"});
  const auto stub = engine.Inference();
  grpc::ClientContext context;
  auto stream = stub->GenerateStream(&context, Ask(" forever", 5000));
  v1::GenerateStreamResponse event;
  ASSERT_TRUE(stream->Read(&event));
  engine.process().Signal(SIGTERM);
  ASSERT_TRUE(engine.WaitLoad([](const v1::Load& load) { return load.draining(); }));
  engine.process().Signal(SIGTERM);
  EXPECT_EQ(engine.process().WaitExit().value_or(-1), 128 + SIGTERM);
}

TEST(EngineService, DrainIsOnTheAdminPortOnly) {
  EngineProcess engine;
  v1::DrainResponse response;
  grpc::ClientContext wrong;
  EXPECT_EQ(engine.Load()->Drain(&wrong, {}, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  grpc::ClientContext other;
  v1::GenerateResponse generated;
  EXPECT_EQ(v1::Inference::NewStub(engine.Channel("admin"))->Generate(&other, Ask("x"), &generated).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_TRUE(Stream(engine, Ask("x", 3)).status.ok());
  grpc::ClientContext right;
  ASSERT_TRUE(engine.Admin()->Drain(&right, {}, &response).ok());
  EXPECT_EQ(response.in_flight(), 0);
  EXPECT_EQ(Stream(engine, Ask("x")).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(engine.process().Running()) << "only a signal ends it";
}

TEST(EngineService, RefusalsNameTheField) {
  EngineProcess engine;
  const struct {
    const char* name;
    const char* request;
    grpc::StatusCode code;
    const char* field;
  } rows[] = {
      {"unknown_role", "messages { role: 17 content: 'x' }", grpc::StatusCode::INVALID_ARGUMENT, "messages[0].role"},
      {"unknown_priority", "prompt: 'x' priority: 8", grpc::StatusCode::INVALID_ARGUMENT, "priority"},
      {"min_p", "prompt: 'x' sampling { min_p: 1.01 }", grpc::StatusCode::INVALID_ARGUMENT, "sampling.min_p"},
      {"max_tokens", "prompt: 'x' max_tokens: 0", grpc::StatusCode::INVALID_ARGUMENT, "max_tokens"},
      {"nothing", "", grpc::StatusCode::INVALID_ARGUMENT, "messages"},
      {"grammar", "messages { role: ROLE_USER content: 'x' } response_format { type: TYPE_JSON_OBJECT }",
       grpc::StatusCode::INVALID_ARGUMENT, "response_format.type"},
      {"model", "prompt: 'x' model: 'gpt'", grpc::StatusCode::NOT_FOUND, "model"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    v1::GenerateRequest request;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.request, &request));
    for (const bool unary : {false, true}) {
      grpc::ClientContext context;
      v1::GenerateResponse response;
      const grpc::Status status =
          unary ? engine.Inference()->Generate(&context, request, &response) : Stream(engine, request).status;
      EXPECT_EQ(status.error_code(), row.code);
      EXPECT_THAT(status.error_message(), testing::StartsWith(absl::StrCat(row.field, ": ")));
      EXPECT_THAT(status.error_details(), HasSubstr("type.googleapis.com/google.rpc.ErrorInfo"));
      EXPECT_THAT(status.error_details(), HasSubstr(row.field));
    }
  }
  grpc::ClientContext context;
  v1::WatchLoadRequest watch;
  watch.set_interval_ms(5);
  v1::Load load;
  const auto stub = engine.Load();
  auto loads = stub->WatchLoad(&context, watch);
  EXPECT_FALSE(loads->Read(&load));
  EXPECT_THAT(loads->Finish().error_message(), testing::StartsWith("interval_ms: "));
}

TEST(EngineService, WhatDoesNotParseIsSaidToBeSo) {
  EngineProcess engine;
  const std::string content("\x12\x06\x08\x02\x12\x02\xff\xfe", 8);  // messages[0] with two bytes of content
  const struct {
    const char* name;
    const char* method;
    std::string bytes;
    const char* message;
  } rows[] = {
      {"generate", "Generate", content, "messages[0].content: not valid UTF-8"},
      {"stream", "GenerateStream", content, "messages[0].content: not valid UTF-8"},
      {"batch", "GenerateBatch", "\x0a\x08" + content, "requests[0].messages[0].content: not valid UTF-8"},
      {"embed", "Embed", "\x12\x01\xff", "input[0]: not valid UTF-8"},
      {"count", "CountTokens", "\x12\x06\x08\x02\x12\x02\xff\xfe", "messages[0].content: not valid UTF-8"},
      {"cut_short", "Generate", "\x1a\x7f" "abc", "request: is cut short or no GenerateRequest"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    std::string response;
    const grpc::Status status =
        engine.Call(absl::StrCat("/headgate.v1.Inference/", row.method), row.bytes, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(), row.message);
    EXPECT_THAT(status.error_details(), HasSubstr("type.googleapis.com/google.rpc.ErrorInfo"));
  }
}

// 4,000 windows of 50 ms would keep the one thread busy for 200 s.
TEST(EngineService, AnEmbeddingThatNobodyWaitsForEnds) {
  EngineProcess engine({"--reference-step-ms=50"});
  const auto stub = engine.Inference();
  v1::EmbedRequest request;
  request.add_input(std::string(250 << 10, 'x'));
  v1::EmbedResponse response;
  grpc::ClientContext impatient;
  impatient.set_deadline(std::chrono::system_clock::now() + std::chrono::hours(1));
  std::promise<grpc::Status> left;
  stub->async()->Embed(&impatient, &request, &response, [&](grpc::Status status) { left.set_value(status); });
  // Until it runs: what comes behind it has to wait.
  v1::EmbedRequest next;
  next.add_input("hello");
  for (grpc::StatusCode code = grpc::StatusCode::OK; code == grpc::StatusCode::OK;) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
    v1::EmbedResponse none;
    code = stub->Embed(&context, next, &none).error_code();
  }
  impatient.TryCancel();
  EXPECT_EQ(left.get_future().get().error_code(), grpc::StatusCode::CANCELLED);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  v1::EmbedResponse made;
  const grpc::Status status = stub->Embed(&context, next, &made);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// Too large for gRPC, or for the context: each is refused clearly, and who is being answered notices nothing.
TEST(EngineService, MegabytesOfPromptDisturbNobody) {
  EngineProcess engine({"--context-tokens=4096"});
  const std::string alone = Stream(engine, Ask("a forever", 200)).text;
  auto beside = std::async(std::launch::async, [&] { return Stream(engine, Ask("a forever", 200)); });
  const StreamEnd huge = Stream(engine, Ask(std::string(10 << 20, 'x'), 4));
  EXPECT_EQ(huge.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(huge.status.error_message(), HasSubstr("larger than max"));
  const StreamEnd large = Stream(engine, Ask(std::string(3 << 20, 'x'), 4));
  EXPECT_EQ(large.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(large.status.error_message(), testing::StartsWith("messages: 3145728 bytes"));
  const StreamEnd end = beside.get();
  EXPECT_TRUE(end.status.ok());
  EXPECT_EQ(end.text, alone);
}

TEST(EngineService, ReflectionIsOffUnlessAskedFor) {
  const std::string method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  const std::string list_services("\x3a\x01*", 3);
  std::string response;
  EngineProcess plain;
  EXPECT_EQ(plain.Call(method, list_services, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EngineProcess development({"--reflection"});
  EXPECT_TRUE(development.Call(method, list_services, &response).ok());
  EXPECT_THAT(response, HasSubstr("headgate.v1.Inference"));
}

TEST(EngineService, NothingOfThePromptIsLogged) {
  EngineProcess engine;
  const std::string canary = "zzcanary7261zz";
  ASSERT_TRUE(Stream(engine, Ask(canary, 5)).status.ok());
  auto bad = Ask(canary);
  bad.add_stop(std::string(300, 'x') + canary);
  EXPECT_THAT(Stream(engine, bad).status.error_message(), testing::Not(HasSubstr(canary)));
  const std::string metrics = engine.Http("/metrics");
  engine.process().Signal(SIGTERM);
  ASSERT_TRUE(engine.process().WaitExit().ok());
  for (const std::string& text : {metrics, engine.process().Stdout(), engine.process().Stderr()}) {
    EXPECT_THAT(text, testing::Not(HasSubstr(canary)));
  }
}

TEST(EngineCommandLine, WrongFlagsEndWithTwoAndSayWhy) {
  const struct {
    const char* name;
    std::vector<std::string> flags;
    int code;
    const char* message;
  } rows[] = {
      {"none", {}, 2, "give either --model FILE or --reference"},
      {"both", {"--reference", "--model=/dev/null"}, 2, "--model"},
      {"unknown", {"--reference", "--frobnicate"}, 2, "--frobnicate"},
      {"range", {"--reference", "--parallel=0"}, 2, "--parallel"},
      {"manifest", {"--reference", "--manifest=maybe"}, 2, "--manifest"},
      {"half_tls", {"--reference", "--tls-cert=x.pem"}, 2, "--tls-cert and --tls-key go together"},
      {"bad_metrics_address", {"--reference", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--metrics=nowhere"}, 1,
       "nowhere: is not IP:PORT"},
      {"bad_certificate",
       {"--reference", "--listen=127.0.0.1:0", "--tls-cert=/none.pem", "--tls-key=/none.key"}, 1, "/none."},
      {"help", {"--help"}, 0, ""},
      {"version", {"--version"}, 0, ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    auto process = Process::Start(BinaryPath("headgate-engine"), row.flags);
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_EQ((*process)->WaitExit().value_or(-1), row.code);
    EXPECT_THAT((*process)->Stderr(), HasSubstr(row.message));
  }
}

}  // namespace
}  // namespace headgate
