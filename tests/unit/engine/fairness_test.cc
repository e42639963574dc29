// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The two small parts that feed the planner: whose turn it is, and how large a step may be.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "engine/step_budget.h"
#include "engine/tenant_ledger.h"

namespace headgate::engine {
namespace {

using testing::ElementsAre;

TEST(TenantLedger, AddsUpAndWeighsAnswersTwice) {
  TenantLedger ledger;
  const int32_t a = ledger.Enter("a");
  const int32_t b = ledger.Enter("b");
  ledger.ServedPrompt(a, 10);
  ledger.ServedAnswer(b, 10);
  EXPECT_THAT(ledger.Tokens(), ElementsAre(10, 20));
  EXPECT_EQ(ledger.Enter("a"), a);
}

TEST(TenantLedger, APauseEarnsNoCredit) {
  TenantLedger ledger;
  const int32_t a = ledger.Enter("a");
  const int32_t b = ledger.Enter("b");
  ledger.ServedPrompt(a, 10);
  ledger.Leave(a);
  ledger.ServedPrompt(b, 500);
  EXPECT_EQ(ledger.Enter("a"), a);
  EXPECT_THAT(ledger.Tokens(), ElementsAre(500, 500)) << "lifted to the least of those who are here";
  const int32_t c = ledger.Enter("c");
  EXPECT_EQ(ledger.Tokens()[static_cast<size_t>(c)], 500) << "a new one too";
}

TEST(TenantLedger, WhoLeavesWithMuchKeepsIt) {
  TenantLedger ledger;
  const int32_t a = ledger.Enter("a");
  ledger.Enter("b");
  ledger.ServedAnswer(a, 100);
  ledger.Leave(a);
  ledger.Enter("a");
  EXPECT_THAT(ledger.Tokens(), ElementsAre(200, 0));
}

TEST(TenantLedger, RemembersABoundedNumber) {
  TenantLedger ledger;
  for (size_t i = 0; i < 3 * TenantLedger::kIdleMax; ++i) ledger.Leave(ledger.Enter(absl::StrCat("tenant ", i)));
  EXPECT_LE(ledger.Tokens().size(), TenantLedger::kIdleMax + 1);
}

TEST(StepBudget, StartsCautious) {
  EXPECT_EQ(StepBudget(absl::Milliseconds(100), 512).PrefillTokens(1), 128);
  EXPECT_EQ(StepBudget(absl::Milliseconds(100), 37).PrefillTokens(1), 37);
  EXPECT_EQ(StepBudget(absl::ZeroDuration(), 512).PrefillTokens(1), 512) << "no target";
}

TEST(StepBudget, KeepsTheStepUnderTheTarget) {
  StepBudget budget(absl::Milliseconds(100), 512);
  for (int i = 0; i < 20; ++i) {
    budget.Observe(4, 0, 0.020);
    budget.Observe(4, 100, 0.020 + 0.2);  // 2 ms a prompt token
  }
  EXPECT_NEAR(budget.PrefillTokens(4), 40, 1) << "(100 - 20) / 2";
  EXPECT_NEAR(budget.prefill_seconds_per_token(), 0.002, 0.0001);
  for (int i = 0; i < 20; ++i) budget.Observe(4, 40, 0.020 + 0.4);  // deeper prompts, or a busy neighbour
  EXPECT_EQ(budget.PrefillTokens(4), StepBudget::kTokensMin) << "fewer do not pay";
  for (int i = 0; i < 40; ++i) budget.Observe(4, 100, 0.020 + 0.01);
  EXPECT_EQ(budget.PrefillTokens(4), 512) << "and up again";
}

// 600 ms whatever is in a step, and 3 ms for each prompt row: the target is out of reach, the prompt must not be.
TEST(StepBudget, FixedCostsAreSharedByMoreRows) {
  StepBudget budget(absl::Milliseconds(150), 512);
  budget.Observe(1, 0, 0.1);
  int32_t rows = 16;
  for (int i = 0; i < 50; ++i) {
    budget.Observe(1, rows, 0.6 + 0.003 * rows);
    rows = budget.PrefillTokens(1);
  }
  EXPECT_GE(rows, 64);
  EXPECT_LE(rows, 128);
}

// Where each row costs what it costs, fewer rows are a shorter gap: no more of them than must be.
TEST(StepBudget, RowsThatCostWhatTheyCostStayFew) {
  StepBudget budget(absl::Milliseconds(150), 512);
  budget.Observe(1, 0, 0.05);
  int32_t rows = 16;
  int more = 0;
  for (int i = 0; i < 400; ++i) {
    budget.Observe(1, rows, 0.05 + 0.02 * rows);
    rows = budget.PrefillTokens(1);
    more += rows > 16 ? 1 : 0;
  }
  EXPECT_EQ(budget.PrefillTokens(1), 16);
  EXPECT_LE(more, 5) << "tried now and then";
}

// A prompt that grows deeper, on a machine whose speed moves: steps lie around the target, none is tried at twice it.
TEST(StepBudget, StepsAroundTheTargetStayThere) {
  StepBudget budget(absl::Milliseconds(150), 512);
  budget.Observe(1, 0, 0.006);
  int32_t rows = 48;
  for (int i = 0; i < 600; ++i) {
    const double row_seconds = 0.003 + 0.000004 * i;
    const double speed = 0.9 + 0.05 * (i * 7 % 5);
    budget.Observe(1, rows, (0.006 + row_seconds * rows) * speed);
    rows = budget.PrefillTokens(1);
    EXPECT_LE(0.006 + row_seconds * rows, 0.2) << "step " << i;
  }
}

TEST(StepBudget, OneSlowStepIsNoReasonToGiveUp) {
  StepBudget budget(absl::Milliseconds(100), 512);
  for (int i = 0; i < 10; ++i) budget.Observe(0, 100, 0.1);
  budget.Observe(0, 100, 30);  // the machine stood still
  EXPECT_GT(budget.prefill_seconds_per_token(), 0.05);
  EXPECT_LT(budget.prefill_seconds_at_best(), 0.005);
  for (int i = 0; i < 500; ++i) budget.Observe(0, 100, 1);
  EXPECT_NEAR(budget.prefill_seconds_at_best(), 0.01, 0.001) << "but a slow machine is";
}

TEST(StepBudget, AnswersAtATimeFollowTheMeasuredRates) {
  const struct {
    const char* row;
    double target_ms;
    std::vector<std::pair<int32_t, double>> steps_ms;  // answers, step
    int32_t answers;                                   // of 32
  } rows[] = {
      {"nothing is known", 150, {}, 32},
      {"a small model", 150, {{1, 6}, {2, 12}, {4, 18}, {8, 30}, {16, 50}, {32, 95}}, 32},
      {"the largest size takes far too long for what it gives", 150, {{1, 20}, {8, 210}, {16, 400}, {32, 800}}, 16},
      {"it takes long, but pays", 150, {{1, 90}, {8, 400}, {16, 500}, {32, 800}}, 32},
      {"over the target for little", 150, {{1, 20}, {4, 60}, {8, 110}, {16, 210}, {32, 400}}, 32},
      {"over the target for a loss", 150, {{1, 20}, {4, 60}, {8, 110}, {16, 300}, {32, 590}}, 8},
      {"a busy machine", 150, {{1, 46}, {2, 38}, {4, 40}, {8, 44}, {16, 350}, {32, 206}}, 32},
      {"one alone passes the target", 150, {{1, 200}, {2, 260}, {4, 390}, {8, 700}, {32, 2500}}, 16},
      {"what is not known counts as good", 150, {{1, 20}, {8, 110}}, 32},
      {"more never help: four", 150, {{1, 160}, {2, 320}, {4, 640}, {8, 1280}}, 4},
      {"any gap is good", 0, {{1, 20}, {4, 60}, {8, 110}, {16, 320}, {32, 900}}, 32},
      {"a short step that gives less", 150, {{1, 0.01}, {8, 0.5}, {32, 9}}, 32},
  };
  for (const auto& row : rows) {
    StepBudget budget(absl::Milliseconds(row.target_ms), 512);
    for (const auto& [answers, ms] : row.steps_ms) budget.Observe(answers, 0, ms / 1000);
    EXPECT_EQ(budget.AnswersAtATime(32), 32) << row.row << ": one step of each is not enough";
    budget.Trust();
    EXPECT_EQ(budget.AnswersAtATime(32), row.answers) << row.row;
    EXPECT_EQ(budget.AnswersAtATime(2), std::min(row.answers, 2)) << row.row;
    EXPECT_EQ(budget.DecodeRates().size(), row.steps_ms.size()) << row.row;
  }
}

TEST(StepBudget, AnswersAtATimeAreTunedAnew) {
  StepBudget budget(absl::Milliseconds(150), 512);
  for (int i = 0; i < 20; ++i) budget.Observe(8, 0, 0.1);
  for (int i = 0; i < 20; ++i) budget.Observe(16, 0, 0.4);  // a busy neighbour
  EXPECT_EQ(budget.AnswersAtATime(32), 8);
  for (int i = 0; i < 2000; ++i) budget.Observe(8, 0, 0.05);  // it has gone: larger sizes are tried again
  EXPECT_EQ(budget.AnswersAtATime(32), 32);
  for (int i = 0; i < 20; ++i) budget.Observe(16, 0, 0.09);
  EXPECT_EQ(budget.AnswersAtATime(32), 32);
  EXPECT_NEAR(budget.DecodeRates().back().second, 16 / 0.09, 10);
}

TEST(StepBudget, KnowsDecodeStepsBySize) {
  StepBudget budget(absl::Milliseconds(100), 512);
  EXPECT_EQ(budget.DecodeSeconds(1), 0);
  budget.Observe(1, 0, 0.006);
  budget.Observe(20, 0, 0.070);
  EXPECT_EQ(budget.DecodeSeconds(1), 0.006);
  EXPECT_EQ(budget.DecodeSeconds(8), 0.006) << "the nearest below";
  EXPECT_EQ(budget.DecodeSeconds(32), 0.070);
  budget.Observe(1, 0, 0);
  EXPECT_EQ(budget.DecodeSeconds(1), 0.006) << "not measured";
}

}  // namespace
}  // namespace headgate::engine
