// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Places come free by events (an answer ends, an engine reports), which call Pump; a tick looks after what only time
// changes: ejections that end, reports that age, waiters that have waited too long.

#include "router/upstream/local_queue.h"

#include "common/mailbox.h"

namespace headgate::router {

// Leaves the lines with its scope, however that ends.
class LocalQueue::Waiter final : public WaitingLines::Waiter {
 public:
  Waiter(LocalQueue& queue, Work& work)
      : WaitingLines::Waiter(work), place(queue.executor_, 1), queue_(queue), alive_(queue.alive_) {}
  ~Waiter() override {
    if (alive_.expired()) return;
    queue_.lines_.Leave(*this);
    queue_.SetTimer();
  }
  void Placed(EndpointUse use) override { (void)place.Offer(std::move(use)); }
  void Refused(absl::Status why) override { place.Close(std::move(why)); }

  Mailbox<EndpointUse> place;

 private:
  LocalQueue& queue_;
  const std::weak_ptr<const bool> alive_;  // the queue
};

LocalQueue::LocalQueue(Executor executor, Clock& clock, RandomBytes random, const LocalConfig& config,
                       EndpointRegistry& endpoints, Metrics& metrics)
    : executor_(executor),
      clock_(clock),
      endpoints_(endpoints),
      lines_(clock, std::move(random), config, endpoints, metrics) {
  endpoints_.SetOnRoom([this] { Pump(); });
}

LocalQueue::~LocalQueue() { endpoints_.SetOnRoom(nullptr); }

void LocalQueue::Pump() {
  lines_.Pump();
  SetTimer();
}

void LocalQueue::Tick() {
  timer_.reset();
  lines_.Tick();
  SetTimer();
}

void LocalQueue::SetTimer() {
  if (lines_.waiting() == 0) {
    timer_.reset();
  } else if (!timer_) {
    timer_ = clock_.CallAt(clock_.Monotonic() + WaitingLines::kTick, [this] { Tick(); });
  }
}

Task<absl::StatusOr<EndpointUse>> LocalQueue::Enter(Work& work, Cancellation& cancellation) {
  if (cancellation.cancelled()) co_return cancellation.reason();
  Waiter waiter(*this, work);
  auto at_once = lines_.Enter(waiter);
  if (!at_once.ok()) co_return at_once.status();
  if (*at_once) co_return **std::move(at_once);
  if (!timer_) Tick();
  std::unique_ptr<Timer> again;
  if (!work.tried.empty()) again = clock_.CallAt(work.tried_until, [this] { Pump(); });
  auto place = co_await waiter.place.Receive(clock_, work.until, cancellation);
  lines_.Leave(waiter);
  SetTimer();
  if (!place.ok()) {
    if (!cancellation.cancelled() && absl::IsDeadlineExceeded(place.status())) co_return lines_.OutOfTime();
    co_return place.status();
  }
  co_return **std::move(place);
}

}  // namespace headgate::router
