// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// scheduler: what the next step computes. PURE: the state of all sequences in, a plan out; the decode thread carries it
// out. Decode first: every running sequence gets its one row; what is left of the token budget goes to prompts, shared
// among them, so a long prompt never stalls the others.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "headgate/v1/inference.pb.h"

namespace headgate::engine {

struct RunningSequence {
  uint64_t request = 0;
  int32_t sequence = 0;
  int32_t prompt_left = 0;        // prompt tokens not yet computed; 0 = decoding
};
struct WaitingRequest {
  uint64_t request = 0;
  v1::Priority priority = v1::PRIORITY_NORMAL;
  uint64_t arrival = 0;           // grows with each request
  int32_t cells_needed = 0;       // KV cells reserved at admission: prompt + most answer tokens
};
struct StepLimits {
  int32_t batch_tokens_max = 0;
  int32_t prefill_tokens_max = 0; // beside running sequences; without any, batch_tokens_max counts
  int32_t sequences_free = 0;
  int32_t cells_free = 0;         // not reserved
};
struct Chunk {
  int32_t sequence = 0;
  int32_t tokens = 0;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};
struct Step {
  std::vector<uint64_t> admit;    // waiting requests that start now, in order
  std::vector<int32_t> decode;    // sequences that get one row
  std::vector<Chunk> prefill;     // prompt chunks
};

// `admit` is decided first (priority, then arrival; the first that does not fit in free cells blocks those behind it,
// so that none starves); admitted requests get their prefill from the next plan on. Where not all of `running` fit into
// a step the first do: the caller rotates the order. Prompts share the rows evenly, a short one's rest goes to the
// others.
Step PlanStep(const std::vector<RunningSequence>& running, const std::vector<WaitingRequest>& waiting,
              const StepLimits& limits);

}  // namespace headgate::engine
