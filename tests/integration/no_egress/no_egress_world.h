// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The whole router on a real clock, its front doors and the real cloud client included, between a DeepSeek emulator
// that records every byte, engines that fail, detectors that fail and an audit log that fails, all at random by one
// seed; its configuration is reloaded in mid-flight. Runs generated requests through it, and judges afterwards from
// outside.
//
// Thread-safety: none; one run at a time (it captures stderr and sets TMPDIR).
#pragma once

#include <cstdint>

#include "tests/integration/no_egress/observed.h"

namespace headgate::router {

struct NoEgressOptions {
  int requests = 0;
  uint64_t seed = 1;
  Guard removed = Guard::kNone;
  bool stalls = true;  // upstreams that say nothing more: each costs a time-out
};

NoEgressReport RunNoEgress(const NoEgressOptions& options);

}  // namespace headgate::router
