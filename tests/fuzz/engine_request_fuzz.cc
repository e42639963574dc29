// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Requests as gRPC decodes them from arbitrary bytes, given to a whole engine over the toy model: each ends once, with
// an answer or with a short status that names its field, and the engine goes on.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "common/metrics.h"
#include "engine/backend/reference.h"
#include "engine/engine.h"

namespace {

using namespace headgate;
using namespace headgate::engine;

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckStatus(const absl::Status& status) { Check(status.ok() || status.message().size() <= 1024); }

// Counts the ends of n answers.
class Ends : public AnswerEvents {
 public:
  explicit Ends(int choices) : left_(choices) {}
  void OnDelta(v1::Delta) override {}
  void OnFinish(v1::Finish) override { End(1); }
  void OnError(absl::Status status) override {
    CheckStatus(status);
    End(left_);
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return left_ <= 0; });
  }

 private:
  void End(int choices) {
    const std::lock_guard lock(mutex_);
    left_ -= choices;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  int left_;
};

Engine& TheEngine() {
  static Metrics& metrics = *std::make_unique<Metrics>().release();
  static Engine& engine = *[] {
    EngineConfig config;
    config.max_tokens_default = 8;
    auto started = Engine::Start(config, MakeReferenceBackend({.context_tokens = 1024}), metrics);
    Check(started.ok());
    return std::move(*started).release();
  }();
  return engine;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int bytes = static_cast<int>(size);
  Engine& engine = TheEngine();
  if (v1::GenerateRequest request; request.ParseFromArray(data, bytes)) {
    if (request.max_tokens() > 16) request.set_max_tokens(16);
    const auto ends = std::make_shared<Ends>(std::max(request.n(), 1));
    const auto id = engine.Submit(request, absl::InfiniteDuration(), ends);
    CheckStatus(id.status());
    if (id.ok()) ends->Wait();
  }
  if (v1::CountTokensRequest request; request.ParseFromArray(data, bytes)) {
    CheckStatus(engine.CountTokens(request).status());
  }
  if (v1::EmbedRequest request; request.ParseFromArray(data, bytes)) {
    const auto ends = std::make_shared<Ends>(1);
    engine.Embed(request, absl::InfiniteDuration(), [ends](absl::StatusOr<v1::EmbedResponse> made) {
      CheckStatus(made.status());
      ends->OnFinish({});
    });
    ends->Wait();
  }
  Check(engine.Healthy());
  return 0;
}
