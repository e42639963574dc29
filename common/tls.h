// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TLS for every listener and connection: TLS 1.3 only unless configured otherwise, mTLS when a client CA is given,
// files re-read when they change.
//
// Thread-safety: functions from any thread.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace headgate {

// Paths to PEM files. All empty = no TLS.
struct TlsConfig {
  std::string certificate_file;
  std::string key_file;
  std::string ca_file;  // verifies the peer; for a server, set = clients must present a certificate (mTLS)
  bool allow_tls12 = false;
  bool enabled() const { return !certificate_file.empty() || !ca_file.empty(); }
};

// Reads and parses the files: a clear error names the file.
absl::Status CheckTls(const TlsConfig& config);

// gRPC 1.51 has no call for a minimum version. Must run before gRPC initialises; sets GRPC_SSL_CIPHER_SUITES so that
// 1.2 is refused unless `allow_tls12` (docs/decisions). Call once at the top of main.
void RequireTls13ForGrpc(bool allow_tls12);

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max);

}  // namespace headgate
