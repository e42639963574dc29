// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One POST and its answer as bytes, whoever carries it: PlainHttp (plain_http.h) inside the cluster and to a proxy on
// the loopback device, CurlHttp (curl_http.h) where there is TLS. Neither follows a redirect, uses a proxy or
// credentials of the environment, or sends a request twice: retries are dispatch's, where they are counted, spaced and
// audited.
//
// Thread-safety: executor thread only. A transport must outlive its exchanges, a reader its exchange.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace headgate::router {

// Called by the executor, never from inside Send or Resume. The exchange may be destroyed in TakeEnd only.
class HttpReader {
 public:
  virtual ~HttpReader() = default;
  // The answer's head is there (not 100 Continue). `retry_after` is empty without such a header.
  virtual void TakeHead(int status, std::string_view retry_after) = 0;
  enum class Taken {
    kAll,
    kLater,  // the same bytes come again after Resume; until then nothing more is read
    kNever,  // ends the exchange with an error
  };
  virtual Taken TakeBody(std::string_view bytes) = 0;
  // Once, at the end. OK: the answer is whole as far as HTTP can tell.
  virtual void TakeEnd(const absl::Status& status) = 0;
};

// Destroying it ends it: a connection in the middle of an answer is closed (HTTP/1.1) or its stream reset (HTTP/2).
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  // After Taken::kLater.
  virtual absl::Status Resume() = 0;
  // Something of the request may have reached the peer.
  virtual bool sent() const = 0;
  // Holding it holds others on the same connection too.
  virtual bool shared() const = 0;
};

class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // Starts at once. `key`: which of the transport's header sets. UNAVAILABLE: it cannot even begin.
  virtual absl::StatusOr<std::unique_ptr<HttpExchange>> Send(size_t key, std::string body, HttpReader& reader) = 0;
};

}  // namespace headgate::router
