// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Tested by tests/unit/engine/engine_test.cc (every path) and exactness_test.cc (alone = batched = cancelled around).

#include "engine/decode_loop.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace headgate::engine {
namespace {

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

bool Dead(const Sequence& sequence, MonotonicTime now) { return sequence.cancelled() || sequence.deadline() <= now; }

absl::Status Cancelled() { return absl::CancelledError("cancelled"); }
absl::Status TooLate(const char* where) {
  return absl::DeadlineExceededError(absl::StrCat("the deadline passed ", where));
}

}  // namespace

void DecodeLoop::Rate::Add(int32_t more, double busy) {
  if (more == 0) return;
  const double keep = std::exp(-busy / 10);
  tokens = tokens * keep + more;
  seconds = seconds * keep + busy;
}

DecodeLoop::DecodeLoop(const EngineConfig& config, Backend& backend, EngineMetrics& metrics, const Clock& clock)
    : config_(config),
      backend_(backend),
      metrics_(metrics),
      clock_(clock),
      slots_(static_cast<size_t>(backend.info().sequences_max)),
      rows_max_(backend.info().batch_tokens_max),
      queue_(config.queue_max) {
  backend_.SetAbortCheck([this] { return StepIsDead(); });
  thread_ = std::thread([this] { Run(); });
}

DecodeLoop::~DecodeLoop() {
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

absl::Status DecodeLoop::Add(std::unique_ptr<Sequence> sequence) {
  {
    std::lock_guard lock(mutex_);
    absl::Status status = draining_ ? absl::UnavailableError("the engine is draining") : queue_.Push(sequence);
    if (!status.ok()) {
      metrics_.rejections.Increment();
      return status;
    }
  }
  wake_.notify_one();
  return absl::OkStatus();
}

void DecodeLoop::Cancel(uint64_t request) {
  {
    std::lock_guard lock(mutex_);
    if (auto sequence = queue_.Remove(request)) {
      ended_.push_back({std::move(sequence), Cancelled()});
    } else if (const auto at = running_.find(request); at != running_.end()) {
      at->second->Cancel(clock_.Monotonic());
    }
  }
  wake_.notify_one();
}

void DecodeLoop::Drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

bool DecodeLoop::Drained() const {
  std::lock_guard lock(mutex_);
  return draining_ && queue_.size() == 0 && running_.empty() && ended_.empty();
}

v1::Load DecodeLoop::CurrentLoad() const {
  const auto& info = backend_.info();
  v1::Load load;
  load.set_model(info.model);
  load.set_running_max(info.sequences_max);
  load.set_kv_cells_total(info.context_tokens);
  std::lock_guard lock(mutex_);
  load.set_waiting(queue_.size());
  load.set_running(static_cast<int32_t>(running_.size()));
  load.set_kv_cells_free(info.context_tokens - cells_reserved_);
  load.set_prefill_tokens_per_second(prefill_rate_.PerSecond());
  load.set_decode_tokens_per_second(decode_rate_.PerSecond());
  load.set_prompt_tokens_waiting(queue_.tokens_left() + prompt_left_);
  load.set_draining(draining_);
  return load;
}

double DecodeLoop::CellsUsed() const {
  std::lock_guard lock(mutex_);
  return static_cast<double>(cells_used_) / backend_.info().context_tokens;
}

absl::Duration DecodeLoop::TurnAge() const {
  const int64_t started = turn_started_ns_.load();
  return started == 0 ? absl::ZeroDuration() : clock_.Monotonic() - absl::Nanoseconds(started);
}

void DecodeLoop::Run() {
  while (WaitForWork()) Turn();
  const absl::Status stopped = absl::UnavailableError("the engine is stopping");
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot]) Fail(static_cast<int32_t>(slot), stopped, Ending::kAbort);
  }
  {
    std::lock_guard lock(mutex_);
    for (auto& sequence : queue_.RemoveAll()) ended_.push_back({std::move(sequence), stopped});
  }
  SendEnded(absl::ZeroDuration());
}

bool DecodeLoop::WaitForWork() {
  std::unique_lock lock(mutex_);
  if (running_.empty()) {
    turn_started_ns_ = 0;
    wake_.wait(lock, [this] { return stopping_ || queue_.size() > 0 || !ended_.empty(); });
  }
  turn_started_ns_ = absl::ToInt64Nanoseconds(clock_.Monotonic());
  return !stopping_;
}

void DecodeLoop::Turn() {
  const MonotonicTime now = clock_.Monotonic();
  ++turns_;
  SendEnded(now);
  DropDead(now);
  const Step step = Plan(now);
  if (!step.decode.empty() || !step.prefill.empty()) RunStep(step);
}

// Requests that left the queue without having run.
void DecodeLoop::SendEnded(MonotonicTime now) {
  std::vector<Ended> ended;
  {
    std::lock_guard lock(mutex_);
    ended.swap(ended_);
    for (auto& sequence : queue_.RemoveExpired(now)) {
      ended.push_back({std::move(sequence), TooLate("while the request waited")});
    }
  }
  for (auto& [sequence, status] : ended) {
    Observe(*sequence, Ending::kAbort);
    sequence->SendError(std::move(status));
  }
}

void DecodeLoop::DropDead(MonotonicTime now) {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot] || !Dead(*slots_[slot], now)) continue;
    const absl::Status status = slots_[slot]->cancelled() ? Cancelled() : TooLate("while the answer was made");
    Fail(static_cast<int32_t>(slot), status, Ending::kAbort);
  }
}

Step DecodeLoop::Plan(MonotonicTime now) {
  for (;;) {
    std::vector<RunningSequence> running;
    // Begins with another sequence each turn: where not all fit, each has its turn.
    for (size_t i = 0; i < slots_.size(); ++i) {
      const size_t slot = (i + turns_) % slots_.size();
      if (!slots_[slot]) continue;
      const Sequence& sequence = *slots_[slot];
      running.push_back({sequence.request(), static_cast<int32_t>(slot), sequence.decoding() ? 0 : sequence.left()});
    }
    if (running.empty()) admission_blocked_ = false;
    StepLimits limits;
    limits.batch_tokens_max = rows_max_;
    limits.prefill_tokens_max = config_.step_prefill_tokens;
    limits.sequences_free = static_cast<int32_t>(slots_.size() - running.size());
    std::vector<WaitingRequest> waiting;
    {
      std::lock_guard lock(mutex_);
      limits.cells_free = static_cast<int32_t>(backend_.info().context_tokens - cells_reserved_);
      if (!admission_blocked_) waiting = queue_.Waiting();
    }
    Step step = PlanStep(running, waiting, limits);
    if (step.admit.empty()) return step;
    Admit(step.admit, now);  // then plan again, so that the new ones start at once
  }
}

void DecodeLoop::Admit(const std::vector<uint64_t>& requests, MonotonicTime now) {
  std::lock_guard lock(mutex_);
  for (const uint64_t request : requests) {
    auto sequence = queue_.Remove(request);
    if (!sequence) continue;  // cancelled meanwhile
    if (!sequence->admitted) {
      sequence->admitted = now;
      metrics_.queue_time.Observe(Seconds(now - sequence->submitted()));
    }
    running_[request] = sequence.get();
    cells_reserved_ += sequence->cells_needed();
    // The lowest free id: the KV cache is read up to its highest used cell.
    *std::find(slots_.begin(), slots_.end(), nullptr) = std::move(sequence);
  }
}

std::vector<DecodeLoop::Part> DecodeLoop::BuildRows(const Step& step) {
  rows_.clear();
  in_step_.clear();
  std::vector<Part> parts;
  const auto add = [&](int32_t slot, int32_t count) {
    const Sequence& sequence = *slots_[static_cast<size_t>(slot)];
    parts.push_back({slot, rows_.size(), count});
    in_step_.push_back(&sequence);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t position = sequence.computed() + i;
      rows_.push_back({sequence.token(position), position, slot, position + 1 == sequence.size()});
    }
  };
  for (const int32_t slot : step.decode) add(slot, 1);
  for (const Chunk& chunk : step.prefill) add(chunk.sequence, chunk.tokens);
  return parts;
}

void DecodeLoop::RunStep(const Step& step) {
  const auto parts = BuildRows(step);
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
  Publish(step, status.ok() ? seconds : 0);
}

void DecodeLoop::Apply(const Part& part, int32_t row) {
  Sequence& sequence = *slots_[static_cast<size_t>(part.slot)];
  sequence.SetComputed(sequence.computed() + part.count);
  if (backend_.Length(part.slot) != sequence.computed()) {
    HG_LOG(Error, "KV length differs request=", sequence.request(), " have=", backend_.Length(part.slot),
           " want=", sequence.computed());
    return Fail(part.slot, absl::InternalError("the KV cache lost tokens of this request"), Ending::kError);
  }
  if (sequence.left() > 0 || sequence.cancelled()) return;
  const bool complete = sequence.Advance(row + part.count - 1);
  const MonotonicTime now = clock_.Monotonic();
  metrics_.generation_tokens.Increment();
  if (!sequence.first_token) {
    sequence.first_token = now;
    metrics_.prompt_tokens.Increment(sequence.prompt_tokens());
    metrics_.time_to_first_token.Observe(Seconds(now - sequence.submitted()));
    metrics_.prefill_time.Observe(Seconds(now - sequence.admitted.value_or(now)));
  } else {
    metrics_.inter_token_latency.Observe(Seconds(now - sequence.last_token));
  }
  sequence.last_token = now;
  if (complete) Finish(part.slot);
}

// The backend had no room and changed nothing. First the step shrinks; when it cannot, one sequence gives way.
void DecodeLoop::MakeRoom(const Step& step, const std::vector<Part>& parts) {
  const auto decodes = static_cast<int32_t>(step.decode.size());
  const auto rows = static_cast<int32_t>(rows_.size());
  if (!step.prefill.empty() && rows > 1) {
    rows_max_ = std::max({rows / 2, decodes, 1});
  } else if (running_.size() > 1) {
    Preempt();
  } else {
    Fail(parts.front().slot, absl::ResourceExhaustedError("the KV cache has no room for this request alone"),
         Ending::kError);
  }
}

// The lowest priority, and of those the newest, goes back to the queue.
void DecodeLoop::Preempt() {
  const auto weight = [](const Sequence& sequence) {
    const int rank = sequence.priority() == v1::PRIORITY_BATCH         ? 2
                     : sequence.priority() == v1::PRIORITY_INTERACTIVE ? 0
                                                                       : 1;
    return std::pair(rank, sequence.request());
  };
  int32_t victim = -1;
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot]) continue;
    if (victim < 0 || weight(*slots_[slot]) > weight(*slots_[static_cast<size_t>(victim)])) {
      victim = static_cast<int32_t>(slot);
    }
  }
  backend_.Truncate(victim, 0);
  metrics_.preemptions.Increment();
  admission_blocked_ = true;
  rows_max_ = backend_.info().batch_tokens_max;
  std::lock_guard lock(mutex_);  // over both, so that a cancel finds it here or there
  auto sequence = TakeLocked(victim);
  sequence->SetComputed(0);
  if (sequence->cancelled()) {
    ended_.push_back({std::move(sequence), Cancelled()});
  } else {
    queue_.Return(std::move(sequence));
  }
}

// A step failed for a reason that may be one sequence's: each is tried alone, and only those that fail again end.
void DecodeLoop::DecodeOneByOne(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    Sequence& sequence = *slots_[static_cast<size_t>(part.slot)];
    const int32_t before = sequence.computed();
    Resync(part.slot);
    if (sequence.computed() != before) continue;  // lost some: the next plan computes them again
    const auto rows = absl::MakeConstSpan(rows_).subspan(part.first, static_cast<size_t>(part.count));
    const absl::Status status = backend_.Decode(rows);
    if (status.ok()) {
      Apply(part, 0);
    } else {
      Fail(part.slot, absl::InternalError(absl::StrCat("the model failed: ", std::string(status.message()))),
           Ending::kError);
    }
  }
}

// After a step of which some rows may have been computed: the KV cache and our count agree again.
void DecodeLoop::Resync(int32_t slot) {
  Sequence& sequence = *slots_[static_cast<size_t>(slot)];
  if (backend_.Length(slot) > sequence.computed()) backend_.Truncate(slot, sequence.computed());
  sequence.SetComputed(std::min(sequence.computed(), backend_.Length(slot)));
}

void DecodeLoop::Observe(const Sequence& sequence, Ending ending) {
  const MonotonicTime now = clock_.Monotonic();
  metrics_.Ended(ending).Increment();
  metrics_.e2e_latency.Observe(Seconds(now - sequence.submitted()));
  metrics_.request_prompt_tokens.Observe(sequence.prompt_tokens());
  metrics_.request_generation_tokens.Observe(sequence.answer_tokens());
  if (sequence.admitted) metrics_.inference_time.Observe(Seconds(now - *sequence.admitted));
  if (sequence.first_token) metrics_.decode_time.Observe(Seconds(sequence.last_token - *sequence.first_token));
}

// Events come last: who sees the end also sees the place free and the metrics counted.
void DecodeLoop::Finish(int32_t slot) {
  const auto sequence = Free(slot);
  const bool length = sequence->finish() == v1::FINISH_REASON_LENGTH;
  Observe(*sequence, length ? Ending::kLength : Ending::kStop);
  sequence->SendFinish(config_.random);
}

void DecodeLoop::Fail(int32_t slot, absl::Status status, Ending ending) {
  const auto sequence = Free(slot);
  if (sequence->cancelled()) {
    metrics_.cancel_to_free.Observe(Seconds(clock_.Monotonic() - sequence->cancelled_at()));
  }
  Observe(*sequence, ending);
  sequence->SendError(std::move(status));
}

std::unique_ptr<Sequence> DecodeLoop::Free(int32_t slot) {
  backend_.Truncate(slot, 0);
  admission_blocked_ = false;
  std::lock_guard lock(mutex_);
  return TakeLocked(slot);
}

std::unique_ptr<Sequence> DecodeLoop::TakeLocked(int32_t slot) {
  auto sequence = std::move(slots_[static_cast<size_t>(slot)]);
  running_.erase(sequence->request());
  cells_reserved_ -= sequence->cells_needed();
  cells_used_ = std::max<int64_t>(cells_used_ - sequence->computed(), 0);
  return sequence;
}

// Polled inside Decode, on this thread: nobody waits for any row of the step any more.
bool DecodeLoop::StepIsDead() const {
  if (stopping_) return true;
  if (in_step_.empty()) return false;
  const MonotonicTime now = clock_.Monotonic();
  return std::all_of(in_step_.begin(), in_step_.end(), [now](const Sequence* s) { return Dead(*s, now); });
}

void DecodeLoop::Publish(const Step& step, double step_seconds) {
  int64_t used = 0;
  int64_t prompt_left = 0;
  for (const auto& sequence : slots_) {
    if (!sequence) continue;
    used += sequence->computed();
    if (!sequence->decoding()) prompt_left += sequence->left();
  }
  int32_t prefilled = 0;
  for (const Chunk& chunk : step.prefill) prefilled += chunk.tokens;
  std::lock_guard lock(mutex_);
  cells_used_ = used;
  prompt_left_ = prompt_left;
  if (step_seconds <= 0) return;
  prefill_rate_.Add(prefilled, step_seconds);
  decode_rate_.Add(static_cast<int32_t>(step.decode.size()), step_seconds);
}

}  // namespace headgate::engine
