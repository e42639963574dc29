// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Two coroutines a connection: Pump reads bytes and notices the end, Serve parses requests and runs the handler. Beast
// parses; sockets are hidden behind HttpSocket, so TLS is not visible here. What is written collects in `outgoing_` and
// leaves in one system call when the executor comes round: a burst of events of one stream costs as much as one event,
// and answers that are ready together leave in a row, which wakes the peer once.
#include "services/router/http_server.h"

#include <sys/resource.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <typeinfo>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/as_tuple.hpp"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"
#include "common/log.h"
#include "common/mailbox.h"
#include "common/status_macros.h"

namespace headgate::services {
namespace {

namespace beast_http = boost::beast::http;
using boost::asio::ip::tcp;
using Acceptor = boost::asio::basic_socket_acceptor<tcp, Executor>;

constexpr size_t kReadAheadMax = 64 << 10;
constexpr size_t kUnsentMax = 16 << 10;    // then whoever writes waits for the peer
constexpr size_t kKeptBytesMax = 4 << 10;  // of a buffer that is empty
constexpr absl::Duration kGraceAfterCancel = absl::Seconds(1);
constexpr absl::Duration kAcceptAgain = absl::Milliseconds(100);
constexpr rlim_t kOtherDescriptors = 64;  // of the process: listeners, the audit log, what gRPC needs
constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<Executor>> kAwait;

// The kind of exception only: its text could quote a request.
void LogEnd(const char* what, std::exception_ptr error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    HG_LOG(Error, what, " ended by an exception of type ", typeid(e).name());
  }
}

}  // namespace

struct HttpServer::State {
  Executor executor;
  Clock& clock;
  const HttpServerConfig config;
  const HttpHandler handler;
  Gauge& connections_gauge;
  std::shared_ptr<TlsContext> tls;
  std::optional<Acceptor> acceptor;
  std::set<Connection*> connections;
  bool draining = false;
  bool closed = false;
};

class HttpServer::Connection final : public HttpReply, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<State> state, std::unique_ptr<HttpSocket> socket)
      : state_(std::move(state)),
        socket_(std::move(socket)),
        arrived_(state_->executor, 1),
        taken_(state_->executor, 1),
        room_(state_->executor, 1) {
    state_->connections.insert(this);
    state_->connections_gauge.Set(static_cast<double>(state_->connections.size()));
  }
  ~Connection() override {
    state_->connections.erase(this);
    state_->connections_gauge.Set(static_cast<double>(state_->connections.size()));
  }

  void Run() {
    boost::asio::co_spawn(state_->executor, Serve(shared_from_this()),
                          [self = shared_from_this()](std::exception_ptr error) {
                            LogEnd("http connection", error);
                            self->Close();
                            self->taken_.Close(absl::OkStatus());  // lets Pump go
                          });
  }
  void Close() {
    closed_ = true;
    socket_->Close();
  }
  void CloseIfIdle() {
    if (request_ || !incoming_.empty()) return;
    Flush();
    flushing_ ? void(keep_alive_ = false) : Close();  // FlushSlowly closes what is not kept
  }

  Task<absl::Status> Send(int status, HttpHeaders headers, std::string body) override {
    headers.emplace_back("content-length", absl::StrCat(body.size()));
    AppendHead(status, headers);
    if (request_->method != "HEAD") outgoing_.append(body);
    answered_ = true;
    FlushLast();
    return Settle(/*all=*/true);
  }
  Task<absl::Status> Begin(int status, HttpHeaders headers) override {
    chunked_ = http11_;
    streaming_ = true;
    if (chunked_) {
      headers.emplace_back("transfer-encoding", "chunked");
    } else {
      keep_alive_ = false;
    }
    AppendHead(status, headers);
    FlushSoon();
    return Settle(/*all=*/false);
  }
  Task<absl::Status> WriteChunk(std::string bytes) override {
    if (!bytes.empty()) {
      if (chunked_) absl::StrAppend(&outgoing_, absl::Hex(bytes.size()), "\r\n", bytes, "\r\n");
      if (!chunked_) outgoing_.append(bytes);
      outgoing_.size() < kUnsentMax ? FlushSoon() : Flush();
    }
    return Settle(/*all=*/false);
  }
  Task<absl::Status> End() override {
    answered_ = true;
    if (chunked_) outgoing_.append("0\r\n\r\n");
    FlushLast();
    return Settle(/*all=*/true);
  }

 private:
  using Parser = beast_http::request_parser<beast_http::string_body>;

  void AppendHead(int status, const HttpHeaders& headers) {
    if (state_->draining) keep_alive_ = false;
    const auto reason = beast_http::obsolete_reason(static_cast<beast_http::status>(status));
    absl::StrAppend(&outgoing_, http11_ ? "HTTP/1.1 " : "HTTP/1.0 ", status, " ",
                    absl::string_view(reason.data(), reason.size()), "\r\n");
    for (const auto& [name, value] : headers) absl::StrAppend(&outgoing_, name, ": ", value, "\r\n");
    absl::StrAppend(&outgoing_, "connection: ", keep_alive_ ? "keep-alive" : "close", "\r\n\r\n");
  }

  void FlushSoon() {
    if (flush_posted_ || flushing_) return;
    flush_posted_ = true;
    boost::asio::post(state_->executor, [self = shared_from_this()] {
      self->flush_posted_ = false;
      self->Flush();
    });
  }
  void FlushLast() { state_->draining ? Flush() : FlushSoon(); }  // a drained server closes after its last call
  void Flush() {
    if (flushing_) return;  // it goes on by itself
    if (!closed_ && !outgoing_.empty()) outgoing_.erase(0, socket_->WriteSome(outgoing_));
    if (closed_ || outgoing_.empty()) return Emptied();
    flushing_ = true;
    boost::asio::co_spawn(state_->executor, FlushSlowly(shared_from_this()),
                          [](std::exception_ptr error) { LogEnd("http writer", error); });
  }
  void Emptied() {
    outgoing_.clear();
    if (outgoing_.capacity() > kKeptBytesMax) outgoing_.shrink_to_fit();
  }
  // A peer that does not read for stall_max is cut off; after a cancellation it has a second to take the last words.
  static Task<void> FlushSlowly(std::shared_ptr<Connection> self) {
    std::string bytes;
    while (!self->closed_ && !self->outgoing_.empty()) {
      bytes.clear();
      bytes.swap(self->outgoing_);
      const bool live = self->cancellation_ ? !self->cancellation_->cancelled() : self->keep_alive_;
      auto timer = self->CloseAfter(live ? self->state_->config.stall_max : kGraceAfterCancel);
      Cancellation::Registration hurry;
      if (live && self->cancellation_) {
        hurry = self->cancellation_->OnCancel([&timer, &self] { timer = self->CloseAfter(kGraceAfterCancel); });
      }
      const absl::Status written = co_await self->socket_->Write(bytes);
      if (!written.ok()) self->Gone();
      static_cast<void>(self->room_.Offer(true));
    }
    self->flushing_ = false;
    self->Emptied();
    if (!self->keep_alive_ && !self->request_) self->Close();
    static_cast<void>(self->room_.Offer(true));
  }
  // Waits until all has gone out, or until there is room for more.
  Task<absl::Status> Settle(bool all) {
    Cancellation never;
    while (flushing_ && (all || (!closed_ && outgoing_.size() >= kUnsentMax))) {
      auto got = co_await room_.Receive(state_->clock, absl::InfiniteDuration(), never);
      static_cast<void>(got);
    }
    co_return closed_ ? absl::UnavailableError("connection closed") : absl::OkStatus();
  }

  void Gone() {
    Close();
    if (cancellation_) cancellation_->Cancel(absl::CancelledError("the client has gone"));
  }

  static Task<void> Pump(std::shared_ptr<Connection> self) {
    Cancellation never;
    while (!self->closed_) {
      const absl::Status read = co_await self->socket_->Read(self->incoming_, kReadAheadMax);
      if (!read.ok()) break;
      static_cast<void>(self->arrived_.Offer(true));
      while (self->incoming_.size() >= kReadAheadMax && !self->closed_) {
        auto waited = co_await self->taken_.Receive(self->state_->clock, absl::InfiniteDuration(), never);
      }
    }
    self->ended_ = true;
    self->Gone();
    self->arrived_.Close(absl::UnavailableError("connection closed"));
  }

  static Task<void> Serve(std::shared_ptr<Connection> self) {
    auto timer = self->CloseAfter(self->state_->config.receive_max);
    const absl::Status opened = co_await self->socket_->Open();
    timer.reset();
    const auto& on_refuse = self->state_->config.on_refuse;
    if (absl::IsInvalidArgument(opened) && on_refuse) on_refuse(kNoTls);
    if (!opened.ok()) co_return;
    self->peer_identity_ = self->socket_->PeerIdentity();
    boost::asio::co_spawn(self->state_->executor, Pump(self),
                          [](std::exception_ptr error) { LogEnd("http reader", error); });
    while (self->keep_alive_ && !self->closed_ && !self->state_->closed) {
      const bool more = co_await self->ServeOne();
      if (!more) break;
    }
  }

  std::unique_ptr<Timer> CloseAfter(absl::Duration wait) { return CloseAt(state_->clock.Monotonic() + wait); }
  std::unique_ptr<Timer> CloseAt(MonotonicTime when) {
    return state_->clock.CallAt(when, [this] { Close(); });
  }
  // The timer stays from request to request, and only looks whether the time has really passed.
  void CloseWhenIdleSince(MonotonicTime now) {
    idle_until_ = now + state_->config.idle_max;
    if (!idle_timer_) ArmIdle();
  }
  void ArmIdle() {
    idle_timer_ = state_->clock.CallAt(idle_until_, [this] {
      idle_timer_.reset();
      if (idle_until_ == absl::InfiniteDuration()) return;
      if (state_->clock.Monotonic() >= idle_until_) return Close();
      ArmIdle();
    });
  }

  // Waits for bytes; false when the connection has ended.
  Task<bool> MoreBytes() {
    Cancellation never;
    if (ended_) co_return false;
    auto got = co_await arrived_.Receive(state_->clock, absl::InfiniteDuration(), never);
    co_return got.ok();
  }

  // One request and its answer; false when the connection is to be closed.
  Task<bool> ServeOne() {
    Parser parser;
    parser.eager(true);
    parser.header_limit(static_cast<uint32_t>(state_->config.header_bytes_max));
    parser.body_limit(state_->config.body_bytes_max);
    if (state_->draining && served_ && incoming_.empty()) co_return false;
    served_ = true;
    CloseWhenIdleSince(state_->clock.Monotonic());
    while (incoming_.empty()) {
      const bool more = co_await MoreBytes();
      if (!more) co_return false;
    }
    idle_until_ = absl::InfiniteDuration();
    request_.emplace();
    request_->received = state_->clock.Monotonic();
    bool complete = co_await Receive(parser);
    if (closed_ || state_->closed) complete = false;  // nobody would hear what became of it
    if (complete) {
      Fill(parser.get());
      cancellation_.emplace();
      answered_ = streaming_ = chunked_ = false;
      if (ended_) cancellation_->Cancel(absl::CancelledError("the client has gone"));
      co_await state_->handler(*request_, *this, *cancellation_);
      if (!keep_alive_ || !answered_ || state_->draining) Flush();  // otherwise while the next request is waited for
      const absl::Status sent = co_await Settle(/*all=*/true);  // nothing refers to the cancellation any more
      if (!sent.ok()) answered_ = false;
      cancellation_.reset();
    }
    request_.reset();
    co_return complete && answered_;
  }

  // Reads one request into `parser`; answers what cannot be one. False when the connection is to be closed.
  Task<bool> Receive(Parser& parser) {
    bool continued = false;
    std::unique_ptr<Timer> timer;
    while (!parser.is_done()) {
      boost::system::error_code error;
      const size_t used = parser.put(boost::asio::buffer(incoming_), error);
      incoming_.erase(0, used);
      static_cast<void>(taken_.Offer(true));
      // A form of body that we cannot read would count as none, and what a proxy let pass as the body as a request.
      if (parser.is_done() && parser.get().count(beast_http::field::transfer_encoding) > 0 && !parser.chunked())
        error = beast_http::error::bad_transfer_encoding;
      if (error && error != beast_http::error::need_more) {
        co_await Refuse(error);
        co_return false;
      }
      if (parser.is_done()) break;
      if (parser.is_header_done() && !continued) {
        continued = true;
        if (boost::beast::iequals(parser.get()[beast_http::field::expect], "100-continue")) {
          outgoing_.append("HTTP/1.1 100 Continue\r\n\r\n");
          Flush();
          const absl::Status written = co_await Settle(/*all=*/true);
          if (!written.ok()) co_return false;
        }
      }
      if (!error && used > 0 && !incoming_.empty()) continue;
      if (incoming_.empty() && incoming_.capacity() > kKeptBytesMax) incoming_.shrink_to_fit();
      if (!timer) timer = CloseAt(request_->received + state_->config.receive_max);
      const bool more = co_await MoreBytes();
      if (!more) co_return false;
    }
    co_return true;
  }

  Task<void> Refuse(boost::system::error_code error) {
    keep_alive_ = false;
    http11_ = true;
    int status = 400;
    std::string what = "the request is not valid HTTP";
    if (error == beast_http::error::body_limit) {
      status = 413;
      what = absl::StrCat("the body is larger than ", state_->config.body_bytes_max, " bytes");
    } else if (error == beast_http::error::header_limit) {
      status = 431;
      what = absl::StrCat("the header is larger than ", state_->config.header_bytes_max, " bytes");
    }
    if (state_->config.on_refuse) state_->config.on_refuse(status);
    HttpHeaders headers = {{"content-type", "application/json"}};
    std::string body = absl::StrCat("{\"error\":{\"message\":\"", what,
                                    "\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    const absl::Status sent = co_await Send(status, std::move(headers), std::move(body));
    // A peer that is still sending would get a reset, and lose the answer with it: read on for a moment.
    auto timer = CloseAfter(kGraceAfterCancel);
    for (bool more = sent.ok(); more;) {
      incoming_.clear();
      static_cast<void>(taken_.Offer(true));
      more = co_await MoreBytes();
    }
  }

  void Fill(beast_http::request<beast_http::string_body>& message) {
    http11_ = message.version() >= 11;
    keep_alive_ = message.keep_alive();
    request_->method = std::string(message.method_string());
    request_->path = std::string(message.target());
    request_->path.resize(std::min(request_->path.find('?'), request_->path.size()));
    for (const auto& field : message) {
      const auto name = field.name_string(), value = field.value();
      request_->headers.emplace_back(absl::AsciiStrToLower(absl::string_view(name.data(), name.size())),
                                     std::string(value.data(), value.size()));
    }
    request_->body = std::move(message.body());
    request_->peer_identity = peer_identity_;
  }

  const std::shared_ptr<State> state_;
  const std::unique_ptr<HttpSocket> socket_;
  Mailbox<bool> arrived_;  // Pump -> Serve: bytes are there
  Mailbox<bool> taken_;    // Serve -> Pump: there is room again
  Mailbox<bool> room_;     // FlushSlowly -> Settle: some of it went out
  std::string incoming_;
  std::string outgoing_;
  MonotonicTime idle_until_ = absl::InfiniteDuration();
  std::unique_ptr<Timer> idle_timer_;
  std::string peer_identity_;
  std::optional<HttpRequest> request_;
  std::optional<Cancellation> cancellation_;
  bool served_ = false;  // a request before this one
  bool ended_ = false;
  bool closed_ = false;
  bool flush_posted_ = false;
  bool flushing_ = false;  // FlushSlowly runs
  bool keep_alive_ = true;
  bool http11_ = true;
  bool chunked_ = false;
  bool streaming_ = false;
  bool answered_ = false;
};

HttpServer::HttpServer(Executor executor, Clock& clock, HttpServerConfig config, HttpHandler handler, Metrics& metrics)
    : state_(std::make_shared<State>(State{
          executor, clock, config, std::move(handler),
          metrics.GetGauge("headgate_router_http_connections", "Open HTTP connections."), nullptr, {}, {}})) {}

HttpServer::~HttpServer() { Close(); }

namespace {

// A request takes a descriptor towards its upstream too: whoever would find none waits outside.
size_t DescriptorPairs() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return static_cast<size_t>((std::max(limit.rlim_cur, kOtherDescriptors + 2) - kOtherDescriptors) / 2);
}

// Refused connections are closed at once: the peer sees it, and nothing waits unbounded.
template <typename State, typename Connection>
Task<void> Accept(std::shared_ptr<State> state) {
  Cancellation never;
  const size_t most = DescriptorPairs();
  while (!state->closed) {
    if (state->connections.size() >= most) {
      const absl::Status slept =
          co_await SleepUntil(state->executor, state->clock, state->clock.Monotonic() + kAcceptAgain, never);
      if (!slept.ok()) break;
      continue;
    }
    auto [error, socket] = co_await state->acceptor->async_accept(kAwait);
    if (state->closed || !state->acceptor->is_open()) break;
    if (error) {
      HG_LOG(Warning, "http accept: ", error.message());
      const absl::Status slept =
          co_await SleepUntil(state->executor, state->clock, state->clock.Monotonic() + kAcceptAgain, never);
      if (!slept.ok()) break;
      continue;
    }
    if (state->connections.size() >= state->config.connections_max) continue;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto wrapped = state->tls ? MakeTlsSocket(std::move(socket), state->tls) : MakePlainSocket(std::move(socket));
    std::make_shared<Connection>(state, std::move(wrapped))->Run();
  }
}

// `127.0.0.1:8080` or `[::1]:8080`.
absl::StatusOr<tcp::endpoint> ParseAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError(absl::StrCat(address, ": has no port"));
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": bad port"));
  }
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(address, ": the host must be an IP address"));
  return tcp::endpoint(ip, static_cast<uint16_t>(port));
}

}  // namespace

absl::StatusOr<std::string> HttpServer::Start(const std::string& address, std::shared_ptr<TlsContext> tls) {
  ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ParseAddress(address));
  state_->tls = std::move(tls);
  Acceptor acceptor(state_->executor);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(4096, error);
  const auto local = error ? endpoint : acceptor.local_endpoint(error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", error.message()));
  state_->acceptor.emplace(std::move(acceptor));
  boost::asio::co_spawn(state_->executor, Accept<State, Connection>(state_),
                        [](std::exception_ptr error) { LogEnd("http accept", error); });
  const std::string ip = local.address().to_string();
  return absl::StrCat(local.address().is_v6() ? absl::StrCat("[", ip, "]") : ip, ":", local.port());
}

void HttpServer::SetTls(std::shared_ptr<TlsContext> tls) { state_->tls = std::move(tls); }

void HttpServer::Drain() {
  state_->draining = true;
  for (Connection* connection : state_->connections) connection->CloseIfIdle();
}

void HttpServer::StopAccepting() {
  boost::system::error_code ignored;
  if (state_->acceptor) state_->acceptor->close(ignored);
  for (Connection* connection : state_->connections) connection->CloseIfIdle();
}

void HttpServer::Close() {
  StopAccepting();
  state_->closed = true;
  for (Connection* connection : state_->connections) connection->Close();
}

size_t HttpServer::connections() const { return state_->connections.size(); }

}  // namespace headgate::services
