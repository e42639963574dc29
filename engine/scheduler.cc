// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

namespace headgate::engine {
namespace {

int Rank(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_INTERACTIVE: return 0;
    case v1::PRIORITY_BATCH: return 2;
    default: return 1;
  }
}

std::vector<uint64_t> PlanAdmission(std::vector<WaitingRequest> waiting, const StepLimits& limits) {
  std::sort(waiting.begin(), waiting.end(), [](const WaitingRequest& a, const WaitingRequest& b) {
    return std::make_tuple(Rank(a.priority), a.arrival) < std::make_tuple(Rank(b.priority), b.arrival);
  });
  std::vector<uint64_t> admit;
  int32_t cells_free = limits.cells_free;
  for (const auto& request : waiting) {
    if (static_cast<int32_t>(admit.size()) >= limits.sequences_free || request.cells_needed > cells_free) break;
    cells_free -= request.cells_needed;
    admit.push_back(request.request);
  }
  return admit;
}

// Shares `budget` rows among the prompts: the same for each, and what a short one leaves over goes to the others.
// Rows that cannot be shared evenly go to the first.
std::vector<Chunk> PlanPrefill(const std::vector<RunningSequence>& running, int32_t budget) {
  std::vector<Chunk> chunks;
  std::vector<int32_t> left;
  for (const auto& sequence : running) {
    if (sequence.prompt_left <= 0) continue;
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
  std::erase_if(chunks, [](const Chunk& chunk) { return chunk.tokens == 0; });
  return chunks;
}

}  // namespace

Step PlanStep(const std::vector<RunningSequence>& running, const std::vector<WaitingRequest>& waiting,
              const StepLimits& limits) {
  Step step;
  step.admit = PlanAdmission(waiting, limits);
  for (const auto& sequence : running) {
    if (sequence.prompt_left > 0) continue;
    if (static_cast<int32_t>(step.decode.size()) >= limits.batch_tokens_max) break;
    step.decode.push_back(sequence.sequence);
  }
  const int32_t room = limits.batch_tokens_max - static_cast<int32_t>(step.decode.size());
  const int32_t budget = step.decode.empty() ? room : std::min(room, limits.prefill_tokens_max);
  step.prefill = PlanPrefill(running, budget);
  return step;
}

}  // namespace headgate::engine
