// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace headgate {
namespace {

using ::testing::ElementsAre;

class RealClockTest : public ::testing::Test {
 protected:
  std::unique_ptr<Timer> Call(absl::Duration after, const std::string& name) {
    return clock_->CallAt(begin_ + after, [this, name] { called_.push_back(name); });
  }
  boost::asio::io_context io_{1};
  const std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  const MonotonicTime begin_ = clock_->Monotonic();
  std::vector<std::string> called_;
};

TEST_F(RealClockTest, CallsInOrderOfTimeThenOfAsking) {
  const auto late = Call(absl::Milliseconds(8), "late"), soon = Call(absl::Milliseconds(4), "soon");
  const auto past = Call(-absl::Seconds(1), "past"), now = Call(absl::ZeroDuration(), "now");
  const auto second = Call(absl::Milliseconds(8), "late too");
  EXPECT_TRUE(called_.empty());  // never from inside CallAt
  io_.run();
  EXPECT_THAT(called_, ElementsAre("past", "now", "soon", "late", "late too"));
  EXPECT_GE(clock_->Monotonic() - begin_, absl::Milliseconds(8));
}

TEST_F(RealClockTest, ACancelledOneIsNotCalledAndKeepsNothingRunning) {
  auto far = Call(absl::Hours(1), "far"), near = Call(absl::Milliseconds(1), "near");
  auto farthest = Call(absl::InfiniteDuration(), "farthest");
  near.reset();
  const auto then = Call(absl::Milliseconds(5), "then");
  far.reset();
  farthest.reset();
  io_.run();  // does not wait an hour
  EXPECT_THAT(called_, ElementsAre("then"));
}

TEST_F(RealClockTest, ACallbackMayCancelItselfAndOthersAndAskForMore) {
  auto victim = Call(absl::Milliseconds(2), "victim");
  std::unique_ptr<Timer> self, next, later;
  self = clock_->CallAt(begin_ + absl::Milliseconds(1), [&] {
    self.reset();
    victim.reset();
    next = clock_->CallAt(begin_, [&] {
      called_.push_back("next");
      later = Call(absl::Milliseconds(3), "later");
    });
    EXPECT_TRUE(called_.empty());
  });
  io_.run();
  EXPECT_THAT(called_, ElementsAre("next", "later"));
}

}  // namespace
}  // namespace headgate
