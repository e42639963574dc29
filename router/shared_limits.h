// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SharedLimits: what this router may use of limits that several routers share. Every sharing.interval one exchange with
// the store (lease_store.h) brings all leases up to date; a request only ever looks at what is at hand. When the store
// has not answered for kLostAfter, it is lost: then every router has its own share, limit / sharing.routers, and never
// the whole limit each. Money that was leased stays leased.
//
// Thread-safety: executor thread only. Must outlive its Leases' users.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/cancellation.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/lease_store.h"

namespace headgate::router {

class SharedLimits {
 public:
  static constexpr absl::Duration kLostAfter = absl::Milliseconds(500);

  class Lease {
   public:
    // By SharedLimits::Get.
    Lease(SharedLimits& owner, LeaseAsk::Kind kind, std::string key)
        : owner_(owner), kind_(kind), key_(std::move(key)) {}
    // The limit of all routers together; `burst` for kRate.
    void Set(double limit, double burst = 0) { limit_ = limit, burst_ = burst; }
    // kSpend, kCap: another one, of which nothing is spent, leased or learned.
    void SetKey(const std::string& key);

    // The store answers: what follows counts. Otherwise the own share does.
    bool live() const;
    // limit / routers.
    double own_share(double limit) const { return limit / static_cast<double>(owner_.config_.routers); }

    // kRate: one more was asked for, whether it gets a token or not; a token is at hand; it is taken. kCap: one answer
    // more.
    void Asked() { ++asked_; }
    bool HasToken() const { return tokens_ >= 1; }
    void Take() { tokens_ -= 1; }
    // kPlaces, kSpend: how much is held or spent now, what comes next included. How much may be: never more than the
    // own share while the store is lost, but money that was leased.
    void Need(double amount) {
      need_ = amount;
      if (kind_ == LeaseAsk::Kind::kPlaces) needed_ = std::max(needed_, amount);
      if (amount > 0) Wanted();
    }
    // kPlaces: never more than this kCap says.
    void Within(const Lease& cap) { within_ = &cap; }
    // kPlaces: one was wanted and there was none.
    void Wanted() { wanted_at_ = owner_.clock_.Monotonic(); }
    double MayHold() const;
    // kCap: what all routers have learned; this one has learned that it is no more than `cap`. REQUIRES: live.
    double Cap() const { return std::min(limit_, held_); }
    void Lower(double cap) { lower_ = std::min(lower_, cap), held_ = std::min(held_, cap); }
    // kSum: where the own count comes from; the others', as of the last exchange (0 while the store is lost).
    void SetSource(std::function<double()> source) { source_ = std::move(source); }
    double others() const { return live() ? others_ : 0; }

   private:
    friend class SharedLimits;
    LeaseAsk Ask();
    double limit() const;
    void Given(const LeaseAsk& ask, double amount);

    SharedLimits& owner_;
    const LeaseAsk::Kind kind_;
    std::string key_;
    double limit_ = 0, burst_ = 0;
    const Lease* within_ = nullptr;
    double tokens_ = 0;   // kRate
    double asked_ = 0;    // since the last exchange
    double demand_ = 0;   // per exchange, lately
    double need_ = 0, needed_ = 0;  // now, and at the last exchange (kPlaces: the most since)
    MonotonicTime wanted_at_ = -absl::InfiniteDuration();
    double held_ = 0;     // kPlaces, kSpend: leased; kCap: the cap
    double lower_ = std::numeric_limits<double>::infinity();  // kCap: what the store has not been told yet
    bool leased_ = false;
    double others_ = 0;
    std::function<double()> source_;
  };

  // `store` must outlive it.
  SharedLimits(Executor executor, Clock& clock, const SharingConfig& config, LeaseStore& store, Metrics& metrics);

  // The same key gives the same lease.
  Lease& Get(LeaseAsk::Kind kind, const std::string& key);
  // Exchanges until `cancellation`.
  Task<void> Run(Cancellation& cancellation);
  bool live() const { return clock_.Monotonic() - last_ok_ <= kLostAfter; }

 private:
  Task<void> ExchangeOnce();

  Executor executor_;
  Clock& clock_;
  const SharingConfig config_;
  LeaseStore& store_;
  Gauge& live_gauge_;
  Counter& failures_;
  std::map<std::pair<LeaseAsk::Kind, std::string>, std::unique_ptr<Lease>> leases_;
  MonotonicTime last_ok_ = -absl::InfiniteDuration();
  bool lost_logged_ = true;  // before the first answer nothing was lost
};

}  // namespace headgate::router
