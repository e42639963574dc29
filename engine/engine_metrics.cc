// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/engine_metrics.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/engine.h"
#include "engine/prompt_lookup.h"

namespace headgate::engine {
namespace {

using Bounds = std::vector<double>;

const Bounds kFirstToken = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1,
                            2.5,  5,    7.5, 10,  20,  40,  80,  160, 640, 2560};
// vLLM's, with finer ones below: a small model on a CPU sits there.
const Bounds kInterToken = {.001, .0025, .005, .0075, .01, .025, .05, .075, .1, .15, .2, .3, .4,
                            .5,   .75,   1,    2.5,   5,   7.5,  10,  20,   40, 80};
const Bounds kLatency = {.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const Bounds kIterationTokens = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
const Bounds kShort = {.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30};

// 1, 2, 5, 10, 20, 50, ... up to the longest sequence.
Bounds OneTwoFive(double most) {
  Bounds bounds;
  for (double power = 1; power <= most; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (power * factor <= most) bounds.push_back(power * factor);
    }
  }
  return bounds;
}

Histogram& Tokens(Metrics& m, std::string_view name, std::string_view help, const BackendInfo& info,
                  const Labels& labels) {
  return m.GetHistogram(name, help, OneTwoFive(info.context_tokens_per_sequence_max), labels);
}

Labels With(Labels labels, const std::string& name, const std::string& value) {
  labels[name] = value;
  return labels;
}

}  // namespace

DraftMetrics::DraftMetrics(Metrics& m, const Labels& labels)
    : drafts_(m.GetCounter("vllm:spec_decode_num_drafts_total", "Guesses at next tokens by prompt lookup", labels)),
      tokens_(m.GetCounter("vllm:spec_decode_num_draft_tokens_total", "Tokens guessed", labels)),
      accepted_(m.GetCounter("vllm:spec_decode_num_accepted_tokens_total", "Guessed tokens that held", labels)) {
  for (int32_t place = 0; place < PromptLookup::kLengthMax; ++place) {
    accepted_at_.push_back(&m.GetCounter("vllm:spec_decode_num_accepted_tokens_per_pos_total",
                                         "Guessed tokens that held, by their place in the guess",
                                         With(labels, "position", absl::StrCat(place))));
  }
}

void DraftMetrics::Count(int32_t drafted, int32_t held) const {
  drafts_.Increment();
  tokens_.Increment(drafted);
  accepted_.Increment(held);
  for (int32_t place = 0; place < held; ++place) accepted_at_[static_cast<size_t>(place)]->Increment();
}

EngineMetrics::EngineMetrics(Metrics& m, const BackendInfo& info)
    : labels({{"model_name", info.model}, {"engine", "0"}}),
      waiting(m.GetGauge("vllm:num_requests_waiting", "Requests waiting to be processed", labels)),
      running(m.GetGauge("vllm:num_requests_running", "Requests in the batch", labels)),
      kv_usage(m.GetGauge("vllm:kv_cache_usage_perc", "KV cache usage; 1 means 100 percent", labels)),
      draining(m.GetGauge("headgate_engine_draining", "1 while the engine takes no new requests", labels)),
      last_step_age(m.GetGauge("headgate_engine_last_step_age_seconds",
                               "Time since the decode thread last made progress; 0 when it is idle", labels)),
      prefill_rate(m.GetGauge("headgate_engine_prefill_tokens_per_second", "Measured; 0 = not yet known", labels)),
      decode_rate(m.GetGauge("headgate_engine_decode_tokens_per_second", "Measured over all answers; 0 = not yet known",
                             labels)),
      step_prefill_budget(m.GetGauge("headgate_engine_step_prefill_tokens",
                                     "Prompt tokens that fit beside the decoding answers under the step target",
                                     labels)),
      answers_max(m.GetGauge("headgate_engine_answers_max", "Answers at a time, by the measured step times", labels)),
      swapped_bytes(m.GetGauge("headgate_engine_swapped_bytes", "Host memory of preempted answers' state", labels)),
      prompt_tokens(m.GetCounter("vllm:prompt_tokens_total", "Prompt tokens processed", labels)),
      prompt_tokens_computed(m.GetCounter("vllm:prompt_tokens_by_source_total", "Prompt tokens by where they came from",
                                          With(labels, "source", "local_compute"))),
      prompt_tokens_cached(m.GetCounter("vllm:prompt_tokens_by_source_total", "Prompt tokens by where they came from",
                                        With(labels, "source", "local_cache_hit"))),
      generation_tokens(m.GetCounter("vllm:generation_tokens_total", "Tokens generated", labels)),
      preemptions(m.GetCounter("vllm:num_preemptions_total", "Sequences put back to make room", labels)),
      rejections(m.GetCounter("vllm:admission_rejections", "Requests refused: queue full or draining", labels)),
      swaps_out(m.GetCounter("headgate_engine_swaps_out_total", "Preempted sequences whose state was kept", labels)),
      swaps_in(m.GetCounter("headgate_engine_swaps_in_total", "Sequences that went on from a kept state", labels)),
      drafts(m, labels),
      adapter_switches(m.GetCounter("headgate_engine_adapter_switches_total",
                                    "Steps with another adapter than the last", labels)),
      prefix_queries(m.GetCounter("vllm:prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache",
                                  labels)),
      prefix_hits(m.GetCounter("vllm:prefix_cache_hits_total", "Prompt tokens found in the prefix cache", labels)),
      time_to_first_token(m.GetHistogram("vllm:time_to_first_token_seconds", "Acceptance to first token", kFirstToken,
                                         labels)),
      e2e_latency(m.GetHistogram("vllm:e2e_request_latency_seconds", "Acceptance to end", kLatency, labels)),
      queue_time(m.GetHistogram("vllm:request_queue_time_seconds", "Acceptance to batch", kLatency, labels)),
      inference_time(m.GetHistogram("vllm:request_inference_time_seconds", "Batch to end", kLatency, labels)),
      prefill_time(m.GetHistogram("vllm:request_prefill_time_seconds", "Batch to first token", kLatency, labels)),
      decode_time(m.GetHistogram("vllm:request_decode_time_seconds", "First to last token", kLatency, labels)),
      request_prompt_tokens(Tokens(m, "vllm:request_prompt_tokens", "Prompt tokens of a request", info, labels)),
      request_generation_tokens(Tokens(m, "vllm:request_generation_tokens", "Generated tokens of a request", info,
                                       labels)),
      time_per_output_token(m.GetHistogram("vllm:request_time_per_output_token_seconds",
                                           "Mean time of an answer's tokens after the first", kInterToken, labels)),
      request_max_generation_tokens(Tokens(m, "vllm:request_max_num_generation_tokens",
                                           "Most tokens that the request could have made", info, labels)),
      request_params_n(m.GetHistogram("vllm:request_params_n", "n of a request", {1, 2, 5, 10, 20}, labels)),
      request_params_max_tokens(Tokens(m, "vllm:request_params_max_tokens", "max_tokens of a request", info, labels)),
      prefill_computed_tokens(Tokens(m, "vllm:request_prefill_kv_computed_tokens",
                                     "Prompt tokens that were computed, cached ones left out", info, labels)),
      iteration_tokens(m.GetHistogram("vllm:iteration_tokens_total", "Rows of a step", kIterationTokens, labels)),
      step_duration(m.GetHistogram("headgate_engine_step_duration_seconds", "One decode step", kShort, labels)),
      cancel_to_free(m.GetHistogram("headgate_engine_cancel_to_free_seconds",
                                    "Cancellation of a running request until its place and KV cells are free", kShort,
                                    labels)),
      metrics_(m),
      inter_token_latency_(m.GetHistogram("vllm:inter_token_latency_seconds", "Time between two tokens of an answer",
                                          kInterToken, labels)),
      inter_token_latency_old_name_(m.GetHistogram("vllm:time_per_output_token_seconds",
                                                   "As vllm:inter_token_latency_seconds", kInterToken, labels)) {
  const char* const reasons[] = {"stop", "length", "abort", "error"};
  for (size_t i = 0; i < 4; ++i) {
    ended_[i] = &m.GetCounter("vllm:request_success_total", "Requests that ended",
                              With(labels, "finished_reason", reasons[i]));
  }
  // One cell is one block.
  m.GetGauge("vllm:cache_config_info", "KV cache configuration",
             With(With(labels, "block_size", "1"), "num_gpu_blocks", absl::StrCat(info.context_tokens)))
      .Set(1);
}

void EngineMetrics::Clear() {
  for (Gauge* gauge : {&waiting, &running, &kv_usage, &draining, &last_step_age, &prefill_rate, &decode_rate,
                       &step_prefill_budget, &answers_max, &swapped_bytes}) {
    gauge->Set(0);
  }
}

void EngineMetrics::ShowAdapters(const std::set<std::string>& running, const std::set<std::string>& waiting,
                                 absl::Time now) {
  metrics_.SetInfo("vllm:lora_requests_info", "Running stats on lora requests.",
                   {{"max_lora", absl::StrCat(Engine::kAdaptersMax)},
                    {"running_lora_adapters", absl::StrJoin(running, ",")},
                    {"waiting_lora_adapters", absl::StrJoin(waiting, ",")}},
                   absl::ToDoubleSeconds(now - absl::UnixEpoch()));
}

void EngineMetrics::ObserveGap(double seconds) {
  inter_token_latency_.Observe(seconds);
  inter_token_latency_old_name_.Observe(seconds);
}

Gauge& EngineMetrics::DecodeRateOf(int32_t answers) {
  return metrics_.GetGauge("headgate_engine_batch_decode_tokens_per_second",
                           "Measured with so many answers at a time; 0 = not yet known",
                           With(labels, "answers", absl::StrCat(answers)));
}

Counter& EngineMetrics::Ended(Ending ending) const { return *ended_[static_cast<size_t>(ending)]; }

}  // namespace headgate::engine
