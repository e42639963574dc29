// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/tco.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "planner/random.h"

namespace headgate::planner {
namespace {

constexpr int kYears = 5;
constexpr double kYearSeconds = 365.25 * 86400;
constexpr double kYearHours = 365.25 * 24;

// Money for one call on the cloud in year 1; nullopt when the inputs do not say.
std::optional<double> CallPrice(const TcoProfile& p, std::vector<std::string>* missing) {
  const auto need = [&](const char* key) {
    if (p.Has(key)) return true;
    missing->push_back(key);
    return false;
  };
  bool known = need("volume.input_tokens_per_call");
  known = need("volume.output_tokens_per_call") && known;
  const double input = p.Get("volume.input_tokens_per_call");
  const double output = p.Get("volume.output_tokens_per_call");
  double price = 0;
  if (p.Has("cloud.price_per_thousand_tokens")) {
    price = (input + output) / 1000 * p.Get("cloud.price_per_thousand_tokens");
  } else {
    known = need("cloud.input_per_million") && known;
    const double cached = p.Get("volume.cached_share") * input;
    price = ((input - cached) * p.Get("cloud.input_per_million") + cached * p.Get("cloud.cached_per_million") +
             output * p.Get("cloud.output_per_million")) /
            1e6;
  }
  if (!known) return std::nullopt;
  return price * (1 + p.Get("cloud.peak_share") * (p.Get("cloud.peak_factor", 1) - 1));
}

// Seconds of a replica for one call; nullopt without measured rates.
std::optional<double> CallWork(const TcoProfile& p, std::vector<std::string>* missing) {
  bool known = true;
  for (const char* key :
       {"local.prefill_tokens_per_second", "volume.input_tokens_per_call", "volume.output_tokens_per_call"}) {
    if (p.Has(key)) continue;
    known = false;
    if (std::find(missing->begin(), missing->end(), key) == missing->end()) missing->push_back(key);
  }
  if (!known) return std::nullopt;
  const double uncached = p.Get("volume.input_tokens_per_call") * (1 - p.Get("volume.cached_share"));
  return uncached / p.Get("local.prefill_tokens_per_second") +
         p.Get("volume.output_tokens_per_call") / p.Get("local.decode_tokens_per_second");
}

// A side's replicas over the years: what they cost, bought, replaced and run.
class Fleet {
 public:
  explicit Fleet(const TcoProfile& profile) : p_(profile) {}

  // Money in `year` (0-based) with `replicas` running.
  LocalParts Year(int year, double replicas) {
    LocalParts parts;
    const double gpus = replicas * p_.Get("local.gpus_per_replica", 1);
    const double price = p_.Get("local.gpu_price");
    if (year == 0) parts.base = p_.Get("local.base_once") + p_.Get("local.customising_once");
    // Those that reached the end of their life are bought anew; never fewer than are there.
    const double life = p_.Get("local.life_years", 1e9);
    std::erase_if(bought_, [&](const auto& batch) { return year - batch.first >= life; });
    double have = 0;
    for (const auto& [when, count] : bought_) have += count;
    if (gpus > have) {
      parts.hardware = (gpus - have) * price;
      bought_.emplace_back(year, gpus - have);
      have = gpus;
    }
    const double watts = have * p_.Get("local.watts_per_gpu") + replicas * p_.Get("local.server_watts");
    parts.power = watts / 1000 * kYearHours * p_.Get("local.pue", 1) * p_.Get("local.tariff_per_kwh");
    parts.maintenance = have * price * p_.Get("local.maintenance_share");
    parts.staff = p_.Get("local.staff_per_year") * p_.Get("local.staff_share", 1);
    parts.facility = p_.Get("local.facility_per_year") + p_.Get("local.transfer_per_year");
    return parts;
  }

 private:
  const TcoProfile& p_;
  std::vector<std::pair<int, double>> bought_;
};

double Replicas(const TcoProfile& p, double busy) {
  if (busy <= 0) return 0;
  return std::ceil(busy * p.Get("volume.peak_to_mean", 1) / p.Get("local.utilisation_max", 0.8) - 1e-9) +
         p.Get("local.spare_replicas");
}

}  // namespace

double Tco::Sum(int n, double YearCost::*side) const {
  double sum = 0;
  for (int year = 0; year < std::min<int>(n, static_cast<int>(years.size())); ++year) {
    sum += years[static_cast<size_t>(year)].*side / std::pow(1 + discount, year);
  }
  return sum;
}

Tco ComputeTco(const TcoProfile& p) {
  Tco tco;
  tco.discount = p.Get("money.discount_per_year");
  const bool volume = p.Has("volume.calls_per_year") && p.Get("volume.calls_per_year") > 0;
  if (!volume) tco.undetermined.push_back("volume.calls_per_year");
  const auto price = CallPrice(p, &tco.undetermined);
  const auto work = CallWork(p, &tco.undetermined);
  const bool priced = p.Has("local.gpu_price");
  if (!priced) tco.undetermined.push_back("local.gpu_price");
  // Fixed sums alone are a cost too: a side that is nothing but fixed sums is known without a volume.
  const bool fixed_cloud = p.Has("cloud.base_per_year");
  const bool fixed_local = p.Has("local.base_once");
  tco.cloud_known = (volume && price) || fixed_cloud;
  tco.local_known = (volume && work && priced) || fixed_local || (priced && p.Has("local.life_years") && !work);
  tco.work_known = volume && work && priced;
  tco.call_price = price.value_or(0);
  Fleet all(p), floor(p);
  for (int year = 0; year < kYears; ++year) {
    YearCost cost;
    cost.calls = p.Get("volume.calls_per_year") * std::pow(1 + p.Get("volume.growth_per_year"), year);
    const double drift = std::pow(1 + p.Get("cloud.price_drift_per_year"), year);
    const double call = volume ? price.value_or(0) * drift : 0;
    const double fixed = p.Get("cloud.base_per_year") + p.Get("cloud.transfer_per_year") +
                         (year == 0 ? p.Get("cloud.customising_once") : 0);
    cost.cloud_calls = cost.calls * call;
    cost.cloud = cost.cloud_calls + fixed;
    const double busy = volume ? cost.calls * work.value_or(0) / kYearSeconds : 0;
    cost.replicas = work && volume ? Replicas(p, busy) : priced ? 1 : 0;
    cost.utilisation = cost.replicas > 0 ? busy / cost.replicas : 0;
    cost.parts = all.Year(year, cost.replicas);
    cost.local = cost.parts.Sum();
    // The floor: what must be local anyway. Its spare room costs nothing more.
    const double sensitive = p.Get("volume.sensitive_share");
    cost.hybrid_replicas = work && volume ? Replicas(p, busy * sensitive) : 0;
    const double room = cost.hybrid_replicas * p.Get("local.utilisation_max", 0.8) / p.Get("volume.peak_to_mean", 1);
    cost.hybrid_local_share = busy > 0 ? std::clamp(room / busy, sensitive, 1.0) : sensitive;
    cost.hybrid_utilisation = cost.hybrid_replicas > 0 ? busy * cost.hybrid_local_share / cost.hybrid_replicas : 0;
    if (cost.hybrid_replicas > 0) cost.hybrid_parts = floor.Year(year, cost.hybrid_replicas);
    cost.hybrid_calls = cost.calls * (1 - cost.hybrid_local_share) * call;
    cost.hybrid = cost.hybrid_parts.Sum() + cost.hybrid_calls + fixed;
    tco.years.push_back(cost);
  }
  return tco;
}

std::optional<double> BreakEvenCalls(const TcoProfile& profile, int years) {
  TcoProfile at = profile;
  const auto local_dearer = [&](double calls) {
    at.inputs["volume.calls_per_year"].value = calls;
    const Tco tco = ComputeTco(at);
    return tco.Local(years) > tco.Cloud(years);
  };
  const Tco tco = ComputeTco(profile);
  if (!tco.cloud_known || !tco.local_known) return std::nullopt;
  // Local grows in steps, so there may be several crossings: the last one, beyond which local stays cheaper.
  double dear = 0;
  for (double calls = 1; calls <= 1e11; calls *= 1.05) {
    if (local_dearer(calls)) dear = calls;
  }
  if (dear >= 1e11 / 1.1) return std::nullopt;
  if (dear == 0) return 0;
  double low = dear, high = dear * 1.05;
  for (int i = 0; i < 40; ++i) (local_dearer((low + high) / 2) ? low : high) = (low + high) / 2;
  return high;
}

std::vector<Swing> Tornado(const TcoProfile& profile) {
  std::vector<Swing> swings;
  const auto difference = [&](const std::string& key, double value) {
    TcoProfile changed = profile;
    changed.inputs[key].value = value;
    const Tco tco = ComputeTco(changed);
    return tco.Local(3) - tco.Cloud(3);
  };
  for (const auto& [key, input] : profile.inputs) {
    const bool whole = key == "local.gpus_per_replica" || key == "local.spare_replicas";
    if (whole && input.low == input.high) continue;  // there is no quarter of one
    // An input without a range of its own is moved by a quarter, as other calculators do.
    double low = input.low, high = input.high;
    if (low == high) low = 0.75 * input.value, high = 1.25 * input.value;
    if (absl::EndsWith(key, "_share") || absl::EndsWith(key, "utilisation_max")) high = std::min(high, 1.0);
    if (key == "local.pue" || key == "volume.peak_to_mean" || key == "cloud.peak_factor") low = std::max(low, 1.0);
    const Swing swing{key, low, high, difference(key, low), difference(key, high)};
    if (swing.low != swing.high) swings.push_back(swing);
  }
  std::stable_sort(swings.begin(), swings.end(),
                   [](const Swing& a, const Swing& b) { return std::abs(a.high - a.low) > std::abs(b.high - b.low); });
  return swings;
}

MonteCarlo Simulate(const TcoProfile& profile, uint64_t seed, int draws) {
  Random random(seed);
  std::vector<double> cloud, local, hybrid;
  MonteCarlo out;
  out.draws = draws;
  for (int draw = 0; draw < draws; ++draw) {
    TcoProfile drawn = profile;
    for (auto& [key, input] : drawn.inputs) {
      if (input.high <= input.low) continue;
      const double u = random.Uniform();
      const double mode = (input.value - input.low) / (input.high - input.low);
      input.value = u < mode ? input.low + (input.high - input.low) * std::sqrt(u * mode)
                             : input.high - (input.high - input.low) * std::sqrt((1 - u) * (1 - mode));
    }
    const Tco tco = ComputeTco(drawn);
    cloud.push_back(tco.Cloud(3));
    local.push_back(tco.Local(3));
    hybrid.push_back(tco.Hybrid(3));
    if (local.back() < cloud.back()) ++out.local_cheaper;
  }
  out.local_cheaper /= std::max(1, draws);
  const auto band = [](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
      return values.empty() ? 0 : values[static_cast<size_t>(share * (values.size() - 1.0))];
    };
    return Band{at(0.05), at(0.5), at(0.95)};
  };
  out.cloud = band(cloud);
  out.local = band(local);
  out.hybrid = band(hybrid);
  return out;
}

}  // namespace headgate::planner
