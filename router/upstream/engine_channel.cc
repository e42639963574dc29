// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/engine_channel.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "router/upstream/address_ranges.h"

namespace headgate::router {
namespace {

constexpr int kReceiveBytesMax = 16 << 20;  // 256 embeddings
constexpr int kSendBytesMax = 64 << 20;     // admission's limit is lower
constexpr unsigned kCertificatePollSeconds = 10;
constexpr int kKeepaliveTimeMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kReconnectMsMin = 100;
constexpr int kReconnectMsMax = 2'000;

std::vector<std::string> Copies(const std::vector<grpc::string_ref>& names) {
  std::vector<std::string> copies;
  for (const grpc::string_ref& name : names) copies.emplace_back(name.data(), name.size());
  return copies;
}

// Called by gRPC's threads after every handshake, when the chain has been verified.
class IdentityVerifier : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit IdentityVerifier(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* sync_status) override {
    if (IdentityAllowed(Copies(request->uri_names()), Copies(request->dns_names()), allowed_)) return true;
    *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "not an engine's identity");
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::vector<std::string> allowed_;
};

// Null when TLS is asked for and its files cannot be used: never plaintext instead.
std::shared_ptr<grpc::ChannelCredentials> Credentials(const LocalConfig& config) {
  const TlsConfig& tls = config.tls;
  if (!tls.enabled()) return grpc::InsecureChannelCredentials();
  if (const absl::Status checked = CheckTls(tls); !checked.ok()) {
    HG_LOG(Error, "engines cannot be reached, TLS files: ", std::string(checked.message()));
    return nullptr;
  }
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      tls.key_file, tls.certificate_file, tls.ca_file, kCertificatePollSeconds));
  // Without a CA of its own the system's trust anchors verify the engine.
  if (!tls.ca_file.empty()) options.watch_root_certs();
  if (!tls.certificate_file.empty()) options.watch_identity_key_cert_pairs();
  if (!config.tls_identities.empty()) {
    options.set_certificate_verifier(
        grpc::experimental::ExternalCertificateVerifier::Create<IdentityVerifier>(config.tls_identities));
    options.set_check_call_host(false);  // the address is no name; the identity was checked instead
  }
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

Counter& RefusedIdentities(Metrics& metrics) {
  return metrics.GetCounter("headgate_router_refused_identities_total",
                            "Connections to engines whose certificate proved no allowed name, or has no authority.");
}

bool RefusedForCertificate(const grpc::Status& status) {
  const std::string& message = status.error_message();
  return absl::StrContains(message, "certificate verify failed") ||        // its chain; OpenSSL's words
         absl::StrContains(message, "Custom verification check failed");  // its name, ours or gRPC's own check
}

bool IdentityAllowed(const std::vector<std::string>& uris, const std::vector<std::string>& dns_names,
                     const std::vector<std::string>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& identity) {
    if (!absl::StartsWith(identity, "spiffe://")) {
      return std::any_of(dns_names.begin(), dns_names.end(),
                         [&](const std::string& name) { return absl::EqualsIgnoreCase(name, identity); });
    }
    if (uris.size() != 1) return false;
    if (!absl::EndsWith(identity, "/*")) return uris[0] == identity;
    const std::string below = identity.substr(0, identity.size() - 1);
    return uris[0].size() > below.size() && absl::StartsWith(uris[0], below) &&
           uris[0].find("/../") == std::string::npos;
  });
}

std::shared_ptr<grpc::Channel> MakeEngineChannel(const std::string& address, const LocalConfig& config) {
  std::string host, port;
  // The registry has looked; a second lock costs nothing.
  if (!SplitAddress(address, &host, &port) || !AddressInRanges(host, config.address_ranges)) {
    HG_LOG(Error, "engine refused, not in local.address_ranges: address=", address);
    return nullptr;
  }
  const auto credentials = Credentials(config);
  if (credentials == nullptr) return nullptr;
  const int connect_ms = static_cast<int>(absl::ToInt64Milliseconds(config.connect_timeout));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);                     // dispatch retries, and knows when it may not
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_ms);  // also bounds one attempt to connect
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMsMin);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);     // ours: prompts stay as they are
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);                    // nobody looks; counted for every call
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetMaxSendMessageSize(kSendBytesMax);
  if (!config.tls_server_name.empty()) {
    arguments.SetString(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, config.tls_server_name);
  }
  // A literal: gRPC resolves no name, so every connection of this channel, the first and each later one, goes to the
  // address that was checked.
  const char* scheme = address.front() == '[' ? "ipv6:" : "ipv4:";
  return grpc::CreateCustomChannel(absl::StrCat(scheme, address), credentials, arguments);
}

}  // namespace headgate::router
