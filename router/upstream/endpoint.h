// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Endpoint: one engine pod as the router knows it, and EndpointUse: one request at it.
//
// Thread-safety: executor thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "headgate/v1/engine.pb.h"
#include "router/upstream/inference_client.h"
#include "router/upstream/prefix_affinity.h"

namespace headgate::router {

// What a request asks of the engines.
struct LocalAsk {
  bool sensitive = true;
  double prompt_tokens = 0;  // roughly
  PrefixKeys prefix = {};
  std::string_view model = {};  // one that some engines serve and others do not; empty: any engine
};

// What it would meet there.
struct Outlook {
  double first_token_seconds = 1e6;  // 1e6: no engine has room
  double cached_tokens = 0;          // of its prompt
};

// What the endpoints of one registry share.
struct FleetCount {
  int64_t open_in_flight = 0;     // requests of this router that are not sensitive, at engines
  std::function<void()> on_room;  // called when room may have come free; may be empty
};

struct Endpoint {
  uint64_t id = 0;      // never used twice in a process
  std::string name;     // configured name, with `/address` when a name resolves to several
  std::string address;  // ip:port
  std::unique_ptr<LocalUpstream> upstream;
  std::shared_ptr<FleetCount> fleet = std::make_shared<FleetCount>();
  v1::Load load;
  MonotonicTime load_at = -absl::InfiniteDuration();
  int64_t in_flight = 0;                               // of this router (EndpointUse counts)
  int64_t reports = 0;                                 // load reports so far
  int64_t started_since_load = 0;                      // of those, what the last load report cannot know of yet
  int64_t ended_since_load = 0;                        // and what it still counts
  double prompt_tokens_since_load = 0;                 // theirs
  int64_t failures = 0;                                // consecutive
  MonotonicTime retry_at = -absl::InfiniteDuration();  // after failures: ejected until then
  int64_t work_seen = 0;                               // grows with every sign that it computes
  bool reports_work = false;                           // its reports have shown such a sign
  int64_t stalls = 0;                                  // in a row; above 0 it gets one request at a time
  bool full = false;                                   // it said so; until a report, or until a request there ends
  bool gone = false;                                   // no longer resolved; finishes what it has

  void Reported(const v1::Load& report, MonotonicTime now) {
    const bool works = reports > 0 && ShowsWork(load, report);
    load = report;
    load_at = now;
    ++reports;
    full = false;
    started_since_load = 0;
    ended_since_load = 0;
    prompt_tokens_since_load = 0;
    reports_work |= works;
    if (works) Worked();
    if (fleet->on_room) fleet->on_room();
  }
  // An answer there has gone on, or a report shows that something has been computed.
  void Worked() {
    ++work_seen;
    if (stalls == 0) return;
    stalls = 0;
    if (failures == 0) retry_at = -absl::InfiniteDuration();
  }

 private:
  // Rates are averages of what was measured, and cells are taken and given back by who computes. Arrivals and
  // departures of requests prove nothing.
  static bool ShowsWork(const v1::Load& before, const v1::Load& after) {
    return before.prefill_tokens_per_second() != after.prefill_tokens_per_second() ||
           before.decode_tokens_per_second() != after.decode_tokens_per_second() ||
           before.kv_cells_free() != after.kv_cells_free();
  }
};

// One request at an endpoint, from before it is sent until its stream is gone. Keeps the endpoint alive.
class EndpointUse {
 public:
  explicit EndpointUse(std::shared_ptr<Endpoint> endpoint, bool sensitive = true, double prompt_tokens = 0)
      : endpoint_(std::move(endpoint)), open_(sensitive ? 0 : 1), report_(endpoint_->reports) {
    ++endpoint_->in_flight;
    ++endpoint_->started_since_load;
    endpoint_->prompt_tokens_since_load += prompt_tokens;
    endpoint_->fleet->open_in_flight += open_;
  }
  EndpointUse(EndpointUse&&) = default;
  EndpointUse& operator=(EndpointUse&&) = delete;
  ~EndpointUse() {
    if (!endpoint_) return;
    --endpoint_->in_flight;
    endpoint_->full = refused_;
    if (endpoint_->reports == report_) {
      --endpoint_->started_since_load;
    } else {
      ++endpoint_->ended_since_load;
    }
    endpoint_->fleet->open_in_flight -= open_;
    if (endpoint_->fleet->on_room) endpoint_->fleet->on_room();
  }
  // The engine had no room for it.
  void Refused() { refused_ = true; }
  Endpoint& operator*() const { return *endpoint_; }
  Endpoint* operator->() const { return endpoint_.get(); }

 private:
  std::shared_ptr<Endpoint> endpoint_;
  int64_t open_;    // 1: not sensitive
  int64_t report_;  // the last one when it began
  bool refused_ = false;
};

// Where places at engines come from: the registry, or a simulated fleet.
class Places {
 public:
  virtual ~Places() = default;
  // As EndpointChoice's.
  virtual std::shared_ptr<Endpoint> Pick(const LocalAsk& ask, const std::vector<std::string>& exclude) = 0;
  // It was sent there. Returns the prompt tokens that must probably be read for it.
  virtual double Remember(const LocalAsk& ask, const std::shared_ptr<Endpoint>& endpoint) = 0;
  // Until one of them would begin another prompt, by what they report; 1e6 when none reports.
  virtual double WaitSeconds() { return 0; }
};

}  // namespace headgate::router
