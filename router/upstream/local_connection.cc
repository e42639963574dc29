// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/local_connection.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/tls.h"
#include "router/upstream/address_ranges.h"
#include "router/upstream/engine_channel.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kComplainEvery = absl::Minutes(1);

// The names of one kind in the certificate's subject alternative names.
std::vector<std::string> NamesOf(X509* certificate, int kind) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != kind) continue;
    const ASN1_IA5STRING* text = kind == GEN_URI ? name->d.uniformResourceIdentifier : name->d.dNSName;
    names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<size_t>(ASN1_STRING_length(text)));
  }
  return names;
}

std::string IpOf(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
  } else if (address.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof(text));
  }
  return text;
}

}  // namespace

LocalConnection::LocalConnection(const std::string& address, const LocalConfig& config, const Clock& clock,
                                 Metrics& metrics)
    : config_(config), address_(address), clock_(clock), refused_(RefusedIdentities(metrics)) {
  std::string host, port;
  if (!SplitAddress(address, &host, &port) || !AddressInRanges(host, config.address_ranges)) {
    HG_LOG(Error, "engine refused, not in local.address_ranges: address=", address);
    status_ = absl::FailedPreconditionError("engine address outside local.address_ranges");
    return;
  }
  base_ = absl::StrCat(config.tls.enabled() ? "https://" : "http://", address);
  if (!config.tls.enabled()) return;
  if (const absl::Status checked = CheckTls(config.tls); !checked.ok()) {
    HG_LOG(Error, "engines cannot be reached, TLS files: ", std::string(checked.message()));
    status_ = absl::FailedPreconditionError("local.tls cannot be used");
  } else if (!config.tls_server_name.empty()) {
    base_ = absl::StrCat("https://", config.tls_server_name, ":", port);
    const std::string bracketed = host.find(':') == std::string::npos ? host : absl::StrCat("[", host, "]");
    resolve_ = curl_slist_append(nullptr, absl::StrCat(config.tls_server_name, ":", port, ":", bracketed).c_str());
  }
}

LocalConnection::~LocalConnection() { curl_slist_free_all(resolve_); }

void LocalConnection::Configure(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &LocalConnection::OpenSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  if (!config_.tls.enabled()) return;
  const TlsConfig& tls = config_.tls;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                   static_cast<long>(tls.allow_tls12 ? CURL_SSLVERSION_TLSv1_2 : CURL_SSLVERSION_TLSv1_3));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  // By identities the address is no name to check; they are checked instead, in Verify.
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config_.tls_identities.empty() ? 2L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);  // a resumed session would show no certificate
  if (resolve_ != nullptr) curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve_);
  if (!tls.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (!tls.certificate_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate_file.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key_file.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &LocalConnection::OnSslContext);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);
}

bool LocalConnection::Allows(const std::string& ip) {
  if (AddressInRanges(ip, config_.address_ranges)) return true;
  Complain("not in local.address_ranges");
  return false;
}

curl_socket_t LocalConnection::OpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& connection = *static_cast<LocalConnection*>(self);
  if (!connection.Allows(IpOf(address->addr))) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

CURLcode LocalConnection::OnSslContext(CURL*, void* ssl_context, void* self) {
  SSL_CTX_set_cert_verify_callback(
      static_cast<SSL_CTX*>(ssl_context),
      [](X509_STORE_CTX* context, void* connection) { return Verify(context, connection); }, self);
  return CURLE_OK;
}

int LocalConnection::Verify(void* store_context, void* self) {
  auto* context = static_cast<X509_STORE_CTX*>(store_context);
  auto& connection = *static_cast<LocalConnection*>(self);
  const bool known = X509_verify_cert(context) == 1;
  X509* leaf = X509_STORE_CTX_get0_cert(context);
  if (known && leaf != nullptr && connection.Proves(leaf)) return 1;
  connection.refused_.Increment();
  connection.Complain(known ? "its certificate proves no name that is allowed"
                            : "its certificate has no known authority");
  if (known) X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// By one name or by its address libcurl asks again; here it is known who was refused.
bool LocalConnection::Proves(X509* leaf) const {
  if (!config_.tls_identities.empty()) {
    return IdentityAllowed(NamesOf(leaf, GEN_URI), NamesOf(leaf, GEN_DNS), config_.tls_identities);
  }
  const std::string& name = config_.tls_server_name;
  if (!name.empty()) return X509_check_host(leaf, name.c_str(), name.size(), 0, nullptr) == 1;
  std::string host, port;
  return SplitAddress(address_, &host, &port) && X509_check_ip_asc(leaf, host.c_str(), 0) == 1;
}

void LocalConnection::Complain(const std::string& what) {
  const MonotonicTime now = clock_.Monotonic();
  if (now < complain_at_) return;
  complain_at_ = now + kComplainEvery;
  HG_LOG(Error, "engine refused, ", what, ": address=", address_);
}

}  // namespace headgate::router
