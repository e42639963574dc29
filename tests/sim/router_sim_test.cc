// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The path of a request under every kind of trouble, over many seeds: what must always hold holds.
//   HEADGATE_SIM_SEEDS=1000 router_sim_test    more seeds
//   HEADGATE_SIM_SEED=17 router_sim_test       just this one
#include "tests/sim/router_sim.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 10;
#else
constexpr uint64_t kSeeds = 400;
#endif

std::vector<uint64_t> Seeds() {
  if (const char* one = std::getenv("HEADGATE_SIM_SEED")) return {std::strtoull(one, nullptr, 10)};
  const char* count = std::getenv("HEADGATE_SIM_SEEDS");
  std::vector<uint64_t> seeds(count != nullptr ? std::strtoull(count, nullptr, 10) : kSeeds);
  std::iota(seeds.begin(), seeds.end(), 1);
  return seeds;
}

TEST(RouterSim, WhatMustAlwaysHoldHolds) {
  std::map<std::string, int> counts;
  const std::vector<uint64_t> seeds = Seeds();
  for (const uint64_t seed : seeds) {
    const SimReport report = RunRouterSim({.seed = seed});
    for (const auto& [name, count] : report.counts) counts[name] += count;
    if (report.violations.empty()) continue;
    const size_t shown = std::min<size_t>(report.violations.size(), 20);
    ADD_FAILURE() << "seed " << seed << ": " << report.violations.size() << " violations\n  "
                  << absl::StrJoin(report.violations.begin(), report.violations.begin() + static_cast<long>(shown),
                                   "\n  ")
                  << "\nAgain: HEADGATE_SIM_SEED=" << seed << " router_sim_test";
  }
  std::cout << absl::StrJoin(counts, "\n", absl::PairFormatter(": ")) << "\n";
  if (seeds.size() < 10) return;
  // A simulation in which nothing happens proves nothing.
  std::vector<std::string> needed = {"cloud", "local", "cached", "priced", "status OK", "status CANCELLED",
                                     "status DEADLINE_EXCEEDED", "status UNAVAILABLE", "status UNAUTHENTICATED",
                                     "status INVALID_ARGUMENT", "status RESOURCE_EXHAUSTED",
                                     "runs with the open places full", "of the second cloud",
                                     "decided budget_exhausted", "runs of several routers", "routers that began again",
                                     "cut off by a crash"};
  // What a few runs need not meet.
  if (seeds.size() >= 100) {
    needed.insert(needed.end(), {"hedged", "hedges lost", "hedges won", "lost attempts booked",
                                 "decided cheaper_local", "decided bridge", "decided profile_cloud_outage",
                                 "decided profile_no_local", "runs with the cloud's cap reached", "masked calls",
                                 "blank answers", "answers of the shared cache", "moved from a stalled engine"});
  }
  for (const std::string& name : needed) EXPECT_GT(counts[name], 0) << name;
}

TEST(RouterSim, TheSameSeedIsTheSameRun) {
  for (const uint64_t seed : {1, 2, 3}) {
    EXPECT_EQ(RunRouterSim({.seed = seed}).digest, RunRouterSim({.seed = seed}).digest) << seed;
  }
  EXPECT_NE(RunRouterSim({.seed = 1}).digest, RunRouterSim({.seed = 2}).digest);
}

// The checker sees a leak when there is one: without detectors and floors, sensitive requests leave.
TEST(RouterSim, WithoutTheGuardTheCheckerReportsLeaks) {
  size_t leaks = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    for (const std::string& violation : RunRouterSim({.seed = seed, .blind = true}).violations) {
      leaks += violation.find("LEAK") != std::string::npos;
    }
  }
  EXPECT_GT(leaks, 10u);
}

}  // namespace
}  // namespace headgate::router
