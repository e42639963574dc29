// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EndpointRegistry: the engine pods that exist now, with their pushed load. Names are resolved again and again; each
// address is an endpoint; an address outside the configured ranges is refused (local is a fact, not a label).
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/mailbox.h"
#include "common/metrics.h"
#include "common/task.h"
#include "headgate/v1/engine.pb.h"
#include "router/config.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

struct Endpoint {
  std::string name;     // configured name, with `/address` when a name resolves to several
  std::string address;  // ip:port
  std::unique_ptr<LocalUpstream> upstream;
  v1::Load load;
  MonotonicTime load_at = -absl::InfiniteDuration();
  int64_t in_flight = 0;                               // of this router (EndpointUse counts)
  int64_t started_since_load = 0;                      // of those, what the last load report cannot know of yet
  int64_t failures = 0;                                // consecutive
  MonotonicTime retry_at = -absl::InfiniteDuration();  // after failures: not before this
  bool gone = false;                                   // no longer resolved; finishes what it has
};

// One request at an endpoint, from before it is sent until its stream is gone. Keeps the endpoint alive.
class EndpointUse {
 public:
  explicit EndpointUse(std::shared_ptr<Endpoint> endpoint) : endpoint_(std::move(endpoint)) {
    ++endpoint_->in_flight;
    ++endpoint_->started_since_load;
  }
  EndpointUse(EndpointUse&&) = default;
  EndpointUse& operator=(EndpointUse&&) = delete;
  ~EndpointUse() {
    if (endpoint_) --endpoint_->in_flight;
  }
  Endpoint& operator*() const { return *endpoint_; }
  Endpoint* operator->() const { return endpoint_.get(); }

 private:
  std::shared_ptr<Endpoint> endpoint_;
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

  // Resolves now and then every resolve_interval until `cancellation`. A name that does not resolve keeps what it had.
  Task<void> Run(Cancellation& cancellation);
  // Resolves again soon. Endpoints outside the new ranges leave at once; a new TLS identity reconnects all.
  void Apply(const LocalConfig& config);

  // The better of two random endpoints by expected wait: fresh pushed load first, then own in-flight. Never one that is
  // draining, gone or backing off, nor one whose address is in `exclude`. For not-sensitive traffic a stale or full
  // endpoint does not count; for `sensitive` those only come last. Null when none is left.
  std::shared_ptr<Endpoint> Pick(bool sensitive, const std::vector<std::string>& exclude) const;
  void ReportSuccess(Endpoint& endpoint);
  void ReportFailure(Endpoint& endpoint);

  int ReadyCount() const;  // endpoints with a fresh load and room
  // Its last load report is at most load_age_max old.
  bool Fresh(const Endpoint& endpoint) const;
  const std::vector<std::shared_ptr<Endpoint>>& endpoints() const { return endpoints_; }

 private:
  struct Found {
    std::string name;
    std::string address;
  };
  Task<void> ResolveAll();
  // Appends the addresses of one configured endpoint that lie in the ranges.
  void Accept(const EndpointConfig& config, const std::string& port, const std::vector<std::string>& ips,
              std::vector<Found>& found);
  void Replace(const std::vector<Found>& found);
  std::shared_ptr<Endpoint> Connected(const Found& found);
  void Leave(Endpoint& endpoint);
  void SetGauges() const;
  bool Usable(const Endpoint& endpoint) const;
  bool HasRoom(const Endpoint& endpoint) const;
  // Seconds, roughly: only good for comparing.
  double ExpectedWait(const Endpoint& endpoint) const;

  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  LocalConfig config_;
  Connect connect_;
  Resolve resolve_;
  Metrics& metrics_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::set<std::string> complaints_;  // logged already and still true
  Mailbox<bool> applied_;             // wakes Run
};

// The system's resolver. At most 5 s a name.
EndpointRegistry::Resolve MakeDnsResolve(Executor executor, Clock& clock);

// Whether `ip` lies in one of `ranges` (CIDR). Unparsable = false.
bool AddressInRanges(const std::string& ip, const std::vector<std::string>& ranges);

}  // namespace headgate::router
