// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The section about the cloud.
#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kBackoffMax = absl::Seconds(10);
constexpr size_t kKeysMax = 16;

// What is wrong with the address of the cloud; empty = nothing.
std::string WrongBaseUrl(const std::string& url, bool loopback_only, bool* loopback) {
  const bool https = absl::StartsWith(url, "https://");
  if (!https && !absl::StartsWith(url, "http://")) return "must begin with https://";
  const std::string rest = url.substr(https ? 8 : 7);
  if (rest.find_first_of("@?#\\ \t\r\n") != std::string::npos) {
    return "must hold host, port and path only: no user, query or fragment";
  }
  const std::string authority = rest.substr(0, rest.find('/'));
  HostPort parsed;
  const bool with_port = authority.find(':', authority.rfind(']') == std::string::npos ? 0 : authority.rfind(']')) !=
                         std::string::npos;
  if (!ParseHostPort(with_port ? authority : absl::StrCat(authority, ":443"), &parsed) || parsed.port == 0) {
    return "must be https://host[:port][/path]";
  }
  *loopback = IsLoopbackHost(parsed.host);
  if (!https && !*loopback) return "must be https: plain http is for loopback only";
  if (loopback_only && !*loopback) return "only a loopback cloud is allowed in this run (HEADGATE_LOOPBACK_CLOUD_ONLY)";
  return "";
}

void CheckKeyFile(YamlMap& map, const std::string& key_name, const std::string& file) {
  const auto key = ReadFile(file, 1 << 16);
  if (!key.ok()) map.Complain(key_name, std::string(key.status().message()));
  if (key.ok() && absl::StripAsciiWhitespace(*key).empty()) map.Complain(key_name, "the file is empty");
}

void ReadCloudKey(YamlMap& map, const std::string& base, bool loopback, CloudConfig* out) {
  const bool from_file = GetPath(map, "api_key_file", base, &out->api_key_file);
  map.Get("api_key_env", &out->api_key_env);
  if (from_file) CheckKeyFile(map, "api_key_file", out->api_key_file);
  if (!out->api_key_file.empty() && !out->api_key_env.empty()) {
    map.Complain("api_key_env", "give api_key_file or api_key_env, not both");
  }
  if (map.Get("api_key_files", &out->api_key_files)) {
    if (!out->api_key_file.empty() || !out->api_key_env.empty()) {
      map.Complain("api_key_files", "give one key or several, not both");
    }
    if (out->api_key_files.empty() || out->api_key_files.size() > kKeysMax) {
      map.Complain("api_key_files", absl::StrCat("needs 1 to ", kKeysMax, " files"));
    }
    for (size_t i = 0; i < out->api_key_files.size(); ++i) {
      std::string& file = out->api_key_files[i];
      if (!file.empty() && file.front() != '/') file = (std::filesystem::path(base) / file).string();
      CheckKeyFile(map, absl::StrCat("api_key_files[", i, "]"), file);
    }
  }
  if (out->enabled && !loopback && out->api_key_file.empty() && out->api_key_env.empty() &&
      out->api_key_files.empty()) {
    map.Complain("enabled", "needs api_key_file, api_key_env or api_key_files");
  }
}

void ReadCloudLimits(YamlMap& map, CloudConfig* out) {
  map.Get("concurrency_max", &out->concurrency_max, 1, 1'000'000);
  map.Get("calls_per_day", &out->calls_per_day, 0, int64_t{1} << 40);
  map.Get("calls_per_day_ratio", &out->calls_per_day_ratio, 0.01, 2.0);
  if (map.Has("calls_per_day_ratio") && out->calls_per_day == 0) {
    map.Complain("calls_per_day_ratio", "unreachable rule: calls_per_day is not set, so there is no limit");
  }
  map.Get("balance_interval", &out->balance_interval, absl::ZeroDuration(), absl::Hours(24));
  if (out->balance_interval > absl::ZeroDuration() && out->balance_interval < absl::Seconds(1)) {
    map.Complain("balance_interval", "must be 0 (off) or at least 1s");
  }
  map.Get("balance_min_micro_units", &out->balance_min_micro_units, 0, int64_t{1} << 60);
  if (out->balance_min_micro_units > 0 && out->balance_interval == absl::ZeroDuration()) {
    map.Complain("balance_min_micro_units", "unreachable rule: balance_interval is 0, so the balance is not known");
  }
}

// What every body of this cloud gets; nothing that we say ourselves.
void ReadBody(YamlMap& map, CloudConfig* out) {
  std::string text;
  if (!map.Get("body", &text)) return;
  const auto members = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!members.is_object() || members.empty()) return map.Complain("body", "must be a JSON object with members");
  for (const char* ours : {"model", "messages", "stream", "stream_options", "thinking", "user", "user_id", "prompt",
                           "tools", "tool_choice", "response_format", "max_tokens", "stop", "n", "temperature", "top_p",
                           "presence_penalty", "frequency_penalty"}) {
    if (members.contains(ours)) map.Complain("body", absl::StrCat("\"", ours, "\" is what the router itself says"));
  }
  const std::string dumped = members.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  out->body_members = dumped.substr(1, dumped.size() - 2);
}

void ReadDialect(YamlMap& map, CloudConfig* out) {
  GetEnum<CloudConfig::Dialect>(
      map, "dialect", {{"deepseek", CloudConfig::Dialect::kDeepSeek}, {"openai", CloudConfig::Dialect::kOpenAi}},
      &out->dialect);
  ReadBody(map, out);
  if (out->dialect == CloudConfig::Dialect::kDeepSeek) return;
  for (const char* key : {"thinking", "balance_interval", "balance_min_micro_units"}) {
    if (map.Has(key)) map.Complain(key, "unreachable rule: only dialect deepseek has it");
  }
  out->balance_interval = absl::ZeroDuration();
}

void ReadOneCloud(YamlMap& cloud, const Reading& reading, CloudConfig* config) {
  YamlMap* const map = &cloud;
  CloudConfig& out = *config;
  map->Get("enabled", &out.enabled);
  GetName(*map, "name", &out.name);
  bool loopback = false;
  if (map->Get("base_url", &out.base_url)) {
    const std::string wrong = WrongBaseUrl(out.base_url, reading.options.loopback_cloud_only, &loopback);
    if (!wrong.empty()) map->Complain("base_url", wrong);
    while (absl::EndsWith(out.base_url, "/")) out.base_url.pop_back();
  } else if (out.enabled) {
    map->Require("base_url");
  }
  if (map->Get("model", &out.model) && out.model.empty()) map->Complain("model", "must not be empty");
  ReadCloudKey(*map, reading.base, loopback, &out);
  if (GetPath(*map, "ca_file", reading.base, &out.ca_file)) {
    TlsConfig tls;
    tls.ca_file = out.ca_file;
    const absl::Status status = CheckTls(tls);
    if (!status.ok()) map->Complain("ca_file", std::string(status.message()));
  }
  map->Get("thinking", &out.thinking);
  map->Get("user_id", &out.user_id);
  map->Get("connections_max", &out.connections_max, 1, 10'000);
  ReadCloudLimits(*map, &out);
  map->Get("connect_timeout", &out.connect_timeout, absl::Milliseconds(1), absl::Minutes(1));
  map->Get("first_token_timeout", &out.first_token_timeout, absl::Milliseconds(10), absl::Minutes(30));
  map->Get("idle_timeout", &out.idle_timeout, absl::Milliseconds(10), absl::Hours(1));
  map->Get("attempts_max", &out.attempts_max, 1, 10);
  map->Get("backoff_base", &out.backoff_base, absl::Milliseconds(1), kBackoffMax);
  map->Get("backoff_max", &out.backoff_max, absl::Milliseconds(1), kBackoffMax);
  if (out.backoff_base > out.backoff_max) map->Complain("backoff_base", "is above cloud.backoff_max");
  map->Get("breaker_failures", &out.breaker_failures, 1, 1000);
  map->Get("breaker_open", &out.breaker_open, absl::Milliseconds(10), absl::Minutes(10));
  ReadDialect(*map, &out);
  if (out.enabled && reading.config.sensitivity.threshold <= v1::SENSITIVITY_LEVEL_PUBLIC) {
    map->Complain("enabled", "unreachable rule: sensitivity.threshold public makes every request sensitive");
  }
  map->Finish();
}

void ReadChoices(Reading& reading) {
  RouterConfig& config = reading.config;
  for (YamlMap& map : reading.root.GetList("cloud_choice")) {
    CloudChoiceConfig choice;
    map.Get("tenants", &choice.tenants);
    GetEnum<CloudChoiceConfig::Scenario>(map, "scenario",
                                         {{"any", CloudChoiceConfig::Scenario::kAny},
                                          {"realtime", CloudChoiceConfig::Scenario::kRealtime},
                                          {"batch", CloudChoiceConfig::Scenario::kBatch}},
                                         &choice.scenario);
    map.Require("cloud");
    if (map.Get("cloud", &choice.cloud) && choice.cloud != config.cloud.name) {
      const bool there = std::any_of(config.clouds.begin(), config.clouds.end(),
                                     [&](const CloudConfig& cloud) { return cloud.name == choice.cloud; });
      if (!there) map.Complain("cloud", absl::StrCat("no cloud has the name ", choice.cloud));
    }
    map.Finish();
    config.cloud_choice.push_back(std::move(choice));
  }
}

}  // namespace

void ReadCloud(Reading& reading) {
  RouterConfig& config = reading.config;
  if (auto map = reading.root.GetMap("cloud")) ReadOneCloud(*map, reading, &config.cloud);
  std::set<std::string> names = {config.cloud.name}, models = {config.cloud.model};
  for (YamlMap& map : reading.root.GetList("clouds")) {
    CloudConfig cloud;
    cloud.further = cloud.enabled = true;
    map.Require("name");
    map.Require("model");
    ReadOneCloud(map, reading, &cloud);
    if (!config.cloud.enabled) map.Complain("", "unreachable rule: cloud.enabled is false");
    if (!names.insert(cloud.name).second) map.Complain("name", "another cloud has this name");
    if (!models.insert(cloud.model).second) map.Complain("model", "another cloud has this model: prices go by model");
    config.clouds.push_back(std::move(cloud));
  }
  ReadChoices(reading);
}

void CheckCloudChoices(Reading& reading) {
  const RouterConfig& config = reading.config;
  for (size_t i = 0; i < config.cloud_choice.size(); ++i) {
    for (const std::string& name : config.cloud_choice[i].tenants) {
      const bool known = std::any_of(config.tenants.begin(), config.tenants.end(),
                                     [&](const TenantConfig& tenant) { return tenant.name == name; });
      if (!known) reading.root.Complain(absl::StrCat("cloud_choice[", i, "].tenants"), "no tenant is called " + name);
    }
  }
}

}  // namespace headgate::router
