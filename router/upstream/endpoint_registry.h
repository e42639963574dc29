// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EndpointRegistry: the engine pods that exist now, with their load. Names are resolved again and again, Kubernetes
// Services are watched (endpoint_slices.h); each address is an endpoint; an address outside the configured ranges is
// refused, counted and reported (local is a fact, not a label). Engines are connected to by the address that was
// checked, never by name, so a name that changes its answer moves no connection. A failed request makes the names be
// looked up again within a second.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <limits>
#include <map>
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
#include "router/upstream/address_ranges.h"
#include "router/upstream/endpoint.h"
#include "router/upstream/endpoint_choice.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

// Ends with its destruction.
class ServiceWatch {
 public:
  virtual ~ServiceWatch() = default;
};

class EndpointRegistry final : public Places {
 public:
  using OnLoad = std::function<void(const v1::Load&)>;
  // Connects to one engine and reports its load on the executor until destroyed.
  using Connect = std::function<std::unique_ptr<LocalUpstream>(const EndpointConfig& config,
                                                               const std::string& address, OnLoad on_load)>;
  // All addresses of a host name; IP literals are handled by the registry.
  using Resolve = std::function<Task<absl::StatusOr<std::vector<std::string>>>(std::string host)>;

  // Tells the addresses (ip:port) of a Service's pods that take requests, at once and whenever they change, until
  // destroyed.
  using OnAddresses = std::function<void(std::vector<std::string> addresses)>;
  using Watch = std::function<std::unique_ptr<ServiceWatch>(const EndpointConfig& config, OnAddresses on_addresses)>;

  // Without `watch` an endpoint with a service has no addresses.
  EndpointRegistry(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config, Connect connect,
                   Resolve resolve, Metrics& metrics, Watch watch = {});
  ~EndpointRegistry() override;

  // Resolves now and then every resolve_interval until `cancellation`. A name that does not resolve keeps what it had.
  Task<void> Run(Cancellation& cancellation);
  // Resolves again soon. Endpoints outside the new ranges leave at once; a new TLS identity reconnects all.
  void Apply(const LocalConfig& config);

  // EndpointChoice::Pick over the endpoints of now.
  std::shared_ptr<Endpoint> Pick(const LocalAsk& ask, const std::vector<std::string>& exclude) override {
    return choice_.Pick(endpoints_, ask, exclude);
  }
  std::shared_ptr<Endpoint> Pick(bool sensitive, const std::vector<std::string>& exclude) {
    return Pick(LocalAsk{.sensitive = sensitive}, exclude);
  }
  // EndpointChoice's, of the endpoints of now.
  std::string_view ModelNamed(std::string_view name) { return choice_.ModelNamed(endpoints_, name); }
  // For calls that take no place in a batch: any engine that is not draining or ejected, those that report and
  // work first. `model` as LocalAsk's.
  std::shared_ptr<Endpoint> PickAny(std::string_view model = {}) const;
  double Remember(const LocalAsk& ask, const std::shared_ptr<Endpoint>& endpoint) override {
    return choice_.Remember(ask, endpoint);
  }
  void ReportSuccess(Endpoint& endpoint);
  // Ejects it: 250 ms, doubling with every failure in a row, at most 5 s, and until it has reported its load again.
  void ReportFailure(Endpoint& endpoint);
  // It has shown no work while a request waited there for its first token. Leaves it alone for 5 s, doubling with every
  // time in a row, at most a minute; then it is given one request at a time until it shows work.
  void ReportStall(Endpoint& endpoint);
  // Called whenever an engine may have room again. One caller; empty = nobody.
  void SetOnRoom(std::function<void()> on_room) { fleet_->on_room = std::move(on_room); }

  int64_t open_in_flight() const { return fleet_->open_in_flight; }  // not sensitive, of this router
  // Endpoints that could take a request that is not sensitive; counts no further than `most`.
  int ReadyCount(int most = std::numeric_limits<int>::max());
  double WaitSeconds() override { return choice_.WaitSeconds(endpoints_); }
  Outlook Look(const LocalAsk& ask) { return choice_.Look(endpoints_, ask); }
  absl::Duration StallLimit(const Endpoint& endpoint, double prompt_tokens) const {
    return choice_.StallLimit(endpoint, prompt_tokens);
  }
  // Its last load report is at most load_age_max old.
  bool Fresh(const Endpoint& endpoint) const { return choice_.Fresh(endpoint); }
  const std::vector<std::shared_ptr<Endpoint>>& endpoints() const { return endpoints_; }

 private:
  struct Found {
    EndpointConfig config;
    std::string name;
    std::string address;
  };
  struct Service {
    EndpointConfig config;
    std::vector<std::string> addresses;
    std::unique_ptr<ServiceWatch> watch;
  };
  Task<void> ResolveAll();
  // Appends the addresses of one configured endpoint that lie in the ranges.
  void Accept(const EndpointConfig& config, const std::string& port, const std::vector<std::string>& ips,
              std::vector<Found>& found);
  void Replace(const std::vector<Found>& found);
  // Watches what is configured, and nothing else.
  void WatchServices();
  void ServiceChanged(const std::string& name, std::vector<std::string> addresses);
  void AcceptService(const Service& service, std::vector<Found>& found);
  std::shared_ptr<Endpoint> Connected(const Found& found);
  void Leave(Endpoint& endpoint);
  // Engines on other machines that prove nothing, and to whom everything goes in plain text.
  void CountWithoutTls();
  void SetGauges();

  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  LocalConfig config_;
  Connect connect_;
  Resolve resolve_;
  Metrics& metrics_;
  const Watch watch_;
  const std::shared_ptr<FleetCount> fleet_ = std::make_shared<FleetCount>();
  EndpointChoice choice_;
  uint64_t last_id_ = 0;
  bool resolve_soon_ = false;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
  std::set<std::string> complaints_;  // logged already and still true
  std::map<std::string, Service> services_;  // by endpoint name
  Mailbox<bool> applied_;             // wakes Run
};

// The system's resolver. At most 5 s a name.
EndpointRegistry::Resolve MakeDnsResolve(Executor executor, Clock& clock);

}  // namespace headgate::router
