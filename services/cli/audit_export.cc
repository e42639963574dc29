// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// `headgate audit export`: authentic records as they are (JSONL), or flat (CSV). `headgate audit payload`: the content
// of one request, decrypted.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "router/audit_payload.h"
#include "router/audit_segments.h"
#include "router/config.h"
#include "services/cli/audit_tools.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

constexpr size_t kPayloadLineBytesMax = size_t{256} << 20;

const std::vector<std::string>& Columns() {
  static const std::vector<std::string> columns = {
      "time", "chain_id", "sequence", "kind", "request_id", "tenant", "api", "policy_version", "sensitivity",
      "classification_state", "findings", "target", "endpoint", "model", "reasons", "status", "stage", "text_bytes",
      "prompt_tokens", "completion_tokens", "cached_tokens", "cost_micro_units", "currency", "cloud_attempts",
      "duration_us", "first_token_us", "content_digest", "detail", "count"};
  return columns;
}

std::vector<std::string> Cells(const v1::AuditRecord& r) {
  const std::string findings = absl::StrJoin(r.findings(), " ", [](std::string* out, const v1::Finding& finding) {
    absl::StrAppend(out, finding.type(), ":", router::AuditLevelName(finding.level()));
  });
  const bool classified = r.sensitivity() != v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  return {r.time(),
          r.chain_id(),
          absl::StrCat(r.sequence()),
          router::AuditKindName(r.kind()),
          r.request_id(),
          r.tenant(),
          r.api(),
          r.policy_version(),
          classified ? router::AuditLevelName(r.sensitivity()) : "",
          r.classification_state(),
          findings,
          r.has_route() ? router::AuditTargetName(r.route().target()) : "",
          r.route().endpoint(),
          r.route().model(),
          absl::StrJoin(r.route().reasons(), " "),
          r.status(),
          r.stage(),
          absl::StrCat(r.text_bytes()),
          absl::StrCat(r.usage().prompt_tokens()),
          absl::StrCat(r.usage().completion_tokens()),
          absl::StrCat(r.usage().cached_tokens()),
          absl::StrCat(r.cost_micro_units()),
          r.currency(),
          absl::StrCat(r.cloud_attempts()),
          absl::StrCat(r.duration_us()),
          absl::StrCat(r.first_token_us()),
          r.content_digest(),
          r.detail(),
          r.count() > 0 ? absl::StrCat(r.count()) : ""};
}

}  // namespace

int ExportAudit(const AuditSource& source, AuditFilter filter, const std::string& format, const std::string& file) {
  auto options = source.Read();
  if (!options.ok()) return Fail(options.status());
  if (absl::Status status = filter.Prepare(); !status.ok()) return Fail(status);
  std::ofstream to_file;
  if (!file.empty()) {
    to_file.open(file, std::ios::binary | std::ios::trunc);
    if (!to_file) return Fail(absl::UnavailableError(absl::StrCat("--out: ", file, ": cannot be written")));
  }
  std::ostream& out = file.empty() ? std::cout : to_file;
  const bool csv = format == "csv";
  int64_t count = 0;
  if (csv) out << CsvRow(Columns());
  options->on_record = [&](const v1::AuditRecord& record, const std::string& line) {
    if (!filter.Wants(record)) return;
    ++count;
    if (csv) {
      out << CsvRow(Cells(record));
    } else {
      out << line << "\n";
    }
  };
  const auto verdict = router::VerifyAuditFolder(source.directory, *options);
  if (!verdict.ok()) return Fail(verdict.status());
  out.flush();
  if (!out) return Fail(absl::UnavailableError("the records could not be written"));
  std::cerr << count << " records\n";
  if (verdict->good()) return 0;
  PrintVerdict(*verdict, std::cerr);
  std::cerr << "headgate: the log is NOT whole; only authentic records were exported\n";
  return 1;
}

int ShowPayloads(const std::string& directory, const std::string& key_file, const std::string& key_env,
                 const std::string& request_id) {
  router::AuditConfig::Payload source;
  source.key_file = key_file;
  source.key_env = key_env;
  const auto key = router::ReadPayloadKey(source);
  if (!key.ok()) return Fail(key.status());
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const auto name = router::ParseFileName(it->path().filename().string());
    if (name && name->kind == router::SegmentName::Kind::kPayload) files.push_back(it->path().string());
  }
  if (error) return Fail(absl::NotFoundError(absl::StrCat(directory, ": ", error.message())));
  std::sort(files.begin(), files.end());
  int found = 0;
  for (const std::string& file : files) {
    auto reader = router::LineReader::Open(file, kPayloadLineBytesMax);
    if (!reader.ok()) return Fail(reader.status());
    std::string line;
    while ((*reader)->Read(&line) == router::LineReader::Next::kLine) {
      const auto name = router::ReadPayloadName(line);
      if (!name.ok() || name->request_id != request_id) continue;
      const auto payload = router::OpenPayload(*key, line);
      if (!payload.ok()) {
        return Fail(absl::DataLossError(absl::StrCat(file, ":", (*reader)->line_number(), ": ",
                                                     payload.status().message())));
      }
      std::cout << payload->name.part << " " << payload->text << "\n";
      ++found;
    }
  }
  if (found > 0) return 0;
  return Fail(absl::NotFoundError(absl::StrCat(directory, ": holds no content of request ", request_id)));
}

}  // namespace headgate::services
