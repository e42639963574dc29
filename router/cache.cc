// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/cache.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"

namespace headgate::router {
namespace {

size_t Bytes(const Cache::Events& events) {
  size_t bytes = 0;
  for (const auto& event : events) bytes += event.ByteSizeLong() + sizeof(event);
  return bytes;
}

bool Complete(const Cache::Events& events) {
  return !events.empty() && events.back().has_finish() &&
         (events.back().finish().reason() == v1::FINISH_REASON_STOP ||
          events.back().finish().reason() == v1::FINISH_REASON_LENGTH);
}

}  // namespace

Cache::Cache(const Clock& clock, const CacheConfig& config, std::string key, Metrics& metrics)
    : clock_(clock),
      config_(config),
      key_(std::move(key)),
      hits_(metrics.GetCounter("headgate_router_cache_hits_total", "Answers served from the cache")),
      misses_(metrics.GetCounter("headgate_router_cache_misses_total", "Cacheable requests not found in the cache")),
      bytes_gauge_(metrics.GetGauge("headgate_router_cache_bytes", "Bytes held by the response cache")) {}

void Cache::Apply(const CacheConfig& config) {
  config_ = config;
  Evict(static_cast<size_t>(config_.bytes_max));
}

bool Cache::Cacheable(const Prompt& prompt, const Sensitivity& sensitivity) const {
  const v1::GenerateRequest& content = prompt.content();
  return config_.bytes_max > 0 && !sensitivity.sensitive() && content.sampling().has_temperature() &&
         content.sampling().temperature() == 0 && content.tools().empty();
}

std::shared_ptr<const Cache::Events> Cache::Find(const Ticket& ticket, const Prompt& prompt,
                                                 const Sensitivity& sensitivity) {
  if (!Cacheable(prompt, sensitivity)) return nullptr;
  const auto found = by_key_.find(Key(ticket, prompt));
  if (found == by_key_.end() || found->second->expires <= clock_.Monotonic()) {
    misses_.Increment();
    return nullptr;
  }
  hits_.Increment();
  lru_.splice(lru_.begin(), lru_, found->second);
  return found->second->events;
}

void Cache::Store(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity, Events events) {
  if (!Cacheable(prompt, sensitivity) || !Complete(events)) return;
  const size_t bytes = Bytes(events);
  if (bytes > static_cast<size_t>(config_.bytes_max) / 16) return;
  std::string key = Key(ticket, prompt);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    bytes_ -= found->second->bytes;
    lru_.erase(found->second);
    by_key_.erase(found);
  }
  Evict(static_cast<size_t>(config_.bytes_max) - bytes);
  lru_.push_front({key, std::make_shared<const Events>(std::move(events)), bytes, clock_.Monotonic() + config_.ttl});
  by_key_.emplace(std::move(key), lru_.begin());
  bytes_ += bytes;
  bytes_gauge_.Set(static_cast<double>(bytes_));
}

std::string Cache::Key(const Ticket& ticket, const Prompt& prompt) const {
  return HmacSha256(key_, absl::StrCat(ticket.tenant->name, std::string(1, '\0'), prompt.digest()));
}

void Cache::Evict(size_t bytes_max) {
  while (bytes_ > bytes_max && !lru_.empty()) {
    bytes_ -= lru_.back().bytes;
    by_key_.erase(lru_.back().key);
    lru_.pop_back();
  }
  bytes_gauge_.Set(static_cast<double>(bytes_));
}

}  // namespace headgate::router
