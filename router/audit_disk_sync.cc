// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit_disk_sync.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/post.hpp"

namespace headgate::router {

DiskSync::DiskSync(Executor executor) : executor_(executor), thread_([this] { Run(); }) {}

DiskSync::~DiskSync() {
  *alive_ = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  for (const int fd : job_) ::close(fd);
}

void DiskSync::Start(const std::vector<int>& descriptors, std::function<void(absl::Status)> done) {
  busy_ = true;
  done_ = std::move(done);
  std::vector<int> own;
  absl::Status status;
  for (const int fd : descriptors) {
    own.push_back(::dup(fd));
    if (own.back() < 0) status = absl::UnavailableError(absl::StrCat("no descriptor: ", std::strerror(errno)));
  }
  if (!status.ok()) {
    for (const int fd : own) {
      if (fd >= 0) ::close(fd);
    }
    boost::asio::post(executor_, [this, alive = alive_, status] {
      if (*alive) Finish(status);
    });
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job_ = std::move(own);
  }
  wake_.notify_one();
}

void DiskSync::Finish(const absl::Status& status) {
  busy_ = false;
  std::exchange(done_, nullptr)(status);
}

void DiskSync::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !job_.empty(); });
    if (stop_) return;
    const std::vector<int> job = std::exchange(job_, {});
    lock.unlock();
    absl::Status status;
    for (const int fd : job) {
      // EINVAL, EROFS: what cannot be flushed at all, such as a folder on some file systems.
      if (::fdatasync(fd) != 0 && errno != EINVAL && errno != EROFS) {
        status = absl::UnavailableError(absl::StrCat("cannot flush: ", std::strerror(errno)));
      }
      ::close(fd);
    }
    boost::asio::post(executor_, [this, alive = alive_, status] {
      if (*alive) Finish(status);
    });
    lock.lock();
  }
}

}  // namespace headgate::router
