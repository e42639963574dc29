// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What an upstream failure means beyond its code: carried on absl::Status as payloads, so that it survives every layer.
//
//   code                 meaning here                                        retried before the commit point
//   UNAVAILABLE          transport, 5xx, truncated stream, overload          yes
//   RESOURCE_EXHAUSTED   429, engine queue full                              yes, elsewhere or after RetryAfter
//   UNAUTHENTICATED      our cloud key was refused (401)                     no, unless OtherKeyLeft: closes the cloud
//   FAILED_PRECONDITION  our cloud balance is spent (402)                    as above
//   INVALID_ARGUMENT     the caller's request (400, 422)                     no
//   DEADLINE_EXCEEDED    the request's or a timer's                          timers yes, the request's no
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace headgate::router {

absl::Status WithRetryAfter(absl::Status status, absl::Duration after);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

// The number of requests at a time that a 429 named.
absl::Status WithConcurrencyLimit(absl::Status status, int64_t limit);
std::optional<int64_t> ConcurrencyLimit(const absl::Status& status);

// The key or its balance was refused, but another key is left: to be tried again at once.
absl::Status WithOtherKey(absl::Status status);
bool OtherKeyLeft(const absl::Status& status);

// True when another attempt could succeed (table above). A request deadline is the caller's to check.
bool Retryable(const absl::Status& status);

}  // namespace headgate::router
