// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/clock.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "boost/asio/basic_waitable_timer.hpp"
#include "boost/asio/steady_timer.hpp"

namespace headgate {
namespace {

MonotonicTime SteadyNow() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

using AsioTimer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                    boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

class RealTimer : public Timer {
 public:
  RealTimer(Executor executor, MonotonicTime when, std::function<void()> callback)
      : state_(std::make_shared<State>(State{AsioTimer(executor), std::move(callback)})) {
    const auto delay = absl::ToChronoNanoseconds(std::max(absl::ZeroDuration(), when - SteadyNow()));
    state_->timer.expires_after(delay);
    state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
      if (error || !state->callback) return;
      auto callback = std::exchange(state->callback, nullptr);
      callback();
    });
  }
  ~RealTimer() override {
    state_->callback = nullptr;
    state_->timer.cancel();
  }

 private:
  struct State {
    AsioTimer timer;
    std::function<void()> callback;
  };
  std::shared_ptr<State> state_;
};

class RealClock : public Clock {
 public:
  explicit RealClock(boost::asio::io_context* io) : io_(io) {}
  absl::Time WallTime() const override { return absl::Now(); }
  MonotonicTime Monotonic() const override { return SteadyNow(); }
  std::unique_ptr<Timer> CallAt(MonotonicTime when, std::function<void()> callback) override {
    return std::make_unique<RealTimer>(io_->get_executor(), when, std::move(callback));
  }

 private:
  boost::asio::io_context* const io_;
};

}  // namespace

std::unique_ptr<Clock> MakeRealClock(boost::asio::io_context& io) { return std::make_unique<RealClock>(&io); }

const Clock& RealTime() {
  static const RealClock clock(nullptr);
  return clock;
}

}  // namespace headgate
