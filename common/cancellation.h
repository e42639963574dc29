// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Cancellation: one request's "stop now", raised by the client's disconnect, its deadline or a drain that ran out.
// Whoever waits on behalf of the request registers how to stop; Cancel runs those callbacks, in order, once.
//
// Thread-safety: none; executor thread only.
#pragma once

#include <functional>
#include <utility>

#include "absl/status/status.h"

namespace headgate {

class Cancellation {
 public:
  // Unregisters when destroyed; must not outlive its Cancellation.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept { *this = std::move(other); }
    Registration& operator=(Registration&& other) noexcept {
      if (this == &other) return *this;
      Reset();
      callback_ = std::move(other.callback_);
      before_ = std::exchange(other.before_, nullptr);
      after_ = std::exchange(other.after_, nullptr);
      if (before_ != nullptr) before_->after_ = after_->before_ = this;
      return *this;
    }
    ~Registration() { Reset(); }
    void Reset() {
      Unlink();
      callback_ = nullptr;
    }

   private:
    friend class Cancellation;
    void Unlink() {
      if (before_ == nullptr) return;
      before_->after_ = after_;
      after_->before_ = before_;
      before_ = after_ = nullptr;
    }
    // A ring with the Cancellation's own at its beginning; null: not in it.
    Registration* before_ = nullptr;
    Registration* after_ = nullptr;
    std::function<void()> callback_;
  };

  Cancellation() { callbacks_.before_ = callbacks_.after_ = &callbacks_; }
  ~Cancellation() {
    while (callbacks_.after_ != &callbacks_) callbacks_.after_->Unlink();
  }
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  bool cancelled() const { return !reason_.ok(); }
  // OK until cancelled; then why (CANCELLED: the client left; DEADLINE_EXCEEDED; UNAVAILABLE: shutting down).
  const absl::Status& reason() const { return reason_; }

  // The first call counts. REQUIRES: `reason` is not OK. A callback may unregister itself or others.
  void Cancel(absl::Status reason) {
    if (cancelled()) return;
    reason_ = std::move(reason);
    while (callbacks_.after_ != &callbacks_) {
      Registration* const first = callbacks_.after_;
      const std::function<void()> callback = std::exchange(first->callback_, nullptr);
      first->Unlink();
      callback();
    }
  }

  // Runs `callback` at once when already cancelled.
  [[nodiscard]] Registration OnCancel(std::function<void()> callback) {
    Registration registration;
    if (cancelled()) {
      callback();
      return registration;
    }
    registration.callback_ = std::move(callback);
    registration.before_ = callbacks_.before_;
    registration.after_ = &callbacks_;
    callbacks_.before_->after_ = &registration;
    callbacks_.before_ = &registration;
    return registration;
  }

 private:
  Registration callbacks_;
  absl::Status reason_;
};

}  // namespace headgate
