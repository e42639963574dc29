// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The section about the engines.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

void ReadAddress(YamlMap& map, const LocalConfig& local, std::set<std::string>* addresses, EndpointConfig* out) {
  HostPort parsed;
  if (!map.Get("address", &out->address)) return;
  if (!ParseHostPort(out->address, &parsed) || parsed.port == 0) {
    map.Complain("address", "must be a host and a port such as engine:8090");
  } else if (IsIpLiteral(parsed.host) && !IpInRanges(parsed.host, local.address_ranges)) {
    map.Complain("address", "lies outside local.address_ranges: a local backend must be inside the cluster");
  }
  if (!addresses->insert(out->address).second) map.Complain("address", "is there already");
}

// A part of a Kubernetes name: RFC 1123 label.
bool IsLabel(absl::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; });
}

void ReadService(YamlMap& map, std::set<std::string>* services, EndpointConfig* out) {
  if (!map.Get("service", &out->service)) {
    if (map.Get("port", &out->port)) map.Complain("port", "unreachable rule: the port of an address stands in it");
    return;
  }
  const std::vector<std::string> parts = absl::StrSplit(out->service, '/');
  if (parts.size() != 2 || !IsLabel(parts[0]) || !IsLabel(parts[1])) {
    map.Complain("service", "must be NAMESPACE/NAME of a Kubernetes Service");
  }
  map.Get("port", &out->port);
  int64_t number = 0;
  const bool is_number = absl::SimpleAtoi(out->port, &number);
  if (!out->port.empty() && !IsLabel(out->port)) map.Complain("port", "must be the name or the number of a port");
  if (is_number && (number < 1 || number > 65535)) map.Complain("port", "must be the name or the number of a port");
  if (map.Has("address")) map.Complain("service", "give address or service, not both");
  if (!services->insert(out->service + " " + out->port).second) map.Complain("service", "is there already");
}

void ReadEndpoints(YamlMap& parent, LocalConfig* out) {
  std::set<std::string> names, addresses, services;
  for (YamlMap& map : parent.GetList("endpoints")) {
    EndpointConfig endpoint;
    GetUniqueName(map, "name", &names, &endpoint.name);
    if (!map.Has("service")) map.Require("address");
    ReadAddress(map, *out, &addresses, &endpoint);
    ReadService(map, &services, &endpoint);
    GetEnum<EndpointConfig::Protocol>(
        map, "protocol",
        {{"engine", EndpointConfig::Protocol::kEngine}, {"openai", EndpointConfig::Protocol::kOpenAi}},
        &endpoint.protocol);
    map.Get("model", &endpoint.model);
    map.Get("sequences_max", &endpoint.sequences_max, 1, 100'000);
    for (const char* key : {"model", "sequences_max"}) {
      if (map.Has(key) && endpoint.protocol != EndpointConfig::Protocol::kOpenAi) {
        map.Complain(key, "unreachable rule: our own engines say it themselves; protocol is not openai");
      }
    }
    map.Finish();
    out->endpoints.push_back(std::move(endpoint));
  }
  // Sensitive requests have nowhere else to go.
  if (out->endpoints.empty()) parent.Complain("endpoints", "needs at least one engine");
}

void ReadKubernetes(YamlMap& parent, const std::string& base, LocalConfig* out) {
  auto map = parent.GetMap("kubernetes");
  if (!map) return;
  KubernetesConfig& kubernetes = out->kubernetes;
  if (map->Get("api", &kubernetes.api)) {
    HostPort parsed;
    if (!absl::StartsWith(kubernetes.api, "https://") || !ParseHostPort(kubernetes.api.substr(8), &parsed) ||
        parsed.port == 0) {
      map->Complain("api", "must be https://host:port");
    }
  }
  GetPath(*map, "token_file", base, &kubernetes.token_file);
  GetPath(*map, "ca_file", base, &kubernetes.ca_file);
  const bool used = std::any_of(out->endpoints.begin(), out->endpoints.end(),
                                [](const EndpointConfig& endpoint) { return !endpoint.service.empty(); });
  if (!used) map->Complain("", "unreachable rule: no entry of local.endpoints has a service");
  map->Finish();
}

void ReadIdentities(YamlMap& map, LocalConfig* out) {
  constexpr size_t kIdentitiesMax = 256;
  if (!map.Get("tls_identities", &out->tls_identities)) return;
  if (!out->tls.enabled()) {
    map.Complain("tls_identities", "unreachable rule: local.tls is not set, so no engine shows an identity");
  }
  if (!out->tls_server_name.empty()) map.Complain("tls_identities", "give tls_server_name or tls_identities, not both");
  if (out->tls_identities.empty() || out->tls_identities.size() > kIdentitiesMax) {
    map.Complain("tls_identities", absl::StrCat("needs 1 to ", kIdentitiesMax, " identities"));
  }
  for (size_t i = 0; i < out->tls_identities.size(); ++i) {
    const std::string wrong = WrongIdentity(out->tls_identities[i]);
    if (!wrong.empty()) map.Complain(absl::StrCat("tls_identities[", i, "]"), wrong);
  }
}

}  // namespace

void ReadLocal(Reading& reading) {
  reading.root.Require("local");
  auto map = reading.root.GetMap("local");
  if (!map) return;
  LocalConfig& out = reading.config.local;
  if (map->Get("address_ranges", &out.address_ranges)) {
    for (size_t i = 0; i < out.address_ranges.size(); ++i) {
      const std::string wrong = WrongRange(out.address_ranges[i]);
      if (!wrong.empty()) map->Complain(absl::StrCat("address_ranges[", i, "]"), wrong);
    }
    if (out.address_ranges.empty()) map->Complain("address_ranges", "needs at least one range");
  }
  ReadEndpoints(*map, &out);
  ReadKubernetes(*map, reading.base, &out);
  GetTls(*map, "tls", reading.base, TlsSide::kClient, &out.tls);
  map->Get("tls_server_name", &out.tls_server_name);
  if (!out.tls_server_name.empty() && !out.tls.enabled()) {
    map->Complain("tls_server_name", "unreachable rule: local.tls is not set, so no engine shows an identity");
  }
  ReadIdentities(*map, &out);
  map->Get("reserved_share", &out.reserved_share, 0.0, 1.0);
  map->Get("queue_max", &out.queue_max, 1, 1'000'000);
  map->Get("queue_target", &out.queue_target, absl::Milliseconds(1), absl::Minutes(10));
  map->Get("queue_interval", &out.queue_interval, absl::Milliseconds(1), absl::Minutes(10));
  if (out.queue_target > out.queue_interval) map->Complain("queue_target", "is above local.queue_interval");
  map->Get("resolve_interval", &out.resolve_interval, absl::Milliseconds(100), absl::Minutes(10));
  map->Get("load_age_max", &out.load_age_max, absl::Milliseconds(100), absl::Minutes(1));
  map->Get("stall_timeout", &out.stall_timeout, absl::Seconds(1), absl::Minutes(10));
  map->Get("connect_timeout", &out.connect_timeout, absl::Milliseconds(1), absl::Minutes(1));
  map->Get("metrics_interval", &out.metrics_interval, absl::Milliseconds(50), absl::Seconds(10));
  const bool polled =
      std::any_of(out.endpoints.begin(), out.endpoints.end(), [](const EndpointConfig& endpoint) {
        return endpoint.protocol == EndpointConfig::Protocol::kOpenAi;
      });
  if (polled && out.metrics_interval * 2 > out.load_age_max) {
    map->Complain("metrics_interval", "is above half of local.load_age_max: every second page would be too old");
  }
  map->Finish();
}

}  // namespace headgate::router
