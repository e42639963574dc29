// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The router's queue and choice of an engine, as a replay drives them.
#include "planner/fleet.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "planner/comparison.h"
#include "planner/simulation.h"

namespace headgate::planner {
namespace {

constexpr char kScenario[] = R"(
policy: {mode: overflow, cloud_qps_threshold: 0.001, first_token_objective: 3s}
scaling: {replica_hour_micro_units: 3600000, replicas_min: 1, replicas_max: 8, prefill_tokens_per_second: 1000,
          decode_tokens_per_second: 200, cold_start: 30s, window: 5m}
accounting:
  prices:
  - {version: v, model: m, currency: USD, valid_from: 2026-01-01, cache_hit: 3000, cache_miss: 1500000,
     output: 6000000, peak_cache_hit: 6000, peak_cache_miss: 3000000, peak_output: 12000000}
  holidays: [2026-10-01, 2026-10-02]
replay: {start: '2026-11-21T00:00:00Z', sensitive_share: 0, deadline: 60, cloud: {model: m},
         replica: {running_max: 10, prefix_cache_tokens: 1000000}, queue: {reserved_share: 0.3, queue_max: 6}}
)";

Scenario Made() {
  auto scenario = ParseScenario("s.yaml", kScenario);
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return *scenario;
}

Trace Burst(size_t count, bool sensitive, int32_t input = 100, int32_t output = 400) {
  Trace trace;
  trace.clients = {"a", "b"};
  for (size_t i = 0; i < count; ++i) {
    TraceRequest request;
    request.arrival_s = 1 + 0.001 * static_cast<double>(i);
    request.input_tokens = input;
    request.output_tokens = output;
    request.client = static_cast<uint32_t>(i % 2);
    request.sensitivity = sensitive ? TraceRequest::Class::kSensitive : TraceRequest::Class::kOrdinary;
    trace.requests.push_back(request);
  }
  return trace;
}

Result AllLocal(const Scenario& scenario, const Trace& trace, int64_t replicas) {
  Scenario from = scenario;
  from.replicas_start = replicas;
  const Baseline all{BaselineKind::kAllLocal, 0, {Scaler::Kind::kStatic, replicas, 0}};
  return Replay(from, trace, [&](SimulatedClock& clock) { return MakeBaseline(all, from, clock); });
}

// Ten sequences, three of them kept: seven ordinary ones at the engine, six in the queue, the rest refused; sensitive
// ones have twice a whole batch at the engine.
TEST(Fleet, TheRoutersReserveAndQueueRefuse) {
  const Result ordinary = AllLocal(Made(), Burst(20, false), 1);
  EXPECT_EQ(ordinary.ordinary.rejected, 20 - 7 - 6);
  EXPECT_EQ(ordinary.ordinary.requests, 20);
  const Result sensitive = AllLocal(Made(), Burst(20, true), 1);
  EXPECT_EQ(sensitive.sensitive.rejected, 0);
  EXPECT_EQ(AllLocal(Made(), Burst(30, true), 1).sensitive.rejected, 30 - 20 - 6);
}

TEST(Fleet, WhoeverWaitsGetsThePlaceThatComesFree) {
  Scenario scenario = Made();
  scenario.router.local.queue_max = 100;
  const Result result = AllLocal(scenario, Burst(14, false, 100, 60), 1);
  EXPECT_EQ(result.ordinary.rejected + result.ordinary.lost, 0);
  EXPECT_GT(result.ordinary.first_token_p99_s, 1.5);  // the second seven came after the first
}

TEST(Fleet, WithoutAnyReplicaTheWaitEndsAtTheDeadline) {
  Scenario scenario = Made();
  scenario.router.scaling.replicas_min = 0;
  const Result result = AllLocal(scenario, Burst(3, true), 0);
  EXPECT_EQ(result.sensitive.lost, 3);
}

TEST(Fleet, ConversationsReturnToTheReplicaThatKnowsThem) {
  Trace trace;
  trace.clients = {"a"};
  double uncached = 0;
  for (int turn = 0; turn < 6; ++turn) {
    for (uint32_t conversation = 0; conversation < 3; ++conversation) {
      TraceRequest request;
      request.arrival_s = 1 + 20.0 * turn + 0.3 * conversation;
      request.first_block = static_cast<uint32_t>(trace.blocks.size());
      request.block_count = 4 + static_cast<uint32_t>(turn);
      for (uint32_t b = 0; b < request.block_count; ++b) trace.blocks.push_back(100 * conversation + b);
      request.input_tokens = static_cast<int32_t>(512 * request.block_count);
      request.output_tokens = 2;
      request.sensitivity = TraceRequest::Class::kOrdinary;
      trace.requests.push_back(request);
      uncached += turn == 0 ? 2048 : 512;
    }
  }
  const Result result = AllLocal(Made(), trace, 3);
  // Everything is computed once: the work is the new blocks' and one answer token each.
  EXPECT_NEAR(result.busy_share * result.gpu_hours * 3600, uncached / 1000 + 18 * 1 / 200.0, 0.1);
}

TEST(Fleet, KeysShareWhatTheBlocksShare) {
  Trace trace;
  trace.clients = {"a", "b"};
  trace.blocks = {1, 2, 3, 1, 2, 4};
  TraceRequest first, second;
  first.input_tokens = second.input_tokens = 1536;
  first.block_count = second.block_count = 3;
  second.first_block = 3;
  const auto a = PrefixKeysOf(trace, first), b = PrefixKeysOf(trace, second);
  ASSERT_EQ(a.size(), b.size());
  size_t same = 0;
  while (same < a.size() && a[same] == b[same]) ++same;
  EXPECT_EQ(router::PrefixBytes(same), 4 * 1024u);
  second.first_block = 0;
  second.client = 1;
  EXPECT_NE(PrefixKeysOf(trace, second)[0], a[0]) << "another tenant's";
}

TEST(Report, NamesYearsWhoseHolidaysAreNotAllKnown) {
  const Scenario scenario = Made();
  Comparison comparison;
  const std::string text = TextReport(scenario, Burst(2, false), comparison);
  EXPECT_TRUE(absl::StrContains(text, "accounting.holidays lists 2 days of 2026")) << text;
}

TEST(Report, ShowsWhatTheLogMeasured) {
  const Scenario scenario = Made();
  Trace trace = Burst(4, false);
  trace.measured = {{1.0f, false}, {5.0f, false}, {-1.0f, false}, {0.5f, true}};
  const std::string text = TextReport(scenario, trace, Comparison());
  EXPECT_TRUE(absl::StrContains(text, "measured in the log, local: first token in time for 50.00 % of 2; 1 answers "
                                      "without a recorded first token")) << text;
  EXPECT_TRUE(absl::StrContains(text, "measured in the log, cloud: first token in time for 100.00 % of 1")) << text;
}

}  // namespace
}  // namespace headgate::planner
