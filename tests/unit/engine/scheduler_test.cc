// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace headgate::engine {
namespace {

std::string Show(const std::vector<Chunk>& chunks) {
  std::string text;
  for (const Chunk& chunk : chunks) text += absl::StrCat("{", chunk.sequence, ", ", chunk.tokens, "}");
  return text;
}

struct Row {
  const char* name;
  std::vector<RunningSequence> running;
  std::vector<WaitingRequest> waiting;
  StepLimits limits;  // batch, prefill, sequences, cells
  std::vector<uint64_t> admit;
  std::vector<int32_t> decode;
  std::vector<Chunk> prefill;
};

const v1::Priority kNow = v1::PRIORITY_INTERACTIVE;
const v1::Priority kNormal = v1::PRIORITY_NORMAL;
const v1::Priority kBatch = v1::PRIORITY_BATCH;

const Row kRows[] = {
    {"nothing", {}, {}, {512, 128, 8, 1000}, {}, {}, {}},
    {"decode_only", {{1, 0, 0}, {2, 1, 0}}, {}, {512, 128, 8, 1000}, {}, {0, 1}, {}},
    {"prefill_alone_uses_the_whole_batch", {{1, 0, 900}}, {}, {512, 128, 8, 1000}, {}, {}, {{0, 512}}},
    {"prefill_beside_decode_is_bounded", {{1, 0, 900}, {2, 1, 0}}, {}, {512, 128, 8, 1000}, {}, {1}, {{0, 128}}},
    {"decode_takes_its_rows_first", {{1, 0, 900}, {2, 1, 0}, {3, 2, 0}}, {}, {3, 128, 8, 1000}, {}, {1, 2}, {{0, 1}}},
    {"decode_fills_the_batch", {{1, 0, 9}, {2, 1, 0}, {3, 2, 0}}, {}, {2, 128, 8, 1000}, {}, {1, 2}, {}},
    {"more_decodes_than_rows_the_first", {{1, 0, 0}, {2, 1, 0}, {3, 2, 0}}, {}, {2, 9, 8, 1000}, {}, {0, 1}, {}},
    {"prompts_share_evenly", {{1, 0, 900}, {2, 1, 900}}, {}, {100, 50, 8, 1000}, {}, {}, {{0, 50}, {1, 50}}},
    {"a_short_prompt_leaves_its_rest", {{1, 0, 900}, {2, 1, 10}}, {}, {100, 50, 8, 1000}, {}, {}, {{0, 90}, {1, 10}}},
    {"fewer_rows_than_prompts", {{1, 0, 9}, {2, 1, 9}, {3, 2, 9}}, {}, {2, 50, 8, 1000}, {}, {}, {{0, 1}, {1, 1}}},
    {"admit_by_arrival", {}, {{8, kNormal, 8, 10}, {7, kNormal, 7, 10}}, {512, 128, 8, 1000}, {7, 8}, {}, {}},
    {"admit_by_priority_then_arrival",
     {},
     {{1, kBatch, 1, 10}, {2, kNormal, 2, 10}, {3, kNow, 3, 10}, {4, v1::PRIORITY_UNSPECIFIED, 4, 10}},
     {512, 128, 8, 1000},
     {3, 2, 4, 1},
     {},
     {}},
    {"admit_while_sequences_are_free", {}, {{1, kNormal, 1, 10}, {2, kNormal, 2, 10}}, {512, 128, 1, 1000},
     {1}, {}, {}},
    {"the_first_that_does_not_fit_blocks", {}, {{1, kNormal, 1, 60}, {2, kNormal, 2, 60}, {3, kNormal, 3, 10}},
     {512, 128, 8, 100}, {1}, {}, {}},
    {"cells_exactly_enough", {}, {{1, kNormal, 1, 60}, {2, kNormal, 2, 40}}, {512, 128, 8, 100}, {1, 2}, {}, {}},
    {"none_free", {}, {{1, kNormal, 1, 1}}, {512, 128, 0, 100}, {}, {}, {}},
};

TEST(PlanStep, Table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const Step step = PlanStep(row.running, row.waiting, row.limits);
    EXPECT_THAT(step.admit, testing::ElementsAreArray(row.admit));
    EXPECT_THAT(step.decode, testing::ElementsAreArray(row.decode));
    EXPECT_TRUE(step.prefill == row.prefill) << Show(step.prefill);
  }
}

// The slow obvious one: every choice is made one row, and one request, at a time.
Step Oracle(std::vector<RunningSequence> running, std::vector<WaitingRequest> waiting, StepLimits limits) {
  Step step;
  for (;;) {  // admission: the best of those left; stop when it does not fit
    const WaitingRequest* best = nullptr;
    const auto rank = [](const WaitingRequest& r) {
      return r.priority == v1::PRIORITY_INTERACTIVE ? 1 : r.priority == v1::PRIORITY_BATCH ? 3 : 2;
    };
    for (const auto& r : waiting) {
      if (best == nullptr || rank(r) < rank(*best) || (rank(r) == rank(*best) && r.arrival < best->arrival)) best = &r;
    }
    if (best == nullptr || limits.sequences_free == 0 || best->cells_needed > limits.cells_free) break;
    --limits.sequences_free;
    limits.cells_free -= best->cells_needed;
    step.admit.push_back(best->request);
    waiting.erase(waiting.begin() + (best - waiting.data()));
  }
  int32_t rows = limits.batch_tokens_max;
  for (const auto& sequence : running) {
    if (sequence.prompt_left == 0 && rows > 0) {
      step.decode.push_back(sequence.sequence);
      --rows;
    }
  }
  if (!step.decode.empty()) rows = std::min(rows, limits.prefill_tokens_max);
  std::map<size_t, int32_t> given;  // a row each, in turn, until rows or prompts are used up
  for (bool any = true; any && rows > 0;) {
    any = false;
    for (size_t i = 0; i < running.size() && rows > 0; ++i) {
      if (given[i] >= running[i].prompt_left) continue;
      ++given[i];
      --rows;
      any = true;
    }
  }
  for (const auto& [i, tokens] : given) {
    if (tokens > 0) step.prefill.push_back({running[i].sequence, tokens});
  }
  return step;
}

TEST(PlanStep, EqualsTheOracle) {
  std::mt19937 random(20261122);
  const auto up_to = [&](int32_t n) { return static_cast<int32_t>(random() % static_cast<uint32_t>(n + 1)); };
  for (int round = 0; round < 20000; ++round) {
    std::vector<RunningSequence> running;
    for (int32_t i = 0, n = up_to(6); i < n; ++i) {
      running.push_back({static_cast<uint64_t>(i), i, up_to(1) == 0 ? 0 : up_to(40)});
    }
    std::vector<WaitingRequest> waiting;
    for (int32_t i = 0, n = up_to(6); i < n; ++i) {
      waiting.push_back({static_cast<uint64_t>(100 + i), static_cast<v1::Priority>(up_to(3)),
                         static_cast<uint64_t>(100 + i), up_to(50)});
    }
    std::shuffle(waiting.begin(), waiting.end(), random);
    const StepLimits limits{1 + up_to(60), 1 + up_to(30), up_to(4), up_to(120)};
    const Step got = PlanStep(running, waiting, limits);
    const Step want = Oracle(running, waiting, limits);
    ASSERT_EQ(got.admit, want.admit) << "round " << round;
    ASSERT_EQ(got.decode, want.decode) << "round " << round;
    ASSERT_TRUE(got.prefill == want.prefill) << "round " << round << " got " << Show(got.prefill)
                                             << " want " << Show(want.prefill);
    int32_t rows = static_cast<int32_t>(got.decode.size());
    for (const Chunk& chunk : got.prefill) rows += chunk.tokens;
    ASSERT_LE(rows, limits.batch_tokens_max) << "libllama ends the process on a larger batch";
  }
}

}  // namespace
}  // namespace headgate::engine
