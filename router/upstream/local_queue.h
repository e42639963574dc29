// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// LocalQueue: WaitingLines (which says who is next and who is refused) for coroutines.
//
// Thread-safety: executor thread only. Must outlive its waiters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/config.h"
#include "router/upstream/endpoint_registry.h"
#include "router/upstream/waiting_lines.h"

namespace headgate::router {

class LocalQueue {
 public:
  LocalQueue(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config,
             EndpointRegistry& endpoints, Metrics& metrics);
  ~LocalQueue();
  void Apply(const LocalConfig& config) { lines_.Apply(config); }

  using Work = WaitingLines::Work;
  // A place at an engine. UNAVAILABLE with RetryAfter: none in time, or none to be expected. The cancellation's reason.
  Task<absl::StatusOr<EndpointUse>> Enter(Work& work, Cancellation& cancellation);
  absl::Status ComeAgain(const char* why) { return lines_.ComeAgain(why); }
  // An answer's tokens, for the fairness between tenants.
  void Served(const std::string& tenant, int64_t output_tokens) { lines_.Served(tenant, output_tokens); }

  size_t waiting(Band band) const { return lines_.waiting(band); }

 private:
  class Waiter;
  void Pump();
  void Tick();
  // Runs while somebody waits.
  void SetTimer();

  Executor executor_;
  Clock& clock_;
  EndpointRegistry& endpoints_;
  WaitingLines lines_;
  std::unique_ptr<Timer> timer_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // for waiters that outlive the queue
};

}  // namespace headgate::router
