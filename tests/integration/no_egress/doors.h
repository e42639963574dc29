// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Doors: a router's front doors, gRPC, HTTP and admin, on loopback sockets, and the clients that come in by them. Also
// the router called directly, for clients that leave at an exact moment.
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/router.h"
#include "tests/integration/no_egress/canary_requests.h"

namespace headgate::router {

// How one request ended, as its client saw it.
struct Ended {
  int times = 0;  // the call returned
  int routes = 0, finishes = 0;
  bool after_finish = false;  // something came after the finish
  bool cached = false;
  bool thought = false;       // the answer says what was thought
  v1::Route::Target target = v1::Route::TARGET_UNSPECIFIED;
  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  absl::Status status;
  std::string request_id;  // of a batch's line, which has one of the router's making
  std::string said;  // error texts, and explanations: what must not repeat the request
};

// How patient a client is.
struct Patience {
  MonotonicTime deadline = absl::InfiniteDuration();
  int leave_after = -1;  // leaves at the event of this number
  absl::Duration leave_at = absl::InfiniteDuration();  // leaves then
};

class Doors {
 public:
  Doors(Executor executor, Clock& clock, RandomBytes random, Router& router, Metrics& metrics);
  ~Doors();
  // Binds; false when a port cannot be had.
  bool Open();
  // One client's connections; a request after another.
  class Client {
   public:
    virtual ~Client() = default;
    virtual Task<void> Send(const CanaryRequest& made, const std::string& request_id, Patience patience,
                            Ended& ended) = 0;
  };
  std::unique_ptr<Client> NewClient();
  // Batches begin no more lines.
  void Drain();
  // Requests under way, lines of batches that wait included.
  size_t calls() const;
  // After the last request: ends the servers' threads.
  void Close();

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace headgate::router
