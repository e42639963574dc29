// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// audit: what was decided, why, where it went and how it ended, as an append-only chain of keyed records
// (router/audit_record.h). The decision is written before the first byte can leave; when it cannot be written nothing
// leaves. Format: docs/audit-format.md; why it is written the way it is: docs/decisions/0009-audit-durability.md.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "common/task.h"
#include "headgate/v1/audit.pb.h"
#include "router/config.h"

namespace headgate::router {

// Where records go. The real one appends to segment files; tests inject failures through it.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  // All or nothing for one line (without newline). After an error the store may be tried again.
  virtual absl::Status Append(const std::string& line) = 0;
  // Several, in order; `*stored`: how many of them there are now, also after an error. The default is one by one.
  virtual absl::Status AppendAll(const std::vector<std::string>& lines, size_t* stored);
  // The same for a line of the payload segments (router/audit_payload.h).
  virtual absl::Status AppendPayload(const std::string& /*line*/) {
    return absl::UnimplementedError("no payload segments here");
  }
  // Calls `done` once, on the executor, when everything appended so far is on the medium, or why it is not. The default
  // is for stores without a medium.
  virtual void Sync(std::function<void(absl::Status)> done) { done(absl::OkStatus()); }
  // The heads of the other chains in the same place, newest first, bounded.
  virtual std::vector<v1::ChainHead> Predecessors() const { return {}; }
};

// Whether a start could write into config.directory; makes nothing. INVALID_ARGUMENT or UNAVAILABLE says why not.
absl::Status CheckAuditDirectory(const AuditConfig& config);

// Segments `audit-<chain>-<number>.jsonl` in config.directory, created 0600, O_APPEND, with a manifest signed with
// `key` for each that is complete. A full, unwritable, deleted or hanging disk is UNAVAILABLE, and a partly written
// line is cut off again. Every record is written with write(2) before Append returns and reaches the medium within
// config.sync_interval, by a thread of its own.
absl::StatusOr<std::unique_ptr<AuditStore>> OpenAuditFiles(const AuditConfig& config, const std::string& chain_id,
                                                           const std::string& key, Executor executor, Clock& clock);

class Audit {
 public:
  // `chain_id` names this process incarnation (NewChainId); `key` is the HMAC key, at least 32 bytes. Of `config`:
  // durability, anchor_interval, payload.tenants.
  Audit(Clock& clock, std::string key, std::unique_ptr<AuditStore> store, std::string chain_id, Metrics& metrics,
        AuditConfig config = {});
  ~Audit();  // the last anchor
  Audit(const Audit&) = delete;
  static std::string NewChainId(const RandomBytes& random);

  // Fills sequence, chain, time and macs, and writes. On error the chain stays where it was; when writing works again,
  // by a request or by a try every second, an admin record says how many records are missing.
  // UNAVAILABLE: not written: the caller must not send anything out.
  absl::Status Write(v1::AuditRecord record);
  // As Write, in one write(2) with the records of other requests: suspends until the executor comes round.
  Task<absl::Status> WriteTogether(Executor executor, v1::AuditRecord record);
  // For records that nothing waits for: they are written, together, when the executor comes round, and before anything
  // that is posted to it later. Fails as Write does, without telling.
  void WriteSoon(Executor executor, v1::AuditRecord record);

  // With durability `before_egress`: suspends until what was written is on the medium; otherwise returns at once.
  // UNAVAILABLE: it is not, or the medium does not say so in time: the caller must not send anything out.
  // Otherwise the cancellation's reason.
  Task<absl::Status> Commit(Executor executor, Cancellation& cancellation);

  // Says where the chain stands, now, every anchor_interval in which it grew, and at the end, in one line for
  // verifiers. `out` leads away from the machine: standard output, say.
  void StartAnchors(std::function<void(const std::string& line)> out);

  // From now on the content of requests and answers of payload.tenants (all, if empty) can be kept, encrypted.
  // `key`: 32 bytes.
  void KeepPayloads(const std::string& key, RandomBytes random);
  bool KeepsPayloadsOf(const std::string& tenant) const;
  // Writes one, and returns the digest for the record. REQUIRES: KeepsPayloadsOf. UNAVAILABLE as Write.
  absl::StatusOr<std::string> WritePayload(const std::string& request_id, const std::string& part,
                                           const std::string& text);

  // HMAC of a content digest, so that the log does not allow guessing short prompts.
  const std::string& ContentDigest(const std::string& digest);
  bool writable() const { return writable_ && !commit_overdue_; }
  const std::string& chain_id() const { return chain_id_; }

 private:
  struct Line {
    std::string text, mac;
  };
  void Seal(v1::AuditRecord& record);
  absl::Status Flush();
  void FlushSoon(Executor executor);
  void WriteGap(const std::string& policy_version);
  absl::Status Failed(const absl::Status& status);
  void ArmProbe();
  void Probe();
  void Synced(const absl::Status& status);
  void PublishWritable();
  void Anchor();
  void ScheduleAnchor();

  Clock& clock_;
  const std::string key_;
  const std::string chain_id_;
  const AuditConfig config_;
  Counter& records_;
  Counter& failures_;
  Gauge& writable_gauge_;
  Gauge& anchor_sequence_;
  Gauge& anchor_mac_;
  Histogram& commit_seconds_;
  uint64_t sequence_ = 0;         // of the next record
  std::string previous_mac_;      // of the one before it
  std::vector<Line> sealed_;      // the last ones, not written yet
  uint64_t written_ = 0;          // records
  std::string written_mac_;       // of the last of them
  std::shared_ptr<absl::Status> outcome_;  // of the next Flush, for who waits for it; null: nobody
  bool flush_posted_ = false;
  std::pair<std::string, std::string> content_digest_;  // the last one: a request's records follow one another
  bool writable_ = true;
  bool commit_overdue_ = false;  // the medium has not answered in time, or with an error
  bool probe_syncing_ = false;
  int64_t lost_ = 0;             // records since writing failed
  std::string payload_key_;      // of this chain; empty: no payloads
  RandomBytes random_;
  std::function<void(const std::string&)> anchor_out_;
  uint64_t anchored_ = 0;        // records that the last anchor covers
  std::unique_ptr<Timer> anchor_timer_, probe_timer_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  const std::unique_ptr<AuditStore> store_;
};

// Checks one chain's lines from its first record on: OK, or DATA_LOSS with what is wrong and at which line (changed,
// dropped before another, reordered, cut inside a record). Records dropped from the end show only as a missing
// `chain_end`; VerifyAuditFolder (router/audit_verify.h) finds them by anchors and manifests.
absl::Status VerifyAuditChain(const std::string& key, const std::vector<std::string>& lines);

}  // namespace headgate::router
