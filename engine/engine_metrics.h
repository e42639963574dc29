// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EngineMetrics: what the engine exports. The `vllm:` names, types and buckets are vLLM's own, so that autoscalers,
// endpoint pickers and dashboards made for it read our pods; the rest is under `headgate_engine_`. docs/metrics.md.
//
// Thread-safety: all from any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/metrics.h"
#include "engine/backend/backend.h"

namespace headgate::engine {

enum class Ending { kStop, kLength, kAbort, kError };

// Guesses at next tokens.
class DraftMetrics {
 public:
  DraftMetrics(Metrics& metrics, const Labels& labels);
  // Of `drafted` guesses in a row the first `held` held.
  void Count(int32_t drafted, int32_t held) const;

 private:
  Counter& drafts_;
  Counter& tokens_;
  Counter& accepted_;
  std::vector<Counter*> accepted_at_;  // by place in the draft
};

struct EngineMetrics {
  EngineMetrics(Metrics& metrics, const BackendInfo& info);

  Counter& Ended(Ending ending) const;
  // vLLM's gauge of adapters: its labels name those that running and waiting requests use, its value is the time.
  void ShowAdapters(const std::set<std::string>& running, const std::set<std::string>& waiting, absl::Time now);
  // Between two tokens of an answer.
  void ObserveGap(double seconds);
  // Tokens a second of so many answers at a time.
  Gauge& DecodeRateOf(int32_t answers);
  // An engine that ends takes its gauges back to 0: another may live on under other names.
  void Clear();

  const Labels labels;  // model_name, engine
  Gauge& waiting;
  Gauge& running;
  Gauge& kv_usage;
  Gauge& draining;
  Gauge& last_step_age;
  Gauge& prefill_rate;
  Gauge& decode_rate;
  Gauge& step_prefill_budget;
  Gauge& answers_max;
  Gauge& swapped_bytes;
  Counter& prompt_tokens;
  Counter& prompt_tokens_computed;
  Counter& prompt_tokens_cached;
  Counter& generation_tokens;
  Counter& preemptions;
  Counter& rejections;
  Counter& swaps_out;
  Counter& swaps_in;
  DraftMetrics drafts;
  Counter& adapter_switches;
  Counter& prefix_queries;
  Counter& prefix_hits;
  Histogram& time_to_first_token;
  Histogram& e2e_latency;
  Histogram& queue_time;
  Histogram& inference_time;
  Histogram& prefill_time;
  Histogram& decode_time;
  Histogram& request_prompt_tokens;
  Histogram& request_generation_tokens;
  Histogram& time_per_output_token;
  Histogram& request_max_generation_tokens;
  Histogram& request_params_n;
  Histogram& request_params_max_tokens;
  Histogram& prefill_computed_tokens;
  Histogram& iteration_tokens;
  Histogram& step_duration;
  Histogram& cancel_to_free;

 private:
  Metrics& metrics_;
  Counter* ended_[4];
  Histogram& inter_token_latency_;
  Histogram& inter_token_latency_old_name_;
};

}  // namespace headgate::engine
