// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/key_ring.h"

#include <algorithm>

#include "common/log.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kRefusedFor = absl::Minutes(10);
constexpr absl::Duration kLimitedFor = absl::Seconds(1);

Gauge& KeysGauge(Metrics& metrics, Labels labels, const char* state) {
  labels["state"] = state;
  return metrics.GetGauge("headgate_router_cloud_keys", "Keys for the cloud by state.", labels);
}

}  // namespace

KeyRing::KeyRing(const Clock& clock, size_t keys, Metrics& metrics, const Labels& labels)
    : clock_(clock),
      keys_(keys),
      last_(keys - 1),
      usable_gauge_(KeysGauge(metrics, labels, "usable")),
      refused_gauge_(KeysGauge(metrics, labels, "refused")) {
  SetGauges();
}

size_t KeyRing::Next() {
  const MonotonicTime now = clock_.Monotonic();
  size_t best = (last_ + 1) % keys_.size();
  MonotonicTime best_until = absl::InfiniteDuration();
  for (size_t i = 1; i <= keys_.size(); ++i) {
    const size_t at = (last_ + i) % keys_.size();
    const MonotonicTime until = std::max(keys_[at].refused_until, keys_[at].limited_until);
    if (until <= now) return last_ = at;
    if (until < best_until) {
      best = at;
      best_until = until;
    }
  }
  return last_ = best;
}

bool KeyRing::Refused(size_t key, long http_status) {
  keys_[key].refused_until = clock_.Monotonic() + kRefusedFor;
  SetGauges();
  HG_LOG(Error, http_status == 402 ? "cloud: no balance left for key number " : "cloud refuses key number ", key + 1,
         " of ", keys_.size(), ", status=", http_status, " usable=", Usable());
  return Usable() > 0;
}

void KeyRing::Limited(size_t key, std::optional<absl::Duration> retry_after) {
  // Another answer, of a request sent before or without a time of its own, shortens nothing.
  keys_[key].limited_until =
      std::max(keys_[key].limited_until, clock_.Monotonic() + retry_after.value_or(kLimitedFor));
}

void KeyRing::Worked(size_t key) {
  if (keys_[key].refused_until == -absl::InfiniteDuration()) return;
  keys_[key].refused_until = -absl::InfiniteDuration();
  SetGauges();
}

size_t KeyRing::Usable() const {
  const MonotonicTime now = clock_.Monotonic();
  return static_cast<size_t>(
      std::count_if(keys_.begin(), keys_.end(), [now](const Key& key) { return key.refused_until <= now; }));
}

void KeyRing::SetGauges() {
  usable_gauge_.Set(static_cast<double>(Usable()));
  refused_gauge_.Set(static_cast<double>(keys_.size() - Usable()));
}

}  // namespace headgate::router
