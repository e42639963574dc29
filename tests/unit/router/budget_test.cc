// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/budget.h"

#include <unistd.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "router/accounting.h"
#include "router/audit_record.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) ADD_FAILURE() << text << ": " << error;
  return time;
}

BudgetConfig Of(int64_t limit, BudgetConfig::Period period = BudgetConfig::Period::kDay) {
  BudgetConfig config;
  config.limit_micro_units = limit;
  config.period = period;
  return config;
}

TenantConfig Tenant(const std::string& name, int64_t limit) {
  TenantConfig tenant;
  tenant.name = name;
  tenant.budget = Of(limit);
  return tenant;
}

class BudgetTest : public testing::Test {
 protected:
  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Metrics metrics_;
  BudgetBook book_{clock_, metrics_};
};

TEST_F(BudgetTest, WithoutABudgetThereIsRoom) {
  EXPECT_TRUE(book_.Look("t", 1'000'000'000).room);
  book_.Settle(book_.Reserve("t", 5), 7);
  EXPECT_FALSE(book_.StateOf("t"));
}

TEST_F(BudgetTest, HoldsSettlesAndReleases) {
  book_.Apply({}, {Tenant("t", 100)});
  EXPECT_TRUE(book_.Look("t", 100).room);
  EXPECT_FALSE(book_.Look("t", 101).room);
  {
    const BudgetBook::Hold dropped = book_.Reserve("t", 60);
    EXPECT_FALSE(book_.Look("t", 41).room);
    EXPECT_EQ(book_.StateOf("t")->held, 60);
  }
  EXPECT_EQ(book_.StateOf("t")->held, 0);  // nothing was bought
  book_.Settle(book_.Reserve("t", 60), 10);
  EXPECT_EQ(book_.StateOf("t")->spent, 10);
  book_.Settle(book_.Reserve("t", 60), std::nullopt);  // of unknown cost: the worst case, never nothing
  EXPECT_EQ(book_.StateOf("t")->spent, 70);
  EXPECT_EQ(book_.StateOf("t")->held, 0);
  EXPECT_TRUE(book_.Look("t", 30).room);
  EXPECT_FALSE(book_.Look("t", 31).room);
}

TEST_F(BudgetTest, TheWholeAndTheTenantBothCount) {
  book_.Apply(Of(100), {Tenant("a", 80), Tenant("b", 80)});
  book_.Settle(book_.Reserve("a", 70), 70);
  EXPECT_FALSE(book_.Look("a", 11).room);
  EXPECT_TRUE(book_.Look("b", 30).room);
  EXPECT_FALSE(book_.Look("b", 31).room);  // the whole has 30 left
  EXPECT_FALSE(book_.Look("", 31).room);
  EXPECT_EQ(book_.StateOf("")->spent, 70);
}

TEST_F(BudgetTest, ANewDayIsNewMoneyAndAHoldSurvivesIt) {
  book_.Apply({}, {Tenant("t", 100)});
  book_.Settle(book_.Reserve("t", 100), 100);
  BudgetBook::Hold hold;
  EXPECT_FALSE(book_.Look("t", 1).room);
  clock_.Advance(absl::Hours(24));
  EXPECT_TRUE(book_.Look("t", 100).room);
  hold = book_.Reserve("t", 40);
  clock_.Advance(absl::Hours(24));
  EXPECT_FALSE(book_.Look("t", 61).room);  // still held on the third day
  book_.Settle(std::move(hold), 40);
  EXPECT_EQ(book_.StateOf("t")->spent, 40);
}

TEST_F(BudgetTest, AReloadForgetsNoMoney) {
  book_.Apply({}, {Tenant("t", 100)});
  book_.Settle(book_.Reserve("t", 50), 50);
  BudgetBook::Hold hold = book_.Reserve("t", 20);
  book_.Apply({}, {Tenant("t", 75)});
  EXPECT_FALSE(book_.Look("t", 6).room);
  book_.Apply({}, {});  // the budget is gone while an answer is under way
  book_.Settle(std::move(hold), 20);
  EXPECT_FALSE(book_.StateOf("t"));
}

TEST_F(BudgetTest, RestoresThisPeriodOnly) {
  book_.Apply({}, {Tenant("t", 100)});
  book_.Restore("t", clock_.WallTime() - absl::Hours(48), 90);
  EXPECT_EQ(book_.StateOf("t")->spent, 0);
  book_.Restore("t", clock_.WallTime(), 90);
  EXPECT_EQ(book_.StateOf("t")->spent, 90);
}

// An audit folder with the outcomes of an earlier process.
class RestoreTest : public BudgetTest {
 protected:
  ~RestoreTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / name, std::ios::app) << text;
    // Written "now", whatever the test's clock says.
    std::filesystem::last_write_time(folder_ / name,
                                     std::filesystem::file_time_type::clock::now() + std::chrono::hours(99999));
  }
  std::string Line(const std::string& tenant, absl::Time when, int64_t micro_units,
                   const std::string& currency = "USD") {
    v1::AuditRecord record;
    record.set_kind(v1::AuditRecord::KIND_OUTCOME);
    record.set_tenant(tenant);
    record.set_time(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", when, absl::UTCTimeZone()));
    record.set_cost_micro_units(micro_units);
    record.set_currency(currency);
    record.set_price_version("v1");
    std::string mac;
    return WriteAuditLine("key", record, &mac) + "\n";
  }
  static AccountingConfig Prices(int64_t limit) {
    AccountingConfig config;
    config.prices = {{"v1", "flash", "USD", absl::UnixEpoch(), 1, 1, 1, 1, 1, 1}};
    config.budget = Of(limit);
    return config;
  }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                        ("headgate_restore_" + std::to_string(::getpid()));
};

TEST_F(RestoreTest, WhatWasSpentTodayIsKnownAfterARestart) {
  const absl::Time now = clock_.WallTime();
  Write("audit-c-000000.jsonl", Line("t", now, 30) + "{\"kind\":\"decision\"}\n" + Line("u", now, 5) +
                                    Line("t", now - absl::Hours(48), 1000) + Line("t", now, 7, "CNY") +
                                    "{\"cost\": broken\n" + Line("t", now, 11).substr(0, 40));
  Write("payload-c-000000.jsonl", Line("t", now, 500));
  Accounting accounting(clock_, Prices(100), metrics_);
  accounting.Apply(Prices(100), {Tenant("t", 50)});
  EXPECT_EQ(accounting.Restore(folder_.string()), 3);
  EXPECT_EQ(accounting.budgets().StateOf("t")->spent, 30);
  EXPECT_EQ(accounting.budgets().StateOf("")->spent, 35);
  EXPECT_FALSE(accounting.budgets().Look("t", 21).room);
}

TEST_F(RestoreTest, NothingToRestoreIsNoError) {
  Accounting accounting(clock_, Prices(100), metrics_);
  accounting.Apply(Prices(100), {});
  EXPECT_EQ(accounting.Restore(folder_.string()), 0);
  EXPECT_EQ(accounting.Restore(""), 0);
}

TEST_F(BudgetTest, TheShadowPriceRisesAheadOfThePaceAndFallsBehindIt) {
  book_.Apply({}, {Tenant("t", 1000)});
  (void)book_.Look("t", 0);
  book_.Settle(book_.Reserve("t", 900), 900);
  double before = book_.Look("t", 0).shadow_price;
  EXPECT_EQ(before, 0);
  for (int minute = 0; minute < 3; ++minute) {
    clock_.Advance(absl::Minutes(1));
    const double after = book_.Look("t", 0).shadow_price;
    EXPECT_GE(after, before) << minute;
    before = after;
  }
  const absl::Duration to_midnight = absl::Hours(24) - absl::Seconds(1);
  clock_.Advance(
      to_midnight);  // a new day or the end of this one: either way the pressure is off or the pace caught up
  book_.Apply({}, {Tenant("t", 1'000'000'000)});
  for (int minute = 0; minute < 2000; ++minute) {
    clock_.Advance(absl::Minutes(1));
    (void)book_.Look("t", 0);
  }
  EXPECT_EQ(book_.Look("t", 0).shadow_price, 0);
}

TEST(PacedShare, Table) {
  BudgetConfig office = Of(1);
  office.hourly_profile.assign(24, 0);
  for (int hour = 9; hour < 19; ++hour) office.hourly_profile[hour] = 1;
  const struct {
    const char* name;
    BudgetConfig config;
    const char* when;
    double share;
  } rows[] = {
      {"midnight in Beijing", Of(1), "2026-11-22T16:00:00Z", 0},
      {"noon in Beijing", Of(1), "2026-11-23T04:00:00Z", 0.5},
      {"before office hours", office, "2026-11-23T00:30:00Z", 0},
      {"one of ten office hours", office, "2026-11-23T02:00:00Z", 0.1},
      {"after office hours", office, "2026-11-23T12:00:00Z", 1},
      {"month: first instant", Of(1, BudgetConfig::Period::kMonth), "2026-10-31T16:00:00Z", 0},
      {"month: after 15 of 30 days", Of(1, BudgetConfig::Period::kMonth), "2026-11-15T16:00:00Z", 0.5},
  };
  for (const auto& row : rows) EXPECT_NEAR(PacedShare(row.config, At(row.when)), row.share, 1e-9) << row.name;
}

// The property that matters: whatever the order, spent + held stays within every limit and holds never leak.
TEST_F(BudgetTest, NothingIsOverspentInAnyOrder) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    BudgetBook book(clock_, metrics_);
    book.Apply(Of(1500), {Tenant("a", 1000), Tenant("b", 1000)});
    std::deque<std::pair<BudgetBook::Hold, int64_t>> holds;
    for (int step = 0; step < 400; ++step) {
      const std::string tenant = random() % 2 ? "a" : "b";
      const int64_t worst = static_cast<int64_t>(random() % 120);
      switch (random() % 4) {
        case 0:
        case 1:
          if (book.Look(tenant, worst).room) holds.emplace_back(book.Reserve(tenant, worst), worst);
          break;
        case 2:
          if (holds.empty()) break;
          book.Settle(std::move(holds.front().first), static_cast<int64_t>(random()) % (holds.front().second + 1));
          holds.pop_front();
          break;
        default:
          if (!holds.empty()) holds.pop_back();
      }
      for (const char* name : {"", "a", "b"}) {
        const auto state = book.StateOf(name);
        ASSERT_LE(state->spent + state->held, state->limit) << "seed " << seed << " step " << step << " " << name;
        ASSERT_GE(state->held, 0);
      }
    }
    holds.clear();
    EXPECT_EQ(book.StateOf("")->held, 0) << seed;
  }
}

TEST(WorstCase, IsNeverBelowThePrice) {
  AccountingConfig config;
  config.prices = {{"v0", "m", "USD", At("2026-01-01T00:00:00Z"), 3, 150000, 600000, 6, 300000, 1200000},
                   {"v1", "m", "USD", At("2026-11-23T02:00:00Z"), 9, 900000, 100000, 9, 900000, 100000}};
  const absl::Time from = At("2026-11-23T01:30:00Z");
  const absl::Time until = from + absl::Hours(1);
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const int64_t prompt = static_cast<int64_t>(random() % 100'000);
    const int64_t output = static_cast<int64_t>(random() % 10'000);
    v1::Usage usage;
    usage.set_prompt_tokens(prompt);
    usage.set_cached_tokens(static_cast<int64_t>(random()) % (prompt + 1));
    usage.set_completion_tokens(output);
    const absl::Time when = from + absl::Seconds(static_cast<int64_t>(random() % 3600));
    ASSERT_LE(Price(config, "m", usage, when)->micro_units, *WorstCase(config, "m", prompt, output, from, until));
  }
  EXPECT_EQ(*WorstCase(config, "m", 1'000'000, 0, from, from), 300000);
  EXPECT_EQ(*WorstCase(config, "m", 1'000'000, 0, from, until), 900000);  // a price change at midnight counts
  EXPECT_FALSE(WorstCase(config, "other", 1, 1, from, until).ok());
}

TEST(PeakRatio, Table) {
  AccountingConfig config;
  config.prices = {{"v0", "m", "USD", At("2026-01-01T00:00:00Z"), 3, 150000, 600000, 6, 300000, 1200000}};
  EXPECT_EQ(PeakRatio(config, "m", At("2026-11-23T02:00:00Z")), 2);  // Monday 10:00 in Beijing
  EXPECT_EQ(PeakRatio(config, "m", At("2026-11-22T02:00:00Z")), 1);  // Sunday
  EXPECT_EQ(PeakRatio(config, "other", At("2026-11-23T02:00:00Z")), 1);
}

}  // namespace
}  // namespace headgate::router
