// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/tls.h"
#include "router/audit.h"
#include "services/cli/commands.h"
#include "services/cli/router_connection.h"

namespace headgate::services {
namespace {

constexpr size_t kSegmentBytesMax = size_t{1} << 30;
constexpr size_t kKeyBytesMax = 1 << 16;

// Segment files by chain, in order: `audit-<chain>-<number>.jsonl`, numbers padded, so names sort.
absl::StatusOr<std::map<std::string, std::vector<std::string>>> FindChains(const std::string& directory) {
  std::map<std::string, std::vector<std::string>> chains;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!absl::StartsWith(name, "audit-") || !absl::EndsWith(name, ".jsonl")) continue;
    const size_t dash = name.rfind('-');
    if (dash <= 6) continue;
    chains[name.substr(6, dash - 6)].push_back(it->path().string());
  }
  if (error) return absl::NotFoundError(absl::StrCat(directory, ": ", error.message()));
  for (auto& [chain, files] : chains) std::sort(files.begin(), files.end());
  return chains;
}

absl::StatusOr<std::vector<std::string>> ReadLines(const std::vector<std::string>& files) {
  std::vector<std::string> lines;
  for (const std::string& file : files) {
    auto text = ReadFile(file, kSegmentBytesMax);
    if (!text.ok()) return text.status();
    std::vector<std::string> own = absl::StrSplit(*text, '\n');
    if (!own.empty() && own.back().empty()) own.pop_back();
    lines.insert(lines.end(), own.begin(), own.end());
  }
  return lines;
}

int Verify(const std::string& directory, const std::string& key_file) {
  const auto key = ReadFile(key_file, kKeyBytesMax);
  if (!key.ok()) return Fail(key.status());
  const auto chains = FindChains(directory);
  if (!chains.ok()) return Fail(chains.status());
  if (chains->empty()) return Fail(absl::NotFoundError(absl::StrCat(directory, ": holds no audit segments")));
  int bad = 0;
  for (const auto& [chain, files] : *chains) {
    const auto lines = ReadLines(files);
    const absl::Status status = lines.ok() ? router::VerifyAuditChain(*key, *lines) : lines.status();
    if (!status.ok()) ++bad;
    // Records missing at the end can only show as this: the process may still run, or was killed, or lines were
    // dropped.
    const bool ended = lines.ok() && !lines->empty() && absl::StrContains(lines->back(), R"("kind":"chain_end")");
    std::cout << "chain " << chain << ": ";
    if (status.ok()) {
      std::cout << "OK, " << lines->size() << " records"
                << (ended ? "" : ", not ended (running, killed or cut)") << "\n";
    } else {
      std::cout << "BAD: " << status.message() << "\n";
    }
  }
  std::cout << chains->size() - bad << " of " << chains->size() << " chains are unaltered\n";
  return bad == 0 ? 0 : 1;
}

}  // namespace

void AddAuditCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("audit", "The audit log");
  command->require_subcommand(1);
  CLI::App* verify = command->add_subcommand("verify", "Check that no record was changed, dropped or reordered");
  const auto directory = std::make_shared<std::string>();
  const auto key_file = std::make_shared<std::string>();
  verify->add_option("directory", *directory, "audit.directory of the router")->required();
  verify->add_option("--key-file", *key_file, "audit.key_file of the router")->required();
  verify->callback([directory, key_file, &exit_code] { exit_code = Verify(*directory, *key_file); });
}

}  // namespace headgate::services
