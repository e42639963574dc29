// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/file_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/tls.h"

namespace headgate {
namespace {

constexpr size_t kFileBytesMax = 64 << 20;

}  // namespace

FileWatch::FileWatch(Clock& clock, std::vector<std::string> paths, std::string seen, absl::Duration interval,
                     std::function<void()> changed)
    : clock_(clock),
      paths_(std::move(paths)),
      interval_(interval),
      changed_(std::move(changed)),
      last_(std::move(seen)) {
  Schedule();
}

void FileWatch::CheckNow() {
  std::string now = Fingerprint(paths_);
  if (now == last_) return;
  last_ = std::move(now);
  // The callback may destroy this watch (other files to watch from now on): touch nothing of it afterwards.
  const auto changed = changed_;
  changed();
}

void FileWatch::Schedule() {
  timer_ = clock_.CallAt(clock_.Monotonic() + interval_, [this] {
    Schedule();
    CheckNow();
  });
}

std::string FileWatch::Fingerprint(const std::vector<std::string>& paths) {
  std::string all;
  for (const std::string& path : paths) {
    const auto bytes = ReadFile(path, kFileBytesMax);
    // A file that vanished is a change as well; what to make of it is the callback's business.
    absl::StrAppend(&all, bytes.ok() ? Sha256(*bytes) : std::string("unreadable"));
  }
  return all;
}

}  // namespace headgate
