// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "engine/backend/reference.h"

namespace headgate::engine {
namespace {

class RequestQueueTest : public testing::Test {
 protected:
  std::unique_ptr<Sequence> Make(uint64_t request, size_t prompt = 3,
                                 MonotonicTime deadline = absl::InfiniteDuration(),
                                 MonotonicTime submitted = absl::ZeroDuration()) {
    SequenceOptions options;
    options.submitted = submitted;
    options.request = request;
    options.prompt.assign(prompt, 9);
    options.max_tokens = 5;
    options.deadline = deadline;
    return std::make_unique<Sequence>(std::move(options), *backend_);
  }
  absl::Status Push(uint64_t request, size_t prompt = 3, MonotonicTime deadline = absl::InfiniteDuration()) {
    absl::Status status = queue_.CheckRoom(1);
    if (status.ok()) queue_.Put(Make(request, prompt, deadline));
    return status;
  }

  std::vector<WaitingRequest> Waiting() const {
    return queue_.Waiting(absl::Seconds(100), absl::Seconds(40), [](const Sequence& s) { return s.cells_most(); });
  }

  std::unique_ptr<Backend> backend_ = MakeReferenceBackend({});
  RequestQueue queue_{3};
};

TEST_F(RequestQueueTest, RefusesWhenFull) {
  for (uint64_t i = 1; i <= 2; ++i) ASSERT_TRUE(Push(i).ok());
  EXPECT_TRUE(queue_.CheckRoom(1).ok());
  EXPECT_EQ(queue_.CheckRoom(2).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(Push(3).ok());
  EXPECT_EQ(Push(4).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(queue_.size(), 3);
}

TEST_F(RequestQueueTest, TakesAReturnedRequestEvenWhenFull) {
  for (uint64_t i = 2; i <= 4; ++i) ASSERT_TRUE(Push(i).ok());
  queue_.Put(Make(1));
  EXPECT_EQ(queue_.size(), 4);
  EXPECT_EQ(Waiting().front().request, 1u) << "keeps its place by arrival";
}

TEST_F(RequestQueueTest, CountsTokensAndCells) {
  ASSERT_TRUE(Push(1, 10).ok());
  ASSERT_TRUE(Push(2, 20).ok());
  EXPECT_EQ(queue_.tokens_left(), 30);
  EXPECT_EQ(Waiting()[1].cells_needed, 25);
  EXPECT_NE(queue_.Remove(1), nullptr);
  EXPECT_EQ(queue_.tokens_left(), 20);
  EXPECT_EQ(queue_.Remove(1), nullptr);
}

TEST_F(RequestQueueTest, WaitingRaisesTheRank) {
  auto old = Make(1);
  auto fresh = Make(2, 3, absl::InfiniteDuration(), absl::Seconds(99));
  queue_.Put(std::move(old));
  queue_.Put(std::move(fresh));
  EXPECT_EQ(Waiting()[0].rank, 0) << "normal, waited 100 s";
  EXPECT_EQ(Waiting()[0].rank_own, 1);
  EXPECT_EQ(Waiting()[1].rank, 1) << "normal, waited 1 s";
}

TEST_F(RequestQueueTest, RemovesThoseAskedFor) {
  ASSERT_TRUE(Push(1, 3, absl::Seconds(1)).ok());
  ASSERT_TRUE(Push(2, 3, absl::Seconds(2)).ok());
  ASSERT_TRUE(Push(3).ok());
  const auto expired = queue_.RemoveIf([](const Sequence& s) { return s.deadline() <= absl::Seconds(1); });
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0]->request(), 1u);
  EXPECT_EQ(queue_.RemoveAll().size(), 2u) << "those without a deadline too";
}

}  // namespace
}  // namespace headgate::engine
