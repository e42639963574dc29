// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Money on the whole path: whatever a request does to the cloud, its tenant's hard limit holds.
#include "tests/unit/router/path_world.h"

namespace headgate::router {
namespace {

constexpr int64_t kPromptPrice = 4;   // micro-units a token
constexpr int64_t kLost = 100 * kPromptPrice;     // an attempt that broke off: 400 bytes, four to a token
constexpr int64_t kAnswered = 500 * kPromptPrice; // as the cloud counts the same prompt

struct BudgetWorld : World {
  explicit BudgetWorld(int64_t limit)
      : World([limit](RouterConfig& config) {
          PriceRow row;
          row.version = "v";
          row.model = config.cloud.model;
          row.currency = "USD";
          row.valid_from = absl::UnixEpoch();
          row.cache_hit = row.cache_miss = row.peak_cache_hit = row.peak_cache_miss = kPromptPrice * 1'000'000;
          config.accounting.prices = {row};
          config.accounting.budget.limit_micro_units = limit;
        }) {
    cloud.set_answerer([this](const CloudPrompt&) {
      if (--failures >= 0) {
        Script cut = Script::Fail(absl::UnavailableError("503"));
        if (broken_off) cut.paid_for = 0;
        return cut;
      }
      Script answer = Script::Answer({"yes"});
      answer.events.back().mutable_finish()->mutable_usage()->set_prompt_tokens(kAnswered / kPromptPrice);
      return answer;
    });
  }
  int64_t Cost() const {
    int64_t all = 0;
    for (const json& outcome : Records("outcome")) {
      if (outcome.contains("cost")) all += outcome["cost"]["micro_units"].get<int64_t>();
    }
    return all;
  }
  int failures = 0;
  bool broken_off = true;  // they may be paid for
};

v1::GenerateRequest Question() {
  v1::GenerateRequest request = World::Everyday(std::string(400, 'a'));
  request.set_max_tokens(1);
  return request;
}

int64_t WorstCase() {
  const v1::GenerateRequest request = Question();
  return (static_cast<int64_t>(request.ByteSizeLong()) + 2 * 64) * kPromptPrice;
}

TEST(BudgetPath, EveryAttemptNeedsRoomOfItsOwn) {
  struct Row {
    const char* name;
    int64_t limit;
    int failures;
    bool broken_off;
    const char* reasons;
    int cloud_calls;
    int64_t cost;
  };
  const int64_t worst = WorstCase();
  const Row rows[] = {
      {"answered at once", worst, 0, true, "everyday", 1, kAnswered},
      {"no room at all", worst - 1, 0, true, "budget_exhausted", 0, 0},
      {"one broke off, no room for another", worst, 1, true, "budget_exhausted,everyday", 1, kLost},
      {"one micro-unit too few for another", worst + kLost - 1, 1, true, "budget_exhausted,everyday", 1, kLost},
      {"room for another", worst + kLost, 1, true, "everyday", 2, kLost + kAnswered},
      {"room for another, which breaks off too", worst + kLost, 2, true, "budget_exhausted,everyday", 2, 2 * kLost},
      {"room for three", worst + 2 * kLost, 2, true, "everyday", 3, 2 * kLost + kAnswered},
      {"room for three, all break off", worst + 2 * kLost, 3, true, "cloud_unavailable,everyday", 3, 3 * kLost},
      {"refused attempts cost nothing and need no more room", worst, 2, false, "everyday", 3, kAnswered},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    BudgetWorld world(row.limit);
    world.failures = row.failures;
    world.broken_off = row.broken_off;
    EXPECT_EQ(world.Ask(Question()).reasons(), row.reasons);
    EXPECT_EQ(world.cloud.calls(), row.cloud_calls);
    EXPECT_EQ(world.Cost(), row.cost);
    EXPECT_LE(world.Cost(), row.limit) << "the hard limit";
    // The budget knows all of it: what is left is the rest.
    const double used = world.metrics.GetGauge("headgate_router_budget_used_ratio", "", {{"tenant", "*"}}).Value();
    EXPECT_NEAR(used * static_cast<double>(row.limit), static_cast<double>(row.cost), 1e-6);
  }
}

}  // namespace
}  // namespace headgate::router
