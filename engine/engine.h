// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Engine: many answers at once from one model. Requests go in from any thread; one decode thread makes the tokens and
// calls back. README.md tells the life of a token.
//
// Thread-safety: all methods from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "engine/backend/backend.h"
#include "headgate/v1/engine.pb.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::engine {

struct EngineConfig {
  int32_t queue_max = 256;              // waiting requests; more are RESOURCE_EXHAUSTED
  int32_t step_prefill_tokens = 512;    // most prompt tokens in one step beside decoding sequences
  absl::Duration step_target = absl::Milliseconds(150);  // gap between two tokens that prompts may cause; 0 = any
  int32_t batch_rank_rows = 0;          // most answers of PRIORITY_BATCH in one step, for shorter steps; 0 = all
  absl::Duration aging = absl::Seconds(10);  // waiting this long raises a request by one priority class
  int32_t answer_cells = 128;           // KV cells reserved ahead of a growing answer
  // Most KV cells that keep finished prefixes; -1 = a quarter of all, 0 = none. Each cached cell costs every step a
  // little: attention passes over it.
  int32_t prefix_cache_tokens = -1;
  bool share_between_tenants = false;   // cached prefixes; else a tenant meets its own only
  int64_t swap_bytes_max = 0;           // host memory for the state of preempted answers; 0 = all computed again
  bool warm_up = false;                 // measure the model before taking requests: not healthy until then
  int32_t max_tokens_default = 512;
  absl::Duration step_age_max = absl::Seconds(30);  // a step older than this = not healthy
  RandomBytes random = SystemRandom();              // ids of tool calls
};

// One request's events, called from the decode thread, never concurrently; must not block. A request for n answers gets
// the deltas of all, an OnFinish for each, or one OnError as the last call.
class AnswerEvents {
 public:
  virtual ~AnswerEvents() = default;
  virtual void OnDelta(v1::Delta delta) = 0;
  virtual void OnFinish(v1::Finish finish) = 0;   // last call, of this choice
  virtual void OnError(absl::Status status) = 0;  // last call: DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE, INTERNAL
};

class Engine {
 public:
  // Starts the decode thread. `metrics` and `clock` must outlive the engine.
  static absl::StatusOr<std::unique_ptr<Engine>> Start(const EngineConfig& config, std::unique_ptr<Backend> backend,
                                                       Metrics& metrics, const Clock& clock = RealTime());
  virtual ~Engine() = default;  // cancels everything and joins

  // Accepts the request and returns its id, or: INVALID_ARGUMENT naming the field (also: prompt longer than the
  // context), NOT_FOUND (another model, or an adapter that is not loaded), RESOURCE_EXHAUSTED (queue full), UNAVAILABLE
  // (draining), DEADLINE_EXCEEDED.
  // Exactly one OnFinish or OnError follows an OK. A request for n answers takes n ids in a row, of which the first is
  // returned. `deadline` on the monotonic clock. `tenant`: whose fair share it is and whose cached prefixes it may use;
  // empty = the request's `user`.
  virtual absl::StatusOr<uint64_t> Submit(v1::GenerateRequest request, MonotonicTime deadline,
                                          std::shared_ptr<AnswerEvents> events, std::string tenant = "") = 0;
  // The request's place and KV are free before the next step; OnError(CANCELLED) follows unless it had ended. An
  // embedding ends before its next window, or leaves the queue at once.
  virtual void Cancel(uint64_t request) = 0;

  // `done` is called once, from here, from Cancel or from a thread of its own; never blocks. Returns the id for Cancel.
  virtual uint64_t Embed(v1::EmbedRequest request, MonotonicTime deadline,
                         std::function<void(absl::StatusOr<v1::EmbedResponse>)> done) = 0;
  virtual absl::StatusOr<int64_t> CountTokens(const v1::CountTokensRequest& request) const = 0;
  // A LoRA adapter under a name; an older one of that name gives way, and goes when nobody uses it any more.
  // INVALID_ARGUMENT, NOT_FOUND (file), RESOURCE_EXHAUSTED (kAdaptersMax), UNIMPLEMENTED.
  virtual absl::Status LoadAdapter(const std::string& name, const std::string& file) = 0;
  virtual absl::Status UnloadAdapter(const std::string& name) = 0;  // NOT_FOUND
  virtual std::vector<std::string> Adapters() const = 0;            // sorted
  static constexpr size_t kAdaptersMax = 64;
  virtual BackendInfo info() const = 0;
  virtual v1::Load CurrentLoad() const = 0;       // never waits for a step
  virtual bool Healthy() const = 0;               // the decode thread makes progress
  virtual void Drain() = 0;                       // no new requests; accepted ones end
  virtual bool Drained() const = 0;
  virtual void RefreshMetrics() = 0;              // brings the gauges up to date; call before a scrape
};

}  // namespace headgate::engine
