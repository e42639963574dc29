// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// gRPC's callback API brought to one executor: ReadCall (server streaming, the reader sets the pace) and UnaryCall.
// Private to engine_client.cc.
//
// Thread-safety: public methods on the executor thread; On* on gRPC's. After Abandon nothing is posted to the executor
// any more, so it may go away while gRPC still winds the call down.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "boost/asio/post.hpp"
#include "common/mailbox.h"
#include "common/task.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"

namespace headgate::router {

template <typename Response>
class ReadCall : public grpc::ClientReadReactor<Response> {
 public:
  // Both on the executor, never after Abandon. `on_end` comes last, once.
  using OnEvent = std::function<void(Response&&)>;
  using OnEnd = std::function<void(const grpc::Status&)>;

  // `held_max`: events that may have been read and not yet used. Those that arrive while the executor is busy cross the
  // threads together.
  ReadCall(Executor executor, size_t held_max, OnEvent on_event, OnEnd on_end)
      : executor_(executor), held_max_(held_max), on_event_(std::move(on_event)), on_end_(std::move(on_end)) {}

  grpc::ClientContext& context() { return context_; }

  // After the stub bound the call to this reactor. It keeps itself alive until gRPC is done with it.
  void Start(std::shared_ptr<ReadCall> self) {
    self_ = std::move(self);
    this->AddHold();  // reads start outside reactions
    reading_ = true;
    this->StartRead(&incoming_);
    this->StartCall();
  }
  // One event that on_event got has been used: there is room for another.
  void Used() {
    {
      std::lock_guard lock(mutex_);
      --held_;
      if (!MayRead()) return;
      reading_ = true;
    }
    this->StartRead(&incoming_);
  }
  // Cancels; this reactor is silent from now on.
  void Abandon() {
    bool release;
    {
      std::lock_guard lock(mutex_);
      if (abandoned_) return;
      abandoned_ = true;
      release = TakeHold(!reading_);
    }
    context_.TryCancel();
    if (release) this->RemoveHold();
  }

  void OnReadDone(bool ok) override {
    bool release, more = false;
    {
      std::lock_guard lock(mutex_);
      reading_ = false;
      release = TakeHold(!ok || abandoned_);
      if (!release) {
        ++held_;
        arrived_.push_back(std::move(incoming_));
        if (!std::exchange(posted_, true)) boost::asio::post(executor_, [self = self_] { self->Deliver(); });
        more = reading_ = MayRead();
      }
    }
    if (more) this->StartRead(&incoming_);
    if (release) this->RemoveHold();  // the last word before OnDone
  }
  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<ReadCall> self;  // released after the lock: it may be the last
    std::lock_guard lock(mutex_);
    self = std::move(self_);
    if (abandoned_) return;
    boost::asio::post(executor_, [self, status] {
      if (!self->abandoned_) self->on_end_(status);
    });
  }

 private:
  bool TakeHold(bool when) { return when && std::exchange(holding_, false); }
  bool MayRead() const { return !abandoned_ && holding_ && !reading_ && held_ < held_max_; }
  // On the executor, which alone sets abandoned_: it may look at it without the lock.
  void Deliver() {
    std::vector<Response> events;
    {
      std::lock_guard lock(mutex_);
      posted_ = false;
      events.swap(arrived_);
    }
    for (Response& event : events) {
      if (abandoned_) return;  // also by the event before
      on_event_(std::move(event));
    }
  }

  Executor executor_;
  const size_t held_max_;
  const OnEvent on_event_;
  const OnEnd on_end_;
  grpc::ClientContext context_;
  Response incoming_;
  std::mutex mutex_;
  std::vector<Response> arrived_;  // on their way to the executor
  size_t held_ = 0;                // those, and what on_event got and has not used
  bool reading_ = false;           // gRPC has `incoming_`
  bool posted_ = false;            // Deliver will run
  bool holding_ = true;
  bool abandoned_ = false;
  std::shared_ptr<ReadCall> self_;
};

// One answer to one request. `mailbox` gets the status; then `response` is there.
template <typename Request, typename Response>
struct UnaryCall {
  UnaryCall(Executor executor_in, const Request& request_in)
      : executor(executor_in), request(request_in), mailbox(executor_in, 1) {}

  // What to give the stub.
  static std::function<void(grpc::Status)> Callback(std::shared_ptr<UnaryCall> self) {
    return [self = std::move(self)](grpc::Status status) {
      std::lock_guard lock(self->mutex);
      if (self->abandoned) return;
      boost::asio::post(self->executor,
                        [self, status = std::move(status)]() mutable { (void)self->mailbox.Offer(std::move(status)); });
    };
  }
  void Abandon() {
    {
      std::lock_guard lock(mutex);
      abandoned = true;
    }
    context.TryCancel();
  }

  Executor executor;
  const Request request;  // of its own: gRPC may outlast the caller
  Response response;
  grpc::ClientContext context;
  Mailbox<grpc::Status> mailbox;
  std::mutex mutex;
  bool abandoned = false;
};

}  // namespace headgate::router
