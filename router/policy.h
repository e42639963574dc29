// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// policy: where the request goes. PURE: a snapshot in, a decision with its reasons out; no clock, no I/O, no state.
// Rule 0 comes first: sensitive, or not shown not to be, is local, whatever the rest says.
//
// Reason codes, in the order in which they are looked at; the first that holds is the decision's reason:
//   unclassified          no finished classification of these very bytes                         local
//   sensitive             at or above the threshold (`confidential` or lower)                    local
//   tenant_local_only     the tenant's cloud_allowed is false                                    local
//   input_filter          looks like an attack, and the input filter's action is `local`          local
//   cloud_not_configured  no cloud                                                               local
//   profile_cloud_outage  the operator has declared the cloud out (policy.profile)               local
//   local_feature         needs what only local engines offer (CloudCanAnswer)                   local
//   cloud_unavailable     breaker open, key refused, balance spent                               local
//   audit_unwritable      no record possible = no egress                                         local
//   budget_exhausted      the tenant's or the whole budget has no room for this answer           local
//   cloud_at_cap          as many answers under way on the cloud as it allows                    local
//   profile_no_local      the operator has declared the engines out: what may leave does         cloud
//   bridge                `overflow`: above the threshold, but no engine has room (policy.bridge) cloud
//   over_threshold        `overflow`: the excess above the QPS threshold                         local
//   peak                  `switch`: all traffic is local now                                     local
//   unpriced              `cost`: the price of the answer is not known                           local
//   cheaper_local         `cost`: local costs less, delay and shadow price counted               local
//   everyday              none of the above                                                      cloud
//
// A request that only its mode keeps local (over_threshold, peak, unpriced, cheaper_local) may be hedged: it gets a
// second permit, to be sent to the cloud too when its first token is late (policy.hedge_share, hedging.h).
//
// `cost` compares J = price + delay_price * max(0, predicted first token - objective), on the cloud with the price
// times 1 + shadow price of the budget, and with what will probably have to be read again locally; who was local stays
// so unless the cloud saves more than switch_margin.
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
// What one answer would cost, and wait, on either side (quote.h fills it).
struct Quote {
  double cloud_micro_units = 0;            // price of the answer
  double local_micro_units = 0;            // 0 while a warm replica has room
  double cloud_delay_seconds = 0;          // predicted first token
  double local_delay_seconds = 0;
  double objective_seconds = 0;            // for the first token
  enum class Side { kNone, kLocal, kCloud } last = Side::kNone;  // where the tenant's last answer came from
  double again_micro_units = 0;            // local work that reading the prompt on the cloud will probably cost later
};
struct Load {
  bool cloud_rate_conforms = false;  // the GCRA at the QPS threshold has room (`overflow`)
  bool peak = false;                 // `switch`: all traffic local
  double eligible_qps = 0;           // not-sensitive requests per second
  std::optional<Quote> quote = {};   // `cost`; none = a price is not known
};
struct Budget {
  bool room = true;                  // the worst case of this answer fits into every hard limit
  double shadow_price = 0;           // mu: 0 while spending keeps to its pace
};
struct FleetSnapshot {
  bool cloud_configured = false;
  bool cloud_available = false;      // breaker closed, or half open with room for a probe
  bool audit_writable = false;       // no write possible = no egress
  int local_ready = 0;               // endpoints that can take a request now
  bool cloud_can_answer = true;      // CloudCanAnswer(the request)
  bool filter_keeps_local = false;   // the input filter's action for this request is `local`
  std::optional<PolicyConfig::Profile> profile = {};  // declared at run time; none = as configured
  bool cloud_has_room = true;        // fewer answers under way than the cloud's concurrency cap
};

// False when the request uses what only local engines offer and an answer without it would be wrong: a JSON schema.
// Hints that only local engines heed (top_k, min_p, repetition_penalty, seed) do not count. Pure.
bool CloudCanAnswer(const Prompt& prompt);

enum class Target { kLocal, kCloud };

struct Decision {
  Target target = Target::kLocal;
  std::vector<std::string> reasons;       // codes as above; exactly one from Policy, dispatch may add its own
  size_t cloud = 0;                       // its number, for both permits
  std::optional<CloudPermit> permit;      // exactly when target is kCloud
  std::optional<CloudPermit> hedge = {};  // target is kLocal, and the cloud may answer too
};

class Policy {
 public:
  explicit Policy(const PolicyConfig& config) : config_(config) {}
  Decision Decide(const std::string& request_id, const TenantConfig& tenant, const Sensitivity& sensitivity,
                  const Load& load, const FleetSnapshot& fleet, const Budget& budget = {}) const;

 private:
  const PolicyConfig config_;
};

}  // namespace headgate::router
