// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Mailbox<T>: how events reach one waiting coroutine. Any number of producers on the executor thread, one consumer.
// Producers on other threads post to the executor first. Bounded: the producer learns when it is full and decides.
//
// Thread-safety: none; executor thread only. The mailbox must outlive a pending Receive.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "boost/asio/async_result.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/task.h"

namespace headgate {

template <typename T>
class Mailbox {
 public:
  Mailbox(Executor executor, size_t capacity) : executor_(executor), capacity_(capacity) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // False when full or closed; `value` is untouched then.
  [[nodiscard]] bool Offer(T&& value) {
    if (closed_ || full()) return false;
    items_.push_back(std::move(value));
    Wake();
    return true;
  }

  // No more values. Those already offered are still received; then Receive returns nullopt for an OK status and the
  // status otherwise. The first call counts.
  void Close(absl::Status status) {
    if (closed_) return;
    closed_ = true;
    close_status_ = std::move(status);
    Wake();
  }

  size_t size() const { return items_.size() - taken_; }
  bool full() const { return size() >= capacity_; }
  bool closed() const { return closed_; }
  // Called after each value taken, so that a producer with flow control can continue.
  void SetOnTaken(std::function<void()> callback) { on_taken_ = std::move(callback); }

  // The next value, nullopt at a clean end, or why there is none. DEADLINE_EXCEEDED after `deadline`, the
  // cancellation's reason when cancelled (values still queued are dropped then).
  // REQUIRES: no other Receive pending.
  Task<absl::StatusOr<std::optional<T>>> Receive(Clock& clock, MonotonicTime deadline, Cancellation& cancellation) {
    if (size() == 0 && !closed_ && !cancellation.cancelled()) {
      late_ = false;
      until_ = deadline;
      SetTimer(clock);
      auto registration = cancellation.OnCancel([this] { Wake(); });
      while (size() == 0 && !closed_ && !late_ && !cancellation.cancelled()) co_await Wait();
      until_ = absl::InfiniteDuration();
    }
    if (cancellation.cancelled()) co_return cancellation.reason();
    if (size() > 0) co_return Take();
    if (!closed_) co_return absl::DeadlineExceededError("no event in time");
    if (!close_status_.ok()) co_return close_status_;
    co_return std::optional<T>();
  }

 private:
  std::optional<T> Take() {
    std::optional<T> value(std::move(items_[taken_]));
    if (++taken_ == items_.size()) {
      items_.clear();
      taken_ = 0;
    } else if (taken_ >= kTakenMax && taken_ * 2 > items_.size()) {
      std::vector<T> rest(std::make_move_iterator(items_.begin() + static_cast<std::ptrdiff_t>(taken_)),
                          std::make_move_iterator(items_.end()));
      items_.swap(rest);
      taken_ = 0;
    }
    if (on_taken_) on_taken_();
    return value;
  }

  // Stays from one Receive to the next, whose deadline is mostly later: then it is early, and looks again.
  void SetTimer(Clock& clock) {
    if (until_ == absl::InfiniteDuration() || (timer_ && timer_at_ <= until_)) return;
    timer_at_ = until_;
    timer_ = clock.CallAt(until_, [this, &clock] {
      timer_.reset();
      if (clock.Monotonic() < until_) return SetTimer(clock);
      late_ = true;
      Wake();
    });
  }

  // Suspends until Wake.
  auto Wait() {
    using Token = boost::asio::use_awaitable_t<Executor>;
    return boost::asio::async_initiate<Token, void()>([this](auto handler) { waiter_ = std::move(handler); }, *token());
  }
  static boost::asio::use_awaitable_t<Executor>* token() {
    static boost::asio::use_awaitable_t<Executor> instance;
    return &instance;
  }
  void Wake() {
    if (!waiter_) return;
    boost::asio::post(executor_, std::exchange(waiter_, nullptr));
  }

  static constexpr size_t kTakenMax = 64;

  Executor executor_;
  const size_t capacity_;
  std::vector<T> items_;
  size_t taken_ = 0;  // of items_, from the beginning
  bool closed_ = false;
  absl::Status close_status_;
  absl::AnyInvocable<void()> waiter_;
  std::unique_ptr<Timer> timer_;
  MonotonicTime timer_at_;                          // when it calls
  MonotonicTime until_ = absl::InfiniteDuration();  // the pending Receive's deadline
  bool late_ = false;                               // it has passed
  std::function<void()> on_taken_;
};

// Waits until `when`; OK, or the cancellation's reason.
Task<absl::Status> SleepUntil(Executor executor, Clock& clock, MonotonicTime when, Cancellation& cancellation);

}  // namespace headgate
