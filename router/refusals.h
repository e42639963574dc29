// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Refusals: what is turned away before it is anybody's request (a body that is too large, JSON that cannot be read, an
// unknown path, a wrong key), for the audit log. Whoever sends it need not have a key, so it must not fill the disk: of
// each reason the first kWholeMax in a minute have a record of their own, the others of that minute have one together,
// with their number. No content: the reasons are a closed list.
//
// Thread-safety: executor thread only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "headgate/v1/audit.pb.h"

namespace headgate::router {

enum class Refusal {
  kNotHttp,         // what came is no HTTP request
  kHeaderTooLarge,
  kBodyTooLarge,
  kUnknownPath,     // or a thing in a path that is not there, or a method of gRPC
  kMethod,
  kContentType,
  kMalformed,       // JSON or headers that cannot be read, fields that nobody knows
  kUnknownKey,      // no tenant has it, or none was shown
  kAdminKey,
  kNoRoom,          // for a file, a batch
  kTls,             // a handshake that failed, of HTTP; of gRPC nobody is told
};
inline constexpr size_t kRefusals = 11;
std::string_view Name(Refusal reason);  // `body_too_large`

class Refusals {
 public:
  static constexpr int64_t kWholeMax = 10;
  static constexpr absl::Duration kWindow = absl::Minutes(1);

  // `write` takes a record of kind REFUSAL.
  Refusals(Clock& clock, Metrics& metrics, std::function<void(v1::AuditRecord)> write);
  Refusals(const Refusals&) = delete;

  // Records it, or counts it. `api` and `request_id` are empty where they were not known yet.
  void Add(Refusal reason, const std::string& api, absl::StatusCode code, const std::string& request_id);
  // For what has a record of another kind: true = write that; false = it is counted here instead.
  bool TakeWhole(Refusal reason);
  // Records what was counted, and begins anew.
  void Flush();

 private:
  struct Window {
    int64_t whole = 0, more = 0;
    std::unique_ptr<Timer> end;  // null: none of this reason lately
  };
  void End(Refusal reason);

  Clock& clock_;
  const std::function<void(v1::AuditRecord)> write_;
  std::array<Counter*, kRefusals> counters_;
  std::array<Window, kRefusals> windows_;
};

}  // namespace headgate::router
