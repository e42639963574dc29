// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// LocalQueue: who gets an engine next. Bounded, in three bands (sensitive, interactive, batch; the higher one first);
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
// Thread-safety: executor thread only. Must outlive its waiters.
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

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/mailbox.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/config.h"
#include "router/upstream/endpoint_registry.h"

namespace headgate::router {

enum class Band { kSensitive, kInteractive, kBatch };
inline constexpr size_t kBands = 3;

class LocalQueue {
 public:
  LocalQueue(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config,
             EndpointRegistry& endpoints, Metrics& metrics);
  ~LocalQueue();
  void Apply(const LocalConfig& config);

  // One request that wants an engine; may come back after an engine failed it.
  struct Work {
    LocalAsk ask;
    Band band = Band::kSensitive;
    std::string tenant;
    MonotonicTime until;  // the end of waiting
    std::vector<std::string> tried = {};  // addresses that it need not be sent to again,
    MonotonicTime tried_until = {};       // until then
  };
  // A place at an engine. UNAVAILABLE with RetryAfter: none in time, or none to be expected. The cancellation's reason.
  Task<absl::StatusOr<EndpointUse>> Enter(Work& work, Cancellation& cancellation);
  // An answer's tokens, for the fairness between tenants.
  void Served(const std::string& tenant, int64_t output_tokens);

  size_t waiting(Band band) const { return lines_[static_cast<size_t>(band)].waiting; }

 private:
  struct Waiter;
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
  void Remove(Waiter& waiter);
  void Refuse(Waiter& waiter, const char* why);
  // Who gives its place to a newcomer: the newest of the busiest tenant of the lowest band, `highest` at most. Null:
  // nobody.
  Waiter* Victim(Band highest);
  void RefuseOlderThan(Band band, MonotonicTime since);
  std::shared_ptr<Endpoint> Pick(Work& work);
  EndpointUse Take(const Work& work, const std::shared_ptr<Endpoint>& endpoint);
  // Gives places to waiters for as long as there are both.
  void Pump();
  bool PumpBand(Band band);
  void Control(Band band);
  // Places given per second, lately; nullopt: nobody has waited for long enough to say.
  std::optional<double> Pace() const;
  std::optional<absl::Duration> ExpectedWait(Band band) const;
  absl::Status Overloaded(const char* why);
  void Tick();
  void SetGauges();

  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  LocalConfig config_;
  EndpointRegistry& endpoints_;
  Metrics& metrics_;
  std::array<Line, kBands> lines_;
  std::map<std::string, double> counters_;               // by tenant: bounded by configuration
  MonotonicTime busy_since_ = absl::InfiniteDuration();  // somebody has waited all the time since
  double given_ = 0;                                     // places since then, at given_at_; decays
  MonotonicTime given_at_;
  std::unique_ptr<Timer> timer_;                         // while somebody waits
  bool pumping_ = false;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // for waiters that outlive the queue
};

}  // namespace headgate::router
