// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// PlainHttp: HTTP/1.1 without TLS to one peer, over kept connections on the executor. A request on a kept connection
// costs one write and one read. Names are not looked up: the peer is a literal address, or `localhost`.
//
// Thread-safety: executor thread only. Must be destroyed before its io_context and after its exchanges.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/upstream/http_exchange.h"

namespace headgate::router {

struct PlainPeer {
  std::string host;  // literal address without brackets, or `localhost`
  uint16_t port = 80;
  std::string path;
  // One set of headers for each key, each a list of lines without line ends; Host and Content-Length are added.
  std::vector<std::vector<std::string>> headers;
  absl::Duration connect_timeout = absl::Seconds(2);
  size_t connections_max = 4096;  // more requests wait
  // Looked at before every connect, with the address that it goes to; null: none is refused.
  std::function<bool(const std::string& ip)> allowed = {};
  Counter* connects = nullptr;  // connections opened
};

std::unique_ptr<HttpTransport> MakePlainHttp(Executor executor, Clock& clock, PlainPeer peer);

}  // namespace headgate::router
