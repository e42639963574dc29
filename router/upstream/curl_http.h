// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CurlHttp: exchanges over CurlMulti: TLS, and HTTP/2 where the peer speaks it.
//
// Thread-safety: executor thread only. Must be destroyed after its exchanges and before the CurlMulti.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/metrics.h"
#include "router/upstream/curl_multi.h"
#include "router/upstream/http_exchange.h"

namespace headgate::router {

class CurlHttp final : public HttpTransport {
 public:
  // Makes a handle ready for requests with that key: all but the body. Setting one up costs as much as a short
  // transfer, so handles are kept.
  using Configure = std::function<void(CURL* easy, size_t key)>;
  // `connects`: connections opened; may be null.
  CurlHttp(CurlMulti& multi, size_t keys, Configure configure, Counter* connects);
  ~CurlHttp() override;

  absl::StatusOr<std::unique_ptr<HttpExchange>> Send(size_t key, std::string body, HttpReader& reader) override;

 private:
  class Exchange;
  CURL* Take(size_t key);  // null: out of memory
  // REQUIRES: its transfer has ended by itself.
  void Keep(size_t key, CURL* easy);

  CurlMulti& multi_;
  const Configure configure_;
  Counter* const connects_;
  std::vector<std::vector<CURL*>> idle_;  // by key
};

}  // namespace headgate::router
