// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// MetricsServer: GET /metrics (Prometheus text) and GET /healthz (200 or 503) over plain HTTP, on a thread of its own.
// Bounded: when too many connections are open the oldest is closed, so that idle ones cannot lock a scraper out.
//
// Thread-safety: all methods from any thread; the callbacks run on the server's thread and must not block.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/metrics.h"

namespace headgate::services {

class MetricsServer {
 public:
  // `address` is IP:PORT, port 0 = any; `metrics` must outlive it. `before_scrape` runs before each /metrics answer.
  // INVALID_ARGUMENT (not an address) or UNAVAILABLE (cannot listen), naming the address.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address, Metrics& metrics,
                                                              std::function<bool()> healthy,
                                                              std::function<void()> before_scrape);
  virtual ~MetricsServer() = default;

  virtual int port() const = 0;
  virtual std::string address() const = 0;  // bound address, `127.0.0.1:40001`
};

}  // namespace headgate::services
