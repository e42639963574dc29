// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Who runs: the queue, admission and ends. decode_places.cc has what a place in the batch holds, decode_step.cc the
// step itself. Tested by
// tests/unit/engine/engine_test.cc (every path), scheduling_test.cc (contention) and exactness_test.cc (alone = batched
// = cancelled around).

#include "engine/decode_loop.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace headgate::engine {
namespace {

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

bool Dead(const Sequence& sequence, MonotonicTime now) { return sequence.cancelled() || sequence.deadline() <= now; }

absl::Status Cancelled() { return absl::CancelledError("cancelled"); }
absl::Status CannotMeet() {
  return absl::DeadlineExceededError("the deadline cannot be met: the prompt alone takes longer");
}
absl::Status TooLate(const char* where) {
  return absl::DeadlineExceededError(absl::StrCat("the deadline passed ", where));
}

constexpr double kCertainly = 0.7;  // of the time a prompt takes by the present speed: surely too little
constexpr int32_t kYieldsMax = 8;   // then the batch class gets its rows for a step
constexpr uint64_t kShowEvery = 32; // turns between two looks at the rates

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
      cells_(backend, config.prefix_cache_tokens < 0 ? backend.info().context_tokens / 4 : config.prefix_cache_tokens),
      budget_(config.step_target, config.step_prefill_tokens),
      rows_max_(backend.info().batch_tokens_max),
      ready_(!config.warm_up),
      queue_(config.queue_max),
      cells_free_(cells_.available()),
      answers_max_(backend.info().sequences_max) {
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

absl::Status DecodeLoop::Add(std::vector<std::unique_ptr<Sequence>> sequences) {
  {
    std::lock_guard lock(mutex_);
    absl::Status status = draining_ ? absl::UnavailableError("the engine is draining")
                                    : queue_.CheckRoom(static_cast<int32_t>(sequences.size()));
    if (!status.ok()) {
      metrics_.rejections.Increment();
      return status;
    }
    for (auto& sequence : sequences) {
      sequence->tenant_index = tenants_.Enter(sequence->tenant());
      queue_.Put(std::move(sequence));
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
  load.set_kv_cells_total(info.context_tokens);
  std::lock_guard lock(mutex_);
  load.set_waiting(queue_.size());
  load.set_running(static_cast<int32_t>(running_.size()));
  load.set_kv_cells_free(cells_free_);
  load.set_prefill_tokens_per_second(prefill_rate_.PerSecond());
  load.set_decode_tokens_per_second(decode_rate_.PerSecond());
  load.set_prompt_tokens_waiting(queue_.tokens_left() + prompt_left_);
  load.set_draining(draining_);
  load.set_running_max(answers_max_);
  for (const auto& [answers, rate] : decode_rates_) {
    v1::DecodeRate& known = *load.add_decode_rates();
    known.set_answers(answers);
    known.set_tokens_per_second(rate);
  }
  return load;
}

std::pair<std::set<std::string>, std::set<std::string>> DecodeLoop::AdaptersInUse() const {
  std::set<std::string> running;
  std::lock_guard lock(mutex_);
  for (const auto& [request, sequence] : running_) {
    if (sequence->adapter() != nullptr) running.insert(sequence->adapter()->name);
  }
  return {std::move(running), queue_.Adapters()};
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
  if (config_.warm_up) WarmUp();
  ready_ = true;
  while (WaitForWork()) Turn();
  const absl::Status stopped = absl::UnavailableError("the engine is stopping");
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].sequence) Fail(static_cast<int32_t>(slot), stopped, Ending::kAbort);
  }
  {
    std::lock_guard lock(mutex_);
    for (auto& sequence : queue_.RemoveAll()) ended_.push_back({std::move(sequence), stopped});
  }
  SendEnded(absl::ZeroDuration());
}

// A step of `sequences` with `count` rows each; 0 when it did not work.
double DecodeLoop::Measure(int32_t sequences, int32_t count) {
  rows_.clear();
  for (int32_t slot = 0; slot < sequences; ++slot) {
    const int32_t length = backend_.Length(slot);
    for (int32_t i = 0; i < count; ++i) rows_.push_back({1, length + i, slot, i + 1 == count});
  }
  const MonotonicTime start = clock_.Monotonic();
  if (stopping_ || !backend_.Decode(rows_).ok()) return 0;
  const double seconds = Seconds(clock_.Monotonic() - start);
  budget_.Observe(count == 1 ? sequences : 0, count == 1 ? 0 : count, seconds);
  std::lock_guard lock(mutex_);
  (count == 1 ? decode_rate_ : prefill_rate_).Add(sequences * count, seconds);
  return seconds;
}

// Measures the model as it will be used, at several sizes, so that the first requests meet warm memory, a known step
// budget and as many places as pay. Sizes that are far too slow are not tried: no answer would wait for them.
void DecodeLoop::WarmUp() {
  const BackendInfo& info = backend_.info();
  const int32_t prompt_max = std::min(info.batch_tokens_max, info.context_tokens_per_sequence_max / 4);
  Measure(1, std::min(8, prompt_max));  // touches memory: too few rows to be believed
  for (int32_t prompt = StepBudget::kTokensMin; prompt <= prompt_max; prompt *= 2) {
    if (Measure(1, prompt) > Seconds(config_.step_target) / 2) break;
  }
  const int32_t most = std::min(info.sequences_max, info.batch_tokens_max);
  const double enough = std::max(4 * Seconds(config_.step_target), 2 * Measure(1, 1));
  for (int32_t sequences = 1; sequences <= most; sequences *= 2) {
    if (Measure(sequences, 1) > enough && Measure(sequences, 1) > enough) break;
  }
  budget_.Trust();
  ShowRates();
  for (int32_t slot = 0; slot < info.sequences_max; ++slot) backend_.Truncate(slot, 0);
}

void DecodeLoop::ShowRates() {
  auto rates = budget_.DecodeRates();
  for (const auto& [answers, rate] : rates) metrics_.DecodeRateOf(answers).Set(rate);
  const int32_t most = budget_.AnswersAtATime(static_cast<int32_t>(slots_.size()));
  metrics_.answers_max.Set(most);
  std::lock_guard lock(mutex_);
  decode_rates_ = std::move(rates);
  answers_max_ = most;
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
  if (++turns_ % kShowEvery == 0) ShowRates();
  SendEnded(now);
  DropDead(now);
  const Step step = Plan(now);
  if (!step.decode.empty() || !step.prefill.empty()) RunStep(step);
}

// The deadline passes before even the prompt can be computed, at the best speed seen lately.
bool DecodeLoop::Hopeless(const Sequence& sequence, MonotonicTime now) const {
  const absl::Duration left = sequence.deadline() - now;
  if (left <= absl::ZeroDuration()) return true;
  if (left == absl::InfiniteDuration()) return false;
  const int32_t kept = sequence.swapped ? sequence.swapped->tokens() : 0;
  const int32_t tokens = sequence.left() - std::max(kept, cells_.Match(sequence.cache_key(), sequence.tokens()));
  return kCertainly * tokens * budget_.prefill_seconds_at_best() > Seconds(left);
}

// Requests that left the queue without having run.
void DecodeLoop::SendEnded(MonotonicTime now) {
  std::vector<Ended> ended;
  {
    std::lock_guard lock(mutex_);
    ended.swap(ended_);
    for (auto& sequence : queue_.RemoveIf([&](const Sequence& s) { return Hopeless(s, now); })) {
      const bool passed = sequence->deadline() <= now;
      ended.push_back({std::move(sequence), passed ? TooLate("while the request waited") : CannotMeet()});
    }
  }
  for (auto& [sequence, status] : ended) {
    Settle(*sequence, Ending::kAbort);
    sequence->SendError(std::move(status));
  }
}

void DecodeLoop::DropDead(MonotonicTime now) {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    const Sequence* const sequence = slots_[slot].sequence.get();
    if (sequence == nullptr || !Dead(*sequence, now)) continue;
    const absl::Status status = sequence->cancelled() ? Cancelled() : TooLate("while the answer was made");
    Fail(static_cast<int32_t>(slot), status, Ending::kAbort);
  }
}

// Cells that the sequence's next row needs beyond its reservation.
int32_t DecodeLoop::CellsShort(const Sequence& sequence, int32_t slot) const {
  const int32_t reserved = cells_.reserved(slot);
  if (sequence.size() <= reserved) return 0;
  return std::max(std::min(config_.answer_cells / 2, sequence.cells_most() - reserved), sequence.size() - reserved);
}

// Up to where others wait for it: then they and its own rest are computed together, and answered side by side.
int32_t DecodeLoop::PromptLeft(int32_t slot) const {
  const Sequence& sequence = *at(slot);
  int32_t left = sequence.left();
  for (const Slot& other : slots_) {
    if (!other.sequence || other.donor != sequence.request()) continue;
    const int32_t common = other.donor_tokens - sequence.computed();
    if (common > 0) left = std::min(left, common);
  }
  return left;
}

// Begins with another sequence each turn: where not all fit, each has its turn.
std::vector<RunningSequence> DecodeLoop::Running(MonotonicTime now) const {
  std::vector<RunningSequence> running;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const auto slot = static_cast<int32_t>((i + turns_) % slots_.size());
    const Sequence* const sequence = at(slot);
    if (sequence == nullptr) continue;
    const Slot& place = slots_[static_cast<size_t>(slot)];
    const int32_t aged = AgedRank(RankOf(sequence->priority()), now - sequence->submitted(), config_.aging);
    running.push_back({.request = sequence->request(),
                       .sequence = slot,
                       .prompt_left = sequence->decoding() ? 0 : PromptLeft(slot),
                       .rank = place.rank,
                       .cells_held = cells_.reserved(slot) - cells_.shared(slot),
                       .cells_short = CellsShort(*sequence, slot),
                       .waits = place.donor != 0,
                       .adapter = sequence->adapter() == nullptr ? 0 : sequence->adapter()->id,
                       .risen = std::max(place.rank - aged, 0)});
  }
  return running;
}

StepLimits DecodeLoop::Limits(const std::vector<RunningSequence>& running) {
  const auto decoding = std::count_if(running.begin(), running.end(), [](const auto& s) { return s.prompt_left == 0; });
  StepLimits limits;
  limits.batch_tokens_max = rows_max_;
  limits.prefill_tokens_max = budget_.PrefillTokens(static_cast<int32_t>(decoding));
  const int32_t places = budget_.AnswersAtATime(static_cast<int32_t>(slots_.size()));
  limits.sequences_free = std::max(0, places - static_cast<int32_t>(running.size()));
  limits.cells_free = cells_.available();
  limits.batch_rank_rows_max = config_.batch_rank_rows;
  limits.batch_yields = yields_ < kYieldsMax;
  limits.adapter = adapter_turns_.Choose(running, limits.batch_yields);
  return limits;
}

Step DecodeLoop::Plan(MonotonicTime now) {
  for (;;) {
    ServeWaits();
    const auto running = Running(now);
    if (running.empty()) admission_blocked_ = false;
    StepLimits limits = Limits(running);
    std::vector<WaitingRequest> waiting;
    {
      std::lock_guard lock(mutex_);
      limits.tenant_tokens = tenants_.Tokens();
      if (!admission_blocked_) {
        waiting = queue_.Waiting(now, config_.aging, [this](const Sequence& sequence) {
          // A state that is put back shares nothing.
          const int32_t shared = sequence.swapped ? 0 : cells_.MatchInUse(sequence.cache_key(), sequence.tokens());
          return CellsAtAdmission(sequence) - shared;
        });
      }
    }
    Step step = PlanStep(running, waiting, limits);
    if (step.preempt) {
      metrics_.preemptions.Increment();
      Publish(*step.preempt);
      Preempt(*step.preempt);
      continue;
    }
    for (const int32_t slot : step.grow) cells_.Grow(slot, CellsShort(*at(slot), slot));
    if (!step.admit.empty()) {
      Admit(step.admit, now);  // then plan again, so that the new ones start at once
      continue;
    }
    yields_ = step.batch_stood_aside ? yields_ + 1 : 0;
    metrics_.step_prefill_budget.Set(limits.prefill_tokens_max);
    std::lock_guard lock(mutex_);
    cells_free_ = cells_.available();
    return step;
  }
}

void DecodeLoop::Admit(const std::vector<uint64_t>& requests, MonotonicTime now) {
  for (const uint64_t request : requests) {
    int32_t slot = 0;
    {
      std::lock_guard lock(mutex_);
      auto sequence = queue_.Remove(request);
      if (!sequence) continue;  // cancelled meanwhile
      if (!sequence->admitted) {
        sequence->admitted = now;
        metrics_.queue_time.Observe(Seconds(now - sequence->submitted()));
      }
      running_[request] = sequence.get();
      // The lowest free id: the KV cache is read up to its highest used cell.
      while (at(slot) != nullptr) ++slot;
      Slot& place = slots_[static_cast<size_t>(slot)];
      place.rank = AgedRank(RankOf(sequence->priority()), now - sequence->submitted(), config_.aging);
      place.sequence = std::move(sequence);
    }
    Start(slot);
  }
}

// Before the end event, whatever the end.
void DecodeLoop::Settle(const Sequence& sequence, Ending ending) {
  const MonotonicTime now = clock_.Monotonic();
  metrics_.Ended(ending).Increment();
  metrics_.e2e_latency.Observe(Seconds(now - sequence.submitted()));
  metrics_.request_prompt_tokens.Observe(sequence.prompt_tokens());
  metrics_.request_generation_tokens.Observe(sequence.answer_tokens());
  if (sequence.admitted) metrics_.inference_time.Observe(Seconds(now - *sequence.admitted));
  metrics_.request_max_generation_tokens.Observe(sequence.max_tokens());
  if (sequence.first_token) {
    const double answering = Seconds(sequence.last_token - *sequence.first_token);
    metrics_.decode_time.Observe(answering);
    metrics_.prefill_computed_tokens.Observe(sequence.prompt_tokens() - sequence.cached_tokens);
    const int32_t further = sequence.answer_tokens() - 1;
    if (further > 0) metrics_.time_per_output_token.Observe(answering / further);
  }
  std::lock_guard lock(mutex_);
  tenants_.Leave(sequence.tenant_index);
}

// Events come last: who sees the end also sees the place free and the metrics counted.
void DecodeLoop::Finish(int32_t slot) {
  Publish(slot);
  const auto sequence = Free(slot);
  const bool length = sequence->finish() == v1::FINISH_REASON_LENGTH;
  Settle(*sequence, length ? Ending::kLength : Ending::kStop);
  sequence->SendFinish(config_.random);
}

void DecodeLoop::Fail(int32_t slot, absl::Status status, Ending ending) {
  if (ending == Ending::kAbort && !stopping_) Publish(slot);
  const auto sequence = Free(slot);
  if (sequence->cancelled()) {
    metrics_.cancel_to_free.Observe(Seconds(clock_.Monotonic() - sequence->cancelled_at()));
  }
  Settle(*sequence, ending);
  sequence->SendError(std::move(status));
}

std::unique_ptr<Sequence> DecodeLoop::Free(int32_t slot) {
  cells_.Free(slot);
  admission_blocked_ = false;
  std::lock_guard lock(mutex_);
  auto sequence = std::move(slots_[static_cast<size_t>(slot)].sequence);
  slots_[static_cast<size_t>(slot)] = {};
  running_.erase(sequence->request());
  cells_free_ = cells_.available();
  if (running_.empty()) cells_used_ = cells_.cached_in_use();
  return sequence;
}

// Polled inside Decode, on this thread: nobody waits for any row of the step any more.
bool DecodeLoop::StepIsDead() const {
  if (stopping_) return true;
  if (in_step_.empty()) return false;
  const MonotonicTime now = clock_.Monotonic();
  return std::all_of(in_step_.begin(), in_step_.end(), [now](const Sequence* s) { return Dead(*s, now); });
}

}  // namespace headgate::engine
