// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A real engine that accepts requests, says that it is well and reports its load, and works on nothing.
#include <gmock/gmock.h>

#include <future>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using ::testing::HasSubstr;

class WedgedEngineTest : public RouterWorld {};

TEST_F(WedgedEngineTest, WhatItHoldsIsAnsweredByAnother) {
  StartEmulator();
  // One step that does not end while the test runs. Health may not notice: a stall is for the router to see.
  StartEngine({"--reference-step-ms", "60000", "--step-age-max-seconds", "3600"});
  const auto wedged = std::move(engine_);
  const std::string wedged_address = engine_address_;
  StartEngine();
  RouterYaml yaml;
  yaml.endpoint = absl::StrCat("    - name: wedged\n      address: ", wedged_address, "\n  stall_timeout: 1s\n");
  StartRouter(yaml);
  WaitFor("both engines", [this] {
    const auto state = State();
    return state.endpoints_size() == 2 && state.endpoints(0).ready() && state.endpoints(1).ready();
  });
  struct Ended {
    grpc::Status status;
    v1::Route::Target target = v1::Route::TARGET_UNSPECIFIED;
    int deltas = 0, finishes = 0;
  };
  std::vector<std::future<Ended>> requests;
  for (int i = 0; i < 8; ++i) {
    requests.push_back(std::async(std::launch::async, [this, whole = i % 2 == 1] {
      Ended ended;
      grpc::ClientContext context;
      if (whole) {
        v1::GenerateResponse answer;
        ended.status = Inference()->Generate(&context, Request(kResidentId), &answer);
        ended.target = answer.route().target();
        ended.deltas = !answer.message().content().empty();
        ended.finishes = answer.finish_reason() != v1::FINISH_REASON_UNSPECIFIED;
        return ended;
      }
      const auto reader = Inference()->GenerateStream(&context, Request(kResidentId));
      for (v1::GenerateStreamResponse event; reader->Read(&event);) {
        if (event.has_route()) ended.target = event.route().target();
        ended.deltas += event.has_delta();
        ended.finishes += event.has_finish();
      }
      ended.status = reader->Finish();
      return ended;
    }));
  }
  for (auto& request : requests) {
    const Ended ended = request.get();
    EXPECT_TRUE(ended.status.ok()) << ended.status.error_message();
    EXPECT_EQ(ended.target, v1::Route::TARGET_LOCAL);
    EXPECT_GT(ended.deltas, 0);
    EXPECT_EQ(ended.finishes, 1);
  }
  EXPECT_GE(RouterMetric("headgate_router_upstream_attempts_total{outcome=\"timeout\",upstream=\"local\"}"), 1)
      << "none was sent to it: the test says nothing";
  EXPECT_EQ(emulator_->stats().chats_total, 0) << "never towards less trust";
  EXPECT_THAT(router_->Stderr(), HasSubstr("reports its load but shows no work: name=wedged"));
}

}  // namespace
}  // namespace headgate
