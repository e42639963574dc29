// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/sim/sim_trace.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/digest.h"
#include "nlohmann/json.hpp"
#include "router/audit.h"

namespace headgate::router {
namespace {

using nlohmann::json;

// What the audit log says about one request.
struct Story {
  int decisions = 0, outcomes = 0;  // attempted; a spell of the store is no excuse for not trying
  std::vector<size_t> cloud_decisions;  // audit index, stored ones
  std::vector<size_t> hedges;           // of these, those that let it leave while an engine has it too
  bool hedge_lost = false, hedge_won = false;
  int lost = 0;  // cloud attempts that broke off and were booked
  int64_t text_bytes = 0;
  std::string decided = "";             // target of the last attempt
  std::string status, stage;
  bool sensitive = false;  // as recorded
  int cloud_attempts = 0;
  std::string tenant, target;
  int64_t prompt_tokens = 0, completion_tokens = 0, cost = 0;
};

class Checker {
 public:
  Checker(const SimPlan& plan, const SimTrace& trace) : plan_(plan), trace_(trace) {}

  SimReport Run() {
    ReadAudit();
    CheckChain();
    CheckRequests();
    CheckCloud();
    CheckRate();
    CheckReserve();
    CheckMoney();
    for (const std::string& id : trace_.engine_mixups) Violation(id, "an engine got another request's content");
    if (trace_.leftovers != 0) Violation("end", absl::StrCat(trace_.leftovers, " streams or counts left over"));
    report_.digest = Digest();
    return std::move(report_);
  }

 private:
  void Violation(const std::string& where, const std::string& what) {
    report_.violations.push_back(absl::StrCat(where, ": ", what));
  }

  void ReadAudit() {
    for (size_t i = 0; i < trace_.audit.size(); ++i) {
      const json record = json::parse(trace_.audit[i].line);
      const std::string kind = record["kind"];
      if (kind == "refusal") counted_ += record.value("count", 0);
      if (kind != "decision" && kind != "outcome") continue;
      Story& story = stories_[record.value("request_id", "")];
      const std::string target = record.contains("route") ? record["route"].value("target", "") : "";
      if (record.contains("classification_state")) {
        const std::string level = record.value("sensitivity", "");
        story.sensitive = record["classification_state"] != "classified" || level == "confidential" ||
                          level == "restricted";
      }
      if (kind == "decision") {
        ++story.decisions;
        story.decided = target;
        const std::string reason = record["route"]["reasons"][0];
        ++report_.counts["decided " + reason];
        if (target == "cloud" && trace_.audit[i].stored) {
          story.cloud_decisions.push_back(i);
          if (reason == "hedge") story.hedges.push_back(i);  // has a budget of its own
          if (reason == "everyday") admissions_.push_back(trace_.audit[i].at);  // within the threshold
        }
      } else {
        ++story.outcomes;
        story.status = record.value("status", "");
        story.stage = record.value("stage", "");
        story.cloud_attempts = record.value("cloud_attempts", 0);
        story.hedge_lost = record.value("detail", "").find("hedge lost") != std::string::npos;
        story.lost = LostAttempts(record.value("detail", ""));
        story.hedge_won = record.value("detail", "").find("hedge won") != std::string::npos;
        story.text_bytes = Number(record, "text_bytes");
        story.tenant = record.value("tenant", "");
        story.target = target;
        if (record.contains("cost")) story.cost = Number(record["cost"], "micro_units");
        if (record.contains("usage")) {
          story.prompt_tokens = Number(record["usage"], "prompt_tokens");
          story.completion_tokens = Number(record["usage"], "completion_tokens");
        }
      }
    }
    if (stories_.size() > plan_.requests.size()) Violation("audit", "a record of a request that nobody sent");
  }

  static int LostAttempts(const std::string& detail) {
    const size_t at = detail.find("usage of ");
    return at == std::string::npos ? 0 : std::stoi(detail.substr(at + sizeof("usage of ") - 1));
  }

  // 64-bit numbers are strings in protobuf's JSON.
  static int64_t Number(const json& record, const char* name) {
    const auto found = record.find(name);
    if (found == record.end()) return 0;
    return found->is_string() ? std::stoll(found->get<std::string>()) : found->get<int64_t>();
  }

  void CheckChain() {
    std::map<std::string, std::vector<std::string>> chains;
    for (const auto& written : trace_.audit) {
      if (written.stored) chains[written.chain].push_back(written.line);
    }
    for (const auto& [name, stored] : chains) {
      const absl::Status chain = VerifyAuditChain(trace_.audit_key, stored);
      if (!chain.ok()) Violation(name, std::string(chain.message()));
    }
    report_.counts["routers that began again"] = static_cast<int>(chains.size()) - plan_.routers;
  }

  // Its router ended under it: of what the client saw only the beginning of an answer counts, of the records that
  // there is at most one of its end.
  void CheckCrashed(const std::string& name, const SimRequest& request, const SimSeen& seen, const Story& story) {
    ++report_.counts["cut off by a crash"];
    if (story.outcomes > 1) Violation(name, absl::StrCat(story.outcomes, " audit outcomes"));
    if (seen.routes.empty()) {
      if (!seen.text.empty()) Violation(name, "an answer without a route");
      return;
    }
    const bool cloud = seen.routes[0].target() == v1::Route::TARGET_CLOUD;
    const std::string expected = SimExpected(request, cloud);
    if (expected.compare(0, seen.text.size(), seen.text) != 0) Violation(name, "not the beginning of an answer");
  }

  void CheckRequests() {
    for (size_t i = 0; i < plan_.requests.size(); ++i) {
      const SimRequest& request = plan_.requests[i];
      const SimSeen& seen = trace_.seen[i];
      const Story& story = stories_[request.id];
      const std::string name = absl::StrCat(request.id, " (", request.kind, ")");
      if (seen.ends != 1) Violation(name, absl::StrCat("ended ", seen.ends, " times"));
      if (seen.crashed) {
        CheckCrashed(name, request, seen, story);
        continue;
      }
      // Of those without a key some are only counted, together.
      if (story.outcomes == 0 && seen.status.code() == absl::StatusCode::kUnauthenticated) {
        --counted_;
        CheckOutcome(name, request, seen);
        ++report_.counts["status UNAUTHENTICATED"];
        ++report_.counts["refusals counted together"];
        continue;
      }
      if (story.outcomes != 1) Violation(name, absl::StrCat(story.outcomes, " audit outcomes"));
      if (story.status != absl::StatusCodeToString(seen.status.code())) Violation(name, "audited another status");
      if (story.stage.empty() != seen.status.ok()) Violation(name, "stage and status do not fit");
      ++report_.counts[absl::StrCat("status ", absl::StatusCodeToString(seen.status.code()))];
      CheckOutcome(name, request, seen);
      if (request.api == SimRequest::Api::kGenerate) CheckAnswer(name, request, seen, story);
    }
    // What was only counted when a router ended is lost with it.
    const bool fits = plan_.crashes.empty() ? counted_ == 0 : counted_ <= 0;
    if (!fits) Violation("audit", "another number of refusals than there were");
  }

  // What the client did decides which ends are right.
  void CheckOutcome(const std::string& name, const SimRequest& request, const SimSeen& seen) {
    const absl::StatusCode code = seen.status.code();
    const bool patient = request.leaves == absl::InfiniteDuration() && request.deadline == absl::InfiniteDuration();
    if (code == absl::StatusCode::kCancelled && request.leaves == absl::InfiniteDuration()) {
      Violation(name, "cancelled by nobody");
    }
    if (code == absl::StatusCode::kDeadlineExceeded && patient && seen.ended - request.arrives < absl::Seconds(39)) {
      Violation(name, "a deadline that nobody set");
    }
    if (request.kind == "no_key" && code != absl::StatusCode::kUnauthenticated &&
        code != absl::StatusCode::kUnavailable) {
      Violation(name, "without a key, yet not refused for it");
    }
    const bool refused_for_itself = request.kind == "invalid" && request.api == SimRequest::Api::kGenerate;
    if (refused_for_itself && seen.status.ok()) Violation(name, "invalid, yet answered");
    if (!refused_for_itself && code == absl::StatusCode::kInvalidArgument) Violation(name, "valid, yet refused");
    if (code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown) Violation(name, "an internal error");
  }

  // Everything off-peak, or twice as much: each was booked when it ended, and a clock step may lie between.
  static bool CostsThat(int64_t cost, int64_t answer, int64_t lost, int times) {
    for (int at_peak = 0; at_peak <= times; ++at_peak) {
      const int64_t of_lost = lost * (times + at_peak);
      if (cost == answer + of_lost || cost == 2 * answer + of_lost) return true;
    }
    return false;
  }

  // Each cloud answer costs what its tokens cost, an attempt that broke off its prompt, nothing else costs anything;
  // the sums agree, and the budget holds.
  void CheckMoney() {
    std::map<std::string, int64_t> audited;
    int64_t all = 0;
    for (const auto& [id, story] : stories_) {
      audited[story.tenant] += story.cost;
      const bool cloud = story.target == "cloud";
      const int64_t answer = cloud ? 2 * story.prompt_tokens + 3 * story.completion_tokens : 0;
      const int64_t lost = 2 * (story.text_bytes / 4);
      if (!CostsThat(story.cost, answer, lost, story.lost + story.hedge_lost)) {
        Violation(id, absl::StrCat("cost ", story.cost, ", its answer ", answer, ", lost ", lost, " each time"));
      }
      all += story.cost;
      if (cloud && story.status == "OK") report_.counts["priced"] += story.cost > 0;
    }
    for (const auto& [tenant, cost] : trace_.cost) {
      // A router that ended had booked attempts of requests that it wrote no end of.
      const bool fits = plan_.crashes.empty() ? audited[tenant] == cost : audited[tenant] <= cost;
      if (!fits) {
        Violation(tenant, absl::StrCat("metrics say it cost ", cost, ", the audit ", audited[tenant]));
      }
    }
    CheckBudget("all", all, plan_.config.accounting.budget);
    for (const TenantConfig& tenant : plan_.config.tenants) {
      CheckBudget(tenant.name, audited[tenant.name], tenant.budget);
    }
    std::map<std::string, int> booked;
    for (const SimRequest& request : plan_.requests) booked[request.marker] += stories_[request.id].lost;
    for (const auto& [marker, count] : booked) {
      const auto lost = trace_.lost.find(marker);
      const int most = lost == trace_.lost.end() ? 0 : lost->second;
      report_.counts["lost attempts booked"] += count;
      if (count > most) Violation(marker, absl::StrCat(count, " lost attempts booked, there were ", most));
    }
  }

  // Of all routers and over crashes. A clock step may reach another month, and of a store that forgets several routers
  // lease the same money again.
  void CheckBudget(const std::string& whose, int64_t spent, const BudgetConfig& budget) {
    const int64_t limit = budget.limit_micro_units;
    const auto forgets = [](const SimPlan::StoreSpell& spell) {
      return spell.fault == SimPlan::StoreSpell::Fault::kForgets;
    };
    const auto& fails = plan_.store_fails;
    const bool forgotten = plan_.routers > 1 && std::any_of(fails.begin(), fails.end(), forgets);
    if (limit <= 0 || !plan_.clock_steps.empty() || forgotten) return;
    if (spent > limit) Violation("budget", absl::StrCat(whose, " spent ", spent, " of ", limit));
  }

  void CheckAnswer(const std::string& name, const SimRequest& request, const SimSeen& seen, const Story& story) {
    if (seen.out_of_order) Violation(name, "events out of order");
    if (seen.routes.size() > 1) Violation(name, "more than one route");
    if (seen.routes.empty()) {
      if (seen.status.ok() || !seen.text.empty()) Violation(name, "an answer without a route");
      return;
    }
    const v1::Route& route = seen.routes[0];
    const bool cloud = route.target() == v1::Route::TARGET_CLOUD;
    const bool cached = route.reasons_size() == 1 && route.reasons(0) == "cached";
    ++report_.counts[cached ? "cached" : cloud ? "cloud" : "local"];
    report_.counts["of the second cloud"] += cloud && !cached && route.endpoint() == "night";
    if (cloud && !cached && story.decided == "local") Violation(name, "decided local, answered by the cloud");
    if (cached && story.sensitive) Violation(name, "a sensitive answer from the cache");
    if (route.request_id() != request.id) Violation(name, "another request's id");
    const std::string expected = SimExpected(request, cloud);
    if (seen.status.ok()) {
      if (seen.finishes != 1) Violation(name, "OK without a finish");
      if (seen.text != expected) Violation(name, "OK, but not the whole answer, or not of one upstream");
    } else if (expected.compare(0, seen.text.size(), seen.text) != 0) {
      Violation(name, "a partial answer that is not the beginning of one upstream's");
    }
  }

  // Every call of the cloud: whose is it, and was it allowed and recorded before?
  void CheckCloud() {
    std::map<std::string, int> calls;
    for (size_t call = 0; call < trace_.cloud.size(); ++call) {
      const SimTrace::Sent& sent = trace_.cloud[call];
      const std::string marker = FindMarker(sent.content);
      ++calls[marker];
      bool recorded = false, never_local = false, found = false, hedged = false;
      for (const SimRequest& request : plan_.requests) {
        if (request.marker != marker) continue;
        found = true;
        const Story& story = stories_[request.id];
        if (!request.may_leave) Violation(request.id, absl::StrCat("LEAK: a ", request.kind, " request left"));
        if (story.sensitive && request.masked.empty()) Violation(request.id, "LEAK: was decided sensitive and left");
        for (const size_t at : story.cloud_decisions) recorded |= at < sent.lines_before;
        for (const size_t at : story.hedges) hedged |= at < sent.lines_before;
        const auto local = trace_.local_first.find(request.id);
        never_local |= local == trace_.local_first.end() || local->second > call;
      }
      if (!found) Violation("cloud", "something left that no client sent");
      if (!recorded) Violation(marker, "left without a stored decision for the cloud");
      if (!never_local && !hedged) Violation(marker, "left after a local attempt");
      for (const SimRequest& request : plan_.requests) {
        if (!request.masked.empty() && sent.content.find(request.masked) != std::string::npos) {
          Violation(request.id, "LEAK: a value that was to be masked left");
        }
      }
      if (sent.content.find("user-") != std::string::npos || sent.content.find("session-") != std::string::npos) {
        Violation(marker, "user or session left");
      }
    }
    std::map<std::string, int> attempts;
    std::set<std::string> untold;  // a router ended before it could say
    for (size_t i = 0; i < plan_.requests.size(); ++i) {
      const SimRequest& request = plan_.requests[i];
      attempts[request.marker] += stories_[request.id].cloud_attempts;
      if (trace_.seen[i].crashed) untold.insert(request.marker);
    }
    for (const auto& [marker, count] : attempts) {
      const bool fits = untold.contains(marker) ? calls[marker] >= count : calls[marker] == count;
      if (!fits) Violation(marker, "the audit counts other cloud attempts than the cloud");
    }
    CheckCap();
    for (const auto& [id, story] : stories_) {
      if (story.hedges.size() > 1) Violation(id, "hedged more than once");
      report_.counts["hedged"] += story.hedges.empty() ? 0 : 1;
      report_.counts["hedges lost"] += story.hedge_lost;
      report_.counts["hedges won"] += story.hedge_won;
    }
    report_.counts["cloud calls"] = static_cast<int>(trace_.cloud.size());
    report_.counts["masked calls"] = trace_.masked;
    report_.counts["blank answers"] = trace_.blank;
    report_.counts["answers of the shared cache"] = trace_.shared_hits;
    report_.counts["moved from a stalled engine"] = trace_.moved;
  }

  // Of all routers together, as long as they hear of each other.
  void CheckCap() {
    const int64_t cap = std::max(plan_.config.cloud.concurrency_max, plan_.reloaded.cloud.concurrency_max) *
                        static_cast<int64_t>(1 + plan_.config.clouds.size());
    report_.counts["runs with the cloud's cap reached"] = trace_.cloud_in_flight_max >= cap;
    if (trace_.cloud_in_flight_max > cap && plan_.store_fails.empty()) {
      Violation("cloud", absl::StrCat(trace_.cloud_in_flight_max, " answers under way at a cap of ", cap));
    }
  }

  void CheckReserve() {
    // Of several routers each knows the others' by load reports (docs/decisions/0015).
    if (trace_.open_of_all_max > trace_.open_places * plan_.routers) Violation("reserve", "several routers");
    if (trace_.open_at_engines_max > trace_.open_places) {
      Violation("reserve", absl::StrCat(trace_.open_at_engines_max, " requests that are not sensitive at engines, ",
                                        trace_.open_places, " places are theirs"));
    }
    report_.counts["runs with the open places full"] = trace_.open_at_engines_max == trace_.open_places;
    report_.counts["runs of several routers"] = plan_.routers > 1;
  }

  // GCRA's promise. The threshold may change on reload: the higher one bounds both.
  void CheckRate() {
    if (plan_.config.policy.mode != PolicyConfig::Mode::kOverflow ||
        plan_.reloaded.policy.mode != PolicyConfig::Mode::kOverflow) {
      return;
    }
    const double threshold =
        std::max(plan_.config.policy.cloud_qps_threshold, plan_.reloaded.policy.cloud_qps_threshold);
    size_t most = threshold <= 0 ? 0 : static_cast<size_t>(std::floor(threshold * 1.25)) + plan_.routers;
    most *= 1 + plan_.crashes.size();  // a router that begins has its burst again
    // When the store is lost the own share takes over in the middle of a second, and a store that forgot begins anew.
    if (plan_.shares && !plan_.store_fails.empty()) most *= 1 + plan_.store_fails.size();
    for (size_t begin = 0, end = 0; begin < admissions_.size(); ++begin) {
      while (end < admissions_.size() && admissions_[end] < admissions_[begin] + absl::Seconds(1)) ++end;
      if (end - begin > most) {
        Violation("rate", absl::StrCat(end - begin, " for the cloud within a second at threshold ", threshold));
        return;
      }
    }
  }

  std::string Digest() const {
    std::string all;
    for (const SimSeen& seen : trace_.seen) {
      absl::StrAppend(&all, seen.ends, "|", static_cast<int>(seen.status.code()), "|", seen.text, "|", seen.finishes,
                      "|", absl::FormatDuration(seen.ended), "\n");
      for (const v1::Route& route : seen.routes) absl::StrAppend(&all, route.SerializeAsString(), "\n");
    }
    for (const auto& written : trace_.audit) absl::StrAppend(&all, written.stored, written.line, "\n");
    for (const auto& sent : trace_.cloud) absl::StrAppend(&all, sent.content, absl::FormatDuration(sent.at), "\n");
    return Hex(Sha256(all));
  }

  const SimPlan& plan_;
  const SimTrace& trace_;
  int64_t counted_ = 0;  // refusals without a record of their own
  SimReport report_;
  std::map<std::string, Story> stories_;
  std::vector<MonotonicTime> admissions_;
};

}  // namespace

SimReport Check(const SimPlan& plan, const SimTrace& trace) { return Checker(plan, trace).Run(); }

}  // namespace headgate::router
