// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The profile: reading and checking.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/tls.h"
#include "common/yaml_reader.h"
#include "planner/exchange.h"
#include "planner/tco.h"

namespace headgate::planner {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
using Map = YamlReader::Map;

struct Known {
  const char* section;
  const char* key;
  double low, high;  // what is possible
};
constexpr double kMoney = 1e15;
// What one unit of a section's currency is in the report's.
struct Money {
  double rate = 1;
  std::string note;
};
constexpr Known kInputs[] = {
    {"volume", "calls_per_year", 1, 1e13},
    {"volume", "input_tokens_per_call", 1, 1e7},
    {"volume", "output_tokens_per_call", 0, 1e7},
    {"volume", "cached_share", 0, 1},
    {"volume", "sensitive_share", 0, 1},
    {"volume", "growth_per_year", -0.9, 10},
    {"volume", "peak_to_mean", 1, 1000},
    {"cloud", "price_per_thousand_tokens", 0, kMoney},
    {"cloud", "input_per_million", 0, kMoney},
    {"cloud", "cached_per_million", 0, kMoney},
    {"cloud", "output_per_million", 0, kMoney},
    {"cloud", "peak_share", 0, 1},
    {"cloud", "peak_factor", 1, 100},
    {"cloud", "price_drift_per_year", -0.9, 10},
    {"cloud", "base_per_year", 0, kMoney},
    {"cloud", "transfer_per_year", 0, kMoney},
    {"cloud", "customising_once", 0, kMoney},
    {"local", "gpu_price", 0, kMoney},
    {"local", "gpus_per_replica", 1, 1024},
    {"local", "life_years", 0.5, 20},
    {"local", "watts_per_gpu", 0, 10000},
    {"local", "server_watts", 0, 100000},
    {"local", "tariff_per_kwh", 0, 1000},
    {"local", "pue", 1, 5},
    {"local", "staff_per_year", 0, kMoney},
    {"local", "staff_share", 0, 1000},
    {"local", "maintenance_share", 0, 1},
    {"local", "facility_per_year", 0, kMoney},
    {"local", "base_once", 0, kMoney},
    {"local", "customising_once", 0, kMoney},
    {"local", "transfer_per_year", 0, kMoney},
    {"local", "spare_replicas", 0, 1000},
    {"local", "utilisation_max", 0.01, 1},
    {"local", "prefill_tokens_per_second", 1e-3, 1e9},
    {"local", "decode_tokens_per_second", 1e-3, 1e9},
    {"money", "discount_per_year", 0, 1},
};

// Sums of money: converted where a section has another currency than the report.
bool IsMoney(const Known& known) {
  const std::string key = known.key;
  return known.high == kMoney || key == "tariff_per_kwh";
}

void NotBlank(Map& map, const char* key, const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) map.Complain(key, "must not be empty");
}

void ReadInput(Map& section, const Known& known, const std::string& path, const Money& money, TcoProfile* out) {
  auto map = section.GetMap(known.key);
  if (!map) return;
  Input input;
  map->Require("value");
  map->Require("date");
  map->Require("source");
  map->Get("value", &input.value, known.low, known.high);
  input.low = input.high = input.value;
  const bool low = map->Get("low", &input.low, known.low, known.high);
  const bool high = map->Get("high", &input.high, known.low, known.high);
  if (low != high) map->Complain("", "give low and high together");
  if (input.low > input.value || input.high < input.value) map->Complain("low", "low <= value <= high does not hold");
  if (map->Get("date", &input.date) && !IsDate(input.date)) map->Complain("date", "must be a date such as 2026-11-15");
  if (map->Get("source", &input.source)) NotBlank(*map, "source", input.source);
  map->Get("measured", &input.measured);
  map->Finish();
  if (IsMoney(known) && money.rate != 1) {
    for (double* value : {&input.value, &input.low, &input.high}) *value *= money.rate;
    absl::StrAppend(&input.source, "; ", money.note);
  }
  out->inputs[path] = input;
}

// The section's own currency, at a dated rate.
Money ReadCurrency(Map& section, const Exchange& exchange, const std::string& report) {
  std::string currency;
  if (!section.Get("currency", &currency)) return {};
  const auto rate = exchange.Rate(currency, report);
  if (!IsCurrency(currency)) {
    section.Complain("currency", "must be a currency code of three capital letters");
  } else if (!rate) {
    section.Complain("currency", absl::StrCat("no rate from ", currency, " to ", report, " in fx: nothing is guessed"));
  }
  return {rate.value_or(1), exchange.Describe(currency, report)};
}

void ReadInputs(Map& root, const Exchange& exchange, TcoProfile* out) {
  for (const char* section : {"volume", "cloud", "local", "money"}) {
    auto map = root.GetMap(section);
    if (!map) continue;
    const Money money = ReadCurrency(*map, exchange, out->currency);
    for (const Known& known : kInputs) {
      if (std::string(section) == known.section) {
        ReadInput(*map, known, absl::StrCat(section, ".", known.key), money, out);
      }
    }
    map->Finish();
  }
}

void ReadPublished(Map& root, TcoProfile* out) {
  for (Map& map : root.GetList("published")) {
    Published published;
    map.Require("what");
    map.Get("what", &published.what);
    map.Get("calls_per_year", &published.calls_per_year, 0.0, 1e13);
    map.Get("cloud", &published.cloud, 0.0, kMoney);
    map.Get("local", &published.local, 0.0, kMoney);
    for (const auto& [key, years] :
         {std::pair{"cloud_years", &published.cloud_years}, std::pair{"local_years", &published.local_years}}) {
      if (map.Get(key, years, 0.001, 5.0) && *years > 1 && *years != std::floor(*years)) {
        map.Complain(key, "must be whole years, or a part of the first");
      }
    }
    if (!map.Has("cloud") && !map.Has("local")) map.Complain("", "give cloud, local or both: what was published");
    map.Get("note", &published.note);
    map.Finish();
    out->published.push_back(std::move(published));
  }
}

void ReadEvaluation(Map& root, Evaluation* out) {
  auto map = root.GetMap("evaluation");
  if (!map) return;
  const std::pair<const char*, Answer*> answers[] = {{"gpu_team", &out->gpu_team},
                                                     {"only_basic_skills", &out->only_basic_skills},
                                                     {"response_24h_acceptable", &out->response_24h_acceptable},
                                                     {"online_within_72h", &out->online_within_72h}};
  for (const auto& [key, answer] : answers) {
    bool yes = false;
    if (map->Get(key, &yes)) *answer = yes ? Answer::kYes : Answer::kNo;
  }
  if (out->gpu_team == Answer::kYes && out->only_basic_skills == Answer::kYes) {
    map->Complain("only_basic_skills", "contradicts gpu_team: true");
  }
  map->Finish();
}

void ReadEvidence(Map& root, TcoProfile* out) {
  auto map = root.GetMap("evidence");
  if (!map) return;
  for (const char* key : kEvidence) {
    auto item = map->GetMap(key);
    if (!item) continue;
    Evidence evidence;
    item->Require("date");
    item->Require("source");
    if (item->Get("date", &evidence.date) && !IsDate(evidence.date)) {
      item->Complain("date", "must be a date such as 2026-11-15");
    }
    if (item->Get("source", &evidence.source)) NotBlank(*item, "source", evidence.source);
    item->Finish();
    out->evidence[key] = evidence;
  }
  map->Finish();
}

// Entries that exclude or need each other.
void Check(Map& root, const TcoProfile& profile) {
  const auto both = [&](const char* section, const char* a, const char* b) {
    if (profile.Has(absl::StrCat(section, ".", a)) && profile.Has(absl::StrCat(section, ".", b))) {
      root.Complain(section, absl::StrCat("contradictory: give ", a, " or ", b, ", not both"));
    }
  };
  const auto needs = [&](const char* section, const char* a, const char* b) {
    if (profile.Has(absl::StrCat(section, ".", a)) && !profile.Has(absl::StrCat(section, ".", b))) {
      root.Complain(section, absl::StrCat(a, " needs ", b));
    }
  };
  both("cloud", "price_per_thousand_tokens", "input_per_million");
  both("cloud", "price_per_thousand_tokens", "output_per_million");
  needs("cloud", "input_per_million", "output_per_million");
  needs("cloud", "output_per_million", "input_per_million");
  needs("cloud", "peak_share", "peak_factor");
  needs("cloud", "peak_factor", "peak_share");
  needs("cloud", "cached_per_million", "input_per_million");
  needs("local", "gpu_price", "life_years");
  for (const char* of_gpus : {"life_years", "gpus_per_replica", "maintenance_share"}) {
    needs("local", of_gpus, "gpu_price");
  }
  needs("local", "watts_per_gpu", "tariff_per_kwh");
  needs("local", "tariff_per_kwh", "watts_per_gpu");
  needs("local", "server_watts", "tariff_per_kwh");
  needs("local", "pue", "tariff_per_kwh");
  needs("local", "staff_share", "staff_per_year");
  needs("local", "prefill_tokens_per_second", "decode_tokens_per_second");
  needs("local", "decode_tokens_per_second", "prefill_tokens_per_second");
  if (profile.Has("volume.cached_share") && profile.Get("volume.cached_share") > 0 &&
      profile.Has("cloud.input_per_million") && !profile.Has("cloud.cached_per_million")) {
    root.Complain("cloud", "volume.cached_share needs cached_per_million: a cached token has its own price");
  }
  if (profile.Has("cloud.input_per_million") &&
      profile.Get("cloud.cached_per_million") > profile.Get("cloud.input_per_million")) {
    root.Complain("cloud", "contradictory: cached_per_million is above input_per_million");
  }
}

}  // namespace

absl::StatusOr<TcoProfile> ParseTcoProfile(const std::string& name, const std::string& text) {
  TcoProfile profile;
  profile.file = name;
  YamlReader reader(name, text);
  Map root = reader.Root();
  root.Require("name");
  root.Require("currency");
  if (root.Get("name", &profile.name)) NotBlank(root, "name", profile.name);
  if (root.Get("currency", &profile.currency) && !IsCurrency(profile.currency)) {
    root.Complain("currency", "must be a currency code of three capital letters");
  }
  root.Get("notes", &profile.notes);
  const Exchange exchange = Exchange::Read(root);
  profile.per_cny = exchange.Rate("CNY", profile.currency);
  profile.per_cny_source = exchange.Describe("CNY", profile.currency);
  ReadInputs(root, exchange, &profile);
  ReadPublished(root, &profile);
  ReadEvaluation(root, &profile.evaluation);
  ReadEvidence(root, &profile);
  Check(root, profile);
  root.Finish();
  if (!reader.status().ok()) return reader.status();
  return profile;
}

absl::StatusOr<TcoProfile> LoadTcoProfile(const std::string& path) {
  auto text = ReadFile(path, kFileBytesMax);
  if (!text.ok()) return text.status();
  return ParseTcoProfile(path, *text);
}

void SetVolume(const Trace& trace, double sensitive_share, const std::string& date, TcoProfile* profile) {
  constexpr double kYear = 365.25 * 86400;
  constexpr double kWindow = 600;  // the peak that counts for buying is that of ten minutes
  const double span = std::max(1.0, trace.span_s());
  const double count = static_cast<double>(trace.requests.size());
  double input = 0, output = 0, sensitive = 0;
  std::vector<double> windows(static_cast<size_t>(span / kWindow) + 1);
  for (const TraceRequest& request : trace.requests) {
    input += request.input_tokens;
    output += request.output_tokens;
    const bool unknown = request.sensitivity == TraceRequest::Class::kUnknown;
    sensitive += unknown ? sensitive_share : request.sensitivity == TraceRequest::Class::kSensitive ? 1 : 0;
    ++windows[static_cast<size_t>(request.arrival_s / kWindow)];
  }
  if (windows.size() > 1 && std::fmod(span, kWindow) < kWindow / 2) windows.pop_back();  // hardly begun
  const double mean = count / span * std::min(kWindow, span);
  const double peak = *std::max_element(windows.begin(), windows.end());
  const std::string source = absl::StrFormat("trace %s, %.0f s scaled to a year", trace.name, span);
  const auto set = [&](const char* key, double value) {
    profile->inputs[key] = {value, value, value, date, source, /*measured=*/span >= kPilotDays * 86400};
  };
  set("volume.calls_per_year", count / span * kYear);
  set("volume.input_tokens_per_call", input / count);
  set("volume.output_tokens_per_call", output / count);
  set("volume.sensitive_share", sensitive / count);
  if (std::any_of(trace.requests.begin(), trace.requests.end(), [](const TraceRequest& request) {
        return request.sensitivity == TraceRequest::Class::kUnknown;
      })) {
    Input& share = profile->inputs["volume.sensitive_share"];
    share.measured = false;
    share.source += "; of requests whose class it does not say, --sensitive-share";
  }
  set("volume.peak_to_mean", std::max(1.0, peak / mean));
}

}  // namespace headgate::planner
