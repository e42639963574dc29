// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What every front door (gRPC, HTTP, admin) needs to take a request in: the parts it is served by, the calls in
// progress so that a drain can end them, and the head made from headers or metadata.
//
// Thread-safety: Calls: executor thread only. Functions: any thread.
#pragma once

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

 private:
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

// What the answer's headers say about its route: x-headgate-route, x-headgate-sensitivity, x-headgate-reasons.
std::vector<std::pair<std::string, std::string>> RouteHeaders(const v1::Route& route);

}  // namespace headgate::services
