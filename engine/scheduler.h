// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// scheduler: what the next step computes. PURE: the state of all sequences in, a plan out; the decode thread carries it
// out. Decode first: every running sequence gets its one row; what is left of the token budget goes to prompts, the
// better class first and evenly within one, so a long prompt never stalls the others.
//
// Classes: rank 0 interactive, 1 normal, 2 batch. A waiting request rises by one for every `aging` it has waited, and
// so does the claim of an admitted prompt to rows, so that none starves. Within a rank the tenant that has been served
// least comes first (virtual token counter: Sheng et al., "Fairness in Serving Large Language Models", OSDI 24), then
// the older request.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::engine {

constexpr int32_t kRankBatch = 2;

// 0..2.
int32_t RankOf(v1::Priority priority);
// `rank` raised by one for each `aging` of `waited`.
int32_t AgedRank(int32_t rank, absl::Duration waited, absl::Duration aging);

struct RunningSequence {
  uint64_t request = 0;
  int32_t sequence = 0;
  int32_t prompt_left = 0;        // prompt tokens not yet computed; 0 = decoding
  int32_t rank = 1;               // the one it was admitted under
  int32_t cells_held = 0;         // KV cells that its preemption would free
  int32_t cells_short = 0;        // cells to be reserved before its next row
  bool waits = false;             // for a prefix that another one computes: gets no rows
  int32_t adapter = 0;            // a step has rows of one adapter only
  int32_t risen = 0;              // by age since it was admitted: classes, for the rows of its prompt alone
};
struct WaitingRequest {
  uint64_t request = 0;           // grows with each request: the order of arrival
  int32_t rank = 1;               // aged
  int32_t rank_own = 1;           // of its priority: only this one may displace others
  int32_t tenant = 0;             // index into StepLimits::tenant_tokens
  int32_t cells_needed = 0;       // KV cells reserved at admission
};
struct StepLimits {
  int32_t batch_tokens_max = 0;
  int32_t prefill_tokens_max = 0; // beside decoding sequences; without any, batch_tokens_max counts
  int32_t sequences_free = 0;
  int32_t cells_free = 0;         // not reserved
  int32_t batch_rank_rows_max = 0;  // decoding sequences of rank 2 in one step; 0 = all
  bool batch_yields = true;       // rank 2 stands aside while an interactive prompt is computed
  std::vector<double> tenant_tokens = {};  // served so far; missing ones count as 0
  int32_t adapter = 0;            // whose turn it is (AdapterTurns)
};
struct Chunk {
  int32_t sequence = 0;
  int32_t tokens = 0;
  friend bool operator==(const Chunk&, const Chunk&) = default;
};
struct Step {
  std::optional<int32_t> preempt; // this sequence gives way first; then plan again. The rest is empty
  std::vector<uint64_t> admit;    // waiting requests that start now, in order
  std::vector<int32_t> grow;      // sequences that get their cells_short
  std::vector<int32_t> decode;    // sequences that get one row
  std::vector<Chunk> prefill;     // prompt chunks
  bool batch_stood_aside = false; // decoding sequences of rank 2 got no row because of an interactive prompt
};

// 1. Cells: running sequences that need more get them, the best rank and oldest first. Where they do not suffice the
//    sequence of the worst rank, and of those the newest, is preempted: never more than one a plan.
// 2. Admission: rank, tenant, arrival; the first that does not fit blocks those behind it, so that none starves. When
//    giving up sequences of a worse rank than its own would make it fit, one of them is preempted.
// 3. Rows. Admitted requests get theirs from the next plan on. Where not all of `running` fit into a step the first do:
//    the caller rotates the order. A prompt's budget is `prefill_tokens_max` beside decoding sequences.
Step PlanStep(const std::vector<RunningSequence>& running, const std::vector<WaitingRequest>& waiting,
              const StepLimits& limits);

// Whose turn it is among adapters: the library computes one adapter in a step, and changing it costs. A turn is
// kTurnSteps steps, or one with prompt rows, or less when nothing is left to do. Turns go round; an adapter with
// interactive work may come before its turn, but never twice in a row, so none starves. As turns are equally long, each
// sequence gets its tokens at the same pace, whatever the number of others with its adapter.
class AdapterTurns {
 public:
  // The adapter of the next step; that of the last when nobody could get a row.
  int32_t Choose(const std::vector<RunningSequence>& running, bool batch_yields);
  void Ran(const Step& step);

  static constexpr int kTurnSteps = 4;

 private:
  int32_t adapter_ = 0;
  int32_t in_order_ = 0;   // the last one that had its turn in order
  bool urgent_ = false;    // the last turn was one of interactive work
  int left_ = 0;
};

}  // namespace headgate::engine
