// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The sections about the decision and its money: policy, scaling, prices, budgets.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

constexpr int64_t kPriceMax = 1'000'000'000'000;  // a million of the currency per million tokens

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


// 24 weights, not all zero.
void ReadHourlyProfile(YamlMap& map, std::vector<double>* out) {
  std::vector<std::string> texts;
  if (!map.Get("hourly_profile", &texts)) return;
  if (texts.size() != 24) return map.Complain("hourly_profile", "needs 24 weights, one an hour from midnight on");
  double sum = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    double weight = 0;
    if (!absl::SimpleAtod(texts[i], &weight) || !(weight >= 0 && weight <= 1e6)) {
      map.Complain(absl::StrCat("hourly_profile[", i, "]"), "must be a weight from 0 to 1000000");
      return;
    }
    sum += weight;
    out->push_back(weight);
  }
  if (sum > 0) return;
  map.Complain("hourly_profile", "all weights are zero");
  out->clear();
}

bool OneCurrency(const std::vector<PriceRow>& prices) {
  return std::all_of(prices.begin(), prices.end(),
                     [&](const PriceRow& row) { return row.currency == prices.front().currency; });
}

}  // namespace

void ReadBudget(YamlMap& parent, BudgetConfig* out) {
  auto map = parent.GetMap("budget");
  if (!map) return;
  map->Require("limit_micro_units");
  map->Get("limit_micro_units", &out->limit_micro_units, 1, int64_t{1'000'000} * kPriceMax);
  GetEnum<BudgetConfig::Period>(
      *map, "period", {{"day", BudgetConfig::Period::kDay}, {"month", BudgetConfig::Period::kMonth}}, &out->period);
  map->Get("soft_ratio", &out->soft_ratio, 0.01, 1.0);
  ReadHourlyProfile(*map, &out->hourly_profile);
  map->Finish();
}

void ReadPolicy(Reading& reading) {
  auto map = reading.root.GetMap("policy");
  if (!map) return;
  PolicyConfig& out = reading.config.policy;
  GetEnum<PolicyConfig::Mode>(*map, "mode",
                              {{"overflow", PolicyConfig::Mode::kOverflow},
                               {"switch", PolicyConfig::Mode::kSwitch},
                               {"cost", PolicyConfig::Mode::kCost}},
                              &out.mode);
  map->Get("cloud_qps_threshold", &out.cloud_qps_threshold, 0.0, 1e6);
  map->Get("switch_low_ratio", &out.switch_low_ratio, 0.01, 0.99);
  map->Get("switch_window", &out.switch_window, absl::Seconds(1), absl::Minutes(10));
  map->Get("switch_dwell", &out.switch_dwell, absl::Seconds(1), absl::Hours(1));
  map->Get("bridge", &out.bridge);
  map->Get("delay_price", &out.delay_price, 0, kPriceMax);
  map->Get("first_token_objective", &out.first_token_objective, absl::Milliseconds(10), absl::Hours(1));
  map->Get("first_token_objective_per_1k", &out.first_token_objective_per_1k, absl::ZeroDuration(), absl::Minutes(1));
  map->Get("switch_margin", &out.switch_margin, 0.0, 0.9);
  map->Get("hedge_share", &out.hedge_share, 0.0, 0.1);
  map->Get("hedge_delay_min", &out.hedge_delay_min, absl::Milliseconds(1), absl::Minutes(1));
  if (map->Has("hedge_delay_min") && out.hedge_share == 0) {
    map->Complain("hedge_delay_min", "unreachable rule: policy.hedge_share is not set, so nothing is hedged");
  }
  if (out.hedge_share > 0 && out.cloud_qps_threshold == 0) {
    map->Complain("hedge_share", "unreachable rule: policy.cloud_qps_threshold is 0, so nothing leaves");
  }
  GetEnum<PolicyConfig::Profile>(*map, "profile",
                                 {{"none", PolicyConfig::Profile::kNone},
                                  {"cloud_outage", PolicyConfig::Profile::kCloudOutage},
                                  {"no_local", PolicyConfig::Profile::kNoLocal}},
                                 &out.profile);
  if (out.bridge && out.mode != PolicyConfig::Mode::kOverflow) {
    map->Complain("bridge", "unreachable rule: only mode overflow has a threshold to bridge");
  }
  map->Finish();
}

void ReadScaling(Reading& reading) {
  auto map = reading.root.GetMap("scaling");
  if (!map) return;
  ScalingConfig& out = reading.config.scaling;
  map->Require("replica_hour_micro_units");
  map->Require("prefill_tokens_per_second");
  map->Require("decode_tokens_per_second");
  map->Get("replica_hour_micro_units", &out.replica_hour_micro_units, 1, kPriceMax);
  map->Get("replicas_min", &out.replicas_min, 0, 10'000);
  map->Get("replicas_max", &out.replicas_max, 1, 10'000);
  map->Get("prefill_tokens_per_second", &out.prefill_tokens_per_second, 1e-3, 1e9);
  map->Get("decode_tokens_per_second", &out.decode_tokens_per_second, 1e-3, 1e9);
  map->Get("cold_start", &out.cold_start, absl::ZeroDuration(), absl::Hours(1));
  map->Get("window", &out.window, absl::Seconds(30), absl::Hours(6));
  map->Get("utilisation_max", &out.utilisation_max, 0.05, 1.0);
  if (out.replicas_min > out.replicas_max) map->Complain("replicas_min", "is above scaling.replicas_max");
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
  for (const CloudConfig& cloud : reading.config.clouds) {
    if (models.empty() || models.contains(cloud.model)) continue;
    map->Complain("prices", absl::StrCat("no price for the model ", cloud.model, " of clouds"));
  }
  if (reading.config.policy.mode == PolicyConfig::Mode::kCost && models.empty()) {
    map->Complain("prices", "policy.mode cost needs a price table");
  }
  ReadHolidays(*map, &out.holidays);
  ReadBudget(*map, &out.budget);
  map->Get("reserve_output_tokens", &out.reserve_output_tokens, 1, 100'000'000);
  map->Finish();
}


void ReadDecisionSections(YamlMap& root, RouterConfig* config) {
  Reading reading{root, "", {}, *config};
  ReadPolicy(reading);
  ReadScaling(reading);
  ReadAccounting(reading);
  CheckBudgets(reading);
}

void CheckBudgets(Reading& reading) {
  const RouterConfig& config = reading.config;
  bool any = config.accounting.budget.limit_micro_units > 0;
  for (const TenantConfig& tenant : config.tenants) any = any || tenant.budget.limit_micro_units > 0;
  if (!any) return;
  // Only mode cost weighs the shadow price, in which the profile shows.
  const auto paced = [&](const std::string& path, const BudgetConfig& budget) {
    if (budget.hourly_profile.empty() || config.policy.mode == PolicyConfig::Mode::kCost) return;
    reading.root.Complain("accounting",
                          absl::StrCat(path, "hourly_profile: unreachable rule: policy.mode is not cost"));
  };
  paced("budget.", config.accounting.budget);
  for (const TenantConfig& tenant : config.tenants) {
    paced(absl::StrCat("budget of tenant ", tenant.name, ": "), tenant.budget);
  }
  // Money of two currencies does not add up, and an unknown price could be any amount.
  if (config.accounting.prices.empty()) {
    reading.root.Complain("accounting", "a budget needs accounting.prices: without a price nothing can be counted");
  } else if (!OneCurrency(config.accounting.prices)) {
    reading.root.Complain("accounting", "a budget needs prices of one currency");
  }
}

}  // namespace headgate::router
