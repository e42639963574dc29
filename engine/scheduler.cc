// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Tested by tests/unit/engine/scheduler_test.cc: a table, and equality with a slow oracle over random states.

#include "engine/scheduler.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace headgate::engine {
namespace {

bool Worse(const RunningSequence& a, const RunningSequence& b) {
  return std::make_tuple(a.rank, a.request) > std::make_tuple(b.rank, b.request);
}

// Gives cells to those that are short of them; false when somebody must go, who is then in step.preempt.
bool PlanGrowth(const std::vector<RunningSequence>& running, int32_t& cells_free, Step& step) {
  std::vector<const RunningSequence*> order;
  for (const auto& sequence : running) order.push_back(&sequence);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return Worse(*b, *a); });
  for (const auto* sequence : order) {
    if (sequence->cells_short == 0) continue;
    if (sequence->cells_short > cells_free) {
      step = {};
      if (order.size() > 1) step.preempt = order.back()->sequence;
      return order.size() == 1;  // alone: the caller sees that it did not grow
    }
    cells_free -= sequence->cells_short;
    step.grow.push_back(sequence->sequence);
  }
  return true;
}

// Whom to preempt so that `head` fits; nobody when even all of a worse rank would not do.
std::optional<int32_t> Displaced(const std::vector<RunningSequence>& running, const WaitingRequest& head,
                                 const StepLimits& limits) {
  const RunningSequence* worst = nullptr;
  int64_t cells = limits.cells_free;
  for (const auto& sequence : running) {
    if (sequence.rank <= head.rank_own) continue;
    cells += sequence.cells_held;
    if (worst == nullptr || Worse(sequence, *worst)) worst = &sequence;
  }
  if (worst == nullptr || cells < head.cells_needed) return std::nullopt;
  return worst->sequence;
}

void PlanAdmission(const std::vector<RunningSequence>& running, std::vector<WaitingRequest> waiting,
                   StepLimits limits, Step& step) {
  const auto served = [&](const WaitingRequest& request) -> double& {
    const auto tenant = static_cast<size_t>(request.tenant);
    if (limits.tenant_tokens.size() <= tenant) limits.tenant_tokens.resize(tenant + 1, 0);
    return limits.tenant_tokens[tenant];
  };
  while (!waiting.empty()) {
    const auto head = std::min_element(waiting.begin(), waiting.end(), [&](const auto& a, const auto& b) {
      if (a.rank != b.rank) return a.rank < b.rank;
      const double served_a = served(a);
      const double served_b = served(b);
      return served_a != served_b ? served_a < served_b : a.request < b.request;
    });
    if (limits.sequences_free <= 0 || head->cells_needed > limits.cells_free) {
      if (step.admit.empty()) step.preempt = Displaced(running, *head, limits);
      return;
    }
    --limits.sequences_free;
    limits.cells_free -= head->cells_needed;
    served(*head) += head->cells_needed;
    step.admit.push_back(head->request);
    waiting.erase(head);
  }
}

int32_t PromptRank(const RunningSequence& sequence) { return std::max(sequence.rank - sequence.risen, 0); }

// Shares `budget` rows among the prompts of one rank: the same for each, and what a short one leaves over goes to the
// others. Rows that cannot be shared evenly go to the first. Returns what is left of the budget.
int32_t SharePrefill(const std::vector<RunningSequence>& running, int32_t adapter, int32_t rank, int32_t budget,
                     std::vector<Chunk>& prefill) {
  std::vector<Chunk> chunks;
  std::vector<int32_t> left;
  for (const auto& sequence : running) {
    if (sequence.prompt_left <= 0 || sequence.waits || sequence.adapter != adapter) continue;
    if (PromptRank(sequence) != rank) continue;
    chunks.push_back({sequence.sequence, 0});
    left.push_back(sequence.prompt_left);
  }
  for (;;) {
    const auto open = static_cast<int32_t>(std::count_if(left.begin(), left.end(), [](int32_t n) { return n > 0; }));
    if (open == 0 || budget <= 0) break;
    const int32_t share = std::max(budget / open, 1);
    for (size_t i = 0; i < chunks.size() && budget > 0; ++i) {
      const int32_t take = std::min({left[i], share, budget});
      chunks[i].tokens += take;
      left[i] -= take;
      budget -= take;
    }
  }
  for (const Chunk& chunk : chunks) {
    if (chunk.tokens > 0) prefill.push_back(chunk);
  }
  return budget;
}

bool InteractivePrompt(const std::vector<RunningSequence>& running) {
  return std::any_of(running.begin(), running.end(), [](const auto& sequence) {
    return sequence.rank == 0 && sequence.prompt_left > 0 && !sequence.waits;
  });
}

void PlanRows(const std::vector<RunningSequence>& running, const StepLimits& limits, Step& step) {
  const bool yield = limits.batch_yields && InteractivePrompt(running);
  int32_t batch_rank_rows = 0;
  bool others_answer = false;  // they wait for this step as its own do
  for (const auto& sequence : running) {
    if (sequence.prompt_left > 0) continue;
    if (sequence.adapter != limits.adapter) {
      others_answer = true;
      continue;
    }
    if (static_cast<int32_t>(step.decode.size()) >= limits.batch_tokens_max) break;
    if (sequence.rank >= kRankBatch) {
      step.batch_stood_aside |= yield;
      if (yield || (limits.batch_rank_rows_max > 0 && batch_rank_rows >= limits.batch_rank_rows_max)) continue;
      ++batch_rank_rows;
    }
    step.decode.push_back(sequence.sequence);
  }
  const int32_t room = limits.batch_tokens_max - static_cast<int32_t>(step.decode.size());
  int32_t budget = step.decode.empty() && !others_answer ? room : std::min(room, limits.prefill_tokens_max);
  for (int32_t rank = 0; rank <= kRankBatch; ++rank) {
    budget = SharePrefill(running, limits.adapter, rank, budget, step.prefill);
  }
}

}  // namespace

int32_t RankOf(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_INTERACTIVE: return 0;
    case v1::PRIORITY_BATCH: return kRankBatch;
    default: return 1;
  }
}

int32_t AgedRank(int32_t rank, absl::Duration waited, absl::Duration aging) {
  if (aging <= absl::ZeroDuration() || waited < aging) return rank;
  return static_cast<int32_t>(std::max<int64_t>(rank - waited / aging, 0));
}

Step PlanStep(const std::vector<RunningSequence>& running, const std::vector<WaitingRequest>& waiting,
              const StepLimits& limits) {
  Step step;
  StepLimits left = limits;
  if (!PlanGrowth(running, left.cells_free, step)) return step;
  PlanAdmission(running, waiting, left, step);
  if (step.preempt) {
    Step only;
    only.preempt = step.preempt;
    return only;
  }
  PlanRows(running, limits, step);
  return step;
}

int32_t AdapterTurns::Choose(const std::vector<RunningSequence>& running, bool batch_yields) {
  const bool yield = batch_yields && InteractivePrompt(running);
  std::set<int32_t> able;   // have something to do in a step of their own
  std::set<int32_t> urgent; // of them, interactive
  for (const auto& sequence : running) {
    const bool prompt = sequence.prompt_left > 0;
    if (prompt ? sequence.waits : yield && sequence.rank >= kRankBatch) continue;
    able.insert(sequence.adapter);
    if (sequence.rank == 0) urgent.insert(sequence.adapter);
  }
  if (able.empty() || (able.contains(adapter_) && left_ > 0)) return adapter_;
  const auto after = [](const std::set<int32_t>& ids, int32_t id) {
    const auto next = ids.upper_bound(id);
    return next == ids.end() ? *ids.begin() : *next;
  };
  const int32_t ordered = after(able, in_order_);
  const bool early = !urgent_ && !urgent.empty() && !urgent.contains(ordered);
  adapter_ = early ? after(urgent, adapter_) : ordered;
  if (!early) in_order_ = ordered;
  urgent_ = urgent.contains(adapter_);
  left_ = kTurnSteps;
  return adapter_;
}

void AdapterTurns::Ran(const Step& step) { left_ -= step.prefill.empty() ? 1 : kTurnSteps; }

}  // namespace headgate::engine
