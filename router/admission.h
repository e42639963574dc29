// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// admission: who is it, may they, and is the request well formed. The first stage.
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "router/config.h"
#include "router/prompt.h"
#include "router/request.h"
#include "router/shared_limits.h"

namespace headgate::router {

// Counts a request as in flight until destroyed.
class InFlight {
 public:
  explicit InFlight(std::shared_ptr<int64_t> count) : count_(std::move(count)) { ++*count_; }
  InFlight(InFlight&& other) noexcept = default;
  InFlight& operator=(InFlight&& other) noexcept {
    std::swap(count_, other.count_);  // `other` counts down what was held here
    return *this;
  }
  ~InFlight() {
    if (count_) --*count_;
  }

 private:
  std::shared_ptr<int64_t> count_;
};

// An admitted request. Its lifetime is the request's.
struct Ticket {
  std::string request_id;
  std::string api;
  std::shared_ptr<const TenantConfig> tenant;
  v1::Priority priority = v1::PRIORITY_NORMAL;
  v1::SensitivityLevel declared_sensitivity = v1::SENSITIVITY_LEVEL_UNSPECIFIED;  // the higher of header and field
  MonotonicTime received;
  MonotonicTime deadline;  // always finite
  InFlight in_flight;
  bool whole = false;  // both as RequestHead's
  std::string trace = {};
  bool cacheable = false;
  std::string policy_version = {};  // RouterConfig::version, by which it was admitted
};

// Range and enum checks of every field; INVALID_ARGUMENT names the field. Pure.
absl::Status ValidateRequest(const v1::GenerateRequest& request, const LimitsConfig& limits);

class Admission {
 public:
  Admission(const Clock& clock, const RouterConfig& config);
  // New tenants, keys and limits; token buckets of tenants that remain keep their level.
  void Apply(const RouterConfig& config);
  // From now on tenants' rates are those of all routers; while the store is lost, this router's share of them holds.
  void Share(SharedLimits& limits);

  // UNAUTHENTICATED: no or unknown key. RESOURCE_EXHAUSTED (with RetryAfter, upstream/upstream_error.h): the tenant's
  // bucket is empty or too many requests are in flight (for batch work: nine tenths of that). UNAVAILABLE: draining.
  // INVALID_ARGUMENT: ValidateRequest. DEADLINE_EXCEEDED: the deadline has passed.
  absl::StatusOr<Ticket> Admit(const RequestHead& head, const Prompt& prompt);
  // The tenant only, without consuming quota: Explain and ListModels.
  absl::StatusOr<std::shared_ptr<const TenantConfig>> Authenticate(const RequestHead& head) const;
  // For Explain by name; NOT_FOUND.
  absl::StatusOr<std::shared_ptr<const TenantConfig>> TenantByName(const std::string& name) const;

  void Drain() { draining_ = true; }
  bool draining() const { return draining_; }
  int64_t in_flight() const { return *in_flight_; }

 private:
  struct Bucket {
    double tokens = 0;
    MonotonicTime refilled;
    SharedLimits::Lease* lease = nullptr;
  };
  void ShareBucket(const TenantConfig& tenant);
  absl::Status TakeToken(const TenantConfig& tenant);
  absl::Duration BusyRetryAfter();

  const Clock& clock_;
  LimitsConfig limits_;
  std::string version_;
  bool anonymous_ = false;
  bool draining_ = false;
  std::shared_ptr<int64_t> in_flight_ = std::make_shared<int64_t>(0);
  absl::flat_hash_map<std::string, std::shared_ptr<const TenantConfig>> by_key_sha256_;
  absl::flat_hash_map<std::string, std::shared_ptr<const TenantConfig>> by_peer_;
  absl::flat_hash_map<std::string, std::shared_ptr<const TenantConfig>> by_name_;
  double spread_ = 0;  // 0 to 1, of the last one who was told to come again
  SharedLimits* shared_ = nullptr;
  absl::flat_hash_map<std::string, Bucket> buckets_;  // by tenant name: bounded by configuration
};

}  // namespace headgate::router
