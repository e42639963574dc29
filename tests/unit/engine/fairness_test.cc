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

TEST(StepBudget, OneSlowStepIsNoReasonToGiveUp) {
  StepBudget budget(absl::Milliseconds(100), 512);
  for (int i = 0; i < 10; ++i) budget.Observe(0, 100, 0.1);
  budget.Observe(0, 100, 30);  // the machine stood still
  EXPECT_GT(budget.prefill_seconds_per_token(), 0.05);
  EXPECT_LT(budget.prefill_seconds_at_best(), 0.005);
  for (int i = 0; i < 500; ++i) budget.Observe(0, 100, 1);
  EXPECT_NEAR(budget.prefill_seconds_at_best(), 0.01, 0.001) << "but a slow machine is";
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
