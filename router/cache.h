// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// cache: exact answers again, within one tenant. Only complete answers of not-sensitive requests with temperature 0, or
// that the client marked as cacheable; keys are HMACs of tenant, policy version and content digest, so that they reveal
// nothing, and an answer never passes an output guard that is newer than it. Off unless configured.
//
// Of several requests for the same answer one asks for it (it holds a Flight), the others wait until it has it: a
// popular question costs one answer. Who waits is never held back by a request of a lower priority, and asks by itself
// when the first one fails.
//
// The second level (cache_store.h) is shared by routers with the same key; what comes from it is believed only with the
// key's HMAC. Warm-up: questions and answers from a file.
//
// Thread-safety: executor thread only.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/mailbox.h"
#include "common/metrics.h"
#include "common/task.h"
#include "headgate/v1/inference.pb.h"
#include "router/admission.h"
#include "router/cache_store.h"
#include "router/classification.h"
#include "router/config.h"
#include "router/prompt.h"

namespace headgate::router {

class Cache {
 public:
  Cache(Clock& clock, const CacheConfig& config, std::string key, Metrics& metrics);
  void Apply(const CacheConfig& config);
  // `store` must outlive it; null: none.
  void SetStore(CacheStore* store) { store_ = store; }

  using Events = std::vector<v1::GenerateStreamResponse>;  // route first, finish last
  using Found = std::shared_ptr<const Events>;
  // Held by the request that asks for an answer which others wait for; they go on when it is gone.
  class Flight {
   public:
    Flight() = default;
    Flight(Flight&& other) noexcept { *this = std::move(other); }
    Flight& operator=(Flight&& other) noexcept {
      Land();
      cache_ = std::exchange(other.cache_, nullptr);
      alive_ = other.alive_;
      key_ = std::move(other.key_);
      return *this;
    }
    ~Flight() { Land(); }

   private:
    friend class Cache;
    Flight(Cache* cache, std::string key) : cache_(cache), alive_(cache->alive_), key_(std::move(key)) {}
    void Land();
    Cache* cache_ = nullptr;
    std::weak_ptr<const bool> alive_;  // the cache
    std::string key_;
  };

  // Whether this request's answer may be kept: cache on, not sensitive, greedy or marked, no tools.
  bool Cacheable(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity) const;
  // Null on a miss, and always for requests that are not cacheable.
  Found Find(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity);
  // As Find, but waits for a request that is already asking for this answer, and looks into the second level. On a miss
  // `flight` is to be held until the answer is stored. The cancellation's reason when it comes.
  Task<absl::StatusOr<Found>> FindOrLead(Executor executor, const Ticket& ticket, const Prompt& prompt,
                                         const Sensitivity& sensitivity, Flight& flight, Cancellation& cancellation);
  // Ignored unless cacheable, complete (finish last, not CONTENT_FILTER) and within bounds (an entry at most 1/16 of
  // the whole).
  void Store(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity, Events events);
  // A new warm-up list begins: what is there from an older one is no longer given.
  void BeginWarmUp() { ++warm_list_; }
  // An answer from the warm-up list, already shown not to be sensitive. It has no TTL: it stays until newer answers
  // push it out. False: larger than an entry may be.
  bool Warm(const std::string& tenant, const std::string& policy_version, const Prompt& prompt,
            const std::string& answer);

 private:
  struct Entry {
    std::string key;
    Found events;
    size_t bytes = 0;
    MonotonicTime expires;
    uint64_t warm_list = 0;  // that it comes from; 0 = none
  };
  using Waiters = std::vector<std::shared_ptr<Mailbox<bool>>>;
  std::string Key(const std::string& tenant, const std::string& policy_version, const Prompt& prompt) const;
  Found Look(const std::string& key);
  bool Keep(const std::string& key, Events events, uint64_t warm_list = 0);
  void Count(bool hit);
  Task<Found> LookFurther(std::string key);
  std::string Sealed(const std::string& key, const Events& events) const;
  Found Unsealed(const std::string& key, const std::string& sealed) const;
  void Evict(size_t bytes_max);

  Clock& clock_;
  CacheConfig config_;
  const std::string key_;
  Counter& hits_;
  Counter& misses_;
  Counter& joined_;
  Gauge& ratio_gauge_;
  Gauge& bytes_gauge_;
  CacheStore* store_ = nullptr;
  double ratio_ = 0;     // of hits, lately
  std::list<Entry> lru_;  // most recent first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> by_key_;
  absl::flat_hash_map<std::string, Waiters> flights_;
  size_t bytes_ = 0;
  uint64_t warm_list_ = 0;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace headgate::router
