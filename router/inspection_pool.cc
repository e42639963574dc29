// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/inspection_pool.h"

#include <algorithm>
#include <utility>

#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/post.hpp"
#include "common/log.h"
#include "common/mailbox.h"

namespace headgate::router {

struct InspectionPool::Work {
  Work(Executor executor, std::function<void()> to_do) : job(std::move(to_do)), done(executor, 1), busy(executor) {}
  std::function<void()> job;
  absl::Status status;  // the thread's until it posts
  Mailbox<bool> done;
  boost::asio::executor_work_guard<Executor> busy;  // somebody waits, though nothing is posted yet
};

InspectionPool::InspectionPool(Executor executor, Clock& clock, size_t threads, size_t waiting_max)
    : executor_(executor), clock_(clock), waiting_max_(waiting_max) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Serve(); });
}

InspectionPool::~InspectionPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void InspectionPool::Serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !waiting_.empty() || !idle_.empty(); });
    if (stop_) return;
    if (waiting_.empty()) {
      const std::function<void()> job = std::move(idle_.front());
      idle_.pop_front();
      lock.unlock();
      try {
        job();
      } catch (...) {
        HG_LOG(Error, "an idle inspection threw");  // becomes this line: nobody waits for it
      }
      lock.lock();
      continue;
    }
    std::shared_ptr<Work> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      work->job();
    } catch (...) {
      work->status = absl::InternalError("the inspection threw");
    }
    // The mailbox, and with it the coroutine that waits, is the executor's: this thread keeps no part of it.
    boost::asio::post(executor_, [work = std::move(work)] {
      (void)work->done.Offer(true);
      work->busy.reset();
    });
    lock.lock();
  }
}

void InspectionPool::RunIdle(std::function<void()> job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(std::move(job));
  }
  wake_.notify_one();
}

Task<absl::Status> InspectionPool::Run(std::function<void()> job, Cancellation& cancellation) {
  const auto work = std::make_shared<Work>(executor_, std::move(job));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_.size() >= waiting_max_) co_return absl::ResourceExhaustedError("too many requests wait to be read");
    waiting_.push_back(work);
  }
  wake_.notify_one();
  const auto done = co_await work->done.Receive(clock_, absl::InfiniteDuration(), cancellation);
  if (done.ok()) co_return work->status;
  bool begun = true;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find(waiting_.begin(), waiting_.end(), work);
    if (found != waiting_.end()) {
      waiting_.erase(found);
      begun = false;
    }
  }
  if (begun) {
    Cancellation never;
    (void)co_await work->done.Receive(clock_, absl::InfiniteDuration(), never);
  }
  co_return done.status();
}

}  // namespace headgate::router
