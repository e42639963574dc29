// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// DeepSeekEmulator: an HTTP(S) server that behaves like DeepSeek's API, with faults on demand, and that records every
// byte it receives. Useful for: 1. the cloud client's tests; 2. proving from outside what left the router; 3. the
// demonstration, where no key is needed.
//
// Serves POST /chat/completions, GET /models, GET /user/balance, each also below /v1. For tests in other processes
// (program `deepseek-emulator`):
//   POST /__control  {"clear": true, "default": PLAN, "add": [RULE...], "limits": {"flash": 39, "pro": 5},
//                     "balance_nano_cny": {"granted": 0, "topped_up": 0}, "clear_records": true}    every key optional
//   GET  /__records  {"dropped_bytes": 0, "connections": [base64, ...]}
//   GET  /__stats    the fields of Stats
// PLAN and RULE: deepseek_plan.h. A storm of 429: {"add": [{"status": 429, "count": -1}]}, ended by {"clear": true}.
// Connections that start with such a call are not recorded.
//
// Every answer begins with `[sha8:........]`, the first 8 hex digits of the SHA-256 of the last user message.
//
// Thread-safety: every method from any thread. The server runs on one thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/fakes/deepseek_account.h"
#include "tests/fakes/deepseek_plan.h"

namespace headgate {

struct DeepSeekEmulatorOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                    // 0 = any free one
  std::string tls_cert, tls_key;        // PEM files; empty = plain HTTP
  std::vector<std::string> api_keys;    // accepted bearers; empty = any, but there must be one
  int64_t tokens = 16;                  // of an answer
  absl::Duration token_interval;
  DeepSeekAccount::Limits limits;
  int64_t records_bytes_max = 256 << 20;  // more is dropped, and counted
  uint64_t seed = 1;
};

class DeepSeekEmulator {
 public:
  struct Stats {
    int64_t connections_open = 0;
    int64_t connections_total = 0;
    int64_t chats_active = 0;     // requests whose answer has not ended
    int64_t chats_total = 0;
    int64_t chats_abandoned = 0;  // the client closed before the end
    int64_t bytes_sent = 0;
    int64_t bytes_dropped = 0;    // not recorded: the bound was reached
  };

  static absl::StatusOr<std::unique_ptr<DeepSeekEmulator>> Start(const DeepSeekEmulatorOptions& options);
  // Closes every connection.
  ~DeepSeekEmulator();
  DeepSeekEmulator(const DeepSeekEmulator&) = delete;
  DeepSeekEmulator& operator=(const DeepSeekEmulator&) = delete;

  uint16_t port() const;
  std::string base_url() const;  // http://127.0.0.1:PORT

  void AddRule(DeepSeekRule rule);
  // The next chat request only.
  void AddPlan(DeepSeekPlan plan) { AddRule({std::move(plan), 1, 1}); }
  void ClearRules();
  void SetDefaultPlan(DeepSeekPlan plan);
  void SetLimits(DeepSeekAccount::Limits limits);
  void SetBalance(int64_t granted_nano_cny, int64_t topped_up_nano_cny);
  absl::Status Control(const std::string& json);

  // What each connection received (after TLS), in the order of acceptance; headers included.
  std::vector<std::string> Records() const;
  void ClearRecords();
  Stats stats() const;
  // Waits, without polling, until `done(stats)`; false when it does not come true in `limit`.
  bool WaitUntil(const std::function<bool(const Stats&)>& done, absl::Duration limit = absl::Seconds(10)) const;

 private:
  struct Server;
  explicit DeepSeekEmulator(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace headgate
