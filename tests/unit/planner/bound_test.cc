// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The bound against brute force on tiny instances and against every policy on small ones.
#include "planner/bound.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "planner/random.h"
#include "planner/replica.h"
#include "planner/simulation.h"

namespace headgate::planner {
namespace {

// Whether the chosen items' work fits: earliest deadline first over the steps is exact for work that may be cut up,
// with windows in whole steps.
bool Fits(const BoundProblem& problem, const std::vector<bool>& local, const std::vector<int>& replicas) {
  struct Piece {
    int from, to;
    double work;
  };
  std::vector<Piece> pieces;
  for (size_t i = 0; i < problem.items.size(); ++i) {
    if (!local[i]) continue;
    const BoundItem& item = problem.items[i];
    const auto step = [&](double at) {
      return std::min(static_cast<int>(replicas.size()) - 1, static_cast<int>(at / problem.step_s));
    };
    pieces.push_back({step(item.arrival_s), step(item.prompt_by_s), item.prompt_work});
    pieces.push_back({step(item.arrival_s), step(item.end_by_s), item.answer_work});
  }
  for (int step = 0; step < static_cast<int>(replicas.size()); ++step) {
    double room = replicas[step] * problem.step_s;
    std::vector<Piece*> open;
    for (Piece& piece : pieces) {
      if (piece.from <= step && piece.work > 1e-12) open.push_back(&piece);
    }
    std::sort(open.begin(), open.end(), [](const Piece* a, const Piece* b) { return a->to < b->to; });
    for (Piece* piece : open) {
      const double done = std::min(room, piece->work);
      piece->work -= done;
      room -= done;
    }
    for (const Piece& piece : pieces) {
      if (piece.to <= step && piece.work > 1e-9) return false;
    }
  }
  return true;
}

// More under way on the cloud at some moment than its cap allows, each from its arrival on.
bool TooMany(const BoundProblem& problem, const std::vector<bool>& local) {
  for (size_t i = 0; i < problem.items.size(); ++i) {
    const double now = problem.items[i].arrival_s;
    int under_way = 0;
    for (size_t j = 0; j < problem.items.size(); ++j) {
      const BoundItem& other = problem.items[j];
      if (!local[j] && other.arrival_s <= now && now < other.arrival_s + other.cloud_s) ++under_way;
    }
    if (!local[i] && under_way > problem.cloud_concurrency) return true;
  }
  return false;
}

// Every number of replicas in every step, every subset of items.
double BruteForce(const BoundProblem& problem, int steps) {
  double best = INFINITY;
  const int levels = static_cast<int>(problem.replicas_max) + 1;
  const int paths = static_cast<int>(std::pow(levels, steps));
  const size_t count = problem.items.size();
  for (int path = 0; path < paths; ++path) {
    std::vector<int> replicas;
    double fixed = 0;
    int last = static_cast<int>(problem.replicas_start);
    for (int step = 0, rest = path; step < steps; ++step, rest /= levels) {
      const int n = rest % levels;
      fixed += n * problem.replica_second * problem.step_s + std::max(0, n - last) * problem.boot;
      replicas.push_back(last = n);
    }
    if (fixed >= best) continue;
    for (size_t subset = 0; subset < (size_t{1} << count); ++subset) {
      double cost = fixed;
      std::vector<bool> local(count);
      bool allowed = true;
      for (size_t i = 0; i < count; ++i) {
        local[i] = (subset >> i & 1) != 0;
        if (!local[i]) cost += problem.items[i].price;
        allowed = allowed && (local[i] || !problem.items[i].sensitive);
      }
      if (cost - fixed > problem.cloud_budget || TooMany(problem, local)) continue;
      if (allowed && cost < best && Fits(problem, local, replicas)) best = cost;
    }
  }
  return best;
}

BoundProblem Tiny(uint64_t seed) {
  Random random(seed);
  BoundProblem problem;
  problem.replica_second = 1;
  problem.boot = 20 * random.Uniform();
  problem.replicas_max = 2;
  problem.replicas_start = static_cast<int64_t>(random.Below(3));
  const int count = 3 + static_cast<int>(random.Below(5));
  for (int i = 0; i < count; ++i) {
    BoundItem item;
    item.arrival_s = 35 * random.Uniform();
    item.prompt_by_s = std::min(39.0, item.arrival_s + 3 + 5 * random.Uniform());
    item.end_by_s = std::min(39.0, item.prompt_by_s + 10 * random.Uniform());
    item.prompt_work = 3 * random.Uniform();
    item.answer_work = 3 * random.Uniform();
    item.price = 12 * random.Uniform();
    item.sensitive = random.Uniform() < 0.25;
    problem.items.push_back(item);
  }
  return problem;
}

TEST(Bound, NeverExceedsBruteForceAndComesClose) {
  double bounds = 0, optima = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const BoundProblem problem = Tiny(seed);
    const double optimum = BruteForce(problem, 4);
    if (std::isinf(optimum)) continue;
    const double bound = SolveBound(problem, optimum, 800).cost;
    ASSERT_LE(bound, optimum * (1 + 1e-9) + 1e-9) << "seed " << seed;
    bounds += bound;
    optima += optimum;
  }
  EXPECT_GT(bounds, 0.6 * optima);  // fluid and fractional against whole requests on tiny instances
}

TEST(Bound, NeverExceedsBruteForceWithABudgetAndACap) {
  int tighter = 0;
  for (uint64_t seed = 200; seed < 250; ++seed) {
    BoundProblem problem = Tiny(seed);
    const double free = SolveBound(problem, 100, 400).cost;
    Random random(seed);
    problem.cloud_budget = 15 * random.Uniform();
    problem.cloud_concurrency = 1;
    for (BoundItem& item : problem.items) item.cloud_s = random.Uniform() * (item.end_by_s - item.arrival_s);
    const double optimum = BruteForce(problem, 4);
    if (std::isinf(optimum)) continue;
    const double bound = SolveBound(problem, optimum, 800).cost;
    ASSERT_LE(bound, optimum * (1 + 1e-9) + 1e-9) << "seed " << seed;
    if (bound > 1.02 * free) ++tighter;
    BoundPrices prices{std::vector<double>(4), std::vector<double>(4), 2 * random.Uniform()};
    for (int i = 0; i < 20; ++i) {
      for (double& y : prices.y) y = 3 * random.Uniform();
      for (double& z : prices.z) z = random.Uniform();
      ASSERT_LE(BoundAt(problem, prices), optimum + 1e-9) << "seed " << seed;
    }
  }
  EXPECT_GE(tighter, 3);
}

TEST(Bound, HoldsForAnyPrices) {
  for (uint64_t seed = 100; seed < 130; ++seed) {
    const BoundProblem problem = Tiny(seed);
    const double optimum = BruteForce(problem, 4);
    Random random(seed);
    for (int i = 0; i < 20; ++i) {
      std::vector<double> y(4);
      for (double& price : y) price = 3 * random.Uniform();
      ASSERT_LE(BoundAt(problem, {y, {}, 0}), optimum + 1e-9) << "seed " << seed;
    }
  }
}

TEST(Bound, SimpleCasesAreExact) {
  BoundProblem problem;
  problem.replica_second = 1;
  problem.replicas_max = 3;
  problem.items = {{0, 5, 5, 2, 0, 7, false}};
  // A tenth of a replica would do for two seconds: fluid. Bought: 7; local: 2.
  EXPECT_NEAR(SolveBound(problem, 7, 400).cost, 2, 0.05);
  problem.items[0].price = 1;
  EXPECT_NEAR(SolveBound(problem, 1, 400).cost, 1, 1e-6);
  problem.items[0].sensitive = true;  // a whole replica must be up while it is open
  EXPECT_NEAR(SolveBound(problem, 10, 400).cost, 10, 0.05);
}

// Requests that share beginnings: the cheapest choice of sides by brute force, each block computed once on a side.
TEST(Bound, PrefixWeightsNeverExceedBruteForce) {
  auto scenario = ParseScenario("s.yaml", R"(
policy: {mode: cost, delay_price: 2000, first_token_objective: 100s}
scaling: {replica_hour_micro_units: 3600000, replicas_min: 0, replicas_max: 4, prefill_tokens_per_second: 1000,
          decode_tokens_per_second: 200, cold_start: 1ms, window: 5m}
accounting:
  prices:
  - {version: v, model: m, currency: USD, valid_from: 2026-01-01, cache_hit: 30000, cache_miss: 800000, output: 5000000}
replay: {start: '2026-11-21T00:00:00Z', replicas_start: 4, cloud: {model: m}, replica: {prefix_cache_tokens: 100000}}
)");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  double first = 0, best = 0, optima = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    Trace trace;
    trace.clients = {"a"};
    const uint32_t count = 3 + static_cast<uint32_t>(random.Below(6));
    for (uint32_t id = 0; id < count; ++id) {
      TraceRequest request;
      request.arrival_s = id;
      request.first_block = static_cast<uint32_t>(trace.blocks.size());
      request.block_count = 1 + static_cast<uint32_t>(random.Below(4));
      const uint32_t chain = 10 * static_cast<uint32_t>(random.Below(2));
      for (uint32_t b = 0; b < request.block_count; ++b) trace.blocks.push_back(chain + b);
      request.input_tokens = static_cast<int32_t>(512 * request.block_count + random.Below(300));
      request.output_tokens = 1 + static_cast<int32_t>(random.Below(100));
      request.sensitivity = random.Uniform() < 0.3 ? TraceRequest::Class::kSensitive : TraceRequest::Class::kOrdinary;
      trace.requests.push_back(request);
    }
    double optimum = INFINITY;
    for (uint32_t sides = 0; sides < (1u << count); ++sides) {
      PrefixCache local(1 << 20), cloud(1 << 20);
      double cost = 0;
      for (uint32_t id = 0; id < count; ++id) {
        const TraceRequest& r = trace.requests[id];
        const bool leaves = (sides >> id & 1) != 0;
        if (leaves && r.sensitivity == TraceRequest::Class::kSensitive) cost = INFINITY;
        PrefixCache& cache = leaves ? cloud : local;
        const uint32_t* blocks = trace.blocks.data() + r.first_block;
        const double cached = cache.CachedTokens(blocks, r.block_count, r.input_tokens);
        cache.Insert(blocks, r.block_count);
        // A second of a replica costs 1,000: its work alone, as if it could be rented by the token.
        cost += leaves ? std::round(0.03 * cached + 0.8 * (r.input_tokens - cached) + 5.0 * r.output_tokens)
                       : 1000 * ((r.input_tokens - cached) / 1000 + (r.output_tokens - 1) / 200.0);
      }
      optimum = std::min(optimum, cost);
    }
    const double of_first = SolveBound(MakeBoundProblem(*scenario, trace), optimum, 200).cost;
    const double of_best = BestBound(*scenario, trace, optimum, 200).cost;
    // Renting by the token is what the bound may do at best, but a sensitive request keeps a whole replica up.
    BoundProblem problem = MakeBoundProblem(*scenario, trace, PrefixWeights::kSpread);
    const BoundPrices rent{std::vector<double>(static_cast<size_t>(200), problem.replica_second), {}, 0};
    EXPECT_LE(BoundAt(problem, rent), optimum * (1 + 1e-9)) << "seed " << seed;
    EXPECT_LE(BoundAt(MakeBoundProblem(*scenario, trace), rent), optimum * (1 + 1e-9)) << "seed " << seed;
    EXPECT_GE(of_best, of_first) << "seed " << seed;
    first += BoundAt(MakeBoundProblem(*scenario, trace), rent);
    best += BoundAt(problem, rent);
    optima += optimum;
  }
  EXPECT_GT(best, first);  // worth its trouble
  EXPECT_GT(best, 0.9 * optima);
}

TEST(Bound, NoPolicyThatMeetsTheObjectiveIsCheaper) {
  auto scenario = ParseScenario("s.yaml", R"(
policy: {mode: cost, delay_price: 2000, first_token_objective: 4s, switch_margin: 0}
scaling: {replica_hour_micro_units: 3600000, replicas_min: 0, replicas_max: 6, prefill_tokens_per_second: 1000,
          decode_tokens_per_second: 200, cold_start: 30s, window: 5m}
accounting:
  prices:
  - {version: v, model: m, currency: USD, valid_from: 2026-01-01, cache_hit: 3000, cache_miss: 1000000, output: 4000000}
replay: {start: '2026-11-21T00:00:00Z', sensitive_share: 0.2, replicas_start: 3, cloud: {model: m},
         replica: {prefix_cache_tokens: 100000}}
)");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  int compared = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    GeneratorOptions options;
    options.seed = seed;
    options.hours = 0.2;
    options.input_tokens = 600;
    options.output_tokens = 60;
    options.reused_prefix = 0.3;
    options.sensitive_share = 0.2;
    const Trace trace = *GenerateTrace(options);
    const double bound = BestBound(*scenario, trace, 5e6, 300).cost;
    EXPECT_GT(bound, 0);
    for (int n = 1; n <= 6; ++n) {
      scenario->replicas_start = n;
      for (const BaselineKind kind : {BaselineKind::kAllCloud, BaselineKind::kAllLocal, BaselineKind::kThreshold,
                                      BaselineKind::kHysteresis, BaselineKind::kRandomSplit}) {
        const Baseline baseline{kind, 0.5, {Scaler::Kind::kStatic, n, 0}};
        const Result result = Replay(*scenario, trace, [&](SimulatedClock& clock) {
          return MakeBaseline(baseline, *scenario, clock);
        });
        if (!result.Attained(0.99)) continue;
        ++compared;
        EXPECT_GE(result.cost(), bound) << result.name << " seed " << seed;
      }
      const Result ours = Replay(*scenario, trace, [&](SimulatedClock& clock) {
        return MakeHeadgate(*scenario, trace, clock, {});
      });
      if (ours.Attained(0.99)) {
        EXPECT_GE(ours.cost(), bound) << "seed " << seed;
      }
    }
    scenario->replicas_start = 3;
  }
  EXPECT_GE(compared, 5);
}

}  // namespace
}  // namespace headgate::planner
