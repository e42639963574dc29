// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Prompt lookup in the engine: the answer is the one without it, whatever is sampled; drawn tokens have the model's
// distribution; a step never has more rows or outputs than the backend takes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "engine/prompt_lookup.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

// The toy model never repeats itself, so a bias makes it: a few tokens only, and the seed chooses among them.
v1::GenerateRequest Repetitive(int i, bool lookup) {
  v1::GenerateRequest request = Ask(absl::StrCat("say it again ", i, " forever"), 120);
  request.mutable_sampling()->set_temperature(i % 3 == 0 ? 0.0F : 0.6F);
  request.mutable_sampling()->set_seed(static_cast<uint64_t>(i));
  const int tokens = 2 + i % 3;
  for (int token = 0; token < tokens; ++token) (*request.mutable_sampling()->mutable_logit_bias())[300 + token] = 100;
  request.set_prompt_lookup(lookup);
  return request;
}

class SpeculationTest : public EngineTest {
 protected:
  std::string Made(const v1::GenerateRequest& request) {
    const auto answer = Submit(request);
    EXPECT_TRUE(answer->WaitEnd().ok());
    tokens_ = answer->finish().usage().completion_tokens();
    return answer->text();
  }
  int64_t tokens_ = 0;
};

TEST_F(SpeculationTest, AnswersAreThoseWithout) {
  Start({.context_tokens = 8192});
  for (int i = 0; i < 12; ++i) {
    const std::string without = Made(Repetitive(i, false));
    const int64_t tokens = tokens_;
    EXPECT_EQ(Made(Repetitive(i, true)), without) << i;
    EXPECT_EQ(tokens_, tokens) << i;
  }
  EXPECT_GT(Value("vllm:spec_decode_num_accepted_tokens_total"), 60) << "nothing was guessed: nothing is tested";
  EXPECT_GT(Value("vllm:spec_decode_num_draft_tokens_total"), Value("vllm:spec_decode_num_accepted_tokens_total"))
      << "nothing was refused";
  double by_place = 0;
  double before = Value("vllm:spec_decode_num_drafts_total");
  for (int place = 0; place < PromptLookup::kLengthMax; ++place) {
    const double held = Value("vllm:spec_decode_num_accepted_tokens_per_pos_total",
                              {{"model_name", "reference"}, {"engine", "0"}, {"position", absl::StrCat(place)}});
    EXPECT_LE(held, before) << "a guess counts only after those before it";
    by_place += before = held;
  }
  EXPECT_EQ(by_place, Value("vllm:spec_decode_num_accepted_tokens_total"));
  // The steps that were saved.
  EXPECT_LT(static_cast<double>(rows_.size()), Value("vllm:generation_tokens_total"));
}

TEST_F(SpeculationTest, TogetherWithOthersAndUnderPressure) {
  Start({.context_tokens = 700, .batch_tokens_max = 24, .sequences_max = 6},
        {.answer_cells = 16, .swap_bytes_max = 1 << 20});
  std::vector<std::string> without;
  for (int i = 0; i < 8; ++i) without.push_back(Alone(Repetitive(i, false)));
  gate_.Close();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 8; ++i) answers.push_back(Submit(Repetitive(i, i % 2 == 0)));
  gate_.Open();
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_TRUE(answers[i]->WaitEnd().ok());
    EXPECT_EQ(answers[i]->text(), without[i]) << i;
  }
  EXPECT_GT(Value("vllm:spec_decode_num_accepted_tokens_total"), 20);
  engine_.reset();
  EXPECT_LE(*std::max_element(rows_.begin(), rows_.end()), 24);
}

TEST_F(SpeculationTest, EndsAreExact) {
  Start();
  for (const int most : {1, 2, 3, 5, 17}) {
    v1::GenerateRequest request = Repetitive(3, true);
    request.set_max_tokens(most);
    Made(request);
    EXPECT_EQ(tokens_, most);
  }
  // A stop string in the middle of what was guessed.
  v1::GenerateRequest request = Repetitive(3, false);
  const std::string whole = Made(request);
  request.add_stop(whole.substr(whole.size() / 2, 12));
  const std::string cut = Made(request);
  request.set_prompt_lookup(true);
  EXPECT_EQ(Made(request), cut);
  // Log-probabilities belong to their tokens.
  request.clear_stop();
  request.set_logprobs(1);
  const auto with = Submit(request);
  ASSERT_TRUE(with->WaitEnd().ok());
  request.set_prompt_lookup(false);
  const auto plain = Submit(request);
  ASSERT_TRUE(plain->WaitEnd().ok());
  const auto all = [](Answer& answer) {
    std::string text;
    for (const auto& delta : answer.deltas()) {
      for (const auto& token : delta.logprobs()) absl::StrAppend(&text, token.token_id(), " ", token.logprob(), ";");
    }
    return text;
  };
  EXPECT_EQ(all(*with), all(*plain));
  EXPECT_FALSE(all(*plain).empty());
}

// Drawn tokens with guesses have the same distribution as drawn ones without, over seeds that the two do not share: a
// two-sample chi-square test over the pairs of neighbouring tokens.
TEST_F(SpeculationTest, UnbiasedUnderSampling) {
  Start({.context_tokens = 8192, .sequences_max = 16});
  std::map<std::string, std::array<double, 2>> counts;
  std::array<double, 2> totals{};
  for (int i = 0; i < 400; ++i) {
    v1::GenerateRequest request = Ask("the same question forever", 12);
    request.mutable_sampling()->set_temperature(1.5F);
    request.mutable_sampling()->set_seed(static_cast<uint64_t>(1000 + i));
    for (const int token : {300, 301}) (*request.mutable_sampling()->mutable_logit_bias())[token] = 100;
    request.set_prompt_lookup(i % 2 == 0);
    const std::string text = Made(request);
    ++counts[text.substr(text.size() / 2)][static_cast<size_t>(i % 2)];
    ++totals[static_cast<size_t>(i % 2)];
  }
  double chi_square = 0;
  int rare = 0;
  for (const auto& [text, count] : counts) {
    const double all = count[0] + count[1];
    if (all < 8) {
      ++rare;
      continue;
    }
    for (size_t k = 0; k < 2; ++k) {
      const double expected = all * totals[k] / (totals[0] + totals[1]);
      chi_square += (count[k] - expected) * (count[k] - expected) / expected;
    }
  }
  const double freedom = static_cast<double>(counts.size()) - rare;
  EXPECT_GT(freedom, 4) << "the answers are too alike to tell";
  EXPECT_GT(Value("vllm:spec_decode_num_accepted_tokens_total"), 100);
  EXPECT_LT(chi_square, freedom + 4 * std::sqrt(2 * freedom));  // four standard deviations
}

}  // namespace
}  // namespace headgate::engine
