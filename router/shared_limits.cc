// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/shared_limits.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/mailbox.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kExchangeTimeout = absl::Milliseconds(400);
constexpr double kDemandNew = 0.3;       // weight of the newest interval
constexpr double kAtHandShare = 0.1;     // of a rate: more at hand would be kept from the others
constexpr double kAtHandMin = 0.01;      // of the own share of it, for the first of a burst
constexpr double kHeadroomMin = 2;       // places beside those held; otherwise as many, so that need may double,
constexpr double kHeadroomShare = 0.1;   // but no more of the limit
constexpr double kPlacesMin = 0.25;      // of the own share of places, for a burst; the rest is for whoever needs it
constexpr double kSpendChunk = 0.005;    // of a period's limit, leased ahead, or
constexpr double kSpendAhead = 8;        // so many intervals' spending

}  // namespace

bool SharedLimits::Lease::live() const { return owner_.live() && (leased_ || kind_ == LeaseAsk::Kind::kRate); }

double SharedLimits::Lease::MayHold() const {
  if (kind_ == LeaseAsk::Kind::kSpend) return leased_ ? held_ : own_share(limit_);
  return live() ? held_ : own_share(limit());
}

// What all have learned of the cap holds also while the store is lost.
double SharedLimits::Lease::limit() const {
  return within_ != nullptr && within_->leased_ ? std::min(limit_, std::floor(within_->Cap())) : limit_;
}

void SharedLimits::Lease::SetKey(const std::string& key) {
  if (key == key_) return;
  key_ = key;
  leased_ = false;
  held_ = need_ = needed_ = demand_ = asked_ = 0;
  lower_ = std::numeric_limits<double>::infinity();
}

LeaseAsk SharedLimits::Lease::Ask() {
  LeaseAsk ask{kind_, key_, limit(), burst_, 0};
  switch (kind_) {
    case LeaseAsk::Kind::kRate: {
      demand_ += kDemandNew * (asked_ - demand_);
      asked_ = 0;
      // Enough for the next interval and its chance (arrivals scatter by the root of their number); what is too much
      // goes back to where the others find it.
      const double enough =
          std::max(1.5 * demand_ + 3 * std::sqrt(demand_) + 1, std::floor(kAtHandMin * own_share(limit_)));
      const double at_hand = std::min(std::max(1.0, kAtHandShare * limit_), enough);
      ask.want = at_hand - tokens_;
      break;
    }
    case LeaseAsk::Kind::kPlaces:
      ask.burst = need_;
      ask.want = needed_ + std::max(kHeadroomMin, std::min(needed_, kHeadroomShare * limit()));
      ask.want = std::max(ask.want, std::floor(kPlacesMin * own_share(limit())));
      // Fewer places than routers: nobody keeps one in hand, whoever has used one leaves it after a while.
      if (own_share(limit()) < 1) {
        ask.want = owner_.clock_.Monotonic() - wanted_at_ < kLeaseLife ? std::max(1.0, needed_) : needed_;
      }
      needed_ = need_;
      break;
    case LeaseAsk::Kind::kSpend:
      demand_ += kDemandNew * (std::max(0.0, need_ - needed_) - demand_);
      needed_ = need_;
      ask.want = need_ + std::max(kSpendChunk * limit_, kSpendAhead * demand_);
      break;
    case LeaseAsk::Kind::kSum:
      ask.want = source_ ? source_() : 0;
      break;
    case LeaseAsk::Kind::kCap:
      ask.want = std::min(limit_, lower_);
      ask.burst = std::exchange(asked_, 0);
      break;
  }
  return ask;
}

void SharedLimits::Lease::Given(const LeaseAsk& ask, double amount) {
  if (ask.key != key_) return;  // of a period that has ended meanwhile
  leased_ = true;
  if (kind_ == LeaseAsk::Kind::kRate) {
    tokens_ += amount;
  } else if (kind_ == LeaseAsk::Kind::kSum) {
    others_ = std::max(0.0, amount - ask.want);
  } else if (kind_ == LeaseAsk::Kind::kCap) {
    if (ask.want <= lower_) lower_ = std::numeric_limits<double>::infinity();  // nothing lower since it was asked
    held_ = std::min(amount, lower_);
  } else {
    held_ = amount;
  }
}

SharedLimits::SharedLimits(Executor executor, Clock& clock, const SharingConfig& config, LeaseStore& store,
                           Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      config_(config),
      store_(store),
      live_gauge_(metrics.GetGauge("headgate_router_sharing_live",
                                   "1 while the limits are shared through Redis; 0: this router has its own share.")),
      failures_(metrics.GetCounter("headgate_router_sharing_failures_total", "Exchanges with Redis that failed.")) {}

SharedLimits::Lease& SharedLimits::Get(LeaseAsk::Kind kind, const std::string& key) {
  auto& lease = leases_[{kind, key}];
  if (!lease) lease = std::make_unique<Lease>(*this, kind, key);
  return *lease;
}

Task<void> SharedLimits::Run(Cancellation& cancellation) {
  while (!cancellation.cancelled()) {
    const MonotonicTime began = clock_.Monotonic();
    co_await ExchangeOnce();
    live_gauge_.Set(live() ? 1 : 0);
    const absl::Status slept = co_await SleepUntil(executor_, clock_, began + config_.interval, cancellation);
    if (!slept.ok()) co_return;
  }
}

Task<void> SharedLimits::ExchangeOnce() {
  std::vector<LeaseAsk> asks;
  std::vector<Lease*> leases;
  for (const auto& [key, lease] : leases_) {
    asks.push_back(lease->Ask());
    leases.push_back(lease.get());
  }
  if (asks.empty()) co_return;
  auto given = co_await store_.Exchange(asks, clock_.Monotonic() + kExchangeTimeout);
  if (given.ok()) {
    last_ok_ = clock_.Monotonic();
    for (size_t i = 0; i < leases.size(); ++i) leases[i]->Given(asks[i], (*given)[i]);
    if (std::exchange(lost_logged_, false)) HG_LOG(Info, "sharing: limits are shared with other routers");
    co_return;
  }
  failures_.Increment();
  if (live() || std::exchange(lost_logged_, true)) co_return;
  // Tokens of a store that may have come back without them would count twice.
  for (Lease* lease : leases) lease->tokens_ = 0;
  HG_LOG(Error, "sharing: Redis is lost, this router has its own share of every limit: code=",
         absl::StatusCodeToString(given.status().code()));
}

}  // namespace headgate::router
