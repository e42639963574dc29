// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Scaling: how many local replicas are worth having. The past is taken as what comes next: in steps of 10 s sensitive
// work is served first, then the work that is dearest on the cloud per second of a replica's time; the wanted number is
// the one with the least sum of replica hours, cloud prices and cold starts. Sensitive work counts by its worst 20 s of
// the whole `window` (it has nowhere else to go) against `utilisation_max` of a replica; ordinary work by an average
// that forgets within a fifth of the window, against nearly the whole replica (its excess leaves for the cloud).
// Rent or buy: a replica more must save its cold start within half a window; none is dropped within two cold starts of
// the last wish for more, and at most half of the first number while less than half a window has been seen.
// A unit of work is a second of one replica: prompt tokens / prefill rate + answer tokens / decode rate.
// LocalPrice is the other half: what a second of the replicas that are there is worth while more is asked than they do.
//
// Thread-safety: executor thread only.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "router/config.h"

namespace headgate::router {

// Seconds of one replica; 0 when the rates are not known. Pure.
double WorkSeconds(const ScalingConfig& config, double prompt_tokens_uncached, double output_tokens);

class Scaling {
 public:
  Scaling(const Clock& clock, const ScalingConfig& config);
  void Apply(const ScalingConfig& config);

  // One arrival. `cloud_micro_units`: its price on the cloud at off-peak rates; sensitive work has none.
  void Arrived(bool sensitive, double work_seconds, double cloud_micro_units);
  // `price_level`: cloud prices now relative to off-peak (accounting.h, PeakRatio). `replicas`: now there or starting.
  int64_t Wanted(int64_t replicas, double price_level);

 private:
  static constexpr int kClasses = 24;  // of price per work second, a factor of 1.5 each
  struct Step {
    int64_t index = 0;
    double sensitive_work = 0;
    std::array<double, kClasses> work{};
    std::array<double, kClasses> price{};
  };
  void Forget(int64_t index);
  // The least number that serves the sensitive work of any 20 s of the window.
  int64_t Floor() const;
  // How much the steps of the last `seen` seconds count in the average of ordinary work.
  struct Past {
    int64_t last = 0;             // index of the step that is under way
    std::vector<double> weights;  // by steps ago
    double seconds = 0;           // weighted
  };
  Past WeighPast(double seen) const;
  // Cloud money that `replicas` save in a second, at off-peak prices.
  double SavedPerSecond(int64_t replicas, const Past& past) const;

  const Clock& clock_;
  ScalingConfig config_;
  MonotonicTime began_;
  MonotonicTime grown_;     // when the number last had to grow: what was rented is kept for a while
  std::optional<int64_t> first_;  // what was there when Wanted was first asked
  std::deque<Step> steps_;  // bounded by window / 10 s
};

// The opportunity price of local work: 0 while replicas have room, rising while the predicted first token is later
// than the objective aimed at. It sends what is cheap on the cloud, per unit of local work, there first.
class LocalPrice {
 public:
  explicit LocalPrice(const ScalingConfig& config) : config_(config) {}
  void Apply(const ScalingConfig& config) { config_ = config; }
  // `wait_ratio`: the best replica's predicted first token / the objective.
  void Observe(MonotonicTime now, double wait_ratio);
  double micro_units_per_work_second() const { return price_; }

 private:
  ScalingConfig config_;
  MonotonicTime observed_ = -absl::InfiniteDuration();
  double price_ = 0;
};

}  // namespace headgate::router
