// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Hpa: the algorithm of Kubernetes' HorizontalPodAutoscaler with its defaults, on the share of time that replicas are
// busy: desired = ceil(ready * share / target), nothing within 10 % of the target, up at once (at most doubling every
// 15 s), down to the highest wish of the last five minutes.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ (algorithm details)
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "planner/scenario.h"

namespace headgate::planner {

struct FleetView;

class Hpa {
 public:
  Hpa(const Scenario& scenario, double target);
  int64_t Replicas(const FleetView& fleet);

 private:
  const int64_t least_, most_;
  const double target_;
  double decided_at_ = -1e9;
  double busy_sum_ = 0;
  int looks_ = 0;
  int64_t wanted_;
  std::deque<std::pair<double, int64_t>> wishes_;
};

}  // namespace headgate::planner
