// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/mailbox.h"

#include <optional>
#include <string>

#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate {
namespace {

using Received = absl::StatusOr<std::optional<int>>;

class MailboxTest : public testing::Test {
 protected:
  void StartReceive(MonotonicTime deadline = absl::InfiniteDuration()) {
    received_.reset();
    Spawn(io_, mailbox_.Receive(clock_, deadline, cancellation_), &received_);
    clock_.RunUntilIdle();
  }

  boost::asio::io_context io_;
  ManualClock clock_{io_};
  Cancellation cancellation_;
  Mailbox<int> mailbox_{io_.get_executor(), 2};
  std::optional<Received> received_;
};

TEST_F(MailboxTest, WaitsForAValue) {
  StartReceive();
  EXPECT_FALSE(received_);
  EXPECT_TRUE(mailbox_.Offer(5));
  clock_.RunUntilIdle();
  ASSERT_TRUE(received_ && received_->ok());
  EXPECT_EQ(**received_, 5);
}

TEST_F(MailboxTest, IsBoundedAndTellsWhenThereIsRoom) {
  int taken = 0;
  mailbox_.SetOnTaken([&] { ++taken; });
  EXPECT_TRUE(mailbox_.Offer(1));
  EXPECT_TRUE(mailbox_.Offer(2));
  EXPECT_TRUE(mailbox_.full());
  EXPECT_FALSE(mailbox_.Offer(3));
  StartReceive();
  EXPECT_EQ(**received_, 1);
  EXPECT_EQ(taken, 1);
  EXPECT_TRUE(mailbox_.Offer(3));
}

TEST_F(MailboxTest, CloseDeliversWhatIsLeftThenTheEnd) {
  EXPECT_TRUE(mailbox_.Offer(1));
  mailbox_.Close(absl::OkStatus());
  mailbox_.Close(absl::UnavailableError("too late to count"));
  EXPECT_FALSE(mailbox_.Offer(2));
  StartReceive();
  EXPECT_EQ(**received_, 1);
  StartReceive();
  ASSERT_TRUE(received_ && received_->ok());
  EXPECT_EQ(**received_, std::nullopt);
}

TEST_F(MailboxTest, CloseWithAnErrorWakesTheReceiver) {
  StartReceive();
  mailbox_.Close(absl::UnavailableError("gone"));
  clock_.RunUntilIdle();
  ASSERT_TRUE(received_);
  EXPECT_EQ(received_->status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MailboxTest, DeadlineEndsTheWait) {
  StartReceive(clock_.Monotonic() + absl::Seconds(1));
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_FALSE(received_);
  clock_.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(received_);
  EXPECT_EQ(received_->status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(MailboxTest, CancellationEndsTheWaitAndDropsValues) {
  StartReceive();
  cancellation_.Cancel(absl::CancelledError("left"));
  clock_.RunUntilIdle();
  ASSERT_TRUE(received_);
  EXPECT_EQ(received_->status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(mailbox_.Offer(1));
  StartReceive();
  EXPECT_EQ(received_->status().code(), absl::StatusCode::kCancelled);
}

TEST_F(MailboxTest, SleepUntil) {
  std::optional<absl::Status> slept;
  Spawn(io_, SleepUntil(io_.get_executor(), clock_, clock_.Monotonic() + absl::Seconds(1), cancellation_), &slept);
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_FALSE(slept);
  clock_.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(slept);
  EXPECT_TRUE(slept->ok());
  slept.reset();
  Spawn(io_, SleepUntil(io_.get_executor(), clock_, clock_.Monotonic() + absl::Seconds(1), cancellation_), &slept);
  clock_.RunUntilIdle();
  cancellation_.Cancel(absl::CancelledError("left"));
  clock_.RunUntilIdle();
  ASSERT_TRUE(slept);
  EXPECT_EQ(slept->code(), absl::StatusCode::kCancelled);
}

TEST(Cancellation, RunsCallbacksOnceAndForgetsUnregistered) {
  Cancellation cancellation;
  std::string order;
  auto a = cancellation.OnCancel([&] { order += "a"; });
  auto b = cancellation.OnCancel([&] { order += "b"; });
  auto c = cancellation.OnCancel([&] { order += "c"; });
  b.Reset();
  cancellation.Cancel(absl::CancelledError("first"));
  cancellation.Cancel(absl::DeadlineExceededError("second"));
  EXPECT_EQ(order, "ac");
  EXPECT_EQ(cancellation.reason().code(), absl::StatusCode::kCancelled);
  auto d = cancellation.OnCancel([&] { order += "d"; });
  EXPECT_EQ(order, "acd");
}

}  // namespace
}  // namespace headgate
