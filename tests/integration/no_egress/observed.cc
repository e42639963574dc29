// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/observed.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/digest.h"
#include "nlohmann/json.hpp"
#include "router/audit.h"
#include "router/audit_payload.h"
#include "tests/integration/no_egress/canary_search.h"

namespace headgate::router {
namespace {

struct Decided {
  bool cloud = false, sensitive = true;
  bool masked = false;  // sensitive as it was, and not with placeholders
  bool left = false;    // by an earlier decision: a line of a batch is asked again
  bool strict = false;  // under kStricterVersion, this one or an earlier one for the cloud
  bool kept = false;    // what it was about is
  std::string digest;   // of its content
  bool may_leave() const { return cloud && (!sensitive || masked); }
};

class Judgement {
 public:
  explicit Judgement(const Observed& observed) : observed_(observed) {}
  NoEgressReport Run() {
    report_.complaints = observed_.complaints;
    report_.requests = static_cast<int>(observed_.requests.size());
    report_.detector_faults = observed_.detector_faults;
    report_.audit_faults = observed_.audit_faults;
    report_.reloads = observed_.reloads;
    report_.seen["cache faults"] = observed_.cache_faults;
    report_.seen["hits in Redis"] = observed_.redis_hits;
    report_.seconds_run = observed_.seconds;
    ReadReceived();
    ReadPayloads();
    ReadAudit();
    for (size_t i = 0; i < observed_.requests.size(); ++i) JudgeOne(i);
    JudgeOutcomes();
    for (const std::set<std::string>& received : received_) {
      for (const std::string& canary : received) {
        if (!known_.contains(canary) && Whole(canary)) Complain("a canary that belongs to no request");
      }
    }
    JudgeTexts();
    return std::move(report_);
  }

 private:
  void Complain(std::string what) { report_.complaints.push_back(std::move(what)); }
  std::string IdOf(size_t index) const {
    const std::string& own = observed_.ended[index].request_id;
    return own.empty() ? RequestIdOf(index) : own;
  }
  static bool Whole(const std::string& canary) { return canary.size() == kCanaryPrefix.size() + kCanaryLetters; }

  void ReadReceived() {
    received_.resize(observed_.received.size());
    for (size_t cloud = 0; cloud < received_.size(); ++cloud) {
      for (const std::string& record : observed_.received[cloud]) {
        report_.received_bytes += record.size();
        received_[cloud].merge(FindWords(record));
        ReadNumbers(record);
        if (!FindWords(record, kRequestIdPrefix).empty()) Complain("a request id or a trace left the cluster");
      }
    }
    if (!observed_.received_all) Complain("the emulator did not record everything");
  }

  // Runs of digits as long as a telephone number.
  void ReadNumbers(const std::string& record) {
    constexpr size_t kDigits = 11;
    for (size_t at = 0; at < record.size();) {
      const size_t begin = std::min(record.find_first_of("0123456789", at), record.size());
      at = std::min(record.find_first_not_of("0123456789", begin), record.size());
      if (at - begin == kDigits) numbers_.insert(record.substr(begin, kDigits));
    }
  }

  void ReadAudit() {
    const absl::Status chain = VerifyAuditChain(observed_.audit_key, observed_.audit);
    if (!chain.ok()) Complain(std::string(chain.message()));
    for (const std::string& line : observed_.audit) {
      const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (record.is_discarded()) continue;
      const std::string kind = record.value("kind", ""), id = record.value("request_id", "");
      if (kind == "outcome") ReadOutcome(id, record);
      if (kind != "decision") continue;
      const std::string level = record.value("sensitivity", "restricted");
      Decided& decided = decisions_[id];
      decided.left |= decided.may_leave();
      const bool stricter = record.value("policy_version", "") == kStricterVersion;
      decided.strict = stricter || (decided.strict && decided.cloud);
      decided.cloud = record["route"].value("target", "") == "cloud";
      decided.kept = ReadKept(record);
      report_.seen["not read"] += line.find("NOT_INSPECTABLE:busy") != std::string::npos;
      decided.sensitive =
          record.value("classification_state", "") != "classified" || (level != "public" && level != "internal");
      decided.digest = record.value("content_digest", "");
      if (!decided.sensitive && !decided.digest.empty()) open_digests_.insert(decided.digest);
      for (const auto& reason : record["route"].value("reasons", nlohmann::json::array())) {
        decided.masked |= reason == "masked" && level == "confidential";
        ++report_.reasons[reason.get<std::string>()];
      }
      report_.decided_sensitive += decided.sensitive;
      report_.masked += decided.cloud && decided.masked;
    }
    // Another request with the same content may have gone, rightly.
    for (size_t i = 0; i < observed_.requests.size(); ++i) {
      const CanaryRequest& request = observed_.requests[i];
      known_.insert(request.canary);
      known_.insert(request.changed);
      if (request.kind == Kind::kEmail) known_.insert(request.value);
      const Ended& ended = observed_.ended[i];
      const bool level_told = ended.status.ok() && ended.level != v1::SENSITIVITY_LEVEL_UNSPECIFIED;
      if (level_told && ended.level < v1::SENSITIVITY_LEVEL_CONFIDENTIAL) open_.insert({request.canary, request.value});
      const auto found = decisions_.find(IdOf(i));
      if (found == decisions_.end()) continue;
      const bool again = request.api == Api::kHttpBatch && found->second.left;
      if (found->second.may_leave() || again) went_.insert(request.canary);
      // The same content may have been decided when it could be read: by a line of a batch whose id nobody waited for.
      const bool open = !found->second.sensitive || open_digests_.contains(found->second.digest);
      (open ? open_ : closed_).insert({request.canary, request.value});
    }
  }

  // Who has the key can open them.
  void ReadPayloads() {
    for (const std::string& line : observed_.payloads) {
      const auto payload = OpenPayload(observed_.payload_key, line);
      if (!payload.ok()) Complain("a payload that cannot be opened");
      kept_.insert(Hex(Sha256(line)));
      report_.seen["payloads with their canary"] += payload.ok() && !FindWords(payload->text).empty();
    }
    if (!FindWords(absl::StrJoin(observed_.payloads, "\n")).empty()) Complain("a canary is in a payload, in clear");
  }
  bool ReadKept(const nlohmann::json& record) {
    const std::string digest = record.value("input_digest", "");
    if (digest.empty()) return false;
    const auto kept = kept_.find(digest);
    if (kept == kept_.end()) Complain("a record's payload is missing");
    return kept != kept_.end();
  }

  void ReadOutcome(const std::string& id, const nlohmann::json& record) {
    ++outcomes_[id];
    const std::string detail = record.value("detail", ""), stage = record.value("stage", "");
    const int attempts = record.value("cloud_attempts", 0);
    const bool hedged = detail.find("hedge") != std::string::npos;
    const bool local = record.contains("route") && record["route"].value("target", "") == "local";
    report_.seen["retries"] += attempts > 1;
    report_.seen["fallbacks"] += local && attempts > 0 && !hedged;
    report_.seen["hedges won"] += detail.find("hedge won") != std::string::npos;
    report_.seen["hedges lost"] += detail.find("hedge lost") != std::string::npos;
    report_.seen["hedges failed"] += detail.find("hedge failed") != std::string::npos;
    if (!stage.empty()) ++report_.seen["ended in " + stage];
  }

  void Leak(const CanaryRequest& request, const char* why) {
    const auto index = static_cast<size_t>(&request - observed_.requests.data());
    std::string how;
    for (const Evasion* evasion : request.evasions) absl::StrAppend(&how, " ", evasion->name);
    if (request.split) how = " split";
    report_.leaks.push_back(
        absl::StrCat("request ", index, ", ", Name(request.kind), how, " in ", request.field, " by ",
                     Name(request.api), ": ", why));
    ++report_.leaks_by_kind[request.kind];
  }

  void JudgeEnd(size_t index) {
    const CanaryRequest& request = observed_.requests[index];
    const Ended& ended = observed_.ended[index];
    const auto complain = [&](const char* what) {
      Complain(absl::StrCat("request ", index, " (", Name(request.kind), " by ", Name(request.api), "): ", what));
    };
    const bool ok = ended.status.ok();
    if (ended.times != 1) complain("did not end exactly once");
    if (ended.routes > 1 || ended.finishes > 1 || ended.after_finish) complain("events after its end");
    if (ok && !LocalOnly(request.api) && (ended.routes != 1 || ended.finishes != 1)) {
      complain("OK without a route and a finish");
    }
    if (ok && !request.valid) complain("should have been refused");
    if (ended.cached && ended.level >= v1::SENSITIVITY_LEVEL_CONFIDENTIAL) complain("sensitive, from the cache");
    if (!FindWords(ended.said).empty()) complain("a canary is in an error message or an explanation");
    report_.answered[request.api] += ok;
    report_.cached += ok && ended.cached;
    report_.failed += !ok && request.valid;
    report_.refused += !request.valid;
    const bool cloud = ok && ended.target == v1::Route::TARGET_CLOUD;
    report_.cloud_answers += cloud;
    report_.local_answers += ok && !cloud;
    // The positive control: what the cloud answered, it got.
    const bool recorded = std::any_of(received_.begin(), received_.end(), [&](const std::set<std::string>& received) {
      return received.contains(request.canary) || received.contains(request.changed);
    });
    if (cloud && request.sendable && !recorded) complain("answered by the cloud, but not in its record");
    if (!ok) return;
    const bool http = request.api == Api::kHttp || request.api == Api::kHttpStream;
    report_.seen["completions answered"] += http && request.field == "prompt";
    report_.seen["tools answered"] += request.field.starts_with("tool") || request.field.starts_with("call");
    report_.seen["split answered"] += request.split;
    report_.seen["large answered"] += request.large;
    report_.seen["thought of"] += ended.thought;
  }

  void JudgeOne(size_t index) {
    JudgeEnd(index);
    const CanaryRequest& request = observed_.requests[index];
    const Ended& ended = observed_.ended[index];
    if (MustStay(request.kind)) {
      ++report_.evasions[request.split ? "split"
                         : request.evasions.empty()
                             ? "plain"
                             : absl::StrJoin(request.evasions, "+", [](std::string* out, const Evasion* evasion) {
                                 out->append(evasion->name);
                               })];
    }
    JudgeMasked(index);
    const auto made = decisions_.find(IdOf(index));
    if (Late(request.kind) && made != decisions_.end() && !made->second.cloud && made->second.strict) {
      ++report_.seen["stayed after the reload"];
    }
    bool found = false, elsewhere = false;
    for (size_t cloud = 0; cloud < received_.size(); ++cloud) {
      if (received_[cloud].contains(request.changed)) Leak(request, "other bytes than were decided upon");
      if (!received_[cloud].contains(request.canary)) continue;
      (cloud == request.cloud ? found : elsewhere) = true;
      ++report_.seen[absl::StrCat("at cloud ", cloud)];
    }
    found |= elsewhere;
    report_.follow_ups += request.kind == Kind::kFollowUp && ended.status.ok();
    report_.reached_cloud += found || ended.target == v1::Route::TARGET_CLOUD;
    if (!found) return;
    report_.everyday_found += request.kind == Kind::kEveryday;
    if (MustStay(request.kind)) return Leak(request, "must never leave");
    if (LocalOnly(request.api)) return Leak(request, "a call that only the cluster answers");
    if (!request.sendable) return Leak(request, "a field that is never sent");
    if (!request.valid) return Leak(request, "an invalid request");
    if (made != decisions_.end()) JudgeDecision(request, made->second);
    if (elsewhere) return Leak(request, "at another cloud than its own");
    if (went_.contains(request.canary)) return;
    // Nobody read how its line ended, so nobody knows what it was called.
    if (request.api == Api::kHttpBatch && observed_.ended[index].request_id.empty()) {
      ++report_.seen["batches without an end"];
      return;
    }
    if (made == decisions_.end() || !made->second.cloud) {
      return Leak(request, "no record of a decision for the cloud");
    }
    Leak(request, "decided sensitive");
  }

  // Of a request that left.
  void JudgeDecision(const CanaryRequest& request, const Decided& decided) {
    if (!decided.cloud) return;
    if (Late(request.kind)) ++report_.seen["left before the reload"];
    if (Late(request.kind) && decided.strict) Leak(request, "must stay by the version that decided");
    const bool keep = request.api_key == kSecondKey || request.api_key == kMaskedKey;
    if (keep && !decided.kept) Complain("left, and its content is not kept");
  }

  // What the tenant wants masked may leave only where nothing was found at all.
  void JudgeMasked(size_t index) {
    const CanaryRequest& request = observed_.requests[index];
    if (request.api_key != kMaskedKey || request.value.empty()) return;
    const auto decision = decisions_.find(IdOf(index));
    if (decision != decisions_.end() && decision->second.cloud && !decision->second.sensitive) return;
    bool left = request.kind == Kind::kPhone && numbers_.contains(request.value);
    for (const std::set<std::string>& received : received_) {
      left |= request.kind == Kind::kEmail && received.contains(request.value);
    }
    if (left) Leak(request, "a value that is masked");
  }

  // Outcomes that are missing were refused by the store, each of which counts as a fault.
  void JudgeOutcomes() {
    int missing = 0;
    std::string which;
    for (size_t i = 0; i < observed_.requests.size(); ++i) {
      const CanaryRequest& request = observed_.requests[i];
      const auto found = outcomes_.find(IdOf(i));
      const int outcomes = found == outcomes_.end() ? 0 : found->second;
      if (outcomes > 1 && request.api != Api::kHttpBatch) Complain("a request has two audit outcomes");
      // A body that is no request, and a client that left before it was one, do not get as far as the router.
      const bool router = observed_.ended[i].status.ok() || request.api == Api::kDirect;
      if (!router || request.api == Api::kExplain || outcomes > 0) continue;
      ++missing;
      absl::StrAppend(&which, " ", i, " (", Name(request.kind), " by ", Name(request.api), ")");
    }
    if (!observed_.audit_lies && missing > observed_.audit_faults) {
      Complain(absl::StrCat(missing, " audit outcomes are missing:", which.substr(0, 500)));
    }
  }

  // In the audit log, to see why.
  std::string RecordsOf(const CanaryRequest& request) const {
    const std::string id = IdOf(static_cast<size_t>(&request - observed_.requests.data()));
    std::string records;
    for (const std::string& line : observed_.audit) {
      if (line.find(id) != std::string::npos) absl::StrAppend(&records, "\n    ", line);
    }
    return records;
  }

  void JudgeTexts() {
    report_.log_bytes = observed_.log.size();
    if (!FindWords(observed_.log).empty()) Complain("a canary is in the log");
    if (!FindWords(observed_.metrics).empty()) Complain("a canary is in the metrics");
    if (!FindWords(observed_.files).empty()) Complain("a canary is in a file");
    if (!FindWords(absl::StrJoin(observed_.audit, "\n")).empty()) Complain("a canary is in the audit log");
    JudgeRedis();
  }

  // It holds answers of requests that are not sensitive, and an answer may repeat its question. Where the record was
  // lost and the client has left nobody says what a request was.
  void JudgeRedis() {
    std::map<std::string, const CanaryRequest*> closed;
    for (const CanaryRequest& request : observed_.requests) {
      // Not for what they say.
      const bool other = request.kind == Kind::kLocalTenant || request.kind == Kind::kAttack;
      const bool stays = MustStay(request.kind) && !other;
      for (const std::string& canary : {request.canary, request.value}) {
        if ((stays || closed_.contains(canary)) && !open_.contains(canary)) closed.emplace(canary, &request);
      }
    }
    int unknown = 0;
    for (const std::string& canary : FindWords(observed_.redis)) {
      if (!Whole(canary)) continue;
      ++report_.seen["in Redis"];
      const auto found = closed.find(canary);
      unknown += found == closed.end() && !open_.contains(canary);
      if (found == closed.end()) continue;
      Complain(absl::StrCat("a canary of a request that is sensitive is in Redis: ", Name(found->second->kind), " in ",
                            found->second->field, " by ", Name(found->second->api), RecordsOf(*found->second)));
    }
    if (observed_.audit_lies) return;  // what was not written leaves all requests unknown
    if (unknown > observed_.audit_faults) Complain("canaries of unknown requests are in Redis");
  }

  const Observed& observed_;
  std::vector<std::set<std::string>> received_;    // canaries, by cloud
  // Canaries: of all; of what may leave; of what was decided not to be sensitive, and to be.
  std::set<std::string> known_, went_, open_, closed_;
  std::set<std::string> open_digests_;             // of contents that were decided not to be sensitive
  std::set<std::string> numbers_;                  // received
  std::map<std::string, Decided> decisions_;       // by request id
  std::set<std::string> kept_;                     // digests of payloads
  std::map<std::string, int> outcomes_;
  NoEgressReport report_;
};

template <typename Key>
void AddCounts(const std::map<Key, int>& from, std::map<Key, int>& to) {
  for (const auto& [key, count] : from) to[key] += count;
}

}  // namespace

const char* Name(Guard guard) {
  static constexpr const char* kNames[kGuards] = {
      "none", "detectors", "folding", "decoding", "seams", "joining", "numerals", "recursion", "memory",
      "masked_scan", "remains", "input_filter", "declared_level", "tenant_floor", "local_only_tenant", "fail_closed",
      "digest", "audit_first", "less_trust", "closed_fields", "closed_headers", "inspection_limit", "reload",
      "cloud_choice", "detectors_at_second", "detectors_at_hedges", "hedge_record", "cache", "quiet_log",
      "quiet_metrics", "quiet_errors", "quiet_audit", "quiet_files", "quiet_redis"};
  return kNames[static_cast<int>(guard)];
}

std::string RequestIdOf(size_t index) { return absl::StrFormat("%s-%07d", kRequestIdPrefix, index); }

void NoEgressReport::Add(const NoEgressReport& other) {
  leaks.insert(leaks.end(), other.leaks.begin(), other.leaks.end());
  complaints.insert(complaints.end(), other.complaints.begin(), other.complaints.end());
  AddCounts(other.leaks_by_kind, leaks_by_kind);
  AddCounts(other.answered, answered);
  AddCounts(other.evasions, evasions);
  AddCounts(other.reasons, reasons);
  AddCounts(other.seen, seen);
  int* const mine[] = {&requests, &reached_cloud, &everyday_found, &cloud_answers, &local_answers, &cached, &refused,
                       &failed, &decided_sensitive, &detector_faults, &audit_faults, &reloads, &masked, &follow_ups};
  const int theirs[] = {other.requests, other.reached_cloud, other.everyday_found, other.cloud_answers,
                        other.local_answers, other.cached, other.refused, other.failed, other.decided_sensitive,
                        other.detector_faults, other.audit_faults, other.reloads, other.masked, other.follow_ups};
  static_assert(std::size(mine) == std::size(theirs));
  for (size_t i = 0; i < std::size(mine); ++i) *mine[i] += theirs[i];
  received_bytes += other.received_bytes;
  log_bytes += other.log_bytes;
  seconds_run += other.seconds_run;
  seconds_judge += other.seconds_judge;
}

std::string NoEgressReport::Summary() const {
  std::string apis;
  for (const auto& [api, count] : answered) absl::StrAppend(&apis, " ", Name(api), " ", count);
  std::string why;
  for (const auto& [reason, count] : reasons) absl::StrAppend(&why, " ", reason, " ", count);
  std::string more;
  for (const auto& [what, count] : seen) absl::StrAppend(&more, ", ", what, " ", count);
  return absl::StrFormat(
      "no egress: %d requests, %d reached the cloud, %d everyday canaries found there, %d leaks, %d complaints; "
      "answers %d cloud, %d local, %d cached, refused %d, failed %d; decided sensitive %d, masked %d, follow-ups %d; "
      "faults: detectors %d, audit %d; %d reloads; %d ways of writing a value; answered by%s; decided for%s%s; "
      "%.1f MB received, %.1f MB logged; %.1f s + %.1f s of searching",
      requests, reached_cloud, everyday_found, leaks.size(), complaints.size(), cloud_answers, local_answers, cached,
      refused, failed, decided_sensitive, masked, follow_ups, detector_faults, audit_faults, reloads, evasions.size(),
      apis, why, more, static_cast<double>(received_bytes) / 1e6, static_cast<double>(log_bytes) / 1e6, seconds_run,
      seconds_judge);
}

NoEgressReport Judge(const Observed& observed) { return Judgement(observed).Run(); }

}  // namespace headgate::router
