// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/simulation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <queue>

#include "planner/random.h"
#include "planner/replica.h"
#include "router/accounting.h"

namespace headgate::planner {
namespace {

constexpr size_t kSlices = 240;
constexpr double kLookSeconds = 5;  // how often the autoscaler looks
constexpr double kJitterSigma = 0.3;

struct Flight {
  double cached = 0;
  float first_token_s = -1;
  float predicted_s = 0;
  bool cloud = false;
  uint32_t replica = 0;
};

// A replica from the order to boot to the end.
struct Pod {
  Replica replica;
  double ordered_at = 0;
  double ready_at = 0;
  bool draining = false;
  bool gone = false;
  double gone_at = 0;
  double looked_work = 0;
};

class Run {
 public:
  Run(const Scenario& scenario, const Trace& trace, const MakeStrategy& make)
      : scenario_(scenario), trace_(trace), clock_(scenario.start), strategy_(make(clock_)),
        cloud_prefixes_(scenario.cloud.prefix_cache_tokens), flights_(trace.requests.size()),
        last_side_(trace.clients.size(), -1), lost_(scenario.faults.size()) {
    result_.name = strategy_->name();
    result_.span_s = trace.span_s();
    result_.slice_s = std::max(1e-9, result_.span_s / kSlices);
    result_.slices.resize(kSlices);
    for (int64_t i = 0; i < scenario.replicas_start; ++i) Order(0, /*warm=*/true);
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

  void Order(double now, bool warm) {
    const Fault* slow = Active(Fault::Kind::kSlowBoots, now);
    const double boot =
        warm ? 0 : absl::ToDoubleSeconds(scenario_.router.scaling.cold_start) * (slow ? slow->factor : 1);
    pods_.push_back({Replica(scenario_.replica, now + boot), now, now + boot});
    live_.push_back(&pods_.back());
    events_.clear();
    pods_.back().replica.Advance(now, events_);
    if (!warm) ++result_.boots;
  }

  // Everything that happens up to `until`, in order of time.
  void AdvanceTo(double until) {
    for (;;) {
      double next = cloud_.empty() ? kNever : cloud_.top().first;
      Pod* first = nullptr;
      for (Pod* pod : live_) {
        const double at = pod->replica.NextEvent();
        if (at >= next) continue;
        next = at;
        first = pod;
      }
      if (next > until || next == kNever) break;
      clock_.Set(next);
      if (first == nullptr) {
        EndCloud();
        continue;
      }
      Move(*first, next);
    }
    if (until < kNever) {
      for (size_t i = live_.size(); i-- > 0;) Move(*live_[i], until);
      clock_.Set(until);
    }
  }

  void Move(Pod& pod, double to) {
    events_.clear();
    pod.replica.Advance(to, events_);
    for (const ReplicaEvent& event : events_) Happened(event);
    if (pod.draining && pod.replica.idle()) Leave(pod, to);
  }

  void Leave(Pod& pod, double now) {
    pod.gone = true;
    pod.gone_at = now;
    live_.erase(std::find(live_.begin(), live_.end(), &pod));
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
        ++Class(event.id).lost;
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

  double CachedTokens(const PrefixCache& cache, const TraceRequest& request) const {
    const int64_t blocks = cache.Match(trace_.blocks.data() + request.first_block, request.block_count);
    return static_cast<double>(std::min<int64_t>(blocks * kBlockTokens, std::max(0, request.input_tokens - 1)));
  }

  // Of the ready replicas that would keep well within the objective, the one that knows most of the prompt; else the
  // one with the least predicted first token. Null when none is up.
  Pod* Best(const TraceRequest& request, bool sensitive, double now, Arrival* arrival) {
    Pod* best = nullptr;
    double cached_best = 0;
    const double in_time = 0.8 * arrival->objective_s;
    arrival->local_first_token_s = kNever;
    arrival->local_wait_s = kNever;
    for (Pod* live : live_) {
      Pod& pod = *live;
      if (pod.draining || pod.ready_at > now) continue;
      ++arrival->replicas_ready;
      arrival->running += pod.replica.in_system();
      const double cached = CachedTokens(pod.replica.prefixes(), request);
      const double predicted = pod.replica.PredictFirstToken(request.input_tokens - cached, sensitive);
      if (best != nullptr && cached != cached_best && predicted <= in_time && arrival->local_first_token_s <= in_time) {
        if (cached < cached_best) continue;
      } else if (predicted >= arrival->local_first_token_s) {
        continue;
      }
      arrival->local_first_token_s = predicted;
      arrival->local_wait_s = pod.replica.PredictWait(sensitive);
      cached_best = cached;
      best = &pod;
    }
    arrival->local_cached_tokens = cached_best;
    return best;
  }

  void Arrive(uint32_t id, double now) {
    const TraceRequest& request = trace_.requests[id];
    Arrival arrival;
    arrival.client = request.client;
    arrival.sensitive = IsSensitive(scenario_, request, id);
    arrival.prompt_tokens = request.input_tokens;
    arrival.objective_s = FirstTokenObjective(scenario_, request.input_tokens);
    arrival.cloud_cached_tokens = CachedTokens(cloud_prefixes_, request);
    arrival.cloud_has_room = static_cast<int64_t>(cloud_.size()) < scenario_.cloud.concurrency_max;
    Pod* pod = Best(request, arrival.sensitive, now, &arrival);
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
    if (cloud) StartCloud(id, now, arrival.cloud_cached_tokens);
    else StartLocal(id, now, pod, arrival);
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
      for (int64_t n = 0; n < fault.count && !live_.empty(); ++n) {
        Pod& pod = *live_.front();
        std::vector<uint32_t> again, broken;
        pod.replica.Die(&again, &broken);
        Leave(pod, now);
        for (const uint32_t id : broken) ++Class(id).lost;
        for (const uint32_t id : again) Restart(id, now);
      }
    }
  }

  void Restart(uint32_t id, double now) {
    ++result_.restarted;
    Arrival arrival;
    arrival.sensitive = IsSensitive(scenario_, trace_.requests[id], id);
    arrival.objective_s = FirstTokenObjective(scenario_, trace_.requests[id].input_tokens);
    Pod* pod = Best(trace_.requests[id], arrival.sensitive, now, &arrival);
    Place(id, pod, arrival);
  }

  void StartCloud(uint32_t id, double now, double cached) {
    const TraceRequest& request = trace_.requests[id];
    const CloudModel& model = scenario_.cloud;
    Random random(scenario_.seed * 1'000'003 + id);
    const Fault* slow = Active(Fault::Kind::kCloudSlow, now);
    const double first_token = model.first_token_s * (slow ? slow->factor : 1) *
                                   std::exp(kJitterSigma * random.Normal()) +
                               model.first_token_s_per_1k * (request.input_tokens - cached) / 1000;
    flights_[id] = {cached, static_cast<float>(first_token), 0, true, 0};
    cloud_.emplace(now + first_token + std::max(0, request.output_tokens - 1) / model.stream_tokens_per_second, id);
    cloud_prefixes_.Insert(trace_.blocks.data() + request.first_block, request.block_count);
    ++result_.cloud_requests;
    ++SliceAt(now).cloud;
  }

  void StartLocal(uint32_t id, double now, Pod* pod, const Arrival& arrival) {
    ++result_.local_requests;
    ++SliceAt(now).local;
    Place(id, pod, arrival);
  }

  // On `pod`, or where one will be up first: there it waits.
  void Place(uint32_t id, Pod* pod, const Arrival& arrival) {
    const TraceRequest& request = trace_.requests[id];
    const double deadline = request.arrival_s + scenario_.deadline_s;
    if (pod == nullptr) {
      // No replica is up: it waits for the first one that will be.
      for (Pod* other : live_) {
        if (!other->draining && (pod == nullptr || other->ready_at < pod->ready_at)) pod = other;
      }
      if (pod == nullptr || pod->ready_at > deadline) {
        ++Class(id).lost;
        return;
      }
    }
    const double predicted = arrival.local_first_token_s < kNever ? arrival.local_first_token_s : 0;
    flights_[id] = {arrival.local_cached_tokens, -1, static_cast<float>(predicted), false, 0};
    const double uncached = request.input_tokens - arrival.local_cached_tokens;
    pod->replica.Add({id, std::max(1.0, uncached), static_cast<double>(request.output_tokens), arrival.sensitive,
                      deadline});
    pod->replica.prefixes().Insert(trace_.blocks.data() + request.first_block, request.block_count);
  }

  void Look(double now) {
    LoseReplicas(now);
    FleetView view;
    view.now_s = now;
    double busy = 0;
    for (Pod* live : live_) {
      Pod& pod = *live;
      if (pod.draining) continue;
      if (pod.ready_at > now) {
        ++view.starting;
        continue;
      }
      ++view.ready;
      busy += (pod.replica.work_done() - pod.looked_work) / kLookSeconds;
      pod.looked_work = pod.replica.work_done();
    }
    view.busy_share = view.ready > 0 ? busy / static_cast<double>(view.ready) : 1;
    const router::ScalingConfig& scaling = scenario_.router.scaling;
    const int64_t wanted = std::clamp(strategy_->Replicas(view), scaling.replicas_min, scaling.replicas_max);
    int64_t have = view.ready + view.starting;
    result_.replicas_peak = std::max(result_.replicas_peak, have);
    for (; have < wanted; ++have) Order(now, /*warm=*/false);
    for (size_t i = live_.size(); i-- > 0 && have > wanted;) {  // the newest first
      Pod& pod = *live_[i];
      if (pod.draining) continue;
      pod.draining = true;
      --have;
      if (pod.replica.idle()) Leave(pod, now);
    }
  }

  void Finish() {
    const double second = static_cast<double>(scenario_.router.scaling.replica_hour_micro_units) / 3600;
    double seconds = 0;
    double work = 0;
    for (const Pod& pod : pods_) {
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
  std::deque<Pod> pods_;     // in the order of boots; pointers stay
  std::vector<Pod*> live_;
  PrefixCache cloud_prefixes_;
  using Ending = std::pair<double, uint32_t>;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> cloud_;
  std::vector<Flight> flights_;
  std::vector<int> last_side_;
  std::vector<bool> lost_;  // by fault: it has happened
  std::vector<ReplicaEvent> events_;
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
