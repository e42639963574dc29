// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Batches: /v1/files and /v1/batches, the part of OpenAI's batch API that docs/api.md describes. Each line of a batch
// is a request of its own, by the router's whole path and with batch priority: classified, limited, budgeted and
// audited like any other. A line that is refused for a while is asked again; a drain begins no more lines.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/request.h"
#include "services/router/batch_store.h"
#include "services/router/calls.h"
#include "services/router/http_server.h"

namespace headgate::services {

// What the API would have answered.
struct LineAnswer {
  int http_status = 200;
  std::string body;                           // JSON
  std::optional<absl::Duration> retry_after;  // of a refusal for a while
};
// Asks `endpoint` with a JSON body.
using AskLine = std::function<Task<LineAnswer>(router::RequestHead head, std::string endpoint, std::string body,
                                               Cancellation& cancellation)>;

class Batches {
 public:
  // All references must outlive it.
  Batches(Executor executor, Clock& clock, RandomBytes random, Calls& calls, Metrics& metrics, AskLine ask,
          BatchLimits limits = {});
  ~Batches();

  static bool Serves(const std::string& path);
  struct Reply {
    std::string body;
    bool json = true;  // else bytes of a file
  };
  // A request of `tenant` for a path that it serves. Errors as HttpStatus reads them.
  absl::StatusOr<Reply> Handle(const HttpRequest& request, const router::RequestHead& head, const std::string& tenant);
  // Takes nothing new; lines that are under way end, others are not begun.
  void Drain();

 private:
  using Found = std::shared_ptr<Batch>;
  absl::StatusOr<Reply> Files(const HttpRequest& request, const std::string& tenant, std::string rest);
  absl::StatusOr<Reply> Upload(const HttpRequest& request, const std::string& tenant);
  absl::StatusOr<Reply> OfBatches(const HttpRequest& request, const router::RequestHead& head,
                                  const std::string& tenant, std::string rest);
  absl::StatusOr<Reply> Create(const HttpRequest& request, const router::RequestHead& head, const std::string& tenant);
  void Cancel(Batch& batch);
  Task<void> Validate(Found batch);
  // Begins as many lines as may run, by turns among tenants.
  void Pump();
  Found Next();
  Task<void> RunLine(Found batch, size_t line);
  Task<LineAnswer> AskUntilTaken(Batch& batch, std::string body, Cancellation& stop);
  void Keep(Batch& batch, const std::string& custom_id, const std::string& request_id, const LineAnswer& answer);
  void Lose(Batch& batch, const std::string& custom_id, const char* code, const char* message);
  void EndIfDue(Batch& batch);
  void Look();  // every now and then: what has expired

  const Executor executor_;
  Clock& clock_;
  const RandomBytes random_;
  Calls& calls_;
  const AskLine ask_;
  BatchStore store_;
  Counter& completed_;
  Counter& failed_;
  int running_ = 0;                   // lines
  std::string last_tenant_;           // whose line was begun last
  std::set<Cancellation*> sleeping_;  // lines that wait to be asked again
  bool draining_ = false;
  Cancellation drained_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace headgate::services
