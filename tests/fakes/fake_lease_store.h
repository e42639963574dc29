// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// FakeLeases: what the script of redis_leases.cc does, in memory; several stores share one, each for one router.
//
// Thread-safety: executor thread only.
#pragma once

#include <algorithm>
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
  std::map<std::string, std::map<std::string, std::pair<double, MonotonicTime>>> held;
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
    auto& held = leases_.held[ask.key];
    double others = 0;
    for (const auto& [holder, one] : held) {
      if (holder == holder_) continue;
      if (ask.kind == LeaseAsk::Kind::kSpend || one.second > now) others += one.first;
    }
    const bool sum = ask.kind == LeaseAsk::Kind::kSum;
    const double give = sum ? ask.want : std::max(0.0, std::min(ask.want, ask.limit - others));
    held[holder_] = {give, now + kLeaseLife};
    return sum ? give + others : give;
  }

  FakeLeases& leases_;
  Executor executor_;
  Clock& clock_;
  const std::string holder_;
};

}  // namespace headgate::router
