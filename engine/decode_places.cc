// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What a place in the batch holds: cells, cached prefixes, kept states, and how it is given up. Tested by
// tests/unit/engine/engine_test.cc, scheduling_test.cc and swap_test.cc.

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "engine/decode_loop.h"

namespace headgate::engine {
namespace {

constexpr int32_t kAwaitMin = 32;   // common tokens that are worth waiting for
constexpr int32_t kSwapMin = 32;    // tokens that are worth keeping

absl::Status Cancelled() { return absl::CancelledError("cancelled"); }

}  // namespace

int32_t DecodeLoop::CellsAtAdmission(const Sequence& sequence) const {
  return std::min(sequence.size() + config_.answer_cells, sequence.cells_most());
}

// What is cached of the prompt need not be computed.
void DecodeLoop::Start(int32_t slot) {
  Sequence& sequence = *at(slot);
  const int32_t cells = CellsAtAdmission(sequence);
  if (Resume(slot, cells)) return;
  const int32_t cached = cells_.Admit(slot, sequence.cache_key(), sequence.tokens(), cells);
  sequence.SetComputed(cached);
  if (!sequence.first_token && sequence.cached_tokens == 0) {
    sequence.cached_tokens = std::min(cached, sequence.prompt_tokens());
    metrics_.prefix_queries.Increment(sequence.prompt_tokens());
    metrics_.prefix_hits.Increment(sequence.cached_tokens);
  }
  AwaitPrefix(slot);
}

// Finds another prompt being computed that begins like this one: then waiting costs less than computing twice. Never
// waits for a lower class.
void DecodeLoop::AwaitPrefix(int32_t slot) {
  Slot& place = slots_[static_cast<size_t>(slot)];
  place.donor = 0;
  if (backend_.info().cache_sequences == 0 || config_.prefix_cache_tokens == 0) return;
  const auto mine = place.sequence->tokens();
  int32_t longest = place.sequence->computed() + kAwaitMin;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Sequence* const other = slots_[i].sequence.get();
    if (other == nullptr || other == place.sequence.get() || other->decoding() || slots_[i].rank > place.rank ||
        slots_[i].donor != 0 || other->cache_key() != place.sequence->cache_key()) {
      continue;
    }
    const auto theirs = other->tokens();
    const auto most = static_cast<std::ptrdiff_t>(std::min(theirs.size(), mine.size() - 1));
    const auto same = std::mismatch(mine.begin(), mine.begin() + most, theirs.begin()).first - mine.begin();
    if (same < longest) continue;
    longest = static_cast<int32_t>(same) + 1;
    place.donor = other->request();
    place.donor_slot = static_cast<int32_t>(i);
    place.donor_tokens = static_cast<int32_t>(same);
  }
}

// Hands prefixes that have been computed meanwhile to those who wait for them.
void DecodeLoop::ServeWaits() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& place = slots_[i];
    if (!place.sequence || place.donor == 0) continue;
    const Sequence* const donor = at(place.donor_slot);
    const bool there = donor != nullptr && donor->request() == place.donor;
    if (there && donor->computed() < place.donor_tokens) continue;
    if (there) Publish(place.donor_slot);
    place.donor = 0;
    Sequence& sequence = *place.sequence;
    sequence.SetComputed(cells_.Extend(static_cast<int32_t>(i), sequence.cache_key(), sequence.tokens()));
    const int32_t cached = std::min(sequence.computed(), sequence.prompt_tokens());
    if (!sequence.first_token && cached > sequence.cached_tokens) {
      metrics_.prefix_hits.Increment(cached - sequence.cached_tokens);
      sequence.cached_tokens = cached;
    }
    if (!there) AwaitPrefix(static_cast<int32_t>(i));
  }
}

// Puts back what a preempted sequence held. False when there is nothing, when the prefix cache has more, or when it
// fails: the sequence then begins like any other.
bool DecodeLoop::Resume(int32_t slot, int32_t cells) {
  Sequence& sequence = *at(slot);
  const auto state = std::move(sequence.swapped);
  if (!state || cells_.Match(sequence.cache_key(), sequence.tokens()) >= state->tokens()) return false;
  cells_.AdmitAlone(slot, cells);
  const absl::Status status = backend_.RestoreState(slot, state->bytes());
  if (status.ok() && backend_.Length(slot) == state->tokens()) {
    metrics_.swaps_in.Increment();
    sequence.SetComputed(state->tokens());
    return true;
  }
  HG_LOG(Warning, "state not restored, computing it again request=", sequence.request(), " error=", status.ToString());
  cells_.Free(slot);
  return false;
}

// What the sequence holds goes to host memory where there is room for it and it pays.
std::unique_ptr<SwappedState> DecodeLoop::Swap(int32_t slot) {
  const Sequence& sequence = *at(slot);
  const int64_t room = config_.swap_bytes_max - *swapped_bytes_;
  if (room <= 0 || sequence.computed() < kSwapMin || sequence.computed() != backend_.Length(slot)) return nullptr;
  auto bytes = backend_.SaveState(slot, static_cast<size_t>(room));
  if (!bytes.ok()) return nullptr;
  metrics_.swaps_out.Increment();
  return std::make_unique<SwappedState>(*std::move(bytes), sequence.computed(), swapped_bytes_);
}

// Goes back to the queue with its text, its sampler and what Swap keeps; otherwise what it had computed is worth as
// much as the prefix cache keeps.
void DecodeLoop::Preempt(int32_t slot) {
  at(slot)->swapped = Swap(slot);
  cells_.Free(slot);
  std::lock_guard lock(mutex_);  // over both, so that a cancel finds it here or there
  auto sequence = std::move(slots_[static_cast<size_t>(slot)].sequence);
  slots_[static_cast<size_t>(slot)] = {};
  running_.erase(sequence->request());
  sequence->SetComputed(0);
  if (sequence->cancelled()) {
    ended_.push_back({std::move(sequence), Cancelled()});
  } else {
    queue_.Put(std::move(sequence));
  }
}

// What the sequence has computed can be used by others.
void DecodeLoop::Publish(int32_t slot) {
  const Sequence& sequence = *at(slot);
  if (sequence.computed() == 0 || sequence.computed() != backend_.Length(slot)) return;
  cells_.Publish(slot, sequence.cache_key(), sequence.tokens().first(static_cast<size_t>(sequence.computed())));
}

}  // namespace headgate::engine
