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
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/engine_metrics.h"
#include "engine/kv_cells.h"
#include "engine/request_queue.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step_budget.h"
#include "engine/tenant_ledger.h"

namespace headgate::engine {

class DecodeLoop {
 public:
  // All but `config` must outlive it.
  DecodeLoop(const EngineConfig& config, Backend& backend, EngineMetrics& metrics, const Clock& clock);
  ~DecodeLoop();  // open requests end with UNAVAILABLE

  // All or none: RESOURCE_EXHAUSTED (queue full) or UNAVAILABLE (draining).
  absl::Status Add(std::vector<std::unique_ptr<Sequence>> sequences);
  void Cancel(uint64_t request);
  void Drain();
  bool Drained() const;
  v1::Load CurrentLoad() const;
  int64_t SwappedBytes() const { return *swapped_bytes_; }
  double CellsUsed() const;            // share of the KV cache, 0..1
  // Names of the adapters that running and that waiting requests use.
  std::pair<std::set<std::string>, std::set<std::string>> AdaptersInUse() const;
  bool Ready() const { return ready_; }  // warmed up
  absl::Duration TurnAge() const;      // how long the present turn lasts; 0 when idle

 private:
  // A sequence's share of a step: rows [first, first + count) of rows_.
  struct Part {
    int32_t slot = 0;
    size_t first = 0;
    int32_t count = 0;
    int32_t drafts = 0;  // the last rows: guesses, all of them outputs
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
  // A place in the batch; its index is the backend's sequence id.
  struct Slot {
    std::unique_ptr<Sequence> sequence;
    int32_t rank = 1;           // it was admitted under
    // The request whose computing of a common prefix this one waits for; 0 = none.
    uint64_t donor = 0;
    int32_t donor_slot = 0;
    int32_t donor_tokens = 0;
  };

  // decode_loop.cc: the thread, the queue, and who runs.
  void Run();
  void WarmUp();
  double Measure(int32_t sequences, int32_t count);
  void ShowRates();
  bool WaitForWork();
  void Turn();
  void SendEnded(MonotonicTime now);
  bool Hopeless(const Sequence& sequence, MonotonicTime now) const;
  void DropDead(MonotonicTime now);
  Step Plan(MonotonicTime now);
  int32_t PromptLeft(int32_t slot) const;
  std::vector<RunningSequence> Running(MonotonicTime now) const;
  StepLimits Limits(const std::vector<RunningSequence>& running);
  void Admit(const std::vector<uint64_t>& requests, MonotonicTime now);
  int32_t CellsShort(const Sequence& sequence, int32_t slot) const;
  void Settle(const Sequence& sequence, Ending ending);
  void Finish(int32_t slot);
  void Fail(int32_t slot, absl::Status status, Ending ending);
  std::unique_ptr<Sequence> Free(int32_t slot);
  bool StepIsDead() const;
  Sequence* at(int32_t slot) const { return slots_[static_cast<size_t>(slot)].sequence.get(); }

  // decode_places.cc: what a place holds.
  int32_t CellsAtAdmission(const Sequence& sequence) const;
  void Start(int32_t slot);
  bool Resume(int32_t slot, int32_t cells);
  void AwaitPrefix(int32_t slot);
  void ServeWaits();
  std::unique_ptr<SwappedState> Swap(int32_t slot);
  void Preempt(int32_t slot);
  void Publish(int32_t slot);

  // decode_step.cc: one step.
  std::vector<Part> BuildRows(const Step& step);
  int32_t DraftRows(const Step& step) const;
  int32_t DraftsThatPay(int32_t rows, int32_t most, double share) const;
  void AddDraft(Part& part, int32_t most, int32_t decoding);
  void RunStep(const Step& step);
  // After a good Decode in which the part's first row had index `row`: samples where the part ended in an output.
  void Apply(const Part& part, int32_t row);
  // Samples row after row while the guesses hold. True when the answer is complete.
  bool Sample(const Part& part, int32_t row);
  void CountToken(Sequence& sequence);
  int32_t Worst() const;
  void MakeRoom(const Step& step, const std::vector<Part>& parts);
  void DecodeOneByOne(const std::vector<Part>& parts);
  void Resync(int32_t slot);
  void Report(const Step& step, int32_t drafts, double step_seconds);

  const EngineConfig config_;
  Backend& backend_;
  EngineMetrics& metrics_;
  const Clock& clock_;

  // The decode thread's own.
  std::vector<Slot> slots_;
  KvCells cells_;
  StepBudget budget_;
  std::vector<BatchRow> rows_;
  std::vector<const Sequence*> in_step_;
  AdapterTurns adapter_turns_;
  int32_t adapter_ = 0;            // of the last step
  uint64_t turns_ = 0;
  int32_t rows_max_ = 0;           // shrinks while the backend finds no room
  int32_t yields_ = 0;             // steps in a row in which the batch class stood aside
  bool admission_blocked_ = false; // after the backend had no room, until something ends

  std::atomic<int64_t> turn_started_ns_{0};  // 0 = idle
  const std::shared_ptr<std::atomic<int64_t>> swapped_bytes_ = std::make_shared<std::atomic<int64_t>>(0);
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ready_{false};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  RequestQueue queue_;
  TenantLedger tenants_;
  std::unordered_map<uint64_t, Sequence*> running_;
  std::vector<Ended> ended_;       // left the queue; their event is due
  bool draining_ = false;
  int64_t cells_free_ = 0;
  int64_t cells_used_ = 0;
  int64_t prompt_left_ = 0;
  int32_t answers_max_ = 0;        // at a time, by the measured rates
  std::vector<std::pair<int32_t, double>> decode_rates_;
  Rate prefill_rate_;
  Rate decode_rate_;

  std::thread thread_;             // last: it uses the others
};

}  // namespace headgate::engine
