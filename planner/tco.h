// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// TCO: what cloud, local and hybrid cost over one, three and five years, and which inputs decide. Every input carries
// its date and source; a figure that no input determines is not computed but said to be undetermined.
//
//   calls(y)   = calls * (1 + growth)^(y-1)
//   cloud(y)   = calls(y) * price of a call * (1 + price_drift)^(y-1) + base + transfer; once: customising
//   work(y)    = calls(y) * (uncached prompt / prefill rate + answer / decode rate), seconds of a replica
//   replicas   = ceil(mean work rate * peak_to_mean / utilisation_max) + spares;  utilisation = an OUTPUT
//   local(y)   = replicas bought or replaced * price + power * PUE * tariff + staff + maintenance + facility
//   hybrid(y)  = local for the sensitive share alone, its spare room filled with ordinary calls, the rest on the cloud
//   present    = sum of year y / (1 + discount)^(y-1), paid at the beginning of the year
//
// Thread-safety: pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/audit_log.h"
#include "planner/plot.h"
#include "planner/trace.h"

namespace headgate::planner {

struct Input {
  double value = 0;
  double low = 0, high = 0;       // for tornado and Monte Carlo; both = value when certain
  std::string date, source;
  bool measured = false;          // not assumed, quoted or copied: ticks its line of the checklist
};
// A table that somebody published, to be held against the model.
struct Published {
  std::string what;
  double calls_per_year = 0;      // 0 = the profile's
  double cloud = 0, local = 0;    // as published; 0 = not there
  double cloud_years = 1, local_years = 1;
  std::string note;
};
// What was done, when and where it is written down: ticks a line of the migration's checklist.
struct Evidence {
  std::string date, source;
};
// What an audit log says about the past: fills the checklist.
struct Recorded {
  double days = 0;
  int64_t answers = 0, local = 0;
  double success = 0;                            // OK / all
  std::optional<double> cloud_call;              // mean money of a priced cloud answer
  double unpriced = 0;                           // cloud answers without a price
  double took_p50_s = 0, took_p95_s = 0;         // whole answers
  struct FirstToken {
    int64_t answers = 0;                         // that recorded one
    double p50_s = 0, p95_s = 0;
  };
  FirstToken local_first, cloud_first;
  struct Month {                                 // of 30 days from the log's beginning
    int64_t outcomes = 0, ok = 0, money_micro_units = 0, unpriced = 0;
    FirstToken first;
  };
  std::vector<Month> months;                     // the last one may not be over
  std::string currency, source;                  // "several" currencies have no sums
};
enum class Answer { kUnknown, kNo, kYes };
struct Evaluation {
  Answer gpu_team = Answer::kUnknown;            // people who run GPUs
  Answer only_basic_skills = Answer::kUnknown;
  Answer response_24h_acceptable = Answer::kUnknown;
  Answer online_within_72h = Answer::kUnknown;
};
struct TcoProfile {
  std::string file, name, currency;
  std::map<std::string, Input> inputs;           // by key path such as `local.gpu_price`
  std::vector<Published> published;
  Evaluation evaluation;
  std::map<std::string, Evidence> evidence;      // by item: kEvidence
  std::optional<Recorded> recorded;
  std::optional<double> per_cny;                 // of `currency` for one CNY, the thresholds' currency
  std::string per_cny_source;
  std::vector<std::string> notes;

  bool Has(const std::string& key) const { return inputs.contains(key); }
  double Get(const std::string& key, double otherwise = 0) const {
    const auto found = inputs.find(key);
    return found == inputs.end() ? otherwise : found->second.value;
  }
};

// The least that a pilot of one to two weeks takes; a shorter trace is no measurement of a year's volume.
inline constexpr double kPilotDays = 7;

// Keys of the section `evidence`.
inline constexpr const char* kEvidence[] = {"first_token_recorded", "reconciled", "outage_plan_rehearsed", "proof_case",
                                            "proof_month_1", "proof_month_2", "proof_month_3"};

// INVALID_ARGUMENT: every missing, contradictory or unknown entry with file, line and key.
absl::StatusOr<TcoProfile> LoadTcoProfile(const std::string& path);
absl::StatusOr<TcoProfile> ParseTcoProfile(const std::string& name, const std::string& text);
// Calls, tokens, peak and sensitive share as the trace has them; `source` names it.
void SetVolume(const Trace& trace, double sensitive_share, const std::string& date, TcoProfile* profile);
// The share of cached prompt tokens that the log's cloud answers had, or all answers when none came from the cloud.
void SetCachedShare(const AuditLog& log, const std::string& source, const std::string& date, TcoProfile* profile);

// From the outcomes of an audit log.
std::optional<Recorded> Record(const AuditLog& log, const std::string& source);

// Where a side's money goes.
struct LocalParts {
  double hardware = 0, power = 0, staff = 0, maintenance = 0, facility = 0, base = 0;  // base: with customising
  double Sum() const { return hardware + power + staff + maintenance + facility + base; }
};
struct YearCost {
  LocalParts parts;                              // of `local`
  double cloud_calls = 0;                        // of `cloud`: without base, transfer and customising
  LocalParts hybrid_parts;                       // of `hybrid`: its local side
  double hybrid_calls = 0;                       // and its calls on the cloud; the fixed part is the cloud's

  double cloud = 0, local = 0, hybrid = 0;
  double calls = 0;
  double replicas = 0, hybrid_replicas = 0;
  double utilisation = 0, hybrid_utilisation = 0;
  double hybrid_local_share = 0;                 // of calls
};
struct Tco {
  bool cloud_known = false, local_known = false; // whether the inputs determine the side
  bool work_known = false;                       // and so replicas, utilisation, hybrid
  std::vector<std::string> undetermined;         // what is missing, by key
  std::vector<YearCost> years;                   // five
  double call_price = 0;                         // cloud, year 1
  // Present value of the first n years.
  double Cloud(int n) const { return Sum(n, &YearCost::cloud); }
  double Local(int n) const { return Sum(n, &YearCost::local); }
  double Hybrid(int n) const { return Sum(n, &YearCost::hybrid); }
  double discount = 0;

 private:
  double Sum(int n, double YearCost::*side) const;
};
Tco ComputeTco(const TcoProfile& profile);

// Calls a year at which local (all of it) and cloud cost the same over `years`; nullopt: nowhere up to 10^11.
std::optional<double> BreakEvenCalls(const TcoProfile& profile, int years);

struct Swing {
  std::string key;
  double from = 0, to = 0;        // the input's ends
  double low = 0, high = 0;       // local - cloud over three years at the input's ends
};
std::vector<Swing> Tornado(const TcoProfile& profile);  // the widest first
struct Band {
  double p5 = 0, p50 = 0, p95 = 0;
};
struct MonteCarlo {
  Band cloud, local, hybrid;      // three years
  double local_cheaper = 0;       // share of draws
  int draws = 0;
};
// Triangular between low, value and high of every input that has a range.
MonteCarlo Simulate(const TcoProfile& profile, uint64_t seed, int draws);

// The evaluation model: technical 30, economic 40, urgency 30. Published thresholds as defaults.
struct Criterion {
  std::string group, name, measured;
  double weight = 0;
  double local = 0, cloud = 0;    // points for either side; both 0 = not known
};
std::vector<Criterion> Evaluate(const TcoProfile& profile, const Tco& tco);
std::string Recommendation(const TcoProfile& profile, const Tco& tco, const std::vector<Criterion>& criteria);

// The migration's steps as checklists, filled from what was measured and from the evidence.
std::string Checklists(const TcoProfile& profile, const Tco& tco);

std::string TcoMarkdown(const TcoProfile& profile);
std::string TcoHtml(const TcoProfile& profile);

}  // namespace headgate::planner
