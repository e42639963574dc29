// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/metrics_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace headgate::services {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kConnectionsMax = 16;
constexpr size_t kHeaderBytesMax = 8 << 10;

using Respond = std::function<http::response<http::string_body>(const http::request<http::empty_body>&)>;

// One connection: a request, its answer, the next.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, const Respond& respond) : socket_(std::move(socket)), respond_(respond) {}
  void Read() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(0);
    http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->Close();
      self->response_ = self->respond_(self->parser_->get());
      self->Write();
    });
  }
  void Close() {
    error_code ignored;
    socket_.close(ignored);
  }
  bool open() const { return socket_.is_open(); }

 private:
  void Write() {
    response_.keep_alive(parser_->get().keep_alive());
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](error_code error, size_t) {
      if (error || !self->response_.keep_alive()) return self->Close();
      self->Read();
    });
  }

  tcp::socket socket_;
  const Respond& respond_;
  boost::beast::flat_buffer buffer_{kHeaderBytesMax};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
};

class HttpMetricsServer : public MetricsServer {
 public:
  HttpMetricsServer(Metrics& metrics, std::function<bool()> healthy, std::function<void()> before_scrape)
      : metrics_(metrics), healthy_(std::move(healthy)), before_scrape_(std::move(before_scrape)) {
    respond_ = [this](const auto& request) { return Answer(request); };
  }
  ~HttpMetricsServer() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& address) {
    const size_t colon = address.rfind(':');
    int port = -1;
    error_code error;
    const auto host = asio::ip::make_address(address.substr(0, colon == std::string::npos ? 0 : colon), error);
    if (error || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
      return absl::InvalidArgumentError(absl::StrCat(address, ": is not IP:PORT"));
    }
    const tcp::endpoint endpoint(host, static_cast<uint16_t>(port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", error.message()));
    bound_ = acceptor_.local_endpoint();
    Accept();
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  int port() const override { return bound_.port(); }
  std::string address() const override { return absl::StrCat(bound_.address().to_string(), ":", bound_.port()); }

 private:
  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!error) Serve(std::move(socket));
      Accept();
    });
  }

  void Serve(tcp::socket socket) {
    std::erase_if(connections_, [](const auto& connection) { return !connection->open(); });
    if (connections_.size() >= kConnectionsMax) {
      connections_.front()->Close();
      connections_.pop_front();
    }
    connections_.push_back(std::make_shared<Connection>(std::move(socket), respond_));
    connections_.back()->Read();
  }

  http::response<http::string_body> Answer(const http::request<http::empty_body>& request) const {
    http::response<http::string_body> response(http::status::ok, request.version());
    response.set(http::field::content_type, "text/plain; charset=utf-8");
    if (request.method() != http::verb::get) {
      response.result(http::status::method_not_allowed);
      response.set(http::field::allow, "GET");
    } else if (request.target() == "/metrics") {
      before_scrape_();
      response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
      response.body() = metrics_.Text();
    } else if (request.target() == "/healthz") {
      const bool healthy = healthy_();
      response.result(healthy ? http::status::ok : http::status::service_unavailable);
      response.body() = healthy ? "ok\n" : "not serving\n";
    } else {
      response.result(http::status::not_found);
      response.body() = "try /metrics or /healthz\n";
    }
    return response;
  }

  Metrics& metrics_;
  const std::function<bool()> healthy_;
  const std::function<void()> before_scrape_;
  Respond respond_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  tcp::endpoint bound_;
  std::deque<std::shared_ptr<Connection>> connections_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address, Metrics& metrics,
                                                                    std::function<bool()> healthy,
                                                                    std::function<void()> before_scrape) {
  auto server = std::make_unique<HttpMetricsServer>(metrics, std::move(healthy), std::move(before_scrape));
  if (auto status = server->Listen(address); !status.ok()) return status;
  return server;
}

}  // namespace headgate::services
