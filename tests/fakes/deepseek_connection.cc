// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/deepseek_connection.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "boost/asio/buffer.hpp"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/detached.hpp"
#include "boost/asio/redirect_error.hpp"
#include "boost/asio/ssl/stream.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"

namespace headgate {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr asio::use_awaitable_t<Executor> kAwait;
constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kPendingBytesMax = 16 << 10;
constexpr size_t kMailboxReadsMax = 4096;
constexpr uint64_t kBodyBytesMax = 64 << 20;

}  // namespace

class DeepSeekConnection::Wire {
 public:
  virtual ~Wire() = default;
  virtual Task<bool> Handshake() = 0;
  virtual Task<size_t> Read(asio::mutable_buffer buffer) = 0;  // 0 = the end
  virtual Task<bool> Write(asio::const_buffer buffer) = 0;
  virtual TcpSocket& socket() = 0;
};

namespace {

template <typename Stream>
class StreamWire : public DeepSeekConnection::Wire {
 public:
  template <typename... Args>
  explicit StreamWire(Args&&... args) : stream_(std::forward<Args>(args)...) {}

  Task<bool> Handshake() override {
    if constexpr (std::is_same_v<Stream, TcpSocket>) {
      co_return true;
    } else {
      error_code error;
      co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(kAwait, error));
      co_return !error;
    }
  }
  Task<size_t> Read(asio::mutable_buffer buffer) override {
    error_code error;
    const size_t n = co_await stream_.async_read_some(buffer, asio::redirect_error(kAwait, error));
    co_return error ? 0 : n;
  }
  Task<bool> Write(asio::const_buffer buffer) override {
    error_code error;
    co_await asio::async_write(stream_, buffer, asio::redirect_error(kAwait, error));
    co_return !error;
  }
  TcpSocket& socket() override {
    if constexpr (std::is_same_v<Stream, TcpSocket>) {
      return stream_;
    } else {
      return stream_.next_layer();
    }
  }

 private:
  Stream stream_;
};

}  // namespace

std::shared_ptr<DeepSeekConnection> DeepSeekConnection::Make(Executor executor, Clock& clock, DeepSeekState& state,
                                                             TcpSocket socket, asio::ssl::context* tls) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  std::unique_ptr<Wire> wire;
  if (tls == nullptr) {
    wire = std::make_unique<StreamWire<TcpSocket>>(std::move(socket));
  } else {
    wire = std::make_unique<StreamWire<asio::ssl::stream<TcpSocket>>>(std::move(socket), *tls);
  }
  return std::make_shared<DeepSeekConnection>(executor, clock, state, std::move(wire));
}

DeepSeekConnection::DeepSeekConnection(Executor executor, Clock& clock, DeepSeekState& state,
                                       std::unique_ptr<Wire> wire)
    : id(state.OpenConnection()),
      executor_(executor),
      clock_(clock),
      state_(state),
      wire_(std::move(wire)),
      received_(executor, kMailboxReadsMax) {}

DeepSeekConnection::~DeepSeekConnection() {
  wire_.reset();
  state_.With([](auto&, auto&, auto& stats) { --stats.connections_open; });
}

Task<bool> DeepSeekConnection::Open() {
  const bool ok = co_await wire_->Handshake();
  if (ok) asio::co_spawn(executor_, ReadAll(shared_from_this()), asio::detached);
  co_return ok;
}

Task<void> DeepSeekConnection::ReadAll(std::shared_ptr<DeepSeekConnection> /*self*/) {
  std::array<char, kReadBytes> buffer;
  while (true) {
    const size_t n = co_await wire_->Read(asio::buffer(buffer));
    if (n == 0) break;
    state_.Record(id, {buffer.data(), n});
    if (!received_.Offer(std::string(buffer.data(), n))) break;
  }
  Abort();
  received_.Close(absl::OkStatus());
}

Task<std::optional<HttpRequest>> DeepSeekConnection::ReadRequest() {
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.body_limit(kBodyBytesMax);
  while (!parser.is_done()) {
    error_code error;
    if (!unread_.empty()) {
      const size_t used = parser.put(asio::buffer(unread_), error);
      unread_.erase(0, used);
      if (error && error != http::error::need_more) co_return std::nullopt;
      if (parser.is_done()) break;
      if (used > 0 && !unread_.empty()) continue;
    }
    auto bytes = co_await received_.Receive(clock_, absl::InfiniteDuration(), gone_);
    if (!bytes.ok() || !bytes->has_value()) co_return std::nullopt;
    unread_ += **bytes;
  }
  auto message = parser.release();
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.authorization = std::string(message[http::field::authorization]);
  request.body = std::move(message.body());
  co_return request;
}

Task<void> DeepSeekConnection::WriteRaw(std::string bytes) {
  if (!open_ || gone_.cancelled()) co_return;
  const bool ok = co_await wire_->Write(asio::buffer(bytes));
  if (!ok) {
    Abort();
    co_return;
  }
  const auto sent = static_cast<int64_t>(bytes.size());
  state_.With([sent](auto&, auto&, auto& stats) { stats.bytes_sent += sent; });
}

Task<void> DeepSeekConnection::Flush() {
  if (pending_.empty()) co_return;
  std::string bytes = std::exchange(pending_, std::string());
  co_await WriteRaw(std::move(bytes));
}

Task<void> DeepSeekConnection::Respond(int status, const std::string& extra_headers, const std::string& content_type,
                                       std::string body) {
  std::string bytes = absl::StrCat("HTTP/1.1 ", status, " ", status == 200 ? "OK" : "Status", "\r\nContent-Type: ",
                                   content_type, "\r\nContent-Length: ", body.size(), "\r\n", extra_headers, "\r\n",
                                   body);
  co_await WriteRaw(std::move(bytes));
}

Task<void> DeepSeekConnection::BeginBody(const std::string& content_type) {
  std::string head = absl::StrCat("HTTP/1.1 200 OK\r\nContent-Type: ", content_type,
                                  "\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
  co_await WriteRaw(std::move(head));
}

Task<void> DeepSeekConnection::Body(std::string text, int64_t piece_bytes) {
  const size_t piece = piece_bytes > 0 ? static_cast<size_t>(piece_bytes) : text.size();
  for (size_t begin = 0; begin < text.size(); begin += piece) {
    const size_t n = std::min(piece, text.size() - begin);
    absl::StrAppend(&pending_, absl::StrFormat("%x\r\n", n), absl::string_view(text.data() + begin, n), "\r\n");
    if (piece_bytes > 0 || pending_.size() > kPendingBytesMax) co_await Flush();
  }
}

Task<void> DeepSeekConnection::EndBody() {
  pending_ += "0\r\n\r\n";
  co_await Flush();
}

Task<absl::Status> DeepSeekConnection::Sleep(absl::Duration duration) {
  const MonotonicTime until = clock_.Monotonic() + duration;
  absl::Status status = co_await SleepUntil(executor_, clock_, until, gone_);
  co_return status;
}

void DeepSeekConnection::Close(bool reset) {
  open_ = false;
  pending_.clear();
  error_code ignored;
  if (reset) wire_->socket().set_option(asio::socket_base::linger(true, 0), ignored);
  // FIN without TLS close_notify: what a proxy that dies does.
  if (!reset) wire_->socket().shutdown(TcpSocket::shutdown_both, ignored);
  wire_->socket().close(ignored);
}

void DeepSeekConnection::Abort() {
  Close(false);
  gone_.Cancel(absl::CancelledError("the client has left"));
}

}  // namespace headgate
