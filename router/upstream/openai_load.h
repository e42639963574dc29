// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The load of an OpenAI-compatible engine, read from its Prometheus metrics: vLLM's names (vllm:num_requests_running,
// vllm:num_requests_waiting, vllm:kv_cache_usage_perc, vllm:cache_config_info) or SGLang's (sglang:num_running_reqs,
// sglang:num_queue_reqs, sglang:token_usage, sglang:max_total_num_tokens).
//
// Thread-safety: OpenAiLoad belongs to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/clock.h"
#include "headgate/v1/engine.pb.h"

namespace headgate::router {

// One page of metrics. Several series of one name (data-parallel ranks) are added up; usage is the mean.
struct ServerMetrics {
  double running = 0, waiting = 0;
  double kv_usage = 0;           // 0..1
  double kv_tokens = 0;          // cells; 0 = not told
  double prompt_tokens = 0;      // counted since its start
};
// nullopt: neither running nor waiting is told, so this is no engine that we know. Pure.
std::optional<ServerMetrics> ParseServerMetrics(std::string_view page);

// Pages one after the other, as the load that our own engines push. How many answers the pod works on at a time is
// learned: requests that wait at two pages in a row beside fewer answers than that have no place (its cache is full, or
// it was started with less), so the number goes down to what runs, a tenth a page; while nobody waits it goes up again,
// a tenth a page, to `sequences_max`.
class OpenAiLoad {
 public:
  explicit OpenAiLoad(int64_t sequences_max)
      : sequences_max_(static_cast<double>(sequences_max)), sequences_(sequences_max_) {}
  v1::Load Next(const ServerMetrics& metrics, MonotonicTime now);

 private:
  void LearnSequences(const ServerMetrics& metrics);

  const double sequences_max_;
  double sequences_;
  bool waited_ = false;        // at the last page
  double prompt_tokens_ = -1;  // of the last page; -1 = none
  MonotonicTime at_;
  double prefill_rate_ = 0;    // seen while requests waited: what it can do, not what it was asked for
};

}  // namespace headgate::router
