// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RouterSim: one seed, one run of the real router over a cloud, engines and an audit store that break, on a clock that
// only moves when everything ready has run. No threads, no sockets, no real time: the same seed is the same run.
//
// Thread-safety: none.
#pragma once

#include <cstdint>

#include "tests/sim/sim_trace.h"

namespace headgate::router {

struct SimOptions {
  uint64_t seed = 1;
  int requests = 150;
  // The guard removed: detectors that find nothing and a tenant floor that is ignored. The checker must complain.
  bool blind = false;
};

SimReport RunRouterSim(const SimOptions& options);

}  // namespace headgate::router
