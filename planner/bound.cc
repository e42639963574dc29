// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/container/flat_hash_map.h"
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

  // L; `use` and `on_cloud` may be null.
  double Value(const BoundPrices& prices, Use* use, std::vector<bool>* on_cloud = nullptr) const {
    double value = Replicas(prices.y, use == nullptr ? nullptr : &use->replicas);
    if (on_cloud != nullptr) on_cloud->assign(problem_.items.size(), false);
    for (size_t i = 0; i < problem_.items.size(); ++i) {
      bool cloud = false;
      value += Item(problem_.items[i], prices, use, &cloud);
      if (on_cloud != nullptr) (*on_cloud)[i] = cloud;
    }
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

  double Item(const BoundItem& item, const BoundPrices& prices, Use* use, bool* on_cloud) const {
    const uint32_t prompt = Least(prices.y, Of(item.arrival_s, item.prompt_by_s));
    const uint32_t answer = Least(prices.y, Of(item.arrival_s, item.end_by_s));
    double local = item.prompt_work * prices.y[prompt] + item.answer_work * prices.y[answer];
    for (const SharedWork& part : item.shared) {
      local += part.work * prices.y[Least(prices.y, Of(part.from_s, item.prompt_by_s))];
    }
    if (!item.sensitive) {
      double cloud = (item.price + item.shared_price) * (1 + prices.m);
      uint32_t step = 0;
      if (!prices.z.empty()) {
        step = Least(prices.z, Of(item.arrival_s, item.end_by_s));
        cloud += item.cloud_s * prices.z[step];
      }
      if (cloud <= local) {
        *on_cloud = true;
        if (use != nullptr) {
          use->spent += item.price + item.shared_price;
          use->cloud_s[step] += item.cloud_s;
        }
        return cloud;
      }
    }
    if (use != nullptr) {
      use->work[prompt] += item.prompt_work;
      use->work[answer] += item.answer_work;
      for (const SharedWork& part : item.shared) {
        use->work[Least(prices.y, Of(part.from_s, item.prompt_by_s))] += part.work;
      }
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
    (void)grid_.Value(best_, nullptr, &bound.on_cloud);
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

namespace {

// A block that is in several prompts, by whom it is charged.
struct Block {
  std::vector<uint32_t> users;  // by arrival
  double tokens = 1e18;         // in the prompt that has the least of it
};

// Tokens of the block at `place` that a cache could spare this prompt; the last token is always computed.
double TokensOf(const Trace& trace, const TraceRequest& request, uint32_t place) {
  const auto size = static_cast<double>(trace.block_tokens);
  return std::clamp(static_cast<double>(request.input_tokens) - 1 - static_cast<double>(place) * size, 0.0, size);
}

absl::flat_hash_map<uint32_t, Block> SharedBlocks(const Trace& trace) {
  absl::flat_hash_map<uint32_t, Block> blocks;
  for (uint32_t id = 0; id < trace.requests.size(); ++id) {
    const TraceRequest& request = trace.requests[id];
    for (uint32_t place = 0; place < request.block_count; ++place) {
      const double tokens = TokensOf(trace, request, place);
      if (tokens <= 0) break;
      Block& block = blocks[trace.blocks[request.first_block + place]];
      if (!block.users.empty() && block.users.back() == id) continue;
      block.users.push_back(id);
      block.tokens = std::min(block.tokens, tokens);
    }
  }
  absl::erase_if(blocks, [](const auto& entry) { return entry.second.users.size() < 2; });
  return blocks;
}

// The users that share a block's charge evenly on one side.
std::vector<uint32_t> Charged(const Block& block, const BoundProblem& problem, PrefixWeights weights, bool cloud,
                              const std::vector<bool>& on_cloud) {
  if (weights == PrefixWeights::kFirst) return {block.users.front()};
  std::vector<uint32_t> all, there;
  for (const uint32_t id : block.users) {
    const bool sensitive = problem.items[id].sensitive;
    if (!cloud && sensitive) return {id};  // certainly local
    if (cloud && sensitive) continue;
    all.push_back(id);
    if (weights == PrefixWeights::kBySide && on_cloud[id] == cloud) there.push_back(id);
  }
  return there.empty() ? all : there;
}

class Prices {
 public:
  explicit Prices(const Scenario& scenario) : scenario_(scenario) {}
  // The least price of a usage from `from` to `to`. Peak hours begin and end on whole hours.
  double Least(double from, double to, int64_t prompt, int64_t cached, int64_t output) const {
    double least = At(to, prompt, cached, output);
    for (double when = from; when < to; when += 1800) least = std::min(least, At(when, prompt, cached, output));
    return least;
  }
  // What a token costs more when it is not cached.
  double LeastOfMiss(double from, double to) const {
    constexpr int64_t kMillion = 1'000'000;
    return (Least(from, to, kMillion, 0, 0) - Least(from, to, kMillion, kMillion, 0)) / kMillion;
  }

 private:
  double At(double when, int64_t prompt, int64_t cached, int64_t output) const {
    v1::Usage usage;
    usage.set_prompt_tokens(prompt);
    usage.set_cached_tokens(cached);
    usage.set_completion_tokens(output);
    const auto charge = router::Price(scenario_.router.accounting, scenario_.router.cloud.model, usage,
                                      scenario_.start + absl::Seconds(when));
    return charge.ok() ? static_cast<double>(charge->micro_units) : 0;
  }
  const Scenario& scenario_;
};

// Charges a block to those who share it.
void Charge(const Scenario& scenario, const Block& block, const std::vector<uint32_t>& local,
            const std::vector<uint32_t>& cloud, double from, const Prices& prices, BoundProblem* problem) {
  for (const uint32_t id : local) {
    if (scenario.replica.prefix_cache_tokens <= 0) break;
    const double work =
        block.tokens / static_cast<double>(local.size()) / scenario.replica.prefill_tokens_per_second;
    std::vector<SharedWork>& shared = problem->items[id].shared;
    if (!shared.empty() && shared.back().from_s == from) shared.back().work += work;
    else shared.push_back({from, work});
  }
  for (const uint32_t id : cloud) {
    if (scenario.cloud.prefix_cache_tokens <= 0) break;
    BoundItem& item = problem->items[id];
    item.shared_price += block.tokens / static_cast<double>(cloud.size()) * prices.LeastOfMiss(from, item.end_by_s);
  }
}

// Whatever of the prompts is shared, and whom it is charged to.
void AddShared(const Scenario& scenario, const Trace& trace, PrefixWeights weights, const std::vector<bool>& on_cloud,
               BoundProblem* problem) {
  const Prices prices(scenario);
  const auto blocks = SharedBlocks(trace);
  for (uint32_t id = 0; id < trace.requests.size(); ++id) {
    const TraceRequest& request = trace.requests[id];
    BoundItem& item = problem->items[id];
    double spared = 0;
    for (uint32_t place = 0; place < request.block_count; ++place) {
      const auto found = blocks.find(trace.blocks[request.first_block + place]);
      if (found == blocks.end()) continue;
      const Block& block = found->second;
      spared += TokensOf(trace, request, place);
      if (block.users.front() != id) continue;
      Charge(scenario, block, Charged(block, *problem, weights, false, on_cloud),
             Charged(block, *problem, weights, true, on_cloud), request.arrival_s, prices, problem);
    }
    if (spared <= 0) continue;
    if (scenario.replica.prefix_cache_tokens > 0) {
      item.prompt_work = std::max(1.0, request.input_tokens - spared) / scenario.replica.prefill_tokens_per_second;
    }
    if (scenario.cloud.prefix_cache_tokens <= 0) continue;
    // Less what rounding to whole micro-units may make of it.
    item.price = std::max(0.0, prices.Least(item.arrival_s, item.end_by_s, request.input_tokens, std::llround(spared),
                                            request.output_tokens) - 1);
  }
}

}  // namespace

BoundProblem MakeBoundProblem(const Scenario& scenario, const Trace& trace, PrefixWeights weights,
                              const std::vector<bool>& on_cloud) {
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
  const Prices prices(scenario);
  for (uint32_t id = 0; id < trace.requests.size(); ++id) {
    const TraceRequest& request = trace.requests[id];
    BoundItem item;
    item.arrival_s = request.arrival_s;
    item.sensitive = IsSensitive(scenario, request, id);
    item.prompt_by_s = item.arrival_s + FirstTokenObjective(scenario, request.input_tokens);
    item.end_by_s = item.prompt_by_s + scenario.per_output_token_s * request.output_tokens;
    item.prompt_work = std::max(1, request.input_tokens) / scenario.replica.prefill_tokens_per_second;
    item.answer_work = std::max(0, request.output_tokens - 1) / scenario.replica.decode_tokens_per_second;
    item.cloud_s = std::max(0, request.output_tokens - 1) / scenario.cloud.stream_tokens_per_second;
    item.price = prices.Least(item.arrival_s, item.end_by_s, request.input_tokens, 0, request.output_tokens);
    problem.items.push_back(item);
  }
  if (!trace.blocks.empty()) AddShared(scenario, trace, weights, on_cloud, &problem);
  return problem;
}

Bound BestBound(const Scenario& scenario, const Trace& trace, double cost_known, int rounds,
                const std::function<void(double)>& progress) {
  const auto solve = [&](PrefixWeights weights, const std::vector<bool>& on_cloud) {
    BoundProblem problem = MakeBoundProblem(scenario, trace, weights, on_cloud);
    problem.replicas_start = problem.replicas_max;
    return SolveBound(problem, cost_known, rounds, progress);
  };
  Bound best = solve(PrefixWeights::kFirst, {});
  if (trace.blocks.empty()) return best;
  Bound spread = solve(PrefixWeights::kSpread, {});
  if (spread.cost > best.cost) best = std::move(spread);
  constexpr int kAgain = 3;
  for (int i = 0; i < kAgain; ++i) {
    Bound by_side = solve(PrefixWeights::kBySide, best.on_cloud);
    if (by_side.cost <= best.cost) break;
    best = std::move(by_side);
  }
  return best;
}

}  // namespace headgate::planner
