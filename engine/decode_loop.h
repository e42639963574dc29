// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// DecodeLoop: the thread that makes the tokens. Each turn: drop what was cancelled or is too late, admit, plan a step,
// compute its rows, sample, send events. It alone touches the backend's KV and the running sequences; everybody else
// talks to it through a mutex that is never held during a step.
//
// Thread-safety: public methods from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/engine_metrics.h"
#include "engine/request_queue.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace headgate::engine {

class DecodeLoop {
 public:
  // All but `config` must outlive it.
  DecodeLoop(const EngineConfig& config, Backend& backend, EngineMetrics& metrics, const Clock& clock);
  ~DecodeLoop();  // open requests end with UNAVAILABLE

  // RESOURCE_EXHAUSTED (queue full) or UNAVAILABLE (draining).
  absl::Status Add(std::unique_ptr<Sequence> sequence);
  void Cancel(uint64_t request);
  void Drain();
  bool Drained() const;
  v1::Load CurrentLoad() const;
  double CellsUsed() const;            // share of the KV cache, 0..1
  absl::Duration TurnAge() const;      // how long the present turn lasts; 0 when idle

 private:
  // A sequence's share of a step: rows [first, first + count) of rows_.
  struct Part {
    int32_t slot = 0;
    size_t first = 0;
    int32_t count = 0;
  };
  struct Ended {
    std::unique_ptr<Sequence> sequence;
    absl::Status status;
  };
  // Moving average over the busy time of about the last 10 s.
  struct Rate {
    void Add(int32_t tokens, double seconds);
    double PerSecond() const { return seconds > 0 ? tokens / seconds : 0; }
    double tokens = 0;
    double seconds = 0;
  };

  void Run();
  bool WaitForWork();
  void Turn();
  void SendEnded(MonotonicTime now);
  void DropDead(MonotonicTime now);
  Step Plan(MonotonicTime now);
  void Admit(const std::vector<uint64_t>& requests, MonotonicTime now);
  std::vector<Part> BuildRows(const Step& step);
  void RunStep(const Step& step);
  // After a good Decode in which the part's first row had index `row`: samples where the part ended in an output.
  void Apply(const Part& part, int32_t row);
  void MakeRoom(const Step& step, const std::vector<Part>& parts);
  void DecodeOneByOne(const std::vector<Part>& parts);
  void Resync(int32_t slot);
  void Preempt();
  void Observe(const Sequence& sequence, Ending ending);
  void Finish(int32_t slot);
  void Fail(int32_t slot, absl::Status status, Ending ending);
  std::unique_ptr<Sequence> Free(int32_t slot);
  std::unique_ptr<Sequence> TakeLocked(int32_t slot);  // REQUIRES: mutex_ held
  bool StepIsDead() const;
  void Publish(const Step& step, double step_seconds);

  const EngineConfig config_;
  Backend& backend_;
  EngineMetrics& metrics_;
  const Clock& clock_;

  // The decode thread's own.
  std::vector<std::unique_ptr<Sequence>> slots_;  // index = the backend's sequence id
  std::vector<BatchRow> rows_;
  std::vector<const Sequence*> in_step_;
  uint64_t turns_ = 0;
  int32_t rows_max_ = 0;           // shrinks while the backend finds no room
  bool admission_blocked_ = false; // after a preemption, until something ends

  std::atomic<int64_t> turn_started_ns_{0};  // 0 = idle
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  RequestQueue queue_;
  std::unordered_map<uint64_t, Sequence*> running_;
  std::vector<Ended> ended_;       // left the queue; their event is due
  bool draining_ = false;
  int64_t cells_reserved_ = 0;
  int64_t cells_used_ = 0;
  int64_t prompt_left_ = 0;
  Rate prefill_rate_;
  Rate decode_rate_;

  std::thread thread_;             // last: it uses the others
};

}  // namespace headgate::engine
