// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/simulation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <queue>

#include "planner/fleet.h"
#include "planner/random.h"
#include "router/accounting.h"

namespace headgate::planner {
namespace {

constexpr size_t kSlices = 240;
constexpr double kLookSeconds = 5;  // how often the autoscaler looks
constexpr double kJitterSigma = 0.3;
constexpr uint64_t kCloudId = 1;    // in the table of beginnings that the cloud was sent
constexpr size_t kCloudPrefixesMax = 1 << 16;

struct Flight {
  double cached = 0;
  float first_token_s = -1;
  float predicted_s = 0;
  bool cloud = false;
};

class Run {
 public:
  Run(const Scenario& scenario, const Trace& trace, const MakeStrategy& make)
      : scenario_(scenario), trace_(trace), clock_(scenario.start), strategy_(make(clock_)),
        fleet_(scenario, trace, clock_,
               {[this](const ReplicaEvent& event) { Happened(event); },
                [this](uint32_t id, double cached) { flights_[id].cached = cached; },
                [this](uint32_t id) { ++Class(id).rejected; }}),
        cloud_prefixes_(scenario.cloud.prefix_cache_tokens, trace.block_tokens), flights_(trace.requests.size()),
        last_side_(trace.clients.size(), -1), lost_(scenario.faults.size()) {
    result_.name = strategy_->name();
    result_.span_s = trace.span_s();
    result_.slice_s = std::max(1e-9, result_.span_s / kSlices);
    result_.slices.resize(kSlices);
    for (int64_t i = 0; i < scenario.replicas_start; ++i) fleet_.Order(0);
  }

  Result Go(const std::function<void(double)>& progress) {
    const size_t count = trace_.requests.size();
    const size_t every = std::max<size_t>(1, count / 100);
    double look = 0;
    for (uint32_t id = 0; id < count; ++id) {
      const double at = trace_.requests[id].arrival_s;
      for (; look <= at; look += kLookSeconds) {
        AdvanceTo(look);
        Look(look);
      }
      AdvanceTo(at);
      Arrive(id, at);
      if (progress && id % every == 0) progress(static_cast<double>(id) / static_cast<double>(count));
    }
    AdvanceTo(kNever);
    Finish();
    return std::move(result_);
  }

 private:
  Slice& SliceAt(double at) {
    const auto index = static_cast<size_t>(std::max(0.0, at / result_.slice_s));
    return result_.slices[std::min(index, kSlices - 1)];
  }

  void Order(double now) {
    const Fault* slow = Active(Fault::Kind::kSlowBoots, now);
    fleet_.Order(absl::ToDoubleSeconds(scenario_.router.scaling.cold_start) * (slow ? slow->factor : 1));
    ++result_.boots;
  }

  // Everything that happens up to `until`, in order of time.
  void AdvanceTo(double until) {
    for (;;) {
      const double of_fleet = fleet_.NextEvent();
      const double of_cloud = cloud_.empty() ? kNever : cloud_.top().first;
      const double next = std::min(of_fleet, of_cloud);
      if (next > until || next == kNever) break;
      clock_.Set(next);
      if (of_cloud <= of_fleet) EndCloud();
      else fleet_.Step(next);
    }
    if (until == kNever) return;
    clock_.Set(until);
    fleet_.Step(until);
  }

  void Happened(const ReplicaEvent& event) {
    const TraceRequest& request = trace_.requests[event.id];
    Flight& flight = flights_[event.id];
    const double took = event.at - request.arrival_s;
    switch (event.kind) {
      case ReplicaEvent::Kind::kFirstToken:
        flight.first_token_s = static_cast<float>(took);
        break;
      case ReplicaEvent::Kind::kDropped:
        ++Class(event.id).lost;  // waited too long
        break;
      case ReplicaEvent::Kind::kEnd:
        Ended(event.id, took, 0);
    }
  }

  ClassResult& Class(uint32_t id) {
    return IsSensitive(scenario_, trace_.requests[id], id) ? result_.sensitive : result_.ordinary;
  }

  void Ended(uint32_t id, double took, int64_t micro_units) {
    const TraceRequest& request = trace_.requests[id];
    const Flight& flight = flights_[id];
    ClassResult& result = Class(id);
    const double objective = FirstTokenObjective(scenario_, request.input_tokens);
    if (flight.first_token_s <= objective) ++result.first_token_met;
    if (took <= objective + scenario_.per_output_token_s * request.output_tokens) ++result.end_met;
    (&result == &result_.sensitive ? sensitive_first_ : ordinary_first_).push_back(flight.first_token_s);
    strategy_->Ended({request.client, flight.cloud, request.input_tokens, static_cast<int64_t>(flight.cached),
                      request.output_tokens, flight.first_token_s, flight.predicted_s, &result == &result_.sensitive,
                      micro_units, id});
  }

  void EndCloud() {
    const auto [at, id] = cloud_.top();
    cloud_.pop();
    const TraceRequest& request = trace_.requests[id];
    v1::Usage usage;
    usage.set_prompt_tokens(request.input_tokens);
    usage.set_cached_tokens(static_cast<int64_t>(flights_[id].cached));
    usage.set_completion_tokens(request.output_tokens);
    const auto charge =
        router::Price(scenario_.router.accounting, scenario_.router.cloud.model, usage, clock_.WallTime());
    // ParseScenario has checked that there is a price.
    const int64_t micro_units = charge.ok() ? charge->micro_units : 0;
    result_.cloud_micro_units += static_cast<double>(micro_units);
    SliceAt(request.arrival_s).cloud_micro_units += static_cast<double>(micro_units);
    Ended(id, at - request.arrival_s, micro_units);
  }

  double CachedAtCloud(const TraceRequest& request) const {
    return cloud_prefixes_.CachedTokens(trace_.blocks.data() + request.first_block, request.block_count,
                                        request.input_tokens);
  }

  void Arrive(uint32_t id, double now) {
    const TraceRequest& request = trace_.requests[id];
    Arrival arrival;
    arrival.client = request.client;
    arrival.sensitive = IsSensitive(scenario_, request, id);
    arrival.prompt_tokens = request.input_tokens;
    arrival.objective_s = FirstTokenObjective(scenario_, request.input_tokens);
    const router::Outlook outlook = fleet_.Look(id, arrival.sensitive);
    arrival.local_first_token_s = outlook.first_token_seconds;
    arrival.local_cached_tokens = outlook.cached_tokens;
    const router::PrefixKeys keys = PrefixKeysOf(trace_, request);
    for (const auto& match : sent_to_cloud_.Find(keys)) {
      arrival.cloud_cached_tokens = std::min(arrival.prompt_tokens, match.bytes / 4);
    }
    const SimulatedFleet::Sums sums = fleet_.Count();
    arrival.replicas_ready = sums.ready;
    arrival.waiting = sums.waiting;
    arrival.running = sums.running;
    ++Class(id).requests;
    bool cloud = strategy_->ToCloud(id, arrival);
    if (cloud && arrival.sensitive) {
      ++result_.leaked;
      cloud = false;
    }
    if (cloud) {
      if (const auto refusal = Refusal(now)) {
        ++(refusal == CloudRefusal::kRateLimited ? result_.rate_limited : result_.cloud_failed);
        strategy_->CloudRefused(id, *refusal);
        cloud = false;
      }
    }
    if (!arrival.sensitive) {
      int& last = last_side_[request.client];
      if (last >= 0 && last != static_cast<int>(cloud)) ++result_.client_switches;
      last = static_cast<int>(cloud);
    }
    if (cloud) {
      StartCloud(id, now);
      sent_to_cloud_.Remember(keys, kCloudId);
      return;
    }
    ++result_.local_requests;
    ++SliceAt(now).local;
    flights_[id].predicted_s = static_cast<float>(arrival.local_first_token_s);
    fleet_.Send(id, arrival.sensitive);
  }

  const Fault* Active(Fault::Kind kind, double now) const {
    for (const Fault& fault : scenario_.faults) {
      if (fault.kind == kind && fault.at_s <= now && now < fault.until_s) return &fault;
    }
    return nullptr;
  }

  std::optional<CloudRefusal> Refusal(double now) const {
    if (Active(Fault::Kind::kCloud402, now) != nullptr) return CloudRefusal::kBalance;
    if (Active(Fault::Kind::kCloud503, now) != nullptr) return CloudRefusal::kUnavailable;
    const bool full = static_cast<int64_t>(cloud_.size()) >= scenario_.cloud.concurrency_max;
    if (full || Active(Fault::Kind::kCloud429, now) != nullptr) return CloudRefusal::kRateLimited;
    return std::nullopt;
  }

  // Replicas that die by now, the oldest first. Who had no first token begins again elsewhere, as dispatch does before
  // the commit point; who had one has lost its answer.
  void LoseReplicas(double now) {
    for (size_t i = 0; i < scenario_.faults.size(); ++i) {
      const Fault& fault = scenario_.faults[i];
      if (fault.kind != Fault::Kind::kReplicaLoss || fault.at_s > now || lost_[i]) continue;
      lost_[i] = true;
      std::vector<uint32_t> again, broken;
      for (int64_t n = 0; n < fault.count; ++n) fleet_.KillOldest(&again, &broken);
      for (const uint32_t id : broken) ++Class(id).lost;
      for (const uint32_t id : again) {
        ++result_.restarted;
        fleet_.Send(id, IsSensitive(scenario_, trace_.requests[id], id));
      }
    }
  }

  void StartCloud(uint32_t id, double now) {
    const TraceRequest& request = trace_.requests[id];
    const double cached = CachedAtCloud(request);
    const CloudModel& model = scenario_.cloud;
    Random random(scenario_.seed * 1'000'003 + id);
    const Fault* slow = Active(Fault::Kind::kCloudSlow, now);
    const double first_token = model.first_token_s * (slow ? slow->factor : 1) *
                                   std::exp(kJitterSigma * random.Normal()) +
                               model.first_token_s_per_1k * (request.input_tokens - cached) / 1000;
    flights_[id] = {cached, static_cast<float>(first_token), 0, true};
    cloud_.emplace(now + first_token + std::max(0, request.output_tokens - 1) / model.stream_tokens_per_second, id);
    cloud_prefixes_.Insert(trace_.blocks.data() + request.first_block, request.block_count);
    ++result_.cloud_requests;
    ++SliceAt(now).cloud;
  }

  void Look(double now) {
    LoseReplicas(now);
    const SimulatedFleet::Sums sums = fleet_.Count();
    FleetView view;
    view.now_s = now;
    view.ready = sums.ready;
    view.starting = sums.starting;
    view.busy_share = fleet_.BusyShare(now, kLookSeconds);
    const router::ScalingConfig& scaling = scenario_.router.scaling;
    const int64_t wanted = std::clamp(strategy_->Replicas(view), scaling.replicas_min, scaling.replicas_max);
    int64_t have = view.ready + view.starting;
    result_.replicas_peak = std::max(result_.replicas_peak, have);
    for (; have < wanted; ++have) Order(now);
    for (; have > wanted; --have) fleet_.DrainNewest();
  }

  void Finish() {
    const double second = static_cast<double>(scenario_.router.scaling.replica_hour_micro_units) / 3600;
    double seconds = 0;
    double work = 0;
    for (const SimulatedFleet::Pod& pod : fleet_.pods()) {
      const double end = pod.gone ? pod.gone_at : std::max(result_.span_s, pod.replica.now());
      seconds += end - pod.ordered_at;
      work += pod.replica.work_done();
      for (size_t i = 0; i < kSlices; ++i) {
        const double from = std::max(pod.ordered_at, static_cast<double>(i) * result_.slice_s);
        const double to = std::min(end, static_cast<double>(i + 1) * result_.slice_s);
        result_.slices[i].replica_seconds += std::max(0.0, to - from);
      }
    }
    result_.gpu_hours = seconds / 3600;
    result_.replica_micro_units = seconds * second;
    result_.busy_share = seconds > 0 ? work / seconds : 0;
    result_.flips = strategy_->flips();
    result_.overspent_micro_units = std::max<int64_t>(0, strategy_->overspent_micro_units());
    Percentiles(sensitive_first_, &result_.sensitive);
    Percentiles(ordinary_first_, &result_.ordinary);
  }

  static void Percentiles(std::vector<float>& values, ClassResult* out) {
    if (values.empty()) return;
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) {
      return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
    };
    out->first_token_p50_s = at(0.5);
    out->first_token_p99_s = at(0.99);
  }

  const Scenario& scenario_;
  const Trace& trace_;
  SimulatedClock clock_;
  const std::unique_ptr<Strategy> strategy_;
  SimulatedFleet fleet_;
  PrefixCache cloud_prefixes_;  // what the cloud remembers,
  router::PrefixAffinity sent_to_cloud_{kCloudPrefixesMax};  // and what the router believes of it
  using Ending = std::pair<double, uint32_t>;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> cloud_;
  std::vector<Flight> flights_;
  std::vector<int> last_side_;
  std::vector<bool> lost_;  // by fault: it has happened
  std::vector<float> sensitive_first_, ordinary_first_;
  Result result_;
};

}  // namespace

bool IsSensitive(const Scenario& scenario, const TraceRequest& request, uint32_t id) {
  if (request.sensitivity != TraceRequest::Class::kUnknown) {
    return request.sensitivity == TraceRequest::Class::kSensitive;
  }
  return UniformAt(scenario.seed, id) < scenario.sensitive_share;
}

Result Replay(const Scenario& scenario, const Trace& trace, const MakeStrategy& make,
              const std::function<void(double)>& progress) {
  return Run(scenario, trace, make).Go(progress);
}

}  // namespace headgate::planner
