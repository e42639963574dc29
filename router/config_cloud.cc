// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The sections about the cloud and its prices.
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kBackoffMax = absl::Seconds(10);

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

void ReadCloudKey(YamlMap& map, const std::string& base, bool loopback, CloudConfig* out) {
  const bool from_file = GetPath(map, "api_key_file", base, &out->api_key_file);
  map.Get("api_key_env", &out->api_key_env);
  if (from_file) {
    const auto key = ReadFile(out->api_key_file, 1 << 16);
    if (!key.ok()) map.Complain("api_key_file", std::string(key.status().message()));
    if (key.ok() && absl::StripAsciiWhitespace(*key).empty()) map.Complain("api_key_file", "the file is empty");
  }
  if (!out->api_key_file.empty() && !out->api_key_env.empty()) {
    map.Complain("api_key_env", "give api_key_file or api_key_env, not both");
  }
  if (out->enabled && !loopback && out->api_key_file.empty() && out->api_key_env.empty()) {
    map.Complain("enabled", "needs api_key_file or api_key_env");
  }
}

// RFC 3339, or a date for midnight UTC.
bool GetTime(YamlMap& map, const std::string& key, absl::Time* out) {
  std::string text;
  if (!map.Get(key, &text)) return false;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, out, &error)) return true;
  absl::CivilDay day;
  if (absl::ParseCivilTime(text, &day) && text.size() == 10) {
    *out = absl::FromCivil(day, absl::UTCTimeZone());
    return true;
  }
  map.Complain(key, "must be a time such as 2026-11-15T00:00:00Z or a date such as 2026-11-15");
  return false;
}

bool IsCurrency(const std::string& text) {
  return text.size() == 3 && text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
}

void ReadPriceRow(YamlMap& map, PriceRow* row) {
  constexpr int64_t kPriceMax = 1'000'000'000'000;  // a million of the currency per million tokens
  map.Require("version");
  map.Require("model");
  map.Require("currency");
  map.Require("valid_from");
  GetName(map, "version", &row->version);
  map.Get("model", &row->model);
  if (map.Get("currency", &row->currency) && !IsCurrency(row->currency)) {
    map.Complain("currency", "must be a currency code of three capital letters");
  }
  GetTime(map, "valid_from", &row->valid_from);
  struct Price {
    const char* key;
    int64_t* out;
    const char* peak_key;
    int64_t* peak_out;
  };
  const Price prices[] = {{"cache_hit", &row->cache_hit, "peak_cache_hit", &row->peak_cache_hit},
                          {"cache_miss", &row->cache_miss, "peak_cache_miss", &row->peak_cache_miss},
                          {"output", &row->output, "peak_output", &row->peak_output}};
  int peaks = 0;
  for (const Price& price : prices) {
    map.Require(price.key);
    map.Get(price.key, price.out, 0, kPriceMax);
    *price.peak_out = *price.out;  // a sheet without a peak clock
    if (map.Get(price.peak_key, price.peak_out, 0, kPriceMax)) ++peaks;
  }
  if (peaks != 0 && peaks != 3) map.Complain("", "give all three peak prices or none");
  map.Finish();
}

void ReadHolidays(YamlMap& map, std::vector<std::string>* out) {
  std::set<std::string> seen;
  map.Get("holidays", out);
  for (size_t i = 0; i < out->size(); ++i) {
    const std::string path = absl::StrCat("holidays[", i, "]");
    absl::CivilDay day;
    // Formatting it back refuses spellings that would never be equal to a date: 2026-1-1.
    if (!absl::ParseCivilTime((*out)[i], &day) || absl::FormatCivilTime(day) != (*out)[i]) {
      map.Complain(path, "must be a date such as 2026-10-01");
    } else if (!seen.insert((*out)[i]).second) {
      map.Complain(path, "is there already");
    }
  }
}

}  // namespace

void ReadCloud(Reading& reading) {
  auto map = reading.root.GetMap("cloud");
  if (!map) return;
  CloudConfig& out = reading.config.cloud;
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
  map->Get("connections_max", &out.connections_max, 1, 10'000);
  map->Get("connect_timeout", &out.connect_timeout, absl::Milliseconds(1), absl::Minutes(1));
  map->Get("first_token_timeout", &out.first_token_timeout, absl::Milliseconds(10), absl::Minutes(30));
  map->Get("idle_timeout", &out.idle_timeout, absl::Milliseconds(10), absl::Hours(1));
  map->Get("attempts_max", &out.attempts_max, 1, 10);
  map->Get("backoff_base", &out.backoff_base, absl::Milliseconds(1), kBackoffMax);
  map->Get("backoff_max", &out.backoff_max, absl::Milliseconds(1), kBackoffMax);
  if (out.backoff_base > out.backoff_max) map->Complain("backoff_base", "is above cloud.backoff_max");
  map->Get("breaker_failures", &out.breaker_failures, 1, 1000);
  map->Get("breaker_open", &out.breaker_open, absl::Milliseconds(10), absl::Minutes(10));
  if (out.enabled && reading.config.sensitivity.threshold <= v1::SENSITIVITY_LEVEL_PUBLIC) {
    map->Complain("enabled", "unreachable rule: sensitivity.threshold public makes every request sensitive");
  }
  map->Finish();
}

void ReadAccounting(Reading& reading) {
  auto map = reading.root.GetMap("accounting");
  if (!map) return;
  AccountingConfig& out = reading.config.accounting;
  std::set<std::pair<std::string, absl::Time>> starts;
  std::set<std::pair<std::string, std::string>> versions;
  std::set<std::string> models;
  for (YamlMap& item : map->GetList("prices")) {
    PriceRow row;
    ReadPriceRow(item, &row);
    if (!starts.emplace(row.model, row.valid_from).second) {
      item.Complain("valid_from", "this model has a price from this instant already");
    }
    if (!versions.emplace(row.model, row.version).second) {
      item.Complain("version", "this model has this version already");
    }
    models.insert(row.model);
    out.prices.push_back(std::move(row));
  }
  if (reading.config.cloud.enabled && !models.empty() && !models.contains(reading.config.cloud.model)) {
    map->Complain("prices", absl::StrCat("no price for cloud.model ", reading.config.cloud.model));
  }
  ReadHolidays(*map, &out.holidays);
  map->Finish();
}

}  // namespace headgate::router
