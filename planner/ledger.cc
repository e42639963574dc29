// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/ledger.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"

namespace headgate::planner {
namespace {

constexpr int64_t kMicro = 1'000'000;

absl::TimeZone Beijing() { return absl::FixedTimeZone(8 * 60 * 60); }

std::string MonthOf(absl::Time when) { return absl::FormatTime("%Y-%m", when, Beijing()); }

// Tokens that a replica had to compute.
int64_t Computed(const LedgerRow& row) { return row.miss_tokens + row.output_tokens; }

std::string Ratio(double part, double whole) { return whole > 0 ? absl::StrFormat("%.6f", part / whole) : ""; }

// A field as CSV wants it; `=`, `+`, `-`, `@` first would be a formula in a spreadsheet.
std::string Field(const std::string& text) {
  std::string safe = text;
  if (!safe.empty() && std::string("=+-@").find(safe[0]) != std::string::npos && safe != "-") safe.insert(0, "'");
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (const char c : safe) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

Ledger MakeLedger(const AuditLog& log) {
  Ledger ledger;
  for (const AuditOutcome& outcome : log.outcomes) {
    LedgerRow& row = ledger.rows[{MonthOf(outcome.time), outcome.tenant, outcome.target, outcome.model,
                                  outcome.currency, outcome.price_version}];
    ++row.requests;
    if (outcome.status == "OK") ++row.succeeded;
    const int64_t hits = std::min(outcome.cached_tokens, outcome.prompt_tokens);
    row.hit_tokens += hits;
    row.miss_tokens += outcome.prompt_tokens - hits;
    row.output_tokens += outcome.completion_tokens;
    row.reasoning_tokens += outcome.reasoning_tokens;
    row.busy_us += absl::ToInt64Microseconds(outcome.duration);
    if (outcome.estimated) ++row.estimated;
    if (outcome.priced) {
      row.micro_units += outcome.cost_micro_units;
    } else if (outcome.target == "cloud" && outcome.prompt_tokens + outcome.completion_tokens > 0) {
      ++row.unpriced;
    }
  }
  return ledger;
}

std::vector<std::string> Months(const Ledger& ledger) {
  std::vector<std::string> months;
  for (const auto& [key, row] : ledger.rows) {
    if (months.empty() || months.back() != key.month) months.push_back(key.month);
  }
  return months;
}

bool HasMonth(const Ledger& ledger, const std::string& month) {
  const auto months = Months(ledger);
  return std::find(months.begin(), months.end(), month) != months.end();
}

int64_t LocalCost::total() const { return std::llround(gpu_hours * static_cast<double>(micro_units_per_hour)); }

std::map<LedgerKey, int64_t> ShareLocalCost(const Ledger& ledger, const std::string& month, const LocalCost& cost) {
  std::map<LedgerKey, int64_t> shares;
  absl::int128 all = 0;
  for (const auto& [key, row] : ledger.rows) {
    if (key.target == "local" && key.month == month) all += Computed(row);
  }
  if (all == 0) return shares;
  const int64_t total = cost.total();
  std::vector<std::pair<int64_t, LedgerKey>> remainders;
  int64_t given = 0;
  for (const auto& [key, row] : ledger.rows) {
    if (key.target != "local" || key.month != month) continue;
    const absl::int128 exact = absl::int128(total) * Computed(row);
    shares[key] = static_cast<int64_t>(exact / all);
    given += shares[key];
    remainders.emplace_back(static_cast<int64_t>(exact % all), key);
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (size_t i = 0; given < total && i < remainders.size(); ++i, ++given) ++shares[remainders[i].second];
  return shares;
}

std::string ChargebackCsv(const Ledger& ledger, const std::string& month, const std::optional<LocalCost>& local) {
  std::string csv =
      "month,tenant,target,model,price_version,requests,succeeded,success,hit_tokens,miss_tokens,output_tokens,"
      "reasoning_tokens,currency,cost_micro_units,cost_per_output_token_micro_units,unpriced_requests,"
      "estimated_requests,utilisation\n";
  const auto shares = local ? ShareLocalCost(ledger, month, *local) : std::map<LedgerKey, int64_t>();
  for (const auto& [key, row] : ledger.rows) {
    if (key.month != month) continue;
    const bool is_local = key.target == "local";
    // Unknown stays empty: a spreadsheet must not add it up as nothing.
    std::string cost, currency = key.currency;
    if (is_local && local && shares.contains(key)) {
      cost = absl::StrCat(shares.at(key));
      currency = local->currency;
    } else if (!is_local && row.unpriced == 0 && !key.price_version.empty()) {
      cost = absl::StrCat(row.micro_units);
    }
    const std::string per_token = cost.empty() ? "" : Ratio(std::stod(cost), static_cast<double>(row.output_tokens));
    const std::string utilisation =
        is_local && local ? Ratio(static_cast<double>(row.busy_us) / 3.6e9, local->gpu_hours) : "";
    absl::StrAppend(&csv, key.month, ",", Field(key.tenant), ",", Field(key.target), ",", Field(key.model), ",",
                    Field(key.price_version), ",", row.requests, ",", row.succeeded, ",",
                    Ratio(static_cast<double>(row.succeeded), static_cast<double>(row.requests)), ",", row.hit_tokens,
                    ",", row.miss_tokens, ",", row.output_tokens, ",", row.reasoning_tokens);
    absl::StrAppend(&csv, ",", Field(currency), ",", cost, ",", per_token, ",", row.unpriced, ",", row.estimated, ",",
                    utilisation, "\n");
  }
  return csv;
}

absl::StatusOr<int64_t> ParseMoney(const std::string& text) {
  const auto wrong = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\": must be an amount such as 110.00, at most 6 decimals"));
  };
  const size_t point = text.find('.');
  const std::string whole = text.substr(0, point);
  std::string part = point == std::string::npos ? "" : text.substr(point + 1);
  const auto digits = [](const std::string& s) { return s.find_first_not_of("0123456789") == std::string::npos; };
  if (whole.empty() || whole.size() > 12 || part.size() > 6 || !digits(whole) || !digits(part)) return wrong();
  if (point != std::string::npos && part.empty()) return wrong();
  part.resize(6, '0');
  return std::stoll(whole) * kMicro + std::stoll(part);
}

absl::StatusOr<Reconciliation> Reconcile(const Ledger& ledger, const std::string& currency, const std::string& before,
                                         const std::string& after, const std::string& topped_up) {
  Reconciliation out;
  const auto first = ParseMoney(before);
  const auto last = ParseMoney(after);
  const auto added = ParseMoney(topped_up);
  for (const auto* amount : {&first, &last, &added}) {
    if (!amount->ok()) return amount->status();
  }
  out.topped_up = *added;
  out.fallen = *first + *added - *last;
  for (const auto& [key, row] : ledger.rows) {
    if (key.target != "cloud") continue;
    if (key.currency == currency) out.booked += row.micro_units;
    out.unpriced += row.unpriced;
    out.estimated += row.estimated;
  }
  const int64_t difference = out.difference();
  std::vector<std::string> why;
  if (out.unpriced > 0) why.push_back(absl::StrCat(out.unpriced, " answers had no price"));
  if (out.estimated > 0) why.push_back(absl::StrCat(out.estimated, " answers broke off: their usage is an estimate"));
  if (difference > 0) why.push_back("other users of the account, failed attempts that were billed, or rounding");
  if (difference < 0)
    why.push_back("answers not billed yet, a granted balance used first, or a price table that is too dear");
  out.explanation =
      difference == 0 ? "agrees to the last micro-unit" : absl::StrCat("may come from: ", absl::StrJoin(why, "; "));
  return out;
}

std::vector<BudgetProposal> SuggestBudgets(const AuditLog& log, double headroom) {
  constexpr double kDays = 31;
  struct Seen {
    int64_t spent = 0, dearest = 0, unpriced = 0;
    std::vector<double> hours = std::vector<double>(24);
  };
  std::map<std::pair<std::string, std::string>, Seen> tenants;
  absl::Time first = absl::InfiniteFuture(), last = absl::InfinitePast();
  for (const AuditOutcome& outcome : log.outcomes) {
    first = std::min(first, outcome.time);
    last = std::max(last, outcome.time);
    if (outcome.target != "cloud") continue;
    Seen& seen = tenants[{outcome.tenant, outcome.currency}];
    if (!outcome.priced) {
      if (outcome.prompt_tokens + outcome.completion_tokens > 0) ++seen.unpriced;
      continue;
    }
    seen.spent += outcome.cost_micro_units;
    seen.dearest = std::max(seen.dearest, outcome.cost_micro_units);
    seen.hours[static_cast<size_t>(absl::ToCivilSecond(outcome.time, Beijing()).hour())] +=
        static_cast<double>(outcome.cost_micro_units);
  }
  // Answers without a price have no currency either: they belong to what their tenant spent, if it spent anything.
  for (auto entry = tenants.begin(); entry != tenants.end();) {
    const auto priced = std::next(entry);
    const bool known = entry->first.second.empty() && priced != tenants.end() &&
                       priced->first.first == entry->first.first;
    if (known) priced->second.unpriced += entry->second.unpriced;
    entry = known ? tenants.erase(entry) : priced;
  }
  // Less than a day counts as a day: an hour's log must not become 24 times as much.
  const double days = std::max(1.0, absl::FDivDuration(last - first, absl::Hours(24)));
  std::vector<BudgetProposal> proposals;
  for (const auto& [key, seen] : tenants) {
    BudgetProposal proposal{key.first, key.second, 0, {}, seen.unpriced};
    const double month = static_cast<double>(seen.spent) / days * kDays * headroom;
    proposal.limit_micro_units = std::max<int64_t>(2 * seen.dearest, std::llround(std::min(month, 1e17)));
    if (seen.spent > 0) {
      for (const double hour : seen.hours)
        proposal.hourly_profile.push_back(std::round(1000 * hour / static_cast<double>(seen.spent)));
    }
    proposals.push_back(std::move(proposal));
  }
  return proposals;
}

std::string FormatBudgets(const std::vector<BudgetProposal>& proposals) {
  std::string text = "# For the tenants file; review before use.\n";
  for (const BudgetProposal& p : proposals) {
    absl::StrAppend(&text, "- name: ", p.tenant, "\n");
    if (p.unpriced > 0)
      absl::StrAppend(&text, "  # ", p.unpriced, " answers had no price: the limit does not know them\n");
    if (p.limit_micro_units <= 0) {
      absl::StrAppend(&text, "  # nothing was spent: no budget can be proposed\n");
      continue;
    }
    absl::StrAppend(&text, "  budget:\n    period: month\n    limit_micro_units: ", p.limit_micro_units, "  # ",
                    absl::StrFormat("%.2f", static_cast<double>(p.limit_micro_units) / kMicro), " ", p.currency,
                    "\n    hourly_profile: [", absl::StrJoin(p.hourly_profile, ", "), "]\n");
  }
  return text;
}

}  // namespace headgate::planner
