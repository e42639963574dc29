// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EmbeddingLoop: a thread that turns texts into vectors beside the decode thread, from a bounded queue.
//
// A text longer than the model takes at once is cut into windows; its vector is their mean, weighted by tokens, and
// L2-normalised.
//
// Thread-safety: all methods from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "engine/backend/backend.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::engine {

class EmbeddingLoop {
 public:
  using Done = std::function<void(absl::StatusOr<v1::EmbedResponse>)>;

  // `backend` and `clock` must outlive it.
  EmbeddingLoop(Backend& backend, const Clock& clock);
  ~EmbeddingLoop();  // waiting ones end with UNAVAILABLE

  // `done` is called once: from here (refused: INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED), from Cancel, or
  // from the thread. `id` is for Cancel; never used twice.
  void Embed(uint64_t id, v1::EmbedRequest request, MonotonicTime deadline, Done done);
  // CANCELLED: at once in the queue, after the present window when it is being computed. Nothing when it has ended.
  void Cancel(uint64_t id);

  static constexpr size_t kWaitingMax = 64;
  static constexpr int kInputsMax = 256;
  static constexpr size_t kInputBytesMax = 256 << 10;

 private:
  struct Job {
    uint64_t id = 0;
    v1::EmbedRequest request;
    MonotonicTime deadline;
    Done done;
  };
  void Run();
  absl::StatusOr<v1::EmbedResponse> Work(const Job& job);
  absl::StatusOr<v1::Embedding> EmbedText(const std::string& text, const Job& job, int64_t& tokens);

  Backend& backend_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Job> waiting_;  // at most kWaitingMax
  uint64_t running_ = 0;    // the job that is being computed; 0 = none
  std::atomic<bool> running_cancelled_{false};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace headgate::engine
