// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/cli/router_connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace headgate::services {

void RouterConnection::AddOptions(CLI::App& command, const std::string& default_address, const std::string& option) {
  address = default_address;
  key_env = "HEADGATE_KEY";
  command.add_option(option, address, "Its address, host:port")->capture_default_str();
  command.add_option("--key-env", key_env, "Environment variable that holds the key")->capture_default_str();
  command.add_option("--key", key, "The key itself (visible to other users of this machine: prefer --key-env)");
  command.add_option("--ca", tls.ca_file, "CA of its certificate (PEM): use TLS")->check(CLI::ExistingFile);
  command.add_option("--cert", tls.certificate_file, "Own certificate for mTLS (PEM)")->check(CLI::ExistingFile);
  command.add_option("--cert-key", tls.key_file, "Key of --cert (PEM)")->check(CLI::ExistingFile);
  command.add_option("--server-name", server_name, "Name in its certificate, when it is not the address");
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> RouterConnection::Connect() const {
  grpc::ChannelArguments arguments;
  if (!server_name.empty()) arguments.SetSslTargetNameOverride(server_name);
  if (tls.ca_file.empty()) return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  RETURN_IF_ERROR(CheckTls(tls));
  constexpr size_t kBytesMax = 1 << 20;
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(tls.ca_file, kBytesMax));
  if (!tls.certificate_file.empty()) {
    ASSIGN_OR_RETURN(options.pem_cert_chain, ReadFile(tls.certificate_file, kBytesMax));
    ASSIGN_OR_RETURN(options.pem_private_key, ReadFile(tls.key_file, kBytesMax));
  }
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
}

void RouterConnection::Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
  std::string value = key;
  const char* from_environment = value.empty() ? std::getenv(key_env.c_str()) : nullptr;
  if (from_environment != nullptr) value = from_environment;
  if (!value.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", value));
  context.set_deadline(absl::ToChronoTime(RealTime().WallTime() + timeout));
}

int Fail(const grpc::Status& status) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  return Fail(absl::Status(code, status.error_message()));
}

int Fail(const absl::Status& status) {
  std::cerr << "headgate: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
  return 1;
}

}  // namespace headgate::services
