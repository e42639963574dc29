// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/accounting.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "common/log.h"

namespace headgate::router {
namespace {

constexpr int64_t kTokensPerPrice = 1'000'000;
// Beijing has no summer time.
absl::TimeZone Beijing() { return absl::FixedTimeZone(8 * 60 * 60); }

// The row in force: the latest that is valid by then; null = none.
const PriceRow* FindRow(const AccountingConfig& config, const std::string& model, absl::Time when) {
  const PriceRow* found = nullptr;
  for (const PriceRow& row : config.prices) {
    if (row.model != model || row.valid_from > when) continue;
    if (found == nullptr || row.valid_from > found->valid_from) found = &row;
  }
  return found;
}

}  // namespace

bool IsPeak(const AccountingConfig& config, absl::Time when) {
  const absl::CivilSecond local = absl::ToCivilSecond(when, Beijing());
  const absl::CivilDay day(local);
  const absl::Weekday weekday = absl::GetWeekday(day);
  if (weekday == absl::Weekday::saturday || weekday == absl::Weekday::sunday) return false;
  // 01:00-04:00 and 06:00-10:00 UTC; the end is not part of the window.
  const int hour = local.hour();
  if (!((hour >= 9 && hour < 12) || (hour >= 14 && hour < 18))) return false;
  return std::find(config.holidays.begin(), config.holidays.end(), absl::FormatCivilTime(day)) ==
         config.holidays.end();
}

absl::StatusOr<Charge> Price(const AccountingConfig& config, const std::string& model, const v1::Usage& usage,
                             absl::Time when) {
  const PriceRow* row = FindRow(config, model, when);
  if (row == nullptr) return absl::NotFoundError(absl::StrCat("no price for model ", model, " at that time"));
  const bool peak = IsPeak(config, when);
  // An upstream that counts nonsense must not turn into a credit.
  const int64_t prompt = std::max<int64_t>(0, usage.prompt_tokens());
  const int64_t cached = std::clamp<int64_t>(usage.cached_tokens(), 0, prompt);
  const int64_t output = std::max<int64_t>(0, usage.completion_tokens());
  // Prices are per million tokens: summed in micro-micro-units, exactly, and rounded once, half up.
  const absl::int128 sum = absl::int128(cached) * (peak ? row->peak_cache_hit : row->cache_hit) +
                           absl::int128(prompt - cached) * (peak ? row->peak_cache_miss : row->cache_miss) +
                           absl::int128(output) * (peak ? row->peak_output : row->output);
  Charge charge;
  charge.micro_units = static_cast<int64_t>((sum + kTokensPerPrice / 2) / kTokensPerPrice);
  charge.currency = row->currency;
  charge.price_version = row->version;
  return charge;
}

absl::StatusOr<int64_t> WorstCase(const AccountingConfig& config, const std::string& model, int64_t prompt_tokens,
                                  int64_t output_tokens, absl::Time from, absl::Time until) {
  const PriceRow* in_force = FindRow(config, model, from);
  if (in_force == nullptr) return absl::NotFoundError(absl::StrCat("no price for model ", model, " at that time"));
  absl::int128 most = 0;
  for (const PriceRow& row : config.prices) {
    // Another sheet may come into force while the answer is being made.
    if (row.model != model || (&row != in_force && (row.valid_from <= from || row.valid_from > until))) continue;
    const absl::int128 sum =
        absl::int128(std::max<int64_t>(0, prompt_tokens)) *
            std::max({row.cache_hit, row.cache_miss, row.peak_cache_hit, row.peak_cache_miss}) +
        absl::int128(std::max<int64_t>(0, output_tokens)) * std::max(row.output, row.peak_output);
    most = std::max(most, sum);
  }
  return static_cast<int64_t>((most + kTokensPerPrice - 1) / kTokensPerPrice);
}

double PeakRatio(const AccountingConfig& config, const std::string& model, absl::Time when) {
  const PriceRow* row = FindRow(config, model, when);
  if (row == nullptr || row->cache_miss <= 0 || !IsPeak(config, when)) return 1;
  return static_cast<double>(row->peak_cache_miss) / static_cast<double>(row->cache_miss);
}

Accounting::Accounting(const Clock& clock, const AccountingConfig& config, Metrics& metrics)
    : clock_(clock), metrics_(metrics), budgets_(clock, metrics) {
  Apply(config);
}

void Accounting::Apply(const AccountingConfig& config, const std::vector<TenantConfig>& tenants) {
  config_ = config;
  unpriced_logged_ = false;
  budgets_.Apply(config.budget, tenants);
  any_budget_ = config.budget.limit_micro_units > 0 ||
                std::any_of(tenants.begin(), tenants.end(),
                            [](const TenantConfig& tenant) { return tenant.budget.limit_micro_units > 0; });
}

std::optional<int64_t> Accounting::WorstCaseOf(const Ticket& ticket, const Prompt& prompt,
                                               const std::string& model) const {
  if (!any_budget_) return 0;
  // A token has at least one byte; chat templates add a few tokens for every message.
  constexpr int64_t kTemplateTokens = 64;
  const v1::GenerateRequest& content = prompt.content();
  const int64_t prompt_tokens =
      static_cast<int64_t>(content.ByteSizeLong()) + kTemplateTokens * (1 + content.messages_size());
  const int64_t limit = content.max_tokens();
  const int64_t output_tokens = limit > 0 ? limit : config_.reserve_output_tokens;
  const absl::Time now = clock_.WallTime();
  const auto worst = WorstCase(config_, model, prompt_tokens, output_tokens, now,
                               now + (ticket.deadline - clock_.Monotonic()));
  if (!worst.ok()) return std::nullopt;
  return *worst;
}

Budget Accounting::BudgetFor(const Ticket& ticket, const Prompt& prompt, const std::string& model) {
  if (!any_budget_) return {};
  const std::optional<int64_t> worst = WorstCaseOf(ticket, prompt, model);
  Budget budget = budgets_.Look(ticket.tenant->name, worst.value_or(0));
  if (!worst) budget.room = false;  // it could cost anything
  return budget;
}

BudgetBook::Hold Accounting::Reserve(const Ticket& ticket, const Prompt& prompt, const std::string& model) {
  return budgets_.Reserve(ticket.tenant->name, WorstCaseOf(ticket, prompt, model).value_or(0));
}

Charge Accounting::Settle(const Ticket& ticket, const v1::Route& route, const v1::Usage& usage,
                          BudgetBook::Hold hold) {
  const bool cloud = route.target() == v1::Route::TARGET_CLOUD;
  const auto count = [&](const char* direction, int64_t tokens) {
    metrics_
        .GetCounter("headgate_router_tokens_total", "Tokens booked, by tenant, target and direction.",
                    {{"direction", direction}, {"target", cloud ? "cloud" : "local"}, {"tenant", ticket.tenant->name}})
        .Increment(static_cast<double>(std::max<int64_t>(0, tokens)));
  };
  count("input", usage.prompt_tokens());
  count("output", usage.completion_tokens());
  if (!cloud) return {};
  const auto charge = Price(config_, route.model(), usage, clock_.WallTime());
  if (!charge.ok()) {
    metrics_.GetCounter("headgate_router_unpriced_requests_total", "Cloud answers without a valid price.")
        .Increment();
    if (!std::exchange(unpriced_logged_, true)) HG_LOG(Warning, "accounting: ", charge.status().message());
    budgets_.Settle(std::move(hold), std::nullopt);
    return {};
  }
  metrics_.GetCounter("headgate_router_cost_micro_units_total", "Cloud cost in millionths of the currency.",
                      {{"currency", charge->currency}, {"tenant", ticket.tenant->name}})
      .Increment(static_cast<double>(charge->micro_units));
  budgets_.Settle(std::move(hold), charge->micro_units);
  return *charge;
}

}  // namespace headgate::router
