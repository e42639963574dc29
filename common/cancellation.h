// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Cancellation: one request's "stop now", raised by the client's disconnect, its deadline or a drain that ran out.
// Whoever waits on behalf of the request registers how to stop; Cancel runs those callbacks, in order, once.
//
// Thread-safety: none; executor thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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
      Reset();
      owner_ = std::exchange(other.owner_, nullptr);
      id_ = other.id_;
      return *this;
    }
    ~Registration() { Reset(); }
    void Reset() {
      if (owner_ != nullptr) std::exchange(owner_, nullptr)->callbacks_.erase(id_);
    }

   private:
    friend class Cancellation;
    Cancellation* owner_ = nullptr;
    uint64_t id_ = 0;
  };

  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  bool cancelled() const { return !reason_.ok(); }
  // OK until cancelled; then why (CANCELLED: the client left; DEADLINE_EXCEEDED; UNAVAILABLE: shutting down).
  const absl::Status& reason() const { return reason_; }

  // The first call counts. REQUIRES: `reason` is not OK. A callback may unregister itself or others.
  void Cancel(absl::Status reason) {
    if (cancelled()) return;
    reason_ = std::move(reason);
    while (!callbacks_.empty()) {
      auto node = callbacks_.extract(callbacks_.begin());
      node.mapped()();
    }
  }

  // Runs `callback` at once when already cancelled.
  [[nodiscard]] Registration OnCancel(std::function<void()> callback) {
    Registration registration;
    if (cancelled()) {
      callback();
      return registration;
    }
    registration.owner_ = this;
    registration.id_ = next_id_++;
    callbacks_.emplace(registration.id_, std::move(callback));
    return registration;
  }

 private:
  std::map<uint64_t, std::function<void()>> callbacks_;
  uint64_t next_id_ = 0;
  absl::Status reason_;
};

}  // namespace headgate
