// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// When headgate-engine says that it can be used: not before its warm-up, not while a step hangs. A step of the
// reference model takes as long as it is told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/integration/engine/engine_process.h"

namespace headgate {
namespace {

constexpr char kInference[] = "headgate.v1.Inference";

// Asks until it is so; the test's time-out ends it.
void WaitHealth(EngineProcess& engine, const std::string& health) {
  while (engine.Health(kInference) != health) std::this_thread::yield();
}

int64_t Cached(EngineProcess& engine, const std::string& tenant, const std::string& system) {
  v1::GenerateRequest request;
  auto* const message = request.add_messages();
  message->set_role(v1::ROLE_SYSTEM);
  message->set_content(system);
  *request.add_messages() = Ask("hi").messages(0);
  request.set_max_tokens(1);
  request.set_user(tenant);
  grpc::ClientContext context;
  v1::GenerateResponse response;
  const grpc::Status status = engine.Inference()->Generate(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.usage().cached_tokens();
}

TEST(EngineHealth, ComesAfterTheWarmUpListWhichCanBeAskedForAgain) {
  const std::string file = absl::StrCat(testing::TempDir(), "headgate_warm_", getpid(), ".jsonl");
  const std::string system(300, 's');
  std::ofstream(file) << R"({"system": ")" << system << R"(", "tenant": "t"})" << "\n";
  EngineProcess engine({"--warm-up-prompts=" + file, "--reference-step-ms=1000", "--context-tokens=4096",
                        "--prefix-cache-tokens=500"});
  EXPECT_EQ(engine.Health(kInference), EngineProcess::kNotServing) << "the list is a step of a second";
  EXPECT_THAT(engine.Http("/healthz"), testing::HasSubstr("503"));
  WaitHealth(engine, EngineProcess::kServing);
  EXPECT_GT(Cached(engine, "t", system), 200) << "the first request of all";
  EXPECT_EQ(Cached(engine, "another", std::string(450, 'x')), 0);
  EXPECT_LT(Cached(engine, "t", system), 100) << "it was pushed out";
  EXPECT_EQ(Cached(engine, "another", std::string(450, 'y')), 0);

  grpc::ClientContext context;
  v1::WarmUpResponse response;
  ASSERT_TRUE(engine.Admin()->WarmUp(&context, {}, &response).ok());
  EXPECT_EQ(response.prompts(), 1);
  EXPECT_GT(Cached(engine, "t", system), 200);
  std::remove(file.c_str());
}

TEST(EngineHealth, AStepThatHangsIsSeenAndItsEndToo) {
  EngineProcess engine({"--reference-step-ms=3000", "--step-age-max-seconds=0.2"});
  EXPECT_EQ(engine.Health(kInference), EngineProcess::kServing) << "an idle engine has no step";
  const auto stub = engine.Inference();
  grpc::ClientContext context;
  auto stream = stub->GenerateStream(&context, Ask("slow", 1));
  WaitHealth(engine, EngineProcess::kNotServing);
  EXPECT_EQ(engine.Health(""), EngineProcess::kNotServing);
  EXPECT_THAT(engine.Http("/healthz"), testing::HasSubstr("503"));
  EXPECT_TRUE(ReadAll(*stream).status.ok()) << "who was accepted is answered";
  WaitHealth(engine, EngineProcess::kServing);
}

}  // namespace
}  // namespace headgate
