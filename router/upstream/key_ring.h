// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// KeyRing: which of the cloud's keys the next request takes: in turn, leaving out those that the cloud refused (401,
// 403; 402: no balance) for ten minutes and those that it limited (429) for as long as it said, a second by default.
// When none is left, the one whose time is up first: whether anything is sent then, the circuit breaker decides.
// Knows numbers only, never a key.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/metrics.h"

namespace headgate::router {

class KeyRing {
 public:
  // REQUIRES: keys > 0.
  KeyRing(const Clock& clock, size_t keys, Metrics& metrics, const Labels& labels = {});
  size_t Next();
  // True when another key may work.
  bool Refused(size_t key, long http_status);
  void Limited(size_t key, std::optional<absl::Duration> retry_after);
  void Worked(size_t key);

 private:
  struct Key {
    MonotonicTime refused_until = -absl::InfiniteDuration();
    MonotonicTime limited_until = -absl::InfiniteDuration();
  };
  size_t Usable() const;
  void SetGauges();

  const Clock& clock_;
  std::vector<Key> keys_;
  size_t last_ = 0;
  Gauge& usable_gauge_;
  Gauge& refused_gauge_;
};

}  // namespace headgate::router
