// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What autoscalers, endpoint pickers and dashboards made for vLLM read: its names, types, labels and buckets, written
// down here a second time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

using Bounds = std::vector<double>;

const Bounds kFirstToken = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1,
                            2.5,  5,    7.5, 10,  20,  40,  80,  160, 640, 2560};
const Bounds kToken = {.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80};
const Bounds kLatency = {.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const Bounds kTokens = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000};  // to the longest sequence, here 4096

const struct {
  const char* name;
  const char* type;
  std::set<std::string> labels = {};  // beside model_name and engine
  Bounds bounds = {};                 // ours may be finer below the first
} kRows[] = {
    {"vllm:num_requests_waiting", "gauge"},
    {"vllm:num_requests_running", "gauge"},
    {"vllm:kv_cache_usage_perc", "gauge"},
    {"vllm:cache_config_info", "gauge", {"block_size", "num_gpu_blocks"}},
    {"vllm:prompt_tokens_total", "counter"},
    {"vllm:generation_tokens_total", "counter"},
    {"vllm:prompt_tokens_by_source_total", "counter", {"source"}},
    {"vllm:request_success_total", "counter", {"finished_reason"}},
    {"vllm:num_preemptions_total", "counter"},
    {"vllm:prefix_cache_queries_total", "counter"},
    {"vllm:prefix_cache_hits_total", "counter"},
    {"vllm:spec_decode_num_drafts_total", "counter"},
    {"vllm:spec_decode_num_draft_tokens_total", "counter"},
    {"vllm:spec_decode_num_accepted_tokens_total", "counter"},
    {"vllm:spec_decode_num_accepted_tokens_per_pos_total", "counter", {"position"}},
    {"vllm:admission_rejections", "counter"},
    {"vllm:time_to_first_token_seconds", "histogram", {}, kFirstToken},
    {"vllm:inter_token_latency_seconds", "histogram", {}, kToken},
    {"vllm:time_per_output_token_seconds", "histogram", {}, kToken},
    {"vllm:request_time_per_output_token_seconds", "histogram", {}, kToken},
    {"vllm:e2e_request_latency_seconds", "histogram", {}, kLatency},
    {"vllm:request_queue_time_seconds", "histogram", {}, kLatency},
    {"vllm:request_inference_time_seconds", "histogram", {}, kLatency},
    {"vllm:request_prefill_time_seconds", "histogram", {}, kLatency},
    {"vllm:request_decode_time_seconds", "histogram", {}, kLatency},
    {"vllm:request_prompt_tokens", "histogram", {}, kTokens},
    {"vllm:request_generation_tokens", "histogram", {}, kTokens},
    {"vllm:request_max_num_generation_tokens", "histogram", {}, kTokens},
    {"vllm:request_params_n", "histogram", {}, {1, 2, 5, 10, 20}},
    {"vllm:request_params_max_tokens", "histogram", {}, kTokens},
    {"vllm:request_prefill_kv_computed_tokens", "histogram", {}, kTokens},
    {"vllm:iteration_tokens_total", "histogram", {}, {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}},
};

// What a scrape says of one name.
struct Exported {
  std::string type;
  std::set<std::string> labels;
  Bounds bounds;
  double observed = 0;  // of a histogram
};

std::map<std::string, Exported> Parse(const std::string& text) {
  std::map<std::string, Exported> all;
  std::string name;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] == "#" && words[1] == "TYPE") all[name = words[2]].type = words[3];
    if (words[0] == "#") continue;
    Exported& metric = all[name];
    const std::vector<std::string> parts = absl::StrSplit(line, absl::ByAnyChar("{}"));
    if (metric.type == "histogram" && parts[0] == name + "_count") {
      EXPECT_TRUE(absl::SimpleAtod(words[1], &metric.observed));
    }
    if (parts.size() < 2) continue;
    for (const auto label : absl::StrSplit(parts[1], ',')) {
      const std::vector<std::string> pair = absl::StrSplit(label, '=');
      double bound = 0;
      if (pair[0] != "le") {
        metric.labels.insert(pair[0]);
      } else if (absl::SimpleAtod(absl::StripSuffix(absl::StripPrefix(pair[1], "\""), "\""), &bound)) {
        metric.bounds.push_back(bound);
      }
    }
  }
  return all;
}

using EngineMetricsTest = EngineTest;

TEST_F(EngineMetricsTest, NamesTypesLabelsAndBucketsAreThoseOfVllm) {
  Start();
  ASSERT_TRUE(Submit(Ask("x", 3))->WaitEnd().ok());
  engine_->RefreshMetrics();
  const auto exported = Parse(metrics_.Text());
  std::set<std::string> known;
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    known.insert(row.name);
    ASSERT_TRUE(exported.contains(row.name));
    const Exported& metric = exported.at(row.name);
    EXPECT_EQ(metric.type, row.type);
    std::set<std::string> labels = row.labels;
    labels.insert({"engine", "model_name"});
    EXPECT_EQ(metric.labels, labels);
    if (row.bounds.empty()) continue;
    EXPECT_GT(metric.observed, 0) << "nothing counts here";
    Bounds bounds = metric.bounds;
    ASSERT_EQ(bounds.back(), std::numeric_limits<double>::infinity());
    bounds.pop_back();
    if (row.bounds == kToken) std::erase_if(bounds, [](double bound) { return bound < kToken.front(); });
    EXPECT_EQ(bounds, row.bounds);
  }
  for (const auto& [name, metric] : exported) {
    EXPECT_EQ(known.contains(name), name.starts_with("vllm:")) << name;
  }
}

TEST_F(EngineMetricsTest, CountsWhatWasAnswered) {
  Start();
  ASSERT_TRUE(Submit(Ask("x", 3))->WaitEnd().ok());
  engine_->RefreshMetrics();
  const std::string text = metrics_.Text();
  const std::string labels = "engine=\"0\",model_name=\"reference\"";
  for (const std::string& line : {
           absl::StrCat("vllm:num_requests_running{", labels, "} 0"),
           absl::StrCat("vllm:num_requests_waiting{", labels, "} 0"),
           absl::StrCat("vllm:kv_cache_usage_perc{", labels, "} 0"),
           absl::StrCat("vllm:generation_tokens_total{", labels, "} 3"),
           absl::StrCat("vllm:inter_token_latency_seconds_count{", labels, "} 2"),
           absl::StrCat("vllm:time_per_output_token_seconds_count{", labels, "} 2"),
           absl::StrCat("vllm:request_params_max_tokens_sum{", labels, "} 3"),
           absl::StrCat("headgate_engine_step_duration_seconds_count{", labels, "} 3"),
           std::string("vllm:request_success_total{engine=\"0\",finished_reason=\"length\","
                       "model_name=\"reference\"} 1"),
           std::string("vllm:cache_config_info{block_size=\"1\",engine=\"0\",model_name=\"reference\","
                       "num_gpu_blocks=\"4096\"} 1"),
       }) {
    EXPECT_THAT(text, testing::HasSubstr(absl::StrCat("\n", line, "\n")));
  }
}

}  // namespace
}  // namespace headgate::engine
