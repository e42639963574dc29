// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What `headgate audit verify|export|report|payload` share: where the log and its keys are, which records are wanted,
// and the tally that a report is made of.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "router/audit_verify.h"

namespace CLI {
class App;
}

namespace headgate::services {

// Options of every audit command.
struct AuditSource {
  std::string directory;
  std::vector<std::string> key_files;
  std::string key_env = "HEADGATE_AUDIT_KEY";
  std::vector<std::string> anchor_files;
  std::string retired_before;  // RFC 3339

  void AddOptions(CLI::App& command);
  // Keys from the files, or from the environment; anchors from the files. INVALID_ARGUMENT: what is wrong with which.
  absl::StatusOr<router::VerifyOptions> Read() const;
};

// Which records: empty fields ask for all.
struct AuditFilter {
  std::string from, to;  // RFC 3339 or a date
  std::string tenant, target, kind, level, status, request_id;

  void AddOptions(CLI::App& command);
  absl::Status Prepare();  // INVALID_ARGUMENT: `--from: ...`
  bool Wants(const v1::AuditRecord& record) const;

 private:
  absl::Time from_ = absl::InfinitePast(), to_ = absl::InfiniteFuture();
};

// `2026-11-22` or RFC 3339.
bool ParseAuditTime(const std::string& text, absl::Time* out);

// A cell of a CSV file: quoted where needed, and never taken for a formula by a spreadsheet.
std::string CsvCell(const std::string& text);
std::string CsvRow(const std::vector<std::string>& cells);
std::string HtmlText(const std::string& text);

struct AuditTable {
  std::string name;   // file name of the CSV
  std::string title;
  std::string note;   // one sentence
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::string Csv() const;
  std::string Html() const;
};

// Everything that a report says, counted from authentic records.
struct AuditTally {
  void Add(const v1::AuditRecord& record);
  void Finish();  // decisions whose outcome never came

  struct Flow {  // requests that took one way
    int64_t requests = 0, attempts = 0, text_bytes = 0, prompt_tokens = 0, completion_tokens = 0, micro_units = 0;
    std::string currency, first, last;
    std::map<std::string, int64_t> findings;  // by type
  };
  // tenant, level, what became of it: stayed | left | left_masked | cached | refused | failed
  std::map<std::vector<std::string>, Flow> matrix;
  // recipient, model, tenant, level, rule, policy version
  std::map<std::vector<std::string>, Flow> egress;
  std::map<std::string, std::string> recipients;         // cloud name -> where it is
  std::map<std::string, int64_t> statuses, stages, admin;
  std::map<std::string, int64_t> turned_away;            // by the front doors, by reason
  std::set<std::string> policy_versions, tenants;
  std::vector<std::string> violations;                   // request ids: sensitive, not masked, decided for the cloud
  int64_t violations_total = 0;
  int64_t records = 0, requests = 0, decisions = 0, outcomes = 0, refused = 0, sensitive = 0, sensitive_left = 0;
  int64_t left = 0, masked = 0, without_outcome = 0, cloud_without_outcome = 0, undecided_egress = 0, gaps = 0;
  int64_t records_lost = 0, turned_away_total = 0, payloads = 0, route_told = 0, answered = 0, guarded = 0;
  std::string first_time, last_time;

 private:
  void AddDecision(const v1::AuditRecord& record);
  void AddOutcome(const v1::AuditRecord& record);
  void AddRefusal(const v1::AuditRecord& record);
  void AddAdmin(const v1::AuditRecord& record);

  struct Open {
    bool cloud = false, masked = false;
    std::string rule, policy_version, tenant, level;
    int64_t text_bytes = 0;
  };
  std::map<std::string, Open> open_;  // request id -> its decision
};

// The tables of a report, in order; the last is the control map.
std::vector<AuditTable> ReportTables(const router::FolderVerdict& verdict, const AuditTally& tally,
                                     const std::map<std::string, std::string>& recipients);
AuditTable ControlMap(const router::FolderVerdict& verdict, const AuditTally& tally);
std::string ReportHtml(const std::vector<AuditTable>& tables, const router::FolderVerdict& verdict,
                       const AuditTally& tally);

int ExportAudit(const AuditSource& source, AuditFilter filter, const std::string& format, const std::string& file);
int ReportAudit(const AuditSource& source, AuditFilter filter, const std::string& directory,
                const std::vector<std::string>& recipients);
int ShowPayloads(const std::string& directory, const std::string& key_file, const std::string& key_env,
                 const std::string& request_id);
// Prints problems and notes of each chain; true when there are no problems.
bool PrintVerdict(const router::FolderVerdict& verdict, std::ostream& out);

}  // namespace headgate::services
