// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One audit record as one line of text, there and back. The line is JSON with sorted keys and the mac as its last key,
// so that a verifier takes the mac off the text instead of encoding again:
//   mac = hex HMAC-SHA-256(key, the line without `,"mac":"..."`)
// The line holds the mac of the record before it, which is what makes the chain. Format: docs/audit-format.md.
//
// Reading is for lines that anybody may have written: it never throws and believes nothing.
//
// Thread-safety: functions from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "headgate/v1/audit.pb.h"

namespace headgate::router {

inline constexpr int kAuditFindingsMax = 256;                // of one record
inline constexpr size_t kAuditLineBytesMax = size_t{1} << 20;

// The record's line, with its mac; `*mac` is that. Empty fields are left out. Fields that come from outside are cut at
// 512 bytes, so that a line has an upper bound.
std::string WriteAuditLine(std::string_view key, const v1::AuditRecord& record, std::string* mac);

// The body of `line` is authentic under `key`.
// DATA_LOSS: `not a complete record`, `changed, or made with another key`.
absl::Status CheckAuditLine(std::string_view key, std::string_view line);

// The fields, without checking the mac. DATA_LOSS: not a record; the message names the key that is wrong.
absl::StatusOr<v1::AuditRecord> ReadAuditLine(std::string_view line);

// Which key, without telling it: 16 hex digits.
std::string AuditKeyId(std::string_view key);

// An anchor: that record `sequence` of a chain exists and has this mac, said where the chain's files cannot be reached.
// A line `headgate-audit-anchor chain=C sequence=N mac=M time=T`, wherever in a log it stands.
struct AuditAnchor {
  std::string chain_id;
  uint64_t sequence = 0;
  std::string mac;  // hex; whole, or the first 12 digits (from metrics)
};
std::string WriteAuditAnchor(const AuditAnchor& anchor, std::string_view time);
// NOT_FOUND: no anchor in this line. INVALID_ARGUMENT: one that is damaged.
absl::StatusOr<AuditAnchor> ReadAuditAnchor(std::string_view line);

// `SENSITIVITY_LEVEL_RESTRICTED` -> `restricted`, and so on.
std::string AuditKindName(v1::AuditRecord::Kind kind);
std::string AuditLevelName(v1::SensitivityLevel level);  // `unspecified` before classification
std::string AuditTargetName(v1::Route::Target target);

}  // namespace headgate::router
