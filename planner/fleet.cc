// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/fleet.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "planner/random.h"

namespace headgate::planner {
namespace {

constexpr double kReportSeconds = 0.1;  // the engines' default
constexpr double kBytesPerToken = 4;    // as everywhere in the router

RandomBytes SeededBytes(uint64_t seed) {
  return [random = std::make_shared<Random>(seed)](size_t count) {
    std::string bytes(count, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random->Below(256));
    return bytes;
  };
}

router::LocalConfig LocalOf(const Scenario& scenario) {
  router::LocalConfig config = scenario.router.local;
  config.load_age_max = absl::InfiniteDuration();  // a modelled replica reports as long as it lives
  return config;
}

}  // namespace

router::PrefixKeys PrefixKeysOf(const Trace& trace, const TraceRequest& request) {
  router::PrefixKeys keys;
  uint64_t hash = Mix(request.client + 1);
  uint32_t hashed = 0;
  const double bytes = kBytesPerToken * request.input_tokens;
  const auto block_tokens = static_cast<double>(trace.block_tokens);
  for (size_t i = 0; i < router::kPrefixChunksMax; ++i) {
    const size_t end = router::PrefixBytes(i + 1);
    const auto blocks = static_cast<uint32_t>((static_cast<double>(end) / kBytesPerToken - 1) / block_tokens) + 1;
    if (static_cast<double>(end) > bytes || blocks > request.block_count) break;
    while (hashed < blocks) hash = Mix(hash ^ Mix(trace.blocks[request.first_block + hashed++]));
    keys.push_back(Mix(hash + i));
  }
  return keys;
}

// One that waits in the router's lines.
class SimulatedFleet::Waiter final : public router::WaitingLines::Waiter {
 public:
  Waiter(SimulatedFleet& fleet, uint32_t id, router::WaitingLines::Work wanted)
      : router::WaitingLines::Waiter(wanted_), fleet_(fleet), id_(id), wanted_(std::move(wanted)) {}
  void Placed(router::EndpointUse place) override {
    SimulatedFleet& fleet = fleet_;
    const uint32_t id = id_;
    fleet.until_.erase({absl::ToDoubleSeconds(wanted_.until), id});
    const auto self = std::move(fleet.waiters_.extract(id).mapped());
    fleet.Start(id, std::move(place));
  }
  void Refused(absl::Status) override {
    SimulatedFleet& fleet = fleet_;
    const uint32_t id = id_;
    fleet.until_.erase({absl::ToDoubleSeconds(wanted_.until), id});
    const auto self = std::move(fleet.waiters_.extract(id).mapped());
    fleet.listener_.refused(id);
  }

 private:
  SimulatedFleet& fleet_;
  const uint32_t id_;
  router::WaitingLines::Work wanted_;
};

SimulatedFleet::SimulatedFleet(const Scenario& scenario, const Trace& trace, SimulatedClock& clock, Listener listener)
    : scenario_(scenario),
      trace_(trace),
      clock_(clock),
      listener_(std::move(listener)),
      choice_(clock, SeededBytes(Mix(scenario.seed ^ 0xc401ce)), LocalOf(scenario), count_),
      lines_(clock, SeededBytes(Mix(scenario.seed ^ 0x11e5)), LocalOf(scenario), *this, metrics_) {
  count_->on_room = [this] { lines_.Pump(); };
}

SimulatedFleet::~SimulatedFleet() { count_->on_room = nullptr; }

std::shared_ptr<router::Endpoint> SimulatedFleet::Pick(const router::LocalAsk& ask,
                                                       const std::vector<std::string>& exclude) {
  return choice_.Pick(endpoints_, ask, exclude);
}

double SimulatedFleet::Remember(const router::LocalAsk& ask, const std::shared_ptr<router::Endpoint>& endpoint) {
  return choice_.Remember(ask, endpoint);
}

void SimulatedFleet::Order(double boot_seconds) {
  const double now = absl::ToDoubleSeconds(clock_.Monotonic());
  auto endpoint = std::make_shared<router::Endpoint>();
  endpoint->id = pods_.size() + 1;
  endpoint->name = endpoint->address = absl::StrCat("replica-", endpoint->id);
  endpoint->fleet = count_;
  pods_.push_back({Replica(scenario_.replica, now + boot_seconds, trace_.block_tokens), endpoint, now,
                   now + boot_seconds});
  live_.push_back(&pods_.back());
  if (boot_seconds <= 0) Join(pods_.back());
}

void SimulatedFleet::Join(Pod& pod) {
  endpoints_.push_back(pod.endpoint);
  Report(pod, absl::ToDoubleSeconds(clock_.Monotonic()));
}

void SimulatedFleet::Report(Pod& pod, double now) {
  v1::Load load;
  load.set_running(static_cast<int32_t>(pod.replica.in_batch()));
  load.set_waiting(static_cast<int32_t>(pod.replica.in_system() - pod.replica.in_batch()));
  load.set_running_max(static_cast<int32_t>(std::min<int64_t>(scenario_.replica.running_max, 1 << 30)));
  load.set_prefill_tokens_per_second(scenario_.replica.prefill_tokens_per_second);
  load.set_decode_tokens_per_second(scenario_.replica.decode_tokens_per_second);
  load.set_prompt_tokens_waiting(std::llround(pod.replica.prompt_tokens_left()));
  load.set_draining(pod.draining);
  pod.endpoint->Reported(load, absl::Seconds(now));
}

// Reports that nothing could have happened between are left out: only the last one before an event counts.
void SimulatedFleet::Reports(double now) {
  const auto number = static_cast<int64_t>(std::floor(now / kReportSeconds));
  if (number == reported_) return;
  reported_ = number;
  const double at = static_cast<double>(number) * kReportSeconds;
  for (size_t i = live_.size(); i-- > 0;) {
    Pod& pod = *live_[i];
    if (pod.endpoint->reports == 0) continue;
    Move(pod, at);
    if (!pod.gone) Report(pod, at);
  }
}

void SimulatedFleet::Leave(Pod& pod, double now) {
  pod.gone = true;
  pod.gone_at = now;
  pod.endpoint->gone = true;
  std::erase(endpoints_, pod.endpoint);
  live_.erase(std::find(live_.begin(), live_.end(), &pod));
}

void SimulatedFleet::DrainNewest() {
  const double now = absl::ToDoubleSeconds(clock_.Monotonic());
  for (size_t i = live_.size(); i-- > 0;) {
    Pod& pod = *live_[i];
    if (pod.draining) continue;
    pod.draining = true;
    Move(pod, now);
    if (!pod.gone) Report(pod, now);
    Release();
    return;
  }
}

void SimulatedFleet::KillOldest(std::vector<uint32_t>* again, std::vector<uint32_t>* broken) {
  if (live_.empty()) return;
  const double now = absl::ToDoubleSeconds(clock_.Monotonic());
  Pod& pod = *live_.front();
  Move(pod, now);
  if (!pod.gone) {
    pod.replica.Die(again, broken);
    Leave(pod, now);
  }
  for (const auto* ids : {again, broken}) ended_.insert(ended_.end(), ids->begin(), ids->end());
  Release();
}

double SimulatedFleet::NextEvent() {
  double next = std::min(tick_at_, until_.empty() ? kNever : until_.begin()->first);
  for (const Pod* pod : live_) {
    if (pod->endpoint->reports == 0) next = std::min(next, pod->ready_at);  // it joins
    next = std::min(next, pod->replica.NextEvent());
  }
  return next;
}

void SimulatedFleet::Step(double now) {
  Reports(now);
  for (size_t i = live_.size(); i-- > 0;) {
    if (i >= live_.size()) continue;  // some have left
    Pod& pod = *live_[i];
    if (pod.endpoint->reports == 0 && pod.ready_at <= now) Join(pod);
    if (pod.replica.NextEvent() <= now) Move(pod, now);
  }
  Release();
  if (now >= tick_at_) {
    lines_.Tick();
    tick_at_ = now + absl::ToDoubleSeconds(router::WaitingLines::kTick);
  }
  GiveUp(now);
  if (lines_.waiting() == 0) tick_at_ = kNever;
}

void SimulatedFleet::Move(Pod& pod, double now) {
  std::vector<ReplicaEvent> events;
  pod.replica.Advance(now, events);
  for (const ReplicaEvent& event : events) {
    listener_.happened(event);
    if (event.kind != ReplicaEvent::Kind::kFirstToken) ended_.push_back(event.id);
    if (event.kind == ReplicaEvent::Kind::kEnd) {
      const TraceRequest& request = trace_.requests[event.id];
      lines_.Served(trace_.clients[request.client], request.output_tokens);
    }
  }
  if (pod.draining && pod.replica.idle()) Leave(pod, now);
}

// Places that came free; each may start another request, which may end at once.
void SimulatedFleet::Release() {
  while (!ended_.empty()) {
    const uint32_t id = ended_.back();
    ended_.pop_back();
    if (const auto use = uses_.find(id); use != uses_.end()) {
      const router::EndpointUse last = std::move(use->second);
      uses_.erase(use);
    }
  }
}

router::LocalAsk SimulatedFleet::AskOf(uint32_t id, bool sensitive) const {
  const TraceRequest& request = trace_.requests[id];
  return {.sensitive = sensitive,
          .prompt_tokens = static_cast<double>(request.input_tokens),
          .prefix = PrefixKeysOf(trace_, request)};
}

router::Outlook SimulatedFleet::Look(uint32_t id, bool sensitive) {
  return choice_.Look(endpoints_, AskOf(id, sensitive));
}

void SimulatedFleet::Send(uint32_t id, bool sensitive) {
  const TraceRequest& request = trace_.requests[id];
  const MonotonicTime now = clock_.Monotonic();
  router::WaitingLines::Work work;
  work.ask = AskOf(id, sensitive);
  work.band = router::BandOf(sensitive, v1::PRIORITY_NORMAL);
  work.tenant = trace_.clients[request.client];
  work.until = router::LocalWaitEnd(sensitive, now, absl::Seconds(request.arrival_s + scenario_.deadline_s));
  sensitive_[id] = sensitive;
  auto waiter = std::make_unique<Waiter>(*this, id, std::move(work));
  auto place = lines_.Enter(*waiter);
  if (!place.ok()) return listener_.refused(id);
  if (*place) return Start(id, **std::move(place));
  until_.insert({absl::ToDoubleSeconds(waiter->work.until), id});
  waiters_[id] = std::move(waiter);
  if (tick_at_ == kNever) {
    lines_.Tick();
    tick_at_ = absl::ToDoubleSeconds(now + router::WaitingLines::kTick);
  }
}

void SimulatedFleet::Start(uint32_t id, router::EndpointUse use) {
  const TraceRequest& request = trace_.requests[id];
  Pod& pod = pods_[use->id - 1];
  Move(pod, absl::ToDoubleSeconds(clock_.Monotonic()));
  const uint32_t* blocks = trace_.blocks.data() + request.first_block;
  const double cached = pod.replica.prefixes().CachedTokens(blocks, request.block_count, request.input_tokens);
  uses_.emplace(id, std::move(use));
  listener_.placed(id, cached);
  pod.replica.Add({id, std::max(1.0, request.input_tokens - cached), static_cast<double>(request.output_tokens),
                   sensitive_[id], request.arrival_s + scenario_.deadline_s});
  sensitive_.erase(id);
  pod.replica.prefixes().Insert(blocks, request.block_count);
}

void SimulatedFleet::GiveUp(double now) {
  while (!until_.empty() && until_.begin()->first <= now) {
    const uint32_t id = until_.begin()->second;
    until_.erase(until_.begin());
    const auto waiter = std::move(waiters_.extract(id).mapped());
    lines_.Leave(*waiter);
    listener_.happened({ReplicaEvent::Kind::kDropped, id, now});
  }
}

SimulatedFleet::Sums SimulatedFleet::Count() const {
  Sums sums;
  sums.waiting = static_cast<int64_t>(lines_.waiting());
  for (const Pod* pod : live_) {
    if (pod->draining) continue;
    if (pod->endpoint->reports == 0) {
      ++sums.starting;
      continue;
    }
    ++sums.ready;
    sums.running += pod->replica.in_system();
  }
  return sums;
}

double SimulatedFleet::BusyShare(double now, double seconds) {
  double busy = 0;
  int64_t ready = 0;
  for (Pod* pod : live_) {
    if (pod->draining || pod->endpoint->reports == 0) continue;
    Move(*pod, now);
    ++ready;
    busy += (pod->replica.work_done() - pod->looked_work) / seconds;
    pod->looked_work = pod->replica.work_done();
  }
  Release();
  return ready > 0 ? busy / static_cast<double>(ready) : 1;
}

}  // namespace headgate::planner
