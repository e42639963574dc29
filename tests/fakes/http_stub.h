// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// HttpStub: a small HTTP/1.1 server on 127.0.0.1 for tests, plain or TLS. A handler sees each request and writes its
// answer, at once or piece by piece.
//
// Thread-safety: executor thread only; everything happens while its io_context runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "boost/asio/io_context.hpp"

namespace headgate {

class HttpStub {
 public:
  struct Request {
    std::string method, target;
    std::string head;  // the request line and all headers
    std::string body;
  };
  // One answer. May be kept and written to later; writes after Close or after the client has gone are ignored.
  class Reply {
   public:
    virtual ~Reply() = default;
    // A whole answer.
    virtual void Send(int status, const std::string& body) = 0;
    // One that goes on: headers now, then pieces, then End or Cut.
    virtual void Begin(int status) = 0;
    virtual void Write(const std::string& piece) = 0;
    virtual void End() = 0;
    virtual void Cut() = 0;  // the connection, in the middle
    virtual bool gone() const = 0;
  };
  using Handler = std::function<void(const Request& request, std::shared_ptr<Reply> reply)>;

  // With certificate and key files: TLS; with `client_ca_file` too: clients must present a certificate.
  struct Tls {
    std::string certificate_file, key_file, client_ca_file;
  };
  HttpStub(boost::asio::io_context& io, Handler handler, const Tls& tls = {});
  ~HttpStub();

  int port() const;
  std::string address() const;  // 127.0.0.1:port
  std::string url() const;      // http(s)://127.0.0.1:port
  const std::vector<Request>& requests() const;
  int connections() const;      // so far

  struct Parts;  // of http_stub.cc

 private:
  const std::shared_ptr<Parts> parts_;
};

}  // namespace headgate
