// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the emulator's connections share, behind one lock: account, rules, records, counts.
//
// Thread-safety: every method from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "nlohmann/json.hpp"
#include "tests/fakes/deepseek_emulator.h"

namespace headgate {

class DeepSeekState {
 public:
  using Stats = DeepSeekEmulator::Stats;
  explicit DeepSeekState(const DeepSeekEmulatorOptions& options) : options(options), rules_(options.seed) {
    account_.SetLimits(options.limits);
  }

  const DeepSeekEmulatorOptions options;

  // Runs `change` under the lock and wakes whoever waits for counts.
  template <typename Change>
  auto With(Change change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    struct Notify {
      std::condition_variable& condition;
      ~Notify() { condition.notify_all(); }
    } notify{changed_};
    return change(account_, rules_, stats_);
  }

  Stats stats() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stats_;
  }
  bool WaitUntil(const std::function<bool(const Stats&)>& done, absl::Duration limit) const {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, absl::ToChronoMilliseconds(limit), [&] { return done(stats_); });
  }

  int64_t OpenConnection() {
    return With([](auto&, auto&, Stats& stats) {
      ++stats.connections_open;
      return stats.connections_total++;
    });
  }
  void Record(int64_t connection, std::string_view bytes) {
    With([&](auto&, auto&, Stats& stats) {
      if (recorded_bytes_ + static_cast<int64_t>(bytes.size()) > options.records_bytes_max) {
        stats.bytes_dropped += static_cast<int64_t>(bytes.size());
        return;
      }
      recorded_bytes_ += static_cast<int64_t>(bytes.size());
      records_[connection].append(bytes);
    });
  }
  // A connection of the test's own (/__control and the like) is no evidence.
  void Forget(int64_t connection) {
    With([&](auto&, auto&, Stats&) { records_.erase(connection); });
  }
  void ClearRecords() {
    With([&](auto&, auto&, Stats&) {
      records_.clear();
      recorded_bytes_ = 0;
    });
  }
  std::vector<std::string> Records() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::string> records;
    for (const auto& [connection, bytes] : records_) records.push_back(bytes);
    return records;
  }

  absl::Status Control(const std::string& text);
  std::string RecordsJson() const;
  std::string StatsJson() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  DeepSeekAccount account_;
  DeepSeekRules rules_;
  Stats stats_;
  std::map<int64_t, std::string> records_;
  int64_t recorded_bytes_ = 0;
};

}  // namespace headgate
