// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/openai_load.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/numbers.h"

namespace headgate::router {
namespace {

constexpr double kCountMax = 1e9;
constexpr double kCellsUntold = 10'000;  // stands for a cache whose size is not told
constexpr double kRateNew = 0.2;         // weight of the newest page
constexpr double kSequencesStep = 0.1;   // of what is known, a page

// `name{labels} value [timestamp]`; false for comments and what is no sample.
bool ReadSample(std::string_view line, std::string_view& name, std::string_view& labels, double& value) {
  if (line.empty() || line.front() == '#') return false;
  const size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return false;
  name = line.substr(0, name_end);
  labels = {};
  size_t at = name_end;
  if (line[at] == '{') {
    const size_t close = line.find("} ", at);
    if (close == std::string_view::npos) return false;
    labels = line.substr(at + 1, close - at - 1);
    at = close + 1;
  }
  const std::string_view rest = line.substr(at + 1);
  const std::string text(rest.substr(0, rest.find(' ')));
  return absl::SimpleAtod(text, &value) && std::isfinite(value) && value >= 0;
}

// The number in `key="..."`; 0 without.
double LabelNumber(std::string_view labels, std::string_view key) {
  const std::string wanted = std::string(key) + "=\"";
  const size_t at = labels.find(wanted);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = labels.substr(at + wanted.size());
  double value = 0;
  return absl::SimpleAtod(std::string(rest.substr(0, rest.find('"'))), &value) && value > 0 ? value : 0;
}

}  // namespace

std::optional<ServerMetrics> ParseServerMetrics(std::string_view page) {
  ServerMetrics metrics;
  bool known = false;
  double usages = 0;
  while (!page.empty()) {
    const size_t end = page.find('\n');
    const std::string_view line = page.substr(0, end);
    page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
    std::string_view name, labels;
    double value = 0;
    if (!ReadSample(line, name, labels, value)) continue;
    if (name == "vllm:num_requests_running" || name == "sglang:num_running_reqs") {
      metrics.running += value;
      known = true;
    } else if (name == "vllm:num_requests_waiting" || name == "sglang:num_queue_reqs") {
      metrics.waiting += value;
      known = true;
    } else if (name == "vllm:kv_cache_usage_perc" || name == "sglang:token_usage") {
      metrics.kv_usage += std::min(1.0, value);
      ++usages;
    } else if (name == "vllm:cache_config_info") {
      metrics.kv_tokens += LabelNumber(labels, "block_size") * LabelNumber(labels, "num_gpu_blocks");
    } else if (name == "sglang:max_total_num_tokens") {
      metrics.kv_tokens += value;
    } else if (name == "vllm:prompt_tokens_total" || name == "sglang:prompt_tokens_total") {
      metrics.prompt_tokens += value;
    }
  }
  if (!known) return std::nullopt;
  if (usages > 0) metrics.kv_usage /= usages;
  return metrics;
}

void OpenAiLoad::LearnSequences(const ServerMetrics& metrics) {
  const bool waits = metrics.waiting > 0;
  if (waits && waited_) {
    sequences_ = std::min(sequences_, std::max({1.0, metrics.running, sequences_ * (1 - kSequencesStep)}));
  } else if (!waits) {
    sequences_ = std::min(sequences_max_, sequences_ + std::max(1.0, sequences_ * kSequencesStep));
  }
  waited_ = waits;
}

v1::Load OpenAiLoad::Next(const ServerMetrics& metrics, MonotonicTime now) {
  const double seconds = absl::ToDoubleSeconds(now - at_);
  if (prompt_tokens_ >= 0 && metrics.prompt_tokens > prompt_tokens_ && metrics.waiting > 0 && seconds > 0) {
    const double rate = (metrics.prompt_tokens - prompt_tokens_) / seconds;
    prefill_rate_ = prefill_rate_ == 0 ? rate : prefill_rate_ + kRateNew * (rate - prefill_rate_);
  }
  prompt_tokens_ = metrics.prompt_tokens;
  at_ = now;
  LearnSequences(metrics);
  v1::Load load;
  load.set_running(static_cast<int32_t>(std::min(kCountMax, metrics.running)));
  load.set_waiting(static_cast<int32_t>(std::min(kCountMax, metrics.waiting)));
  load.set_running_max(static_cast<int32_t>(sequences_));
  const double cells = std::min(1e15, metrics.kv_tokens > 0 ? metrics.kv_tokens : kCellsUntold);
  load.set_kv_cells_total(static_cast<int64_t>(cells));
  load.set_kv_cells_free(static_cast<int64_t>(cells * (1 - metrics.kv_usage)));
  load.set_prefill_tokens_per_second(prefill_rate_);
  return load;
}

}  // namespace headgate::router
