// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// audit: what was decided, why, where it went and how it ended, as an append-only chain of keyed records. The decision
// is written before the first byte can leave; when it cannot be written nothing leaves. Format: docs/audit-format.md
// (one canonical JSON line per record; mac = HMAC-SHA-256(key, record with previous mac)).
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "headgate/v1/audit.pb.h"
#include "router/config.h"

namespace headgate::router {

// Where records go. The real one appends to segment files; tests inject failures through it.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  // All or nothing for one line (without newline). After an error the store may be tried again.
  virtual absl::Status Append(const std::string& line) = 0;
};
// Segments `audit-<chain>-<number>.jsonl` in config.directory, created 0600, O_APPEND; a full or unwritable disk is
// UNAVAILABLE, and a partly written line is cut off again.
absl::StatusOr<std::unique_ptr<AuditStore>> OpenAuditFiles(const AuditConfig& config, const std::string& chain_id);

class Audit {
 public:
  // `chain_id` names this process incarnation (NewChainId); `key` is the HMAC key, at least 32 bytes.
  Audit(const Clock& clock, std::string key, std::unique_ptr<AuditStore> store, std::string chain_id, Metrics& metrics);
  static std::string NewChainId(const RandomBytes& random);

  // Fills sequence, chain, time and macs, and writes. On error the chain stays where it was.
  // UNAVAILABLE: not written: the caller must not send anything out.
  absl::Status Write(v1::AuditRecord record);
  // HMAC of a content digest, so that the log does not allow guessing short prompts.
  std::string ContentDigest(const std::string& digest) const;
  bool writable() const { return writable_; }
  const std::string& chain_id() const { return chain_id_; }

 private:
  const Clock& clock_;
  const std::string key_;
  const std::unique_ptr<AuditStore> store_;
  const std::string chain_id_;
  Counter& records_;
  Counter& failures_;
  Gauge& writable_gauge_;
  uint64_t sequence_ = 0;
  std::string previous_mac_;
  bool writable_ = true;
};

// Checks one chain's lines from its first record on: OK, or DATA_LOSS with what is wrong and at which line (changed,
// dropped before another, reordered, cut inside a record). Records dropped from the end show only as a missing
// `chain_end`.
absl::Status VerifyAuditChain(const std::string& key, const std::vector<std::string>& lines);

}  // namespace headgate::router
