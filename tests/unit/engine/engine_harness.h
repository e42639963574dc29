// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the engine's tests share: an answer that can be waited for, a gate in front of each step, a clock moved by hand,
// and a backend whose Decode can be made to fail.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/metrics.h"
#include "engine/backend/reference.h"
#include "engine/engine.h"
#include "engine/utf8_joiner.h"
#include "tests/fakes/forwarding_backend.h"
#include "tests/unit/engine/step_gate.h"

namespace headgate::engine {

// One answer as its events told it. Useful for 1. waiting for text or the end; 2. checking that the end comes once.
class Answer : public AnswerEvents {
 public:
  void OnDelta(v1::Delta delta) override {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_) << "an event after the end";
    EXPECT_EQ(Utf8Joiner().Add(delta.content()), delta.content()) << "a partial character";
    text_ += delta.content();
    deltas_.push_back(std::move(delta));
    changed_.notify_all();
  }
  void OnFinish(v1::Finish finish) override { End(absl::OkStatus(), std::move(finish)); }
  void OnError(absl::Status status) override { End(std::move(status), {}); }

  const absl::Status& WaitEnd() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [this] { return ended_; })) << "no end";
    return status_;
  }
  void WaitDeltas(size_t n) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return ended_ || deltas_.size() >= n; }));
  }
  bool ended() {
    std::lock_guard lock(mutex_);
    return ended_;
  }
  size_t delta_count() {
    std::lock_guard lock(mutex_);
    return deltas_.size();
  }
  // After the end:
  const std::string& text() const { return text_; }
  const v1::Finish& finish() const { return finish_; }
  const std::vector<v1::Delta>& deltas() const { return deltas_; }

 private:
  void End(absl::Status status, v1::Finish finish) {
    std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_) << "a second end";
    ended_ = true;
    status_ = std::move(status);
    finish_ = std::move(finish);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::vector<v1::Delta> deltas_;
  v1::Finish finish_;
  absl::Status status_;
  bool ended_ = false;
};

class HandClock : public Clock {
 public:
  absl::Time WallTime() const override { return absl::UnixEpoch() + Monotonic(); }
  MonotonicTime Monotonic() const override { return absl::Nanoseconds(now_ns_.load()); }
  std::unique_ptr<Timer> CallAt(MonotonicTime, std::function<void()>) override { return nullptr; }
  void Advance(absl::Duration by) { now_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_ns_{1000000000};
};

// The reference backend with faults put in through the interface.
class FaultyBackend : public ForwardingBackend {
 public:
  using Fault = std::function<absl::Status(absl::Span<const BatchRow>, const Backend&)>;
  FaultyBackend(const ReferenceConfig& config, Fault before_decode)
      : ForwardingBackend(MakeReferenceBackend(config)), fault_(std::move(before_decode)) {}

  absl::Status Decode(absl::Span<const BatchRow> rows) override {
    if (fault_) {
      if (auto status = fault_(rows, inner()); !status.ok()) return status;
    }
    return inner().Decode(rows);
  }
  int32_t Length(int32_t sequence) const override { return inner().Length(sequence) - lost_; }
  absl::Status RestoreState(int32_t sequence, absl::Span<const uint8_t> state) override {
    if (restore_fails_) return absl::InternalError("no");
    return inner().RestoreState(sequence, state);
  }
  void LoseTokens(int32_t n) { lost_ = n; }
  void FailRestores() { restore_fails_ = true; }

 private:
  Fault fault_;
  std::atomic<int32_t> lost_{0};
  std::atomic<bool> restore_fails_{false};
};

inline v1::GenerateRequest Ask(const std::string& text, int32_t max_tokens = 0) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(text);
  if (max_tokens > 0) request.set_max_tokens(max_tokens);
  return request;
}

// The answer of a request alone on a fresh backend.
inline std::string Alone(const v1::GenerateRequest& request, ReferenceConfig config = {}) {
  config.on_decode = nullptr;
  Metrics metrics;
  auto engine = Engine::Start({}, MakeReferenceBackend(config), metrics);
  EXPECT_TRUE(engine.ok()) << engine.status();
  auto answer = std::make_shared<Answer>();
  EXPECT_TRUE((*engine)->Submit(request, absl::InfiniteDuration(), answer).ok());
  EXPECT_TRUE(answer->WaitEnd().ok());
  return answer->text();
}

inline const MonotonicTime kNever = absl::InfiniteDuration();

// An engine over the reference backend whose steps, clock and faults the test controls.
class EngineTest : public testing::Test {
 protected:
  ~EngineTest() override { gate_.Open(); }  // before the engine, which joins its thread

  void Start(ReferenceConfig config = {}, EngineConfig engine = {}, FaultyBackend::Fault fault = nullptr) {
    config.on_decode = [this](int32_t rows) {
      rows_.push_back(rows);
      gate_.Pass();
    };
    auto backend = std::make_unique<FaultyBackend>(config, std::move(fault));
    backend_ = backend.get();
    auto started = Engine::Start(engine, std::move(backend), metrics_, clock_);
    ASSERT_TRUE(started.ok()) << started.status();
    engine_ = *std::move(started);
  }
  std::shared_ptr<Answer> Submit(const v1::GenerateRequest& request, MonotonicTime deadline = kNever) {
    auto answer = std::make_shared<Answer>();
    const auto id = engine_->Submit(request, deadline, answer);
    EXPECT_TRUE(id.ok()) << id.status();
    last_ = id.ok() ? *id : 0;
    return answer;
  }
  absl::Status Refusal(const v1::GenerateRequest& request, MonotonicTime deadline = kNever) {
    return engine_->Submit(request, deadline, std::make_shared<Answer>()).status();
  }
  double Value(const std::string& name, Labels labels = {{"model_name", "reference"}, {"engine", "0"}}) {
    return metrics_.GetCounter(name, "", labels).Value();
  }

  StepGate gate_;
  HandClock clock_;
  Metrics metrics_;
  FaultyBackend* backend_ = nullptr;
  std::vector<int32_t> rows_;  // of each step; the decode thread's until the engine is gone
  uint64_t last_ = 0;
  std::unique_ptr<Engine> engine_;
};

}  // namespace headgate::engine
