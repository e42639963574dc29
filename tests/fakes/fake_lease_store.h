// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// FakeLeases: what the script of redis_leases.cc does, in memory; several stores share one, each for one router.
//
// Thread-safety: executor thread only.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/mailbox.h"
#include "router/lease_store.h"

namespace headgate::router {

struct FakeLeases {
  struct Bucket {
    double tokens = 0;
    MonotonicTime at;
  };
  std::map<std::string, Bucket> rates;
  struct Held {
    double amount = 0;
    MonotonicTime until;
    double want = 0;
  };
  std::map<std::string, std::map<std::string, Held>> held;
  std::map<std::string, double> caps;
  bool down = false;
  int exchanges = 0;
};

class FakeLeaseStore : public LeaseStore {
 public:
  FakeLeaseStore(FakeLeases& leases, Executor executor, Clock& clock, std::string holder)
      : leases_(leases), executor_(executor), clock_(clock), holder_(std::move(holder)) {}

  Task<absl::StatusOr<std::vector<double>>> Exchange(std::vector<LeaseAsk> asks, MonotonicTime) override {
    Cancellation never;
    (void)co_await SleepUntil(executor_, clock_, clock_.Monotonic() + absl::Milliseconds(1), never);
    if (leases_.down) co_return absl::UnavailableError("down");
    ++leases_.exchanges;
    std::vector<double> given;
    for (const LeaseAsk& ask : asks) given.push_back(Give(ask));
    co_return given;
  }

 private:
  double Give(const LeaseAsk& ask) {
    const MonotonicTime now = clock_.Monotonic();
    if (ask.kind == LeaseAsk::Kind::kRate) {
      auto [found, is_new] = leases_.rates.try_emplace(ask.key, FakeLeases::Bucket{ask.burst, now});
      FakeLeases::Bucket& bucket = found->second;
      bucket.tokens = std::min(ask.burst, bucket.tokens + absl::ToDoubleSeconds(now - bucket.at) * ask.limit);
      bucket.at = now;
      const double give = std::min(ask.want, bucket.tokens);
      bucket.tokens = std::min(ask.burst, bucket.tokens - give);
      return give;
    }
    if (ask.kind == LeaseAsk::Kind::kCap) {
      double& cap = leases_.caps.try_emplace(ask.key, ask.limit).first->second;
      cap = std::min(cap, ask.limit);
      cap = std::min({ask.limit, ask.want, cap + ask.burst / cap});
      return cap;
    }
    auto& held = leases_.held[ask.key];
    double others = 0, others_want = 0, routers = 1;
    for (const auto& [holder, one] : held) {
      if (holder == holder_ || (ask.kind != LeaseAsk::Kind::kSpend && one.until <= now)) continue;
      others += one.amount;
      others_want += one.want;
      ++routers;
    }
    const bool sum = ask.kind == LeaseAsk::Kind::kSum;
    double give = sum ? ask.want : std::max(0.0, std::min(ask.want, ask.limit - others));
    double in_hand = give;
    if (ask.kind == LeaseAsk::Kind::kPlaces) {
      const double part = std::floor(ask.limit / routers);
      const bool short_of = ask.want + others_want > ask.limit;
      if (short_of && part >= 1) give = std::min(give, std::max(part, ask.limit - others_want));
      in_hand = std::max(give, ask.burst);
    }
    held[holder_] = {in_hand, now + kLeaseLife, ask.want};
    return sum ? give + others : give;
  }

  FakeLeases& leases_;
  Executor executor_;
  Clock& clock_;
  const std::string holder_;
};

}  // namespace headgate::router
