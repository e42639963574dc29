// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RetryBudget: how many requests may be on a further attempt at the same time: a share of the active ones, at least a
// few. So an upstream that fails everything is asked at most 1.2 times as often, not `attempts_max` times (as Envoy's
// retry budgets, cluster.proto: budget_percent 20, min_retry_concurrency 3).
//
// Thread-safety: executor thread only. Must outlive what it gave.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace headgate::router {

class RetryBudget {
 public:
  // Counts as long as it lives.
  class Hold {
   public:
    explicit Hold(int64_t* count) : count_(count) { ++*count_; }
    Hold(Hold&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (count_ != nullptr) --*count_;
    }

   private:
    int64_t* count_;
  };

  [[nodiscard]] Hold Begin() { return Hold(&active_); }
  // A further attempt, from its waiting to its first content; nullopt: the budget is spent.
  std::optional<Hold> Retry() {
    const int64_t most = std::max(kMin, static_cast<int64_t>(kShare * static_cast<double>(active_)));
    if (retrying_ >= most) return std::nullopt;
    return Hold(&retrying_);
  }
  int64_t active() const { return active_; }

 private:
  static constexpr double kShare = 0.2;
  static constexpr int64_t kMin = 3;
  int64_t active_ = 0;
  int64_t retrying_ = 0;
};

}  // namespace headgate::router
