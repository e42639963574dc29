// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What the DeepSeek emulator does with a chat request: a plan per request, chosen by rules. As JSON (POST /__control)
// the field names are the keys; durations end in `_ms` there.
//
// Thread-safety: values; DeepSeekRules has none.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/digest.h"
#include "nlohmann/json_fwd.hpp"

namespace headgate {

struct DeepSeekPlan {
  // How the answer goes on after `end_after` tokens (-1: after the last one).
  enum class End {
    kDone,                // finish, usage, [DONE]
    kStall,               // nothing more, the socket stays open
    kEof,                 // the HTTP body ends properly, but without [DONE]
    kClose,               // FIN inside the body
    kReset,               // RST
    kMalformed,           // a chunk that is not JSON, then [DONE]
    kInsufficient,        // finish_reason insufficient_system_resource
    kErrorChunk,          // data: {"error":...}
  };
  enum class UsageAt { kTrailing, kFinish, kBoth, kNone };  // kBoth: the finish chunk's is wrong, the last one counts

  int status = 200;                 // another: an error instead of an answer
  std::string error_text = {};           // with an error: this text as the body instead of JSON
  std::string retry_after = {};          // with an error: the Retry-After header
  std::string location = {};             // the Location header (with status 307, say)
  bool stall_body = false;          // with an error: announces a body that never comes
  absl::Duration first_byte_delay = {};  // before the status line
  bool no_headers = false;          // kStall, kClose or kReset before the status line
  absl::Duration keep_alive_for = {};    // `: keep-alive` (blank lines when not streaming) before the first chunk
  absl::Duration keep_alive_interval = absl::Milliseconds(20);
  bool stall_keep_alives = false;   // keep-alives during a stall too
  int64_t tokens = -1;              // content tokens; -1 = the emulator's --tokens
  int64_t reasoning_tokens = 4;     // when the request thinks
  absl::Duration token_interval = -absl::InfiniteDuration();  // negative = the emulator's --token-ms
  bool echo = false;                // the last user message is repeated after the marker
  bool blank = false;               // spaces and `stop`, as JSON mode may answer
  std::string finish_reason = {};        // instead of stop or length
  UsageAt usage_at = UsageAt::kTrailing;
  std::string raw_stream = {};           // these bytes are the body of a streamed answer, nothing else
  int64_t write_bytes = 0;          // > 0: the body is written in pieces of so many bytes
  End end = End::kDone;
  int64_t end_after = -1;
};

struct DeepSeekRule {
  DeepSeekPlan plan = {};
  int64_t count = 1;       // so many requests; -1 = until cleared
  double probability = 1;  // of applying to a request, by the emulator's seed
};

// The first rule in order that applies is used up by one; without one the default plan counts.
class DeepSeekRules {
 public:
  explicit DeepSeekRules(uint64_t seed) : random_(SeededRandom(seed)) {}
  DeepSeekPlan Take();
  void Add(DeepSeekRule rule) { rules_.push_back(std::move(rule)); }
  void Clear() { rules_.clear(); }
  void SetDefault(DeepSeekPlan plan) { default_ = std::move(plan); }

 private:
  RandomBytes random_;
  DeepSeekPlan default_;
  std::deque<DeepSeekRule> rules_;
};

// INVALID_ARGUMENT names the unknown key or wrong value.
absl::StatusOr<DeepSeekPlan> DeepSeekPlanFromJson(const nlohmann::json& json);
// A plan's keys plus `count` and `probability`.
absl::StatusOr<DeepSeekRule> DeepSeekRuleFromJson(const nlohmann::json& json);

}  // namespace headgate
