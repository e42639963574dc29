// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/config.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/file_watch.h"
#include "common/status_macros.h"
#include "common/tls.h"
#include "common/yaml_reader.h"
#include "router/config_files.h"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

constexpr size_t kFileBytesMax = 16 << 20;
constexpr size_t kVersionHexDigits = 16;
constexpr int kReadsMax = 10;

void ReadSections(Reading& reading) {
  ReadListen(reading);
  ReadLimits(reading);
  ReadInputFilter(reading);
  ReadSensitivity(reading);
  ReadConversation(reading);
  ReadPolicy(reading);
  ReadScaling(reading);
  ReadLocal(reading);
  ReadCloud(reading);
  ReadOutputGuard(reading);
  ReadAccounting(reading);
  ReadAudit(reading);
  ReadSharing(reading);
  ReadCache(reading);
  reading.root.Get("anonymous", &reading.config.anonymous);
}

bool HasTenant(const RouterConfig& config, const std::string& name) {
  return std::any_of(config.tenants.begin(), config.tenants.end(),
                     [&](const TenantConfig& tenant) { return tenant.name == name; });
}

// Reads the tenants file, when there is one.
void ReadTenantsFile(Reading& reading, std::optional<YamlReader>* tenants_reader) {
  RouterConfig& config = reading.config;
  if (!GetPath(reading.root, "tenants_file", reading.base, &config.tenants_file)) return;
  config.files.push_back(config.tenants_file);
  auto text = ReadFile(config.tenants_file, kFileBytesMax);
  if (!text.ok()) {
    reading.root.Complain("tenants_file", std::string(text.status().message()));
    return;
  }
  tenants_reader->emplace(config.tenants_file, *text);
  YamlMap root = (*tenants_reader)->Root();
  ReadTenants(reading, root);
}

absl::Status Join(const absl::Status& first, const absl::Status& second) {
  if (first.ok()) return second;
  if (second.ok()) return first;
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(first.message()), "\n", std::string(second.message())));
}

// On an error `config.files` are those that it named so far.
absl::Status ReadOnce(const std::string& path, const LoadOptions& options, RouterConfig& config) {
  config.files.push_back(path);
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  YamlReader reader(path, text);
  YamlMap root = reader.Root();
  Reading reading{root, std::filesystem::path(path).parent_path().string(), options, config};
  ReadSections(reading);
  std::optional<YamlReader> tenants_reader;
  ReadTenantsFile(reading, &tenants_reader);
  CheckBudgets(reading);
  if (config.anonymous && !HasTenant(config, kAnonymousTenant)) {
    TenantConfig tenant;
    tenant.name = kAnonymousTenant;
    config.tenants.push_back(std::move(tenant));
  }
  CheckPayloadTenants(reading);
  CheckCloudChoices(reading);
  if (!config.anonymous && config.tenants_file.empty()) {
    root.Complain("tenants_file", "is required, or anonymous: true: otherwise nobody could be admitted");
  }
  root.Finish();
  return Join(reader.status(), tenants_reader ? tenants_reader->status() : absl::OkStatus());
}

}  // namespace

// Again, until no file has changed while they were read: what is in force, or is refused, is then what the files say,
// and whoever watches them misses nothing.
absl::StatusOr<RouterConfig> LoadRouterConfig(const std::string& path, const LoadOptions& options, ConfigFiles& files) {
  files = {};
  for (int reads = 0; reads < kReadsMax; ++reads) {
    RouterConfig config;
    const absl::Status read = ReadOnce(path, options, config);
    const std::string before = std::exchange(files.fingerprint, FileWatch::Fingerprint(config.files));
    files.paths = config.files;
    if (files.fingerprint != before) continue;
    RETURN_IF_ERROR(read);
    config.files_fingerprint = before;
    config.version = Hex(Sha256(before)).substr(0, kVersionHexDigits);
    return config;
  }
  return absl::UnavailableError(absl::StrCat(path, ": its files change while they are read"));
}

absl::StatusOr<RouterConfig> LoadRouterConfig(const std::string& path, const LoadOptions& options) {
  ConfigFiles files;
  return LoadRouterConfig(path, options, files);
}

}  // namespace headgate::router
