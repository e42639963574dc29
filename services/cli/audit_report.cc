// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// `headgate audit report`: reads and verifies the log once, and writes report.html and a CSV for each table.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/cli/audit_tools.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

std::string Money(const AuditTally::Flow& flow) {
  if (flow.micro_units == 0) return "0";
  return absl::StrCat(flow.micro_units / 1'000'000, ".", absl::Dec(flow.micro_units % 1'000'000, absl::kZeroPad6), " ",
                      flow.currency);
}

std::string Findings(const AuditTally::Flow& flow) {
  return absl::StrJoin(flow.findings, " ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first, ":", entry.second);
  });
}

AuditTable Summary(const router::FolderVerdict& verdict, const AuditTally& t) {
  AuditTable table{"summary.csv", "Summary", "Counted from authentic records only.", {"question", "answer"}, {}};
  const auto row = [&table](const std::string& question, const auto& answer) {
    table.rows.push_back({question, absl::StrCat(answer)});
  };
  row("Is the log whole and unaltered?", verdict.good() ? "yes" : "NO, see Integrity");
  row("From", t.first_time);
  row("To", t.last_time);
  row("Requests with an outcome", t.requests);
  row("Sensitive or not classified", t.sensitive);
  row("Left the cluster", t.left);
  row("of these masked", t.masked);
  row("Sensitive and left unmasked (must be 0)", t.sensitive_left);
  row("Decided for the cloud although sensitive (must be 0)", t.violations_total);
  row("Left without a recorded decision (must be 0)", t.undecided_egress);
  row("Decided for the cloud, outcome unknown (may have left)", t.cloud_without_outcome);
  row("Records that could not be written", t.records_lost);
  row("Refused before an answer", t.refused);
  row("Turned away at the door, before they were requests", t.turned_away_total);
  row("Request ids of violations", absl::StrJoin(t.violations, " "));
  return table;
}

AuditTable Integrity(const router::FolderVerdict& verdict) {
  AuditTable table{"chains.csv", "Audit trail: integrity",
                   "A chain is one run of one router. Problems: records changed, dropped, reordered, cut, or missing.",
                   {"chain", "records", "segments", "first", "last", "ended", "anchors met", "problems", "what"}, {}};
  for (const auto& chain : verdict.chains) {
    std::vector<std::string> what = chain.problems;
    what.insert(what.end(), chain.notes.begin(), chain.notes.end());
    table.rows.push_back({chain.chain_id, absl::StrCat(chain.records), absl::StrCat(chain.segments), chain.first_time,
                          chain.last_time, chain.ended ? "yes" : "no", absl::StrCat(chain.anchors),
                          absl::StrCat(chain.problems_total), absl::StrJoin(what, "; ")});
  }
  for (const std::string& problem : verdict.problems) {
    table.rows.push_back({"-", "", "", "", "", "", "", "1", problem});
  }
  return table;
}

AuditTable Matrix(const AuditTally& tally) {
  AuditTable table{"matrix.csv", "Data sovereignty: compliance matrix",
                   "What became of the requests of each tenant and level. Rows `left` of the levels confidential and "
                   "restricted must not exist.",
                   {"tenant", "level", "became", "requests", "text bytes", "prompt tokens", "completion tokens",
                    "findings", "verdict"}, {}};
  for (const auto& [key, flow] : tally.matrix) {
    const bool high = key[1] == "confidential" || key[1] == "restricted" || key[1] == "unspecified";
    table.rows.push_back({key[0], key[1], key[2], absl::StrCat(flow.requests), absl::StrCat(flow.text_bytes),
                          absl::StrCat(flow.prompt_tokens), absl::StrCat(flow.completion_tokens), Findings(flow),
                          key[2] == "left" && high ? "VIOLATION" : "ok"});
  }
  return table;
}

AuditTable Egress(const AuditTally& tally, const std::map<std::string, std::string>& recipients) {
  AuditTable table{"egress.csv", "Export control: what left, to whom, under which rule",
                   "Requests of which the cloud client was given content, by the rule of their decision.",
                   {"recipient", "address", "legal entity", "model", "tenant", "level", "rule", "policy version",
                    "requests", "attempts", "text bytes", "prompt tokens", "completion tokens", "cost", "findings",
                    "first", "last"}, {}};
  for (const auto& [key, flow] : tally.egress) {
    // Without an answer the record names nobody: it was the one cloud that there is, or one of several.
    const bool known = !key[0].empty() && key[0][0] != '(';
    const std::string name = !known && tally.recipients.size() == 1 ? tally.recipients.begin()->first : key[0];
    const auto where = tally.recipients.find(name);
    const auto entity = recipients.find(name);
    table.rows.push_back({known ? name : absl::StrCat(name, name.empty() ? "" : " ", "(no answer)"),
                          where == tally.recipients.end() ? "" : where->second,
                          entity == recipients.end() ? "" : entity->second, key[1], key[2], key[3], key[4], key[5],
                          absl::StrCat(flow.requests), absl::StrCat(flow.attempts), absl::StrCat(flow.text_bytes),
                          absl::StrCat(flow.prompt_tokens), absl::StrCat(flow.completion_tokens), Money(flow),
                          Findings(flow), flow.first, flow.last});
  }
  return table;
}

AuditTable Events(const AuditTally& tally) {
  AuditTable table{"events.csv", "Audit trail: ends, refusals and administration",
                   "Outcomes by status and by the stage that ended them; actions on the router itself.",
                   {"what", "which", "count"}, {}};
  for (const auto& [name, count] : tally.statuses) table.rows.push_back({"status", name, absl::StrCat(count)});
  for (const auto& [name, count] : tally.stages) table.rows.push_back({"ended by stage", name, absl::StrCat(count)});
  for (const auto& [name, count] : tally.turned_away) {
    table.rows.push_back({"turned away at the door", name, absl::StrCat(count)});
  }
  for (const auto& [name, count] : tally.admin) table.rows.push_back({"administration", name, absl::StrCat(count)});
  for (const auto& version : tally.policy_versions) table.rows.push_back({"policy version", version, ""});
  return table;
}

absl::Status WriteText(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat(path.string(), ": cannot be written"));
  return absl::OkStatus();
}

}  // namespace

std::vector<AuditTable> ReportTables(const router::FolderVerdict& verdict, const AuditTally& tally,
                                     const std::map<std::string, std::string>& recipients) {
  return {Summary(verdict, tally), Matrix(tally),  Egress(tally, recipients),
          Integrity(verdict),      Events(tally), ControlMap(verdict, tally)};
}

std::string ReportHtml(const std::vector<AuditTable>& tables, const router::FolderVerdict& verdict,
                       const AuditTally& tally) {
  const bool good = verdict.good() && tally.sensitive_left == 0 && tally.violations_total == 0 &&
                    tally.undecided_egress == 0;
  std::string out = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Headgate audit report</title>\n<style>\n"
      "body{font:14px/1.45 system-ui,sans-serif;margin:2em;max-width:110em;color:#1a1a1a}\n"
      "table{border-collapse:collapse;margin:.5em 0 2em}th,td{border:1px solid #bbb;padding:.25em .6em;"
      "text-align:left;vertical-align:top}th{background:#eee}\n.good{color:#060}.bad{color:#a00}\n</style></head>"
      "<body>\n"
      "<h1>Headgate audit report</h1>\n<p class=\"",
      good ? "good" : "bad", "\"><strong>",
      good ? "The log is whole, and nothing sensitive left." : "Something needs attention: see Summary and Integrity.",
      "</strong> Records from ", HtmlText(tally.first_time), " to ", HtmlText(tally.last_time), ".</p>\n");
  for (const AuditTable& table : tables) out += table.Html();
  return out + "</body></html>\n";
}

int ReportAudit(const AuditSource& source, AuditFilter filter, const std::string& directory,
                const std::vector<std::string>& recipients) {
  auto options = source.Read();
  if (!options.ok()) return Fail(options.status());
  if (absl::Status status = filter.Prepare(); !status.ok()) return Fail(status);
  std::map<std::string, std::string> entities;
  for (const std::string& recipient : recipients) {
    const std::vector<std::string> parts = absl::StrSplit(recipient, absl::MaxSplits('=', 1));
    if (parts.size() != 2 || parts[0].empty()) {
      return Fail(absl::InvalidArgumentError("--recipient: must be NAME=LEGAL ENTITY, COUNTRY"));
    }
    entities[parts[0]] = parts[1];
  }
  AuditTally tally;
  options->on_record = [&](const v1::AuditRecord& record, const std::string&) {
    if (filter.Wants(record)) tally.Add(record);
  };
  const auto verdict = router::VerifyAuditFolder(source.directory, *options);
  if (!verdict.ok()) return Fail(verdict.status());
  tally.Finish();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Fail(absl::UnavailableError(absl::StrCat("--out: ", directory, ": ", error.message())));
  const auto tables = ReportTables(*verdict, tally, entities);
  const std::filesystem::path out(directory);
  absl::Status written = WriteText(out / "report.html", ReportHtml(tables, *verdict, tally));
  for (const AuditTable& table : tables) {
    if (written.ok()) written = WriteText(out / table.name, table.Csv());
  }
  if (!written.ok()) return Fail(written);
  std::cout << tally.requests << " requests, " << tally.left << " left, " << tally.sensitive_left
            << " sensitive and unmasked; " << (verdict->good() ? "the log is whole" : "the log is NOT whole") << "; "
            << directory << "/report.html\n";
  const bool good = verdict->good() && tally.sensitive_left == 0 && tally.violations_total == 0 &&
                    tally.undecided_egress == 0;
  return good ? 0 : 1;
}

}  // namespace headgate::services
