// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/upstream_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace headgate::router {
namespace {
constexpr char kRetryAfterUrl[] = "headgate.io/retry_after_ms";
constexpr char kConcurrencyLimitUrl[] = "headgate.io/concurrency_limit";
constexpr char kOtherKeyUrl[] = "headgate.io/other_key";
}  // namespace

absl::Status WithRetryAfter(absl::Status status, absl::Duration after) {
  status.SetPayload(kRetryAfterUrl, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(after))));
  return status;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterUrl);
  int64_t ms = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &ms)) return std::nullopt;
  return absl::Milliseconds(ms);
}

absl::Status WithConcurrencyLimit(absl::Status status, int64_t limit) {
  status.SetPayload(kConcurrencyLimitUrl, absl::Cord(absl::StrCat(limit)));
  return status;
}

std::optional<int64_t> ConcurrencyLimit(const absl::Status& status) {
  const auto payload = status.GetPayload(kConcurrencyLimitUrl);
  int64_t limit = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &limit)) return std::nullopt;
  return limit;
}

absl::Status WithOtherKey(absl::Status status) {
  status.SetPayload(kOtherKeyUrl, absl::Cord());
  return status;
}

bool OtherKeyLeft(const absl::Status& status) { return status.GetPayload(kOtherKeyUrl).has_value(); }

bool Retryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

}  // namespace headgate::router
