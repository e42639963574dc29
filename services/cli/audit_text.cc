// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Options of the audit commands, and tables as CSV and HTML.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/tls.h"
#include "services/cli/audit_tools.h"

namespace headgate::services {
namespace {

constexpr size_t kKeyBytesMax = 1 << 16;
constexpr size_t kAnchorBytesMax = size_t{1} << 30;

absl::Status Named(const std::string& what, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

}  // namespace

bool ParseAuditTime(const std::string& text, absl::Time* out) {
  std::string ignored;
  return absl::ParseTime(absl::RFC3339_full, text, out, &ignored) ||
         absl::ParseTime("%Y-%m-%d", text, absl::UTCTimeZone(), out, &ignored);
}

void AuditSource::AddOptions(CLI::App& command) {
  command.add_option("directory", directory, "audit.directory of the routers, or a copy")->required();
  command.add_option("--key-file", key_files, "audit.key_file of the routers; several when the key was changed");
  command.add_option("--key-env", key_env, "Environment variable with the key, when there is no --key-file")
      ->capture_default_str();
  command.add_option("--anchors", anchor_files, "Files with anchor lines: routers' standard output, or saved metrics");
  command.add_option("--retired-before", retired_before,
                     "Segments that end before this time may be gone, if their manifests are there");
}

absl::StatusOr<router::VerifyOptions> AuditSource::Read() const {
  router::VerifyOptions options;
  for (const std::string& file : key_files) {
    auto key = ReadFile(file, kKeyBytesMax);
    if (!key.ok()) return Named("--key-file", key.status());
    if (key->empty()) return absl::InvalidArgumentError(absl::StrCat("--key-file: ", file, ": is empty"));
    options.keys.push_back(*std::move(key));
  }
  if (options.keys.empty()) {
    const char* value = std::getenv(key_env.c_str());
    if (value == nullptr || *value == '\0') {
      return absl::InvalidArgumentError(absl::StrCat("no key: give --key-file, or set ", key_env));
    }
    // A key file made by `openssl rand -hex 32 > FILE` ends with a newline, and a variable may have lost it.
    options.keys = {value, absl::StrCat(value, "\n")};
  }
  for (const std::string& file : anchor_files) {
    const auto text = ReadFile(file, kAnchorBytesMax);
    if (!text.ok()) return Named("--anchors", text.status());
    auto anchors = router::ReadAuditAnchors(*text);
    if (!anchors.ok()) return Named(absl::StrCat("--anchors: ", file), anchors.status());
    options.anchors.insert(options.anchors.end(), anchors->begin(), anchors->end());
  }
  if (!retired_before.empty() && !ParseAuditTime(retired_before, &options.retired_before)) {
    return absl::InvalidArgumentError("--retired-before: must be a date or a time such as 2026-11-20T09:00:00Z");
  }
  return options;
}

void AuditFilter::AddOptions(CLI::App& command) {
  command.add_option("--from", from, "Records from this time on: 2026-11-20 or 2026-11-20T09:00:00Z");
  command.add_option("--to", to, "Records before this time");
  command.add_option("--tenant", tenant, "Records of this tenant");
  command.add_option("--target", target, "Where it went")->check(CLI::IsMember({"local", "cloud", "unspecified"}));
  command.add_option("--kind", kind, "Kind of record")
      ->check(CLI::IsMember({"chain_start", "decision", "outcome", "refusal", "admin", "chain_end"}));
  command.add_option("--level", level, "At least this level")
      ->check(CLI::IsMember({"public", "internal", "confidential", "restricted"}));
  command.add_option("--status", status, "Outcomes with this status: OK, UNAVAILABLE, ...");
  command.add_option("--request", request_id, "Records of this request");
}

absl::Status AuditFilter::Prepare() {
  if (!from.empty() && !ParseAuditTime(from, &from_)) {
    return absl::InvalidArgumentError("--from: must be a date or a time such as 2026-11-20T09:00:00Z");
  }
  if (!to.empty() && !ParseAuditTime(to, &to_)) {
    return absl::InvalidArgumentError("--to: must be a date or a time such as 2026-11-20T09:00:00Z");
  }
  return absl::OkStatus();
}

bool AuditFilter::Wants(const v1::AuditRecord& record) const {
  absl::Time time;
  if (!from.empty() || !to.empty()) {
    if (!ParseAuditTime(record.time(), &time) || time < from_ || time >= to_) return false;
  }
  static constexpr const char* kLevels[] = {"unspecified", "public", "internal", "confidential", "restricted"};
  const auto rank = [](const std::string& name) {
    return std::find(std::begin(kLevels), std::end(kLevels), name) - std::begin(kLevels);
  };
  return (tenant.empty() || record.tenant() == tenant) && (request_id.empty() || record.request_id() == request_id) &&
         (target.empty() || (record.has_route() && router::AuditTargetName(record.route().target()) == target)) &&
         (kind.empty() || router::AuditKindName(record.kind()) == kind) &&
         (level.empty() || rank(router::AuditLevelName(record.sensitivity())) >= rank(level)) &&
         (status.empty() || record.status() == status);
}

std::string CsvCell(const std::string& text) {
  std::string cell = text;
  if (!cell.empty() && std::string("=+-@\t\r").find(cell[0]) != std::string::npos && cell != "-") cell = "'" + cell;
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  return absl::StrCat("\"", absl::StrReplaceAll(cell, {{"\"", "\"\""}}), "\"");
}

std::string CsvRow(const std::vector<std::string>& cells) {
  const auto cell = [](std::string* out, const std::string& text) { *out += CsvCell(text); };
  return absl::StrCat(absl::StrJoin(cells, ",", cell), "\n");
}

std::string HtmlText(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string AuditTable::Csv() const {
  std::string out = CsvRow(columns);
  for (const auto& row : rows) out += CsvRow(row);
  return out;
}

std::string AuditTable::Html() const {
  const auto line = [](const std::vector<std::string>& cells, const char* tag) {
    std::string out = "<tr>";
    for (const std::string& cell : cells) absl::StrAppend(&out, "<", tag, ">", HtmlText(cell), "</", tag, ">");
    return out + "</tr>\n";
  };
  std::string out = absl::StrCat("<h2>", HtmlText(title), "</h2>\n<p>", HtmlText(note), "</p>\n<table>\n",
                                 line(columns, "th"));
  for (const auto& row : rows) out += line(row, "td");
  if (rows.empty()) absl::StrAppend(&out, "<tr><td colspan=\"", columns.size(), "\">none</td></tr>\n");
  return out + "</table>\n";
}

}  // namespace headgate::services
