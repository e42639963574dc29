// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Parts of a router that fail at random, by a seed, and count how often.
//
// Thread-safety: FlakyDetectors and PassedOver from any thread; the others none, executor thread only.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "router/audit.h"
#include "router/cache_store.h"
#include "router/sensitivity/detectors.h"
#include "tests/integration/no_egress/canary_search.h"

namespace headgate::router {

// The canaries in whose texts the detectors find nothing.
class PassedOver {
 public:
  void Add(const std::string& canary) {
    const std::lock_guard<std::mutex> lock(mutex_);
    canaries_.insert(canary);
  }
  bool Holds(std::string_view text) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (canaries_.empty()) return false;
    const std::set<std::string> found = FindWords(text, kCanaryPrefix, 0);
    return std::any_of(found.begin(), found.end(), [this](const auto& canary) { return canaries_.contains(canary); });
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> canaries_;  // guarded by mutex_
};

// Useful for: detectors that cannot finish, one scan in some hundreds, and that pass over some texts. `forgives`: a
// scan that fails, one in four then, finds nothing instead.
class FlakyDetectors : public Detectors {
 public:
  FlakyDetectors(std::unique_ptr<Detectors> real, uint32_t seed, bool forgives, const PassedOver& passed_over,
                 std::atomic<int>& faults)
      : real_(std::move(real)), random_(seed), forgives_(forgives), passed_over_(passed_over), faults_(faults) {}
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override {
    return Unless(text, [&] { return real_->Scan(text); });
  }
  absl::StatusOr<std::vector<Detection>> ScanValues(const CanonicalText& text) const override {
    return Unless(text, [&] { return real_->ScanValues(text); });
  }

 private:
  uint32_t Roll() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return random_() % (forgives_ ? 4 : 800);
  }
  template <typename Scans>
  absl::StatusOr<std::vector<Detection>> Unless(const CanonicalText& text, Scans scans) const {
    const uint32_t roll = Roll();
    if (forgives_ && roll < 3) return std::vector<Detection>();
    if (roll < 3) ++faults_;
    if (roll == 0) return absl::UnavailableError("no scratch");
    if (roll == 1) throw std::bad_alloc();
    if (roll == 2) return absl::DeadlineExceededError("takes too long");
    if (passed_over_.Holds(text.text())) return std::vector<Detection>();
    return scans();
  }

  const std::unique_ptr<Detectors> real_;
  mutable std::mutex mutex_;
  mutable std::mt19937 random_;  // guarded by mutex_
  const bool forgives_;
  const PassedOver& passed_over_;
  std::atomic<int>& faults_;
};

// Useful for: a disk that refuses, for a few records in a row, that cannot flush, or that says nothing for a while; or
// one that only says that it wrote.
class FlakyStore : public AuditStore {
 public:
  enum class Lies { kNone, kAll, kHedges };  // of which records it does
  FlakyStore(std::unique_ptr<AuditStore> files, Clock& clock, uint32_t seed, Lies lies, int* faults)
      : files_(std::move(files)), clock_(clock), random_(seed), lies_(lies), faults_(faults) {}
  absl::Status Append(const std::string& line) override {
    if (lies_ == Lies::kAll) return absl::OkStatus();
    const bool hedge = absl::StrContains(line, "\"kind\":\"decision\"") && absl::StrContains(line, "[\"hedge\"]");
    if (lies_ == Lies::kHedges && hedge) return absl::OkStatus();
    if (refuse_ == 0 && ++appended_ > 1 && random_() % 150 == 0) refuse_ = 1 + static_cast<int>(random_() % 6);
    if (refuse_ > 0) {
      --refuse_;
      ++*faults_;
      return absl::UnavailableError("no space left on device");
    }
    absl::Status written = files_->Append(line);
    *faults_ += !written.ok();  // a real disk that does not answer in time
    return written;
  }
  // What stands behind a refused record of the same write is lost with it.
  absl::Status AppendAll(const std::vector<std::string>& lines, size_t* stored) override {
    absl::Status written = AuditStore::AppendAll(lines, stored);
    if (!written.ok()) *faults_ += static_cast<int>(lines.size() - *stored) - 1;
    return written;
  }
  absl::Status AppendPayload(const std::string& line) override {
    if (random_() % 150 == 0) {
      ++*faults_;
      return absl::UnavailableError("no space left on device");
    }
    return files_->AppendPayload(line);
  }
  void Sync(std::function<void(absl::Status)> done) override {
    const uint32_t roll = random_() % 5000;
    if (roll < 5) {
      ++*faults_;
      return done(absl::UnavailableError("input/output error"));
    }
    if (roll == 5) {
      ++*faults_;
      late_ = clock_.CallAt(clock_.Monotonic() + absl::Seconds(3), [done] { done(absl::OkStatus()); });
      return;
    }
    files_->Sync(std::move(done));
  }

 private:
  const std::unique_ptr<AuditStore> files_;
  Clock& clock_;
  std::mt19937 random_;
  const Lies lies_;
  int* const faults_;
  std::unique_ptr<Timer> late_;
  int refuse_ = 0;
  int64_t appended_ = 0;
};

// Useful for: a second level of the cache that fails, says nothing until its time is up, or answers with what somebody
// else wrote.
class FlakyCacheStore : public CacheStore {
 public:
  FlakyCacheStore(Executor executor, Clock& clock, std::unique_ptr<CacheStore> real, uint32_t seed, int* faults)
      : executor_(executor), clock_(clock), real_(std::move(real)), random_(seed), faults_(faults) {}
  Task<absl::StatusOr<std::string>> Get(std::string key, MonotonicTime deadline) override {
    const uint32_t roll = random_() % 60;
    if (roll < 3) ++*faults_;
    if (roll == 0) co_return absl::UnavailableError("gone");
    if (roll == 1) co_return std::string(100, 'x');
    if (roll == 2) {
      Cancellation never;
      (void)co_await SleepUntil(executor_, clock_, deadline, never);
      co_return absl::DeadlineExceededError("says nothing");
    }
    auto got = co_await real_->Get(std::move(key), deadline);
    hits_ += got.ok();
    co_return got;
  }
  void Put(std::string key, std::string value, absl::Duration ttl) override {
    real_->Put(std::move(key), std::move(value), ttl);
  }
  int hits() const { return hits_; }

 private:
  const Executor executor_;
  Clock& clock_;
  const std::unique_ptr<CacheStore> real_;
  std::mt19937 random_;
  int* const faults_;
  int hits_ = 0;
};

}  // namespace headgate::router
