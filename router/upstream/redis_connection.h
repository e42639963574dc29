// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RedisConnection: one connection to a Redis server, command by command (RESP2), over TCP, TLS or a Unix socket.
// Connects by itself when it is used, authenticates, and is closed by any error: the next command connects again.
// Debian's hiredis has no TLS, and a client that waits on the executor is short.
//
// Thread-safety: executor thread only; one Call at a time. `clock` must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/task.h"
#include "router/config_sharing.h"

namespace headgate::router {

// A reply: text (simple or bulk), a number, a list, or nothing. Errors become a status.
struct RedisReply {
  enum class Kind { kText, kNumber, kList, kNothing };
  Kind kind = Kind::kNothing;
  std::string text;
  int64_t number = 0;
  std::vector<RedisReply> list;
};
// Reads one reply from the beginning of `bytes` and removes it. NOT_FOUND: more bytes are needed, nothing is removed;
// INVALID_ARGUMENT: no reply; FAILED_PRECONDITION: an error of the server's, its first word. Pure.
absl::StatusOr<RedisReply> TakeRedisReply(std::string_view& bytes);
std::string RedisCommand(const std::vector<std::string>& words);

class RedisConnection {
 public:
  RedisConnection(Executor executor, Clock& clock, const SharingConfig& config, std::string password);
  ~RedisConnection();

  // UNAVAILABLE: not connected, or the connection broke; DEADLINE_EXCEEDED; FAILED_PRECONDITION: the server refused the
  // command (the connection stays).
  Task<absl::StatusOr<RedisReply>> Call(std::vector<std::string> words, MonotonicTime deadline);
  // Ends a Call that waits.
  void Close();

  class Stream;  // of the .cc

 private:
  Task<absl::Status> Open();
  Task<absl::StatusOr<RedisReply>> Exchange(const std::string& command);

  Executor executor_;
  Clock& clock_;
  const SharingConfig config_;
  const std::string password_;
  std::shared_ptr<Stream> stream_;  // null: not connected
  std::string in_;
};

}  // namespace headgate::router
