// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EndpointRegistry: the engine pods that exist now, with their pushed load. Names are resolved again and again; each
// address is an endpoint; an address outside the configured ranges is refused (local is a fact, not a label).
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "headgate/v1/engine.pb.h"
#include "router/config.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

struct Endpoint {
  std::string name;                        // configured name, with `/address` when a name resolves to several
  std::string address;                     // ip:port
  std::unique_ptr<LocalUpstream> upstream;
  v1::Load load;
  MonotonicTime load_at = -absl::InfiniteDuration();
  int64_t in_flight = 0;                   // of this router
  int64_t failures = 0;                    // consecutive
  MonotonicTime retry_at = -absl::InfiniteDuration();  // after failures: not before this
  bool gone = false;                       // no longer resolved; finishes what it has
};

class EndpointRegistry {
 public:
  using OnLoad = std::function<void(const v1::Load&)>;
  // Connects to one engine and reports its load on the executor until destroyed.
  using Connect = std::function<std::unique_ptr<LocalUpstream>(const std::string& address, OnLoad on_load)>;
  // All addresses of a host name; IP literals are handled by the registry.
  using Resolve = std::function<Task<absl::StatusOr<std::vector<std::string>>>(std::string host)>;

  EndpointRegistry(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config, Connect connect,
                   Resolve resolve, Metrics& metrics);
  ~EndpointRegistry();

  // Resolves now and then every resolve_interval until `cancellation`.
  Task<void> Run(Cancellation& cancellation);
  void Apply(const LocalConfig& config);

  // The better of two random endpoints by expected wait: fresh pushed load first, then own in-flight. Never one that is
  // draining, gone or backing off, nor one of `exclude`. For not-sensitive traffic a stale or full endpoint does not
  // count; for `sensitive` those only come last. Null when none is left.
  std::shared_ptr<Endpoint> Pick(bool sensitive, const std::vector<std::string>& exclude) const;
  void ReportSuccess(Endpoint& endpoint);
  void ReportFailure(Endpoint& endpoint);

  int ReadyCount() const;                  // endpoints with a fresh load and room
  const std::vector<std::shared_ptr<Endpoint>>& endpoints() const { return endpoints_; }

 private:
  Task<void> ResolveAll();
  bool Fresh(const Endpoint& endpoint) const;
  double ExpectedWait(const Endpoint& endpoint) const;

  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  LocalConfig config_;
  Connect connect_;
  Resolve resolve_;
  Metrics& metrics_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
};

// Whether `ip` lies in one of `ranges` (CIDR). Unparsable = false.
bool AddressInRanges(const std::string& ip, const std::vector<std::string>& ranges);

}  // namespace headgate::router
