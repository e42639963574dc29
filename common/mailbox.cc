// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/mailbox.h"

namespace headgate {

Task<absl::Status> SleepUntil(Executor executor, Clock& clock, MonotonicTime when, Cancellation& cancellation) {
  Mailbox<bool> never(executor, 1);
  auto woken = co_await never.Receive(clock, when, cancellation);
  co_return cancellation.cancelled() ? cancellation.reason() : absl::OkStatus();
}

}  // namespace headgate
