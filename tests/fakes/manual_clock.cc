// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/manual_clock.h"

#include "boost/asio/post.hpp"

namespace headgate {

class ManualClock::ManualTimer : public Timer {
 public:
  ManualTimer(ManualClock& clock, Key key, Callback callback)
      : clock_(clock), key_(key), callback_(std::move(callback)) {}
  ~ManualTimer() override {
    *callback_ = nullptr;  // it may have been posted already
    clock_.timers_.erase(key_);
  }

 private:
  ManualClock& clock_;
  const Key key_;
  const Callback callback_;
};

ManualClock::ManualClock(boost::asio::io_context& io, absl::Time start) : io_(io), wall_base_(start - absl::Hours(1)) {}

ManualClock::~ManualClock() = default;

std::unique_ptr<Timer> ManualClock::CallAt(MonotonicTime when, std::function<void()> callback) {
  const Key key(std::max(when, now_), next_id_++);
  auto shared = std::make_shared<std::function<void()>>(std::move(callback));
  timers_.emplace(key, shared);
  return std::make_unique<ManualTimer>(*this, key, std::move(shared));
}

void ManualClock::Fire() {
  auto node = timers_.extract(timers_.begin());
  now_ = std::max(now_, node.key().first);
  boost::asio::post(io_, [callback = std::move(node.mapped())] {
    // Moved out first: the callback may destroy its Timer.
    auto call = std::move(*callback);
    if (call) call();
  });
}

std::optional<MonotonicTime> ManualClock::NextTimer() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

void ManualClock::RunUntilIdle() { AdvanceTo(now_); }

void ManualClock::AdvanceTo(MonotonicTime when) {
  RunUntil([] { return false; }, when - now_);
}

bool ManualClock::RunUntil(const std::function<bool()>& done, absl::Duration at_most) {
  const MonotonicTime end = now_ + at_most;
  while (true) {
    io_.restart();
    while (io_.poll_one() > 0) {
      if (done()) return true;
    }
    if (done()) return true;
    if (timers_.empty() || timers_.begin()->first.first > end) break;
    Fire();
  }
  now_ = std::max(now_, end);
  return done();
}

}  // namespace headgate
