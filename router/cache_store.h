// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CacheStore: the cache's second level, shared by routers. Slow or gone, it is as if it were empty.
//
// Thread-safety: executor thread only.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/task.h"
#include "router/config_sharing.h"

namespace headgate::router {

class CacheStore {
 public:
  virtual ~CacheStore() = default;
  // NOT_FOUND: not there; UNAVAILABLE, DEADLINE_EXCEEDED: not to be had now.
  virtual Task<absl::StatusOr<std::string>> Get(std::string key, MonotonicTime deadline) = 0;
  // At some time, or not.
  virtual void Put(std::string key, std::string value, absl::Duration ttl) = 0;
};

// In Redis. A few connections; who finds none free finds nothing. `clock` must outlive it.
std::unique_ptr<CacheStore> MakeRedisCache(Executor executor, Clock& clock, const SharingConfig& config,
                                           std::string password);

}  // namespace headgate::router
