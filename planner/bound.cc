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

  // What the relaxed solution of some prices uses of what is coupled.
  struct Use {
    std::vector<double> work, replicas, cloud_s;  // by step
    double spent = 0;
    explicit Use(size_t steps) : work(steps), replicas(steps), cloud_s(steps) {}
  };

  // L; `use` may be null.
  double Value(const BoundPrices& prices, Use* use) const {
    double value = Replicas(prices.y, use == nullptr ? nullptr : &use->replicas);
    for (const BoundItem& item : problem_.items) value += Item(item, prices, use);
    for (const double z : prices.z) {
      if (z > 0) value -= z * problem_.cloud_concurrency * problem_.step_s;
    }
    if (prices.m > 0) value -= prices.m * problem_.cloud_budget;
    return value;
  }

 private:
  uint32_t Least(const std::vector<double>& y, const Window& window) const {
    return static_cast<uint32_t>(
        std::min_element(y.begin() + window.from, y.begin() + window.to + 1) - y.begin());
  }

  double Item(const BoundItem& item, const BoundPrices& prices, Use* use) const {
    const uint32_t prompt = Least(prices.y, Of(item.arrival_s, item.prompt_by_s));
    const uint32_t answer = Least(prices.y, Of(item.arrival_s, item.end_by_s));
    const double local = item.prompt_work * prices.y[prompt] + item.answer_work * prices.y[answer];
    if (!item.sensitive) {
      double cloud = item.price * (1 + prices.m);
      uint32_t step = 0;
      if (!prices.z.empty()) {
        step = Least(prices.z, Of(item.arrival_s, item.end_by_s));
        cloud += item.cloud_s * prices.z[step];
      }
      if (cloud <= local) {
        if (use != nullptr) {
          use->spent += item.price;
          use->cloud_s[step] += item.cloud_s;
        }
        return cloud;
      }
    }
    if (use != nullptr) {
      use->work[prompt] += item.prompt_work;
      use->work[answer] += item.answer_work;
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

double BoundAt(const BoundProblem& problem, const BoundPrices& prices) {
  return Grid(problem).Value(prices, nullptr);
}

namespace {

// Whether the cap could ever matter: everything on the cloud at once.
bool CapMatters(const Grid& grid, const BoundProblem& problem) {
  if (std::isinf(problem.cloud_concurrency)) return false;
  std::vector<double> most(grid.steps());
  for (const BoundItem& item : problem.items) {
    const Window window = grid.Of(item.arrival_s, item.end_by_s);
    for (uint32_t step = window.from; step <= window.to; ++step) ++most[step];
  }
  return *std::max_element(most.begin(), most.end()) > problem.cloud_concurrency;
}

// Subgradient ascent over all multipliers, in one scale: m counts money where the others count seconds.
class Ascent {
 public:
  Ascent(const Grid& grid, const BoundProblem& problem, double y_start, bool capped)
      : grid_(grid), problem_(problem), use_(grid.steps()) {
    prices_.y.assign(grid.steps(), y_start);
    if (capped) prices_.z.assign(grid.steps(), 0);
    budget_scale_ = std::isinf(problem.cloud_budget)
                        ? 0
                        : std::max(1e-9, problem.cloud_budget) /
                              (problem.step_s * std::sqrt(static_cast<double>(grid.steps())));
    best_ = prices_;
    direction_.assign(Count(), 0.0);
  }

  Bound Go(double cost_known, int rounds, const std::function<void(double)>& progress) {
    Bound bound;
    bound.cost = -std::numeric_limits<double>::infinity();
    double scale = 1;
    int stale = 0;
    for (int round = 0; round < rounds; ++round) {
      use_ = Grid::Use(grid_.steps());
      const double value = grid_.Value(prices_, &use_);
      if (round == 0 || value > bound.cost + 1e-7 * std::abs(bound.cost)) {
        bound.cost = value;
        bound.replicas = use_.replicas;
        best_ = prices_;
        stale = 0;
      } else if (++stale >= 15) {
        // No better for a while: shorter steps, from the best place.
        scale *= 0.6;
        stale = 0;
        prices_ = best_;
        std::fill(direction_.begin(), direction_.end(), 0.0);
        continue;
      }
      const double norm = Turn();
      if (norm <= 0 || scale < 1e-5) break;
      Move(scale * std::max(1e-9 * std::abs(cost_known), cost_known - value) / norm);
      if (progress && round % 50 == 0) progress(static_cast<double>(round) / rounds);
    }
    for (const double price : best_.y) bound.price_of_work += price / static_cast<double>(grid_.steps());
    return bound;
  }

 private:
  size_t Count() const { return prices_.y.size() + prices_.z.size() + (budget_scale_ > 0 ? 1 : 0); }
  double* At(size_t i) {
    if (i < prices_.y.size()) return &prices_.y[i];
    i -= prices_.y.size();
    return i < prices_.z.size() ? &prices_.z[i] : &prices_.m;
  }
  double Slope(size_t i) const {
    if (i < prices_.y.size()) return use_.work[i] - use_.replicas[i] * problem_.step_s;
    i -= prices_.y.size();
    if (i < prices_.z.size()) return use_.cloud_s[i] - problem_.cloud_concurrency * problem_.step_s;
    return (use_.spent - problem_.cloud_budget) / budget_scale_;
  }

  // The next direction's squared length.
  double Turn() {
    double norm = 0;
    for (size_t i = 0; i < direction_.size(); ++i) {
      const double slope = Slope(i);
      direction_[i] = 0.7 * direction_[i] + slope;
      // A cap or budget with room and without a price stays without.
      if (i >= prices_.y.size() && slope < 0 && *At(i) <= 0) direction_[i] = 0;
      norm += direction_[i] * direction_[i];
    }
    return norm;
  }

  void Move(double length) {
    for (size_t i = 0; i < direction_.size(); ++i) {
      const bool money = i + 1 == direction_.size() && budget_scale_ > 0;
      double* price = At(i);
      *price = std::max(0.0, *price + length * direction_[i] / (money ? budget_scale_ : 1));
    }
  }

  const Grid& grid_;
  const BoundProblem& problem_;
  BoundPrices prices_, best_;
  Grid::Use use_;
  std::vector<double> direction_;
  double budget_scale_ = 0;  // 0: no budget
};

}  // namespace

Bound SolveBound(const BoundProblem& problem, double cost_known, int rounds,
                 const std::function<void(double)>& progress) {
  const Grid grid(problem);
  const bool capped = CapMatters(grid, problem);
  Bound best;
  bool first = true;
  // The search may stop at a ridge: the best of several beginnings.
  for (const double share : {1.0, 0.95, 0.85, 0.6}) {
    Bound bound = Ascent(grid, problem, share * problem.replica_second, capped)
                      .Go(cost_known, std::max(1, rounds / 4), progress);
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
  problem.cloud_concurrency = static_cast<double>(scenario.cloud.concurrency_max);
  if (const auto& budget = scenario.router.accounting.budget; budget.limit_micro_units > 0) {
    // Every day or month that the trace touches brings the whole limit.
    const double days = budget.period == router::BudgetConfig::Period::kDay ? 1 : 28;
    problem.cloud_budget =
        static_cast<double>(budget.limit_micro_units) * (std::floor(trace.span_s() / 86400 / days) + 2);
  }
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
    item.cloud_s = std::max(0, request.output_tokens - 1) / scenario.cloud.stream_tokens_per_second;
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
