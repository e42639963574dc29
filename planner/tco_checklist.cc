// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The migration's checklists: what an audit log says of the past, and lines that it, measured inputs and evidence tick.
// A value that is merely assumed ticks nothing.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "planner/tco.h"
#include "router/accounting.h"

namespace headgate::planner {
namespace {

constexpr double kMonthDays = 30;
constexpr double kRecordedDays = 28;  // the month of recorded cost and latency

Recorded::FirstToken FirstTokens(std::vector<double> seconds) {
  Recorded::FirstToken out;
  if (seconds.empty()) return out;
  std::sort(seconds.begin(), seconds.end());
  out.answers = static_cast<int64_t>(seconds.size());
  out.p50_s = seconds[seconds.size() / 2];
  out.p95_s = seconds[std::min(seconds.size() - 1, seconds.size() * 95 / 100)];
  return out;
}

absl::Time Begin(const AuditLog& log) {
  absl::Time first = absl::InfiniteFuture();
  for (const AuditOutcome& outcome : log.outcomes) first = std::min(first, outcome.time - outcome.duration);
  return first;
}

std::vector<Recorded::Month> Months(const AuditLog& log) {
  const absl::Time first = Begin(log);
  std::vector<Recorded::Month> months;
  std::vector<std::vector<double>> seconds;
  for (const AuditOutcome& outcome : log.outcomes) {
    const auto index = static_cast<size_t>(absl::FDivDuration(outcome.time - first, absl::Hours(24 * kMonthDays)));
    if (index >= 1200) continue;  // a century: a clock was wrong
    if (index >= months.size()) {
      months.resize(index + 1);
      seconds.resize(index + 1);
    }
    Recorded::Month& month = months[index];
    ++month.outcomes;
    month.ok += outcome.status == "OK";
    month.money_micro_units += outcome.cost_micro_units;
    month.unpriced += outcome.Unpriced();
    if (outcome.first_token > absl::ZeroDuration()) {
      seconds[index].push_back(absl::ToDoubleSeconds(outcome.first_token));
    }
  }
  for (size_t i = 0; i < months.size(); ++i) months[i].first = FirstTokens(std::move(seconds[i]));
  return months;
}

std::string Money(double value) { return absl::StrFormat("%.0f", value); }

std::string Item(bool done, const std::string& text) { return absl::StrCat("- [", done ? "x" : " ", "] ", text, "\n"); }

// Ticked by what the profile says was done, with its date and source.
std::string Shown(const TcoProfile& profile, const char* key, const std::string& text) {
  const auto found = profile.evidence.find(key);
  if (found == profile.evidence.end()) return Item(false, absl::StrCat(text, " (`evidence.", key, "`)"));
  return Item(true, absl::StrCat(text, " (", found->second.date, ", ", found->second.source, ")"));
}

// Ticked by a measured input; one that is assumed, or measured for less than the pilot takes, is shown and stays open.
std::string FromInput(const TcoProfile& profile, const char* key, const std::string& shown, const char* otherwise) {
  const auto found = profile.inputs.find(key);
  if (found == profile.inputs.end()) return Item(false, otherwise);
  const Input& input = found->second;
  return Item(input.measured, absl::StrCat(shown, input.measured ? " (" : " (not measured yet: ", input.source,
                                           ", ", input.date, ")"));
}

// The lines that an audit log fills.
std::string RecordedLines(const TcoProfile& profile, double days, const char* otherwise) {
  if (!profile.recorded) return Item(false, otherwise);
  const Recorded& r = *profile.recorded;
  const double local = 100.0 * static_cast<double>(r.local) / static_cast<double>(std::max<int64_t>(1, r.answers));
  std::string text =
      Item(r.days >= days, absl::StrFormat("%.1f of %g days recorded: %d answers, %.1f %% local, success %.2f %% (%s)",
                                           r.days, days, r.answers, local, 100 * r.success, r.source));
  text += Item(r.days >= days && r.cloud_call.has_value() && r.unpriced == 0,
               r.cloud_call ? absl::StrFormat("a cloud answer cost %.6f %s on average; %g without a price",
                                              *r.cloud_call, r.currency, r.unpriced)
                            : absl::StrFormat("no cloud answer with a price in one currency; %g without", r.unpriced));
  const std::string took =
      absl::StrFormat("a whole answer took %.2f s (median), %.2f s (95 %%)", r.took_p50_s, r.took_p95_s);
  return text + Item(r.days >= days && r.answers > 0, took);
}

// From the log where it holds first tokens of both sides, else by evidence.
std::string FirstTokenLine(const TcoProfile& profile, double days) {
  const char* both = "first token of both sides recorded";
  if (!profile.recorded) return Shown(profile, "first_token_recorded", both);
  const auto side = [](const char* name, const Recorded::FirstToken& first) {
    if (first.answers == 0) return absl::StrCat(name, ": none recorded");
    return absl::StrFormat("%s: %.2f s (median), %.2f s (95 %%) of %d streams", name, first.p50_s, first.p95_s,
                           first.answers);
  };
  const Recorded& r = *profile.recorded;
  const bool done = r.days >= days && r.local_first.answers > 0 && r.cloud_first.answers > 0;
  if (!done && profile.evidence.contains("first_token_recorded")) return Shown(profile, "first_token_recorded", both);
  return Item(done, absl::StrCat("first token, ", side("local", r.local_first), "; ", side("cloud", r.cloud_first)));
}

// A month of the proof: from the log, once it is known whose proof it is, else by evidence.
std::string ProofMonth(const TcoProfile& profile, int number) {
  const std::string key = absl::StrCat("proof_month_", number);
  const std::string text = absl::StrCat("month ", number, ": cost, first token and success rate recorded");
  const auto index = static_cast<size_t>(number - 1);
  const bool known = profile.recorded && profile.evidence.contains("proof_case") && !profile.evidence.contains(key);
  if (!known || profile.recorded->months.size() <= index) return Shown(profile, key.c_str(), text);
  const Recorded::Month& month = profile.recorded->months[index];
  const bool over = profile.recorded->days >= kMonthDays * number;
  const bool one_currency = !profile.recorded->currency.empty() && profile.recorded->currency != "several";
  const std::string money =
      one_currency ? absl::StrFormat("%.6f %s", static_cast<double>(month.money_micro_units) / 1e6,
                                     profile.recorded->currency)
                   : std::string("unknown");
  const bool complete = over && one_currency && month.unpriced == 0 && month.first.answers > 0;
  const std::string unpriced = month.unpriced > 0 ? absl::StrCat(" and ", month.unpriced, " without a price") : "";
  const double success = static_cast<double>(month.ok) / static_cast<double>(std::max<int64_t>(1, month.outcomes));
  return Item(complete, absl::StrFormat("month %d%s: cloud cost %s%s, first token %.2f s (median) of %d streams, "
                                        "success %.2f %% of %d (%s)",
                                        number, over ? "" : ", not over", money, unpriced, month.first.p50_s,
                                        month.first.answers, 100 * success, month.outcomes, profile.recorded->source));
}

}  // namespace

std::optional<Recorded> Record(const AuditLog& log, const std::string& source) {
  if (log.outcomes.empty()) return std::nullopt;
  Recorded out;
  out.source = source;
  const absl::Time first = Begin(log);
  absl::Time last = absl::InfinitePast();
  std::vector<double> took, local_first, cloud_first;
  std::set<std::string> currencies;
  int64_t ok = 0, all = 0, priced = 0;
  double money = 0;
  for (const AuditOutcome& outcome : log.outcomes) {
    ++all;
    last = std::max(last, outcome.time);
    ok += outcome.status == "OK";
    out.unpriced += outcome.Unpriced();
    if (outcome.priced) currencies.insert(outcome.currency);
    if (!outcome.HasUsage()) continue;
    ++out.answers;
    took.push_back(absl::ToDoubleSeconds(outcome.duration));
    if (outcome.target == "local") ++out.local;
    if (outcome.first_token > absl::ZeroDuration()) {
      (outcome.target == "cloud" ? cloud_first : local_first).push_back(absl::ToDoubleSeconds(outcome.first_token));
    }
    if (outcome.target != "cloud" || !outcome.priced) continue;
    ++priced;
    money += static_cast<double>(outcome.cost_micro_units) / 1e6;
  }
  if (!currencies.empty()) out.currency = currencies.size() == 1 ? *currencies.begin() : "several";
  out.days = absl::FDivDuration(last - first, absl::Hours(24));
  out.success = static_cast<double>(ok) / static_cast<double>(all);
  if (priced > 0 && currencies.size() == 1) out.cloud_call = money / static_cast<double>(priced);
  out.local_first = FirstTokens(std::move(local_first));
  out.cloud_first = FirstTokens(std::move(cloud_first));
  out.months = Months(log);
  const Recorded::FirstToken whole = FirstTokens(std::move(took));
  out.took_p50_s = whole.p50_s;
  out.took_p95_s = whole.p95_s;
  return out;
}

void SetCachedShare(const AuditLog& log, const std::string& source, const std::string& date, TcoProfile* profile) {
  int64_t prompt[2] = {0, 0}, cached[2] = {0, 0};
  for (const AuditOutcome& outcome : log.outcomes) {
    const int side = outcome.target == "cloud" ? 1 : 0;
    prompt[side] += outcome.prompt_tokens;
    cached[side] += outcome.cached_tokens;
  }
  const int side = prompt[1] > 0 ? 1 : 0;
  if (prompt[side] == 0) return;
  const double share = static_cast<double>(cached[side]) / static_cast<double>(prompt[side]);
  profile->inputs["volume.cached_share"] = {
      share, share, share, date, absl::StrCat(source, ", ", side == 1 ? "cloud" : "local", " answers"), true};
}

std::string Checklists(const TcoProfile& profile, const Tco& tco) {
  std::string text = "### Pilot, 1 to 2 weeks\n";
  text += RecordedLines(profile, kPilotDays, "7 days of traffic recorded: `headgate tco --audit DIRECTORY` fills this");
  text += FromInput(profile, "volume.calls_per_year",
                    absl::StrFormat("volume: %.0f calls a year", profile.Get("volume.calls_per_year")),
                    "volume: `headgate tco --trace` or `--audit`");
  text += FromInput(profile, "local.prefill_tokens_per_second",
                    absl::StrFormat("engine rates: %g prompt and %g answer tokens a second",
                                    profile.Get("local.prefill_tokens_per_second"),
                                    profile.Get("local.decode_tokens_per_second")),
                    "engine rates: measure prompt and answer tokens a second on one GPU");
  text += FromInput(profile, "volume.sensitive_share",
                    absl::StrFormat("share of sensitive requests: %.1f %%",
                                    100 * profile.Get("volume.sensitive_share")),
                    "share of sensitive requests known");
  text += "### One month of recorded cost and latency\n";
  text += RecordedLines(profile, kRecordedDays,
                        "28 days of cost and latency recorded: `headgate tco --audit DIRECTORY` fills this");
  if (profile.recorded && profile.recorded->cloud_call && tco.call_price > 0) {
    text += absl::StrFormat("  (a call on the cloud by the inputs: %.6f %s)\n", tco.call_price, profile.currency);
  } else {
    text += Item(false, tco.call_price > 0
                            ? absl::StrFormat("price of a call recorded; by the inputs %.6f %s", tco.call_price,
                                              profile.currency)
                            : "price of a call: `headgate budget ledger`");
  }
  text += FirstTokenLine(profile, kRecordedDays);
  text += Shown(profile, "reconciled", "ledger reconciled with the provider's balance: `headgate budget reconcile`");
  text += "### Decision\n";
  text += Item(tco.cloud_known && tco.local_known,
               tco.cloud_known && tco.local_known
                   ? absl::StrCat("three-year total: cloud ", Money(tco.Cloud(3)), ", local ", Money(tco.Local(3)),
                                  tco.work_known ? ", hybrid " + Money(tco.Hybrid(3)) : "", " ", profile.currency)
                   : "three-year total (undetermined: " + absl::StrJoin(tco.undetermined, ", ") + ")");
  text += Shown(profile, "outage_plan_rehearsed",
                "contingency plan for an API outage rehearsed: local keeps what is sensitive, batch waits; what it "
                "costs: `headgate replay` with a fault `cloud_503`");
  text += "### Or: a 3-month proof on a non-core case\n";
  text += Shown(profile, "proof_case", "case chosen whose failure hurts nobody");
  for (const int month : {1, 2, 3}) text += ProofMonth(profile, month);
  return text;
}

}  // namespace headgate::planner
