// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_registry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kBackoffBase = absl::Milliseconds(250);
constexpr absl::Duration kBackoffMax = absl::Seconds(5);
constexpr absl::Duration kStallBackoffBase = absl::Seconds(5);
constexpr absl::Duration kStallBackoffMax = absl::Minutes(1);
constexpr absl::Duration kGaugeInterval = absl::Seconds(1);
constexpr size_t kAddressesMax = 4096;  // of one name
constexpr size_t kComplaintsMax = 256;

bool SameIdentity(const LocalConfig& a, const LocalConfig& b) {
  return a.tls.certificate_file == b.tls.certificate_file && a.tls.key_file == b.tls.key_file &&
         a.tls.ca_file == b.tls.ca_file && a.tls_server_name == b.tls_server_name &&
         a.tls_identities == b.tls_identities;
}

}  // namespace

EndpointRegistry::EndpointRegistry(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config,
                                   Connect connect, Resolve resolve, Metrics& metrics, Watch watch)
    : executor_(executor),
      clock_(clock),
      random_(std::move(random)),
      config_(config),
      connect_(std::move(connect)),
      resolve_(std::move(resolve)),
      metrics_(metrics),
      watch_(std::move(watch)),
      choice_(clock, random_, config, fleet_),
      applied_(executor, 1) {}

EndpointRegistry::~EndpointRegistry() {
  services_.clear();
  // Streams may still hold an endpoint; its load reports must not come back here.
  for (const auto& endpoint : endpoints_) endpoint->gone = true;
  fleet_->on_room = nullptr;
}

Task<void> EndpointRegistry::Run(Cancellation& cancellation) {
  while (!cancellation.cancelled()) {
    resolve_soon_ = false;
    co_await ResolveAll();
    const MonotonicTime again = clock_.Monotonic() + config_.resolve_interval;
    bool applied = false;
    while (!applied && !cancellation.cancelled() && clock_.Monotonic() < again) {
      SetGauges();
      auto woken =
          co_await applied_.Receive(clock_, std::min(again, clock_.Monotonic() + kGaugeInterval), cancellation);
      applied = woken.ok() || resolve_soon_;  // it failed: has it moved?
    }
  }
}

void EndpointRegistry::Apply(const LocalConfig& config) {
  const bool same_identity = SameIdentity(config_, config);
  const std::vector<EndpointConfig> before = std::exchange(config_, config).endpoints;
  const auto same_protocol = [&](const std::string& name) {
    const auto spoken = [&](const std::vector<EndpointConfig>& endpoints) {
      const auto found = std::find_if(endpoints.begin(), endpoints.end(),
                                      [&](const EndpointConfig& endpoint) { return endpoint.name == name; });
      return found == endpoints.end() ? std::make_tuple(EndpointConfig::Protocol::kEngine, std::string(), int64_t{0})
                                      : std::make_tuple(found->protocol, found->model, found->sequences_max);
    };
    return spoken(before) == spoken(config.endpoints);
  };
  choice_.Apply(config);
  std::erase_if(endpoints_, [&](const std::shared_ptr<Endpoint>& endpoint) {
    std::string host, port;
    const bool stays =
        same_identity && same_protocol(endpoint->name.substr(0, endpoint->name.find('/'))) &&
        SplitAddress(endpoint->address, &host, &port) && AddressInRanges(host, config_.address_ranges);
    if (!stays) Leave(*endpoint);
    return !stays;
  });
  (void)applied_.Offer(true);  // full: Run wakes anyway
}

Task<void> EndpointRegistry::ResolveAll() {
  const std::vector<EndpointConfig> configured = config_.endpoints;  // Apply may come in between
  std::vector<Found> found;
  WatchServices();
  for (const EndpointConfig& config : configured) {
    if (!config.service.empty()) continue;  // last: they may change while names are looked up
    std::string host, port;
    if (!SplitAddress(config.address, &host, &port)) continue;  // refused by the configuration's own check
    if (IsIpAddress(host)) {
      Accept(config, port, {host}, found);
      continue;
    }
    auto ips = co_await resolve_(host);
    const std::string complaint = absl::StrCat("unresolved ", config.name);
    if (ips.ok()) {
      complaints_.erase(complaint);
      Accept(config, port, *ips, found);
      continue;
    }
    if (complaints_.insert(complaint).second) {
      HG_LOG(Warning, "endpoint does not resolve, keeping what it had: name=", config.name,
             " code=", absl::StatusCodeToString(ips.status().code()));
    }
    for (const auto& endpoint : endpoints_) {
      if (endpoint->name == config.name || endpoint->name == absl::StrCat(config.name, "/", endpoint->address)) {
        found.push_back({config, endpoint->name, endpoint->address});
      }
    }
  }
  for (const auto& [name, service] : services_) AcceptService(service, found);
  Replace(found);
}

void EndpointRegistry::WatchServices() {
  std::erase_if(services_, [&](const auto& entry) {
    const EndpointConfig& old = entry.second.config;
    return std::none_of(config_.endpoints.begin(), config_.endpoints.end(), [&](const EndpointConfig& config) {
      return config.name == old.name && config.service == old.service && config.port == old.port;
    });
  });
  for (const EndpointConfig& config : config_.endpoints) {
    if (config.service.empty() || !watch_) continue;
    Service& service = services_[config.name];
    service.config = config;
    if (service.watch) continue;
    service.watch = watch_(config, [this, name = config.name](std::vector<std::string> addresses) {
      ServiceChanged(name, std::move(addresses));
    });
  }
}

// New pods get requests at once, and those that leave get none: nobody waits for the next resolution.
void EndpointRegistry::ServiceChanged(const std::string& name, std::vector<std::string> addresses) {
  const auto changed = services_.find(name);
  if (changed == services_.end()) return;
  changed->second.addresses = std::move(addresses);
  std::vector<Found> found;
  for (const auto& endpoint : endpoints_) {
    const std::string configured = endpoint->name.substr(0, endpoint->name.find('/'));
    if (configured == name) continue;
    Found stays;  // connected already: its configuration is not needed
    stays.name = endpoint->name;
    stays.address = endpoint->address;
    found.push_back(std::move(stays));
  }
  AcceptService(changed->second, found);
  Replace(found);
  SetGauges();
}

void EndpointRegistry::AcceptService(const Service& service, std::vector<Found>& found) {
  std::map<std::string, std::vector<std::string>> by_port;
  for (const std::string& address : service.addresses) {
    std::string host, port;
    if (SplitAddress(address, &host, &port)) by_port[port].push_back(host);
  }
  for (const auto& [port, ips] : by_port) Accept(service.config, port, ips, found);
}

void EndpointRegistry::Accept(const EndpointConfig& config, const std::string& port,
                              const std::vector<std::string>& ips, std::vector<Found>& found) {
  std::vector<std::string> addresses;
  for (const std::string& ip_text : ips) {
    const std::string complaint = absl::StrCat("refused ", config.name, " ", ip_text);
    if (!AddressInRanges(ip_text, config_.address_ranges)) {
      metrics_
          .GetCounter("headgate_router_refused_addresses_total",
                      "Addresses of local endpoints outside local.address_ranges, counted at every resolution.",
                      {{"endpoint", config.name}})
          .Increment();
      if (complaints_.size() < kComplaintsMax && complaints_.insert(complaint).second) {
        HG_LOG(Error, "address refused, not in local.address_ranges: endpoint=", config.name, " address=", ip_text);
      }
      continue;
    }
    complaints_.erase(complaint);
    addresses.push_back(ip_text.find(':') == std::string::npos ? absl::StrCat(ip_text, ":", port)
                                                               : absl::StrCat("[", ip_text, "]:", port));
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  const std::string complaint = absl::StrCat("too many ", config.name);
  if (addresses.size() <= kAddressesMax) {
    complaints_.erase(complaint);
  } else {
    if (complaints_.insert(complaint).second) {
      HG_LOG(Error, "endpoint has more addresses than are used: name=", config.name, " addresses=", addresses.size(),
             " used=", kAddressesMax);
    }
    addresses.resize(kAddressesMax);  // the first in order: the same ones each time
  }
  for (const std::string& address : addresses) {
    found.push_back({config, addresses.size() == 1 ? config.name : absl::StrCat(config.name, "/", address), address});
  }
}

void EndpointRegistry::Replace(const std::vector<Found>& found) {
  absl::flat_hash_map<std::string, std::shared_ptr<Endpoint>> leaving;
  for (const auto& endpoint : endpoints_) leaving.emplace(endpoint->address, endpoint);
  absl::flat_hash_set<std::string> taken;
  std::vector<std::shared_ptr<Endpoint>> next;
  for (const Found& one : found) {
    if (!taken.insert(one.address).second) continue;  // two names, one pod
    const auto old = leaving.extract(one.address);
    next.push_back(old ? old.mapped() : Connected(one));
    next.back()->name = one.name;
  }
  for (const auto& [address, endpoint] : leaving) Leave(*endpoint);
  endpoints_ = std::move(next);
  CountWithoutTls();
}

void EndpointRegistry::CountWithoutTls() {
  const auto elsewhere = [](const std::shared_ptr<Endpoint>& endpoint) {
    std::string host, port;
    return SplitAddress(endpoint->address, &host, &port) && !AddressInRanges(host, {"127.0.0.0/8", "::1/128"});
  };
  const auto count = config_.tls.enabled() ? 0 : std::count_if(endpoints_.begin(), endpoints_.end(), elsewhere);
  metrics_
      .GetGauge("headgate_router_engines_without_tls",
                "Engine pods on other machines that are reached without TLS and prove no identity.")
      .Set(static_cast<double>(count));
  const std::string complaint = "without tls";
  if (count == 0) {
    complaints_.erase(complaint);
  } else if (complaints_.insert(complaint).second) {
    HG_LOG(Error, "local.tls is not set: engines on other machines get prompts in plain text and prove no identity",
           ", engines=", count);
  }
}

std::shared_ptr<Endpoint> EndpointRegistry::Connected(const Found& found) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->id = ++last_id_;
  endpoint->name = found.name;
  endpoint->address = found.address;
  endpoint->fleet = fleet_;
  // Weak: the endpoint owns the upstream that owns this.
  const auto on_load = [this, weak = std::weak_ptr(endpoint)](const v1::Load& load) {
    const auto alive = weak.lock();
    if (!alive || alive->gone) return;  // gone: this registry may be too
    alive->Reported(load, clock_.Monotonic());
  };
  endpoint->upstream = connect_(found.config, found.address, on_load);
  HG_LOG(Info, "endpoint joins name=", endpoint->name, " address=", endpoint->address);
  return endpoint;
}

void EndpointRegistry::Leave(Endpoint& endpoint) {
  endpoint.gone = true;
  HG_LOG(Info, "endpoint leaves name=", endpoint.name, " address=", endpoint.address,
         " in_flight=", endpoint.in_flight);
}

std::shared_ptr<Endpoint> EndpointRegistry::PickAny(std::string_view model) const {
  std::vector<const std::shared_ptr<Endpoint>*> reporting, doubtful;
  for (const auto& endpoint : endpoints_) {
    if (endpoint->gone || endpoint->load.draining() || clock_.Monotonic() < endpoint->retry_at) continue;
    if (!model.empty() && endpoint->load.model() != model) continue;
    (Fresh(*endpoint) && endpoint->stalls == 0 ? reporting : doubtful).push_back(&endpoint);
  }
  const auto& from = reporting.empty() ? doubtful : reporting;
  if (from.empty()) return nullptr;
  const auto at = static_cast<size_t>(RandomUnit(random_) * static_cast<double>(from.size()));
  return *from[std::min(at, from.size() - 1)];
}

void EndpointRegistry::ReportSuccess(Endpoint& endpoint) {
  endpoint.failures = 0;
  endpoint.retry_at = -absl::InfiniteDuration();
}

void EndpointRegistry::ReportFailure(Endpoint& endpoint) {
  const double doublings = static_cast<double>(std::min<int64_t>(endpoint.failures++, 10));
  endpoint.retry_at = clock_.Monotonic() + std::min(kBackoffMax, kBackoffBase * std::exp2(doublings));
  endpoint.load_at = -absl::InfiniteDuration();  // what it said of itself is no longer believed
  resolve_soon_ = true;
}

void EndpointRegistry::ReportStall(Endpoint& endpoint) {
  const MonotonicTime now = clock_.Monotonic();
  if (endpoint.stalls > 0 && now < endpoint.retry_at) return;  // one stall, many requests
  const double doublings = static_cast<double>(std::min<int64_t>(endpoint.stalls++, 10));
  const absl::Duration alone = std::min(kStallBackoffMax, kStallBackoffBase * std::exp2(doublings));
  endpoint.retry_at = std::max(endpoint.retry_at, now + alone);
  HG_LOG(Warning, "engine reports its load but shows no work: name=", endpoint.name, " left alone for ",
         absl::ToInt64Seconds(alone), " s");
}

int EndpointRegistry::ReadyCount(int most) {
  int count = 0;
  for (auto endpoint = endpoints_.begin(); endpoint != endpoints_.end() && count < most; ++endpoint) {
    count += choice_.Ready(endpoints_, **endpoint, /*sensitive=*/false);
  }
  return count;
}

void EndpointRegistry::SetGauges() {
  // Sums by configured name: pod addresses come and go without bound, names do not.
  struct Sum {
    double ready = 0, unready = 0, in_flight = 0;
  };
  std::map<std::string, Sum> sums;
  for (const EndpointConfig& config : config_.endpoints) sums[config.name];
  for (const auto& endpoint : endpoints_) {
    const auto sum = sums.find(endpoint->name.substr(0, endpoint->name.find('/')));
    if (sum == sums.end()) continue;
    (choice_.Ready(endpoints_, *endpoint, /*sensitive=*/true) ? sum->second.ready : sum->second.unready) += 1;
    sum->second.in_flight += static_cast<double>(endpoint->in_flight);
  }
  for (const auto& [name, sum] : sums) {
    const std::string help = "Engine pods by configured name: ready = fresh load and room.";
    metrics_.GetGauge("headgate_router_endpoints", help, {{"endpoint", name}, {"state", "ready"}}).Set(sum.ready);
    metrics_.GetGauge("headgate_router_endpoints", help, {{"endpoint", name}, {"state", "unready"}}).Set(sum.unready);
    metrics_
        .GetGauge("headgate_router_endpoint_in_flight", "Requests of this router at engine pods.", {{"endpoint", name}})
        .Set(sum.in_flight);
  }
}

}  // namespace headgate::router
