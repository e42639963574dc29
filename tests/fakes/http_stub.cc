// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/http_stub.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/read_until.hpp"
#include "boost/asio/read.hpp"
#include "boost/asio/ssl.hpp"
#include "boost/asio/write.hpp"

namespace headgate {
namespace {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;
using Plain = tcp::socket;
using Secure = boost::asio::ssl::stream<tcp::socket>;

size_t BodyBytes(const std::string& head) {
  for (size_t at = 0; at < head.size(); at = head.find("\r\n", at) + 2) {
    std::string name = head.substr(at, 15);
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    if (name == "content-length:") return std::strtoul(head.c_str() + at + 15, nullptr, 10);
    if (head.find("\r\n", at) == std::string::npos) break;
  }
  return 0;
}

}  // namespace

struct HttpStub::Parts {
  Parts(boost::asio::io_context& io, Handler h)
      : handler(std::move(h)), acceptor(io, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0)) {}
  Handler handler;
  tcp::acceptor acceptor;
  std::unique_ptr<boost::asio::ssl::context> tls;
  std::vector<Request> requests;
  int connections = 0;
  bool stopped = false;
};

namespace {

// One connection, request after request.
template <typename Stream>
class Connection : public std::enable_shared_from_this<Connection<Stream>> {
 public:
  Connection(std::weak_ptr<HttpStub::Parts> parts, Stream stream)
      : parts_(std::move(parts)), stream_(std::move(stream)) {}

  void Start() {
    if constexpr (std::is_same_v<Stream, Secure>) {
      stream_.async_handshake(boost::asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](const Error& error) {
                                if (!error) self->Read();
                              });
    } else {
      Read();
    }
  }

  void Put(std::string bytes, bool last) {
    if (gone_) return;
    out_.push_back(std::move(bytes));
    last_ = last_ || last;
    if (out_.size() == 1) Flush();
  }
  void Cut() {
    gone_ = true;
    Error ignored;
    stream_.lowest_layer().close(ignored);
  }
  bool gone() const { return gone_; }

 private:
  class Answer;
  void Read() {
    boost::asio::async_read_until(stream_, boost::asio::dynamic_buffer(in_), "\r\n\r\n",
                                  [self = this->shared_from_this()](const Error& error, size_t size) {
                                    if (error) return self->Cut();
                                    self->ReadBody(size);
                                  });
  }
  void ReadBody(size_t head_size) {
    request_.head = in_.substr(0, head_size);
    in_.erase(0, head_size);
    const size_t wanted = BodyBytes(request_.head);
    const size_t missing = wanted > in_.size() ? wanted - in_.size() : 0;
    boost::asio::async_read(stream_, boost::asio::dynamic_buffer(in_), boost::asio::transfer_exactly(missing),
                            [self = this->shared_from_this(), wanted](const Error& error, size_t) {
                              if (error) return self->Cut();
                              self->request_.body = self->in_.substr(0, wanted);
                              self->in_.erase(0, wanted);
                              self->Handle();
                            });
  }
  void Handle();
  void Flush() {
    boost::asio::async_write(stream_, boost::asio::buffer(out_.front()),
                             [self = this->shared_from_this()](const Error& error, size_t) {
                               if (error) return self->Cut();
                               self->out_.pop_front();
                               if (!self->out_.empty()) return self->Flush();
                               if (std::exchange(self->last_, false)) self->Read();
                             });
  }

  const std::weak_ptr<HttpStub::Parts> parts_;
  Stream stream_;
  std::string in_;
  HttpStub::Request request_;
  std::deque<std::string> out_;
  bool last_ = false;  // the answer ends with what is in out_
  bool gone_ = false;
};

template <typename Stream>
class Connection<Stream>::Answer : public HttpStub::Reply {
 public:
  explicit Answer(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  void Send(int status, const std::string& body) override {
    Put(Line(status) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, true);
  }
  void Begin(int status) override { Put(Line(status) + "Transfer-Encoding: chunked\r\n\r\n", false); }
  void Write(const std::string& piece) override {
    char size[32];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    if (!piece.empty()) Put(size + piece + "\r\n", false);
  }
  void End() override { Put("0\r\n\r\n", true); }
  void Cut() override { connection_->Cut(); }
  bool gone() const override { return connection_->gone(); }

 private:
  static std::string Line(int status) { return "HTTP/1.1 " + std::to_string(status) + " Stub\r\n"; }
  void Put(std::string bytes, bool last) { connection_->Put(std::move(bytes), last); }
  const std::shared_ptr<Connection> connection_;
};

template <typename Stream>
void Connection<Stream>::Handle() {
  const auto parts = parts_.lock();
  if (parts == nullptr || parts->stopped) return Cut();
  const size_t space = request_.head.find(' ');
  request_.method = request_.head.substr(0, space);
  request_.target = request_.head.substr(space + 1, request_.head.find(' ', space + 1) - space - 1);
  parts->requests.push_back(request_);
  parts->handler(request_, std::make_shared<Answer>(this->shared_from_this()));
}

void Accept(const std::shared_ptr<HttpStub::Parts>& parts) {
  parts->acceptor.async_accept([parts](const Error& error, tcp::socket socket) {
    if (error || parts->stopped) return;
    ++parts->connections;
    if (parts->tls) {
      std::make_shared<Connection<Secure>>(parts, Secure(std::move(socket), *parts->tls))->Start();
    } else {
      std::make_shared<Connection<Plain>>(parts, std::move(socket))->Start();
    }
    Accept(parts);
  });
}

}  // namespace

HttpStub::HttpStub(boost::asio::io_context& io, Handler handler, const Tls& tls)
    : parts_(std::make_shared<Parts>(io, std::move(handler))) {
  if (!tls.certificate_file.empty()) {
    parts_->tls = std::make_unique<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
    parts_->tls->use_certificate_chain_file(tls.certificate_file);
    parts_->tls->use_private_key_file(tls.key_file, boost::asio::ssl::context::pem);
    if (!tls.client_ca_file.empty()) {
      parts_->tls->load_verify_file(tls.client_ca_file);
      parts_->tls->set_verify_mode(boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
    }
  }
  Accept(parts_);
}

HttpStub::~HttpStub() {
  parts_->stopped = true;
  Error ignored;
  parts_->acceptor.close(ignored);
}

int HttpStub::port() const { return parts_->acceptor.local_endpoint().port(); }
std::string HttpStub::address() const { return "127.0.0.1:" + std::to_string(port()); }
std::string HttpStub::url() const { return (parts_->tls ? "https://" : "http://") + address(); }
const std::vector<HttpStub::Request>& HttpStub::requests() const { return parts_->requests; }
int HttpStub::connections() const { return parts_->connections; }

}  // namespace headgate
