// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "planner/comparison.h"
#include "planner/replica.h"
#include "planner/simulation.h"

namespace headgate::planner {
namespace {

constexpr char kScenario[] = R"(
policy: {mode: cost, delay_price: 2000, first_token_objective: 3s, switch_margin: 0}
scaling: {replica_hour_micro_units: 3600000, replicas_min: 1, replicas_max: 4, prefill_tokens_per_second: 1000,
          decode_tokens_per_second: 200, cold_start: 30s, window: 5m}
accounting:
  prices:
  - {version: v, model: m, currency: USD, valid_from: 2026-01-01, cache_hit: 3000, cache_miss: 1500000, output: 6000000}
replay: {start: '2026-11-21T00:00:00Z', sensitive_share: 0.2, cloud: {model: m}}
)";

Scenario Made() {
  auto scenario = ParseScenario("s.yaml", kScenario);
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  return *scenario;
}

Trace Traffic(uint64_t seed, double hours = 0.3) {
  GeneratorOptions options;
  options.seed = seed;
  options.hours = hours;
  options.requests_per_second = 2;
  options.burstiness = 2;
  options.input_tokens = 400;
  options.output_tokens = 80;
  options.sensitive_share = 0.2;
  return *GenerateTrace(options);
}

Result Ours(const Scenario& scenario, const Trace& trace) {
  return Replay(scenario, trace, [&](SimulatedClock& clock) { return MakeHeadgate(scenario, trace, clock, {}); });
}

ReplicaModel Model() {
  ReplicaModel model;
  model.prefill_tokens_per_second = 1000;
  model.decode_tokens_per_second = 100;
  model.stream_tokens_per_second = 50;
  model.running_max = 10;
  return model;
}

std::vector<ReplicaEvent> RunDry(Replica& replica) {
  std::vector<ReplicaEvent> events;
  while (replica.NextEvent() < kNever) replica.Advance(replica.NextEvent(), events);
  return events;
}

TEST(Replica, OneRequestTakesItsOwnTime) {
  Replica replica(Model(), 0);
  replica.Add({1, 500, 51, false, kNever});
  EXPECT_NEAR(replica.prompt_tokens_left(), 500, 1e-9);
  const auto events = RunDry(replica);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_NEAR(events[0].at, 0.5, 1e-6);
  EXPECT_NEAR(events[1].at, 0.5 + 50 / 50.0, 1e-6);
  EXPECT_NEAR(replica.work_done(), 0.5 + 50 / 100.0, 1e-6);
}

TEST(Replica, SensitiveGoesFirstAndEvenSharesWithinAClass) {
  Replica replica(Model(), 0);
  replica.Add({1, 1000, 1, false, kNever});
  replica.Add({2, 100, 1, false, kNever});
  replica.Add({3, 300, 1, true, kNever});
  const auto events = RunDry(replica);
  EXPECT_EQ(events[0].id, 3u);
  EXPECT_NEAR(events[0].at, 0.3, 1e-6);
  EXPECT_EQ(events[2].id, 2u);  // the long one does not stall it
  EXPECT_NEAR(events[2].at, 0.5, 1e-6);
  EXPECT_NEAR(events[4].at, 1.4, 1e-6);
}

TEST(Replica, LateOnesAreDropped) {
  ReplicaModel model = Model();
  model.running_max = 1;
  Replica replica(model, 5);  // boots until 5 s
  replica.Add({1, 1000, 1, false, kNever});
  replica.Add({2, 10, 1, false, 4});
  const auto events = RunDry(replica);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events.front().kind, ReplicaEvent::Kind::kDropped);
  EXPECT_NEAR(events.back().at, 6, 1e-6);
}

TEST(PrefixCache, MatchesLeadingBlocksAndForgetsTheOldest) {
  PrefixCache cache(3 * kBlockTokens);
  const uint32_t a[] = {1, 2}, b[] = {1, 3}, c[] = {4, 5};
  cache.Insert(a, 2);
  EXPECT_EQ(cache.Match(b, 2), 1);
  cache.Insert(c, 2);  // four blocks do not fit
  EXPECT_EQ(cache.Match(c, 2), 2);
  EXPECT_LT(cache.Match(a, 2), 2);
}

// Property: every request ends exactly once, nothing sensitive leaves, the same seed gives the same result.
TEST(Replay, KeepsItsPromisesOnManySeeds) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Scenario scenario = Made();
    const Trace trace = Traffic(seed);
    for (const auto mode : {router::PolicyConfig::Mode::kCost, router::PolicyConfig::Mode::kOverflow,
                            router::PolicyConfig::Mode::kSwitch}) {
      scenario.router.policy.mode = mode;
      scenario.router.policy.cloud_qps_threshold = 1;
      const Result result = Ours(scenario, trace);
      EXPECT_EQ(result.leaked, 0) << seed;
      EXPECT_EQ(result.sensitive.requests + result.ordinary.requests, static_cast<int64_t>(trace.requests.size()));
      EXPECT_EQ(result.cloud_requests + result.local_requests, static_cast<int64_t>(trace.requests.size()));
      EXPECT_LE(result.sensitive.end_met + result.sensitive.lost, result.sensitive.requests);
      EXPECT_LE(result.busy_share, 1.0 + 1e-9);
      const Result again = Ours(scenario, trace);
      EXPECT_EQ(result.cost(), again.cost());
      EXPECT_EQ(result.client_switches, again.client_switches);
    }
  }
}

TEST(Replay, ALeakWouldBeSeen) {
  const Scenario scenario = Made();
  const Trace trace = Traffic(1, 0.05);
  class Leaky final : public Strategy {
   public:
    std::string name() const override { return "leaky"; }
    bool ToCloud(uint32_t, const Arrival&) override { return true; }
    int64_t Replicas(const FleetView&) override { return 1; }
  };
  const Result result = Replay(scenario, trace, [](SimulatedClock&) { return std::make_unique<Leaky>(); });
  EXPECT_GT(result.leaked, 10);
  EXPECT_EQ(result.leaked, result.sensitive.requests);
  EXPECT_EQ(result.cloud_requests, result.ordinary.requests);  // and is not carried out
}

TEST(Replay, NoBudgetIsOverspent) {
  Scenario scenario = Made();
  const Trace trace = Traffic(2);
  const Result free = Ours(scenario, trace);
  ASSERT_GT(free.cloud_micro_units, 0);
  const auto limit = static_cast<int64_t>(free.cloud_micro_units / 3);
  scenario.router.accounting.budget.limit_micro_units = limit;
  scenario.router.accounting.reserve_output_tokens = 4000;
  const Result bounded = Ours(scenario, trace);
  EXPECT_EQ(bounded.overspent_micro_units, 0);
  EXPECT_LE(bounded.cloud_micro_units, static_cast<double>(limit));
}

TEST(Replay, TheCapMakesRefusalsNotLosses) {
  Scenario scenario = Made();
  scenario.cloud.concurrency_max = 0;
  const Trace trace = Traffic(3, 0.05);
  const Baseline all{BaselineKind::kAllCloud, 0, {Scaler::Kind::kStatic, 4, 0}};
  scenario.replicas_start = 4;
  const Result result =
      Replay(scenario, trace, [&](SimulatedClock& clock) { return MakeBaseline(all, scenario, clock); });
  EXPECT_EQ(result.cloud_requests, 0);
  EXPECT_EQ(result.rate_limited, result.ordinary.requests);
}

// A scenario with more keys under `replay`.
absl::StatusOr<Scenario> With(const std::string& replay_keys) {
  std::string text = kScenario;
  const size_t at = text.find("cloud: {model: m}}");
  text.insert(at, replay_keys + ", ");
  return ParseScenario("s.yaml", text);
}

TEST(Faults, EachOneIsSeenAndNothingLeaks) {
  const Trace trace = Traffic(6, 0.2);
  const struct {
    const char* name;
    const char* faults;
    bool (*seen)(const Result& with, const Result& without);
  } rows[] = {
      {"rate limit", "{kind: cloud_429, at: 0}",
       [](const Result& with, const Result&) { return with.rate_limited > 0 && with.cloud_requests == 0; }},
      {"outage", "{kind: cloud_503, at: 100, for: 300}",
       [](const Result& with, const Result& without) {
         return with.cloud_failed > 0 && with.cloud_requests > 0 && with.cloud_requests < without.cloud_requests;
       }},
      {"balance", "{kind: cloud_402, at: 0, for: 200}",
       [](const Result& with, const Result& without) {
         return with.cloud_failed > 0 && with.cloud_failed < 10 && with.cloud_requests < without.cloud_requests;
       }},
      {"slow cloud", "{kind: cloud_slow, at: 0, factor: 50}",
       [](const Result& with, const Result& without) {
         return with.ordinary.attained() < without.ordinary.attained();
       }},
      {"replica loss", "{kind: replica_loss, at: 300}",
       [](const Result& with, const Result& without) { return with.boots > without.boots; }},
      {"slow boots", "{kind: slow_boots, at: 0, factor: 4}, {kind: replica_loss, at: 300, count: 9}",
       [](const Result& with, const Result& without) {
         return with.sensitive.lost > without.sensitive.lost && with.boots > without.boots;
       }},
  };
  const Result without = Ours(Made(), trace);
  for (const auto& row : rows) {
    const auto scenario = With(absl::StrCat("faults: [", row.faults, "]"));
    ASSERT_TRUE(scenario.ok()) << row.name << ": " << scenario.status();
    const Result with = Ours(*scenario, trace);
    EXPECT_TRUE(row.seen(with, without)) << row.name << ": cost " << with.cost() << " beside " << without.cost();
    EXPECT_EQ(with.leaked, 0) << row.name;
    const auto count = static_cast<int64_t>(trace.requests.size());
    EXPECT_EQ(with.sensitive.requests + with.ordinary.requests, count) << row.name;
    EXPECT_EQ(with.cost(), Ours(*scenario, trace).cost()) << row.name;
  }
}

TEST(Scenario, ComplaintsNameLineAndKey) {
  const struct {
    const char* keys;
    const char* complaint;
  } rows[] = {
      {"faults: [{kind: storm, at: 1}]", "faults[0].kind: unknown value \"storm\""},
      {"faults: [{kind: cloud_429}]", "faults[0].at: is required"},
      {"faults: [{kind: cloud_slow, at: 1}]", "faults[0].factor: is required"},
      {"faults: [{kind: cloud_429, at: 1, factor: 2}]", "factor: belongs to cloud_slow"},
      {"faults: [{kind: replica_loss, at: 1, for: 2}]", "for: a replica that is lost stays lost"},
      {"replica_currency: CNY", "no rate from CNY to USD for replica hours: nothing is guessed"},
      {"currency: EUR", "no rate from USD to EUR for prices of m"},
      {"replica_currency: yuan", "replica_currency: must be a currency code"},
      {"fx: [{from: CNY, to: USD, rate: 0.1, source: s}]", "fx[0].date: is required"},
      {"fx: [{from: CNY, to: CNY, rate: 1, date: 2026-11-15, source: s}]", "is the currency that it comes from"},
  };
  for (const auto& row : rows) {
    const auto scenario = With(row.keys);
    ASSERT_FALSE(scenario.ok()) << row.keys;
    const std::string message(scenario.status().message());
    EXPECT_TRUE(absl::StrContains(message, row.complaint)) << message;
    EXPECT_TRUE(absl::StartsWith(message, "s.yaml:8: ")) << message;
  }
}

TEST(Scenario, ConvertsAtDatedRates) {
  const auto scenario =
      With("replica_currency: CNY, fx: [{from: USD, to: CNY, rate: 8, date: 2026-11-15, source: bank}]");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(scenario->currency, "USD");
  EXPECT_EQ(scenario->router.scaling.replica_hour_micro_units, 450'000);
  ASSERT_EQ(scenario->notes.size(), 1u);
  EXPECT_EQ(scenario->notes[0], "replica hours: 1 USD = 8 CNY (2026-11-15, bank)");
  const auto yuan = With("currency: CNY, fx: [{from: USD, to: CNY, rate: 8, date: 2026-11-15, source: bank}]");
  ASSERT_TRUE(yuan.ok()) << yuan.status();
  EXPECT_EQ(yuan->router.accounting.prices[0].output, 48'000'000);
}

TEST(Compare, RowsHaveFiveColumnsAndTheSameBytes) {
  Scenario scenario = Made();
  scenario.router.scaling.replicas_max = 2;
  const Trace trace = Traffic(4, 0.05);
  CompareOptions options;
  options.bound_rounds = 40;
  const Comparison first = Compare(scenario, trace, options);
  const std::string rows = BenchRows(scenario, first);
  EXPECT_EQ(rows, BenchRows(scenario, Compare(scenario, trace, options)));
  EXPECT_EQ(HtmlReport(scenario, trace, first), HtmlReport(scenario, trace, Compare(scenario, trace, options)));
  int counted = 0;
  const std::vector<std::string> lines = absl::StrSplit(rows, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    if (line[0] == '#') continue;
    ++counted;
    const std::vector<std::string> columns = absl::StrSplit(line, ' ');
    EXPECT_EQ(columns.size(), 5u) << line;
    EXPECT_TRUE(absl::StartsWith(columns.back(), "<=")) << line;
  }
  EXPECT_GE(counted, 5);
}

// Cheap because it answers nobody is no suggestion.
TEST(Suggest, NeverTradesTheObjectiveForMoney) {
  Scenario scenario = Made();
  scenario.router.scaling.replicas_max = 2;
  GeneratorOptions options;
  options.hours = 0.1;
  options.requests_per_second = 4;
  options.input_tokens = 800;
  options.sensitive_share = 1;  // nothing may leave, and two replicas are too few
  const Suggestions suggestions = Suggest(scenario, *GenerateTrace(options));
  EXPECT_FALSE(suggestions.attained);
  EXPECT_FALSE(suggestions.best_attained);
  // One replica would be half as dear, and lose nearly all.
  EXPECT_GT(suggestions.best_cost_micro_units, suggestions.cost_micro_units);
}

// A change that changes nothing is no suggestion.
TEST(Suggest, NothingToGainIsSaid) {
  Scenario scenario = Made();
  scenario.router.scaling.replicas_max = 1;
  GeneratorOptions options;
  options.hours = 0.05;
  options.requests_per_second = 0.2;
  options.input_tokens = 300;
  options.spread = 0.1;
  options.sensitive_share = 1;  // all local, on the one replica that there may be
  const Suggestions suggestions = Suggest(scenario, *GenerateTrace(options));
  ASSERT_FALSE(suggestions.single.empty());
  const std::string text = FormatSuggestions(scenario, suggestions);
  EXPECT_TRUE(absl::StrContains(text, "none: no single change is worth 0.1 % or more")) << text;
  EXPECT_TRUE(absl::StrContains(text, "utilisation_max: nothing to gain")) << text;
  EXPECT_TRUE(absl::StrContains(text, "together: nothing to gain")) << text;
}

// Where what is configured misses the objective, the way to meet it is not dearer than the best change alone.
TEST(Suggest, TogetherIsAtLeastAsGoodAsTheBestAlone) {
  int missed = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Scenario scenario = Made();
    const Suggestions suggestions = Suggest(scenario, Traffic(seed, 0.05));
    const bool alone = std::any_of(suggestions.single.begin(), suggestions.single.end(),
                                   [](const Suggestion& s) { return s.attained; });
    missed += suggestions.attained ? 0 : 1;
    if (!alone) continue;
    EXPECT_TRUE(suggestions.best_attained) << seed;
    const double limit = suggestions.single.front().cost_micro_units;
    EXPECT_LE(suggestions.best_cost_micro_units, limit * 1.0011) << seed;
  }
  EXPECT_GT(missed, 0);
}

TEST(Suggest, FindsTheObviousWaste) {
  Scenario scenario = Made();
  scenario.router.scaling.replicas_min = 4;
  scenario.replicas_start = 4;
  GeneratorOptions options;
  options.hours = 0.1;
  options.requests_per_second = 0.2;
  const Suggestions suggestions = Suggest(scenario, *GenerateTrace(options));
  ASSERT_FALSE(suggestions.best.empty());
  EXPECT_TRUE(absl::StrContains(absl::StrJoin(suggestions.best, ";"), "replicas_min"));
  EXPECT_LT(suggestions.best_cost_micro_units, 0.8 * suggestions.cost_micro_units);
  // What a change is worth is what a replay with it costs less.
  Scenario changed = scenario;
  changed.router.scaling.replicas_min = 1;
  const auto one = std::find_if(suggestions.single.begin(), suggestions.single.end(),
                                [](const Suggestion& s) { return s.change == "scaling.replicas_min: 1"; });
  ASSERT_NE(one, suggestions.single.end());
  EXPECT_EQ(one->cost_micro_units, Ours(changed, *GenerateTrace(options)).cost());
}

}  // namespace
}  // namespace headgate::planner
