// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/sim/sim_router.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"

namespace headgate::router {

void SimRouter::Start(const std::shared_ptr<const Rules>& rules) {
  const SimPlan& plan = world_.plan;
  const Executor executor = world_.io.get_executor();
  const std::string chain = absl::StrCat("sim-", number_, "-", processes_.size());
  const uint64_t seed = plan.seed + 1000 * static_cast<uint64_t>(number_) + 100 * processes_.size();
  Process& process = *processes_.emplace_back(std::make_unique<Process>(world_));
  // Every other run waits for the medium before anything leaves.
  const bool waits = plan.seed % 2 == 0;
  process.cloud.set_answerer([this, waits](const CloudPrompt& prompt) {
    return cloud_script_(prompt, waits ? lines_on_medium_ : world_.trace.audit.size());
  });
  process.registry.emplace(executor, world_.clock, SeededRandom(seed + 1), rules->config.local, world_.fleet.connect(),
                           world_.fleet.resolve(), process.metrics);
  boost::asio::co_spawn(executor, process.registry->Run(process.stop), boost::asio::detached);
  AuditConfig audit;
  if (waits) audit.durability = AuditConfig::Durability::kBeforeEgress;
  process.audit.emplace(world_.clock, world_.trace.audit_key,
                        std::make_unique<SimStore>(world_.clock, world_.trace, chain, world_.audit_broken,
                                                   process.ended, lines_on_medium_, seed + 3),
                        chain, process.metrics, audit);
  if (plan.shares) {
    SharingConfig sharing;
    sharing.redis = "sim";
    sharing.routers = kSimRouters;
    process.store.emplace(world_.leases, executor, world_.clock, absl::StrCat("router-", number_), world_.store_fault);
    process.cache_store.emplace(executor, world_.clock, world_.shared_answers, world_.store_fault, world_.trace,
                                seed + 4);
    process.sharing.emplace(executor, world_.clock, sharing, *process.store, process.metrics);
  }
  process.router.emplace(
      RouterParts{executor, world_.clock, SeededRandom(seed + 2), process.metrics, *process.registry, &process.cloud,
                  *process.audit, "cache key",
                  std::vector<CloudUpstream*>(plan.config.clouds.size(), &process.cloud),
                  process.sharing ? &*process.sharing : nullptr,
                  process.cache_store ? &*process.cache_store : nullptr},
      rules);
  if (processes_.size() > 1) Restore(*process.router);
  if (process.sharing) boost::asio::co_spawn(executor, process.sharing->Run(process.stop), boost::asio::detached);
}

// As headgate-router does: from the files that the process before it has left.
void SimRouter::Restore(Router& router) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / absl::StrCat("headgate_sim_", ::getpid());
  fs::create_directories(folder);
  const std::string mine = absl::StrCat("sim-", number_, "-");
  {
    std::ofstream file(folder / "audit-sim-000000.jsonl");
    for (const SimTrace::Written& written : world_.trace.audit) {
      if (written.stored && written.chain.starts_with(mine)) file << written.line << "\n";
    }
  }
  router.RestoreSpending(folder.string());
  fs::remove_all(folder);
}

void SimRouter::Crash() {
  if (router() == nullptr) return;
  Process& process = *processes_.back();
  AddCosts(process);
  process.ended = true;
  process.stop.Cancel(absl::CancelledError("crash"));
  const auto clients = std::exchange(process.clients, {});
  for (const auto& [id, client] : clients) client->Cancel(absl::UnavailableError("crash"));
}

std::function<bool()> SimRouter::Enter(Cancellation& client) {
  Process& process = *processes_.back();
  const int id = ++process.entered;
  process.clients[id] = &client;
  return [&process, id] {
    process.clients.erase(id);
    return process.ended;
  };
}

void SimRouter::AddCosts(const Process& process) {
  for (const TenantConfig& tenant : world_.plan.config.tenants) {
    const double cost = const_cast<Metrics&>(process.metrics)
                            .GetCounter("headgate_router_cost_micro_units_total",
                                        "Cloud cost in millionths of the currency.",
                                        {{"tenant", tenant.name}, {"currency", kSimCurrency}})
                            .Value();
    world_.trace.cost[tenant.name] += static_cast<int64_t>(cost);
  }
}

void SimRouter::CountLeftovers() {
  for (const auto& process : processes_) {
    if (!process->ended) AddCosts(*process);
    world_.trace.leftovers += static_cast<int>(process->router->in_flight()) + process->cloud.live_streams();
    for (const auto& endpoint : process->registry->endpoints()) {
      world_.trace.leftovers += static_cast<int>(endpoint->in_flight);
    }
  }
}

void SimRouter::Stop() {
  for (const auto& process : processes_) {
    process->router.reset();  // the chain's end
    process->audit.reset();
    process->stop.Cancel(absl::CancelledError("end of run"));
  }
}

void SimRouter::Remove() {
  processes_.clear();  // their loops have ended; the timers of their last waits go with them
}

}  // namespace headgate::router
