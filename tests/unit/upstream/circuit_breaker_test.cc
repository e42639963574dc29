// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/circuit_breaker.h"

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

// A row is a script: `+N` waits N seconds, `a` begins an attempt (must succeed), `x` must be refused, `c` first
// content, `s` success, `f` failure, `b` abandoned, `t` trips for 60 s, `t5` for 5 s; `=state` checks. What a script
// says of an attempt, it says of the oldest that has not ended, or of a new one; `2s` of the second oldest. Breaker: 3
// failures, 10 s.
struct Row {
  const char* name;
  const char* script;
};

class CircuitBreakerTest : public testing::TestWithParam<Row> {};

TEST_P(CircuitBreakerTest, Script) {
  boost::asio::io_context io;
  ManualClock clock(io);
  CircuitBreaker breaker(clock, 3, absl::Seconds(10));
  std::deque<CircuitBreaker::Attempt> attempts;
  int step = 0;
  const std::vector<std::string> tokens = absl::StrSplit(GetParam().script, ' ');
  for (const std::string& token : tokens) {
    SCOPED_TRACE(absl::StrCat("step ", step++, " ", token));
    const bool second = token[0] == '2';
    const char action = token[second ? 1 : 0];
    if (std::string("csfb").find(action) != std::string::npos && attempts.empty()) {
      const auto made = breaker.Acquire();
      attempts.push_back(made ? *made : CircuitBreaker::Attempt{});
    }
    const auto attempt = attempts.begin() + (second ? 1 : 0);
    // clang-format off
    switch (action) {
      case '+': clock.Advance(absl::Seconds(std::stoi(token.substr(1)))); break;
      case 'a': EXPECT_TRUE(breaker.Available()); attempts.push_back(breaker.Acquire().value()); break;
      case 'x': EXPECT_FALSE(breaker.Available()); EXPECT_FALSE(breaker.Acquire()); break;
      case 'c': breaker.Answered(*attempt); break;
      case 's': breaker.Success(*attempt); attempts.erase(attempt); break;
      case 'f': breaker.Failure(*attempt); attempts.erase(attempt); break;
      case 't': breaker.Trip(absl::Seconds(token.size() > 1 ? std::stoi(token.substr(1)) : 60)); break;
      case 'b': breaker.Abandon(*attempt); attempts.erase(attempt); break;
      case '=': EXPECT_EQ(std::string(breaker.state()), token.substr(1)); break;
      default: FAIL() << token;
    }
    // clang-format on
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CircuitBreakerTest,
    testing::ValuesIn(std::vector<Row>{
        {"stays_closed_below_the_limit", "a f a f =closed a s a f a f =closed"},
        {"opens_at_the_limit", "a f a f a f =open x"},
        {"abandoned_attempts_say_nothing", "a f a b a f a b =closed a f =open"},
        {"half_open_lets_one_probe_through", "f f f +9 x +1 =half_open a x s =closed a a"},
        {"abandoned_probe_frees_the_place", "f f f +10 a x b a s =closed"},
        {"failed_probe_doubles_the_time", "f f f +10 a f =open +19 x +1 a f +39 x +1 a s =closed"},
        {"success_resets_the_doubling", "f f f +10 a f +20 a s f f f +9 x +1 a"},
        {"time_is_at_most_ten_times", "f f f +10 a f +20 a f +40 a f +80 a f +99 x +1 a f +99 x +1 a"},
        {"trip_opens_at_once_and_for_long", "a t =open +59 x +1 =half_open a"},
        {"a_shorter_trip_shortens_nothing", "t t5 +59 x +1 =half_open a"},
        {"a_longer_trip_lengthens", "t5 t +59 x +1 =half_open a"},
        {"trip_after_failures_is_not_shortened", "t f f f f +59 x +1 a"},
        {"old_news_is_ignored_while_open", "a a a a a f f f =open s =open f +9 x +1 a"},
        {"old_news_is_ignored_while_half_open", "a a a a f f f +10 a s =half_open x s =closed"},
        {"old_news_is_ignored_once_closed", "a a a a f f f +10 a 2s =closed f f f =closed f =open"},
        {"an_old_attempt_does_not_free_the_probes_place", "a a a a f f f +10 a b x s =closed"},
        {"an_answering_probe_makes_room_for_the_next", "f f f +10 a c a x c =half_open s =closed"},
        {"a_probe_that_dies_after_its_first_content", "f f f +10 a c f =open +19 x +1 a"},
        {"one_probe_finishes_another_dies", "f f f +10 a c a 2s =closed f f =closed f =open"},
        {"failures_count_anew_after_closing", "f f f +10 a s f f =closed f =open"},
    }),
    [](const auto& info) { return info.param.name; });

TEST(CircuitBreaker, ConfigureAppliesFromNowOn) {
  boost::asio::io_context io;
  ManualClock clock(io);
  CircuitBreaker breaker(clock, 3, absl::Seconds(10));
  breaker.Failure(breaker.Acquire().value());
  breaker.Configure(2, absl::Seconds(1));
  breaker.Failure(breaker.Acquire().value());
  EXPECT_EQ(breaker.state(), "open");
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(breaker.state(), "half_open");
}

}  // namespace
}  // namespace headgate::router
