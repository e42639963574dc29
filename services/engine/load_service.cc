// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/load_service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/grpc_status.h"

namespace headgate::services {
namespace {

constexpr size_t kWatchesMax = 256;
constexpr int kIntervalMsDefault = 100;

}  // namespace

// One client. Lives until gRPC is done with it and the service has let go of it.
class LoadService::Watch final : public grpc::ServerWriteReactor<v1::Load> {
 public:
  explicit Watch(absl::Duration interval) : interval(interval) {}

  void Keep(std::shared_ptr<Watch> self) { self_ = std::move(self); }
  void Send(const v1::Load& load) {
    std::unique_lock lock(mutex_);
    if (writing_ || end_) return;
    load_ = load;
    load_.set_sequence_number(++sequence_number_);
    writing_ = true;
    lock.unlock();
    StartWrite(&load_);
  }
  void End(grpc::Status status) {
    std::unique_lock lock(mutex_);
    if (!end_) end_ = std::move(status);
    FinishIfDue(lock);
  }
  bool ended() {
    std::lock_guard lock(mutex_);
    return end_.has_value();
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok && !end_) end_ = grpc::Status::CANCELLED;
    FinishIfDue(lock);
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override { self_.reset(); }

  const absl::Duration interval;
  MonotonicTime due;  // the service's

 private:
  void FinishIfDue(std::unique_lock<std::mutex>& lock) {
    if (!end_ || writing_ || finished_) return;
    finished_ = true;
    const grpc::Status end = *end_;
    lock.unlock();
    Finish(end);
  }

  std::mutex mutex_;
  v1::Load load_;  // gRPC reads it until OnWriteDone
  uint64_t sequence_number_ = 0;
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;
  std::shared_ptr<Watch> self_;
};

LoadService::LoadService(engine::Engine& engine) : engine_(engine) {
  thread_ = std::thread([this] { Push(); });
}

LoadService::~LoadService() {
  EndWatches();
  thread_.join();
}

void LoadService::EndWatches() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const auto& watch : watches_) watch->End(grpc::Status::OK);
  watches_.clear();
  wake_.notify_one();
}

void LoadService::Push() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const MonotonicTime now = RealTime().Monotonic();
    MonotonicTime next = now + absl::Seconds(1);
    const bool drained = engine_.Drained();
    const v1::Load load = engine_.CurrentLoad();
    for (const auto& watch : watches_) {
      if (watch->due <= now) {
        watch->Send(load);
        watch->due = now + watch->interval;
      }
      if (drained) watch->End(grpc::Status::OK);
      next = std::min(next, watch->due);
    }
    std::erase_if(watches_, [](const auto& watch) { return watch->ended(); });
    wake_.wait_for(lock, absl::ToChronoNanoseconds(next - RealTime().Monotonic()));
  }
}

grpc::ServerWriteReactor<v1::Load>* LoadService::WatchLoad(grpc::CallbackServerContext*,
                                                           const v1::WatchLoadRequest* request) {
  const int interval_ms = request->interval_ms() == 0 ? kIntervalMsDefault : request->interval_ms();
  auto watch = std::make_shared<Watch>(absl::Milliseconds(interval_ms));
  watch->Keep(watch);
  if (interval_ms < 10 || interval_ms > 10000) {
    watch->End(ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("interval_ms: ", interval_ms, " is out of range; allowed is 0 or [10, 10000]"))));
    return watch.get();
  }
  std::lock_guard lock(mutex_);
  std::erase_if(watches_, [](const auto& other) { return other->ended(); });
  if (stopping_) {
    watch->End(ToGrpc(absl::UnavailableError("the engine is stopping")));
  } else if (watches_.size() >= kWatchesMax) {
    watch->End(ToGrpc(absl::ResourceExhaustedError(absl::StrCat("at most ", kWatchesMax, " watches"))));
  } else {
    watch->due = RealTime().Monotonic();
    watches_.push_back(watch);
    wake_.notify_one();
  }
  return watch.get();
}

}  // namespace headgate::services
