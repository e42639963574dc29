// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// LocalConnection: how libcurl reaches one OpenAI-compatible engine pod. Local is a fact, not a label, as it is for our
// own engines (engine_channel.h): only a literal address inside the configured ranges is ever connected to, looked at
// again at every connect, and with TLS the pod must prove a name that configuration allows at every handshake.
//
// Thread-safety: executor thread only (libcurl calls back on it). Must outlive the transfers that it configured.
#pragma once

#include <curl/curl.h>
#include <openssl/types.h>

#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "router/config_upstreams.h"

namespace headgate::router {

class LocalConnection {
 public:
  LocalConnection(const std::string& address, const LocalConfig& config, const Clock& clock, Metrics& metrics);
  ~LocalConnection();
  LocalConnection(const LocalConnection&) = delete;
  LocalConnection& operator=(const LocalConnection&) = delete;

  // FAILED_PRECONDITION when `address` is no literal inside the ranges or TLS files cannot be used: nothing is sent.
  const absl::Status& status() const { return status_; }
  std::string Url(const std::string& path) const { return base_ + path; }
  void Configure(CURL* easy);
  // Whether a connection to `ip` may be made; complains when not.
  bool Allows(const std::string& ip);

 private:
  static curl_socket_t OpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static CURLcode OnSslContext(CURL* easy, void* ssl_context, void* self);
  static int Verify(void* store_context, void* self);
  bool Proves(X509* leaf) const;
  void Complain(const std::string& what);

  const LocalConfig config_;
  const std::string address_;
  const Clock& clock_;
  Counter& refused_;
  absl::Status status_;
  std::string base_;                 // scheme, host and port
  curl_slist* resolve_ = nullptr;    // the expected name stands for the literal: no name is looked up
  MonotonicTime complain_at_ = -absl::InfiniteDuration();
};

}  // namespace headgate::router
