// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// policy: where the request goes. PURE: a snapshot in, a decision with its reasons out; no clock, no I/O, no state.
// Rule 0 comes first: sensitive, or not shown not to be, is local, whatever the rest says.
//
// Thread-safety: const methods from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "router/classification.h"
#include "router/cloud_prompt.h"
#include "router/config.h"

namespace headgate::router {

// What the router knew when it decided (TrafficMeter, CircuitBreaker, EndpointRegistry fill it).
struct Load {
  bool cloud_rate_conforms = false;  // the GCRA at the QPS threshold has room (`overflow`)
  bool peak = false;                 // `switch`: all traffic local
  double eligible_qps = 0;           // not-sensitive requests per second
};
struct FleetSnapshot {
  bool cloud_configured = false;
  bool cloud_available = false;      // breaker closed, or half open with room for a probe
  bool audit_writable = false;       // no write possible = no egress
  int local_ready = 0;               // endpoints that can take a request now
};

enum class Target { kLocal, kCloud };

struct Decision {
  Target target = Target::kLocal;
  std::vector<std::string> reasons;       // codes, docs/life-of-a-request.md; most important first
  std::optional<CloudPermit> permit;      // exactly when target is kCloud
};

class Policy {
 public:
  explicit Policy(const PolicyConfig& config) : config_(config) {}
  Decision Decide(const std::string& request_id, const TenantConfig& tenant, const Sensitivity& sensitivity,
                  const Load& load, const FleetSnapshot& fleet) const;

 private:
  const PolicyConfig config_;
};

}  // namespace headgate::router
