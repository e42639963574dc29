// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Counting for a report. What a request became is told by its outcome; the rule by which it left, by the decision.
// Memory grows with the requests that are open at one time, and with what there is to tell apart, not with the log.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "router/audit_record.h"
#include "services/cli/audit_tools.h"

namespace headgate::services {
namespace {

using router::AuditLevelName;

constexpr size_t kShownMax = 50;

bool Has(const v1::Route& route, const std::string& reason) {
  return std::find(route.reasons().begin(), route.reasons().end(), reason) != route.reasons().end();
}

bool Sensitive(const v1::AuditRecord& record) {
  return record.sensitivity() >= v1::SENSITIVITY_LEVEL_CONFIDENTIAL || record.classification_state() != "classified";
}

void Count(AuditTally::Flow& flow, const v1::AuditRecord& record) {
  ++flow.requests;
  flow.attempts += record.cloud_attempts();
  flow.text_bytes += record.text_bytes();
  flow.prompt_tokens += record.usage().prompt_tokens();
  flow.completion_tokens += record.usage().completion_tokens();
  flow.micro_units += record.cost_micro_units();
  if (!record.currency().empty()) flow.currency = record.currency();
  if (flow.first.empty() || record.time() < flow.first) flow.first = record.time();
  if (flow.last < record.time()) flow.last = record.time();
  for (const v1::Finding& finding : record.findings()) ++flow.findings[finding.type()];
}

}  // namespace

void AuditTally::Add(const v1::AuditRecord& record) {
  ++records;
  if (first_time.empty() || record.time() < first_time) first_time = record.time();
  last_time = std::max(last_time, record.time());
  if (!record.policy_version().empty()) policy_versions.insert(record.policy_version());
  if (!record.tenant().empty()) tenants.insert(record.tenant());
  switch (record.kind()) {
    case v1::AuditRecord::KIND_DECISION: return AddDecision(record);
    case v1::AuditRecord::KIND_OUTCOME: return AddOutcome(record);
    case v1::AuditRecord::KIND_REFUSAL: return AddRefusal(record);
    case v1::AuditRecord::KIND_ADMIN:
    case v1::AuditRecord::KIND_CHAIN_START: return AddAdmin(record);
    default: return;
  }
}

void AuditTally::AddDecision(const v1::AuditRecord& record) {
  ++decisions;
  Open& open = open_[record.request_id()];  // a second decision counts
  open.cloud = record.route().target() == v1::Route::TARGET_CLOUD;
  open.masked = Has(record.route(), "masked");
  open.rule = absl::StrJoin(record.route().reasons(), " ");
  open.policy_version = record.policy_version();
  open.tenant = record.tenant();
  open.level = AuditLevelName(record.sensitivity());
  open.text_bytes = record.text_bytes();
  if (open.cloud && !open.masked && Sensitive(record)) {
    ++violations_total;
    if (violations.size() < kShownMax) violations.push_back(record.request_id());
  }
}

void AuditTally::AddOutcome(const v1::AuditRecord& record) {
  ++outcomes;
  ++requests;
  ++statuses[record.status()];
  if (!record.stage().empty()) ++stages[record.stage()];
  const auto found = open_.find(record.request_id());
  const Open open = found == open_.end() ? Open() : found->second;
  if (found != open_.end()) open_.erase(found);

  const bool left_cluster = record.cloud_attempts() > 0;
  const bool cached = Has(record.route(), "cached");
  const bool answer = record.route().target() != v1::Route::TARGET_UNSPECIFIED;
  const bool early = record.status() != "OK" && !answer;
  refused += early;
  answered += answer;
  route_told += answer && record.route().reasons_size() > 0;
  sensitive += Sensitive(record) && !record.classification_state().empty();
  guarded += absl::StrContains(record.detail(), "output_guard matched");
  payloads += !record.input_digest().empty();
  const char* fate = left_cluster ? (open.masked ? "left_masked" : "left")
                     : cached     ? "cached"
                     : early      ? "refused"
                     : record.status() == "OK" ? "stayed" : "failed";
  const std::string tenant = record.tenant().empty() ? "-" : record.tenant();
  const std::string level = AuditLevelName(record.sensitivity());
  Count(matrix[{tenant, level, fate}], record);
  if (!left_cluster) return;
  ++left;
  masked += open.masked;
  sensitive_left += Sensitive(record) && !open.masked;
  undecided_egress += !open.cloud;
  const bool cloud_answered = record.route().target() == v1::Route::TARGET_CLOUD;
  const std::string recipient = cloud_answered ? record.route().endpoint() : "";
  Count(egress[{recipient, record.route().model(), tenant, level, open.rule, record.policy_version()}], record);
}

// One, or how many more there were in a minute.
void AuditTally::AddRefusal(const v1::AuditRecord& record) {
  const int64_t count = std::max<int64_t>(record.count(), 1);
  turned_away_total += count;
  turned_away[record.detail().substr(0, 64)] += count;
}

void AuditTally::AddAdmin(const v1::AuditRecord& record) {
  const std::string& detail = record.detail();
  const bool started = record.kind() == v1::AuditRecord::KIND_CHAIN_START;
  const std::vector<std::string> parts = absl::StrSplit(detail, "; cloud ");
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::vector<std::string> cloud = absl::StrSplit(parts[i], absl::MaxSplits(" at ", 1));
    recipients[cloud[0]] = cloud.size() == 2 ? cloud[1] : "";
  }
  std::string action = started ? "start" : parts[0];
  const std::string lost = "records lost: ";
  if (const size_t at = detail.find(lost); at != std::string::npos) {
    int64_t number = 0;
    if (absl::SimpleAtoi(detail.substr(at + lost.size()), &number)) records_lost += number;
    ++gaps;
    action = "audit writable again";
  } else if (absl::StartsWith(action, "configuration ") && action != "configuration refused") {
    action = "configuration in force";
  }
  ++admin[action.substr(0, 64)];
}

void AuditTally::Finish() {
  for (const auto& [request_id, open] : open_) {
    ++without_outcome;
    cloud_without_outcome += open.cloud;
    if (!open.cloud) continue;
    // It may have left: the process ended before it could say.
    Flow& flow = egress[{"(no outcome)", "", open.tenant, open.level, open.rule, open.policy_version}];
    ++flow.requests;
    flow.text_bytes += open.text_bytes;
  }
}

}  // namespace headgate::services
