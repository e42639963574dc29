// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "services/cli/audit_tools.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

int Verify(const AuditSource& source) {
  const auto options = source.Read();
  if (!options.ok()) return Fail(options.status());
  const auto verdict = router::VerifyAuditFolder(source.directory, *options);
  if (!verdict.ok()) return Fail(verdict.status());
  const bool good = PrintVerdict(*verdict, std::cout);
  if (options->anchors.empty()) {
    std::cout << "no anchors were given: records cut off the end of a chain that did not end, and the loss of the "
                 "newest chains, cannot show\n";
  }
  return good ? 0 : 1;
}

}  // namespace

bool PrintVerdict(const router::FolderVerdict& verdict, std::ostream& out) {
  size_t good = 0;
  for (const auto& chain : verdict.chains) {
    const bool ok = chain.problems_total == 0;
    good += ok;
    out << "chain " << chain.chain_id << ": " << (ok ? "OK" : "BAD") << ", " << chain.records << " records in "
        << chain.segments << " segments";
    if (!chain.first_time.empty()) out << ", " << chain.first_time << " to " << chain.last_time;
    if (chain.anchors > 0) out << ", " << chain.anchors << " anchors met";
    out << "\n";
    for (const std::string& problem : chain.problems) out << "  BAD: " << problem << "\n";
    for (const std::string& note : chain.notes) out << "  note: " << note << "\n";
  }
  for (const std::string& problem : verdict.problems) out << "BAD: " << problem << "\n";
  out << good << " of " << verdict.chains.size() << " chains are unaltered\n";
  return verdict.good();
}

void AddAuditCommand(CLI::App& app, int& exit_code) {
  struct Options {
    AuditSource source;
    AuditFilter filter;
    std::string format = "jsonl", file, directory = "audit-report", key_file, key_env, request_id;
    std::vector<std::string> recipients;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("audit", "The audit log");
  command->require_subcommand(1);

  CLI::App* verify = command->add_subcommand(
      "verify", "Check that no record was changed, dropped, reordered or cut off, and no chain is missing");
  options->source.AddOptions(*verify);
  verify->callback([options, &exit_code] { exit_code = Verify(options->source); });

  CLI::App* export_records = command->add_subcommand("export", "Write records as JSONL or CSV, verified on the way");
  options->source.AddOptions(*export_records);
  options->filter.AddOptions(*export_records);
  export_records->add_option("--format", options->format)
      ->check(CLI::IsMember({"jsonl", "csv"}))
      ->capture_default_str();
  export_records->add_option("--out", options->file, "File; standard output without it");
  export_records->callback([options, &exit_code] {
    exit_code = ExportAudit(options->source, options->filter, options->format, options->file);
  });

  CLI::App* report = command->add_subcommand(
      "report", "Write the compliance matrix and the control map as HTML and CSV; exit code 1 when anything is wrong");
  options->source.AddOptions(*report);
  options->filter.AddOptions(*report);
  report->add_option("--out", options->directory, "Directory for report.html and the CSV files")->capture_default_str();
  report->add_option("--recipient", options->recipients, "NAME=LEGAL ENTITY, COUNTRY of a cloud, for export control");
  report->callback([options, &exit_code] {
    exit_code = ReportAudit(options->source, options->filter, options->directory, options->recipients);
  });

  CLI::App* payload = command->add_subcommand("payload", "Decrypt the kept content of one request");
  payload->add_option("directory", options->source.directory, "audit.directory")->required();
  payload->add_option("--payload-key-file", options->key_file, "audit.payload.key_file of the routers");
  payload->add_option("--payload-key-env", options->key_env, "Environment variable with that key");
  payload->add_option("--request", options->request_id, "Request id")->required();
  payload->callback([options, &exit_code] {
    if (options->key_file.empty() == options->key_env.empty()) {
      exit_code = Fail(absl::InvalidArgumentError("give --payload-key-file or --payload-key-env"));
      return;
    }
    exit_code = ShowPayloads(options->source.directory, options->key_file, options->key_env, options->request_id);
  });
}

}  // namespace headgate::services
