// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/strategy.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "common/metrics.h"
#include "planner/hpa.h"
#include "planner/random.h"
#include "router/accounting.h"
#include "router/budget.h"
#include "router/policy.h"
#include "router/quote.h"
#include "router/traffic_meter.h"
#include "router/upstream/circuit_breaker.h"
#include "router/upstream/cloud_limit.h"

namespace headgate::planner {
namespace {

using router::Quote;

router::Sensitivity Classified(bool sensitive) {
  router::Sensitivity sensitivity;
  sensitivity.state = router::ClassificationState::kClassified;
  sensitivity.level = sensitive ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_INTERNAL;
  sensitivity.digest.assign(32, '\0');  // a trace holds no content
  return sensitivity;
}

int64_t Follow(const Scaler& scaler, Hpa& hpa, const FleetView& fleet) {
  return scaler.kind == Scaler::Kind::kHpa ? hpa.Replicas(fleet) : scaler.replicas;
}

// The router's own stages in the router's own order; only what waits is missing.
class HeadgateStrategy final : public Strategy {
 public:
  HeadgateStrategy(const Scenario& scenario, const Trace& trace, SimulatedClock& clock, const Scaler& scaler)
      : config_(scenario.router), clock_(clock), scaler_(scaler), hpa_(scenario, scaler.target),
        meter_(clock, config_.policy), policy_(config_.policy), quotes_(clock, config_), budgets_(clock, metrics_),
        breaker_(clock, config_.cloud.breaker_failures, config_.cloud.breaker_open),
        limit_(clock, config_.cloud, metrics_) {
    for (const std::string& client : trace.clients) {
      router::TenantConfig tenant;
      for (const router::TenantConfig& known : config_.tenants) {
        if (known.name == client) tenant = known;
      }
      tenant.name = client;
      tenants_.push_back(tenant);
    }
    budgets_.Apply(config_.accounting.budget, tenants_);
    any_budget_ = config_.accounting.budget.limit_micro_units > 0;
    for (const auto& tenant : tenants_) any_budget_ = any_budget_ || tenant.budget.limit_micro_units > 0;
  }

  std::string name() const override {
    switch (config_.policy.mode) {
      case router::PolicyConfig::Mode::kOverflow: return "headgate_overflow";
      case router::PolicyConfig::Mode::kSwitch: return "headgate_switch";
      case router::PolicyConfig::Mode::kCost: break;
    }
    return "headgate_cost";
  }

  bool ToCloud(uint32_t id, const Arrival& arrival) override {
    const router::TenantConfig& tenant = tenants_[arrival.client];
    const bool eligible = !arrival.sensitive && tenant.cloud_allowed;
    router::Load load = eligible ? meter_.Arrive() : meter_.Peek();
    CountFlip(load.peak);
    router::Ask ask;
    ask.prompt_tokens = arrival.prompt_tokens;
    ask.local_first_token_seconds = arrival.local_first_token_s;
    ask.local_cached_tokens = arrival.local_cached_tokens;
    ask.cloud_cached_tokens = arrival.cloud_cached_tokens;
    const router::Offer offer = quotes_.For(tenant.name, ask);
    load.quote = offer.quote;
    quotes_.Arrived(tenant.name, eligible, offer);
    const int64_t worst = any_budget_ ? WorstCase(arrival) : 0;
    router::Budget budget;
    if (any_budget_) budget = budgets_.Look(tenant.name, worst);
    const router::FleetSnapshot fleet{.cloud_configured = true,
                                      .cloud_available = breaker_.Available(),
                                      .audit_writable = true,
                                      .local_ready = static_cast<int>(arrival.replicas_ready),
                                      .cloud_can_answer = true,
                                      .cloud_has_room = limit_.HasRoom()};
    const router::Decision decision =
        policy_.Decide(std::string(), tenant, arrival.sensitive ? sensitive_ : ordinary_, load, fleet, budget);
    const bool cloud = decision.target == router::Target::kCloud;
    quotes_.Decided(tenant.name, cloud ? Quote::Side::kCloud : Quote::Side::kLocal);
    if (!cloud) return false;
    const auto attempt = breaker_.Acquire();
    if (!attempt) return false;  // half open, and another one is the probe
    attempts_[id] = {*attempt, *limit_.Take()};
    meter_.CommitCloud();
    if (any_budget_) holds_[id] = budgets_.Reserve(tenant.name, worst);
    return true;
  }

  // As dispatch tells the breaker; of retries the replay knows nothing.
  void CloudRefused(uint32_t id, CloudRefusal why) override {
    constexpr absl::Duration kBalanceOpen = absl::Minutes(1);  // dispatch's kRejectedOpen
    holds_.erase(id);
    const auto attempt = attempts_.find(id);
    if (attempt == attempts_.end()) return;
    if (why == CloudRefusal::kRateLimited) {
      breaker_.Abandon(attempt->second.breaker);
      limit_.Limited(attempt->second.limit, std::nullopt);
    } else {
      if (why == CloudRefusal::kUnavailable) breaker_.Failure(attempt->second.breaker);
      if (why == CloudRefusal::kBalance) breaker_.Trip(kBalanceOpen);
      limit_.Ended();
    }
    attempts_.erase(attempt);
  }

  void Ended(const Answered& answered) override {
    v1::Usage usage;
    usage.set_prompt_tokens(answered.prompt_tokens);
    usage.set_cached_tokens(answered.cached_tokens);
    usage.set_completion_tokens(answered.output_tokens);
    quotes_.Answered(tenants_[answered.client].name, answered.cloud ? Quote::Side::kCloud : Quote::Side::kLocal, usage,
                     absl::Seconds(answered.first_token_s));
    if (!answered.cloud && !answered.sensitive) {
      quotes_.LocalFirstToken(static_cast<double>(answered.prompt_tokens), answered.predicted_s,
                              answered.first_token_s);
    }
    if (!answered.cloud) return;
    if (const auto attempt = attempts_.find(answered.id); attempt != attempts_.end()) {
      breaker_.Success(attempt->second.breaker);
      limit_.Succeeded();
      attempts_.erase(attempt);
    }
    if (!any_budget_) return;
    const auto hold = holds_.find(answered.id);
    if (hold == holds_.end()) return;
    budgets_.Settle(std::move(hold->second), answered.micro_units);
    holds_.erase(hold);
    for (const auto& tenant : tenants_) Overspent(tenant.name);
    Overspent("");
  }

  int64_t Replicas(const FleetView& fleet) override {
    if (scaler_.kind != Scaler::Kind::kHeadgate) return Follow(scaler_, hpa_, fleet);
    const int64_t there = fleet.ready + fleet.starting;
    if (const auto wanted = quotes_.Wanted(there)) wanted_ = *wanted;
    return wanted_.value_or(there);
  }

  int64_t flips() const override { return flips_; }
  int64_t overspent_micro_units() override { return overspent_; }

 private:
  int64_t WorstCase(const Arrival& arrival) const {
    const absl::Time now = clock_.WallTime();
    const auto worst =
        router::WorstCase(config_.accounting, config_.cloud.model, std::llround(arrival.prompt_tokens),
                          config_.accounting.reserve_output_tokens, now, now + absl::Hours(1));
    return worst.ok() ? *worst : std::numeric_limits<int64_t>::max() / 4;
  }
  void Overspent(const std::string& tenant) {
    if (const auto state = budgets_.StateOf(tenant)) overspent_ = std::max(overspent_, state->spent - state->limit);
  }
  void CountFlip(bool peak) {
    if (peak != peak_) ++flips_;
    peak_ = peak;
  }

  const router::RouterConfig config_;
  SimulatedClock& clock_;
  const Scaler scaler_;
  Hpa hpa_;
  Metrics metrics_;
  router::TrafficMeter meter_;
  const router::Policy policy_;
  router::QuoteBook quotes_;
  router::BudgetBook budgets_;
  std::vector<router::TenantConfig> tenants_;
  absl::flat_hash_map<uint32_t, router::BudgetBook::Hold> holds_;
  router::CircuitBreaker breaker_;
  router::CloudLimit limit_;
  struct Attempt {
    router::CircuitBreaker::Attempt breaker;
    router::CloudLimit::Attempt limit;
  };
  absl::flat_hash_map<uint32_t, Attempt> attempts_;  // under way on the cloud
  const router::Sensitivity sensitive_ = Classified(true);
  const router::Sensitivity ordinary_ = Classified(false);
  std::optional<int64_t> wanted_;
  bool any_budget_ = false;
  bool peak_ = false;
  int64_t flips_ = 0;
  int64_t overspent_ = 0;
};

class BaselineStrategy final : public Strategy {
 public:
  BaselineStrategy(const Baseline& baseline, const Scenario& scenario, SimulatedClock& clock)
      : baseline_(baseline), clock_(clock), seed_(scenario.seed), hpa_(scenario, baseline.scaler.target) {}

  std::string name() const override {
    static constexpr const char* kNames[] = {"all_cloud",  "all_local",    "threshold",   "hysteresis",
                                             "saturation", "request_rate", "random_split"};
    std::string name = kNames[static_cast<int>(baseline_.kind)];
    if (baseline_.threshold > 0) name += absl::StrFormat("_%.3g", baseline_.threshold);
    return baseline_.scaler.kind == Scaler::Kind::kHpa ? name + "_hpa"
                                                       : absl::StrFormat("%s_n%d", name, baseline_.scaler.replicas);
  }

  bool ToCloud(uint32_t id, const Arrival& arrival) override {
    if (arrival.sensitive) return false;
    switch (baseline_.kind) {
      case BaselineKind::kAllCloud: return true;
      case BaselineKind::kAllLocal: return false;
      case BaselineKind::kThreshold: return !Peak(baseline_.threshold, baseline_.threshold);
      case BaselineKind::kHysteresis: return !Peak(baseline_.threshold, 0.8 * baseline_.threshold);
      case BaselineKind::kSaturation: return Saturated(arrival);
      case BaselineKind::kRequestRate: return MinuteHasRoom();
      case BaselineKind::kRandomSplit: return UniformAt(seed_ ^ 0x5eed, id) < baseline_.threshold;
    }
    return false;
  }
  int64_t Replicas(const FleetView& fleet) override { return Follow(baseline_.scaler, hpa_, fleet); }
  int64_t flips() const override { return flips_; }

 private:
  // Requests of the last 10 s, as a rate; above `high` all is local until it is at most `low`.
  bool Peak(double high, double low) {
    constexpr absl::Duration kWindow = absl::Seconds(10);
    const MonotonicTime now = clock_.Monotonic();
    recent_.push_back(now);
    while (recent_.front() <= now - kWindow) recent_.pop_front();
    const double rate = static_cast<double>(recent_.size()) / absl::ToDoubleSeconds(kWindow);
    const bool peak = peak_ ? rate > low : rate >= high;
    if (peak != peak_) ++flips_;
    return peak_ = peak;
  }
  // llm-d's saturation: waiting 5 a replica or memory at 0.8, here by answers under way; only then to the cloud.
  static bool Saturated(const Arrival& arrival) {
    const double replicas = static_cast<double>(std::max<int64_t>(1, arrival.replicas_ready));
    return arrival.replicas_ready == 0 ||
           std::max(static_cast<double>(arrival.waiting) / (5 * replicas),
                    static_cast<double>(arrival.running) / (0.8 * 32 * replicas)) >= 1;
  }
  // A fixed number of cloud requests a minute, as gateways count them.
  bool MinuteHasRoom() {
    const int64_t minute = absl::Floor(clock_.Monotonic(), absl::Minutes(1)) / absl::Minutes(1);
    if (minute != minute_) in_minute_ = 0;
    minute_ = minute;
    return static_cast<double>(in_minute_++) < baseline_.threshold * 60;
  }

  const Baseline baseline_;
  SimulatedClock& clock_;
  const uint64_t seed_;
  Hpa hpa_;
  std::deque<MonotonicTime> recent_;
  bool peak_ = false;
  int64_t flips_ = 0;
  int64_t minute_ = -1, in_minute_ = 0;
};

}  // namespace

std::unique_ptr<Strategy> MakeHeadgate(const Scenario& scenario, const Trace& trace, SimulatedClock& clock,
                                       const Scaler& scaler) {
  return std::make_unique<HeadgateStrategy>(scenario, trace, clock, scaler);
}

std::unique_ptr<Strategy> MakeBaseline(const Baseline& baseline, const Scenario& scenario, SimulatedClock& clock) {
  return std::make_unique<BaselineStrategy>(baseline, scenario, clock);
}

}  // namespace headgate::planner
