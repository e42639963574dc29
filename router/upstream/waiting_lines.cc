// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/waiting_lines.h"

#include <algorithm>
#include <cmath>

#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

constexpr int kScanMax = 16;  // heads of tenants that are looked at when the first cannot use what is free
constexpr double kOutputWeight = 2;
constexpr absl::Duration kPaceHalfLife = absl::Seconds(5);
constexpr absl::Duration kPaceAfter = absl::Seconds(1);  // of waiting: less says nothing about the pace
constexpr double kPaceMin = 0.02;                        // a second; below it, nothing is being served
constexpr absl::Duration kRetryAfterMin = absl::Seconds(1);
constexpr absl::Duration kRetryAfterMax = absl::Seconds(40);
constexpr absl::Duration kRetryAfterNobody = absl::Seconds(5);  // no engine reports: one may be starting
constexpr double kNobodyReports = 1e6;
constexpr absl::Duration kRetrySpreadMin = absl::Seconds(3);    // HTTP's header knows whole seconds only
// A pace that only just fails the deadline may be wrong.
constexpr double kHopeless = 1.5;
constexpr absl::Duration kNotSensitiveWaitMax = absl::Seconds(30);
constexpr absl::Duration kRefuseBefore = absl::Milliseconds(20);

constexpr const char* kBandNames[] = {"sensitive", "interactive", "batch"};

}  // namespace

Band BandOf(bool sensitive, v1::Priority priority) {
  if (sensitive) return Band::kSensitive;
  return priority == v1::PRIORITY_BATCH ? Band::kBatch : Band::kInteractive;
}

MonotonicTime LocalWaitEnd(bool sensitive, MonotonicTime now, MonotonicTime deadline) {
  const MonotonicTime end = deadline - kRefuseBefore;
  return sensitive ? end : std::min(end, now + kNotSensitiveWaitMax);
}

WaitingLines::WaitingLines(const Clock& clock, RandomBytes random, const LocalConfig& config, Places& places,
                           Metrics& metrics)
    : clock_(clock),
      random_(std::move(random)),
      config_(config),
      places_(places),
      metrics_(metrics),
      given_at_(clock.Monotonic()) {
  for (size_t i = 0; i < kBands; ++i) {
    gauges_[i] = &metrics_.GetGauge("headgate_router_queue_waiting", "Requests that wait for a local engine.",
                                    {{"band", kBandNames[i]}});
  }
}

double WaitingLines::Counter(const std::string& tenant) const {
  const auto found = counters_.find(tenant);
  return found == counters_.end() ? 0 : found->second;
}

void WaitingLines::Charge(const std::string& tenant, double tokens) {
  double& counter = counters_[tenant];
  const double before = std::exchange(counter, counter + tokens);
  for (Line& line : lines_) {
    if (line.order.erase({before, tenant}) > 0) line.order.emplace(before + tokens, tenant);
  }
}

void WaitingLines::Served(const std::string& tenant, int64_t output_tokens) {
  Charge(tenant, kOutputWeight * static_cast<double>(std::max<int64_t>(0, output_tokens)));
}

void WaitingLines::Add(Waiter& waiter) {
  Line& line = this->line(waiter.work.band);
  const std::string& tenant = waiter.work.tenant;
  auto& own = line.tenants[tenant];
  if (own.empty()) {
    // Who was away has saved nothing up: it begins where the least served of the waiting is.
    if (!line.order.empty()) Charge(tenant, std::max(0.0, line.order.begin()->first - Counter(tenant)));
    line.order.emplace(Counter(tenant), tenant);
  }
  own.push_back(&waiter);
  line.arrivals.insert(waiter.since_);
  if (waiting() == 0) {
    busy_since_ = given_at_ = clock_.Monotonic();
    given_ = 0;
  }
  ++line.waiting;
  waiter.queued_ = true;
  SetGauge(waiter.work.band);
}

void WaitingLines::Leave(Waiter& waiter) {
  if (!std::exchange(waiter.queued_, false)) return;
  Line& line = this->line(waiter.work.band);
  const auto own = line.tenants.find(waiter.work.tenant);
  std::erase(own->second, &waiter);
  if (own->second.empty()) {
    line.order.erase({Counter(own->first), own->first});
    line.tenants.erase(own);
  }
  line.arrivals.erase(line.arrivals.find(waiter.since_));
  --line.waiting;
  SetGauge(waiter.work.band);
  if (waiting() == 0) busy_since_ = absl::InfiniteDuration();
}

std::optional<double> WaitingLines::Pace() const {
  const absl::Duration busy = clock_.Monotonic() - busy_since_;
  if (busy < kPaceAfter) return std::nullopt;
  const double decayed = given_ * std::exp2(-absl::FDivDuration(clock_.Monotonic() - given_at_, kPaceHalfLife));
  // As if it had been so for ever: what a decaying sum has missed since it began from nothing is added.
  constexpr double kLn2 = 0.6931471805599453;
  const double missed = std::exp2(-absl::FDivDuration(busy, kPaceHalfLife));
  return decayed * kLn2 / absl::ToDoubleSeconds(kPaceHalfLife) / (1 - missed);
}

std::optional<absl::Duration> WaitingLines::ExpectedWait(Band band) const {
  double ahead = 1;
  for (size_t i = 0; i <= static_cast<size_t>(band); ++i) ahead += static_cast<double>(lines_[i].waiting);
  const auto pace = Pace();
  if (!pace || *pace < kPaceMin) return std::nullopt;
  return absl::Seconds(ahead / *pace);
}

absl::Status WaitingLines::ComeAgain(const char* why) {
  const double reported = places_.WaitSeconds();
  const absl::Duration by_engines = reported < kNobodyReports ? absl::Seconds(reported) : kRetryAfterNobody;
  const absl::Duration expected =
      std::clamp(ExpectedWait(Band::kBatch).value_or(by_engines), kRetryAfterMin, kRetryAfterMax);
  const absl::Duration spread = std::max(kRetrySpreadMin, expected / 2) * RandomUnit(random_);
  return WithRetryAfter(absl::UnavailableError(why), expected + spread);
}

void WaitingLines::Refuse(Waiter& waiter, const char* why) {
  metrics_
      .GetCounter("headgate_router_queue_refusals_total", "Requests for a local engine that were refused.",
                  {{"band", kBandNames[static_cast<size_t>(waiter.work.band)]}})
      .Increment();
  Leave(waiter);
  waiter.Refused(ComeAgain(why));
}

WaitingLines::Waiter* WaitingLines::Victim(Band highest) {
  for (size_t i = kBands; i-- > static_cast<size_t>(highest);) {
    if (lines_[i].waiting == 0) continue;
    const auto own = std::max_element(lines_[i].tenants.begin(), lines_[i].tenants.end(),
                                      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    return own->second.back();
  }
  return nullptr;
}

void WaitingLines::RefuseOlderThan(Band band, MonotonicTime since) {
  std::vector<Waiter*> late;
  for (const auto& [tenant, waiters] : line(band).tenants) {
    for (Waiter* waiter : waiters) {
      if (waiter->since_ < since) late.push_back(waiter);
    }
  }
  for (Waiter* waiter : late) Refuse(*waiter, "local engines are overloaded");
}

std::shared_ptr<Endpoint> WaitingLines::Pick(Work& work) {
  if (!work.tried.empty() && clock_.Monotonic() >= work.tried_until) work.tried.clear();
  return places_.Pick(work.ask, work.tried);
}

EndpointUse WaitingLines::Take(const Work& work, const std::shared_ptr<Endpoint>& endpoint) {
  const double to_read = places_.Remember(work.ask, endpoint);
  Charge(work.tenant, work.ask.prompt_tokens);
  const MonotonicTime now = clock_.Monotonic();
  given_ = 1 + given_ * std::exp2(-absl::FDivDuration(now - given_at_, kPaceHalfLife));
  given_at_ = now;
  return EndpointUse(endpoint, work.ask.sensitive, to_read);
}

bool WaitingLines::PumpBand(Band band) {
  Line& line = this->line(band);
  int looked = 0;
  for (const auto& [counter, tenant] : line.order) {
    auto& own = line.tenants.find(tenant)->second;
    Waiter& waiter = line.newest_first ? *own.back() : *own.front();
    if (const auto endpoint = Pick(waiter.work)) {
      EndpointUse place = Take(waiter.work, endpoint);
      Leave(waiter);
      waiter.Placed(std::move(place));
      return true;
    }
    // Nothing free for this band at all; only what a waiter has tried, or the model that it names, may differ.
    const bool any_engine = waiter.work.tried.empty() && waiter.work.ask.model.empty();
    if (any_engine || ++looked == kScanMax) return false;
  }
  return false;
}

void WaitingLines::Pump() {
  if (pumping_) return;
  pumping_ = true;
  bool given = true;
  while (given) {
    given = false;
    for (size_t i = 0; i < kBands && !given; ++i) given = PumpBand(static_cast<Band>(i));
  }
  pumping_ = false;
}

void WaitingLines::Control(Band band) {
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

void WaitingLines::Tick() {
  Pump();
  Control(Band::kBatch);
  Control(Band::kInteractive);
}

absl::StatusOr<std::optional<EndpointUse>> WaitingLines::Enter(Waiter& waiter) {
  Work& work = waiter.work;
  // Whoever waits in this band or above was first.
  bool first = true;
  for (size_t i = 0; i <= static_cast<size_t>(work.band); ++i) first = first && lines_[i].waiting == 0;
  if (first) {
    if (const auto endpoint = Pick(work)) return Take(work, endpoint);
  }
  waiter.since_ = clock_.Monotonic();
  if (waiter.since_ >= work.until) return OutOfTime();
  const auto expected = ExpectedWait(work.band);
  const bool in_turn = work.band != Band::kSensitive && !line(work.band).newest_first;
  if (in_turn && expected && *expected > kHopeless * (work.until - waiter.since_)) {
    return ComeAgain("no local capacity before the deadline");
  }
  if (waiting() >= static_cast<size_t>(config_.queue_max)) {
    const auto below = static_cast<Band>(static_cast<size_t>(work.band) + 1);
    Waiter* victim = work.band == Band::kBatch ? nullptr : Victim(below);
    if (victim == nullptr) return ComeAgain("the queue for local engines is full");
    Refuse(*victim, "the queue for local engines is full");
  }
  Add(waiter);
  return std::nullopt;
}

void WaitingLines::SetGauge(Band band) {
  gauges_[static_cast<size_t>(band)]->Set(static_cast<double>(line(band).waiting));
}

}  // namespace headgate::router
