// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/cloud_limit.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace headgate::router {
namespace {

constexpr double kCut = 0.8;
constexpr double kBelowNamed = 0.9;
constexpr double kDayRatioMax = 2;  // whatever configuration says

}  // namespace

CloudLimit::CloudLimit(const Clock& clock, const CloudConfig& config, Metrics& metrics)
    : clock_(clock),
      config_(config),
      cap_gauge_(metrics.GetGauge("headgate_router_cloud_concurrency_cap",
                                  "Answers that may be under way on the cloud now.", CloudLabels(config))),
      calls_gauge_(metrics.GetGauge("headgate_router_cloud_calls_today", "Calls of the cloud on this UTC day.",
                                    CloudLabels(config))),
      used_up_gauge_(metrics.GetGauge("headgate_router_cloud_calls_used_up",
                                      "1 while the cloud is closed because the calls of this UTC day are used up.",
                                      CloudLabels(config))),
      cap_(static_cast<double>(config.concurrency_max)) {
  SetGauges();
}

void CloudLimit::Apply(const CloudConfig& config) {
  // A new maximum is a person's word on what the cloud allows; the same one leaves what was learnt.
  const bool other = config.concurrency_max != config_.concurrency_max;
  config_ = config;
  if (other) cap_ = static_cast<double>(config_.concurrency_max);
  Publish();
  SetGauges();
}

void CloudLimit::Share(SharedLimits& limits) {
  places_ = &limits.Get(LeaseAsk::Kind::kPlaces, Key("cloud_places"));
  shared_calls_ = &limits.Get(LeaseAsk::Kind::kSpend, Key("cloud_calls"));
  shared_cap_ = &limits.Get(LeaseAsk::Kind::kCap, Key("cloud_cap"));
  places_->Within(*shared_cap_);
  Publish();
}

std::string CloudLimit::Key(const char* what) const {
  return config_.further ? absl::StrCat(what, ":", config_.name) : what;
}

double CloudLimit::Cap() const { return shared_cap_ != nullptr && shared_cap_->live() ? shared_cap_->Cap() : cap_; }

void CloudLimit::Follow() {
  const double cap = Cap();
  if (cap < cap_) ++cuts_, successes_ = 0;  // another's refusal: what we sent before it says the same
  cap_ = cap;
}

void CloudLimit::Publish() {
  if (places_ == nullptr) return;
  shared_cap_->Set(static_cast<double>(config_.concurrency_max));
  shared_cap_->SetKey(absl::StrCat(Key("cloud_cap"), ":", config_.concurrency_max));
  Follow();
  places_->Set(std::floor(cap_));
  places_->Need(static_cast<double>(in_flight_));
  shared_calls_->Set(CallsPerDay());
  shared_calls_->SetKey(absl::StrCat(Key("cloud_calls"), ":", Today()));
  shared_calls_->Need(Today() > day_ ? 0 : static_cast<double>(calls_));
}

double CloudLimit::CallsPerDay() const {
  return std::floor(static_cast<double>(config_.calls_per_day) * std::min(config_.calls_per_day_ratio, kDayRatioMax));
}

int64_t CloudLimit::Today() const { return std::max(day_, absl::ToUnixSeconds(clock_.WallTime()) / 86'400); }

bool CloudLimit::CallsLeft() const {
  if (config_.calls_per_day == 0 || Today() > day_) return true;
  const double most = shared_calls_ == nullptr ? CallsPerDay() : shared_calls_->MayHold();
  return static_cast<double>(calls_ + 1) <= most;
}

void CloudLimit::Restore(int64_t calls) {
  day_ = Today();
  calls_ += calls;
  Publish();
  SetGauges();
}

bool CloudLimit::HasRoom() const {
  if (static_cast<double>(in_flight_) >= std::max(1.0, std::floor(Cap())) || !CallsLeft()) return false;
  if (places_ == nullptr || static_cast<double>(in_flight_ + 1) <= std::floor(places_->MayHold())) return true;
  places_->Wanted();
  return false;
}

std::optional<CloudLimit::Attempt> CloudLimit::Take() {
  if (!HasRoom()) return std::nullopt;
  if (const int64_t today = Today(); today > day_) {
    day_ = today;
    calls_ = 0;
    alarmed_ = false;
  }
  ++calls_;
  if (config_.calls_per_day > 0 && !alarmed_ && (calls_ >= config_.calls_per_day || !CallsLeft())) {
    alarmed_ = true;
    HG_LOG(Error, "cloud: the calls authorised for this day are used up: calls=", calls_,
           " authorised=", config_.calls_per_day);
  }
  ++in_flight_;
  Publish();
  SetGauges();
  return Attempt{cuts_};
}

void CloudLimit::Succeeded() {
  Ended();
  if (shared_cap_ != nullptr && shared_cap_->live()) return shared_cap_->Asked();
  const auto most = static_cast<double>(config_.concurrency_max);
  if (cap_ >= most || static_cast<double>(++successes_) < cap_) return;
  successes_ = 0;
  cap_ = std::min(most, cap_ + 1);
  SetGauges();
}

void CloudLimit::Limited(const Attempt& attempt, std::optional<int64_t> limit) {
  Follow();
  const double under_way = std::min(cap_, static_cast<double>(in_flight_));
  --in_flight_;
  if (attempt.cuts < cuts_) return;
  ++cuts_;
  successes_ = 0;
  // Far above what was under way the cap says nothing: then it is halved.
  const double cut = limit ? kBelowNamed * static_cast<double>(*limit) : std::max(kCut * under_way, cap_ / 2);
  cap_ = std::max(1.0, std::min(cap_, cut));
  if (shared_cap_ != nullptr) shared_cap_->Lower(cap_);
  HG_LOG(Warning, "cloud limits our requests, concurrency cap=", cap());
  SetGauges();
}

void CloudLimit::Ended() {
  --in_flight_;
  Publish();
  SetGauges();
}

void CloudLimit::SetGauges() {
  cap_gauge_.Set(std::floor(cap_));
  calls_gauge_.Set(static_cast<double>(calls_));
  used_up_gauge_.Set(CallsLeft() ? 0 : 1);
}

}  // namespace headgate::router
