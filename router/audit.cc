// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A record is one line of JSON with sorted keys and the mac as its last key, so that a verifier takes the mac off the
// text instead of re-encoding. mac = HMAC-SHA-256(key, line without mac); the line holds the previous record's mac,
// which is what makes the chain.
#include "router/audit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

using nlohmann::json;

constexpr char kMacKey[] = ",\"mac\":\"";
constexpr size_t kMacHexSize = 64;

// `KIND_CHAIN_START` -> `chain_start`, `SENSITIVITY_LEVEL_RESTRICTED` -> `restricted`.
std::string ShortName(const std::string& name, size_t prefix_size) {
  std::string out = name.substr(prefix_size);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}
std::string KindName(v1::AuditRecord::Kind kind) { return ShortName(v1::AuditRecord::Kind_Name(kind), 5); }
std::string LevelName(v1::SensitivityLevel level) { return ShortName(v1::SensitivityLevel_Name(level), 18); }
std::string TargetName(v1::Route::Target target) { return ShortName(v1::Route::Target_Name(target), 7); }

json FindingJson(const v1::Finding& finding) {
  return {{"type", finding.type()},   {"level", LevelName(finding.level())},
          {"score", finding.score()}, {"field", finding.field()},
          {"begin", finding.begin()}, {"end", finding.end()}};
}

json RouteJson(const v1::Route& route) {
  json out = {{"target", TargetName(route.target())}, {"reasons", json::array()}};
  for (const std::string& reason : route.reasons()) out["reasons"].push_back(reason);
  if (!route.endpoint().empty()) out["endpoint"] = route.endpoint();
  if (!route.model().empty()) out["model"] = route.model();
  return out;
}

// What every record of a request has; empty fields are left out.
void AddRequestFields(const v1::AuditRecord& record, json& out) {
  const auto add = [&out](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  add("request_id", record.request_id());
  add("tenant", record.tenant());
  add("api", record.api());
  add("policy_version", record.policy_version());
  add("classification_state", record.classification_state());
  add("content_digest", record.content_digest());
  add("status", record.status());
  add("stage", record.stage());
  add("detail", record.detail());
  if (record.sensitivity() != v1::SENSITIVITY_LEVEL_UNSPECIFIED) out["sensitivity"] = LevelName(record.sensitivity());
  for (const v1::Finding& finding : record.findings()) out["findings"].push_back(FindingJson(finding));
  if (record.has_route()) out["route"] = RouteJson(record.route());
}

void AddOutcomeFields(const v1::AuditRecord& record, json& out) {
  if (record.has_usage()) {
    out["usage"] = {{"prompt_tokens", record.usage().prompt_tokens()},
                    {"completion_tokens", record.usage().completion_tokens()},
                    {"cached_tokens", record.usage().cached_tokens()},
                    {"reasoning_tokens", record.usage().reasoning_tokens()}};
  }
  if (!record.price_version().empty()) {
    out["cost"] = {{"micro_units", record.cost_micro_units()},
                   {"currency", record.currency()},
                   {"price_version", record.price_version()}};
  }
  out["cloud_attempts"] = record.cloud_attempts();
  out["duration_us"] = record.duration_us();
}

std::string Encode(const v1::AuditRecord& record) {
  json out = {{"sequence", record.sequence()},
              {"chain_id", record.chain_id()},
              {"kind", KindName(record.kind())},
              {"time", record.time()},
              {"previous_mac", record.previous_mac()}};
  AddRequestFields(record, out);
  if (record.kind() == v1::AuditRecord::KIND_OUTCOME) AddOutcomeFields(record, out);
  // Request ids and tenants are ASCII by rule; anything else is escaped rather than trusted.
  return out.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

absl::Status BadLine(size_t index, std::string_view what) {
  return absl::DataLossError(absl::StrCat("audit record at line ", index + 1, ": ", std::string(what)));
}

}  // namespace

Audit::Audit(const Clock& clock, std::string key, std::unique_ptr<AuditStore> store, std::string chain_id,
             Metrics& metrics)
    : clock_(clock),
      key_(std::move(key)),
      store_(std::move(store)),
      chain_id_(std::move(chain_id)),
      records_(metrics.GetCounter("headgate_router_audit_records_total", "Audit records written")),
      failures_(metrics.GetCounter("headgate_router_audit_failures_total", "Audit records that could not be written")),
      writable_gauge_(metrics.GetGauge("headgate_router_audit_writable", "1 while audit records can be written")) {
  writable_gauge_.Set(1);
}

std::string Audit::NewChainId(const RandomBytes& random) { return Hex(random(8)); }

absl::Status Audit::Write(v1::AuditRecord record) {
  record.set_sequence(sequence_);
  record.set_chain_id(chain_id_);
  record.set_time(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", clock_.WallTime(), absl::UTCTimeZone()));
  record.set_previous_mac(previous_mac_);
  std::string line = Encode(record);
  const std::string mac = Hex(HmacSha256(key_, line));
  line.pop_back();
  absl::StrAppend(&line, kMacKey, mac, "\"}");

  if (absl::Status status = store_->Append(line); !status.ok()) {
    failures_.Increment();
    if (writable_) HG_LOG(Error, "audit: cannot write, nothing leaves the cluster until it can: ", status.message());
    writable_ = false;
    writable_gauge_.Set(0);
    return absl::UnavailableError("the audit log cannot be written");
  }
  if (!writable_) HG_LOG(Info, "audit: writable again");
  writable_ = true;
  writable_gauge_.Set(1);
  records_.Increment();
  ++sequence_;
  previous_mac_ = mac;
  return absl::OkStatus();
}

std::string Audit::ContentDigest(const std::string& digest) const { return Hex(HmacSha256(key_, digest)); }

absl::Status VerifyAuditChain(const std::string& key, const std::vector<std::string>& lines) {
  std::string previous_mac;
  std::string chain_id;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    const std::string ending = "\"}";
    const size_t tail = sizeof(kMacKey) - 1 + kMacHexSize + ending.size();
    if (line.size() <= tail || line.compare(line.size() - tail, sizeof(kMacKey) - 1, kMacKey) != 0) {
      return BadLine(i, "not a complete record");
    }
    const std::string mac = line.substr(line.size() - ending.size() - kMacHexSize, kMacHexSize);
    const std::string body = line.substr(0, line.size() - tail) + "}";
    if (!EqualConstantTime(Hex(HmacSha256(key, body)), mac)) return BadLine(i, "changed, or made with another key");
    const json record = json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (record.is_discarded()) return BadLine(i, "not JSON");
    if (record.value("previous_mac", "?") != previous_mac) return BadLine(i, "a record before it is missing");
    if (record.value("sequence", uint64_t{0}) != i) return BadLine(i, "out of order");
    if (i == 0) chain_id = record.value("chain_id", "");
    if (record.value("chain_id", "") != chain_id) return BadLine(i, "belongs to another chain");
    previous_mac = mac;
  }
  return absl::OkStatus();
}

}  // namespace headgate::router
