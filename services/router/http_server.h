// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// HttpServer: HTTP/1.1 with keep-alive on the router's executor, a coroutine per connection. Everything is bounded:
// connections, header, body, time to send a request, time a peer may leave an answer unread. While a request is being
// answered the connection is still read, so a peer that leaves is noticed at once and the work is cancelled. (A peer
// that shuts down only its sending side counts as gone.)
//
// Thread-safety: none; executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/task.h"
#include "services/router/http_socket.h"

namespace headgate::services {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string path;     // without query
  HttpHeaders headers;  // names in lower case, in order of arrival
  std::string body;
  std::string peer_identity;
  MonotonicTime received;
  bool Reads() const { return method == "GET" || method == "HEAD"; }  // HttpReply leaves out HEAD's body
  // Values of every header of that name.
  std::vector<std::string_view> Values(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [key, value] : headers) {
      if (key == name) values.push_back(value);
    }
    return values;
  }
};

// Where one request's answer goes. Either Send, or Begin, WriteChunk..., End. Errors (UNAVAILABLE): the peer has gone.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  virtual Task<absl::Status> Send(int status, HttpHeaders headers, std::string body) = 0;
  virtual Task<absl::Status> Begin(int status, HttpHeaders headers) = 0;
  virtual Task<absl::Status> WriteChunk(std::string bytes) = 0;
  // A stream that is not ended is cut: the connection closes without the closing chunk.
  virtual Task<absl::Status> End() = 0;
};

using HttpHandler = std::function<Task<void>(const HttpRequest& request, HttpReply& reply, Cancellation& cancellation)>;

struct HttpServerConfig {
  size_t body_bytes_max = 4 << 20;
  size_t header_bytes_max = 16 << 10;
  size_t connections_max = 20000;
  absl::Duration idle_max = absl::Seconds(75);     // between requests
  absl::Duration receive_max = absl::Seconds(60);  // one request, first to last byte; also the TLS handshake
  absl::Duration stall_max = absl::Seconds(60);    // one write
  std::function<void(int status)> on_refuse = {};  // what came is no request: 400, 413, 431; no TLS: kNoTls
};
inline constexpr int kNoTls = 0;

class HttpServer {
 public:
  HttpServer(Executor executor, Clock& clock, HttpServerConfig config, HttpHandler handler, Metrics& metrics);
  ~HttpServer();

  // Binds and serves; returns the bound address. `tls` null: plain.
  absl::StatusOr<std::string> Start(const std::string& address, std::shared_ptr<TlsContext> tls);
  // For connections from now on.
  void SetTls(std::shared_ptr<TlsContext> tls);
  // Every answer from now on closes its connection; idle connections close now.
  void Drain();
  // No new connections; those that are idle close now, the others with the answer they wait for. REQUIRES: Drain.
  void StopAccepting();
  // No new connections, and closes those there are.
  void Close();
  size_t connections() const;

 private:
  class Connection;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace headgate::services
