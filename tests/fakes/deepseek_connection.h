// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One client's connection to the emulator: HTTP/1.1 over TCP or TLS. It reads all the time, also while an answer is
// being written, so that every byte is recorded at once and a client that leaves is noticed.
//
// Thread-safety: the emulator's executor thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl/context.hpp"
#include "common/mailbox.h"
#include "tests/fakes/deepseek_state.h"

namespace headgate {

using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

struct HttpRequest {
  std::string method, target, authorization, body;
};

class DeepSeekConnection : public std::enable_shared_from_this<DeepSeekConnection> {
 public:
  // The socket below HTTP, with or without TLS.
  class Wire;

  // `tls` null = plain.
  static std::shared_ptr<DeepSeekConnection> Make(Executor executor, Clock& clock, DeepSeekState& state,
                                                  TcpSocket socket, boost::asio::ssl::context* tls);
  DeepSeekConnection(Executor executor, Clock& clock, DeepSeekState& state, std::unique_ptr<Wire> wire);
  ~DeepSeekConnection();

  // Handshake, then reading in the background; false when the handshake fails.
  Task<bool> Open();
  // Nullopt when the client has left or does not speak HTTP.
  Task<std::optional<HttpRequest>> ReadRequest();

  // A whole response.
  Task<void> Respond(int status, const std::string& extra_headers, const std::string& content_type, std::string body);
  // A response in pieces: begin, any number of Body, then EndBody for a proper end.
  Task<void> BeginBody(const std::string& content_type);
  Task<void> Body(std::string text, int64_t piece_bytes);
  Task<void> EndBody();
  Task<void> Flush();
  Task<void> WriteRaw(std::string bytes);
  // OK unless the client left meanwhile.
  Task<absl::Status> Sleep(absl::Duration duration);

  // Forgets what was not flushed. `reset`: RST instead of FIN.
  void Close(bool reset);
  bool open() const { return open_; }
  // The client has left or the emulator stops.
  Cancellation& gone() { return gone_; }
  void Abort();

  const int64_t id;

 private:
  Task<void> ReadAll(std::shared_ptr<DeepSeekConnection> self);

  Executor executor_;
  Clock& clock_;
  DeepSeekState& state_;
  std::unique_ptr<Wire> wire_;
  Mailbox<std::string> received_;
  Cancellation gone_;
  bool open_ = true;
  std::string unread_;   // received, not parsed
  std::string pending_;  // to be written
};

}  // namespace headgate
