// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EngineSwitch: an engine whose model can be replaced while it serves. New requests go to the newest; those before
// finish what they have accepted, in their own memory, and go. No stream is dropped.
//
// A request's id carries in its upper 16 bits which engine has it.
//
// Thread-safety: all methods from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace headgate::engine {

class EngineSwitch final : public Engine {
 public:
  explicit EngineSwitch(std::unique_ptr<Engine> first);

  // `next` takes over. FAILED_PRECONDITION: the switch drains, or the last replacement is still finishing its
  // predecessor: at most two models are in memory.
  absl::Status Replace(std::unique_ptr<Engine> next);
  // OK when Replace would be allowed now: asked before a model is loaded for it.
  absl::Status CheckReplace() const;
  // Lets go of engines that have finished; blocks until their threads have ended. Call several times a second.
  void Sweep();

  absl::StatusOr<uint64_t> Submit(v1::GenerateRequest request, MonotonicTime deadline,
                                  std::shared_ptr<AnswerEvents> events, std::string tenant) override;
  void Cancel(uint64_t request) override;
  uint64_t Embed(v1::EmbedRequest request, MonotonicTime deadline,
                 std::function<void(absl::StatusOr<v1::EmbedResponse>)> done) override;
  absl::StatusOr<int64_t> CountTokens(const v1::CountTokensRequest& request) const override;
  // Of the newest.
  absl::Status LoadAdapter(const std::string& name, const std::string& file) override;
  absl::Status UnloadAdapter(const std::string& name) override;
  std::vector<std::string> Adapters() const override;
  BackendInfo info() const override;
  v1::Load CurrentLoad() const override;
  bool Healthy() const override;
  void Drain() override;
  bool Drained() const override;
  void RefreshMetrics() override;

 private:
  struct Member {
    uint64_t number = 0;
    std::unique_ptr<Engine> engine;
    std::atomic<int> embeds{0};  // that have not called back
  };
  using Members = std::vector<std::shared_ptr<Member>>;
  std::shared_ptr<Member> Newest() const;
  Members All() const;

  mutable std::mutex mutex_;
  Members members_;  // the newest last; never empty
  uint64_t numbers_ = 0;
  bool draining_ = false;
};

}  // namespace headgate::engine
