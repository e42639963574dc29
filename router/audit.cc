// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/post.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "common/log.h"
#include "common/mailbox.h"
#include "common/status_macros.h"
#include "router/audit_payload.h"
#include "router/audit_record.h"
#include "router/audit_verify.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kProbeEvery = absl::Seconds(1);
// A medium that takes longer has failed, as far as a request is concerned.
constexpr absl::Duration kCommitMax = absl::Seconds(2);
constexpr size_t kSealedMax = 64;  // records that wait for the end of the executor's turn

// As "%Y-%m-%dT%H:%M:%E6SZ". The part that changes once a second is kept: writing it costs as much as the rest of a
// short record.
std::string Stamp(absl::Time time) {
  static thread_local int64_t second = 0;
  static thread_local std::string text;
  const int64_t now = absl::ToUnixSeconds(time);
  if (text.empty() || now != second) {
    text = absl::FormatTime("%Y-%m-%dT%H:%M:%S.", absl::FromUnixSeconds(now), absl::UTCTimeZone());
    second = now;
  }
  const int64_t micros = absl::ToUnixMicros(time) - now * 1'000'000;
  return absl::StrCat(text, absl::Dec(micros, absl::kZeroPad6), "Z");
}

}  // namespace

absl::Status AuditStore::AppendAll(const std::vector<std::string>& lines, size_t* stored) {
  for (*stored = 0; *stored < lines.size(); ++*stored) RETURN_IF_ERROR(Append(lines[*stored]));
  return absl::OkStatus();
}

Audit::Audit(Clock& clock, std::string key, std::unique_ptr<AuditStore> store, std::string chain_id, Metrics& metrics,
             AuditConfig config)
    : clock_(clock),
      key_(std::move(key)),
      chain_id_(std::move(chain_id)),
      config_(std::move(config)),
      records_(metrics.GetCounter("headgate_router_audit_records_total", "Audit records written")),
      failures_(metrics.GetCounter("headgate_router_audit_failures_total", "Audit records that could not be written")),
      writable_gauge_(metrics.GetGauge("headgate_router_audit_writable", "1 while audit records can be written")),
      anchor_sequence_(metrics.GetGauge("headgate_router_audit_anchor_sequence",
                                        "Sequence of the record that the last anchor names", {{"chain", chain_id_}})),
      anchor_mac_(metrics.GetGauge("headgate_router_audit_anchor_mac",
                                   "First 12 hex digits of that record's mac, as a number", {{"chain", chain_id_}})),
      commit_seconds_(metrics.GetHistogram("headgate_router_audit_commit_seconds",
                                           "Time a request waited for the medium (durability before_egress)",
                                           {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2})),
      store_(std::move(store)) {
  writable_gauge_.Set(1);
}

Audit::~Audit() {
  Flush().IgnoreError();
  Anchor();
  *alive_ = false;
}

std::string Audit::NewChainId(const RandomBytes& random) { return Hex(random(8)); }

absl::Status Audit::Write(v1::AuditRecord record) {
  if (record.kind() == v1::AuditRecord::KIND_CHAIN_START) {
    record.set_key_id(AuditKeyId(key_));
    for (v1::ChainHead& head : store_->Predecessors()) *record.add_predecessors() = std::move(head);
  }
  Seal(record);
  absl::Status written = Flush();
  if (written.ok() && lost_ > 0) WriteGap(record.policy_version());
  return written;
}

// One write(2) for the records of a turn costs what one for each of them does.
Task<absl::Status> Audit::WriteTogether(Executor executor, v1::AuditRecord record) {
  if (!writable_ || sealed_.size() >= kSealedMax) co_return Write(std::move(record));
  Seal(record);
  FlushSoon(executor);
  if (outcome_ == nullptr) outcome_ = std::make_shared<absl::Status>(absl::InternalError("not written yet"));
  const std::shared_ptr<const absl::Status> outcome = outcome_;
  co_await boost::asio::post(executor, boost::asio::use_awaitable_t<Executor>());
  co_return *outcome;
}

void Audit::WriteSoon(Executor executor, v1::AuditRecord record) {
  if (!writable_ || sealed_.size() >= kSealedMax) return Write(std::move(record)).IgnoreError();
  Seal(record);
  FlushSoon(executor);
}

void Audit::FlushSoon(Executor executor) {
  if (std::exchange(flush_posted_, true)) return;
  boost::asio::post(executor, [this, alive = alive_] {
    if (!*alive) return;
    flush_posted_ = false;
    Flush().IgnoreError();
  });
}

// The gap is in the log too: who reads it must know that it is not whole.
void Audit::WriteGap(const std::string& policy_version) {
  v1::AuditRecord gap;
  gap.set_kind(v1::AuditRecord::KIND_ADMIN);
  gap.set_policy_version(policy_version);
  const int64_t lost = lost_;
  gap.set_detail(absl::StrCat("audit writable again; records lost: ", lost));
  Seal(gap);
  lost_ = Flush().ok() ? 0 : lost;
}

void Audit::Seal(v1::AuditRecord& record) {
  record.set_sequence(sequence_);
  record.set_chain_id(chain_id_);
  record.set_time(Stamp(clock_.WallTime()));
  record.set_previous_mac(previous_mac_);
  Line& line = sealed_.emplace_back();
  line.text = WriteAuditLine(key_, record, &line.mac);
  ++sequence_;
  previous_mac_ = line.mac;
}

// Writes what is sealed. On error the chain goes back to where the store is, and nobody who waits may send anything.
absl::Status Audit::Flush() {
  if (sealed_.empty()) return absl::OkStatus();
  const std::shared_ptr<absl::Status> outcome = std::exchange(outcome_, nullptr);
  std::vector<std::string> lines;
  for (Line& line : sealed_) lines.push_back(std::move(line.text));
  size_t stored = 0;
  const absl::Status status = store_->AppendAll(lines, &stored);
  if (stored > 0) written_mac_ = std::move(sealed_[stored - 1].mac);
  written_ += stored;
  records_.Increment(static_cast<double>(stored));
  lost_ += static_cast<int64_t>(sealed_.size() - stored);
  sealed_.clear();
  sequence_ = written_;
  previous_mac_ = written_mac_;
  const absl::Status result = status.ok() ? status : Failed(status);
  if (outcome != nullptr) *outcome = result;
  if (!result.ok()) return result;
  if (!writable_) HG_LOG(Info, "audit: writable again");
  writable_ = true;
  PublishWritable();
  return absl::OkStatus();
}

absl::Status Audit::Failed(const absl::Status& status) {
  failures_.Increment();
  if (writable_) HG_LOG(Error, "audit: cannot write, nothing leaves the cluster until it can: ", status.message());
  writable_ = false;
  PublishWritable();
  ArmProbe();
  return absl::UnavailableError("the audit log cannot be written");
}

void Audit::ArmProbe() {
  if (probe_timer_) return;
  probe_timer_ = clock_.CallAt(clock_.Monotonic() + kProbeEvery, [this] {
    probe_timer_.reset();
    Probe();
    if (!writable()) ArmProbe();
  });
}

// Without it a router without local traffic would stay closed until its next request.
void Audit::Probe() {
  if (!writable_) WriteGap("");
  if (commit_overdue_ && !probe_syncing_) {
    probe_syncing_ = true;
    store_->Sync([this, alive = alive_](const absl::Status& status) {
      if (!*alive) return;
      probe_syncing_ = false;
      Synced(status);
    });
  }
}

void Audit::Synced(const absl::Status& status) {
  if (!status.ok()) HG_LOG(Error, "audit: not on the medium, nothing leaves the cluster: ", status.message());
  commit_overdue_ = !status.ok();
  if (commit_overdue_) ArmProbe();
  PublishWritable();
}

void Audit::PublishWritable() { writable_gauge_.Set(writable() ? 1 : 0); }

Task<absl::Status> Audit::Commit(Executor executor, Cancellation& cancellation) {
  if (config_.durability != AuditConfig::Durability::kBeforeEgress) co_return absl::OkStatus();
  const MonotonicTime start = clock_.Monotonic();
  // Outlives this call when the medium answers too late.
  const auto answer = std::make_shared<Mailbox<bool>>(executor, 1);
  store_->Sync([this, alive = alive_, answer](const absl::Status& status) {
    if (*alive) Synced(status);
    answer->Close(status);
  });
  const auto received = co_await answer->Receive(clock_, start + kCommitMax, cancellation);
  commit_seconds_.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - start));
  if (cancellation.cancelled()) co_return cancellation.reason();
  if (received.ok()) co_return absl::OkStatus();
  if (absl::IsDeadlineExceeded(received.status())) Synced(absl::UnavailableError("the medium does not answer"));
  co_return absl::UnavailableError("the audit record is not on the medium");
}

void Audit::StartAnchors(std::function<void(const std::string&)> out) {
  anchor_out_ = std::move(out);
  Anchor();
  ScheduleAnchor();
}

void Audit::ScheduleAnchor() {
  anchor_timer_ = clock_.CallAt(clock_.Monotonic() + config_.anchor_interval, [this] {
    Anchor();
    ScheduleAnchor();
  });
}

void Audit::Anchor() {
  Flush().IgnoreError();
  if (!anchor_out_ || sequence_ == anchored_) return;
  anchored_ = sequence_;
  anchor_sequence_.Set(static_cast<double>(sequence_ - 1));
  anchor_mac_.Set(static_cast<double>(std::strtoull(previous_mac_.substr(0, 12).c_str(), nullptr, 16)));
  anchor_out_(WriteAuditAnchor({chain_id_, sequence_ - 1, previous_mac_}, Stamp(clock_.WallTime())));
}

void Audit::KeepPayloads(const std::string& key, RandomBytes random) {
  payload_key_ = PayloadChainKey(key, chain_id_);
  random_ = std::move(random);
}

bool Audit::KeepsPayloadsOf(const std::string& tenant) const {
  const auto& tenants = config_.payload.tenants;
  return !payload_key_.empty() &&
         (tenants.empty() || std::find(tenants.begin(), tenants.end(), tenant) != tenants.end());
}

absl::StatusOr<std::string> Audit::WritePayload(const std::string& request_id, const std::string& part,
                                                const std::string& text) {
  auto line = SealPayload(payload_key_, {chain_id_, request_id, part}, text, random_);
  const absl::Status written = line.ok() ? store_->AppendPayload(*line) : line.status();
  if (!written.ok()) return Failed(written);
  return Hex(Sha256(*line));
}

const std::string& Audit::ContentDigest(const std::string& digest) {
  if (content_digest_.first != digest) content_digest_ = {digest, Hex(HmacSha256(key_, digest))};
  return content_digest_.second;
}

absl::Status VerifyAuditChain(const std::string& key, const std::vector<std::string>& lines) {
  ChainState state;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (absl::Status status = state.Step(key, lines[i]).status(); !status.ok()) {
      return absl::DataLossError(absl::StrCat("audit record at line ", i + 1, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace headgate::router
