// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_registry.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/ip/address.hpp"
#include "common/log.h"

namespace headgate::router {
namespace {

namespace ip = boost::asio::ip;

constexpr absl::Duration kBackoffBase = absl::Milliseconds(250);
constexpr absl::Duration kBackoffMax = absl::Seconds(5);
constexpr absl::Duration kGaugeInterval = absl::Seconds(1);
constexpr size_t kAddressesMax = 256;  // of one name
// An engine may have this many batches waiting before it counts as full for traffic that could go elsewhere.
constexpr double kWaitingBatchesMax = 1;

ip::address Unmapped(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

template <typename Bytes>
bool SamePrefix(const Bytes& a, const Bytes& b, size_t bits) {
  for (size_t i = 0; i < a.size() && bits > 0; ++i) {
    const size_t here = std::min<size_t>(bits, 8);
    const unsigned mask = (0xff00u >> here) & 0xffu;
    if ((a[i] & mask) != (b[i] & mask)) return false;
    bits -= here;
  }
  return true;
}

bool AddressInRange(const ip::address& address, const std::string& range) {
  const size_t slash = range.find('/');
  boost::system::error_code error;
  ip::address network = ip::make_address(range.substr(0, slash), error);
  if (error) return false;
  uint32_t bits = network.is_v4() ? 32 : 128;
  const uint32_t bits_max = bits;
  if (slash != std::string::npos && (!absl::SimpleAtoi(range.substr(slash + 1), &bits) || bits > bits_max))
    return false;
  if (network.is_v6() && network.to_v6().is_v4_mapped() && bits >= 96) {
    network = Unmapped(network);
    bits -= 96;
  }
  if (network.is_v4() != address.is_v4()) return false;
  return network.is_v4() ? SamePrefix(network.to_v4().to_bytes(), address.to_v4().to_bytes(), bits)
                         : SamePrefix(network.to_v6().to_bytes(), address.to_v6().to_bytes(), bits);
}

// `host:port`, `[v6]:port`. False when there is no port.
bool SplitAddress(const std::string& address, std::string* host, std::string* port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return false;
  *host = address.substr(0, colon);
  *port = address.substr(colon + 1);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']') *host = host->substr(1, host->size() - 2);
  return !host->empty();
}

bool SameIdentity(const LocalConfig& a, const LocalConfig& b) {
  return a.tls.certificate_file == b.tls.certificate_file && a.tls.key_file == b.tls.key_file &&
         a.tls.ca_file == b.tls.ca_file && a.tls_server_name == b.tls_server_name;
}

}  // namespace

bool AddressInRanges(const std::string& ip_text, const std::vector<std::string>& ranges) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(ip_text, error);
  if (error) return false;
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const std::string& range) { return AddressInRange(Unmapped(address), range); });
}

EndpointRegistry::EndpointRegistry(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config,
                                   Connect connect, Resolve resolve, Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      random_(std::move(random)),
      config_(config),
      connect_(std::move(connect)),
      resolve_(std::move(resolve)),
      metrics_(metrics),
      applied_(executor, 1) {}

EndpointRegistry::~EndpointRegistry() {
  // Streams may still hold an endpoint; its load reports must not come back here.
  for (const auto& endpoint : endpoints_) endpoint->gone = true;
}

Task<void> EndpointRegistry::Run(Cancellation& cancellation) {
  while (!cancellation.cancelled()) {
    co_await ResolveAll();
    const MonotonicTime again = clock_.Monotonic() + config_.resolve_interval;
    bool applied = false;
    while (!applied && !cancellation.cancelled() && clock_.Monotonic() < again) {
      SetGauges();
      auto woken =
          co_await applied_.Receive(clock_, std::min(again, clock_.Monotonic() + kGaugeInterval), cancellation);
      applied = woken.ok();
    }
  }
}

void EndpointRegistry::Apply(const LocalConfig& config) {
  const bool same_identity = SameIdentity(config_, config);
  config_ = config;
  std::erase_if(endpoints_, [&](const std::shared_ptr<Endpoint>& endpoint) {
    std::string host, port;
    const bool stays =
        same_identity && SplitAddress(endpoint->address, &host, &port) && AddressInRanges(host, config_.address_ranges);
    if (!stays) Leave(*endpoint);
    return !stays;
  });
  (void)applied_.Offer(true);  // full: Run wakes anyway
}

Task<void> EndpointRegistry::ResolveAll() {
  const std::vector<EndpointConfig> configured = config_.endpoints;  // Apply may come in between
  std::vector<Found> found;
  for (const EndpointConfig& config : configured) {
    std::string host, port;
    if (!SplitAddress(config.address, &host, &port)) continue;  // refused by the configuration's own check
    boost::system::error_code not_literal;
    ip::make_address(host, not_literal);
    if (!not_literal) {
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
        found.push_back({endpoint->name, endpoint->address});
      }
    }
  }
  Replace(found);
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
      if (complaints_.size() < kAddressesMax && complaints_.insert(complaint).second) {
        HG_LOG(Error, "address refused, not in local.address_ranges: endpoint=", config.name, " address=", ip_text);
      }
      continue;
    }
    complaints_.erase(complaint);
    if (addresses.size() == kAddressesMax) break;
    addresses.push_back(ip_text.find(':') == std::string::npos ? absl::StrCat(ip_text, ":", port)
                                                               : absl::StrCat("[", ip_text, "]:", port));
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (const std::string& address : addresses) {
    found.push_back({addresses.size() == 1 ? config.name : absl::StrCat(config.name, "/", address), address});
  }
}

void EndpointRegistry::Replace(const std::vector<Found>& found) {
  std::vector<std::shared_ptr<Endpoint>> next;
  for (const Found& one : found) {
    const auto same_address = [&](const std::shared_ptr<Endpoint>& e) { return e->address == one.address; };
    if (std::any_of(next.begin(), next.end(), same_address)) continue;  // two names, one pod
    const auto old = std::find_if(endpoints_.begin(), endpoints_.end(), same_address);
    next.push_back(old == endpoints_.end() ? Connected(one) : *old);
    next.back()->name = one.name;
  }
  for (const auto& endpoint : endpoints_) {
    if (std::find(next.begin(), next.end(), endpoint) == next.end()) Leave(*endpoint);
  }
  endpoints_ = std::move(next);
}

std::shared_ptr<Endpoint> EndpointRegistry::Connected(const Found& found) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->name = found.name;
  endpoint->address = found.address;
  // Weak: the endpoint owns the upstream that owns this.
  endpoint->upstream = connect_(found.address, [this, weak = std::weak_ptr(endpoint)](const v1::Load& load) {
    const auto alive = weak.lock();
    if (!alive || alive->gone) return;  // gone: this registry may be too
    alive->load = load;
    alive->load_at = clock_.Monotonic();
    alive->started_since_load = 0;
  });
  HG_LOG(Info, "endpoint joins name=", endpoint->name, " address=", endpoint->address);
  return endpoint;
}

void EndpointRegistry::Leave(Endpoint& endpoint) {
  endpoint.gone = true;
  HG_LOG(Info, "endpoint leaves name=", endpoint.name, " address=", endpoint.address,
         " in_flight=", endpoint.in_flight);
}

bool EndpointRegistry::Fresh(const Endpoint& endpoint) const {
  return clock_.Monotonic() - endpoint.load_at <= config_.load_age_max;
}

bool EndpointRegistry::Usable(const Endpoint& endpoint) const {
  return !endpoint.gone && !endpoint.load.draining() && clock_.Monotonic() >= endpoint.retry_at;
}

namespace {
// Reports lag behind a burst, own counting does not see other routers: the larger one counts.
double Occupancy(const Endpoint& endpoint) {
  const int64_t reported = endpoint.load.running() + endpoint.load.waiting() + endpoint.started_since_load;
  return static_cast<double>(std::max(reported, endpoint.in_flight));
}
}  // namespace

bool EndpointRegistry::HasRoom(const Endpoint& endpoint) const {
  const v1::Load& load = endpoint.load;
  if (load.kv_cells_total() > 0 && load.kv_cells_free() <= 0) return false;
  return load.running_max() <= 0 || Occupancy(endpoint) < load.running_max() * (1 + kWaitingBatchesMax);
}

double EndpointRegistry::ExpectedWait(const Endpoint& endpoint) const {
  const v1::Load& load = endpoint.load;
  // How full the batch is, as if a whole batch took a second, and the prompts that must be read first.
  double wait = Occupancy(endpoint) / std::max(1, load.running_max());
  if (load.prefill_tokens_per_second() > 0) {
    wait += static_cast<double>(load.prompt_tokens_waiting()) / load.prefill_tokens_per_second();
  }
  return wait;
}

std::shared_ptr<Endpoint> EndpointRegistry::Pick(bool sensitive, const std::vector<std::string>& exclude) const {
  std::vector<const std::shared_ptr<Endpoint>*> best, last;
  for (const auto& endpoint : endpoints_) {
    if (!Usable(*endpoint)) continue;
    if (std::find(exclude.begin(), exclude.end(), endpoint->address) != exclude.end()) continue;
    (Fresh(*endpoint) && HasRoom(*endpoint) ? best : last).push_back(&endpoint);
  }
  // Sensitive traffic has nowhere else to go: a full or silent endpoint is better than none.
  if (best.empty() && sensitive) best = std::move(last);
  if (best.empty()) return nullptr;
  const auto random_below = [&](size_t n) { return static_cast<size_t>(RandomUnit(random_) * static_cast<double>(n)); };
  const size_t first = random_below(best.size());
  if (best.size() == 1) return *best[first];
  const size_t second = (first + 1 + random_below(best.size() - 1)) % best.size();
  return ExpectedWait(**best[second]) < ExpectedWait(**best[first]) ? *best[second] : *best[first];
}

void EndpointRegistry::ReportSuccess(Endpoint& endpoint) {
  endpoint.failures = 0;
  endpoint.retry_at = -absl::InfiniteDuration();
}

void EndpointRegistry::ReportFailure(Endpoint& endpoint) {
  const double doublings = static_cast<double>(std::min<int64_t>(endpoint.failures++, 10));
  endpoint.retry_at = clock_.Monotonic() + std::min(kBackoffMax, kBackoffBase * std::exp2(doublings));
}

int EndpointRegistry::ReadyCount() const {
  return static_cast<int>(std::count_if(endpoints_.begin(), endpoints_.end(), [this](const auto& endpoint) {
    return Usable(*endpoint) && Fresh(*endpoint) && HasRoom(*endpoint);
  }));
}

void EndpointRegistry::SetGauges() const {
  // Sums by configured name: pod addresses come and go without bound, names do not.
  struct Sum {
    double ready = 0, unready = 0, in_flight = 0;
  };
  std::map<std::string, Sum> sums;
  for (const EndpointConfig& config : config_.endpoints) sums[config.name];
  for (const auto& endpoint : endpoints_) {
    const auto sum = sums.find(endpoint->name.substr(0, endpoint->name.find('/')));
    if (sum == sums.end()) continue;
    (Usable(*endpoint) && Fresh(*endpoint) && HasRoom(*endpoint) ? sum->second.ready : sum->second.unready) += 1;
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
