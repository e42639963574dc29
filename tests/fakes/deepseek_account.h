// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The emulator's vendor side without any I/O: which requests are valid, what the answer is, what it costs, how many
// run at once. One account; several keys share it.
//
// Thread-safety: none; the emulator locks.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tests/fakes/deepseek_plan.h"

namespace headgate {

struct DeepSeekError {
  int status = 500;
  std::string message;
  std::string code;
};
// {"error":{...}} as the API sends it.
std::string DeepSeekErrorJson(const DeepSeekError& error);

struct DeepSeekRequest {
  std::string model;      // as asked
  bool pro = false;
  bool stream = false;
  bool include_usage = false;
  bool thinking = true;   // on by default
  bool json_mode = false;
  int64_t max_tokens = 1 << 20;
  std::vector<std::string> stop;
  std::string user_id;
  std::string prompt;     // all messages, rendered: what the context cache compares
  std::string last_user;  // text of the last user message
  std::string tool;       // the tool to be called, empty when none
};

struct DeepSeekAnswer {
  std::vector<std::string> reasoning;  // pieces
  std::vector<std::string> content;    // pieces; those of the arguments when `tool` is set
  std::string tool;
  std::string finish_reason;
  int64_t hit_tokens = 0, miss_tokens = 0;

  std::string UsageJson() const;
};

// `[sha8:1a2b3c4d]`: the first piece of every answer, from the last user message, so that a mix-up can be seen.
std::string DeepSeekMarker(std::string_view last_user);

class DeepSeekAccount {
 public:
  struct Limits {
    int64_t flash = 2500;  // requests at once, from send to the end of the response
    int64_t pro = 500;
  };

  std::variant<DeepSeekRequest, DeepSeekError> Parse(const std::string& body) const;
  // Takes a place; nullopt when there is one, 402 or 429 otherwise. Every success needs an End.
  std::optional<DeepSeekError> Begin(const DeepSeekRequest& request);
  void End(const DeepSeekRequest& request);
  // The answer, always the same for the same request and plan; remembers the prompt for the context cache and charges.
  DeepSeekAnswer Answer(const DeepSeekRequest& request, const DeepSeekPlan& plan, int64_t tokens_default);

  std::string ModelsJson() const;
  std::string BalanceJson() const;
  void SetLimits(Limits limits) { limits_ = limits; }
  // In nano-CNY (1e-9). The granted part is spent first.
  void SetBalance(int64_t granted, int64_t topped_up);

 private:
  int64_t CachedBytes(const DeepSeekRequest& request, std::string_view output);
  void Charge(const DeepSeekAnswer& answer, bool pro);

  struct Cache {
    std::set<std::string> units;      // persisted prefixes
    std::deque<std::string> prompts;  // recent ones, for common prefixes
  };
  Limits limits_;
  int64_t running_flash_ = 0, running_pro_ = 0;
  int64_t granted_ = 10'000'000'000, topped_up_ = 100'000'000'000;
  std::map<std::string, Cache> caches_;  // by user_id
};

}  // namespace headgate
