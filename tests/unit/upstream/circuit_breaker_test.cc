// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/circuit_breaker.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

// A row is a script: `+N` waits N seconds, `a` acquires (must succeed), `x` must be refused, `s` success, `f` failure,
// `t` trips for 60 s, `b` abandons; `=state` checks. Breaker: 3 failures, 10 s.
struct Row {
  const char* name;
  const char* script;
};

class CircuitBreakerTest : public testing::TestWithParam<Row> {};

TEST_P(CircuitBreakerTest, Script) {
  boost::asio::io_context io;
  ManualClock clock(io);
  CircuitBreaker breaker(clock, 3, absl::Seconds(10));
  int step = 0;
  const std::vector<std::string> tokens = absl::StrSplit(GetParam().script, ' ');
  for (const std::string& token : tokens) {
    SCOPED_TRACE(absl::StrCat("step ", step++, " ", token));
    // clang-format off
    switch (token[0]) {
      case '+': clock.Advance(absl::Seconds(std::stoi(token.substr(1)))); break;
      case 'a': EXPECT_TRUE(breaker.Available()); EXPECT_TRUE(breaker.Acquire()); break;
      case 'x': EXPECT_FALSE(breaker.Available()); EXPECT_FALSE(breaker.Acquire()); break;
      case 's': breaker.Success(); break;
      case 'f': breaker.Failure(); break;
      case 't': breaker.Trip(absl::Seconds(60)); break;
      case 'b': breaker.Abandon(); break;
      case '=': EXPECT_EQ(std::string(breaker.state()), token.substr(1)); break;
      default: FAIL() << token;
    }
    // clang-format on
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, CircuitBreakerTest,
                         testing::ValuesIn(std::vector<Row>{
                             {"stays_closed_below_the_limit", "a f a f =closed a s a f a f =closed"},
                             {"opens_at_the_limit", "a f a f a f =open x"},
                             {"abandoned_attempts_say_nothing", "a f a b a f a b =closed a f =open"},
                             {"half_open_lets_one_probe_through", "f f f +9 x +1 =half_open a x s =closed a a"},
                             {"abandoned_probe_frees_the_place", "f f f +10 a x b a s =closed"},
                             {"failed_probe_doubles_the_time", "f f f +10 a f =open +19 x +1 a f +39 x +1 a s =closed"},
                             {"success_resets_the_doubling", "f f f +10 a f +20 a s f f f +9 x +1 a"},
                             {"time_is_at_most_ten_times",
                              "f f f +10 a f +20 a f +40 a f +80 a f +99 x +1 a f +99 x +1 a"},
                             {"trip_opens_at_once_and_for_long", "a t =open +59 x +1 =half_open a"},
                             {"trip_after_failures_is_not_shortened", "t f f f f +59 x +1 a"},
                             {"old_news_is_ignored_while_open", "a a f f f =open s =open f +9 x +1 a"},
                             {"failures_count_anew_after_closing", "f f f +10 a s f f =closed f =open"},
                         }),
                         [](const auto& info) { return info.param.name; });

TEST(CircuitBreaker, ConfigureAppliesFromNowOn) {
  boost::asio::io_context io;
  ManualClock clock(io);
  CircuitBreaker breaker(clock, 3, absl::Seconds(10));
  breaker.Failure();
  breaker.Configure(2, absl::Seconds(1));
  breaker.Failure();
  EXPECT_EQ(breaker.state(), "open");
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(breaker.state(), "half_open");
}

}  // namespace
}  // namespace headgate::router
