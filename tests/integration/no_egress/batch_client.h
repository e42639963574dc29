// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One request as a line of a batch (POST /v1/files, POST /v1/batches), asked for until it is over.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <string>

#include "common/clock.h"
#include "common/task.h"
#include "tests/integration/no_egress/canary_requests.h"
#include "tests/integration/no_egress/doors.h"
#include "tests/integration/no_egress/wire_requests.h"

namespace headgate::router {

struct WireAnswer {
  int code = 0;  // 0: the connection was cut
  std::string body;
};
// One exchange with the HTTP door.
using WireCall = std::function<Task<WireAnswer>(std::string method, WireRequest request)>;

// `ended.request_id` is the id that the line had. A client with a deadline, or that leaves, cancels its batch; in any
// case it waits until the batch is over, so that nothing is under way afterwards.
Task<void> AskInBatch(WireCall call, Executor executor, Clock& clock, const CanaryRequest& made,
                      std::string request_id, Patience patience, Ended& ended);

}  // namespace headgate::router
