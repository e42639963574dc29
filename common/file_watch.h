// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// FileWatch: calls back on the executor when any of some files is no longer what it was when it was read (content
// digest), looked at every `interval` by the injected clock. A thread of its own reads and hashes them: megabytes of
// dictionaries would hold up every request. Polling is on purpose: a ConfigMap swap replaces a symlinked directory,
// which inotify on the file misses. The callback may destroy the FileWatch.
//
// Thread-safety: none; executor thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/task.h"

namespace headgate {

class FileWatch {
 public:
  // Nothing is watched yet.
  FileWatch(Executor executor, Clock& clock, absl::Duration interval, std::function<void()> changed);
  ~FileWatch();  // waits for a reading that is under way
  // From now on these files instead. `seen`: Fingerprint of them as they were read; what has changed since then is a
  // change.
  void Watch(std::vector<std::string> paths, std::string seen);
  // Of the bytes of all files.
  static std::string Fingerprint(const std::vector<std::string>& paths);
  // Looks now, without waiting for the interval (SIGHUP).
  void CheckNow();

 private:
  void Schedule();
  void Compare(int64_t watch, std::string now);
  const Executor executor_;
  Clock& clock_;
  const absl::Duration interval_;
  const std::function<void()> changed_;
  std::vector<std::string> paths_;
  std::string last_;
  int64_t watch_ = 0;  // calls of Watch
  std::unique_ptr<Timer> timer_;
  std::thread reader_;
  bool reading_ = false, again_ = false;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // for what the thread posts
};

}  // namespace headgate
