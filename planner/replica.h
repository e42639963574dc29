// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One engine replica under a simulated clock: continuous batching as a fluid, after engine/scheduler.h. Prompts share
// the prefill evenly within their class, sensitive ones first; answers share the decode rate; both share the replica's
// time: the work done in a second is one second of prefill rate and decode rate together, never more. The offline bound
// rests on that.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "planner/scenario.h"
#include "planner/trace.h"

namespace headgate::planner {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// Blocks of prompts that are remembered, the least recently used forgotten.
class PrefixCache {
 public:
  explicit PrefixCache(int64_t tokens_max, int64_t block_tokens = kBlockTokens);
  // Leading blocks that are there.
  int64_t Match(const uint32_t* blocks, uint32_t count) const;
  // Of a prompt of `tokens`; the last one is always computed.
  double CachedTokens(const uint32_t* blocks, uint32_t count, int64_t tokens) const;
  void Insert(const uint32_t* blocks, uint32_t count);

 private:
  const int64_t block_tokens_;
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
};

struct ReplicaEvent {
  enum class Kind { kFirstToken, kEnd, kDropped } kind;
  uint32_t id;
  double at;
};

class Replica {
 public:
  // Computes nothing before `available_at`: it boots.
  Replica(const ReplicaModel& model, double available_at, int64_t block_tokens = kBlockTokens);
  // REQUIRES: Advance(now) was called.
  void Add(const Job& job);
  // Moves to `now`, at most NextEvent(), and appends what happened.
  void Advance(double now, std::vector<ReplicaEvent>& events);
  double NextEvent() const;
  // It dies: `again` gets those without a first token, `broken` those that were being answered.
  void Die(std::vector<uint32_t>* again, std::vector<uint32_t>* broken);
  bool idle() const { return in_system() == 0; }
  int64_t in_batch() const {
    return static_cast<int64_t>(answers_.size() + urgent_.prompts.size() + ordinary_.prompts.size());
  }
  int64_t in_system() const {
    return in_batch() + static_cast<int64_t>(urgent_.waiting.size() + ordinary_.waiting.size());
  }
  double prompt_tokens_left() const;  // accepted and not computed yet
  double work_done() const { return work_done_; }  // seconds
  PrefixCache& prefixes() { return prefixes_; }
  double now() const { return now_; }

 private:
  // Those that are served together, by the count of served tokens at which each ends: a heap, the next to end first.
  struct Sharing {
    struct Member {
      double ends_at;
      uint32_t id;
      double output;
      bool operator<(const Member& other) const {
        return ends_at != other.ends_at ? ends_at > other.ends_at : id > other.id;
      }
    };
    std::vector<Member> members;
    double served = 0;
    size_t size() const { return members.size(); }
    bool empty() const { return members.empty(); }
    void Add(double tokens, uint32_t id, double output);
    // The next to end, when no more than rounding is left of it.
    bool Pop(Member* out);
    double NextLeft() const { return members.front().ends_at - served; }
  };
  struct Class {
    Sharing prompts;
    std::deque<Job> waiting;  // for a place
  };
  struct Rates {
    double prefill_share = 0;  // of the replica's time
    double decode_share = 0;
    double per_prompt = 0;     // tokens per second of each prompt of the class that is served
    double per_answer = 0;
  };
  Rates Now() const;
  const Class* Served() const;
  void Admit(std::vector<ReplicaEvent>& events);
  void EndPrompts(Class& from, std::vector<ReplicaEvent>& events);

  const ReplicaModel model_;
  const double available_at_;
  double now_ = 0;
  Class urgent_, ordinary_;
  Sharing answers_;
  double work_done_ = 0;
  PrefixCache prefixes_;
};

}  // namespace headgate::planner
