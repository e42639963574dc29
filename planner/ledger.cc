// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/ledger.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>

#include "absl/numeric/int128.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "router/accounting.h"

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

namespace {

// The length of what the intervals cover together.
absl::Duration Covered(std::vector<std::pair<absl::Time, absl::Time>> intervals) {
  std::sort(intervals.begin(), intervals.end());
  absl::Duration sum;
  absl::Time end = absl::InfinitePast();
  for (const auto& [from, to] : intervals) {
    if (to <= end) continue;
    sum += to - std::max(from, end);
    end = to;
  }
  return sum;
}

}  // namespace

Ledger MakeLedger(const AuditLog& log) {
  Ledger ledger;
  std::map<std::array<std::string, 3>, std::vector<std::pair<absl::Time, absl::Time>>> busy;
  for (const AuditOutcome& outcome : log.outcomes) {
    const std::string month = MonthOf(outcome.time);
    const bool cloud = outcome.target == "cloud";
    // Money spent at the cloud is the cloud's, whoever answered in the end.
    if (!cloud && (outcome.priced || outcome.Unpriced())) {
      LedgerRow& lost =
          ledger.rows[{month, outcome.tenant, "cloud", kNoAnswer, outcome.currency, outcome.price_version}];
      lost.micro_units += outcome.cost_micro_units;
      lost.unpriced += outcome.Unpriced() ? 1 : 0;
      ++lost.estimated;
    }
    LedgerRow& row = ledger.rows[{month, outcome.tenant, outcome.target, outcome.model,
                                  cloud ? outcome.currency : "", cloud ? outcome.price_version : ""}];
    ++row.requests;
    if (outcome.status == "OK") ++row.succeeded;
    row.hit_tokens += outcome.cached_tokens;
    row.miss_tokens += outcome.prompt_tokens - outcome.cached_tokens;
    row.output_tokens += outcome.completion_tokens;
    row.reasoning_tokens += outcome.reasoning_tokens;
    if (outcome.target == "local" && outcome.HasUsage()) {
      busy[{month, outcome.model, outcome.endpoint}].emplace_back(outcome.time - outcome.duration, outcome.time);
    }
    if (!cloud) continue;
    row.estimated += outcome.estimated ? 1 : 0;
    row.unpriced += outcome.Unpriced() ? 1 : 0;
    row.micro_units += outcome.cost_micro_units;
  }
  for (auto& [key, intervals] : busy) ledger.busy[{key[0], key[1]}] += Covered(std::move(intervals));
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

std::vector<std::string> LocalModels(const Ledger& ledger, const std::string& month) {
  std::set<std::string> models;
  for (const auto& [key, row] : ledger.rows) {
    if (key.month == month && key.target == "local" && Computed(row) > 0) models.insert(key.model);
  }
  return {models.begin(), models.end()};
}

int64_t LocalCost::total() const { return std::llround(gpu_hours * static_cast<double>(micro_units_per_hour)); }

std::map<LedgerKey, int64_t> ShareLocalCost(const Ledger& ledger, const std::string& month, const std::string& model,
                                            const LocalCost& cost) {
  std::map<LedgerKey, int64_t> shares;
  const auto takes_part = [&](const LedgerKey& key) {
    return key.target == "local" && key.month == month && key.model == model;
  };
  absl::int128 all = 0;
  for (const auto& [key, row] : ledger.rows) {
    if (takes_part(key)) all += Computed(row);
  }
  const int64_t total = cost.total();
  if (all == 0) return {{{month, kNoAnswer, "local", model, "", ""}, total}};
  std::vector<std::pair<int64_t, LedgerKey>> remainders;
  int64_t given = 0;
  for (const auto& [key, row] : ledger.rows) {
    if (!takes_part(key)) continue;
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

std::string ChargebackCsv(const Ledger& ledger, const std::string& month, const LocalCosts& local) {
  std::string csv =
      "month,tenant,target,model,price_version,requests,succeeded,success,hit_tokens,miss_tokens,output_tokens,"
      "reasoning_tokens,currency,cost_micro_units,cost_per_output_token_micro_units,unpriced_requests,"
      "estimated_requests,utilisation\n";
  std::map<LedgerKey, int64_t> shares;
  std::map<LedgerKey, LedgerRow> rows = ledger.rows;
  for (const auto& [model, cost] : local) {
    for (const auto& [key, share] : ShareLocalCost(ledger, month, model, cost)) {
      shares[key] = share;
      rows[key];  // nobody's row may be new
    }
  }
  for (const auto& [key, row] : rows) {
    if (key.month != month) continue;
    // Unknown stays empty: a spreadsheet must not add it up as nothing.
    std::string cost, currency = key.currency, utilisation;
    if (key.target == "cloud" && row.unpriced == 0 && !key.price_version.empty()) cost = absl::StrCat(row.micro_units);
    if (shares.contains(key)) {
      const LocalCost& of_model = local.at(key.model);
      cost = absl::StrCat(shares.at(key));
      currency = of_model.currency;
      const auto busy = ledger.busy.find({month, key.model});
      const absl::Duration time = busy == ledger.busy.end() ? absl::ZeroDuration() : busy->second;
      utilisation = Ratio(absl::FDivDuration(time, absl::Hours(1)), of_model.gpu_hours);
    }
    const std::string per_token = cost.empty() ? "" : Ratio(std::stod(cost), static_cast<double>(row.output_tokens));
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

namespace {

// What the log itself knows to be uncertain about its sums in one currency.
struct Doubts {
  int64_t priced = 0, unpriced = 0, estimated = 0, other_currency = 0, at_edges = 0;
  int64_t booked = 0;
  int64_t estimated_money = 0;
  int64_t dearer = 0, cheaper = 0;  // had answers across an edge of the peak hours been billed at the other price
  int64_t unpriced_tokens = 0, priced_tokens = 0;
};

Doubts DoubtsOf(const AuditLog& log, const std::string& currency) {
  Doubts doubts;
  const router::AccountingConfig no_holidays;
  for (const AuditOutcome& outcome : log.outcomes) {
    const int64_t tokens = outcome.prompt_tokens + outcome.completion_tokens;
    if (outcome.Unpriced()) {
      ++doubts.unpriced;
      if (outcome.target == "cloud") doubts.unpriced_tokens += tokens;
    }
    if (!outcome.priced) continue;
    if (outcome.currency != currency) {
      ++doubts.other_currency;
      continue;
    }
    ++doubts.priced;
    doubts.booked += outcome.cost_micro_units;
    if (outcome.target == "cloud") doubts.priced_tokens += tokens;
    if (outcome.estimated || outcome.lost_attempts) {
      ++doubts.estimated;
      doubts.estimated_money += outcome.cost_micro_units;
      continue;
    }
    const bool peak = router::IsPeak(no_holidays, outcome.time);
    if (peak == router::IsPeak(no_holidays, outcome.time - outcome.duration)) continue;
    ++doubts.at_edges;
    (peak ? doubts.cheaper : doubts.dearer) += peak ? outcome.cost_micro_units / 2 : outcome.cost_micro_units;
  }
  return doubts;
}

std::string Amount(int64_t micro_units) {
  return absl::StrFormat("%.6f", static_cast<double>(micro_units) / kMicro);
}

void Explain(const Doubts& doubts, const AuditLog& log, Reconciliation* out) {
  const int64_t rounding = (doubts.priced + 1) / 2;
  // An estimate may be wrong by as much as it is, and too high by no more.
  int64_t more = rounding + doubts.estimated_money + doubts.dearer;
  const int64_t less = rounding + doubts.estimated_money + doubts.cheaper;
  auto& lines = out->explanation;
  lines.push_back(absl::StrCat("rounding: half a micro-unit for each of ", doubts.priced, " sums: at most ",
                               Amount(rounding)));
  if (doubts.estimated > 0) {
    lines.push_back(absl::StrCat(doubts.estimated, " sums rest on estimated usage (answers that broke off, attempts "
                                 "that failed): ", Amount(doubts.estimated_money), " of what was booked"));
  }
  if (doubts.at_edges > 0) {
    lines.push_back(absl::StrCat(doubts.at_edges, " answers ran across an edge of the peak hours (holidays left out, "
                                 "peak prices twice the others): up to ", Amount(doubts.dearer), " more or ",
                                 Amount(doubts.cheaper), " less"));
  }
  if (doubts.unpriced > 0) {
    std::string text = absl::StrCat(doubts.unpriced, " answers or attempts had no price and are booked as unknown");
    if (doubts.priced_tokens > 0 && doubts.unpriced_tokens > 0) {
      const auto worth = std::llround(static_cast<double>(doubts.booked) / static_cast<double>(doubts.priced_tokens) *
                                      static_cast<double>(doubts.unpriced_tokens));
      more += worth;
      absl::StrAppend(&text, ": ", doubts.unpriced_tokens, " tokens, at the log's mean price about ", Amount(worth));
    }
    lines.push_back(text);
  }
  if (doubts.other_currency > 0) {
    lines.push_back(absl::StrCat(doubts.other_currency, " sums are in another currency: not compared"));
  }
  for (const std::string& note : log.notes) lines.push_back(note);
  const int64_t difference = out->difference();
  out->explained = std::min(std::abs(difference), difference > 0 ? more : less);
  const int64_t rest = std::abs(difference) - out->explained;
  if (difference == 0) {
    lines.emplace_back("agrees to the last micro-unit");
  } else if (rest == 0) {
    lines.emplace_back("the difference lies within these doubts");
  } else if (difference > 0) {
    lines.push_back(absl::StrCat("left over: ", Amount(rest), " that this log does not hold: other users of the "
                                 "account's keys, routers whose logs are elsewhere, a time between the two balances "
                                 "that the log does not cover, or a price sheet newer than the table's"));
  } else {
    lines.push_back(absl::StrCat("left over: ", Amount(rest), " that was booked and not taken: not billed yet, a "
                                 "granted balance used first, a public holiday that the table does not list, or a "
                                 "price table that is too dear"));
  }
}

}  // namespace

absl::StatusOr<Reconciliation> Reconcile(const AuditLog& log, const std::string& currency, const std::string& before,
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
  const Doubts doubts = DoubtsOf(log, currency);
  out.booked = doubts.booked;
  Explain(doubts, log, &out);
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
    if (outcome.target != "cloud" && !outcome.lost_attempts) continue;
    Seen& seen = tenants[{outcome.tenant, outcome.currency}];
    if (!outcome.priced) {
      if (outcome.Unpriced()) ++seen.unpriced;
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

namespace {

// A name as YAML reads it back.
std::string Quoted(const std::string& name) {
  const bool plain = !name.empty() && absl::ascii_isalpha(static_cast<unsigned char>(name[0])) &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
                     });
  const std::string lower = absl::AsciiStrToLower(name);
  const bool word = lower == "true" || lower == "false" || lower == "null" || lower == "yes" || lower == "no" ||
                    lower == "on" || lower == "off" || lower == "y" || lower == "n";
  return plain && !word ? name : absl::StrCat("\"", absl::CHexEscape(name), "\"");
}

}  // namespace

std::string FormatBudgets(const AuditLog& log, const std::vector<BudgetProposal>& proposals) {
  std::string text = "# For the tenants file; review before use.\n";
  absl::Time first = absl::InfiniteFuture(), last = absl::InfinitePast();
  for (const AuditOutcome& outcome : log.outcomes) {
    first = std::min(first, outcome.time);
    last = std::max(last, outcome.time);
  }
  if (!log.outcomes.empty()) {
    const double days = absl::FDivDuration(last - first, absl::Hours(24));
    absl::StrAppendFormat(&text, "# From %d answers and refusals in %.1f days%s.\n", log.outcomes.size(), days,
                          days < 1    ? ": less than a day counts as one, so these limits are low"
                          : days < 28 ? ": less than a month, scaled to 31 days"
                                      : "");
  }
  for (const std::string& note : log.notes) absl::StrAppend(&text, "# ", note, "\n");
  std::map<std::string, int64_t> totals;
  for (const BudgetProposal& p : proposals) {
    absl::StrAppend(&text, "- name: ", Quoted(p.tenant), "\n");
    if (p.unpriced > 0)
      absl::StrAppend(&text, "  # ", p.unpriced, " answers had no price: the limit does not know them\n");
    if (p.limit_micro_units <= 0) {
      absl::StrAppend(&text, "  # nothing was spent: no budget can be proposed\n");
      continue;
    }
    totals[p.currency] += p.limit_micro_units;
    absl::StrAppend(&text, "  budget:\n    period: month\n    limit_micro_units: ", p.limit_micro_units, "  # ",
                    absl::StrFormat("%.2f", static_cast<double>(p.limit_micro_units) / kMicro), " ", p.currency,
                    "\n    hourly_profile: [", absl::StrJoin(p.hourly_profile, ", "), "]  # for policy.mode cost\n");
  }
  if (proposals.empty()) text += "# Nothing was spent on the cloud: no budget can be proposed.\n";
  for (const auto& [currency, total] : totals) {
    absl::StrAppend(&text, "# All tenants together, for accounting.budget: limit_micro_units: ", total, "  # ",
                    absl::StrFormat("%.2f", static_cast<double>(total) / kMicro), " ", currency, "\n");
  }
  return text;
}

}  // namespace headgate::planner
