// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EndpointChoice: which engine gets a request. Filter (gone, draining, ejected, silent, stalled, full), score
// (predicted seconds to the first token, and the work of computing again what another engine knows: everybody behind
// pays for that), pick (random among the best, so that routers with the same reports do not herd). Where engines serve
// several models, a request that names one of them goes to those that serve it.
//
// Reserve: of the sequences of all engines that report, `reserved_share` is kept for sensitive requests (rounded up,
// but at least one sequence stays open unless the share is 1). Requests that are not sensitive are sent only while
// fewer than the open ones are under way, counting this router's exactly and taking what other routers have there for
// not sensitive. An engine's KV cells are kept in the same share.
//
// Panic: when more than half of the engines that report were ejected for failing requests, the ejections no longer
// count: it is then more likely something else. That only ever chooses among engines: where a request may go, cloud or
// not, is not decided here.
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "common/digest.h"
#include "router/config.h"
#include "router/upstream/endpoint.h"
#include "router/upstream/prefix_affinity.h"

namespace headgate::router {

class EndpointChoice {
 public:
  using Endpoints = std::vector<std::shared_ptr<Endpoint>>;
  EndpointChoice(const Clock& clock, RandomBytes random, const LocalConfig& config,
                 std::shared_ptr<const FleetCount> fleet);
  void Apply(const LocalConfig& config);

  // `name` where engines of several models report and one of them has this name; empty otherwise: then the name chooses
  // no engine (it may be the cloud's, or anybody's).
  std::string_view ModelNamed(const Endpoints& endpoints, std::string_view name);
  // Null when none is left. Sensitive requests may also go to engines whose report is old when no engine reports:
  // they have nowhere else to go. `exclude` holds addresses. Looks at no more than 16 engines that could take it,
  // however many there are, and at those that know its beginning.
  std::shared_ptr<Endpoint> Pick(const Endpoints& endpoints, const LocalAsk& ask,
                                 const std::vector<std::string>& exclude);
  // The request was sent there: the engine will know its beginning. Returns how many prompt tokens it probably has to
  // read for it.
  double Remember(const LocalAsk& ask, const std::shared_ptr<Endpoint>& endpoint);

  // Its last load report is at most load_age_max old.
  bool Fresh(const Endpoint& endpoint) const;
  // Neither gone, draining nor ejected, with a fresh report and room.
  bool Ready(const Endpoints& endpoints, const Endpoint& endpoint, bool sensitive);
  // Predicted seconds to the first token.
  double FirstTokenSeconds(const Endpoint& endpoint, double prompt_tokens) const;
  // How long it may show no work while a request with such a prompt waits there: stall_timeout, or three times what
  // reading takes. An engine whose reports do not show its work may be reading for others before.
  absl::Duration StallLimit(const Endpoint& endpoint, double prompt_tokens) const;
  // Until the first of them would begin another prompt, by their load reports; 1e6 when none has reported.
  double WaitSeconds(const Endpoints& endpoints) { return Sum(endpoints).wait_seconds; }
  // What the request would meet at the engine that it would be sent to; no random numbers are drawn. Over large fleets
  // only the engines that know its beginning are looked at, beside the sums.
  Outlook Look(const Endpoints& endpoints, const LocalAsk& ask);

 private:
  struct Totals {
    MonotonicTime at = -absl::InfiniteDuration();
    double sequences = 0;        // of all that report; infinite when one does not say
    double of_others = 0;        // under way there, from other routers
    double reporting = 0, ejected = 0;
    double wait_seconds = 1e6;
    double prefill_rate = 0;     // mean of the known ones: what a starting engine is taken for
    bool several_models = false;
  };
  const Totals& Sum(const Endpoints& endpoints);
  bool OpenHasRoom(const Totals& totals) const;
  bool HasRoom(const Totals& totals, const Endpoint& endpoint, bool sensitive) const;
  std::shared_ptr<Endpoint> Best(const Endpoints& candidates, const LocalAsk& ask);
  // Prompt tokens that the engine probably has not read yet.
  static double Uncached(const LocalAsk& ask, const std::vector<PrefixAffinity::Match>& matches, uint64_t endpoint);
  double Rate(const Endpoint& endpoint) const;  // prompt tokens a second; 0 = not known
  double Score(const Endpoint& endpoint, double uncached_tokens) const;
  double PromptSeconds(const Endpoint& endpoint, double uncached_tokens) const;

  const Clock& clock_;
  RandomBytes random_;
  double reserved_share_;
  absl::Duration load_age_max_, stall_timeout_;
  std::shared_ptr<const FleetCount> fleet_;
  PrefixAffinity affinity_;
  absl::flat_hash_map<uint64_t, std::weak_ptr<Endpoint>> known_;  // by id: those in affinity_
  Totals totals_;
};

}  // namespace headgate::router
