// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The planner's fluid replica held against the engine's own step planner on the same arrivals: replays may trust it as
// far as these figures say. A step takes the time of its rows at the measured rates, at least that of one token of one
// stream, and prompts get what decoding leaves, at least half.
#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/scheduler.h"
#include "gtest/gtest.h"
#include "planner/random.h"
#include "planner/replica.h"

namespace headgate {
namespace {

using engine::PlanStep;
using engine::RunningSequence;
using engine::Step;
using engine::StepLimits;
using engine::WaitingRequest;
using planner::Job;
using planner::Random;
using planner::ReplicaModel;

struct Arrival {
  double at;
  int32_t prompt, output;
  bool sensitive;
};
struct Times {
  std::vector<double> first_token, end;  // seconds since the arrival
};

ReplicaModel Model() {
  ReplicaModel model;
  model.prefill_tokens_per_second = 4500;
  model.decode_tokens_per_second = 1100;
  model.stream_tokens_per_second = 50;
  model.running_max = 48;
  model.prefill_share_min = 0.5;
  return model;
}

std::vector<Arrival> Traffic(uint64_t seed, double seconds, double rate) {
  Random random(seed);
  std::vector<Arrival> arrivals;
  for (double now = random.Exponential() / rate; now < seconds; now += random.Exponential() / rate) {
    const auto prompt = 50 + static_cast<int32_t>(random.Below(3000));
    const auto output = 10 + static_cast<int32_t>(random.Below(300));
    arrivals.push_back({now, prompt, output, random.Uniform() < 0.2});
  }
  return arrivals;
}

Times Fluid(const std::vector<Arrival>& arrivals) {
  planner::Replica replica(Model(), 0);
  std::vector<planner::ReplicaEvent> events;
  for (uint32_t id = 0; id < arrivals.size(); ++id) {
    const Arrival& a = arrivals[id];
    while (replica.NextEvent() < a.at) replica.Advance(replica.NextEvent(), events);
    replica.Advance(a.at, events);
    replica.Add({id, double(a.prompt), double(a.output), a.sensitive, planner::kNever});
  }
  while (replica.NextEvent() < planner::kNever) replica.Advance(replica.NextEvent(), events);
  Times times{std::vector<double>(arrivals.size()), std::vector<double>(arrivals.size())};
  for (const auto& event : events) {
    const bool first = event.kind == planner::ReplicaEvent::Kind::kFirstToken;
    (first ? times.first_token : times.end)[event.id] = event.at - arrivals[event.id].at;
  }
  return times;
}

Times Stepped(const std::vector<Arrival>& arrivals) {
  const ReplicaModel model = Model();
  Times times{std::vector<double>(arrivals.size()), std::vector<double>(arrivals.size())};
  std::vector<RunningSequence> running;
  std::vector<WaitingRequest> waiting;
  std::map<int32_t, int32_t> left;  // answer tokens, by sequence
  double now = 0;
  for (size_t next = 0; next < arrivals.size() || !running.empty() || !waiting.empty();) {
    if (running.empty() && waiting.empty()) now = std::max(now, arrivals[next].at);
    for (; next < arrivals.size() && arrivals[next].at <= now; ++next) {
      WaitingRequest request;
      request.request = next;
      request.rank = request.rank_own = arrivals[next].sensitive ? 0 : 1;
      waiting.push_back(request);
    }
    double decoding = 0;
    for (const auto& sequence : running) decoding += sequence.prompt_left == 0 ? 1 : 0;
    const double decode_s = decoding / model.decode_tokens_per_second;
    const double step_s = std::max(1 / model.stream_tokens_per_second, 2 * decode_s);
    StepLimits limits;
    limits.prefill_tokens_max = static_cast<int32_t>((step_s - decode_s) * model.prefill_tokens_per_second);
    limits.batch_tokens_max = limits.prefill_tokens_max + 1000;
    limits.sequences_free = static_cast<int32_t>(model.running_max) - static_cast<int32_t>(running.size());
    limits.cells_free = 1 << 30;
    const Step step = PlanStep(running, waiting, limits);
    double rows = 0;
    for (const engine::Chunk& chunk : step.prefill) rows += chunk.tokens;
    now += std::max(rows == 0 ? std::max(1 / model.stream_tokens_per_second, decode_s) : 0.0,
                    rows / model.prefill_tokens_per_second + decode_s);
    for (auto& sequence : running) {
      for (const engine::Chunk& chunk : step.prefill) {
        if (chunk.sequence != sequence.sequence) continue;
        sequence.prompt_left -= chunk.tokens;
        if (sequence.prompt_left == 0) times.first_token[sequence.request] = now - arrivals[sequence.request].at;
      }
    }
    for (const int32_t id : step.decode) {
      if (--left[id] == 0) times.end[id] = now - arrivals[id].at;
    }
    std::erase_if(running, [&](const auto& sequence) { return left[sequence.sequence] == 0; });
    for (const uint64_t id : step.admit) {
      RunningSequence sequence;
      sequence.request = id;
      sequence.sequence = static_cast<int32_t>(id);
      sequence.prompt_left = arrivals[id].prompt;
      sequence.rank = arrivals[id].sensitive ? 0 : 1;
      left[sequence.sequence] = arrivals[id].output - 1;
      running.push_back(sequence);
      std::erase_if(waiting, [&](const auto& request) { return request.request == id; });
    }
  }
  return times;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double P95(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() * 95 / 100];
}

TEST(ReplicaModel, AgreesWithTheEnginesStepPlanner) {
  for (const double rate : {0.5, 1.2, 1.8}) {  // of at most about 2 a second
    const std::vector<Arrival> arrivals = Traffic(7, 600, rate);
    const Times fluid = Fluid(arrivals);
    const Times stepped = Stepped(arrivals);
    const double step = 0.05;  // a request waits for the step under way
    EXPECT_NEAR(Mean(fluid.first_token), Mean(stepped.first_token), 0.15 * Mean(stepped.first_token) + step) << rate;
    EXPECT_NEAR(P95(fluid.first_token), P95(stepped.first_token), 0.2 * P95(stepped.first_token) + step) << rate;
    EXPECT_NEAR(Mean(fluid.end), Mean(stepped.end), 0.15 * Mean(stepped.end) + step) << rate;
    RecordProperty("rate_" + std::to_string(rate), std::to_string(Mean(fluid.first_token) / Mean(stepped.first_token)));
  }
}

}  // namespace
}  // namespace headgate
