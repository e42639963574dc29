// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Answers that give way and come back: their state is kept in host memory up to a bound, put back byte by byte, and the
// answers are those of each alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "absl/strings/str_cat.h"
#include "tests/unit/engine/engine_harness.h"

namespace headgate::engine {
namespace {

class SwapTest : public EngineTest {
 protected:
  // Cells for two answers where eight want to be made: they take turns.
  static ReferenceConfig Small() { return {.context_tokens = 400, .sequences_max = 8, .cache_sequences = 0}; }
  void Crowd() {
    std::vector<v1::GenerateRequest> requests;
    for (int i = 0; i < 8; ++i) requests.push_back(Ask(absl::StrCat("number ", i, " forever"), 150));
    gate_.Close();
    std::vector<std::shared_ptr<Answer>> answers;
    for (const auto& request : requests) answers.push_back(Submit(request));
    gate_.Open();
    for (size_t i = 0; i < answers.size(); ++i) {
      EXPECT_TRUE(answers[i]->WaitEnd().ok());
      EXPECT_EQ(answers[i]->text(), Alone(requests[i])) << i;
    }
    EXPECT_GT(Value("vllm:num_preemptions_total"), 0);
  }
  double Out() { return Value("headgate_engine_swaps_out_total"); }
  double In() { return Value("headgate_engine_swaps_in_total"); }
  double Bytes() {
    engine_->RefreshMetrics();
    const Labels labels = {{"model_name", "reference"}, {"engine", "0"}};
    return metrics_.GetGauge("headgate_engine_swapped_bytes", "", labels).Value();
  }
};

TEST_F(SwapTest, KeptStatesGoOnWhereTheyWere) {
  Start(Small(), {.answer_cells = 16, .swap_bytes_max = 1 << 20});
  Crowd();
  EXPECT_GT(Out(), 0);
  EXPECT_EQ(In(), Out());
  EXPECT_EQ(Bytes(), 0) << "memory stays";
  // Nothing was computed twice: one row for each token of a prompt or an answer but an answer's last.
  engine_.reset();
  int rows = 0;
  for (const int32_t n : rows_) rows += n;
  const double tokens = Value("vllm:prompt_tokens_total") + Value("vllm:generation_tokens_total");
  EXPECT_EQ(rows, tokens - 8);
}

TEST_F(SwapTest, WithoutRoomItIsComputedAgain) {
  Start(Small(), {.answer_cells = 16, .swap_bytes_max = 0});
  Crowd();
  EXPECT_EQ(Out(), 0);
}

TEST_F(SwapTest, TheBoundHolds) {
  std::atomic<double> peak{0};
  Start(Small(), {.answer_cells = 16, .swap_bytes_max = 4000},  // one answer at a time
        [&](absl::Span<const BatchRow>, const Backend&) {
          peak = std::max(peak.load(), Bytes());
          return absl::OkStatus();
        });
  Crowd();
  EXPECT_EQ(In(), Out());
  EXPECT_EQ(Bytes(), 0);
  EXPECT_LE(peak, 4000);
  EXPECT_GT(peak, 0);
  EXPECT_LT(Out(), Value("vllm:num_preemptions_total")) << "there was room for all: nothing is tested";
}

TEST_F(SwapTest, AStateThatCannotBePutBackIsComputedAgain) {
  Start(Small(), {.answer_cells = 16, .swap_bytes_max = 1 << 20});
  backend_->FailRestores();
  Crowd();
  EXPECT_GT(Out(), 0);
  EXPECT_EQ(In(), 0);
  EXPECT_EQ(Bytes(), 0);
}

TEST_F(SwapTest, CancelledWhileSwappedGivesTheMemoryBack) {
  Start(Small(), {.answer_cells = 16, .swap_bytes_max = 1 << 20});
  std::vector<uint64_t> ids;
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(Submit(Ask(absl::StrCat("number ", i, " forever"), 150)));
    ids.push_back(last_);
  }
  while (Out() == 0 && !answers[0]->ended()) answers[0]->WaitDeltas(answers[0]->delta_count() + 1);
  for (const uint64_t id : ids) engine_->Cancel(id);
  for (const auto& answer : answers) answer->WaitEnd();
  EXPECT_EQ(Bytes(), 0);
}

TEST(ReferenceState, IsSavedAndPutBackByteByByte) {
  const auto backend = MakeReferenceBackend({.context_tokens = 64});
  const auto tokens = backend->Tokenize("some words and é ü", true, false);
  std::vector<BatchRow> rows;
  for (size_t i = 0; i < tokens.size(); ++i) rows.push_back({tokens[i], static_cast<int32_t>(i), 3, false});
  ASSERT_TRUE(backend->Decode(rows).ok());
  const auto state = backend->SaveState(3, 1 << 20);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(backend->SaveState(3, 10).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(backend->RestoreState(3, *state).ok()) << "the sequence is not empty";
  backend->Truncate(3, 0);
  ASSERT_TRUE(backend->RestoreState(5, *state).ok());
  EXPECT_EQ(backend->Length(5), static_cast<int32_t>(tokens.size()));
  EXPECT_EQ(*backend->SaveState(5, 1 << 20), *state);
  EXPECT_FALSE(backend->RestoreState(6, absl::MakeSpan(*state).first(state->size() - 1)).ok());
  EXPECT_EQ(backend->Length(6), 0);
}

}  // namespace
}  // namespace headgate::engine
