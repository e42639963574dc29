// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/accounting.h"

#include <memory>
#include <string>

#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) ADD_FAILURE() << text << ": " << error;
  return time;
}

// The sheet of docs/accounting.md, and an older one.
AccountingConfig Sheets() {
  AccountingConfig config;
  PriceRow old{"v0", "flash", "USD", At("2026-01-01T00:00:00Z"), 2800, 140000, 280000, 2800, 140000, 280000};
  PriceRow now{"v1", "flash", "USD", At("2026-11-15T00:00:00Z"), 3000, 150000, 600000, 6000, 300000, 1200000};
  PriceRow pro{"v1", "pro", "CNY", At("2026-11-15T00:00:00Z"), 1, 1, 1, 2, 2, 2};
  config.prices = {now, old, pro};  // order does not matter
  config.holidays = {"2026-12-25", "2027-01-01"};
  return config;
}

v1::Usage Used(int64_t prompt, int64_t cached, int64_t completion) {
  v1::Usage usage;
  usage.set_prompt_tokens(prompt);
  usage.set_cached_tokens(cached);
  usage.set_completion_tokens(completion);
  return usage;
}

TEST(IsPeak, TheClock) {
  const struct {
    const char* name;
    const char* when;
    bool peak;
  } rows[] = {
      {"before the morning", "2026-11-23T00:59:59.999Z", false},  // a Monday
      {"morning begins", "2026-11-23T01:00:00Z", true},
      {"morning ends", "2026-11-23T03:59:59.999Z", true},
      {"noon", "2026-11-23T04:00:00Z", false},
      {"before the afternoon", "2026-11-23T05:59:59Z", false},
      {"afternoon begins", "2026-11-23T06:00:00Z", true},
      {"afternoon ends", "2026-11-23T09:59:59Z", true},
      {"evening", "2026-11-23T10:00:00Z", false},
      {"friday", "2026-11-27T08:00:00Z", true},
      {"saturday", "2026-11-28T08:00:00Z", false},
      {"sunday", "2026-11-29T08:00:00Z", false},
      {"monday in Beijing, sunday in UTC", "2026-11-29T23:00:00Z", false},
      {"holiday", "2026-12-25T08:00:00Z", false},
      {"day after it", "2026-12-28T08:00:00Z", true},
      {"new year in Beijing", "2027-01-01T01:00:00Z", false},
  };
  for (const auto& row : rows) EXPECT_EQ(IsPeak(Sheets(), At(row.when)), row.peak) << row.name;
}

TEST(IsPeak, ThirtyFiveHoursAWeek) {
  int hours = 0;
  for (int hour = 0; hour < 168; ++hour) hours += IsPeak({}, At("2026-11-23T00:30:00Z") + absl::Hours(hour)) ? 1 : 0;
  EXPECT_EQ(hours, 35);
}

TEST(Price, Rows) {
  const char* off = "2026-11-21T08:00:00Z";   // a Saturday
  const char* peak = "2026-11-23T08:00:00Z";  // a Monday
  const struct {
    const char* name;
    const char* model;
    const char* when;
    v1::Usage usage;
    int64_t micro_units;
    const char* version;
  } rows[] = {
      // 1,576 x 0.15 + 2,133 x 0.60 per million = 0.0015162 USD
      {"off-peak", "flash", off, Used(1576, 0, 2133), 1516, "v1"},
      {"peak is twice as much", "flash", peak, Used(1576, 0, 2133), 3032, "v1"},
      {"cached part at the hit price", "flash", off, Used(1'000'000, 400'000, 0), 1200 + 90'000, "v1"},
      {"nothing used", "flash", off, Used(0, 0, 0), 0, "v1"},
      // 0.0030 and 0.0006 micro-units short of and above one half
      {"rounded down below one half", "flash", off, Used(0, 166, 0), 0, "v1"},
      {"exactly one half rounds up", "pro", off, Used(0, 0, 500'000), 1, "v1"},
      {"just below one half", "pro", off, Used(0, 0, 499'999), 0, "v1"},
      {"rounded once, not per part", "pro", off, Used(400'000, 200'000, 100'000), 1, "v1"},
      {"the older sheet", "flash", "2026-11-14T23:59:59Z", Used(1'000'000, 0, 1'000'000), 420'000, "v0"},
      {"the newer from its first instant", "flash", "2026-11-15T00:00:00Z", Used(1'000'000, 0, 0), 150'000, "v1"},
      {"more cached than prompt", "flash", off, Used(10, 1'000'000, 0), 0, "v1"},
      {"negative counts are no credit", "flash", off, Used(-5, -5, -5), 0, "v1"},
      {"large counts are exact", "flash", off, Used(1'000'000'000'000, 0, 0), 150'000'000'000, "v1"},
  };
  for (const auto& row : rows) {
    const auto charge = Price(Sheets(), row.model, row.usage, At(row.when));
    ASSERT_TRUE(charge.ok()) << row.name << ": " << charge.status();
    EXPECT_EQ(charge->micro_units, row.micro_units) << row.name;
    EXPECT_EQ(charge->price_version, row.version) << row.name;
    EXPECT_EQ(charge->currency, std::string(row.model) == "pro" ? "CNY" : "USD") << row.name;
  }
}

TEST(Price, UnknownIsAnErrorNotZero) {
  const v1::Usage usage = Used(1, 0, 1);
  EXPECT_EQ(Price(Sheets(), "other", usage, At("2026-11-23T08:00:00Z")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Price(Sheets(), "flash", usage, At("2025-12-31T23:59:59Z")).status().code(), absl::StatusCode::kNotFound);
}

class AccountingTest : public testing::Test {
 protected:
  AccountingTest() {
    TenantConfig tenant;
    tenant.name = "t";
    ticket_.tenant = std::make_shared<const TenantConfig>(tenant);
  }
  static v1::Route To(v1::Route::Target target, const std::string& model) {
    v1::Route route;
    route.set_target(target);
    route.set_model(model);
    return route;
  }
  double Tokens(const std::string& target, const std::string& direction) {
    return metrics_.GetCounter("headgate_router_tokens_total", "",
                               {{"tenant", "t"}, {"target", target}, {"direction", direction}})
        .Value();
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_, At("2026-11-21T08:00:00Z")};
  Metrics metrics_;
  Accounting accounting_{clock_, Sheets(), metrics_};
  Ticket ticket_{.request_id = "r", .api = "grpc.Generate", .tenant = nullptr, .priority = v1::PRIORITY_NORMAL,
                 .declared_sensitivity = v1::SENSITIVITY_LEVEL_UNSPECIFIED, .received = {}, .deadline = {},
                 .in_flight = InFlight(std::make_shared<int64_t>(0))};
};

TEST_F(AccountingTest, CloudIsBookedInTokensAndMoney) {
  const Charge charge = accounting_.Settle(ticket_, To(v1::Route::TARGET_CLOUD, "flash"), Used(1576, 0, 2133));
  EXPECT_EQ(charge.micro_units, 1516);
  EXPECT_EQ(charge.price_version, "v1");
  EXPECT_EQ(Tokens("cloud", "input"), 1576);
  EXPECT_EQ(Tokens("cloud", "output"), 2133);
  const Labels labels = {{"tenant", "t"}, {"currency", "USD"}};
  EXPECT_EQ(metrics_.GetCounter("headgate_router_cost_micro_units_total", "", labels).Value(), 1516);
}

TEST_F(AccountingTest, LocalCostsNothing) {
  const Charge charge = accounting_.Settle(ticket_, To(v1::Route::TARGET_LOCAL, "flash"), Used(10, 0, 20));
  EXPECT_EQ(charge.micro_units, 0);
  EXPECT_EQ(charge.currency, "");
  EXPECT_EQ(Tokens("local", "output"), 20);
  EXPECT_EQ(Tokens("cloud", "output"), 0);
}

TEST_F(AccountingTest, AnUnpricedAnswerIsCounted) {
  const Charge charge = accounting_.Settle(ticket_, To(v1::Route::TARGET_CLOUD, "other"), Used(10, 0, 20));
  EXPECT_EQ(charge.price_version, "");
  EXPECT_EQ(Tokens("cloud", "input"), 10);
  EXPECT_EQ(metrics_.GetCounter("headgate_router_unpriced_requests_total", "").Value(), 1);
}

TEST_F(AccountingTest, ApplyChangesThePrices) {
  accounting_.Apply({});
  accounting_.Settle(ticket_, To(v1::Route::TARGET_CLOUD, "flash"), Used(10, 0, 20));
  EXPECT_EQ(metrics_.GetCounter("headgate_router_unpriced_requests_total", "").Value(), 1);
}

}  // namespace
}  // namespace headgate::router
