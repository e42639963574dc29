// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/clock.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/time/clock.h"
#include "boost/asio/basic_waitable_timer.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/intrusive/set.hpp"

namespace headgate {
namespace {

MonotonicTime SteadyNow() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }
int64_t SteadyNanoseconds() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

using AsioTimer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                    boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kFarthest = 100'000 * int64_t{3'600'000'000'000};  // further away overflows Asio's arithmetic

// A request sets some ten timers and cancels nearly all of them. So they are kept in a tree of our own, and Asio has
// one timer for the earliest; it is not set back when that is cancelled, but finds nothing to do.
class RealClock : public Clock {
 public:
  explicit RealClock(boost::asio::io_context* io) {
    if (io != nullptr) timer_.emplace(io->get_executor());
  }
  ~RealClock() override { *alive_ = false; }
  absl::Time WallTime() const override { return absl::Now(); }
  MonotonicTime Monotonic() const override { return SteadyNow(); }
  std::unique_ptr<Timer> CallAt(MonotonicTime when, std::function<void()> callback) override {
    const int64_t latest = SteadyNanoseconds() + kFarthest;
    auto timer = std::make_unique<RealTimer>(*this, std::min(absl::ToInt64Nanoseconds(when), latest), next_++,
                                             std::move(callback));
    pending_.insert(*timer);
    if (timer->when > latest - kFarthest) {
      Arm();
    } else {
      FireSoon();  // no timer for what is due already: libcurl asks for that several times a request
    }
    return timer;
  }

 private:
  struct RealTimer : public Timer, public boost::intrusive::set_base_hook<> {
    RealTimer(RealClock& c, int64_t w, uint64_t n, std::function<void()> f)
        : clock(c), when(w), number(n), callback(std::move(f)) {}
    ~RealTimer() override {
      if (is_linked()) clock.Remove(*this);
    }
    bool operator<(const RealTimer& other) const {
      return std::tie(when, number) < std::tie(other.when, other.number);
    }
    RealClock& clock;
    const int64_t when;
    const uint64_t number;
    std::function<void()> callback;
  };

  void Remove(RealTimer& timer) {
    pending_.erase(pending_.iterator_to(timer));
    if (pending_.empty()) Disarm();  // nothing keeps the io_context running
  }
  void Disarm() {
    if (std::exchange(armed_, kNever) != kNever) timer_->cancel();
  }
  void Arm() {
    if (pending_.empty() || pending_.begin()->when >= armed_) return;
    armed_ = pending_.begin()->when;
    timer_->expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(armed_)));
    timer_->async_wait([this, alive = alive_](const boost::system::error_code& error) {
      if (error || !*alive) return;
      armed_ = kNever;
      Fire();
    });
  }
  void FireSoon() {
    if (std::exchange(posted_, true)) return;
    boost::asio::post(timer_->get_executor(), [this, alive = alive_] {
      if (!*alive) return;
      posted_ = false;
      Fire();
    });
  }
  // Those that are due now; what they add has its turn when the executor comes round again.
  void Fire() {
    const int64_t now = SteadyNanoseconds();
    const uint64_t first_new = next_;
    const std::shared_ptr<bool> alive = alive_;
    while (!pending_.empty() && pending_.begin()->when <= now && pending_.begin()->number < first_new) {
      RealTimer& timer = *pending_.begin();
      pending_.erase(pending_.begin());
      const auto callback = std::exchange(timer.callback, nullptr);
      callback();
      if (!*alive) return;
    }
    Arm();
  }

  std::optional<AsioTimer> timer_;  // none: no executor
  boost::intrusive::set<RealTimer> pending_;
  int64_t armed_ = kNever;  // when timer_ comes
  bool posted_ = false;
  uint64_t next_ = 0;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Clock> MakeRealClock(boost::asio::io_context& io) { return std::make_unique<RealClock>(&io); }

const Clock& RealTime() {
  static const RealClock clock(nullptr);
  return clock;
}

}  // namespace headgate
