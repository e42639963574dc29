// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The cloud client against the DeepSeek emulator over loopback sockets, on the real clock: limits in time are short
// where they must pass and far away where they must not.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "router/policy.h"
#include "router/upstream/cloud_client.h"
#include "tests/fakes/deepseek_emulator.h"
#include "tests/unit/upstream/permitted.h"

namespace headgate::router {

inline constexpr char kTransfers[] = "headgate_router_cloud_transfers";

struct CloudOutcome {
  absl::Status status = absl::UnknownError("still running");
  std::string content, reasoning, calls;
  std::optional<v1::Finish> finish;
  int deltas = 0;
  std::optional<int64_t> paid_for;  // when it broke off
};

class CloudClientTest : public ::testing::Test {
 protected:
  CloudClientTest() { StartEmulator({}); }
  ~CloudClientTest() override {
    // Whatever happened: nothing is left behind.
    client_.reset();
    EXPECT_EQ(metrics_.GetGauge(kTransfers, "").Value(), 0);
    EXPECT_TRUE(emulator_->WaitUntil([](const auto& s) { return s.connections_open == 0 && s.chats_active == 0; }));
  }

  void StartEmulator(const DeepSeekEmulatorOptions& options) {
    client_.reset();
    emulator_ = *DeepSeekEmulator::Start(options);
    config_.base_url = emulator_->base_url();
    Connect();
  }
  void Connect() {
    client_.reset();
    auto client = MakeCloudClient(io_.get_executor(), *clock_, config_, "sk-test-key", metrics_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  MonotonicTime In(absl::Duration duration) const { return clock_->Monotonic() + duration; }

  static Task<absl::Status> Collect(AnswerStream& stream, CloudOutcome& outcome, Cancellation& cancellation) {
    while (true) {
      auto event = co_await stream.Next(absl::InfiniteDuration(), cancellation);
      if (!event.ok()) co_return event.status();
      if (!event->has_value()) co_return absl::OkStatus();
      const v1::GenerateStreamResponse& value = **event;
      if (value.has_finish()) outcome.finish = value.finish();
      if (!value.has_delta()) continue;
      ++outcome.deltas;
      outcome.content += value.delta().content();
      outcome.reasoning += value.delta().reasoning_content();
      for (const auto& call : value.delta().tool_calls())
        absl::StrAppend(&outcome.calls, call.name(), call.arguments());
    }
  }
  void SpawnCollect(AnswerStream& stream, CloudOutcome& outcome) {
    boost::asio::co_spawn(io_.get_executor(), Collect(stream, outcome, cancellation_),
                          [&outcome](std::exception_ptr error, absl::Status status) {
                            outcome.status = error ? absl::InternalError("exception") : std::move(status);
                          });
  }
  // Runs the executor until `done`.
  bool RunUntil(const std::function<bool()>& done) {
    io_.restart();
    const MonotonicTime until = In(absl::Seconds(30));
    while (!done() && clock_->Monotonic() < until) io_.run_one_for(std::chrono::milliseconds(100));
    return done();
  }
  CloudOutcome Finish(AnswerStream& stream) {
    CloudOutcome outcome;
    SpawnCollect(stream, outcome);
    EXPECT_TRUE(RunUntil([&] { return outcome.status.code() != absl::StatusCode::kUnknown; }));
    outcome.paid_for = stream.PaidFor();
    return outcome;
  }
  CloudOutcome Ask(v1::GenerateRequest request, absl::Duration deadline = absl::Seconds(30), bool whole = false) {
    const CloudPrompt prompt = Permitted(std::move(request));
    const auto stream = client_->Generate(prompt, CloudCall(In(deadline), "", whole));
    return Finish(*stream);
  }
  double Count(const char* name) { return metrics_.GetCounter(name, "").Value(); }

  boost::asio::io_context io_;
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Metrics metrics_;
  Cancellation cancellation_;
  CloudConfig config_;
  std::unique_ptr<DeepSeekEmulator> emulator_;
  std::unique_ptr<CloudUpstream> client_;
};

}  // namespace headgate::router
