// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The `audit` section, and the keys that it names.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/tls.h"
#include "router/config_fields.h"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

constexpr size_t kKeyBytesMin = 32;
constexpr size_t kKeyBytesMax = 1 << 16;
constexpr size_t kPayloadKeyBytes = 32;

absl::StatusOr<std::string> FromFileOrEnvironment(const std::string& file, const std::string& variable) {
  if (!file.empty()) return ReadFile(file, kKeyBytesMax);
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return absl::InvalidArgumentError(absl::StrCat("the environment variable ", variable, " is not set"));
  }
  return std::string(value);
}

// Exactly one of `key_file` and `key_env`.
bool GetKeySource(YamlMap& map, const std::string& base, std::string* file, std::string* variable) {
  const bool has_file = GetPath(map, "key_file", base, file);
  const bool has_variable = map.Get("key_env", variable) && !variable->empty();
  if (has_file && has_variable) map.Complain("key_env", "key_file is set too: use one of them");
  if (!has_file && !has_variable && !map.Has("key_file")) map.Complain("key_file", "is required (or key_env)");
  return has_file != has_variable;
}

void ReadPayload(Reading& reading, YamlMap& audit) {
  auto map = audit.GetMap("payload");
  if (!map) return;
  AuditConfig::Payload& out = reading.config.audit.payload;
  if (GetKeySource(*map, reading.base, &out.key_file, &out.key_env)) {
    const auto key = ReadPayloadKey(out);
    if (!key.ok()) map->Complain(out.key_file.empty() ? "key_env" : "key_file", std::string(key.status().message()));
  }
  map->Get("tenants", &out.tenants);
  std::set<std::string> seen;
  for (size_t i = 0; i < out.tenants.size(); ++i) {
    const std::string path = absl::StrCat("tenants[", i, "]");
    if (out.tenants[i].empty()) map->Complain(path, "must not be empty");
    if (!seen.insert(out.tenants[i]).second) map->Complain(path, "is there already");
  }
  map->Finish();
}

}  // namespace

absl::StatusOr<std::string> ReadAuditKey(const AuditConfig& config) {
  auto key = FromFileOrEnvironment(config.key_file, config.key_env);
  if (key.ok() && key->size() < kKeyBytesMin) {
    return absl::InvalidArgumentError("the key must be at least 32 bytes");
  }
  return key;
}

absl::StatusOr<std::string> ReadPayloadKey(const AuditConfig::Payload& config) {
  auto key = FromFileOrEnvironment(config.key_file, config.key_env);
  if (!key.ok() || key->size() == kPayloadKeyBytes) return key;
  const std::string text(absl::StripAsciiWhitespace(*key));
  const bool hex = std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (hex && text.size() == 2 * kPayloadKeyBytes) return absl::HexStringToBytes(text);
  return absl::InvalidArgumentError("the key must be 32 bytes, or 64 hex digits");
}

void ReadAudit(Reading& reading) {
  reading.root.Require("audit");
  auto map = reading.root.GetMap("audit");
  if (!map) return;
  AuditConfig& out = reading.config.audit;
  map->Require("directory");
  GetPath(*map, "directory", reading.base, &out.directory);
  if (GetKeySource(*map, reading.base, &out.key_file, &out.key_env)) {
    const auto key = ReadAuditKey(out);
    if (!key.ok()) map->Complain(out.key_file.empty() ? "key_env" : "key_file", std::string(key.status().message()));
  }
  map->Get("segment_bytes_max", &out.segment_bytes_max, 64 << 10, int64_t{1} << 40);
  map->Get("segment_age_max", &out.segment_age_max, absl::Minutes(1), absl::Hours(24 * 366));
  using Durability = AuditConfig::Durability;
  GetEnum(*map, "durability", {{"process", Durability::kProcess}, {"before_egress", Durability::kBeforeEgress}},
          &out.durability);
  map->Get("sync_interval", &out.sync_interval, absl::Milliseconds(1), absl::Seconds(10));
  map->Get("anchor_interval", &out.anchor_interval, absl::Seconds(1), absl::Hours(24));
  ReadPayload(reading, *map);
  map->Finish();
}

void CheckPayloadTenants(Reading& reading) {
  for (const std::string& name : reading.config.audit.payload.tenants) {
    if (name.empty()) continue;  // was complained about
    const auto& tenants = reading.config.tenants;
    const bool known = std::any_of(tenants.begin(), tenants.end(), [&](const auto& t) { return t.name == name; });
    if (!known) {
      reading.root.Complain("audit",
                            absl::StrCat("payload.tenants: nothing is kept of \"", name, "\": no such tenant"));
    }
  }
}

}  // namespace headgate::router
