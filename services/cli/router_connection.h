// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// How the command line reaches a router: address, key, TLS; and how it says that something failed.
//
// Thread-safety: none.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls.h"

namespace CLI {
class App;
}

namespace headgate::services {

struct RouterConnection {
  std::string address;
  std::string key;          // or
  std::string key_env;      // name of an environment variable
  TlsConfig tls;            // ca_file set: TLS; certificate_file and key_file: the client's own
  std::string server_name;  // expected in the certificate, when it is not the address

  // Adds `option`, --key-env, --key, --ca, --cert, --cert-key, --server-name.
  void AddOptions(CLI::App& command, const std::string& default_address, const std::string& option = "--router");
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect() const;
  // Key and a deadline for `context`.
  void Prepare(grpc::ClientContext& context, absl::Duration timeout) const;
};

// Prints `headgate: UNAVAILABLE: message` on stderr; returns the exit code 1.
int Fail(const grpc::Status& status);
int Fail(const absl::Status& status);

}  // namespace headgate::services
