// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The control map: which requirement, what Headgate does for it, and what this log shows. It helps whoever prepares an
// audit; it is no legal advice and no certificate. `open` marks what an organisation must add (docs/compliance.md).
#include <functional>

#include "absl/strings/str_cat.h"
#include "services/cli/audit_tools.h"

namespace headgate::services {
namespace {

struct Evidence {
  const router::FolderVerdict& verdict;
  const AuditTally& tally;

  std::string Integrity() const {
    int64_t problems = static_cast<int64_t>(verdict.problems.size()), anchors = 0;
    for (const auto& chain : verdict.chains) problems += chain.problems_total, anchors += chain.anchors;
    return absl::StrCat(verdict.chains.size(), " chains, ", tally.records, " records, ", anchors, " anchors met, ",
                        problems, " problems");
  }
  std::string Span() const {
    absl::Time first, last;
    if (!ParseAuditTime(tally.first_time, &first) || !ParseAuditTime(tally.last_time, &last)) return "no records";
    return absl::StrCat(tally.first_time, " to ", tally.last_time, ", ", (last - first) / absl::Hours(24), " days");
  }
  std::string Egress() const {
    return absl::StrCat(tally.left, " of ", tally.requests, " requests left, ", tally.masked, " of them masked; ",
                        tally.sensitive, " sensitive, of which ", tally.sensitive_left, " left unmasked");
  }
  std::string Recipients() const {
    std::string out = absl::StrCat(tally.recipients.size(), " recipients");
    for (const auto& [name, where] : tally.recipients) absl::StrAppend(&out, "; ", name, " at ", where);
    return out;
  }
  std::string Trail() const {
    return absl::StrCat(tally.decisions, " decisions, ", tally.outcomes, " outcomes, ", tally.without_outcome,
                        " without an outcome (", tally.cloud_without_outcome, " decided for the cloud), ",
                        tally.undecided_egress, " left without a decision, ", tally.records_lost, " records lost");
  }
  std::string Versions() const {
    const auto count = [this](const char* action) {
      const auto found = tally.admin.find(action);
      return found == tally.admin.end() ? int64_t{0} : found->second;
    };
    return absl::StrCat(tally.policy_versions.size(), " policy versions, ", count("configuration in force"),
                        " reloads, ", count("configuration refused"), " refused");
  }
  std::string Transparency() const {
    return absl::StrCat(tally.route_told, " of ", tally.answered, " answered requests carry route and reasons");
  }
  std::string Payloads() const {
    return tally.payloads == 0 ? "no content is kept: types, offsets and keyed digests only"
                               : absl::StrCat("content of ", tally.payloads, " requests is kept, AES-256-GCM");
  }
  std::string Masked() const { return absl::StrCat(tally.masked, " requests left with placeholders"); }
  std::string Filtered() const {
    return absl::StrCat(tally.refused, " requests refused, ", tally.turned_away_total, " turned away at the door, ",
                        tally.guarded, " answers changed by the output guard");
  }
  // Six months, as the log itself shows; older parts may be archived elsewhere.
  bool SixMonths() const {
    absl::Time first, last;
    return ParseAuditTime(tally.first_time, &first) && ParseAuditTime(tally.last_time, &last) &&
           last - first >= absl::Hours(24 * 183);
  }
  bool Whole() const { return verdict.good() && tally.records > 0; }
  bool Kept() const { return tally.sensitive_left == 0 && tally.violations_total == 0; }
  bool Complete() const { return tally.undecided_egress == 0 && tally.records_lost == 0; }
};

struct Control {
  const char* framework;
  const char* control;
  const char* asks;
  const char* headgate;
  std::function<std::string(const Evidence&)> evidence;
  // Empty: a matter of the organisation, to which the log contributes.
  std::function<bool(const Evidence&)> holds;
};

using E = Evidence;
constexpr char kPipl[] = "PIPL", kMlps[] = "MLPS level 3 (GB/T 22239-2019)", kIso[] = "ISO/IEC 27001:2022";
constexpr char kAct[] = "EU AI Act (2024/1689)";

const Control kControls[] = {
    {kPipl, "Art. 6", "process no more personal information than the purpose needs",
     "the log holds finding types, offsets and keyed digests, no values", &E::Payloads, {}},
    {kPipl, "Art. 9, 51", "classify, secure, de-identify; limit access",
     "every request is classified before it is routed; opt-in masking", &E::Masked, &E::Kept},
    {kPipl, "Art. 21, 23", "know and bind those to whom information is entrusted or provided",
     "recipients are configuration; each record names the one that answered", &E::Recipients, {}},
    {kPipl, "Art. 28 to 30", "special care for sensitive personal information",
     "confidential and restricted requests are answered in the cluster", &E::Egress, &E::Kept},
    {kPipl, "Art. 38 to 40", "conditions for providing information outside the border",
     "the egress table: what left, to whom, under which rule", &E::Egress, &E::Kept},
    {kPipl, "Art. 54", "regular compliance audits", "this report, from a verified log", &E::Integrity, &E::Whole},
    {kPipl, "Art. 55, 56", "impact assessment; keep its report and the handling record for three years",
     "egress and matrix tables are its input; the record is this log", &E::Span, {}},
    {kPipl, "Art. 57", "notify leaks: what kinds, why, what harm",
     "findings by type for every request that left; violations are listed", &E::Egress, &E::Kept},
    {kMlps, "8.1.4.2 access control", "decide access by user and resource",
     "tenants by key or certificate; tenant floors; refusals are recorded", &E::Filtered, {}},
    {kMlps, "8.1.4.3 a, b security audit",
     "audit every user; record time, user, type of event, success", "decision and outcome of every request", &E::Trail,
     &E::Complete},
    {kMlps, "8.1.4.3 c security audit",
     "protect records against deletion, change, overwriting; back up",
     "keyed chain, manifests, anchors outside the pod; backup is the site's", &E::Integrity, &E::Whole},
    {kMlps, "8.1.4.3 d security audit", "protect auditing against interruption",
     "no record possible: nothing leaves; gaps are recorded", &E::Trail, &E::Complete},
    {kMlps, "8.1.4.7 integrity, 8.1.4.8 confidentiality",
     "protect important data in transit and at rest", "TLS 1.3, mTLS; HMAC-SHA-256 chain; AES-256-GCM payloads",
     &E::Payloads, {}},
    {kMlps, "8.1.4.11 personal information",
     "collect what is necessary; no access or use without authority", "the log holds no content by default",
     &E::Payloads, {}},
    {kMlps, "8.1.5.2 audit management; six months of logs (Cybersecurity Law)",
     "collect, analyse and keep audit records for at least six months", "segments are never deleted by Headgate",
     &E::Span, &E::SixMonths},
    {kIso, "A.5.12 classification of information", "classify by need", "four levels, site rules",
     &E::Egress, {}},
    {kIso, "A.5.14 information transfer", "rules for transfer", "policy version and rule on each record",
     &E::Versions, {}},
    {kIso, "A.5.23 use of cloud services", "govern cloud services", "the cloud is one closed door",
     &E::Recipients, {}},
    {kIso, "A.5.28 collection of evidence, A.5.33 protection of records",
     "evidence that holds; no loss, falsification or unauthorised access", "verified chain, manifests, anchors",
     &E::Integrity, &E::Whole},
    {kIso, "A.5.34 privacy and protection of PII", "meet privacy law", "see PIPL above", &E::Egress,
     &E::Kept},
    {kIso, "A.8.11 data masking", "mask by policy", "reversible masking, opt-in by tenant", &E::Masked,
     {}},
    {kIso, "A.8.12 data leakage prevention", "prevent unauthorised disclosure",
     "the no-egress rule; violations are counted", &E::Egress, &E::Kept},
    {kIso, "A.8.15 logging, A.8.16 monitoring", "log, protect and analyse; watch for anomalies",
     "this log; metrics and alerts on it", &E::Trail, &E::Complete},
    {kIso, "A.8.17 clock synchronization", "one time source",
     "UTC with microseconds; a clock that goes back is noted by verify", &E::Span, {}},
    {kIso, "A.8.24 use of cryptography", "rules for cryptography and keys",
     "HMAC-SHA-256, AES-256-GCM; keys come from files or the environment", &E::Payloads, {}},
    {kIso, "A.8.32 change management", "control changes", "each configuration in force is recorded",
     &E::Versions, {}},
    {kAct, "Art. 12 record-keeping", "automatic events over the system's life, traceable",
     "decision and outcome with policy version", &E::Trail, &E::Complete},
    {kAct, "Art. 13 transparency to deployers", "information to interpret and use the output",
     "route, model, reasons and level go to the caller with each answer", &E::Transparency,
     [](const Evidence& e) { return e.tally.route_told == e.tally.answered; }},
    {kAct, "Art. 19, 26(6) logs", "keep logs at least six months",
     "segments are never deleted by Headgate", &E::Span, &E::SixMonths},
    {kAct, "Art. 50(1), 50(2) transparency",
     "tell people that they talk to an AI; mark generated content",
     "the model that answered is in the answer; telling the user is the application's", &E::Transparency, {}},
};

}  // namespace

AuditTable ControlMap(const router::FolderVerdict& verdict, const AuditTally& tally) {
  AuditTable table;
  table.name = "controls.csv";
  table.title = "Control map";
  table.note =
      "shown: the log shows it. attention: the log shows something against it. open: the log contributes evidence, the "
      "rest is the organisation's. No legal advice.";
  table.columns = {"framework", "control", "asks", "headgate", "evidence in this log", "status"};
  const Evidence evidence{verdict, tally};
  for (const Control& control : kControls) {
    const char* status = !control.holds ? "open" : control.holds(evidence) ? "shown" : "attention";
    table.rows.push_back({control.framework, control.control, control.asks, control.headgate,
                          control.evidence(evidence), status});
  }
  return table;
}

}  // namespace headgate::services
