// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What Router writes to the audit log: the decision before a byte can leave, the fields that every record of a request
// has, the content where it must be kept, and records about the process itself.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "google/protobuf/util/json_util.h"
#include "router/router_exchange.h"
#include "router/router.h"

namespace headgate::router {

void AddDetail(const std::string& what, v1::AuditRecord& record) {
  absl::StrAppend(record.mutable_detail(), record.detail().empty() ? "" : "; ", what);
}

void AddCharge(const Charge& charge, v1::AuditRecord& record) {
  record.set_cost_micro_units(record.cost_micro_units() + charge.micro_units);
  if (charge.currency.empty()) return;
  record.set_currency(charge.currency);
  record.set_price_version(charge.price_version);
}

void AddLost(const Attempts& attempts, v1::AuditRecord& record) {
  using Hedge = Attempts::Hedge;
  if (attempts.hedge == Hedge::kWon) AddDetail("hedge won", record);
  if (attempts.hedge == Hedge::kFailed) AddDetail("hedge failed", record);
  if (attempts.hedge == Hedge::kLost) AddDetail("hedge lost, usage estimated", record);
  if (attempts.lost > 0) {
    AddDetail(absl::StrCat("usage of ", attempts.lost, " failed cloud attempts estimated"), record);
  }
}

// For sites that must keep content: a request whose content cannot be kept may not leave.
Task<absl::Status> Router::WriteDecision(Exchange& x, const Prompt& prompt, const Decision& decision) {
  const absl::Status kept = KeepContent(x, "input", prompt.content(), &x.input_digest);
  v1::AuditRecord record = NewRecord(x, prompt, v1::AuditRecord::KIND_DECISION);
  const bool cloud = decision.target == Target::kCloud;
  record.mutable_route()->set_target(cloud ? v1::Route::TARGET_CLOUD : v1::Route::TARGET_LOCAL);
  for (const std::string& reason : decision.reasons) record.mutable_route()->add_reasons(reason);
  const absl::Status written = co_await parts_.audit.WriteTogether(parts_.executor, std::move(record));
  co_return kept.ok() ? written : kept;
}

Task<absl::Status> Router::RecordDecision(Exchange& x, const Prompt& prompt, Decision& decision,
                                          Cancellation& cancellation) {
  if (decision.target == Target::kCloud) {
    // Its place and its money are taken before anything suspends.
    meter_.CommitCloud();
    x.hold = accounting_.Reserve(*x.ticket, prompt, x.cloud_config().model);
  }
  absl::Status written = co_await WriteDecision(x, prompt, decision);
  if (written.ok() && decision.target == Target::kCloud) {
    written = co_await parts_.audit.Commit(parts_.executor, cancellation);
    if (!written.ok() && cancellation.cancelled()) co_return cancellation.reason();
  }
  if (!written.ok() && decision.target == Target::kCloud) {
    // Deciding again, as if there were no money, yields a local decision, without a permit.
    x.hold = {};
    Budget no_money;
    no_money.room = false;
    decision = Judge(x, meter_.Peek(), Fleet(prompt, x.cloud), no_money);
    if (decision.target == Target::kCloud) co_return written;
    const absl::Status noted = co_await WriteDecision(x, prompt, decision);
    noted.IgnoreError();  // nothing leaves
  }
  quotes_.Decided(x.ticket->tenant->name,
                  decision.target == Target::kCloud ? Quote::Side::kCloud : Quote::Side::kLocal);
  metrics_.Decided(decision);
  co_return absl::OkStatus();
}

// A hedge is a second decision for the same request: it needs its own money and its own record before a byte leaves.
Task<absl::Status> Router::ApproveHedge(Exchange& x, const Prompt& prompt, Cancellation& cancellation) {
  const std::string& model = x.cloud_config().model;
  if (x.judged().sensitive() || !parts_.audit.writable() || !accounting_.BudgetFor(*x.ticket, prompt, model).room) {
    co_return absl::ResourceExhaustedError("no hedge");
  }
  Decision decision;
  decision.target = Target::kCloud;
  decision.reasons = {"hedge"};
  x.hold = accounting_.Reserve(*x.ticket, prompt, model);
  absl::Status written = co_await WriteDecision(x, prompt, decision);
  if (written.ok()) written = co_await parts_.audit.Commit(parts_.executor, cancellation);
  if (!written.ok()) x.hold = {};
  co_return written;
}

// What an attempt that broke off may have cost is booked before the next one, which needs room of its own: however
// often the cloud is asked, the hard limits hold. One that was refused cost nothing: its room is the next one's.
bool Router::ApproveRetry(Exchange& x, const Prompt& prompt) {
  if (x.attempts.lost == x.booked.lost) return true;
  BookLost(x, prompt);
  const std::string& model = x.cloud_config().model;
  if (!accounting_.BudgetFor(*x.ticket, prompt, model).room) return false;
  x.hold = accounting_.Reserve(*x.ticket, prompt, model);
  return true;
}

// What was sent and did not become the answer may have to be paid for: the prompt, at four bytes a token, each time.
void Router::BookLost(Exchange& x, const Prompt& prompt) {
  const int hedge_lost = x.attempts.hedge == Attempts::Hedge::kLost ? 1 : 0;
  const int lost = x.attempts.lost - x.booked.lost + hedge_lost;
  if (!x.ticket || lost == 0) return;
  v1::Route route;
  route.set_target(v1::Route::TARGET_CLOUD);
  route.set_model(x.cloud_config().model);
  v1::Usage usage;
  usage.set_prompt_tokens(lost * static_cast<int64_t>(prompt.text_bytes() / 4));
  usage.set_completion_tokens(x.attempts.lost_output_tokens - x.booked.lost_output_tokens);
  x.booked = x.attempts;
  Charge charge = accounting_.Settle(*x.ticket, route, usage, std::move(x.hold));
  charge.micro_units += x.lost.micro_units;
  if (!charge.currency.empty()) x.lost = std::move(charge);
}

absl::Status Router::KeepContent(const Exchange& x, const std::string& part, const google::protobuf::Message& content,
                                 std::string* digest) {
  if (!x.ticket || !digest->empty() || !parts_.audit.KeepsPayloadsOf(x.ticket->tenant->name)) return absl::OkStatus();
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(content, &json).ok()) {
    return absl::UnavailableError("the content cannot be kept");
  }
  ASSIGN_OR_RETURN(*digest, parts_.audit.WritePayload(x.head.request_id, part, json));
  return absl::OkStatus();
}

v1::AuditRecord Router::NewRecord(const Exchange& x, const Prompt& prompt, v1::AuditRecord::Kind kind) const {
  v1::AuditRecord record;
  record.set_kind(kind);
  record.set_request_id(x.head.request_id);
  record.set_api(x.head.api);
  record.set_policy_version(x.rules->config.version);
  record.set_text_bytes(static_cast<int64_t>(prompt.text_bytes()));
  record.set_input_digest(x.input_digest);
  if (x.ticket) record.set_tenant(x.ticket->tenant->name);
  for (const v1::Finding& attack : x.attacks) *record.add_findings() = attack;
  if (x.classified) {
    record.set_sensitivity(x.sensitivity.level);
    record.set_classification_state(std::string(Name(x.sensitivity.state)));
    for (const v1::Finding& finding : x.sensitivity.findings) *record.add_findings() = finding;
    record.set_content_digest(parts_.audit.ContentDigest(x.judged().digest));
  }
  return record;
}

absl::Status Router::RecordAdmin(const std::string& detail) { return RecordChain(v1::AuditRecord::KIND_ADMIN, detail); }

absl::Status Router::RecordChain(v1::AuditRecord::Kind kind, const std::string& detail) {
  v1::AuditRecord record;
  record.set_kind(kind);
  record.set_policy_version(rules_->config.version);
  record.set_detail(detail);
  // Who gets what leaves from now on: export control asks.
  const bool in_force = kind == v1::AuditRecord::KIND_CHAIN_START ||
                        detail == absl::StrCat("configuration ", rules_->config.version);
  for (size_t i = 0; in_force && i <= rules_->config.clouds.size(); ++i) {
    const CloudConfig& cloud = CloudNumber(rules_->config, i);
    if (!cloud.enabled) continue;
    record.set_detail(absl::StrCat(record.detail(), "; cloud ", cloud.name, " at ", cloud.base_url));
  }
  return parts_.audit.Write(std::move(record));
}

}  // namespace headgate::router
