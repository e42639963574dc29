// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// OpenAiApi: the HTTP routes (docs/api.md) in front of the Router. Takes requests in, hands events out; decides
// nothing.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>

#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/router.h"
#include "services/router/batches.h"
#include "services/router/calls.h"
#include "services/router/http_server.h"

namespace headgate::services {

class OpenAiApi {
 public:
  // `ready` answers /readyz. All references must outlive it.
  OpenAiApi(Executor executor, router::Router& router, Clock& clock, RandomBytes random, Calls& calls,
            Metrics& metrics, std::function<bool()> ready, BatchLimits batches = {});

  Task<void> Handle(const HttpRequest& request, HttpReply& reply, Cancellation& cancellation);
  // HttpServer answered what is no request with this status (HttpServerConfig::on_refuse).
  void RefusedUnread(int http_status);
  // Batches begin no more lines.
  void Drain() { batches_.Drain(); }

 private:
  struct Exchange;
  void Record(const absl::Status& status, const router::RequestHead& head);
  Task<absl::Status> Route(Exchange& x);
  Task<absl::Status> Generate(Exchange& x, bool chat);
  Task<absl::Status> Embed(Exchange& x);
  Task<absl::Status> Models(Exchange& x, const std::string& id);
  Task<absl::Status> Batch(Exchange& x);
  // A line of a batch.
  Task<LineAnswer> Ask(router::RequestHead head, std::string endpoint, std::string body, Cancellation& cancellation);
  Task<absl::StatusOr<std::string>> AskWhole(const router::RequestHead& head, const std::string& endpoint,
                                             const std::string& body, Cancellation& cancellation);

  router::Router& router_;
  Clock& clock_;
  const RandomBytes random_;
  Calls& calls_;
  const std::function<bool()> ready_;
  Batches batches_;
};

}  // namespace headgate::services
