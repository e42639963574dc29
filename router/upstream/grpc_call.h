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

  ReadCall(Executor executor, OnEvent on_event, OnEnd on_end)
      : executor_(executor), on_event_(std::move(on_event)), on_end_(std::move(on_end)) {}

  grpc::ClientContext& context() { return context_; }

  // After the stub bound the call to this reactor. It keeps itself alive until gRPC is done with it.
  void Start(std::shared_ptr<ReadCall> self) {
    self_ = std::move(self);
    this->AddHold();  // reads start outside reactions
    reading_ = true;
    this->StartRead(&incoming_);
    this->StartCall();
  }
  // Asks for the next event. Nothing when one is on its way or none will come.
  void ReadMore() {
    {
      std::lock_guard lock(mutex_);
      if (abandoned_ || !holding_ || reading_ || delivering_) return;
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
    bool release;
    {
      std::lock_guard lock(mutex_);
      reading_ = false;
      release = TakeHold(!ok || abandoned_);
      if (!release) {
        delivering_ = true;
        boost::asio::post(executor_, [self = self_, event = std::move(incoming_)]() mutable {
          if (self->Delivered()) self->on_event_(std::move(event));
        });
      }
    }
    if (release) this->RemoveHold();  // the last word before OnDone
  }
  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<ReadCall> self;  // released after the lock: it may be the last
    std::lock_guard lock(mutex_);
    self = std::move(self_);
    if (abandoned_) return;
    boost::asio::post(executor_, [self, status] {
      if (self->Delivered()) self->on_end_(status);
    });
  }

 private:
  bool TakeHold(bool when) { return when && std::exchange(holding_, false); }
  // Whether the event on its way to the executor is still wanted.
  bool Delivered() {
    std::lock_guard lock(mutex_);
    delivering_ = false;
    return !abandoned_;
  }

  Executor executor_;
  const OnEvent on_event_;
  const OnEnd on_end_;
  grpc::ClientContext context_;
  Response incoming_;
  std::mutex mutex_;
  bool reading_ = false;     // gRPC has `incoming_`
  bool delivering_ = false;  // an event is on its way to the executor
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
