// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The offline bound: no policy that meets the objective can cost less, however much it knows of the future.
//
// A fluid relaxation in steps of 10 s. Every request is served locally to a share x (x = 1 when sensitive), its prompt
// at any time until its first-token objective, its answer at any time until its end objective, or bought at the least
// price the table has in that time. Replicas are n(t), whole numbers at least 1 while a sensitive request is open (a
// cold start would miss its objective), each new one costs its boot. Three couplings are priced out (Lagrange): "local
// work in a step <= replica time in it" with y(t) >= 0, "answers under way on the cloud <= its concurrency cap" with
// z(t) >= 0, "cloud money <= budget" with m >= 0:
//
//   L(y, z, m) = min over n of sum (g - y) n dt + boots   (dynamic programming over step and n)
//        + sum over requests of min(price (1 + m) + seconds on the cloud * least z in its time,
//                                   work * least y in its time)          (the second one when sensitive)
//        - sum z cap dt - m budget
//
// Weak duality: L is below every feasible cost for ANY y, z, m >= 0, so the bound needs no faith in the search for good
// ones (subgradient ascent). "Feasible" means that every request meets the objective; tenants' own budgets are left
// out.
// Prefixes: caches are endless, and all replicas share one; so is the cloud's. Still a block of a prefix that several
// requests have must be computed once on each side that serves one of them: with f(b) for that,
//   f(b) [some user of b is local] >= f(b) sum over its users of w_i x_i        for any w >= 0 with sum 1,
// and so for the cloud with weights v. Any weights are valid; of three choices the best bound counts: all on the first
// user; the local part on a sensitive user where there is one, the rest evenly; evenly over those who are on that side
// in the best solution so far. It may be computed at any time from its first user's arrival on.
// Replicas that were there at the start are free of boot, for policies and bound alike.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "planner/scenario.h"
#include "planner/trace.h"

namespace headgate::planner {

// A part of a prompt that others need too.
struct SharedWork {
  double from_s = 0;           // may be computed from then on
  double work = 0;
};
struct BoundItem {
  double arrival_s = 0;
  double prompt_by_s = 0;      // its prompt is computed in [arrival, prompt_by]
  double end_by_s = 0;         // its answer in [arrival, end_by]
  double prompt_work = 0;      // seconds of one replica
  double answer_work = 0;
  double price = 0;            // on the cloud; ignored when sensitive
  double cloud_s = 0;          // at least so long under way there
  bool sensitive = false;
  double shared_price = 0;     // its part of the prefixes, on the cloud
  std::vector<SharedWork> shared = {};  // and locally
};
struct BoundProblem {
  std::vector<BoundItem> items;
  double step_s = 10;
  double replica_second = 0;   // money
  double boot = 0;             // money for every replica that is added
  int64_t replicas_start = 0, replicas_min = 0, replicas_max = 1;
  double cloud_budget = std::numeric_limits<double>::infinity();       // money, of the whole trace
  double cloud_concurrency = std::numeric_limits<double>::infinity();  // answers at a time
};
// The multipliers, by step where they are vectors. Empty z: nothing.
struct BoundPrices {
  std::vector<double> y, z;
  double m = 0;
};
struct Bound {
  double cost = 0;
  std::vector<double> replicas;  // of the best y, by step: an idea, not a plan
  double price_of_work = 0;      // mean y
  std::vector<bool> on_cloud;    // by request, at the best prices
};

// Which user of a shared block is charged how much of it.
enum class PrefixWeights { kFirst, kSpread, kBySide };
// `on_cloud`: for kBySide, by request.
BoundProblem MakeBoundProblem(const Scenario& scenario, const Trace& trace,
                              PrefixWeights weights = PrefixWeights::kFirst, const std::vector<bool>& on_cloud = {});
// The best bound of all weights. Any number of replicas may be there at the start, as for every policy.
Bound BestBound(const Scenario& scenario, const Trace& trace, double cost_known, int rounds,
                const std::function<void(double)>& progress = {});
// `cost_known`: of any feasible policy; guides the steps of the search, not the result's validity.
Bound SolveBound(const BoundProblem& problem, double cost_known, int rounds,
                 const std::function<void(double)>& progress = {});
// L: what SolveBound maximises. For tests.
double BoundAt(const BoundProblem& problem, const BoundPrices& prices);

}  // namespace headgate::planner
