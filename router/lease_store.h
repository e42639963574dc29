// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// LeaseStore: where several routers keep what they count together. One exchange asks for everything at once.
//
//   kind     `limit`             asked for                       given
//   kRate    per second          tokens beside those at hand;    at most what has flowed in since; what is given
//                                negative: given back            back is taken
//   kPlaces  of all routers      places that it wants to hold;   at most what the others leave; while all want more
//                                `burst`: those in use           than there is, whoever has more than its part gets
//                                                                fewer; forgotten when it is silent for kLeaseLife
//   kSpend   of all routers in   what it has spent and wants to  as kPlaces, but never forgotten before the key is:
//            a period            be able to spend                the key names the period
//   kSum     -                   what it counts itself           the sum of all routers' counts
//   kCap     the most            what it has learned that the    what all have learned: no more than the lowest, and
//                                limit is; `burst`: answers      one more for as many answers as it is high
//                                since then
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/task.h"
#include "router/config_sharing.h"

namespace headgate::router {

constexpr absl::Duration kLeaseLife = absl::Seconds(2);

struct LeaseAsk {
  enum class Kind { kRate, kPlaces, kSpend, kSum, kCap };
  Kind kind = Kind::kRate;
  std::string key;
  double limit = 0;
  double burst = 0;  // kRate: tokens that may gather; kPlaces, kCap: above
  double want = 0;
};

class LeaseStore {
 public:
  virtual ~LeaseStore() = default;
  // What is given, by ask. UNAVAILABLE or DEADLINE_EXCEEDED: not known whether anything was.
  virtual Task<absl::StatusOr<std::vector<double>>> Exchange(std::vector<LeaseAsk> asks, MonotonicTime deadline) = 0;
};

// In Redis, by one script, so in one round trip and as one step. `holder` tells this router from others. `clock` must
// outlive it. `password`: empty without.
std::unique_ptr<LeaseStore> MakeRedisLeases(Executor executor, Clock& clock, const SharingConfig& config,
                                            std::string password, std::string holder);

}  // namespace headgate::router
