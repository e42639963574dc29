// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// policy: where the request goes. PURE: a snapshot in, a decision with its reasons out; no clock, no I/O, no state.
// Rule 0 comes first: sensitive, or not shown not to be, is local, whatever the rest says.
//
// Reason codes, in the order in which they are looked at; the first that holds is the decision's reason:
//   unclassified          no finished classification of these very bytes                         local
//   sensitive             at or above the threshold (`confidential` or lower)                    local
//   tenant_local_only     the tenant's cloud_allowed is false                                    local
//   cloud_not_configured  no cloud                                                               local
//   local_feature         needs what only local engines offer (CloudCanAnswer)                   local
//   cloud_unavailable     breaker open, key refused, balance spent                               local
//   audit_unwritable      no record possible = no egress                                         local
//   over_threshold        `overflow`: the excess above the QPS threshold                         local
//   peak                  `switch`: all traffic is local now                                     local
//   everyday              none of the above                                                      cloud
//
// Thread-safety: const methods from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "router/classification.h"
#include "router/cloud_prompt.h"
#include "router/config.h"
#include "router/prompt.h"

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
  bool cloud_can_answer = true;      // CloudCanAnswer(the request)
};

// False when the request uses what only local engines offer and an answer without it would be wrong: a JSON schema.
// Hints that only local engines heed (top_k, min_p, repetition_penalty, seed) do not count. Pure.
bool CloudCanAnswer(const Prompt& prompt);

enum class Target { kLocal, kCloud };

struct Decision {
  Target target = Target::kLocal;
  std::vector<std::string> reasons;       // codes as above; exactly one from Policy, dispatch may add its own
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
