// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What every front door (gRPC, HTTP, admin) needs to take a request in: the parts it is served by, the calls in
// progress so that a drain can end them, and the head made from headers or metadata.
//
// Thread-safety: Calls: executor thread only, but OnWire: any thread. Functions: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/digest.h"
#include "router/request.h"

namespace headgate::services {

// The requests in progress, by their cancellation.
class Calls {
 public:
  class Entry {
   public:
    Entry(Calls& calls, Cancellation& cancellation) : calls_(calls), cancellation_(cancellation) {
      calls_.active_.insert(&cancellation_);
      if (!calls_.ended_.ok()) cancellation_.Cancel(calls_.ended_);
    }
    ~Entry() { calls_.active_.erase(&cancellation_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Calls& calls_;
    Cancellation& cancellation_;
  };
  // Cancels those in progress and those to come.
  void CancelAll(absl::Status reason) {
    ended_ = reason;
    const std::set<Cancellation*> active = active_;
    for (Cancellation* cancellation : active) {
      if (active_.count(cancellation) > 0) cancellation->Cancel(reason);
    }
  }
  size_t size() const { return active_.size(); }

  // A call that gRPC may still be sending the answer of. May outlive Calls.
  class OnWire {
   public:
    explicit OnWire(Calls& calls) : count_(calls.last_words_ ? nullptr : calls.on_wire_) {
      if (count_) ++*count_;
    }
    ~OnWire() {
      if (count_) --*count_;
    }
    OnWire(const OnWire&) = delete;
    OnWire& operator=(const OnWire&) = delete;

   private:
    const std::shared_ptr<std::atomic<int64_t>> count_;
  };
  // From now on those that come are not counted: all that they get is a refusal.
  void BeginLastWords() { last_words_ = true; }
  int64_t on_wire() const { return *on_wire_; }

 private:
  std::atomic<bool> last_words_ = false;
  const std::shared_ptr<std::atomic<int64_t>> on_wire_ = std::make_shared<std::atomic<int64_t>>(0);
  std::set<Cancellation*> active_;
  absl::Status ended_;
};

// The headers (metadata) that carry a request's head, by lower-case name: all values that were sent.
using HeaderLookup = std::function<std::vector<std::string_view>(std::string_view name)>;

// Fills request_id, api_key, trace and declared_sensitivity. A bad declared level is INVALID_ARGUMENT: guessing could
// lower it. `head.request_id` is set even then.
absl::Status ReadHead(const HeaderLookup& headers, const RandomBytes& random, router::RequestHead& head);

// x-headgate-session: at most 256 bytes, else INVALID_ARGUMENT. Empty when absent.
absl::StatusOr<std::string> SessionOf(const HeaderLookup& headers);

// x-headgate-timeout: one number of seconds above 0, at most a day, else INVALID_ARGUMENT. Infinite when absent.
absl::StatusOr<absl::Duration> TimeoutOf(const HeaderLookup& headers);

// What the answer's headers say about its route: x-headgate-route, x-headgate-sensitivity, x-headgate-reasons.
std::vector<std::pair<std::string, std::string>> RouteHeaders(const v1::Route& route);

}  // namespace headgate::services
