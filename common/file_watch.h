// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// FileWatch: calls back on the executor when any of some files is no longer what it was when it was read (content
// digest), checked every `interval` by the injected clock. Polling is on purpose: a ConfigMap swap replaces a symlinked
// directory, which inotify on the file misses. The callback may destroy the FileWatch.
//
// Thread-safety: none; executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"

namespace headgate {

class FileWatch {
 public:
  // `seen`: Fingerprint of the files as they were read; what has changed since then is a change.
  FileWatch(Clock& clock, std::vector<std::string> paths, std::string seen, absl::Duration interval,
            std::function<void()> changed);
  // Of the bytes of all files.
  static std::string Fingerprint(const std::vector<std::string>& paths);
  // Compares now, without waiting for the interval (SIGHUP).
  void CheckNow();

 private:
  void Schedule();
  Clock& clock_;
  const std::vector<std::string> paths_;
  const absl::Duration interval_;
  std::function<void()> changed_;
  std::string last_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace headgate
