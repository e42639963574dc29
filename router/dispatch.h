// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// dispatch: sends the request to where policy said, retries and falls back until the first content byte (the commit
// point), never towards less trust: cloud -> local is allowed, local -> cloud is not. After the commit point an
// upstream's death ends the answer with UNAVAILABLE.
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/admission.h"
#include "router/config.h"
#include "router/policy.h"
#include "router/upstream/circuit_breaker.h"
#include "router/upstream/endpoint_registry.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

// A committed answer: its first content event has arrived.
class Answer {
 public:
  virtual ~Answer() = default;
  const v1::Route& route() const { return route_; }
  // From the first content event on; nullopt after finish.
  virtual Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Next(Cancellation& cancellation) = 0;

 protected:
  v1::Route route_;
};

// Counted even when every attempt failed: what accounting and audit need to know.
struct Attempts {
  int cloud = 0;  // attempts that were given to the cloud client
  int local = 0;
};

class Dispatch {
 public:
  // `cloud` may be null (no cloud configured).
  Dispatch(Executor executor, Clock& clock, RandomBytes random, const CloudConfig& cloud_config,
           EndpointRegistry& endpoints, CloudUpstream* cloud, Metrics& metrics);
  void Apply(const CloudConfig& cloud_config);

  // Sends and waits for the first content event. `decision.permit` is spent here. `prompt` must remain live while the
  // Answer is. A local decision without a ready endpoint waits for one until the deadline, then UNAVAILABLE with
  // RetryAfter.
  Task<absl::StatusOr<std::unique_ptr<Answer>>> Send(const Ticket& ticket, const Prompt& prompt,
                                                     const Sensitivity& sensitivity, Decision decision,
                                                     Attempts& attempts, Cancellation& cancellation);
  // One unary call to a ready local engine: CountTokens, Embed, ListModels.
  Task<absl::StatusOr<std::shared_ptr<Endpoint>>> WaitForLocal(bool sensitive, MonotonicTime deadline,
                                                               Cancellation& cancellation);

  bool cloud_available() const;
  const CircuitBreaker& breaker() const { return breaker_; }

 private:
  class StreamAnswer;
  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  CloudConfig cloud_config_;
  EndpointRegistry& endpoints_;
  CloudUpstream* const cloud_;
  Metrics& metrics_;
  CircuitBreaker breaker_;
};

}  // namespace headgate::router
