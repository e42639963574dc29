// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SimulatedFleet: modelled engine replicas (replica.h) behind the router's own queue and choice of an engine
// (router/upstream: WaitingLines, EndpointChoice, PrefixAffinity), which see what a router sees: load reports that are
// up to a tenth of a second old, their own counts, hashes of beginnings. A replica joins when it has booted and leaves
// when it has finished what it had.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/metrics.h"
#include "planner/replica.h"
#include "planner/scenario.h"
#include "planner/strategy.h"
#include "planner/trace.h"
#include "router/upstream/endpoint_choice.h"
#include "router/upstream/waiting_lines.h"

namespace headgate::planner {

// A request's beginning as PrefixKeysOf would hash it: empty when the trace says nothing of it.
router::PrefixKeys PrefixKeysOf(const Trace& trace, const TraceRequest& request);

class SimulatedFleet final : public router::Places {
 public:
  // A replica from the order to boot to the end.
  struct Pod {
    Replica replica;
    std::shared_ptr<router::Endpoint> endpoint;
    double ordered_at = 0, ready_at = 0, gone_at = 0;
    bool draining = false, gone = false;
    double looked_work = 0;
  };
  struct Sums {
    int64_t ready = 0, starting = 0;
    int64_t waiting = 0, running = 0;  // at and before the ready ones
  };
  // Hears of first tokens, ends and drops; kDropped also of who gave up in the queue or was refused there.
  struct Listener {
    std::function<void(const ReplicaEvent&)> happened;
    std::function<void(uint32_t id, double cached_tokens)> placed;
    std::function<void(uint32_t id)> refused;
  };
  SimulatedFleet(const Scenario& scenario, const Trace& trace, SimulatedClock& clock, Listener listener);
  ~SimulatedFleet() override;

  void Order(double boot_seconds);
  void DrainNewest();
  // The oldest dies: `again` gets those without a first token, `broken` those that were being answered.
  void KillOldest(std::vector<uint32_t>* again, std::vector<uint32_t>* broken);

  double NextEvent();
  // All that happens now. REQUIRES: the clock is at `now`, at most NextEvent().
  void Step(double now);
  // REQUIRES: Step(now).
  void Send(uint32_t id, bool sensitive);
  router::Outlook Look(uint32_t id, bool sensitive);
  Sums Count() const;
  // Of the ready replicas' time since the last call, `seconds` ago.
  double BusyShare(double now, double seconds);
  const std::deque<Pod>& pods() const { return pods_; }
  bool empty() const { return live_.empty(); }

  std::shared_ptr<router::Endpoint> Pick(const router::LocalAsk& ask, const std::vector<std::string>& exclude) override;
  double Remember(const router::LocalAsk& ask, const std::shared_ptr<router::Endpoint>& endpoint) override;

 private:
  class Waiter;
  router::LocalAsk AskOf(uint32_t id, bool sensitive) const;
  void Join(Pod& pod);
  void Report(Pod& pod, double now);
  void Reports(double now);
  void Move(Pod& pod, double now);
  void Leave(Pod& pod, double now);
  void Release();
  void Start(uint32_t id, router::EndpointUse use);
  void GiveUp(double now);

  const Scenario& scenario_;
  const Trace& trace_;
  SimulatedClock& clock_;
  const Listener listener_;
  Metrics metrics_;
  const std::shared_ptr<router::FleetCount> count_ = std::make_shared<router::FleetCount>();
  router::EndpointChoice choice_;
  router::WaitingLines lines_;
  std::deque<Pod> pods_;  // in the order of orders: endpoint id = index + 1; pointers stay
  std::vector<Pod*> live_;
  router::EndpointChoice::Endpoints endpoints_;  // those that have joined
  absl::flat_hash_map<uint32_t, std::unique_ptr<Waiter>> waiters_;
  std::set<std::pair<double, uint32_t>> until_;  // when each of them gives up
  absl::flat_hash_map<uint32_t, router::EndpointUse> uses_;
  absl::flat_hash_map<uint32_t, bool> sensitive_;
  std::vector<uint32_t> ended_;  // whose places are still to be given back
  int64_t reported_ = -1;        // number of the last load report
  double tick_at_ = kNever;
};

}  // namespace headgate::planner
