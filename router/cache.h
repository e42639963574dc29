// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// cache: exact answers again, within one tenant. Only complete answers of not-sensitive requests with temperature 0;
// keys are HMACs of tenant and content digest, so that they reveal nothing. Off unless configured.
//
// Thread-safety: executor thread only.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "headgate/v1/inference.pb.h"
#include "router/admission.h"
#include "router/classification.h"
#include "router/config.h"
#include "router/prompt.h"

namespace headgate::router {

class Cache {
 public:
  Cache(const Clock& clock, const CacheConfig& config, std::string key, Metrics& metrics);
  void Apply(const CacheConfig& config);

  using Events = std::vector<v1::GenerateStreamResponse>;  // route first, finish last
  // Whether this request's answer may be kept: cache on, not sensitive, greedy, no tools.
  bool Cacheable(const Prompt& prompt, const Sensitivity& sensitivity) const;
  // Null on a miss, and always for requests that are not cacheable.
  std::shared_ptr<const Events> Find(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity);
  // Ignored unless cacheable, complete (finish last, not CONTENT_FILTER) and within bounds (an entry at most 1/16 of
  // the whole).
  void Store(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity, Events events);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Events> events;
    size_t bytes = 0;
    MonotonicTime expires;
  };
  std::string Key(const Ticket& ticket, const Prompt& prompt) const;
  void Evict(size_t bytes_max);

  const Clock& clock_;
  CacheConfig config_;
  const std::string key_;
  Counter& hits_;
  Counter& misses_;
  Gauge& bytes_gauge_;
  std::list<Entry> lru_;  // most recent first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> by_key_;
  size_t bytes_ = 0;
};

}  // namespace headgate::router
