// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/admission.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

constexpr absl::Duration kBusyRetryAfter = absl::Seconds(1);
constexpr double kBusySpread = 3;  // up to so many seconds later

// A bucket below one whole token could never admit anything.
double BucketSize(const TenantConfig& tenant) {
  return std::max(1.0, tenant.burst > 0 ? tenant.burst : tenant.requests_per_second);
}

v1::SensitivityLevel HigherLevel(v1::SensitivityLevel header, v1::SensitivityLevel field) {
  // A level that nobody knows can only be meant to raise.
  if (!v1::SensitivityLevel_IsValid(header)) header = v1::SENSITIVITY_LEVEL_RESTRICTED;
  return std::max(header, field);
}

}  // namespace

Admission::Admission(const Clock& clock, const RouterConfig& config) : clock_(clock) { Apply(config); }

void Admission::Apply(const RouterConfig& config) {
  limits_ = config.limits;
  version_ = config.version;
  anonymous_ = config.anonymous;
  by_key_sha256_.clear();
  by_peer_.clear();
  by_name_.clear();
  absl::flat_hash_map<std::string, Bucket> buckets;
  for (const TenantConfig& tenant : config.tenants) {
    const auto shared = std::make_shared<const TenantConfig>(tenant);
    by_name_[tenant.name] = shared;
    for (const std::string& hash : tenant.api_key_sha256) by_key_sha256_[hash] = shared;
    for (const std::string& peer : tenant.peer_identities) by_peer_[peer] = shared;
    const auto old = buckets_.find(tenant.name);
    buckets[tenant.name] = old != buckets_.end() ? old->second : Bucket{BucketSize(tenant), clock_.Monotonic()};
  }
  buckets_ = std::move(buckets);
  if (shared_ != nullptr) Share(*shared_);
}

absl::StatusOr<std::shared_ptr<const TenantConfig>> Admission::Authenticate(const RequestHead& head) const {
  if (!head.api_key.empty()) {
    // Looked up by digest: how long it takes says nothing about the keys that exist.
    const auto tenant = by_key_sha256_.find(Hex(Sha256(head.api_key)));
    if (tenant != by_key_sha256_.end()) return tenant->second;
    // Not the anonymous tenant either: whoever presents a key means to be someone.
    return absl::UnauthenticatedError("unknown API key");
  }
  if (!head.peer_identity.empty()) {
    const auto tenant = by_peer_.find(head.peer_identity);
    if (tenant != by_peer_.end()) return tenant->second;
  }
  if (anonymous_) return TenantByName(kAnonymousTenant);
  return absl::UnauthenticatedError("an API key is required: authorization: Bearer <key>");
}

absl::StatusOr<std::shared_ptr<const TenantConfig>> Admission::TenantByName(const std::string& name) const {
  const auto tenant = by_name_.find(name.empty() ? kAnonymousTenant : name);
  if (tenant == by_name_.end()) return absl::NotFoundError("tenant: no such tenant");
  return tenant->second;
}

void Admission::Share(SharedLimits& limits) {
  shared_ = &limits;
  for (const auto& [name, tenant] : by_name_) ShareBucket(*tenant);
}

void Admission::ShareBucket(const TenantConfig& tenant) {
  if (shared_ == nullptr || tenant.requests_per_second <= 0) return;
  Bucket& bucket = buckets_[tenant.name];
  bucket.lease = &shared_->Get(LeaseAsk::Kind::kRate, absl::StrCat("tenant_rate:", tenant.name));
  bucket.lease->Set(tenant.requests_per_second, BucketSize(tenant));
}

absl::Status Admission::TakeToken(const TenantConfig& tenant) {
  if (tenant.requests_per_second <= 0) return absl::OkStatus();
  const MonotonicTime now = clock_.Monotonic();
  Bucket& bucket = buckets_[tenant.name];
  double rate = tenant.requests_per_second;
  if (bucket.lease != nullptr) {
    bucket.lease->Asked();
    if (bucket.lease->live() && bucket.lease->HasToken()) {
      bucket.lease->Take();
      bucket.tokens = 0;  // of the own share: none is saved up beside
      bucket.refilled = now;
      return absl::OkStatus();
    }
    if (bucket.lease->live()) bucket.tokens = 0, bucket.refilled = now;
    rate = bucket.lease->own_share(rate);
  }
  bucket.tokens = std::min(BucketSize(tenant), bucket.tokens + absl::ToDoubleSeconds(now - bucket.refilled) * rate);
  bucket.refilled = now;
  // Refilling in fractions must not lose the last bit of a whole token.
  constexpr double kRounding = 1e-9;
  if (bucket.tokens < 1 - kRounding) {
    return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat("tenant ", tenant.name, ": ", rate,
                                                                    " requests per second are allowed")),
                          absl::Ceil(absl::Seconds((1 - bucket.tokens) / rate), absl::Milliseconds(1)));
  }
  bucket.tokens = std::max(0.0, bucket.tokens - 1);
  return absl::OkStatus();
}

// Steps of the golden ratio: however many are turned away at once, they come back evenly spread.
absl::Duration Admission::BusyRetryAfter() {
  constexpr double kGolden = 0.6180339887498949;
  spread_ = std::fmod(spread_ + kGolden, 1.0);
  return kBusyRetryAfter + absl::Seconds(kBusySpread * spread_);
}

absl::StatusOr<Ticket> Admission::Admit(const RequestHead& head, const Prompt& prompt) {
  if (draining_) return WithRetryAfter(absl::UnavailableError("shutting down"), BusyRetryAfter());
  ASSIGN_OR_RETURN(std::shared_ptr<const TenantConfig> tenant, Authenticate(head));
  const MonotonicTime now = clock_.Monotonic();
  const MonotonicTime deadline = head.deadline == absl::InfiniteDuration()
                                     ? head.received + limits_.deadline_default
                                     : std::min(head.deadline, head.received + limits_.deadline_max);
  if (deadline <= now) return absl::DeadlineExceededError("the deadline had passed on arrival");
  const v1::GenerateRequest& content = prompt.content();
  const v1::Priority priority =
      content.priority() == v1::PRIORITY_UNSPECIFIED ? v1::PRIORITY_NORMAL : content.priority();
  // What may wait makes room for the others first.
  const int64_t kept = priority == v1::PRIORITY_BATCH ? limits_.in_flight_max / 10 : 0;
  if (*in_flight_ >= limits_.in_flight_max - kept) {
    return WithRetryAfter(absl::ResourceExhaustedError("too many requests in flight"), BusyRetryAfter());
  }
  RETURN_IF_ERROR(TakeToken(*tenant));
  RETURN_IF_ERROR(ValidateRequest(content, limits_));
  return Ticket{head.request_id, head.api, std::move(tenant), priority,
                HigherLevel(head.declared_sensitivity, content.declared_sensitivity()), head.received, deadline,
                InFlight(in_flight_), head.whole, head.trace, head.cacheable, version_};
}

}  // namespace headgate::router
