// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Strategy: who decides in a replay. HeadgateStrategy runs the router's own Policy, TrafficMeter, QuoteBook, Scaling
// and BudgetBook; the others are the baselines that it is compared with (docs/planner.md).
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/clock.h"
#include "planner/scenario.h"
#include "planner/trace.h"

namespace headgate::planner {

// The simulated clock: nothing waits on it, the simulation moves it.
class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(absl::Time start) : start_(start) {}
  absl::Time WallTime() const override { return start_ + absl::Seconds(now_s_); }
  MonotonicTime Monotonic() const override { return absl::Seconds(now_s_); }
  std::unique_ptr<Timer> CallAt(MonotonicTime, std::function<void()>) override { return nullptr; }
  void Set(double seconds) { now_s_ = seconds; }

 private:
  const absl::Time start_;
  double now_s_ = 0;
};

// One request at the moment of the decision. What a router could know, and nothing else.
struct Arrival {
  uint32_t client = 0;
  bool sensitive = false;
  double prompt_tokens = 0;
  double local_cached_tokens = 0;   // probably, on the replica that would be picked
  double cloud_cached_tokens = 0;   // probably
  double local_first_token_s = 0;   // predicted there; 1e6 when none has room
  double objective_s = 0;
  int64_t replicas_ready = 0;
  int64_t waiting = 0, running = 0; // over all ready replicas
};
// What an answer turned out to be.
struct Answered {
  uint32_t client = 0;
  bool cloud = false;
  int64_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  double first_token_s = 0;
  double predicted_s = 0;           // local: Arrival::local_first_token_s
  bool sensitive = false;
  int64_t micro_units = 0;          // cloud only
  uint32_t id = 0;
};
// What an autoscaler sees, every few seconds.
struct FleetView {
  double now_s = 0;
  int64_t ready = 0, starting = 0;
  double busy_share = 0;            // of the ready replicas' time since the last look
};

// Why the cloud did not take a request; it goes local then.
enum class CloudRefusal { kRateLimited, kUnavailable, kBalance };  // 429, 503, 402

class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual std::string name() const = 0;
  // True: to the cloud. Asked for sensitive requests too: whoever says true there has leaked, and the replay says so.
  virtual bool ToCloud(uint32_t id, const Arrival& arrival) = 0;
  // The wanted number of replicas.
  virtual int64_t Replicas(const FleetView& fleet) = 0;
  virtual void Ended(const Answered&) {}
  virtual void CloudRefused(uint32_t /*id*/, CloudRefusal /*why*/) {}
  virtual int64_t flips() const { return 0; }    // changes of a mode that moves all traffic
  virtual int64_t overspent_micro_units() { return 0; }
};

// How replicas follow the load.
struct Scaler {
  enum class Kind { kStatic, kHpa, kHeadgate } kind = Kind::kHeadgate;
  int64_t replicas = 1;             // kStatic
  double target = 0.6;              // kHpa: busy share
};

// `mode` as in scenario.router.policy.
std::unique_ptr<Strategy> MakeHeadgate(const Scenario& scenario, const Trace& trace, SimulatedClock& clock,
                                       const Scaler& scaler);

enum class BaselineKind { kAllCloud, kAllLocal, kThreshold, kHysteresis, kSaturation, kRequestRate, kRandomSplit };
struct Baseline {
  BaselineKind kind;
  double threshold = 0;             // requests a second; kRandomSplit: the share for the cloud
  Scaler scaler;
};
std::unique_ptr<Strategy> MakeBaseline(const Baseline& baseline, const Scenario& scenario, SimulatedClock& clock);

}  // namespace headgate::planner
