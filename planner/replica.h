// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One engine replica under a simulated clock: continuous batching as a fluid. Prompts are computed in order (sensitive
// first), answers share the decode rate, and both share the replica's time: the work done in a second is one second of
// prefill rate and decode rate together, never more. The offline bound rests on that.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <queue>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "planner/scenario.h"

namespace headgate::planner {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// Blocks of prompts that are remembered, the least recently used forgotten.
class PrefixCache {
 public:
  explicit PrefixCache(int64_t tokens_max);
  // Leading blocks that are there.
  int64_t Match(const uint32_t* blocks, uint32_t count) const;
  void Insert(const uint32_t* blocks, uint32_t count);

 private:
  const size_t blocks_max_;
  std::list<uint32_t> order_;  // most recent first
  absl::flat_hash_map<uint32_t, std::list<uint32_t>::iterator> where_;
};

struct Job {
  uint32_t id = 0;
  double prompt_left = 0;   // tokens still to compute
  double output = 0;        // tokens
  bool sensitive = false;
  double begin_by = kNever; // dropped when its prompt has not begun by then
  bool begun = false;
};

struct ReplicaEvent {
  enum class Kind { kFirstToken, kEnd, kDropped } kind;
  uint32_t id;
  double at;
};

class Replica {
 public:
  // Computes nothing before `available_at`: it boots.
  Replica(const ReplicaModel& model, double available_at);
  // REQUIRES: Advance(now) was called.
  void Add(const Job& job);
  // Moves to `now`, at most NextEvent(), and appends what happened.
  void Advance(double now, std::vector<ReplicaEvent>& events);
  double NextEvent() const;
  // Predicted first token of one more request, seconds from now.
  double PredictFirstToken(double prompt_tokens, bool sensitive) const;
  // Until a prompt of no tokens would begin.
  double PredictWait(bool sensitive) const { return PredictFirstToken(0, sensitive); }
  bool idle() const { return in_system() == 0; }
  int64_t in_system() const { return static_cast<int64_t>(decoding_.size() + urgent_.size() + ordinary_.size()); }
  double work_done() const { return work_done_; }  // seconds
  PrefixCache& prefixes() { return prefixes_; }
  double now() const { return now_; }

 private:
  struct Rates {
    double prefill_share = 0;  // of the replica's time
    double per_answer = 0;     // tokens per second of each answer
    double decode_share = 0;
  };
  Rates Now() const;
  std::deque<Job>* Head();
  const std::deque<Job>* Head() const { return const_cast<Replica*>(this)->Head(); }
  void DropLate(std::vector<ReplicaEvent>& events);

  const ReplicaModel model_;
  const double available_at_;
  double now_ = 0;
  std::deque<Job> urgent_, ordinary_;
  double urgent_tokens_ = 0, ordinary_tokens_ = 0;
  // Answers by the token count of `served_` at which they end: all advance together.
  std::priority_queue<std::pair<double, uint32_t>, std::vector<std::pair<double, uint32_t>>, std::greater<>> decoding_;
  double served_ = 0;
  double output_mean_ = 100;
  double work_done_ = 0;
  PrefixCache prefixes_;
};

}  // namespace headgate::planner
