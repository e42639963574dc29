// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/openai_load.h"

#include <string>

#include "gtest/gtest.h"

namespace headgate::router {
namespace {

// Shortened from pages of vLLM 0.11 and SGLang 0.5.
constexpr char kVllm[] =
    "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
    "# TYPE vllm:num_requests_running gauge\n"
    "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n"
    "vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 2.0\n"
    "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 4.0\n"
    "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.25\n"
    "vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"m\"} 0.75\n"
    "vllm:cache_config_info{block_size=\"16\",engine=\"0\",num_gpu_blocks=\"1000\"} 1.0\n"
    "vllm:prompt_tokens_total{engine=\"0\",model_name=\"m\"} 1200.0\n";
constexpr char kSglang[] =
    "sglang:num_running_reqs{model_name=\"a} b\"} 7.0\n"
    "sglang:num_queue_reqs{model_name=\"m\"} 1.0 1700000000000\n"
    "sglang:token_usage{model_name=\"m\"} 0.5\n"
    "sglang:max_total_num_tokens 20000\n"
    "sglang:prompt_tokens_total{model_name=\"m\"} 10\n";

TEST(ServerMetrics, BothServers) {
  const auto vllm = ParseServerMetrics(kVllm);
  ASSERT_TRUE(vllm);
  EXPECT_EQ(vllm->running, 5);
  EXPECT_EQ(vllm->waiting, 4);
  EXPECT_EQ(vllm->kv_usage, 0.5);
  EXPECT_EQ(vllm->kv_tokens, 16'000);
  EXPECT_EQ(vllm->prompt_tokens, 1200);
  const auto sglang = ParseServerMetrics(kSglang);
  ASSERT_TRUE(sglang);
  EXPECT_EQ(sglang->waiting, 1);
  EXPECT_EQ(sglang->kv_usage, 0.5);
  EXPECT_EQ(sglang->kv_tokens, 20'000);
}

TEST(ServerMetrics, WhatIsNoneOfThem) {
  for (const char* page : {"", "\n\n", "up 1\n", "# vllm:num_requests_running 3\n", "vllm:num_requests_running",
                           "vllm:num_requests_running NaN\n", "vllm:num_requests_running -1\n",
                           "vllm:num_requests_running{ 3\n", "<html>busy</html>"}) {
    EXPECT_FALSE(ParseServerMetrics(page)) << page;
  }
}

TEST(OpenAiLoad, AsOurEnginesWouldSayIt) {
  OpenAiLoad load(8);
  ServerMetrics metrics = *ParseServerMetrics(kVllm);
  v1::Load report = load.Next(metrics, absl::Seconds(100));
  EXPECT_EQ(report.running(), 5);
  EXPECT_EQ(report.waiting(), 4);
  EXPECT_EQ(report.running_max(), 8);
  EXPECT_EQ(report.kv_cells_total(), 16'000);
  EXPECT_EQ(report.kv_cells_free(), 8'000);
  EXPECT_EQ(report.prefill_tokens_per_second(), 0) << "one page is no rate";
  metrics.prompt_tokens += 500;
  EXPECT_EQ(load.Next(metrics, absl::Seconds(101)).prefill_tokens_per_second(), 500);
  // While nobody waits, what was read says what was asked for.
  metrics.waiting = 0;
  metrics.prompt_tokens += 1;
  EXPECT_EQ(load.Next(metrics, absl::Seconds(102)).prefill_tokens_per_second(), 500);
  // A restart counts from nothing again.
  metrics.waiting = 1;
  metrics.prompt_tokens = 0;
  EXPECT_EQ(load.Next(metrics, absl::Seconds(103)).prefill_tokens_per_second(), 500);
  metrics.kv_tokens = 0;
  EXPECT_GT(load.Next(metrics, absl::Seconds(104)).kv_cells_total(), 0) << "a cache of unknown size is not full";
}

TEST(OpenAiLoad, LearnsHowManyAnswersRunAtATime) {
  OpenAiLoad load(100);
  ServerMetrics metrics = *ParseServerMetrics(kVllm);
  double seconds = 0;
  const auto after = [&](int pages, double running, double waiting) {
    metrics.running = running;
    metrics.waiting = waiting;
    v1::Load report;
    for (int page = 0; page < pages; ++page) report = load.Next(metrics, absl::Seconds(++seconds));
    return report.running_max();
  };
  EXPECT_EQ(after(5, 100, 40), 100) << "a queue beside a full batch";
  EXPECT_EQ(after(1, 30, 0), 100);
  EXPECT_EQ(after(1, 3, 9), 100) << "one page: they may just have come";
  EXPECT_EQ(after(1, 30, 9), 90);
  EXPECT_EQ(after(30, 30, 9), 30) << "no fewer than run";
  EXPECT_EQ(after(1, 28, 0), 33);
  EXPECT_EQ(after(50, 0, 0), 100) << "no more than configured";
  EXPECT_EQ(after(200, 0, 5), 1) << "one must go there to find out";
}

}  // namespace
}  // namespace headgate::router
