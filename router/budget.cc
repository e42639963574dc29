// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/budget.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "common/log.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kPace = absl::Minutes(1);
constexpr double kShadowPriceMax = 100;
constexpr int kHoursADay = 24;

// Beijing has no summer time.
absl::TimeZone Beijing() { return absl::FixedTimeZone(8 * 60 * 60); }

struct PeriodBounds {
  absl::Time begin, end;
};

PeriodBounds PeriodOf(BudgetConfig::Period period, absl::Time when) {
  const absl::TimeZone zone = Beijing();
  if (period == BudgetConfig::Period::kDay) {
    const absl::CivilDay day(absl::ToCivilSecond(when, zone));
    return {absl::FromCivil(day, zone), absl::FromCivil(day + 1, zone)};
  }
  const absl::CivilMonth month(absl::ToCivilSecond(when, zone));
  return {absl::FromCivil(month, zone), absl::FromCivil(month + 1, zone)};
}

// The share of a day's weights that lies before `hours` o'clock.
double ShareOfDay(const std::vector<double>& profile, double hours) {
  if (profile.size() != kHoursADay) return hours / kHoursADay;
  double sum = 0;
  double before = 0;
  for (int hour = 0; hour < kHoursADay; ++hour) {
    sum += profile[hour];
    before += profile[hour] * std::clamp(hours - hour, 0.0, 1.0);
  }
  return sum > 0 ? before / sum : hours / kHoursADay;
}

}  // namespace

struct BudgetBook::Account {
  BudgetConfig config;
  std::string name;                        // `*`: all together
  SharedLimits::Lease* lease = nullptr;    // with other routers
  int64_t spent = 0;
  int64_t held = 0;
  absl::Time begin = absl::InfinitePast();
  absl::Time end = absl::InfinitePast();
  absl::Time paced_at = absl::InfinitePast();
  double shadow_price = 0;
  bool warned = false;
  Gauge* used = nullptr;
};

double PacedShare(const BudgetConfig& config, absl::Time when) {
  const PeriodBounds period = PeriodOf(config.period, when);
  const absl::CivilDay first(absl::ToCivilSecond(period.begin, Beijing()));
  const absl::CivilSecond now = absl::ToCivilSecond(when, Beijing());
  const double days = absl::FDivDuration(period.end - period.begin, absl::Hours(kHoursADay));
  const double whole_days = static_cast<double>(absl::CivilDay(now) - first);
  const absl::Duration today = when - absl::FromCivil(absl::CivilDay(now), Beijing());
  return (whole_days + ShareOfDay(config.hourly_profile, absl::ToDoubleHours(today))) / days;
}

BudgetBook::Hold::Hold(Hold&& other) noexcept
    : accounts_(std::exchange(other.accounts_, {})), micro_units_(std::exchange(other.micro_units_, 0)) {}

BudgetBook::Hold& BudgetBook::Hold::operator=(Hold&& other) noexcept {
  std::swap(accounts_, other.accounts_);
  std::swap(micro_units_, other.micro_units_);
  other.Release();
  return *this;
}

void BudgetBook::Hold::Release() {
  for (const auto& account : accounts_) account->held -= micro_units_;
  accounts_.clear();
  micro_units_ = 0;
}

void BudgetBook::Share(SharedLimits& limits) {
  shared_ = &limits;
  for (const auto& [name, account] : accounts_) SetAccount(name, account->config);
}

void BudgetBook::Publish(Account& account, int64_t next) {
  const std::string period = absl::FormatTime("%Y%m%d%H", account.begin, absl::UTCTimeZone());
  account.lease->SetKey(absl::StrCat("budget:", account.name, ":", period));
  account.lease->Set(static_cast<double>(account.config.limit_micro_units));
  account.lease->Need(static_cast<double>(account.spent) + static_cast<double>(account.held) +
                      static_cast<double>(std::max<int64_t>(0, next)));
}

BudgetBook::BudgetBook(const Clock& clock, Metrics& metrics) : clock_(clock), metrics_(metrics) {}
BudgetBook::~BudgetBook() = default;

void BudgetBook::Apply(const BudgetConfig& all, const std::vector<TenantConfig>& tenants) {
  // Money already spent keeps counting for whoever keeps a budget; holds keep their account alive.
  std::map<std::string, std::shared_ptr<Account>> old = std::exchange(accounts_, {});
  const auto keep = [&](const std::string& name, const BudgetConfig& config) {
    if (config.limit_micro_units <= 0) return;
    if (const auto found = old.find(name); found != old.end()) accounts_[name] = found->second;
    SetAccount(name, config);
  };
  keep("", all);
  for (const TenantConfig& tenant : tenants) keep(tenant.name, tenant.budget);
}

void BudgetBook::SetAccount(const std::string& name, const BudgetConfig& config) {
  std::shared_ptr<Account>& account = accounts_[name];
  if (!account) account = std::make_shared<Account>();
  if (account->config.period != config.period) account->end = absl::InfinitePast();
  account->config = config;
  account->name = name.empty() ? "*" : name;
  if (shared_ != nullptr) {
    account->lease = &shared_->Get(LeaseAsk::Kind::kSpend, absl::StrCat("budget:", account->name));
  }
  account->used = &metrics_.GetGauge("headgate_router_budget_used_ratio",
                                     "Share of the budget that is spent or held; tenant `*`: all together.",
                                     {{"tenant", name.empty() ? "*" : name}});
}

std::vector<std::shared_ptr<BudgetBook::Account>> BudgetBook::AccountsOf(const std::string& tenant) {
  std::vector<std::shared_ptr<Account>> found;
  for (const std::string& name : {std::string(), tenant}) {
    const auto it = accounts_.find(name);
    if (it == accounts_.end() || (name.empty() && !found.empty())) continue;
    BringUpToDate(*it->second);
    found.push_back(it->second);
  }
  return found;
}

// A new period begins; the shadow price follows the minutes that have passed.
void BudgetBook::BringUpToDate(Account& account) {
  const absl::Time now = clock_.WallTime();
  if (now >= account.end) {
    const PeriodBounds period = PeriodOf(account.config.period, now);
    account.begin = period.begin;
    account.end = period.end;
    account.spent = 0;
    account.shadow_price = 0;
    account.warned = false;
    account.paced_at = now;
  }
  if (now - account.paced_at < kPace) return;
  const double limit = static_cast<double>(account.config.limit_micro_units);
  const double ahead = static_cast<double>(account.spent) / limit - PacedShare(account.config, now);
  const double minutes = std::min(absl::FDivDuration(now - account.paced_at, kPace), 60.0 * kHoursADay);
  account.shadow_price = std::clamp(account.shadow_price + minutes * ahead, 0.0, kShadowPriceMax);
  account.paced_at = now;
}

Budget BudgetBook::Look(const std::string& tenant, int64_t worst_case) {
  Budget budget;
  for (const auto& account : AccountsOf(tenant)) {
    int64_t limit = account->config.limit_micro_units;
    if (account->lease != nullptr) {
      Publish(*account, worst_case);
      limit = std::min(limit, static_cast<int64_t>(account->lease->MayHold()));
    }
    if (worst_case > limit - account->spent - account->held) budget.room = false;
    budget.shadow_price = std::max(budget.shadow_price, account->shadow_price);
  }
  return budget;
}

BudgetBook::Hold BudgetBook::Reserve(const std::string& tenant, int64_t worst_case) {
  Hold hold;
  hold.micro_units_ = std::max<int64_t>(0, worst_case);
  hold.accounts_ = AccountsOf(tenant);
  for (const auto& account : hold.accounts_) account->held += hold.micro_units_;
  return hold;
}

void BudgetBook::Settle(Hold hold, std::optional<int64_t> actual) {
  const int64_t amount = std::max<int64_t>(0, actual.value_or(hold.micro_units_));
  for (const auto& account : hold.accounts_) {
    BringUpToDate(*account);
    Book(*account, amount);
    if (account->lease != nullptr) Publish(*account, 0);
  }
}

void BudgetBook::Book(Account& account, int64_t micro_units) {
  account.spent += std::min(micro_units, std::numeric_limits<int64_t>::max() - account.spent);
  const double limit = static_cast<double>(account.config.limit_micro_units);
  const double used = static_cast<double>(account.spent) / limit;
  if (account.used != nullptr) account.used->Set(used);
  if (used < account.config.soft_ratio || account.warned) return;
  account.warned = true;
  HG_LOG(Warning, "accounting: a budget has passed its soft limit: ", static_cast<int>(used * 100), " % of ",
         account.config.limit_micro_units, " micro-units");
}

void BudgetBook::Restore(const std::string& tenant, absl::Time when, int64_t micro_units) {
  for (const auto& account : AccountsOf(tenant)) {
    if (when >= account->begin && when < account->end) Book(*account, micro_units);
  }
}

std::optional<BudgetBook::State> BudgetBook::StateOf(const std::string& tenant) {
  const auto it = accounts_.find(tenant);
  if (it == accounts_.end()) return std::nullopt;
  BringUpToDate(*it->second);
  const Account& account = *it->second;
  return State{account.config.limit_micro_units, account.spent, account.held, account.shadow_price};
}

}  // namespace headgate::router
