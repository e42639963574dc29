// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Places come free by events (an answer ends, an engine reports), which call Pump; a tick looks after what only time
// changes: ejections that end, reports that age, waiters that have waited too long.

#include "router/upstream/local_queue.h"

#include <algorithm>
#include <cmath>

#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(20);
constexpr int kScanMax = 16;  // heads of tenants that are looked at when the first cannot use what is free
constexpr double kOutputWeight = 2;
constexpr absl::Duration kPaceHalfLife = absl::Seconds(5);
constexpr absl::Duration kPaceAfter = absl::Seconds(1);  // of waiting: less says nothing about the pace
constexpr double kPaceMin = 0.02;                        // a second; below it, nothing is being served
constexpr absl::Duration kRetryAfterMin = absl::Seconds(1);
constexpr absl::Duration kRetryAfterMax = absl::Seconds(60);
// A pace that only just fails the deadline may be wrong.
constexpr double kHopeless = 1.5;

constexpr const char* kBandNames[] = {"sensitive", "interactive", "batch"};

}  // namespace

// Leaves the queue with its scope, however that ends.
struct LocalQueue::Waiter {
  Waiter(LocalQueue& q, Work& w)
      : queue(q), alive(q.alive_), work(w), since(q.clock_.Monotonic()), place(q.executor_, 1) {}
  ~Waiter() {
    if (!alive.expired()) queue.Remove(*this);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  LocalQueue& queue;
  const std::weak_ptr<const bool> alive;  // the queue
  Work& work;
  const MonotonicTime since;
  Mailbox<EndpointUse> place;
  bool queued = false;
};

LocalQueue::LocalQueue(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config,
                       EndpointRegistry& endpoints, Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      random_(std::move(random)),
      config_(config),
      endpoints_(endpoints),
      metrics_(metrics),
      given_at_(clock.Monotonic()) {
  endpoints_.SetOnRoom([this] { Pump(); });
}

LocalQueue::~LocalQueue() { endpoints_.SetOnRoom(nullptr); }

void LocalQueue::Apply(const LocalConfig& config) { config_ = config; }

double LocalQueue::Counter(const std::string& tenant) const {
  const auto found = counters_.find(tenant);
  return found == counters_.end() ? 0 : found->second;
}

void LocalQueue::Charge(const std::string& tenant, double tokens) {
  const double before = Counter(tenant);
  counters_[tenant] = before + tokens;
  for (Line& line : lines_) {
    if (line.order.erase({before, tenant}) > 0) line.order.emplace(before + tokens, tenant);
  }
}

void LocalQueue::Served(const std::string& tenant, int64_t output_tokens) {
  Charge(tenant, kOutputWeight * static_cast<double>(std::max<int64_t>(0, output_tokens)));
}

void LocalQueue::Add(Waiter& waiter) {
  Line& line = this->line(waiter.work.band);
  const std::string& tenant = waiter.work.tenant;
  auto& own = line.tenants[tenant];
  if (own.empty()) {
    // Who was away has saved nothing up: it begins where the least served of the waiting is.
    if (!line.order.empty()) Charge(tenant, std::max(0.0, line.order.begin()->first - Counter(tenant)));
    line.order.emplace(Counter(tenant), tenant);
  }
  own.push_back(&waiter);
  line.arrivals.insert(waiter.since);
  if (std::all_of(lines_.begin(), lines_.end(), [](const Line& other) { return other.waiting == 0; })) {
    busy_since_ = given_at_ = clock_.Monotonic();
    given_ = 0;
  }
  ++line.waiting;
  waiter.queued = true;
  SetGauges();
  if (!timer_) Tick();
}

void LocalQueue::Remove(Waiter& waiter) {
  if (!std::exchange(waiter.queued, false)) return;
  Line& line = this->line(waiter.work.band);
  const auto own = line.tenants.find(waiter.work.tenant);
  std::erase(own->second, &waiter);
  if (own->second.empty()) {
    line.order.erase({Counter(own->first), own->first});
    line.tenants.erase(own);
  }
  line.arrivals.erase(line.arrivals.find(waiter.since));
  --line.waiting;
  SetGauges();
  for (const Line& other : lines_) {
    if (other.waiting > 0) return;
  }
  timer_.reset();
  busy_since_ = absl::InfiniteDuration();
}

std::optional<double> LocalQueue::Pace() const {
  const absl::Duration busy = clock_.Monotonic() - busy_since_;
  if (busy < kPaceAfter) return std::nullopt;
  const double decayed = given_ * std::exp2(-absl::FDivDuration(clock_.Monotonic() - given_at_, kPaceHalfLife));
  // As if it had been so for ever: what a decaying sum has missed since it began from nothing is added.
  constexpr double kLn2 = 0.6931471805599453;
  const double missed = std::exp2(-absl::FDivDuration(busy, kPaceHalfLife));
  return decayed * kLn2 / absl::ToDoubleSeconds(kPaceHalfLife) / (1 - missed);
}

std::optional<absl::Duration> LocalQueue::ExpectedWait(Band band) const {
  double ahead = 1;
  for (size_t i = 0; i <= static_cast<size_t>(band); ++i) ahead += static_cast<double>(lines_[i].waiting);
  const auto pace = Pace();
  if (!pace || *pace < kPaceMin) return std::nullopt;
  return absl::Seconds(ahead / *pace);
}

absl::Status LocalQueue::Overloaded(const char* why) {
  // By then the queue is worked off; spread, so that they do not all come back at once.
  const absl::Duration expected = ExpectedWait(Band::kBatch).value_or(kRetryAfterMin);
  absl::Duration after = std::clamp(expected, kRetryAfterMin, kRetryAfterMax);
  after = std::min(kRetryAfterMax, after * (1 + RandomUnit(random_) / 4));
  return WithRetryAfter(absl::UnavailableError(why), after);
}

void LocalQueue::Refuse(Waiter& waiter, const char* why) {
  metrics_
      .GetCounter("headgate_router_queue_refusals_total", "Requests for a local engine that were refused.",
                  {{"band", kBandNames[static_cast<size_t>(waiter.work.band)]}})
      .Increment();
  Remove(waiter);
  waiter.place.Close(Overloaded(why));
}

LocalQueue::Waiter* LocalQueue::Victim(Band highest) {
  for (size_t i = kBands; i-- > static_cast<size_t>(highest);) {
    if (lines_[i].waiting == 0) continue;
    const auto own = std::max_element(lines_[i].tenants.begin(), lines_[i].tenants.end(),
                                      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    return own->second.back();
  }
  return nullptr;
}

void LocalQueue::RefuseOlderThan(Band band, MonotonicTime since) {
  std::vector<Waiter*> late;
  for (const auto& [tenant, waiters] : line(band).tenants) {
    for (Waiter* waiter : waiters) {
      if (waiter->since < since) late.push_back(waiter);
    }
  }
  for (Waiter* waiter : late) Refuse(*waiter, "local engines are overloaded");
}

std::shared_ptr<Endpoint> LocalQueue::Pick(Work& work) {
  if (!work.tried.empty() && clock_.Monotonic() >= work.tried_until) work.tried.clear();
  return endpoints_.Pick(work.ask, work.tried);
}

EndpointUse LocalQueue::Take(const Work& work, const std::shared_ptr<Endpoint>& endpoint) {
  endpoints_.Remember(work.ask, endpoint);
  Charge(work.tenant, work.ask.prompt_tokens);
  const MonotonicTime now = clock_.Monotonic();
  given_ = 1 + given_ * std::exp2(-absl::FDivDuration(now - given_at_, kPaceHalfLife));
  given_at_ = now;
  return EndpointUse(endpoint, work.ask.sensitive, work.ask.prompt_tokens);
}

bool LocalQueue::PumpBand(Band band) {
  Line& line = this->line(band);
  int looked = 0;
  for (const auto& [counter, tenant] : line.order) {
    auto& own = line.tenants.find(tenant)->second;
    Waiter& waiter = line.newest_first ? *own.back() : *own.front();
    if (const auto endpoint = Pick(waiter.work)) {
      Remove(waiter);
      (void)waiter.place.Offer(Take(waiter.work, endpoint));
      return true;
    }
    // Nothing free for this band at all; only what a waiter has tried may differ.
    if (waiter.work.tried.empty() || ++looked == kScanMax) return false;
  }
  return false;
}

void LocalQueue::Pump() {
  if (pumping_) return;
  pumping_ = true;
  bool given = true;
  while (given) {
    given = false;
    for (size_t i = 0; i < kBands && !given; ++i) given = PumpBand(static_cast<Band>(i));
  }
  pumping_ = false;
}

void LocalQueue::Control(Band band) {
  Line& line = this->line(band);
  const MonotonicTime now = clock_.Monotonic();
  // Where nothing is served at all, it is not too much work that they wait for.
  if (line.waiting == 0 || now - *line.arrivals.begin() < config_.queue_target || Pace().value_or(0) < kPaceMin) {
    line.overloaded_at = absl::InfiniteDuration();
    line.newest_first = false;
    return;
  }
  if (line.overloaded_at == absl::InfiniteDuration()) line.overloaded_at = now + config_.queue_interval;
  if (now < line.overloaded_at) return;
  line.newest_first = true;
  if (band == Band::kInteractive) RefuseOlderThan(Band::kBatch, absl::InfiniteDuration());
  RefuseOlderThan(band, now - config_.queue_interval);
}

void LocalQueue::Tick() {
  timer_.reset();
  Pump();
  Control(Band::kBatch);
  Control(Band::kInteractive);
  for (const Line& line : lines_) {
    if (line.waiting > 0 && !timer_) {
      timer_ = clock_.CallAt(clock_.Monotonic() + kTick, [this] { Tick(); });
    }
  }
}

Task<absl::StatusOr<EndpointUse>> LocalQueue::Enter(Work& work, Cancellation& cancellation) {
  if (cancellation.cancelled()) co_return cancellation.reason();
  // Whoever waits in this band or above was first.
  bool first = true;
  for (size_t i = 0; i <= static_cast<size_t>(work.band); ++i) first = first && lines_[i].waiting == 0;
  if (first) {
    if (const auto endpoint = Pick(work)) co_return Take(work, endpoint);
  }
  Waiter waiter(*this, work);
  if (waiter.since >= work.until) co_return Overloaded("no local capacity in time");
  const auto expected = ExpectedWait(work.band);
  const bool in_turn = work.band != Band::kSensitive && !line(work.band).newest_first;
  if (in_turn && expected && *expected > kHopeless * (work.until - waiter.since)) {
    co_return Overloaded("no local capacity before the deadline");
  }
  size_t all = 0;
  for (const Line& line : lines_) all += line.waiting;
  if (all >= static_cast<size_t>(config_.queue_max)) {
    const auto below = static_cast<Band>(static_cast<size_t>(work.band) + 1);
    Waiter* victim = work.band == Band::kBatch ? nullptr : Victim(below);
    if (victim == nullptr) co_return Overloaded("the queue for local engines is full");
    Refuse(*victim, "the queue for local engines is full");
  }
  Add(waiter);
  std::unique_ptr<Timer> again;
  if (!work.tried.empty()) again = clock_.CallAt(work.tried_until, [this] { Pump(); });
  auto place = co_await waiter.place.Receive(clock_, work.until, cancellation);
  Remove(waiter);
  if (!place.ok()) {
    if (!cancellation.cancelled() && absl::IsDeadlineExceeded(place.status())) {
      co_return Overloaded("no local capacity in time");
    }
    co_return place.status();
  }
  co_return **std::move(place);
}

void LocalQueue::SetGauges() {
  for (size_t i = 0; i < kBands; ++i) {
    metrics_
        .GetGauge("headgate_router_queue_waiting", "Requests that wait for a local engine.",
                  {{"band", kBandNames[i]}})
        .Set(static_cast<double>(lines_[i].waiting));
  }
}

}  // namespace headgate::router
