// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What several routers count together, as configured: the section `sharing`.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/tls.h"

namespace headgate::router {

struct SharingConfig {
  std::string redis;                       // host:port or unix:/path; empty = every router counts for itself
  TlsConfig tls;
  std::string tls_server_name;             // expected in the certificate; empty = the host of `redis`
  std::string password_file;
  std::string prefix = "headgate";         // of the keys: routers with the same prefix count together
  int64_t routers = 1;                     // so many share the limits; while Redis is lost each has its share of them
  absl::Duration interval = absl::Milliseconds(50);  // between two exchanges
  bool enabled() const { return !redis.empty(); }
};

}  // namespace headgate::router
