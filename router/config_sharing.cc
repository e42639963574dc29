// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The section about what several routers count together.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "router/config_sections.h"

namespace headgate::router {

void ReadSharing(Reading& reading) {
  auto map = reading.root.GetMap("sharing");
  if (!map) return;
  SharingConfig& out = reading.config.sharing;
  map->Require("redis");
  map->Require("routers");
  bool loopback = true;
  if (map->Get("redis", &out.redis) && !(absl::StartsWith(out.redis, "unix:/") && out.redis.size() > 6)) {
    HostPort parsed;
    if (!ParseHostPort(out.redis, &parsed) || parsed.port == 0) {
      map->Complain("redis", "must be host:port or unix:/path");
    } else {
      loopback = IsLoopbackHost(parsed.host);
    }
  }
  GetTls(*map, "tls", reading.base, TlsSide::kClient, &out.tls);
  map->Get("tls_server_name", &out.tls_server_name);
  if (!out.tls_server_name.empty() && !out.tls.enabled()) {
    map->Complain("tls_server_name", "unreachable rule: sharing.tls is not set, so the server shows no name");
  }
  if (GetPath(*map, "password_file", reading.base, &out.password_file)) {
    const auto password = ReadFile(out.password_file, 1 << 12);
    if (!password.ok()) map->Complain("password_file", std::string(password.status().message()));
    if (password.ok() && absl::StripAsciiWhitespace(*password).empty()) {
      map->Complain("password_file", "the file is empty");
    }
    if (!loopback && !out.tls.enabled()) {
      map->Complain("password_file", "would be sent in the clear: sharing.tls is not set");
    }
  }
  GetName(*map, "prefix", &out.prefix);
  map->Get("routers", &out.routers, 1, 10'000);
  map->Get("interval", &out.interval, absl::Milliseconds(10), absl::Seconds(1));
  map->Finish();
}

}  // namespace headgate::router
