// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One step: rows, the backend, sampling, and what to do when it fails. Tested by tests/unit/engine/engine_test.cc.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "engine/decode_loop.h"

namespace headgate::engine {
namespace {

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

}  // namespace

std::vector<DecodeLoop::Part> DecodeLoop::BuildRows(const Step& step) {
  rows_.clear();
  in_step_.clear();
  std::vector<Part> parts;
  const auto add = [&](int32_t slot, int32_t count) {
    const Sequence& sequence = *at(slot);
    parts.push_back({slot, rows_.size(), count});
    in_step_.push_back(&sequence);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t position = sequence.computed() + i;
      rows_.push_back({sequence.token(position), position, slot, position + 1 == sequence.size()});
    }
  };
  int32_t spare = DraftRows(step);
  for (const int32_t slot : step.decode) {
    add(slot, 1);
    AddDraft(parts.back(), spare, static_cast<int32_t>(step.decode.size()));
    spare -= parts.back().drafts;
  }
  for (const Chunk& chunk : step.prefill) add(chunk.sequence, chunk.tokens);
  return parts;
}

// Rows that are left for guesses beside those that must be.
int32_t DecodeLoop::DraftRows(const Step& step) const {
  const BackendInfo& info = backend_.info();
  auto rows = static_cast<int32_t>(step.decode.size());
  for (const Chunk& chunk : step.prefill) rows += chunk.tokens;
  const auto outputs = static_cast<int32_t>(step.decode.size() + step.prefill.size());
  return std::min(rows_max_ - rows, info.outputs_max == 0 ? rows_max_ : info.outputs_max - outputs);
}

// How many of `most` guesses bring the most tokens a second, when each holds with probability `share` after the ones
// before it, beside `rows` decoding sequences; 0 when none do better than no guess.
int32_t DecodeLoop::DraftsThatPay(int32_t rows, int32_t most, double share) const {
  const double alone = budget_.DecodeSeconds(rows);
  if (alone <= 0) return most;  // not measured yet
  int32_t best = 0;
  double best_rate = rows / alone;
  double held = 0;
  double chance = 1;
  for (int32_t count = 1; count <= most; ++count) {
    chance *= share;
    held += chance;
    const double rate = (rows + held) / std::max(budget_.DecodeSeconds(rows + count), alone);
    if (rate <= best_rate) continue;
    best = count;
    best_rate = rate;
  }
  return best;
}

// Guesses take cells that the answer has reserved anyway.
void DecodeLoop::AddDraft(Part& part, int32_t most, int32_t decoding) {
  Sequence& sequence = *at(part.slot);
  const auto draft = sequence.Draft(std::min(most, cells_.reserved(part.slot) - sequence.size()));
  if (draft.empty()) return;
  part.drafts = DraftsThatPay(decoding, static_cast<int32_t>(draft.size()), sequence.lookup().share());
  if (part.drafts == 0 && !sequence.lookup().Pause()) part.drafts = 1;
  for (int32_t i = 0; i < part.drafts; ++i) {
    rows_.push_back({draft[static_cast<size_t>(i)], sequence.size() + i, part.slot, true});
  }
}

void DecodeLoop::RunStep(const Step& step) {
  const auto parts = BuildRows(step);
  const Adapter* const adapter = at(parts.front().slot)->adapter();
  if (const int32_t id = adapter == nullptr ? 0 : adapter->id; id != adapter_) {
    metrics_.adapter_switches.Increment();
    adapter_ = id;
  }
  backend_.UseAdapter(adapter);
  adapter_turns_.Ran(step);
  const MonotonicTime start = clock_.Monotonic();
  const absl::Status status = backend_.Decode(rows_);
  const double seconds = Seconds(clock_.Monotonic() - start);
  metrics_.step_duration.Observe(seconds);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      metrics_.iteration_tokens.Observe(static_cast<double>(rows_.size()));
      rows_max_ = backend_.info().batch_tokens_max;
      for (const Part& part : parts) Apply(part, static_cast<int32_t>(part.first));
      break;
    case absl::StatusCode::kResourceExhausted:
      MakeRoom(step, parts);
      break;
    case absl::StatusCode::kAborted:
      for (const Part& part : parts) Resync(part.slot);
      break;
    default:
      HG_LOG(Error, "step failed rows=", rows_.size(), " sequences=", parts.size(), " error=", status.ToString());
      DecodeOneByOne(parts);
  }
  in_step_.clear();
  int32_t drafts = 0;
  for (const Part& part : parts) drafts += part.drafts;
  Report(step, drafts, status.ok() ? seconds : 0);
}

void DecodeLoop::Apply(const Part& part, int32_t row) {
  Sequence& sequence = *at(part.slot);
  const bool answering = sequence.decoding();
  sequence.SetComputed(sequence.computed() + part.count);
  {
    std::lock_guard lock(mutex_);
    if (answering) {
      tenants_.ServedAnswer(sequence.tenant_index, part.count);
    } else {
      tenants_.ServedPrompt(sequence.tenant_index, part.count);
    }
  }
  const int32_t have = backend_.Length(part.slot);
  if (const int32_t want = sequence.computed() + part.drafts; have != want) {
    HG_LOG(Error, "KV length differs request=", sequence.request(), " have=", have, " want=", want);
    return Fail(part.slot, absl::InternalError("the KV cache lost tokens of this request"), Ending::kError);
  }
  if (sequence.left() > 0 || sequence.cancelled()) {
    if (part.drafts > 0) backend_.Truncate(part.slot, sequence.computed());
    return;
  }
  if (!answering) Publish(part.slot);  // others may begin like this one while it is answered
  if (Sample(part, row + part.count - 1)) Finish(part.slot);
}

// The guesses are judged by what the sampler chooses, one place after the other: each choice is made from scores that
// have all choices before it in their past, as without guesses.
bool DecodeLoop::Sample(const Part& part, int32_t row) {
  Sequence& sequence = *at(part.slot);
  const size_t draft = part.first + static_cast<size_t>(part.count);  // in rows_
  int32_t held = 0;
  bool complete = false;
  for (;;) {
    complete = sequence.Advance(row + held);
    CountToken(sequence);
    if (complete || held == part.drafts) break;
    if (sequence.token(sequence.size() - 1) != rows_[draft + static_cast<size_t>(held)].token) break;
    ++held;
  }
  if (part.drafts == 0) return complete;
  sequence.SetComputed(sequence.computed() + held);
  backend_.Truncate(part.slot, sequence.computed());
  sequence.lookup().Observe(part.drafts, held);
  metrics_.drafts.Count(part.drafts, held);
  if (held > 0) {
    std::lock_guard lock(mutex_);
    tenants_.ServedAnswer(sequence.tenant_index, held);
  }
  return complete;
}

void DecodeLoop::CountToken(Sequence& sequence) {
  const MonotonicTime now = clock_.Monotonic();
  metrics_.generation_tokens.Increment();
  if (!sequence.first_token) {
    sequence.first_token = now;
    metrics_.prompt_tokens.Increment(sequence.prompt_tokens());
    metrics_.prompt_tokens_cached.Increment(sequence.cached_tokens);
    metrics_.prompt_tokens_computed.Increment(sequence.prompt_tokens() - sequence.cached_tokens);
    metrics_.time_to_first_token.Observe(Seconds(now - sequence.submitted()));
    metrics_.prefill_time.Observe(Seconds(now - sequence.admitted.value_or(now)));
  } else {
    metrics_.ObserveGap(Seconds(now - sequence.last_token));
  }
  sequence.last_token = now;
}

// The lowest class, and of those the newest.
int32_t DecodeLoop::Worst() const {
  int32_t worst = -1;
  const auto weight = [&](int32_t slot) {
    return std::pair(slots_[static_cast<size_t>(slot)].rank, at(slot)->request());
  };
  for (int32_t slot = 0; slot < static_cast<int32_t>(slots_.size()); ++slot) {
    if (at(slot) != nullptr && (worst < 0 || weight(slot) > weight(worst))) worst = slot;
  }
  return worst;
}

// The backend had no room and changed nothing. First the step shrinks; when it cannot, one sequence gives way.
void DecodeLoop::MakeRoom(const Step& step, const std::vector<Part>& parts) {
  const auto decodes = static_cast<int32_t>(step.decode.size());
  const auto rows = static_cast<int32_t>(rows_.size());
  if (cells_.DropCache()) return;
  if (!step.prefill.empty() && rows > 1) {
    rows_max_ = std::max({rows / 2, decodes, 1});
  } else if (running_.size() > 1) {
    metrics_.preemptions.Increment();
    rows_max_ = backend_.info().batch_tokens_max;
    Preempt(Worst());
    admission_blocked_ = true;
  } else {
    Fail(parts.front().slot, absl::ResourceExhaustedError("the KV cache has no room for this request alone"),
         Ending::kError);
  }
}

// A step failed for a reason that may be one sequence's: each is tried alone, and only those that fail again end.
void DecodeLoop::DecodeOneByOne(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    Sequence& sequence = *at(part.slot);
    const int32_t before = sequence.computed();
    Resync(part.slot);
    if (sequence.computed() != before) continue;  // lost some: the next plan computes them again
    const auto rows = absl::MakeConstSpan(rows_).subspan(part.first, static_cast<size_t>(part.count + part.drafts));
    in_step_ = {&sequence};  // those before it may be gone
    const absl::Status status = backend_.Decode(rows);
    if (status.ok()) {
      Apply(part, 0);
    } else if (absl::IsAborted(status)) {
      Resync(part.slot);  // nobody waits for it: the next turn ends it
    } else {
      Fail(part.slot, absl::InternalError(absl::StrCat("the model failed: ", std::string(status.message()))),
           Ending::kError);
    }
  }
}

// After a step of which some rows may have been computed: the KV cache and our count agree again.
void DecodeLoop::Resync(int32_t slot) {
  Sequence& sequence = *at(slot);
  if (backend_.Length(slot) > sequence.computed()) backend_.Truncate(slot, sequence.computed());
  sequence.SetComputed(std::min(sequence.computed(), backend_.Length(slot)));
  if (sequence.computed() >= cells_.shared(slot)) return;
  cells_.Forget(slot);  // not even the shared prefix is whole: from the start
  sequence.SetComputed(0);
}

void DecodeLoop::Report(const Step& step, int32_t drafts, double step_seconds) {
  int64_t used = cells_.cached_in_use();
  int64_t prompt_left = 0;
  for (int32_t slot = 0; slot < static_cast<int32_t>(slots_.size()); ++slot) {
    const Sequence* const sequence = at(slot);
    if (sequence == nullptr) continue;
    used += sequence->computed() - cells_.shared(slot);
    if (!sequence->decoding()) prompt_left += sequence->left();
  }
  int32_t prefilled = 0;
  for (const Chunk& chunk : step.prefill) prefilled += chunk.tokens;
  const auto decoded = static_cast<int32_t>(step.decode.size());
  budget_.Observe(decoded + drafts, prefilled, step_seconds);
  std::lock_guard lock(mutex_);
  cells_used_ = used;
  cells_free_ = cells_.available();
  prompt_left_ = prompt_left;
  if (step_seconds <= 0) return;
  // A step of both kinds: each kind has its part of the time.
  const double decode_seconds = prefilled == 0 ? step_seconds
                                : decoded == 0 ? 0
                                               : std::min(budget_.DecodeSeconds(decoded), step_seconds * 0.75);
  prefill_rate_.Add(prefilled, step_seconds - decode_seconds);
  if (decode_seconds > 0) decode_rate_.Add(decoded, decode_seconds);
}

}  // namespace headgate::engine
