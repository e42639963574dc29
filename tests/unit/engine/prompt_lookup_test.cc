// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/prompt_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headgate::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(PromptLookup, GuessesWhatFollowedTheNewestTokensBefore) {
  const struct {
    const char* name;
    std::vector<Token> tokens;
    int32_t most;
    std::vector<Token> draft;
  } rows[] = {
      {"repeats", {1, 2, 3, 4, 5, 6, 1, 2, 3}, 8, {4, 5, 6, 1}},
      {"most", {1, 2, 3, 4, 5, 6, 1, 2, 3}, 2, {4, 5}},
      {"the_last_occurrence", {1, 2, 3, 7, 1, 2, 3, 8, 9, 1, 2, 3}, 2, {8, 9}},
      {"new", {1, 2, 3, 4, 5, 6}, 8, {}},
      {"two_equal_tokens_are_chance", {1, 2, 3, 9, 2, 3}, 8, {}},
      {"short", {1, 1}, 8, {}},
      {"itself", {5, 5, 5, 5}, 8, {5}},
      {"large_ids", {2000000, 1999999, 7, 8, 2000000, 1999999, 7}, 8, {8, 2000000, 1999999, 7}},
  };
  for (const auto& row : rows) {
    PromptLookup lookup;
    EXPECT_EQ(lookup.Draft(row.tokens, row.most), row.draft) << row.name;
  }
}

TEST(PromptLookup, PausesWhereGuessesDoNotPay) {
  PromptLookup lookup;
  const std::vector<Token> tokens = {1, 2, 3, 4, 1, 2, 3};
  EXPECT_TRUE(lookup.Pause());
  for (int i = 0; i < PromptLookup::kUselessPause; ++i) EXPECT_THAT(lookup.Draft(tokens, 4), IsEmpty()) << i;
  EXPECT_THAT(lookup.Draft(tokens, 4), SizeIs(4));
  const double before = lookup.share();
  lookup.Observe(4, 4);
  EXPECT_GT(lookup.share(), before);
  lookup.Observe(4, 1);
  lookup.Observe(4, 0);
  EXPECT_LT(lookup.share(), before);
  int tried = 0;
  for (int i = 0; i < 2 * PromptLookup::kTryAgain; ++i) tried += lookup.Pause() ? 0 : 1;
  EXPECT_EQ(tried, 2);
}

TEST(PromptLookup, LearnsAsTheSequenceGrows) {
  PromptLookup lookup;
  std::vector<Token> tokens = {1, 2, 3, 4};
  EXPECT_THAT(lookup.Draft(tokens, 4), IsEmpty());
  tokens.insert(tokens.end(), {9, 1, 2, 3});
  EXPECT_THAT(lookup.Draft(tokens, 4), ElementsAre(4, 9, 1, 2));
}

TEST(PromptLookup, BacksOffWhereItFailsAndGrowsWhereItHolds) {
  std::vector<Token> tokens;
  for (int i = 0; i < 90; ++i) tokens.push_back(i % 30);
  PromptLookup lookup;
  EXPECT_THAT(lookup.Draft(tokens, 64), SizeIs(4));
  lookup.Observe(4, 4);
  EXPECT_THAT(lookup.Draft(tokens, 64), SizeIs(8));
  lookup.Observe(8, 8);
  EXPECT_THAT(lookup.Draft(tokens, 64), SizeIs(PromptLookup::kLengthMax));
  lookup.Observe(12, 3);
  EXPECT_THAT(lookup.Draft(tokens, 64), SizeIs(4));
  // Each miss doubles the calls without a guess.
  int silent_before = 0;
  for (int miss = 0; miss < 10; ++miss) {
    lookup.Observe(2, 0);
    int silent = 0;
    while (lookup.Draft(tokens, 64).empty()) ++silent;
    EXPECT_EQ(silent, std::min(2 << miss, PromptLookup::kPauseMax));
    EXPECT_GE(silent, silent_before);
    silent_before = silent;
  }
  lookup.Observe(2, 1);
  EXPECT_THAT(lookup.Draft(tokens, 64), SizeIs(2)) << "one that held ends the pauses";
}

}  // namespace
}  // namespace headgate::engine
