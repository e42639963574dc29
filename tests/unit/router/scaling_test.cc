// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/scaling.h"

#include <string>

#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "router/quote.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

ScalingConfig Config() {
  ScalingConfig config;
  config.replica_hour_micro_units = 3'600'000;  // 1,000 micro-units a second
  config.replicas_min = 0;
  config.replicas_max = 10;
  config.prefill_tokens_per_second = 1000;
  config.decode_tokens_per_second = 100;
  config.cold_start = absl::Seconds(60);
  config.window = absl::Minutes(10);
  config.utilisation_max = 1;
  return config;
}

TEST(WorkSeconds, Table) {
  EXPECT_EQ(WorkSeconds(Config(), 2000, 300), 5);
  EXPECT_EQ(WorkSeconds(Config(), -5, 100), 1);
  EXPECT_EQ(WorkSeconds(ScalingConfig(), 2000, 300), 0);
}

class ScalingTest : public testing::Test {
 protected:
  // `work` seconds of replica time a second, worth `price` micro-units a second of work, for `minutes`.
  void Feed(Scaling& scaling, double minutes, double sensitive, double work, double price) {
    for (int second = 0; second < minutes * 60; ++second) {
      scaling.Arrived(true, sensitive, 0);
      scaling.Arrived(false, work, work * price);
      clock_.Advance(absl::Seconds(1));
    }
  }
  boost::asio::io_context io_;
  ManualClock clock_{io_};
};

TEST_F(ScalingTest, Table) {
  const struct {
    const char* name;
    double sensitive, work, price;
    int64_t replicas;
    double level;
    int64_t wanted;
  } rows[] = {
      {"nothing", 0, 0, 0, 0, 1, 0},
      {"nothing any more: the idle one is dropped", 0, 0, 0, 1, 1, 0},
      {"cloud far dearer: all local", 0, 3, 5000, 0, 1, 3},
      {"cloud cheaper: none", 0, 3, 500, 0, 1, 0},
      {"cloud cheaper, but twice the price now", 0, 3, 700, 0, 2, 3},
      {"sensitive has no choice", 1.5, 0, 0, 0, 1, 2},
      {"what sensitive leaves free is no reason for more", 0.5, 0.5, 500, 1, 1, 1},
      {"saves less than its cold start", 0, 1, 1050, 0, 1, 0},
      {"as little, but it is there", 0, 1, 1050, 1, 1, 1},
      {"at most the maximum", 0, 30, 5000, 0, 1, 10},
  };
  for (const auto& row : rows) {
    Scaling scaling(clock_, Config());
    Feed(scaling, 10, row.sensitive, row.work, row.price);
    EXPECT_EQ(scaling.Wanted(row.replicas, row.level), row.wanted) << row.name;
  }
}

TEST_F(ScalingTest, ForgetsWhatIsOlderThanTheWindow) {
  Scaling scaling(clock_, Config());
  Feed(scaling, 10, 0, 3, 5000);
  clock_.Advance(absl::Minutes(11));
  EXPECT_EQ(scaling.Wanted(3, 1), 0);
}

TEST_F(ScalingTest, WithoutAPriceNothingIsWanted) {
  Scaling scaling(clock_, ScalingConfig());
  scaling.Arrived(true, 1, 0);
  EXPECT_EQ(scaling.Wanted(7, 1), 7);
}

TEST(LocalPrice, RisesWhileRepliesAreLateAndFallsAgain) {
  LocalPrice price(Config());
  MonotonicTime now = absl::Seconds(100);
  for (int i = 0; i < 100; ++i) price.Observe(now += absl::Seconds(1), 2);
  const double high = price.micro_units_per_work_second();
  EXPECT_GT(high, 1000);
  EXPECT_LE(high, 8000);
  for (int i = 0; i < 1000; ++i) price.Observe(now += absl::Seconds(1), 0);
  EXPECT_EQ(price.micro_units_per_work_second(), 0);
}

TEST(QuoteBook, LearnsTheLengthOfAnswersByTenantAndSize) {
  boost::asio::io_context io;
  ManualClock clock(io);
  RouterConfig config;
  config.scaling = Config();
  config.cloud.model = "m";
  config.accounting.prices = {{"v", "m", "USD", absl::UnixEpoch(), 0, 1'000'000, 1'000'000, 0, 1'000'000, 1'000'000}};
  QuoteBook book(clock, config);
  const auto price = [&](const std::string& tenant, double prompt, double max_tokens = 0) {
    return book.For(tenant, {.prompt_tokens = prompt, .max_tokens = max_tokens}).quote->cloud_micro_units;
  };
  EXPECT_EQ(price("t", 100), 356);      // a guess of 256
  EXPECT_EQ(price("t", 100, 50), 150);  // never more than max_tokens
  v1::Usage small, large;
  small.set_prompt_tokens(100);
  small.set_completion_tokens(10);
  large.set_prompt_tokens(50'000);
  large.set_completion_tokens(2000);
  for (int i = 0; i < 10; ++i) {
    book.Answered("t", Quote::Side::kLocal, small, absl::Seconds(1));
    book.Answered("t", Quote::Side::kLocal, large, absl::Seconds(1));
  }
  EXPECT_EQ(price("t", 100), 110);
  EXPECT_EQ(price("t", 50'000), 52'000);
  EXPECT_EQ(price("other", 100), 356);  // learned nothing from another tenant
}

TEST(QuoteBook, WithoutAPriceThereIsNoQuote) {
  boost::asio::io_context io;
  ManualClock clock(io);
  const QuoteBook book(clock, RouterConfig());
  EXPECT_FALSE(book.For("t", {.prompt_tokens = 1}).quote);
}

TEST(QuoteBook, EachCloudHasItsPriceItsPeakAndItsFirstToken) {
  boost::asio::io_context io;
  ManualClock clock(io);
  RouterConfig config;
  config.scaling = Config();
  config.cloud.model = "even";
  config.clouds.resize(1);
  config.clouds[0].model = "peaky";
  config.accounting.prices = {{"v", "even", "USD", absl::UnixEpoch(), 0, 1'000'000, 0, 0, 1'000'000, 0},
                              {"v", "peaky", "USD", absl::UnixEpoch(), 0, 10'000'000, 0, 0, 20'000'000, 0}};
  absl::Time peak = clock.WallTime();
  while (!IsPeak(config.accounting, peak)) peak += absl::Hours(1);
  clock.Advance(peak - clock.WallTime());
  QuoteBook book(clock, config);
  const auto of = [&](size_t cloud) { return book.For("t", {.prompt_tokens = 1000, .cloud = cloud}); };
  struct Row {
    size_t cloud;
    double price, off_peak;
  };
  for (const Row& row : {Row{0, 1000, 1000}, Row{1, 20'000, 10'000}}) {
    EXPECT_EQ(of(row.cloud).quote->cloud_micro_units, row.price) << row.cloud;
    EXPECT_EQ(of(row.cloud).cloud_micro_units_off_peak, row.off_peak) << row.cloud;
  }
  v1::Usage usage;
  usage.set_prompt_tokens(1000);
  usage.set_completion_tokens(10);
  const double before = of(0).quote->cloud_delay_seconds;
  for (int i = 0; i < 200; ++i) book.Answered("t", Quote::Side::kCloud, usage, absl::Seconds(20), 1);
  EXPECT_EQ(of(0).quote->cloud_delay_seconds, before) << "the other cloud is slow";
  EXPECT_GT(of(1).quote->cloud_delay_seconds, 10);
}

TEST(QuoteBook, KnownCachedTokensCount) {
  boost::asio::io_context io;
  ManualClock clock(io);
  RouterConfig config;
  config.scaling = Config();
  config.cloud.model = "m";
  config.accounting.prices = {{"v", "m", "USD", absl::UnixEpoch(), 0, 1'000'000, 0, 0, 1'000'000, 0}};
  QuoteBook book(clock, config);
  const Offer offer = book.For("t", {.prompt_tokens = 1000, .max_tokens = 100, .local_cached_tokens = 400,
                                     .cloud_cached_tokens = 900});
  EXPECT_EQ(offer.quote->cloud_micro_units, 100);
  EXPECT_NEAR(offer.work_seconds, 0.6 + 1, 1e-9);
}

TEST(QuoteBook, ChargesTheCloudForWhatSensitiveRequestsReadAgain) {
  boost::asio::io_context io;
  ManualClock clock(io);
  RouterConfig config;
  config.scaling = Config();
  config.cloud.model = "m";
  config.accounting.prices = {{"v", "m", "USD", absl::UnixEpoch(), 0, 1'000'000, 0, 0, 1'000'000, 0}};
  QuoteBook book(clock, config);
  v1::Usage usage;
  usage.set_prompt_tokens(1000);
  usage.set_completion_tokens(10);
  book.Answered("t", Quote::Side::kCloud, usage, absl::Seconds(1));
  const auto again = [&](const std::string& tenant, const Ask& ask) {
    return book.For(tenant, ask).quote->again_micro_units;
  };
  const Ask fresh{.prompt_tokens = 2000, .local_cached_tokens = 0, .cloud_cached_tokens = 0};
  EXPECT_EQ(again("t", fresh), 0) << "nothing had to be read again yet";
  // An ordinary request that finds its beginning on the cloud may go there: that is no work done twice.
  const Ask continued{.prompt_tokens = 1000, .local_cached_tokens = 100, .cloud_cached_tokens = 600};
  book.Arrived("t", true, book.For("t", continued));
  EXPECT_EQ(again("t", fresh), 0);
  // A sensitive one may not: half of what the cloud has read is read again.
  book.Arrived("t", false, book.For("t", continued));
  const double second = static_cast<double>(config.scaling.replica_hour_micro_units) / 3600;
  EXPECT_NEAR(again("t", fresh), 0.5 * WorkSeconds(config.scaling, 2000, 0) * second, 1e-6);
  EXPECT_NEAR(again("t", continued), 0.5 * WorkSeconds(config.scaling, 400, 0) * second, 1e-6) << "what is new";
  EXPECT_EQ(again("other", fresh), 0) << "another tenant's traffic says nothing";
}

}  // namespace
}  // namespace headgate::router
