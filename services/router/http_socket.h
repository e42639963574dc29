// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// HttpSocket: one accepted connection as bytes, plain or TLS. One Read and one Write may wait at the same time.
//
// Thread-safety: none; executor thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl/context.hpp"
#include "common/task.h"
#include "common/tls.h"

namespace headgate::services {

using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

class HttpSocket {
 public:
  virtual ~HttpSocket() = default;
  // Makes the connection usable: the TLS handshake. UNAVAILABLE when it fails.
  virtual Task<absl::Status> Open() = 0;
  // At least one byte appended to `out`, at most `bytes_max`; UNAVAILABLE when the peer has closed or Close was called.
  virtual Task<absl::Status> Read(std::string& out, size_t bytes_max) = 0;
  // All of `bytes`, which must remain live.
  virtual Task<absl::Status> Write(std::string_view bytes) = 0;
  // How many of `bytes` went out at once, without waiting. 0 also when the connection is broken: Write says so.
  // REQUIRES: no Write pending.
  virtual size_t WriteSome(std::string_view bytes) = 0;
  // Ends what waits, with an error. May be called more than once.
  virtual void Close() = 0;
  // Subject of the verified client certificate; empty without.
  virtual std::string PeerIdentity() const = 0;
};

using TlsContext = boost::asio::ssl::context;
std::unique_ptr<HttpSocket> MakePlainSocket(TcpSocket socket);
std::unique_ptr<HttpSocket> MakeTlsSocket(TcpSocket socket, std::shared_ptr<TlsContext> context);

// Server side, TLS 1.3 unless config says otherwise; mTLS when a client CA is configured. The error names the file.
absl::StatusOr<std::shared_ptr<TlsContext>> MakeTlsContext(const TlsConfig& config);

}  // namespace headgate::services
