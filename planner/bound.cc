// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "planner/replica.h"
#include "planner/simulation.h"
#include "router/accounting.h"

namespace headgate::planner {
namespace {

struct Window {
  uint32_t from, to;  // steps, inclusive
};

// The problem on the grid of steps.
class Grid {
 public:
  explicit Grid(const BoundProblem& problem) : problem_(problem) {
    double end = problem.step_s;
    for (const BoundItem& item : problem.items) end = std::max({end, item.end_by_s, item.prompt_by_s});
    steps_ = static_cast<size_t>(end / problem.step_s) + 1;
    least_.assign(steps_, problem.replicas_min);
    for (const BoundItem& item : problem.items) {
      const Window prompt = Of(item.arrival_s, item.prompt_by_s);
      // Some replica is up at some time of the prompt's window: certain for a step only when the window lies in it.
      if (item.sensitive && prompt.from == prompt.to) {
        least_[prompt.from] = std::max<int64_t>(least_[prompt.from], std::min<int64_t>(1, problem.replicas_max));
      }
    }
  }

  size_t steps() const { return steps_; }
  Window Of(double from, double to) const {
    const auto last = static_cast<uint32_t>(steps_ - 1);
    return {std::min(last, static_cast<uint32_t>(from / problem_.step_s)),
            std::min(last, static_cast<uint32_t>(to / problem_.step_s))};
  }

  // L(y); adds the work that it places to `work` and the replicas that it rents to `replicas` (both may be null).
  double Value(const std::vector<double>& y, std::vector<double>* work, std::vector<double>* replicas) const {
    double value = Replicas(y, replicas);
    for (const BoundItem& item : problem_.items) value += Item(item, y, work);
    return value;
  }

 private:
  uint32_t Least(const std::vector<double>& y, const Window& window) const {
    return static_cast<uint32_t>(
        std::min_element(y.begin() + window.from, y.begin() + window.to + 1) - y.begin());
  }

  double Item(const BoundItem& item, const std::vector<double>& y, std::vector<double>* work) const {
    const uint32_t prompt = Least(y, Of(item.arrival_s, item.prompt_by_s));
    const uint32_t answer = Least(y, Of(item.arrival_s, item.end_by_s));
    const double local = item.prompt_work * y[prompt] + item.answer_work * y[answer];
    if (!item.sensitive && item.price <= local) return item.price;
    if (work != nullptr) {
      (*work)[prompt] += item.prompt_work;
      (*work)[answer] += item.answer_work;
    }
    return local;
  }

  // min over n of sum (g - y) n dt + boots. Costs are linear in n, so changes inside a step gain nothing.
  double Replicas(const std::vector<double>& y, std::vector<double>* replicas) const {
    const auto levels = static_cast<size_t>(problem_.replicas_max) + 1;
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    std::vector<double> cost(levels, kInfinite);
    std::vector<std::vector<uint16_t>> from(replicas == nullptr ? 0 : steps_, std::vector<uint16_t>(levels));
    cost[std::min<size_t>(levels - 1, static_cast<size_t>(problem_.replicas_start))] = 0;
    std::vector<double> next(levels);
    std::vector<uint16_t> stay(levels), grow(levels);
    for (size_t step = 0; step < steps_; ++step) {
      // Best predecessor above or at n (shrinking is free), and below (growing costs boots).
      double best = kInfinite;
      uint16_t best_at = 0;
      for (size_t n = levels; n-- > 0;) {
        if (cost[n] < best) best = cost[n], best_at = static_cast<uint16_t>(n);
        next[n] = best;
        stay[n] = best_at;
      }
      double below = kInfinite;  // min of cost[m] - boot * m
      uint16_t below_at = 0;
      for (size_t n = 0; n < levels; ++n) {
        const double grown = below + problem_.boot * static_cast<double>(n);
        if (grown < next[n]) next[n] = grown, stay[n] = below_at;
        const double base = cost[n] - problem_.boot * static_cast<double>(n);
        if (base < below) below = base, below_at = static_cast<uint16_t>(n);
      }
      const double rent = (problem_.replica_second - y[step]) * problem_.step_s;
      for (size_t n = 0; n < levels; ++n) {
        const bool allowed = static_cast<int64_t>(n) >= least_[step];
        cost[n] = allowed ? next[n] + rent * static_cast<double>(n) : kInfinite;
        if (replicas != nullptr) from[step][n] = stay[n];
      }
    }
    const auto end = static_cast<size_t>(std::min_element(cost.begin(), cost.end()) - cost.begin());
    if (replicas != nullptr) {
      size_t n = end;
      for (size_t step = steps_; step-- > 0; n = from[step][n]) (*replicas)[step] += static_cast<double>(n);
    }
    return cost[end];
  }

  const BoundProblem& problem_;
  size_t steps_ = 0;
  std::vector<int64_t> least_;
};

}  // namespace

double BoundAt(const BoundProblem& problem, const std::vector<double>& y) {
  return Grid(problem).Value(y, nullptr, nullptr);
}

namespace {

// Subgradient ascent from a constant y.
Bound Ascend(const Grid& grid, const BoundProblem& problem, double y_start, double cost_known, int rounds,
             const std::function<void(double)>& progress) {
  const size_t steps = grid.steps();
  std::vector<double> y(steps, y_start);
  std::vector<double> best_y = y;
  std::vector<double> work(steps), replicas(steps), direction(steps, 0.0), slope(steps);
  Bound bound;
  bound.cost = -std::numeric_limits<double>::infinity();
  double scale = 1;
  int stale = 0;
  for (int round = 0; round < rounds; ++round) {
    std::fill(work.begin(), work.end(), 0);
    std::fill(replicas.begin(), replicas.end(), 0);
    const double value = grid.Value(y, &work, &replicas);
    if (round == 0 || value > bound.cost + 1e-7 * std::abs(bound.cost)) {
      bound.cost = value;
      bound.replicas = replicas;
      best_y = y;
      stale = 0;
    } else if (++stale >= 15) {
      // No better for a while: shorter steps, from the best place.
      scale *= 0.6;
      stale = 0;
      y = best_y;
      std::fill(direction.begin(), direction.end(), 0.0);
      continue;
    }
    double norm = 0;
    for (size_t i = 0; i < steps; ++i) {
      slope[i] = work[i] - replicas[i] * problem.step_s;
      direction[i] = 0.7 * direction[i] + slope[i];
      norm += direction[i] * direction[i];
    }
    if (norm <= 0 || scale < 1e-5) break;
    const double length = scale * std::max(1e-9 * std::abs(cost_known), cost_known - value) / norm;
    for (size_t i = 0; i < steps; ++i) y[i] = std::max(0.0, y[i] + length * direction[i]);
    if (progress && round % 50 == 0) progress(static_cast<double>(round) / rounds);
  }
  for (const double price : best_y) bound.price_of_work += price / static_cast<double>(steps);
  return bound;
}

}  // namespace

Bound SolveBound(const BoundProblem& problem, double cost_known, int rounds,
                 const std::function<void(double)>& progress) {
  const Grid grid(problem);
  Bound best;
  bool first = true;
  // The search may stop at a ridge: the best of several beginnings.
  for (const double share : {1.0, 0.95, 0.85, 0.6}) {
    Bound bound = Ascend(grid, problem, share * problem.replica_second, cost_known, std::max(1, rounds / 4), progress);
    if (first || bound.cost > best.cost) best = std::move(bound);
    first = false;
  }
  return best;
}

BoundProblem MakeBoundProblem(const Scenario& scenario, const Trace& trace) {
  const router::ScalingConfig& scaling = scenario.router.scaling;
  BoundProblem problem;
  problem.replica_second = static_cast<double>(scaling.replica_hour_micro_units) / 3600;
  problem.boot = problem.replica_second * absl::ToDoubleSeconds(scaling.cold_start);
  problem.replicas_start = scenario.replicas_start;
  problem.replicas_min = scaling.replicas_min;
  problem.replicas_max = scaling.replicas_max;
  problem.items.reserve(trace.requests.size());
  // Everything that was ever in a prompt counts as cached, on either side.
  PrefixCache seen(int64_t{1} << 50);
  for (uint32_t id = 0; id < trace.requests.size(); ++id) {
    const TraceRequest& request = trace.requests[id];
    const uint32_t* blocks = trace.blocks.data() + request.first_block;
    const int64_t known = std::min<int64_t>(seen.Match(blocks, request.block_count) * kBlockTokens,
                                            std::max(0, request.input_tokens - 1));
    seen.Insert(blocks, request.block_count);
    BoundItem item;
    item.arrival_s = request.arrival_s;
    item.sensitive = IsSensitive(scenario, request, id);
    const double objective = FirstTokenObjective(scenario, request.input_tokens);
    item.prompt_by_s = item.arrival_s + objective;
    item.end_by_s = item.prompt_by_s + scenario.per_output_token_s * request.output_tokens;
    const double local_cached =
        scenario.replica.prefix_cache_tokens > 0 ? static_cast<double>(known) : 0;
    item.prompt_work = std::max(1.0, request.input_tokens - local_cached) / scenario.replica.prefill_tokens_per_second;
    item.answer_work = std::max(0, request.output_tokens - 1) / scenario.replica.decode_tokens_per_second;
    v1::Usage usage;
    usage.set_prompt_tokens(request.input_tokens);
    usage.set_cached_tokens(scenario.cloud.prefix_cache_tokens > 0 ? known : 0);
    usage.set_completion_tokens(request.output_tokens);
    const auto price_at = [&](double when) {
      const auto charge = router::Price(scenario.router.accounting, scenario.router.cloud.model, usage,
                                        scenario.start + absl::Seconds(when));
      return charge.ok() ? static_cast<double>(charge->micro_units) : 0;
    };
    item.price = std::min(price_at(item.arrival_s), price_at(item.end_by_s));
    problem.items.push_back(item);
  }
  return problem;
}

}  // namespace headgate::planner
