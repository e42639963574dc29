// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// absl::Status <-> grpc::Status with google.rpc error details, for every server and client of ours:
//
//   ErrorInfo{reason = code name, domain = "headgate.io", metadata: field = path of the bad field, if any}
//   RetryInfo{retry_delay}                    when the status carries a retry-after
//
// INVALID_ARGUMENT messages of Headgate have the form `<field path>: <what is wrong; what is allowed>`: the field is
// read from there.
//
// Thread-safety: pure functions.
#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace headgate::services {

grpc::Status ToGrpc(const absl::Status& status);
// Keeps a RetryInfo as retry-after. Details that do not parse are ignored.
absl::Status FromGrpc(const grpc::Status& status);

// When to come again, on an absl::Status (the payload of router/upstream/upstream_error.h).
absl::Status WithRetryAfter(absl::Status status, absl::Duration after);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

// `messages[0].role` of `messages[0].role: unknown value 9`; empty when the message does not begin with a field path.
std::string FieldOf(const absl::Status& status);

}  // namespace headgate::services
