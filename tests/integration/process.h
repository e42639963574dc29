// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Process: one program under test. Starts it, collects stdout and stderr while it runs, waits for lines and for the end
// without sleeping, kills it when destroyed. Useful for 1. integration tests of the real binaries on port 0; 2. killing
// an engine in mid-stream; 3. checking exit codes and messages.
//
// Thread-safety: all methods from any thread. Start from a thread that outlives the process: the child dies with it.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace headgate {

// Path of one of our programs: $HEADGATE_BIN_DIR/`name` (set by ctest), or ../bin beside the test binary.
std::string BinaryPath(const std::string& name);

class Process {
 public:
  // `environment`: NAME=value pairs put before the inherited ones. NOT_FOUND when there is no such program.
  static absl::StatusOr<std::unique_ptr<Process>> Start(const std::string& program, std::vector<std::string> arguments,
                                                        const std::vector<std::string>& environment = {});
  Process(pid_t pid, int out, int err);  // for Start; takes the read ends of the pipes
  ~Process();                            // SIGKILL and reap
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Time-outs are those of an idle machine; TimeScale() multiplies them.
  //
  // The first line of stdout that starts with `prefix`; lines are looked at from the beginning each time.
  // DEADLINE_EXCEEDED or UNAVAILABLE (ended before), with stderr in the message.
  absl::StatusOr<std::string> WaitForLine(const std::string& prefix, absl::Duration timeout = absl::Seconds(60));
  // The fields of the line `listening grpc=127.0.0.1:40001 metrics=...` -> {"grpc": "127.0.0.1:40001", ...}.
  absl::StatusOr<std::map<std::string, std::string>> WaitListening(absl::Duration timeout = absl::Seconds(60));
  void Signal(int signal);
  // Exit code, or 128 + signal number. DEADLINE_EXCEEDED when it still runs.
  absl::StatusOr<int> WaitExit(absl::Duration timeout = absl::Seconds(60));
  bool Running() const;
  pid_t pid() const { return pid_; }
  std::string Stdout() const;
  std::string Stderr() const;

 private:
  void Collect();  // the collecting thread

  const pid_t pid_;
  const int out_;
  const int err_;
  const int pid_fd_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string stdout_;
  std::string stderr_;
  std::optional<int> exit_code_;
  std::thread thread_;
};

}  // namespace headgate
