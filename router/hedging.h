// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Hedging: when a local request that may leave is also sent to the cloud, because its first token is later than that of
// 95 in 100 (Dean and Barroso, The Tail at Scale, CACM 2013). A budget bounds it: of all such requests at most
// hedge_share are hedged, so that slow engines do not turn all traffic into cloud traffic. Nothing is hedged before
// enough first tokens were seen.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "router/config.h"

namespace headgate::router {

class Hedging {
 public:
  explicit Hedging(const PolicyConfig& config) : config_(config) {}
  void Apply(const PolicyConfig& config) { config_ = config; }  // keeps what was seen

  // One more request that may be hedged. How long to wait for its first token; infinite: it is not hedged.
  absl::Duration Begin();
  // It is late. True: hedge it, the budget has paid.
  bool Take();
  // Its first token came, or (hedged and the cloud was first) had not come after so long.
  void Observe(absl::Duration first_token);

 private:
  PolicyConfig config_;
  double credit_ = 0;                // hedges that may be made now
  std::vector<absl::Duration> seen_; // the last ones, a ring
  size_t next_ = 0;
  size_t since_sorted_ = 0;
  absl::Duration late_ = absl::InfiniteDuration();  // their 95th percentile
};

}  // namespace headgate::router
