// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Mailbox<T>: how events reach one waiting coroutine. Any number of producers on the executor thread, one consumer.
// Producers on other threads post to the executor first. Bounded: the producer learns when it is full and decides.
//
// Thread-safety: none; executor thread only. The mailbox must outlive a pending Receive.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

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
    if (closed_ || items_.size() >= capacity_) return false;
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

  size_t size() const { return items_.size(); }
  bool full() const { return items_.size() >= capacity_; }
  bool closed() const { return closed_; }
  // Called after each value taken, so that a producer with flow control can continue.
  void SetOnTaken(std::function<void()> callback) { on_taken_ = std::move(callback); }

  // The next value, nullopt at a clean end, or why there is none. DEADLINE_EXCEEDED after `deadline`, the
  // cancellation's reason when cancelled (values still queued are dropped then).
  // REQUIRES: no other Receive pending.
  Task<absl::StatusOr<std::optional<T>>> Receive(Clock& clock, MonotonicTime deadline, Cancellation& cancellation) {
    absl::Status interrupted;
    if (items_.empty() && !closed_ && !cancellation.cancelled()) {
      std::unique_ptr<Timer> timer;
      if (deadline < absl::InfiniteDuration()) {
        timer = clock.CallAt(deadline, [this, &interrupted] {
          interrupted = absl::DeadlineExceededError("no event in time");
          Wake();
        });
      }
      auto registration = cancellation.OnCancel([this] { Wake(); });
      while (items_.empty() && !closed_ && interrupted.ok() && !cancellation.cancelled()) co_await Wait();
    }
    if (cancellation.cancelled()) co_return cancellation.reason();
    if (!items_.empty()) {
      std::optional<T> value(std::move(items_.front()));
      items_.pop_front();
      if (on_taken_) on_taken_();
      co_return value;
    }
    if (closed_) {
      if (!close_status_.ok()) co_return close_status_;
      co_return std::optional<T>();
    }
    co_return interrupted;
  }

 private:
  // Suspends until Wake.
  auto Wait() {
    using Token = boost::asio::use_awaitable_t<Executor>;
    return boost::asio::async_initiate<Token, void()>(
        [this](auto handler) {
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          waiter_ = [shared]() mutable { std::move (*shared)(); };
        },
        *token());
  }
  static boost::asio::use_awaitable_t<Executor>* token() {
    static boost::asio::use_awaitable_t<Executor> instance;
    return &instance;
  }
  void Wake() {
    if (!waiter_) return;
    boost::asio::post(executor_, std::exchange(waiter_, nullptr));
  }

  Executor executor_;
  const size_t capacity_;
  std::deque<T> items_;
  bool closed_ = false;
  absl::Status close_status_;
  std::function<void()> waiter_;
  std::function<void()> on_taken_;
};

// Waits until `when`; OK, or the cancellation's reason.
Task<absl::Status> SleepUntil(Executor executor, Clock& clock, MonotonicTime when, Cancellation& cancellation);

}  // namespace headgate
