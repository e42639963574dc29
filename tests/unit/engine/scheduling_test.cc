// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The engine under contention: prefixes shared, cells overcommitted, classes and tenants. Whatever happens, each answer
// is the one the request gets alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

using SchedulingTest = EngineTest;

v1::GenerateRequest With(v1::Priority priority, v1::GenerateRequest request) {
  request.set_priority(priority);
  return request;
}

v1::GenerateRequest AskAfter(const std::string& system, const std::string& text, int32_t max_tokens) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_SYSTEM);
  message->set_content(system);
  *request.add_messages() = Ask(text).messages(0);
  request.set_max_tokens(max_tokens);
  return request;
}

TEST_F(SchedulingTest, ASecondRequestUsesThePrefixOfTheFirst) {
  Start();
  const std::string system(300, 's');
  ASSERT_TRUE(Submit(AskAfter(system, "one", 5))->WaitEnd().ok());
  const auto second = Submit(AskAfter(system, "two", 20));
  ASSERT_TRUE(second->WaitEnd().ok());
  EXPECT_EQ(second->text(), Alone(AskAfter(system, "two", 20)));
  EXPECT_GE(second->finish().usage().cached_tokens(), 300);
  EXPECT_LT(second->finish().usage().cached_tokens(), second->finish().usage().prompt_tokens());
  EXPECT_EQ(Value("vllm:prefix_cache_hits_total"), second->finish().usage().cached_tokens());
  EXPECT_GT(Value("vllm:prefix_cache_queries_total"), 600);
}

TEST_F(SchedulingTest, AConversationGoesOnWhereItEnded) {
  Start();
  auto request = Ask("begin", 30);
  const auto first = Submit(request);
  ASSERT_TRUE(first->WaitEnd().ok());
  auto* answer = request.add_messages();
  answer->set_role(v1::ROLE_ASSISTANT);
  answer->set_content(first->text());
  *request.add_messages() = Ask("go on").messages(0);
  const auto second = Submit(request);
  ASSERT_TRUE(second->WaitEnd().ok());
  EXPECT_EQ(second->text(), Alone(request));
  EXPECT_GT(second->finish().usage().cached_tokens(), first->finish().usage().prompt_tokens())
      << "the answer's tokens are cached too";
}

TEST_F(SchedulingTest, TenantsDoNotMeetInTheCache) {
  Start();
  const auto ask = AskAfter(std::string(300, 's'), "one", 5);
  const auto as = [&](const std::string& tenant) {
    auto answer = std::make_shared<Answer>();
    EXPECT_TRUE(engine_->Submit(ask, kNever, answer, tenant).ok());
    EXPECT_TRUE(answer->WaitEnd().ok());
    return answer->finish().usage().cached_tokens();
  };
  EXPECT_EQ(as("a"), 0);
  EXPECT_EQ(as("b"), 0) << "what a asked may not be measured by b";
  EXPECT_GT(as("a"), 300);
  EXPECT_EQ(as(""), 0);
}

TEST_F(SchedulingTest, TenantsShareWhereConfigured) {
  Start({}, {.share_between_tenants = true});
  auto ask = AskAfter(std::string(300, 's'), "one", 5);
  ask.set_user("a");
  ASSERT_TRUE(Submit(ask)->WaitEnd().ok());
  ask.set_user("b");
  const auto second = Submit(ask);
  ASSERT_TRUE(second->WaitEnd().ok());
  EXPECT_GT(second->finish().usage().cached_tokens(), 300);
}

TEST_F(SchedulingTest, CallersWithOneNewSystemPromptComputeItOnce) {
  Start({.context_tokens = 4096, .batch_tokens_max = 64, .sequences_max = 16});
  gate_.Close();
  const std::string system(700, 's');
  std::vector<std::shared_ptr<Answer>> answers;
  const auto ask = [&](int i) { return AskAfter(system, absl::StrCat("caller ", i), 8); };
  for (int i = 0; i < 16; ++i) answers.push_back(Submit(ask(i)));
  gate_.Open();
  int64_t prompts = 0;
  int64_t cached = 0;
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(answers[static_cast<size_t>(i)]->WaitEnd().ok());
    EXPECT_EQ(answers[static_cast<size_t>(i)]->text(), Alone(ask(i))) << i;
    prompts += answers[static_cast<size_t>(i)]->finish().usage().prompt_tokens();
    cached += answers[static_cast<size_t>(i)]->finish().usage().cached_tokens();
  }
  EXPECT_GE(cached, 15 * 700);
  engine_.reset();
  int64_t rows = 0;
  for (const int32_t n : rows_) rows += n;
  EXPECT_LE(rows, prompts - cached + 16 * 8);
}

// Who computed the common prefix waits for the others' own few tokens: no answer is running yet that they would delay.
TEST_F(SchedulingTest, CallersWithOneSystemPromptAreAnsweredSideBySide) {
  Start({.context_tokens = 4096, .batch_tokens_max = 256, .sequences_max = 16}, {.step_prefill_tokens = 4});
  gate_.Close();
  const std::string system(400, 's');
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(Submit(AskAfter(system, absl::StrCat("caller ", i, " forever"), 8)));
  gate_.Open();
  for (const auto& answer : answers) EXPECT_TRUE(answer->WaitEnd().ok());
  engine_.reset();
  EXPECT_LE(rows_.size(), 12u);  // prefix, rests, eight tokens
}

TEST_F(SchedulingTest, WaitingForAPrefixSurvivesTheOnesWhoComputeIt) {
  Start({.context_tokens = 4096, .batch_tokens_max = 32, .sequences_max = 8});
  gate_.Close();
  const std::string system(400, 's');
  const auto first = Submit(AskAfter(system, "first", 8));
  const uint64_t first_id = last_;
  const auto second = Submit(AskAfter(system, "second", 8));
  const uint64_t second_id = last_;
  const auto third = Submit(AskAfter(system, "third", 8));
  gate_.Allow(4);
  gate_.WaitArrived(5);
  engine_->Cancel(first_id);
  gate_.Allow(3);
  gate_.WaitArrived(8);
  engine_->Cancel(second_id);
  gate_.Open();
  EXPECT_EQ(first->WaitEnd().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second->WaitEnd().code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(third->WaitEnd().ok());
  EXPECT_EQ(third->text(), Alone(AskAfter(system, "third", 8)));
  EXPECT_GT(third->finish().usage().cached_tokens(), 90) << "what the cancelled ones computed was not lost";
}

TEST_F(SchedulingTest, OvercommittedCellsPreemptAndFailNobody) {
  // Each asks for 200 tokens of answer and has 10 reserved at first: together they want three times the cache.
  Start({.context_tokens = 400, .sequences_max = 8}, {.answer_cells = 10});
  gate_.Close();
  std::vector<std::shared_ptr<Answer>> answers;
  const auto ask = [](int i) { return Ask(absl::StrCat(" forever ", i), 200); };
  for (int i = 0; i < 6; ++i) answers.push_back(Submit(ask(i)));
  gate_.Open();
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(answers[static_cast<size_t>(i)]->WaitEnd().ok()) << answers[static_cast<size_t>(i)]->WaitEnd();
    EXPECT_EQ(answers[static_cast<size_t>(i)]->text(), Alone(ask(i), {.context_tokens = 400})) << i;
  }
  EXPECT_GT(Value("vllm:num_preemptions_total"), 0);
  const auto load = engine_->CurrentLoad();
  EXPECT_EQ(load.kv_cells_free(), load.kv_cells_total());
}

TEST_F(SchedulingTest, InteractiveTakesThePlaceOfBatchWhichGoesOnLater) {
  Start({.sequences_max = 2});
  gate_.Close();
  const auto ask = [](int i) { return With(v1::PRIORITY_BATCH, Ask(absl::StrCat(" forever ", i), 40)); };
  const auto one = Submit(ask(1));
  const auto two = Submit(ask(2));
  gate_.Allow(5);
  gate_.WaitArrived(6);
  const auto now = Submit(With(v1::PRIORITY_INTERACTIVE, Ask("now", 3)));
  gate_.Allow(4);
  EXPECT_TRUE(now->WaitEnd().ok());
  EXPECT_FALSE(one->ended());
  EXPECT_FALSE(two->ended());
  gate_.Open();
  ASSERT_TRUE(one->WaitEnd().ok());
  ASSERT_TRUE(two->WaitEnd().ok());
  EXPECT_EQ(one->text(), Alone(ask(1)));
  EXPECT_EQ(two->text(), Alone(ask(2)));
  EXPECT_EQ(Value("vllm:num_preemptions_total"), 1);
}

TEST_F(SchedulingTest, WaitingLongBeatsAClass) {
  Start({.sequences_max = 1}, {.aging = absl::Seconds(10)});
  gate_.Close();
  const auto running = Submit(Ask("a", 2));
  gate_.WaitArrived(1);
  const auto batch = Submit(With(v1::PRIORITY_BATCH, Ask("b", 2)));
  clock_.Advance(absl::Seconds(21));
  const auto interactive = Submit(With(v1::PRIORITY_INTERACTIVE, Ask("c", 2)));
  gate_.Allow(3);  // the rest of the running one, and the first step of the next
  batch->WaitDeltas(1);
  EXPECT_EQ(interactive->delta_count(), 0u);
  gate_.Open();
  EXPECT_TRUE(interactive->WaitEnd().ok());
}

// Admitted, but without rows while prompts of a better class take the whole step.
TEST_F(SchedulingTest, AnAdmittedPromptAgesToo) {
  Start({.batch_tokens_max = 64, .sequences_max = 4}, {.aging = absl::Seconds(10)});
  gate_.Close();
  const auto normal = Submit(Ask(std::string(1200, 'n'), 1));
  gate_.WaitArrived(1);
  const auto batch = Submit(With(v1::PRIORITY_BATCH, Ask(std::string(100, 'b'), 1)));
  gate_.Allow(6);
  gate_.WaitArrived(7);
  EXPECT_EQ(engine_->CurrentLoad().running(), 2);
  EXPECT_FALSE(batch->ended());
  clock_.Advance(absl::Seconds(21));  // both are of the best class now, and share
  gate_.Allow(7);
  gate_.WaitArrived(14);
  EXPECT_TRUE(batch->ended());
  EXPECT_FALSE(normal->ended());
  gate_.Open();
  EXPECT_TRUE(normal->WaitEnd().ok());
}

TEST_F(SchedulingTest, ATenantWithManyRequestsDoesNotHoldUpAnother) {
  Start({.sequences_max = 1});
  gate_.Close();
  std::vector<std::shared_ptr<Answer>> greedy;
  auto many = Ask("more", 2);
  many.set_user("greedy");
  for (int i = 0; i < 5; ++i) greedy.push_back(Submit(many));
  gate_.WaitArrived(1);
  auto one = Ask("only one", 2);
  one.set_user("modest");
  const auto modest = Submit(one);
  gate_.Allow(2 + 2);
  EXPECT_TRUE(modest->WaitEnd().ok()) << "the second to be answered";
  EXPECT_FALSE(greedy[1]->ended());
  gate_.Open();
  for (const auto& answer : greedy) EXPECT_TRUE(answer->WaitEnd().ok());
}

TEST_F(SchedulingTest, ADeadlineThatCannotBeMetIsRefusedBeforeAnyWork) {
  // A prompt token takes 10 ms.
  ReferenceConfig config;
  Start(config, {}, [this](absl::Span<const BatchRow> rows, const Backend&) {
    clock_.Advance(absl::Milliseconds(10) * static_cast<int64_t>(rows.size()));
    return absl::OkStatus();
  });
  ASSERT_TRUE(Submit(Ask(std::string(100, 'x'), 2))->WaitEnd().ok());
  const double steps = static_cast<double>(rows_.size());
  const auto hopeless = Submit(Ask(std::string(100, 'y'), 2), clock_.Monotonic() + absl::Milliseconds(300));
  EXPECT_EQ(hopeless->WaitEnd().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(hopeless->WaitEnd().message()), testing::HasSubstr("cannot be met"));
  EXPECT_EQ(static_cast<double>(rows_.size()), steps);
  EXPECT_TRUE(Submit(Ask(std::string(100, 'x'), 1), clock_.Monotonic() + absl::Milliseconds(300))->WaitEnd().ok())
      << "its prompt is cached";
  EXPECT_TRUE(Submit(Ask(std::string(100, 'z'), 1), clock_.Monotonic() + absl::Seconds(10))->WaitEnd().ok());
}

TEST_F(SchedulingTest, WarmUpComesBeforeHealth) {
  gate_.Close();
  Start({.sequences_max = 4}, {.warm_up = true});
  gate_.WaitArrived(1);
  EXPECT_FALSE(engine_->Healthy());
  const auto early = Submit(Ask("x", 3));
  gate_.Open();
  ASSERT_TRUE(early->WaitEnd().ok());
  EXPECT_EQ(early->text(), Alone(Ask("x", 3))) << "nothing of the warm-up is left in the cells";
  EXPECT_TRUE(engine_->Healthy());
}

// A step costs 10 ms, a prompt row 1 ms, an answer's row 2 ms more.
TEST_F(SchedulingTest, WarmUpMeasuresSeveralSizes) {
  Start({.sequences_max = 8}, {.step_target = absl::Milliseconds(150), .warm_up = true},
        [this](absl::Span<const BatchRow> rows, const Backend&) {
          const bool answers = std::all_of(rows.begin(), rows.end(), [](const BatchRow& row) { return row.output; });
          clock_.Advance(absl::Milliseconds(10 + (answers ? 3 : 1) * static_cast<int64_t>(rows.size())));
          return absl::OkStatus();
        });
  ASSERT_TRUE(Submit(Ask("x", 1))->WaitEnd().ok());
  const v1::Load load = engine_->CurrentLoad();
  std::map<int32_t, double> rates;
  for (const v1::DecodeRate& rate : load.decode_rates()) rates[rate.answers()] = rate.tokens_per_second();
  for (const int answers : {1, 2, 4, 8}) EXPECT_NEAR(rates[answers], answers / (.010 + .003 * answers), 1) << answers;
  EXPECT_THAT(std::vector<int32_t>(rows_.begin(), rows_.begin() + 5), testing::ElementsAre(8, 16, 32, 64, 128))
      << "up to half of the target";
  // 832, or 809 with the request's own prompt.
  EXPECT_NEAR(load.prefill_tokens_per_second(), 820, 15);
  EXPECT_EQ(load.running_max(), 8);
}

}  // namespace
}  // namespace headgate::engine
