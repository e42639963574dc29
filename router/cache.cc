// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"

namespace headgate::router {
namespace {

constexpr double kRatioNew = 0.01;  // weight of the newest look
constexpr size_t kWaitersMax = 10'000;  // of one answer; more ask by themselves
// Longer than the nearest Redis takes; a slow one must not be waited for.
constexpr absl::Duration kStoreTimeout = absl::Milliseconds(20);
constexpr size_t kMacBytes = 32;
constexpr absl::Duration kJoinMax = absl::Seconds(10);

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

void Cache::Flight::Land() {
  if (cache_ == nullptr || alive_.expired()) return;
  Cache* const cache = std::exchange(cache_, nullptr);
  const auto found = cache->flights_.find(key_);
  if (found == cache->flights_.end()) return;
  const Waiters waiters = std::move(found->second);
  cache->flights_.erase(found);
  for (const auto& waiter : waiters) (void)waiter->Offer(true);
}

Cache::Cache(Clock& clock, const CacheConfig& config, std::string key, Metrics& metrics)
    : clock_(clock),
      config_(config),
      key_(std::move(key)),
      hits_(metrics.GetCounter("headgate_router_cache_hits_total", "Answers served from the cache")),
      misses_(metrics.GetCounter("headgate_router_cache_misses_total", "Cacheable requests not found in the cache")),
      joined_(metrics.GetCounter("headgate_router_cache_joined_total",
                                 "Requests that waited for another one's answer to the same question")),
      ratio_gauge_(metrics.GetGauge("headgate_router_cache_hit_ratio", "Hits among the last few hundred looks")),
      bytes_gauge_(metrics.GetGauge("headgate_router_cache_bytes", "Bytes held by the response cache")) {}

void Cache::Apply(const CacheConfig& config) {
  config_ = config;
  Evict(static_cast<size_t>(config_.bytes_max));
}

bool Cache::Cacheable(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity) const {
  const v1::GenerateRequest& content = prompt.content();
  const bool greedy = content.sampling().has_temperature() && content.sampling().temperature() == 0;
  return config_.bytes_max > 0 && !sensitivity.sensitive() && (greedy || ticket.cacheable) && content.tools().empty();
}

void Cache::Count(bool hit) {
  (hit ? hits_ : misses_).Increment();
  ratio_ += kRatioNew * ((hit ? 1 : 0) - ratio_);
  ratio_gauge_.Set(ratio_);
}

Cache::Found Cache::Look(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->expires <= clock_.Monotonic()) return nullptr;
  if (found->second->warm_list != 0 && found->second->warm_list != warm_list_) return nullptr;
  lru_.splice(lru_.begin(), lru_, found->second);
  return found->second->events;
}

Cache::Found Cache::Find(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity) {
  if (!Cacheable(ticket, prompt, sensitivity)) return nullptr;
  Found found = Look(Key(ticket.tenant->name, ticket.policy_version, prompt));
  Count(found != nullptr);
  return found;
}

Task<absl::StatusOr<Cache::Found>> Cache::FindOrLead(Executor executor, const Ticket& ticket, const Prompt& prompt,
                                                     const Sensitivity& sensitivity, Flight& flight,
                                                     Cancellation& cancellation) {
  if (!Cacheable(ticket, prompt, sensitivity)) co_return Found();
  const std::string key = Key(ticket.tenant->name, ticket.policy_version, prompt);
  // Those of another priority may be waited for much longer.
  const std::string flight_key = absl::StrCat(key, static_cast<int>(ticket.priority));
  const MonotonicTime join_until = clock_.Monotonic() + kJoinMax;
  bool joined = false;
  while (true) {
    if (Found found = Look(key)) {
      Count(true);
      co_return found;
    }
    const auto leading = flights_.find(flight_key);
    if (leading == flights_.end()) break;
    if (leading->second.size() >= kWaitersMax) co_return Found();
    const auto waiter = std::make_shared<Mailbox<bool>>(executor, 1);
    leading->second.push_back(waiter);
    if (!std::exchange(joined, true)) joined_.Increment();
    auto landed = co_await waiter->Receive(clock_, std::min(ticket.deadline, join_until), cancellation);
    if (landed.ok()) continue;
    if (!absl::IsDeadlineExceeded(landed.status()) || cancellation.cancelled()) co_return landed.status();
    Count(false);
    co_return Found();  // by itself: the other one's reader may be slow
  }
  flights_[flight_key];
  flight = Flight(this, flight_key);
  if (store_ != nullptr && config_.shared) {
    Found found = co_await LookFurther(key);
    if (found) {
      Count(true);
      flight = Flight();
      co_return found;
    }
    if (cancellation.cancelled()) co_return cancellation.reason();
  }
  Count(false);
  co_return Found();
}

Task<Cache::Found> Cache::LookFurther(std::string key) {
  auto sealed = co_await store_->Get(Hex(key), clock_.Monotonic() + kStoreTimeout);
  if (!sealed.ok()) co_return nullptr;
  Found found = Unsealed(key, *sealed);
  if (found) Keep(key, *found);
  co_return found;
}

bool Cache::Keep(const std::string& key, Events events, uint64_t warm_list) {
  const size_t bytes = Bytes(events);
  if (bytes > static_cast<size_t>(config_.bytes_max) / 16) return false;
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    bytes_ -= found->second->bytes;
    lru_.erase(found->second);
    by_key_.erase(found);
  }
  Evict(static_cast<size_t>(config_.bytes_max) - bytes);
  const MonotonicTime expires = warm_list == 0 ? clock_.Monotonic() + config_.ttl : absl::InfiniteDuration();
  lru_.push_front({key, std::make_shared<const Events>(std::move(events)), bytes, expires, warm_list});
  by_key_.emplace(key, lru_.begin());
  bytes_ += bytes;
  bytes_gauge_.Set(static_cast<double>(bytes_));
  return true;
}

void Cache::Store(const Ticket& ticket, const Prompt& prompt, const Sensitivity& sensitivity, Events events) {
  if (!Cacheable(ticket, prompt, sensitivity) || !Complete(events)) return;
  const std::string key = Key(ticket.tenant->name, ticket.policy_version, prompt);
  std::string sealed;
  if (store_ != nullptr && config_.shared) sealed = Sealed(key, events);
  if (Keep(key, std::move(events)) && !sealed.empty()) store_->Put(Hex(key), std::move(sealed), config_.ttl);
}

bool Cache::Warm(const std::string& tenant, const std::string& policy_version, const Prompt& prompt,
                 const std::string& answer) {
  Events events(3);
  events[0].mutable_route()->set_target(v1::Route::TARGET_LOCAL);
  events[0].mutable_route()->set_endpoint("warm_up");
  events[1].mutable_delta()->set_content(answer);
  events[2].mutable_finish()->set_reason(v1::FINISH_REASON_STOP);
  return Keep(Key(tenant, policy_version, prompt), std::move(events), warm_list_);
}

std::string Cache::Key(const std::string& tenant, const std::string& policy_version, const Prompt& prompt) const {
  return HmacSha256(key_, absl::StrCat(tenant, std::string(1, '\0'), policy_version, std::string(1, '\0'),
                                       prompt.digest()));
}

// The events, each with its size, behind an HMAC under this router's key and the answer's: another tenant's answer, or
// one that somebody wrote there, is none.
std::string Cache::Sealed(const std::string& key, const Events& events) const {
  std::string body;
  for (const auto& event : events) {
    const std::string bytes = event.SerializeAsString();
    absl::StrAppend(&body, bytes.size(), ":", bytes);
  }
  return HmacSha256(key_, absl::StrCat(key, body)) + body;
}

Cache::Found Cache::Unsealed(const std::string& key, const std::string& sealed) const {
  if (sealed.size() < kMacBytes) return nullptr;
  std::string_view body = sealed;
  body.remove_prefix(kMacBytes);
  const std::string expected = HmacSha256(key_, absl::StrCat(key, std::string(body)));
  if (!EqualConstantTime(expected, std::string_view(sealed).substr(0, kMacBytes))) return nullptr;
  auto events = std::make_shared<Events>();
  while (!body.empty()) {
    const size_t colon = body.find(':');
    size_t size = 0;
    for (const char c : body.substr(0, colon)) size = size * 10 + static_cast<size_t>(c - '0');
    const std::string_view bytes = body.substr(colon + 1, size);
    if (!events->emplace_back().ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return nullptr;
    body.remove_prefix(colon + 1 + bytes.size());
  }
  return Complete(*events) ? events : nullptr;
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
