// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/file_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/post.hpp"
#include "common/digest.h"
#include "common/tls.h"

namespace headgate {
namespace {

constexpr size_t kFileBytesMax = 64 << 20;

}  // namespace

FileWatch::FileWatch(Executor executor, Clock& clock, absl::Duration interval, std::function<void()> changed)
    : executor_(executor), clock_(clock), interval_(interval), changed_(std::move(changed)) {
  Schedule();
}

FileWatch::~FileWatch() {
  if (reader_.joinable()) reader_.join();
}

void FileWatch::Watch(std::vector<std::string> paths, std::string seen) {
  paths_ = std::move(paths);
  last_ = std::move(seen);
  ++watch_;
}

void FileWatch::CheckNow() {
  again_ = reading_;
  if (reading_ || paths_.empty()) return;
  reading_ = true;
  if (reader_.joinable()) reader_.join();  // it has handed over what it read
  reader_ = std::thread([this, watch = watch_, paths = paths_, alive = std::weak_ptr(alive_),
                         busy = boost::asio::make_work_guard(executor_)] {
    boost::asio::post(busy.get_executor(), [this, watch, alive, now = Fingerprint(paths)]() mutable {
      if (!alive.expired()) Compare(watch, std::move(now));
    });
  });
}

void FileWatch::Compare(int64_t watch, std::string now) {
  reading_ = false;
  if (again_ || watch != watch_) return CheckNow();
  if (now == last_) return;
  last_ = std::move(now);
  // The callback may destroy this watch: touch nothing of it afterwards.
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
