// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/config_sections.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace headgate::router {
namespace {

// Masking that could never let anything out is a mistake.
void ReadTenantMasking(YamlMap& map, v1::SensitivityLevel threshold, TenantConfig* tenant) {
  map.Get("masking", &tenant->masking);
  if (!tenant->masking) return;
  if (!tenant->cloud_allowed) map.Complain("masking", "unreachable rule: cloud_allowed is false");
  if (tenant->sensitivity_floor != v1::SENSITIVITY_LEVEL_UNSPECIFIED) {
    map.Complain("masking", "unreachable rule: a request with a sensitivity_floor is never masked");
  }
  if (threshold < v1::SENSITIVITY_LEVEL_CONFIDENTIAL) {
    map.Complain("masking", "unreachable rule: sensitivity.threshold is below confidential");
  }
}

void ReadAddress(YamlMap& map, const std::string& key, std::map<int, std::string>* ports, std::string* out) {
  const bool given = map.Get(key, out);
  HostPort parsed;
  if (!ParseHostPort(*out, &parsed) || !IsIpLiteral(parsed.host)) {
    if (given) map.Complain(key, "must be an IP address and a port such as 127.0.0.1:8080 or [::]:8080");
    return;
  }
  if (parsed.port == 0) return;  // any free port
  const auto [other, is_new] = ports->emplace(parsed.port, key);
  if (!is_new) map.Complain(key, absl::StrCat("port ", parsed.port, " is taken by listen.", other->second));
}

}  // namespace

void ReadListen(Reading& reading) {
  auto map = reading.root.GetMap("listen");
  if (!map) return;
  ListenConfig& out = reading.config.listen;
  std::map<int, std::string> ports;
  ReadAddress(*map, "grpc", &ports, &out.grpc);
  ReadAddress(*map, "http", &ports, &out.http);
  ReadAddress(*map, "admin", &ports, &out.admin);
  ReadAddress(*map, "metrics", &ports, &out.metrics);
  GetTls(*map, "tls", reading.base, TlsSide::kServer, &out.tls);
  GetTls(*map, "admin_tls", reading.base, TlsSide::kServer, &out.admin_tls);
  if (out.tls.enabled() && out.admin_tls.enabled() && out.tls.allow_tls12 != out.admin_tls.allow_tls12) {
    map->Complain("admin_tls", "allow_tls12 is one setting for the process; give both the same value");
  }
  GetKeyHashes(*map, "admin_key_sha256", &reading.key_hashes, &out.admin_key_sha256);
  map->Get("reflection", &out.reflection);
  map->Finish();
}

void ReadLimits(Reading& reading) {
  auto map = reading.root.GetMap("limits");
  if (!map) return;
  LimitsConfig& out = reading.config.limits;
  map->Get("body_bytes_max", &out.body_bytes_max, 1 << 10, 64 << 20);
  map->Get("prompt_bytes_max", &out.prompt_bytes_max, 1, 64 << 20);
  map->Get("inspect_bytes_max", &out.inspect_bytes_max, 1, 64 << 20);
  map->Get("in_flight_max", &out.in_flight_max, 1, 1'000'000);
  map->Get("deadline_default", &out.deadline_default, absl::Milliseconds(1), absl::Hours(24));
  map->Get("deadline_max", &out.deadline_max, absl::Milliseconds(1), absl::Hours(24));
  map->Get("drain", &out.drain, absl::ZeroDuration(), absl::Hours(1));
  if (out.prompt_bytes_max > out.body_bytes_max) {
    map->Complain("prompt_bytes_max", "unreachable rule: is above limits.body_bytes_max");
  }
  if (out.deadline_default > out.deadline_max) map->Complain("deadline_default", "is above limits.deadline_max");
  map->Finish();
}

void ReadCache(Reading& reading) {
  auto map = reading.root.GetMap("cache");
  if (!map) return;
  map->Get("bytes_max", &reading.config.cache.bytes_max, 0, int64_t{1} << 40);
  map->Get("ttl", &reading.config.cache.ttl, absl::Seconds(1), absl::Hours(24));
  CacheConfig& cache = reading.config.cache;
  map->Get("shared", &cache.shared);
  if (cache.shared && !reading.config.sharing.enabled()) {
    map->Complain("shared", "unreachable rule: there is no section sharing");
  }
  if (GetPath(*map, "warm_up_file", reading.base, &cache.warm_up_file)) {
    const auto text = ReadFile(cache.warm_up_file, 256 << 20);
    if (!text.ok()) map->Complain("warm_up_file", std::string(text.status().message()));
    reading.config.files.push_back(cache.warm_up_file);
  }
  for (const char* key : {"shared", "warm_up_file"}) {
    if (map->Has(key) && cache.bytes_max == 0) map->Complain(key, "unreachable rule: cache.bytes_max is 0");
  }
  map->Finish();
}

void ReadTenants(Reading& reading, YamlMap& root) {
  root.Require("tenants");
  RouterConfig& config = reading.config;
  std::set<std::string> names;
  std::set<std::string> identities;
  for (YamlMap& map : root.GetList("tenants")) {
    TenantConfig tenant;
    GetUniqueName(map, "name", &names, &tenant.name);
    GetKeyHashes(map, "api_key_sha256", &reading.key_hashes, &tenant.api_key_sha256);
    map.Get("peer_identities", &tenant.peer_identities);
    for (size_t i = 0; i < tenant.peer_identities.size(); ++i) {
      const std::string path = absl::StrCat("peer_identities[", i, "]");
      if (tenant.peer_identities[i].empty()) map.Complain(path, "must not be empty");
      if (!identities.insert(tenant.peer_identities[i]).second) map.Complain(path, "belongs to a tenant already");
    }
    if (!tenant.peer_identities.empty() && config.listen.tls.ca_file.empty()) {
      map.Complain("peer_identities",
                   "unreachable rule: listen.tls.ca_file is not set, so no client shows a certificate");
    }
    const bool anonymous = config.anonymous && tenant.name == "default";
    if (tenant.api_key_sha256.empty() && tenant.peer_identities.empty() && !anonymous) {
      map.Complain("", "a tenant needs api_key_sha256 or peer_identities");
    }
    map.Get("requests_per_second", &tenant.requests_per_second, 0.0, 1e6);
    map.Get("burst", &tenant.burst, 1.0, 1e6);
    if (tenant.burst > 0 && tenant.requests_per_second == 0) {
      map.Complain("burst", "unreachable rule: requests_per_second is not set, so the rate is unlimited");
    }
    GetLevel(map, "sensitivity_floor", &tenant.sensitivity_floor);
    map.Get("cloud_allowed", &tenant.cloud_allowed);
    ReadBudget(map, &tenant.budget);
    ReadTenantMasking(map, config.sensitivity.threshold, &tenant);
    if (map.Has("cloud_allowed") && tenant.cloud_allowed && tenant.sensitivity_floor >= config.sensitivity.threshold) {
      map.Complain("cloud_allowed", "unreachable rule: sensitivity_floor makes every request of this tenant sensitive");
    }
    map.Finish();
    config.tenants.push_back(std::move(tenant));
  }
  if (config.tenants.empty() && root.Has("tenants")) root.Complain("tenants", "needs at least one tenant");
  root.Finish();
}

}  // namespace headgate::router
