// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// WaitingLines: who gets an engine next. Bounded, in three bands (sensitive, interactive, batch; the higher one first);
// within a band the tenant that was served least comes first (virtual token counter: an input token counts 1, an output
// token 2; Sheng et al., Fairness in Serving Large Language Models, 2023), within a tenant the oldest first.
//
// Overload, for what is not sensitive: when the oldest of a band has waited longer than `queue_target` for
// `queue_interval` although places are given, the band serves its newest first and refuses who has waited longer than
// `queue_interval`; when it is the interactive band, all batch work is refused first (controlled delay and adaptive
// LIFO: Maurer, Fail at Scale, ACM Queue 2015). Whoever cannot be served before its deadline at the present pace is
// refused at once. When the queue is full a newcomer takes the place of one of a lower band, batch first. Every refusal
// says when the queue will have been worked off. A sensitive request is refused only when its deadline comes or when
// the queue is full of sensitive requests.
//
// It waits for nothing itself: LocalQueue drives it in the router, the planner's replay under a simulated clock.
//
// Thread-safety: executor thread only. Must outlive its waiters' time in it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/metrics.h"
#include "headgate/v1/inference.pb.h"
#include "router/config_upstreams.h"
#include "router/upstream/endpoint.h"

namespace headgate::router {

enum class Band { kSensitive, kInteractive, kBatch };
inline constexpr size_t kBands = 3;
Band BandOf(bool sensitive, v1::Priority priority);
// When a request stops waiting for an engine: just before its deadline, so that the refusal still arrives; when it is
// not sensitive after 30 s, it may as well come again later.
MonotonicTime LocalWaitEnd(bool sensitive, MonotonicTime now, MonotonicTime deadline);

class WaitingLines {
 public:
  // While somebody waits Tick is due so often: it looks after what only time changes.
  static constexpr absl::Duration kTick = absl::Milliseconds(20);

  // One request that wants an engine; may come back after an engine failed it.
  struct Work {
    LocalAsk ask;
    Band band = Band::kSensitive;
    std::string tenant;
    MonotonicTime until;  // the end of waiting
    std::vector<std::string> tried = {};  // addresses that it need not be sent to again,
    MonotonicTime tried_until = {};       // until then
  };
  // One that waits; hears of its end by exactly one of the two, unless it leaves before.
  class Waiter {
   public:
    explicit Waiter(Work& wanted) : work(wanted) {}
    virtual ~Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual void Placed(EndpointUse place) = 0;
    virtual void Refused(absl::Status why) = 0;
    Work& work;

   private:
    friend class WaitingLines;
    MonotonicTime since_;
    bool queued_ = false;
  };

  WaitingLines(const Clock& clock, RandomBytes random, const LocalConfig& config, Places& places, Metrics& metrics);
  void Apply(const LocalConfig& config) { config_ = config; }

  // A place at once; nullopt: it waits now. UNAVAILABLE with RetryAfter: none in time, or none to be expected.
  absl::StatusOr<std::optional<EndpointUse>> Enter(Waiter& waiter);
  void Leave(Waiter& waiter);  // nothing when it does not wait
  // The status of one that has waited until its end.
  absl::Status OutOfTime() { return ComeAgain("no local capacity in time"); }
  // UNAVAILABLE with RetryAfter: when those who wait will have been served at the present pace, or by the engines' own
  // reports; spread, so that a crowd does not come back together.
  absl::Status ComeAgain(const char* why);
  // An answer's tokens, for the fairness between tenants.
  void Served(const std::string& tenant, int64_t output_tokens);
  // Gives places to waiters for as long as there are both. To be called when a place may have come free.
  void Pump();
  void Tick();

  size_t waiting(Band band) const { return lines_[static_cast<size_t>(band)].waiting; }
  size_t waiting() const { return lines_[0].waiting + lines_[1].waiting + lines_[2].waiting; }

 private:
  struct Line {  // one band
    std::map<std::string, std::deque<Waiter*>> tenants;  // never an empty deque
    std::set<std::pair<double, std::string>> order;      // the same tenants by their counter
    std::multiset<MonotonicTime> arrivals;
    size_t waiting = 0;
    bool newest_first = false;                               // overloaded
    MonotonicTime overloaded_at = absl::InfiniteDuration();  // when it will be, if its oldest goes on waiting
  };
  Line& line(Band band) { return lines_[static_cast<size_t>(band)]; }
  double Counter(const std::string& tenant) const;
  void Charge(const std::string& tenant, double tokens);
  void Add(Waiter& waiter);
  void Refuse(Waiter& waiter, const char* why);
  // Who gives its place to a newcomer: the newest of the busiest tenant of the lowest band, `highest` at most. Null:
  // nobody.
  Waiter* Victim(Band highest);
  void RefuseOlderThan(Band band, MonotonicTime since);
  std::shared_ptr<Endpoint> Pick(Work& work);
  EndpointUse Take(const Work& work, const std::shared_ptr<Endpoint>& endpoint);
  bool PumpBand(Band band);
  void Control(Band band);
  // Places given per second, lately; nullopt: nobody has waited for long enough to say.
  std::optional<double> Pace() const;
  std::optional<absl::Duration> ExpectedWait(Band band) const;
  void SetGauge(Band band);

  const Clock& clock_;
  RandomBytes random_;
  LocalConfig config_;
  Places& places_;
  Metrics& metrics_;
  std::array<Line, kBands> lines_;
  std::array<Gauge*, kBands> gauges_;
  absl::flat_hash_map<std::string, double> counters_;    // by tenant: bounded by configuration
  MonotonicTime busy_since_ = absl::InfiniteDuration();  // somebody has waited all the time since
  double given_ = 0;                                     // places since then, at given_at_; decays
  MonotonicTime given_at_;
  bool pumping_ = false;
};

}  // namespace headgate::router
