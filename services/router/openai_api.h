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
#include "common/task.h"
#include "router/router.h"
#include "services/router/calls.h"
#include "services/router/http_server.h"

namespace headgate::services {

class OpenAiApi {
 public:
  // `ready` answers /readyz. All references must outlive it.
  OpenAiApi(router::Router& router, Clock& clock, RandomBytes random, Calls& calls, std::function<bool()> ready);

  Task<void> Handle(const HttpRequest& request, HttpReply& reply, Cancellation& cancellation);

 private:
  struct Exchange;
  Task<absl::Status> Route(Exchange& x);
  Task<absl::Status> Generate(Exchange& x, bool chat);
  Task<absl::Status> Embed(Exchange& x);
  Task<absl::Status> Models(Exchange& x, const std::string& id);

  router::Router& router_;
  Clock& clock_;
  const RandomBytes random_;
  Calls& calls_;
  const std::function<bool()> ready_;
};

}  // namespace headgate::services
