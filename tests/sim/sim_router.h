// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SimRouter: a router of a simulated cluster, one process after another. A crash is modelled so: from that instant on
// nothing that the process writes is kept, nothing that it sends is answered, its clients are cut off; what it still
// does in memory nobody sees. The next process has its audit log and its name, and nothing else of it.
//
// Thread-safety: none.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "router/router.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"
#include "tests/sim/sim_parts.h"

namespace headgate::router {

// What all routers of a run stand in.
struct SimWorld {
  const SimPlan& plan;
  boost::asio::io_context& io;
  ManualClock& clock;
  FakeFleet& fleet;
  SimTrace& trace;
  FakeLeases leases = {};
  const SimPlan::StoreSpell* store_fault = nullptr;
  std::map<std::string, std::string> shared_answers = {};
  bool audit_broken = false;
};

class SimRouter {
 public:
  using CloudScript = std::function<Script(const CloudPrompt& prompt, size_t lines_before)>;
  SimRouter(SimWorld& world, int number, CloudScript cloud_script)
      : world_(world), number_(number), cloud_script_(std::move(cloud_script)) {}

  void Start(const std::shared_ptr<const Rules>& rules);
  void Crash();
  // Null while there is none.
  Router* router() { return processes_.empty() || processes_.back()->ended ? nullptr : &*processes_.back()->router; }
  // A request of it, from before it is sent until it has ended: true when its process ended first. REQUIRES: router().
  std::function<bool()> Enter(Cancellation& client);
  int64_t open_in_flight() const { return processes_.empty() ? 0 : processes_.back()->registry->open_in_flight(); }
  int64_t cloud_in_flight() const { return processes_.empty() ? 0 : processes_.back()->cloud.live_streams(); }

  // The end, in the order in which the clock must turn between: what is left over; no router any more; nothing.
  void CountLeftovers();
  void Stop();
  void Remove();

 private:
  struct Process {
    Process(SimWorld& world) : cloud(world.io.get_executor(), world.clock) {}
    bool ended = false;
    Metrics metrics;
    Cancellation stop;
    FakeCloud cloud;
    std::optional<EndpointRegistry> registry;
    std::optional<Audit> audit;
    std::optional<SimLeases> store;
    std::optional<SimCacheStore> cache_store;
    std::optional<SharedLimits> sharing;
    std::optional<Router> router;
    std::map<int, Cancellation*> clients;
    int entered = 0;
  };
  void AddCosts(const Process& process);
  void Restore(Router& router);

  SimWorld& world_;
  const int number_;
  const CloudScript cloud_script_;
  size_t lines_on_medium_ = 0;
  std::vector<std::unique_ptr<Process>> processes_;  // the last one serves; loops of the others may still run
};

}  // namespace headgate::router
