// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SharingWorld: routers that share one store, in simulated time; their meters.
//
// Thread-safety: none.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "router/shared_limits.h"
#include "router/traffic_meter.h"
#include "tests/fakes/fake_lease_store.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {

constexpr int kRouters = 4;

struct SharingWorld {
  struct Router {
    Metrics metrics;
    std::optional<FakeLeaseStore> store;
    std::optional<SharedLimits> limits;
  };
  explicit SharingWorld(int routers = kRouters) {
    SharingConfig config;
    config.redis = "fake";
    config.routers = routers;
    for (int i = 0; i < routers; ++i) {
      Router& one = *all.emplace_back(std::make_unique<Router>());
      one.store.emplace(leases, io.get_executor(), clock, absl::StrCat("router-", i));
      one.limits.emplace(io.get_executor(), clock, config, *one.store, one.metrics);
      boost::asio::co_spawn(io.get_executor(), one.limits->Run(stop), boost::asio::detached);
    }
    clock.RunUntilIdle();
  }
  ~SharingWorld() {
    stop.Cancel(absl::CancelledError("end of test"));
    clock.Advance(absl::Seconds(1));
  }

  boost::asio::io_context io;
  ManualClock clock{io};
  Cancellation stop;
  FakeLeases leases;
  std::vector<std::unique_ptr<Router>> all;
};

inline void Share(SharingWorld& world, const PolicyConfig& policy, std::deque<TrafficMeter>& meters) {
  for (const auto& router : world.all) meters.emplace_back(world.clock, policy).Share(*router->limits);
  world.clock.Advance(absl::Milliseconds(200));
}

}  // namespace headgate::router
