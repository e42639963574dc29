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

// {request, sequence, prompt_left, rank, cells_held, cells_short, waits}
RunningSequence Decoding(int32_t sequence, int32_t rank = 1) {
  return {static_cast<uint64_t>(sequence + 1), sequence, 0, rank, 100, 0, false};
}
RunningSequence Prompt(int32_t sequence, int32_t left, int32_t rank = 1, bool waits = false) {
  return {static_cast<uint64_t>(sequence + 1), sequence, left, rank, 100, 0, waits};
}
RunningSequence Short(int32_t sequence, int32_t cells_short, int32_t rank = 1) {
  return {static_cast<uint64_t>(sequence + 1), sequence, 0, rank, 100, cells_short, false};
}
RunningSequence Old(RunningSequence prompt, int32_t risen) {
  prompt.risen = risen;
  return prompt;
}
RunningSequence With(int32_t adapter, RunningSequence sequence) {
  sequence.adapter = adapter;
  return sequence;
}
// {request, rank, rank_own, tenant, cells_needed}
WaitingRequest Waits(uint64_t request, int32_t rank, int32_t cells, int32_t tenant = 0) {
  return {request, rank, rank, tenant, cells};
}
WaitingRequest Aged(uint64_t request, int32_t rank, int32_t own, int32_t cells) {
  return {request, rank, own, 0, cells};
}

struct Row {
  const char* name;
  std::vector<RunningSequence> running;
  std::vector<WaitingRequest> waiting;
  StepLimits limits;  // batch, prefill, sequences, cells, batch rank rows, batch yields, tenants, adapter
  std::vector<uint64_t> admit = {};
  std::vector<int32_t> decode = {};
  std::vector<Chunk> prefill = {};
  int32_t preempt = -1;
  std::vector<int32_t> grow = {};
};

const Row kRows[] = {
    {"nothing", {}, {}, {512, 128, 8, 1000}},
    {"decode_only", {Decoding(0), Decoding(1)}, {}, {512, 128, 8, 1000}, {}, {0, 1}},
    {"prefill_alone_uses_the_whole_batch", {Prompt(0, 900)}, {}, {512, 128, 8, 1000}, {}, {}, {{0, 512}}},
    {"prefill_beside_decode_is_bounded", {Prompt(0, 900), Decoding(1)}, {}, {512, 128, 8, 1000}, {}, {1}, {{0, 128}}},
    {"decode_takes_its_rows_first", {Prompt(0, 900), Decoding(1), Decoding(2)}, {}, {3, 128, 8, 1000}, {}, {1, 2},
     {{0, 1}}},
    {"decode_fills_the_batch", {Prompt(0, 9), Decoding(1), Decoding(2)}, {}, {2, 128, 8, 1000}, {}, {1, 2}},
    {"more_decodes_than_rows_the_first", {Decoding(0), Decoding(1), Decoding(2)}, {}, {2, 9, 8, 1000}, {}, {0, 1}},
    {"prompts_share_evenly", {Prompt(0, 900), Prompt(1, 900)}, {}, {100, 50, 8, 1000}, {}, {}, {{0, 50}, {1, 50}}},
    {"a_short_prompt_leaves_its_rest", {Prompt(0, 900), Prompt(1, 10)}, {}, {100, 50, 8, 1000}, {}, {},
     {{0, 90}, {1, 10}}},
    {"fewer_rows_than_prompts", {Prompt(0, 9), Prompt(1, 9), Prompt(2, 9)}, {}, {2, 50, 8, 1000}, {}, {},
     {{0, 1}, {1, 1}}},
    {"the_better_class_first", {Prompt(0, 60, 2), Prompt(1, 60, 0), Prompt(2, 60)}, {}, {100, 50, 8, 1000}, {}, {},
     {{1, 60}, {2, 40}}},
    {"an_old_prompt_is_as_good_as_a_better_class", {Old(Prompt(0, 60, 2), 2), Prompt(1, 60, 0), Prompt(2, 60)}, {},
     {100, 50, 8, 1000}, {}, {}, {{0, 50}, {1, 50}}},
    {"but_batch_does_not_stand_aside_for_it", {Decoding(0, 2), Old(Prompt(1, 60), 1)}, {}, {100, 50, 8, 1000}, {}, {0},
     {{1, 50}}},
    {"nor_is_it_safe_from_being_displaced", {Old(Prompt(0, 60, 2), 2)}, {Waits(9, 0, 50)}, {512, 128, 0, 1000}, {}, {},
     {}, 0},
    {"rows_of_one_adapter_only", {With(1, Decoding(0)), Decoding(1), With(1, Prompt(2, 60)), Prompt(3, 60)}, {},
     {100, 50, 8, 1000, 0, true, {}, 1}, {}, {0}, {{2, 50}}},
    {"answers_of_another_adapter_wait_for_the_step", {With(1, Decoding(0)), Prompt(1, 90)}, {}, {100, 50, 8, 1000}, {},
     {}, {{1, 50}}},
    {"prompts_of_another_do_not", {With(1, Prompt(0, 90)), Prompt(1, 90)}, {}, {100, 50, 8, 1000}, {}, {}, {{1, 90}}},
    {"who_waits_for_a_prefix_gets_no_rows", {Prompt(0, 60), Prompt(1, 60, 0, true)}, {}, {100, 50, 8, 1000}, {}, {},
     {{0, 60}}},
    {"batch_stands_aside_for_interactive", {Decoding(0, 2), Prompt(1, 60, 0), Decoding(2)}, {}, {100, 50, 8, 1000}, {},
     {2}, {{1, 50}}},
    {"then_the_prompt_has_the_step", {Decoding(0, 2), Prompt(1, 90, 0)}, {}, {100, 50, 8, 1000}, {}, {}, {{1, 90}}},
    {"batch_does_not_stand_aside_for_normal", {Decoding(0, 2), Prompt(1, 60)}, {}, {100, 50, 8, 1000}, {}, {0},
     {{1, 50}}},
    {"batch_stood_aside_long_enough", {Decoding(0, 2), Prompt(1, 60, 0)}, {}, {100, 50, 8, 1000, 0, false}, {}, {0},
     {{1, 50}}},
    {"few_batch_rows_a_step", {Decoding(0, 2), Decoding(1), Decoding(2, 2), Decoding(3, 2)}, {},
     {100, 50, 8, 1000, 2}, {}, {0, 1, 2}},
    {"admit_by_arrival", {}, {Waits(8, 1, 10), Waits(7, 1, 10)}, {512, 128, 8, 1000}, {7, 8}},
    {"admit_by_rank_then_arrival", {}, {Waits(1, 2, 10), Waits(2, 1, 10), Waits(3, 0, 10), Waits(4, 1, 10)},
     {512, 128, 8, 1000}, {3, 2, 4, 1}},
    {"admit_the_least_served_tenant", {}, {Waits(1, 1, 10, 0), Waits(2, 1, 10, 1), Waits(3, 0, 10, 0)},
     {512, 128, 8, 1000, 0, true, {50, 20}}, {3, 2, 1}},
    {"tenants_take_turns", {}, {Waits(1, 1, 10, 0), Waits(2, 1, 10, 0), Waits(3, 1, 10, 1), Waits(4, 1, 10, 1)},
     {512, 128, 8, 1000}, {1, 3, 2, 4}},
    {"admit_while_sequences_are_free", {}, {Waits(1, 1, 10), Waits(2, 1, 10)}, {512, 128, 1, 1000}, {1}},
    {"the_first_that_does_not_fit_blocks", {}, {Waits(1, 1, 60), Waits(2, 1, 60), Waits(3, 1, 10)},
     {512, 128, 8, 100}, {1}},
    {"cells_exactly_enough", {}, {Waits(1, 1, 60), Waits(2, 1, 40)}, {512, 128, 8, 100}, {1, 2}},
    {"none_free", {}, {Waits(1, 1, 1)}, {512, 128, 0, 100}},
    {"interactive_displaces_the_newest_of_the_worst", {Decoding(0, 2), Decoding(1, 2), Decoding(2)}, {Waits(9, 0, 50)},
     {512, 128, 8, 0}, {}, {}, {}, 1},
    {"for_a_sequence_too", {Decoding(0, 2)}, {Waits(9, 1, 50)}, {512, 128, 0, 1000}, {}, {}, {}, 0},
    {"nobody_is_displaced_in_vain", {Decoding(0, 2)}, {Waits(9, 0, 150)}, {512, 128, 8, 20}, {}, {0}},
    {"nor_by_an_equal", {Decoding(0)}, {Waits(9, 1, 50)}, {512, 128, 8, 20}, {}, {0}},
    {"nor_by_age", {Decoding(0, 2)}, {Aged(9, 0, 2, 50)}, {512, 128, 8, 20}, {}, {0}},
    {"age_goes_first_all_the_same", {}, {Waits(1, 1, 10), Aged(2, 0, 2, 10)}, {512, 128, 8, 100}, {2, 1}},
    {"the_growing_get_cells_first", {Short(0, 30), Decoding(1)}, {Waits(9, 1, 80)}, {512, 128, 8, 100}, {}, {0, 1}, {},
     -1, {0}},
    {"the_best_grow_first", {Short(0, 30), Short(1, 30, 0)}, {}, {512, 128, 8, 60}, {}, {0, 1}, {}, -1, {1, 0}},
    {"no_cells_to_grow_one_gives_way", {Short(0, 30), Short(1, 30, 0), Decoding(2)}, {Waits(9, 1, 1)},
     {512, 128, 8, 50}, {}, {}, {}, 2},
    {"even_the_one_that_grows", {Short(0, 30), Short(1, 30)}, {}, {512, 128, 8, 50}, {}, {}, {}, 1},
};

TEST(PlanStep, Table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const Step step = PlanStep(row.running, row.waiting, row.limits);
    EXPECT_THAT(step.admit, testing::ElementsAreArray(row.admit));
    EXPECT_THAT(step.decode, testing::ElementsAreArray(row.decode));
    EXPECT_THAT(step.grow, testing::ElementsAreArray(row.grow));
    EXPECT_TRUE(step.prefill == row.prefill) << Show(step.prefill);
    EXPECT_EQ(step.preempt.value_or(-1), row.preempt);
  }
}

TEST(AgedRank, RisesWithWaiting) {
  const struct {
    const char* name;
    int32_t rank;
    absl::Duration waited;
    absl::Duration aging;
    int32_t want;
  } rows[] = {
      {"fresh", 2, absl::Seconds(9), absl::Seconds(10), 2},
      {"once", 2, absl::Seconds(10), absl::Seconds(10), 1},
      {"twice", 2, absl::Seconds(20), absl::Seconds(10), 0},
      {"no_further", 2, absl::Hours(1), absl::Seconds(10), 0},
      {"forever", 1, absl::InfiniteDuration(), absl::Seconds(10), 0},
      {"off", 2, absl::Hours(1), absl::ZeroDuration(), 2},
  };
  for (const auto& row : rows) EXPECT_EQ(AgedRank(row.rank, row.waited, row.aging), row.want) << row.name;
}

// The slow obvious one: every choice is made one row, one cell and one request at a time.
class Oracle {
 public:
  Oracle(std::vector<RunningSequence> running, std::vector<WaitingRequest> waiting, StepLimits limits)
      : running_(std::move(running)), waiting_(std::move(waiting)), limits_(std::move(limits)) {
    limits_.tenant_tokens.resize(16, 0);
  }

  Step Plan() {
    const int32_t batch_max = limits_.batch_tokens_max;
    if (!Grow()) return Only(WorstBelow(-1));
    Step step;
    step.grow = grown_;
    for (;;) {
      const WaitingRequest* head = Head();
      if (head == nullptr) break;
      if (limits_.sequences_free == 0 || head->cells_needed > limits_.cells_free) {
        if (!step.admit.empty()) break;
        int64_t could_have = limits_.cells_free;
        for (const auto& s : running_) could_have += s.rank > head->rank_own ? s.cells_held : 0;
        const int32_t victim = WorstBelow(head->rank_own);
        if (victim >= 0 && could_have >= head->cells_needed) return Only(victim);
        break;
      }
      --limits_.sequences_free;
      limits_.cells_free -= head->cells_needed;
      limits_.tenant_tokens[static_cast<size_t>(head->tenant)] += head->cells_needed;
      step.admit.push_back(head->request);
      waiting_.erase(waiting_.begin() + (head - waiting_.data()));
    }
    Rows(batch_max, step);
    return step;
  }

 private:
  static Step Only(int32_t victim) {
    Step step;
    step.preempt = victim;
    return step;
  }
  // The newest of the worst rank above `rank`.
  int32_t WorstBelow(int32_t rank) const {
    int32_t worst = -1;
    for (int32_t r = rank + 1; r <= 2; ++r) {
      uint64_t newest = 0;
      for (const auto& s : running_) {
        if (s.rank != r || s.request < newest) continue;
        newest = s.request;
        worst = s.sequence;
      }
    }
    return worst;
  }
  bool Grow() {
    for (int32_t rank = 0; rank <= 2; ++rank) {
      for (uint64_t request = 0; request < 100; ++request) {
        for (const auto& s : running_) {
          if (s.rank != rank || s.request != request || s.cells_short == 0) continue;
          if (s.cells_short > limits_.cells_free) return running_.size() == 1;
          limits_.cells_free -= s.cells_short;
          grown_.push_back(s.sequence);
        }
      }
    }
    return true;
  }
  const WaitingRequest* Head() const {
    const WaitingRequest* head = nullptr;
    for (const auto& r : waiting_) {
      if (head == nullptr || r.rank < head->rank) {
        head = &r;
        continue;
      }
      if (r.rank > head->rank) continue;
      const double mine = limits_.tenant_tokens[static_cast<size_t>(r.tenant)];
      const double theirs = limits_.tenant_tokens[static_cast<size_t>(head->tenant)];
      if (mine < theirs || (mine == theirs && r.request < head->request)) head = &r;
    }
    return head;
  }
  void Rows(int32_t rows, Step& step) const {
    bool interactive = false;
    for (const auto& s : running_) interactive |= s.rank == 0 && s.prompt_left > 0 && !s.waits;
    int32_t batch_rows = limits_.batch_rank_rows_max == 0 ? 1000 : limits_.batch_rank_rows_max;
    bool others = false;  // answers of another adapter
    for (const auto& s : running_) others |= s.prompt_left == 0 && s.adapter != limits_.adapter;
    for (const auto& s : running_) {
      if (s.prompt_left > 0 || rows == 0 || s.adapter != limits_.adapter) continue;
      if (s.rank == 2 && ((interactive && limits_.batch_yields) || batch_rows-- <= 0)) continue;
      step.decode.push_back(s.sequence);
      --rows;
    }
    if (!step.decode.empty() || others) rows = std::min(rows, limits_.prefill_tokens_max);
    for (int32_t rank = 0; rank <= 2; ++rank) {
      std::map<size_t, int32_t> given;  // a row each, in turn, until rows or prompts are used up
      for (bool any = true; any && rows > 0;) {
        any = false;
        for (size_t i = 0; i < running_.size() && rows > 0; ++i) {
          const RunningSequence& s = running_[i];
          if (s.waits || s.adapter != limits_.adapter || given[i] >= s.prompt_left) continue;
          if (s.rank - s.risen != rank && !(s.risen > s.rank && rank == 0)) continue;
          ++given[i];
          --rows;
          any = true;
        }
      }
      for (const auto& [i, tokens] : given) {
        if (tokens > 0) step.prefill.push_back({running_[i].sequence, tokens});
      }
    }
  }

  std::vector<RunningSequence> running_;
  std::vector<WaitingRequest> waiting_;
  StepLimits limits_;
  std::vector<int32_t> grown_;
};

TEST(PlanStep, EqualsTheOracle) {
  std::mt19937 random(20261122);
  const auto up_to = [&](int32_t n) { return static_cast<int32_t>(random() % static_cast<uint32_t>(n + 1)); };
  int preempted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<RunningSequence> running;
    for (int32_t i = 0, n = up_to(6); i < n; ++i) {
      const bool decoding = up_to(1) == 0;
      running.push_back({static_cast<uint64_t>(i + 1), i, decoding ? 0 : 1 + up_to(40), up_to(2), up_to(40),
                         decoding && up_to(3) == 0 ? 1 + up_to(30) : 0, !decoding && up_to(4) == 0,
                         round % 2 == 0 ? 0 : up_to(2), up_to(3) == 0 ? up_to(2) : 0});
    }
    std::shuffle(running.begin(), running.end(), random);
    std::vector<WaitingRequest> waiting;
    for (int32_t i = 0, n = up_to(6); i < n; ++i) {
      const int32_t own = up_to(2);
      waiting.push_back({static_cast<uint64_t>(100 + i), up_to(own), own, up_to(2), up_to(50)});
    }
    std::shuffle(waiting.begin(), waiting.end(), random);
    const StepLimits limits{1 + up_to(60), 1 + up_to(30), up_to(4), up_to(120), up_to(2), up_to(1) == 0,
                            {static_cast<double>(up_to(60)), static_cast<double>(up_to(60))},
                            round % 2 == 0 ? 0 : up_to(2)};
    const Step got = PlanStep(running, waiting, limits);
    const Step want = Oracle(running, waiting, limits).Plan();
    ASSERT_EQ(got.preempt, want.preempt) << "round " << round;
    ASSERT_EQ(got.admit, want.admit) << "round " << round;
    ASSERT_EQ(got.grow, want.grow) << "round " << round;
    ASSERT_EQ(got.decode, want.decode) << "round " << round;
    ASSERT_TRUE(got.prefill == want.prefill) << "round " << round << " got " << Show(got.prefill)
                                             << " want " << Show(want.prefill);
    int32_t rows = static_cast<int32_t>(got.decode.size());
    for (const Chunk& chunk : got.prefill) rows += chunk.tokens;
    ASSERT_LE(rows, limits.batch_tokens_max) << "libllama ends the process on a larger batch";
    preempted += got.preempt ? 1 : 0;
  }
  EXPECT_GT(preempted, 1000) << "the states are such that something gives way";
}

}  // namespace
}  // namespace headgate::engine
