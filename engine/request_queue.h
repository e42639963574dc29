// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RequestQueue: accepted requests that wait for a place in the batch. Bounded: a full queue refuses at once.
//
// Thread-safety: none; the engine's mutex guards it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"

namespace headgate::engine {

class RequestQueue {
 public:
  explicit RequestQueue(int32_t size_max) : size_max_(size_max) {}

  // RESOURCE_EXHAUSTED when so many do not fit.
  absl::Status CheckRoom(int32_t count) const;
  // Takes it even when full: one that comes back from the batch must not be lost. Its place is by arrival.
  void Put(std::unique_ptr<Sequence> sequence);
  // nullptr when it is not here.
  std::unique_ptr<Sequence> Remove(uint64_t request);
  std::vector<std::unique_ptr<Sequence>> RemoveIf(const std::function<bool(const Sequence&)>& leaves);
  std::vector<std::unique_ptr<Sequence>> RemoveAll();

  // By arrival; `cells_needed` tells what a sequence would need now.
  std::vector<WaitingRequest> Waiting(MonotonicTime now, absl::Duration aging,
                                      const std::function<int32_t(const Sequence&)>& cells_needed) const;
  std::set<std::string> Adapters() const;  // names that waiting requests use
  int32_t size() const { return static_cast<int32_t>(sequences_.size()); }
  int64_t tokens_left() const { return tokens_left_; }  // tokens to compute before the waiting ones can answer

 private:
  using Map = std::map<uint64_t, std::unique_ptr<Sequence>>;
  std::unique_ptr<Sequence> Take(Map::iterator at);

  const int32_t size_max_;
  Map sequences_;  // by request id
  int64_t tokens_left_ = 0;
};

}  // namespace headgate::engine
