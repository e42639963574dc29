// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/grpc_call.h"

#include <grpc/grpc_security_constants.h>

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <typeinfo>
#include <utility>

#include "boost/asio/co_spawn.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "common/log.h"
#include "common/mailbox.h"
#include "services/grpc_message.h"
#include "services/grpc_status.h"

namespace headgate::services {
namespace {

constexpr absl::Duration kStallMax = absl::Seconds(60);         // a client that does not take a message
constexpr absl::Duration kGraceAfterCancel = absl::Seconds(1);  // for the message on its way when the call is cancelled

// The common name, else the first alternative name, of a verified client certificate.
std::string PeerOf(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return "";
  for (const char* property : {GRPC_X509_CN_PROPERTY_NAME, GRPC_X509_SAN_PROPERTY_NAME}) {
    const auto values = auth->FindPropertyValues(property);
    if (!values.empty()) return std::string(values[0].data(), values[0].size());
  }
  return "";
}

MonotonicTime DeadlineOf(const Clock& clock, const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return absl::InfiniteDuration();
  return clock.Monotonic() + (absl::FromChrono(deadline) - clock.WallTime());
}

void LogException(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    HG_LOG(Error, "grpc call ended by an exception of type ", typeid(e).name());  // its text could quote a request
  }
}

// What unary and streaming calls share. `Reactor` is gRPC's base class.
template <typename Reactor, typename Self>
class Call : public Reactor, public std::enable_shared_from_this<Self> {
 public:
  Call(const CallParts& parts, grpc::CallbackServerContext* context, const char* api, absl::Status read)
      : parts_(parts), context_(context) {
    head_.received = parts.clock.Monotonic();
    read_ = ReadHead(parts, *context, api, head_);
    if (read_.ok()) read_ = std::move(read);
    context->AddInitialMetadata("x-request-id", head_.request_id);
  }

  void Start() {
    self_ = this->shared_from_this();
    boost::asio::post(parts_.executor, [self = self_] {
      boost::asio::co_spawn(self->parts_.executor, Run(self), [self](std::exception_ptr error) {
        if (!error) return;
        LogException(error);
        self->End(grpc::Status(grpc::StatusCode::INTERNAL, "internal error"));
      });
    });
  }
  void OnCancel() override {
    boost::asio::post(parts_.executor, [self = this->shared_from_this()] {
      self->cancellation_.Cancel(absl::CancelledError("the client has gone"));
    });
  }
  // All that its reactions do is to post: they need no thread of gRPC's to themselves. gRPC calls this its own
  // business; a release without it would not compile.
  bool InternalInlineable() override { return true; }
  void OnDone() override {
    // The last reference may hold what only the executor may touch.
    boost::asio::post(parts_.executor, [self = std::move(self_)] {});
  }

 protected:
  static Task<void> Run(std::shared_ptr<Self> self) {
    const Calls::Entry entry(self->parts_.calls, self->cancellation_);
    absl::Status status = self->read_;
    if (!status.ok() && self->parts_.on_refuse) self->parts_.on_refuse(self->head_, status.code());
    if (status.ok()) status = co_await self->Work();
    self->End(ToGrpc(status));
  }

  const CallParts& parts_;
  const Calls::OnWire on_wire_{parts_.calls};
  grpc::CallbackServerContext* const context_;
  router::RequestHead head_;
  absl::Status read_;  // of head and message
  Cancellation cancellation_;
  std::shared_ptr<Self> self_;
};

class UnaryCall final : public Call<grpc::ServerUnaryReactor, UnaryCall> {
 public:
  UnaryCall(const CallParts& parts, grpc::CallbackServerContext* context, const char* api, UnaryWork work,
            absl::Status read)
      : Call(parts, context, api, std::move(read)), work_(std::move(work)) {
    head_.whole = true;
  }
  Task<absl::Status> Work() {
    const absl::Status status = co_await work_(head_, cancellation_);
    // Behind what the router has posted: its record is written before its answer leaves.
    co_await boost::asio::post(parts_.executor, boost::asio::use_awaitable_t<Executor>());
    co_return status;
  }
  void End(const grpc::Status& status) { Finish(status); }

 private:
  const UnaryWork work_;
};

// Events wait in a queue for gRPC, which takes one at a time: its threads take the next one themselves, and the
// executor hears of it only when the queue was full. Those of one turn leave together, the last one with the status.
class StreamCall final : public Call<grpc::ServerWriteReactor<grpc::ByteBuffer>, StreamCall>,
                         public router::AnswerSink {
 public:
  StreamCall(const CallParts& parts, grpc::CallbackServerContext* context, const char* api, StreamWork work,
             absl::Status read)
      : Call(parts, context, api, std::move(read)), work_(std::move(work)), written_(parts.executor, 1) {}

  Task<absl::Status> Work() {
    absl::Status status = co_await work_(head_, *this, cancellation_);
    const absl::Status last = co_await Settle(0);
    co_return status.ok() ? last : status;
  }
  void End(const grpc::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;  // after an exception events may be left: nothing may be written after the status
    }
    if (!last_) return Finish(status);
    Pack(*last_);
    StartWriteAndFinish(&bytes_, {}, status);
  }

  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    const absl::Status settled = co_await Settle(kQueuedBytesMax);
    if (!settled.ok()) co_return settled;
    if (event.has_route()) AddRouteMetadata(*context_, event.route());
    if (last_) Queue(*std::exchange(last_, std::nullopt));
    if (event.has_finish()) {
      last_ = event;
    } else {
      Queue(event);
    }
    co_return absl::OkStatus();
  }

  void OnWriteDone(bool ok) override {
    bool tell;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      queued_bytes_ -= queue_.front().size;
      queue_.pop_front();
      if (!ok) {
        broken_ = true;
        queue_.clear();
        queued_bytes_ = 0;
      }
      tell = wanted_ && queued_bytes_ <= wanted_at_;
      if (tell) wanted_ = false;
    }
    StartNext();
    if (!tell) return;
    boost::asio::post(parts_.executor, [self = shared_from_this()] { static_cast<void>(self->written_.Offer(true)); });
  }

 private:
  static constexpr size_t kQueuedBytesMax = 16 << 10;  // then whoever writes waits
  static constexpr size_t kEventBytes = 512;           // that an event weighs at least: a queue holds 32 of them

  struct Queued {
    v1::GenerateStreamResponse event;
    size_t size;
  };

  void Queue(v1::GenerateStreamResponse event) {
    {
      const std::lock_guard lock(mutex_);
      if (broken_) return;
      const size_t size = kEventBytes + event.ByteSizeLong();
      queue_.push_back({std::move(event), size});
      queued_bytes_ += size;
      if (writing_ || std::exchange(posted_, true)) return;
    }
    boost::asio::post(parts_.executor, [self = shared_from_this()] {
      {
        const std::lock_guard lock(self->mutex_);
        self->posted_ = false;
      }
      self->StartNext();
    });
  }
  // From any thread. gRPC reads the event until OnWriteDone, so it stays in the queue. While others wait it only goes
  // into gRPC's buffer.
  void StartNext() {
    const v1::GenerateStreamResponse* next;
    grpc::WriteOptions options;
    {
      const std::lock_guard lock(mutex_);
      if (writing_ || ended_ || queue_.empty()) return;
      writing_ = true;
      next = &queue_.front().event;
      // Not the first: with it go the headers, which gRPC must have written before it takes the next.
      if (queue_.size() > 1 && begun_) options.set_buffer_hint();
      begun_ = true;
    }
    Pack(*next);
    StartWrite(&bytes_, options);
  }
  // What goes to gRPC next: one at a time.
  void Pack(const v1::GenerateStreamResponse& event) {
    if (!WriteMessage(event, bytes_).ok()) context_->TryCancel();  // too large for a message at all
  }
  // Until no more than `bytes` wait for gRPC.
  Task<absl::Status> Settle(size_t bytes) {
    Cancellation never;
    while (!Settled(bytes)) {
      auto done = co_await written_.Receive(parts_.clock, parts_.clock.Monotonic() + kStallMax, cancellation_);
      if (!done.ok() && cancellation_.cancelled()) {
        done = co_await written_.Receive(parts_.clock, parts_.clock.Monotonic() + kGraceAfterCancel, never);
      }
      if (!done.ok()) {
        context_->TryCancel();
        bytes = 0;  // all of them are given up, and gRPC no longer reads the one that it has
        if (!Settled(bytes)) done = co_await written_.Receive(parts_.clock, absl::InfiniteDuration(), never);
      }
    }
    const std::lock_guard lock(mutex_);
    co_return broken_ ? absl::CancelledError("the client has gone") : absl::OkStatus();
  }
  // If not, OnWriteDone will tell.
  bool Settled(size_t bytes) {
    const std::lock_guard lock(mutex_);
    wanted_ = queued_bytes_ > bytes;
    wanted_at_ = bytes;
    return !wanted_;
  }

  const StreamWork work_;
  Mailbox<bool> written_;
  std::optional<v1::GenerateStreamResponse> last_;  // the finish: leaves with the status
  grpc::ByteBuffer bytes_;                          // with gRPC while writing_, and after the end

  std::mutex mutex_;
  std::deque<Queued> queue_;  // the first one is being written when writing_
  size_t queued_bytes_ = 0;
  size_t wanted_at_ = 0;
  bool wanted_ = false;  // Settle waits for queued_bytes_ to fall to wanted_at_
  bool posted_ = false;  // StartNext will run
  bool begun_ = false;  // written anything
  bool writing_ = false;
  bool broken_ = false;
  bool ended_ = false;
};

}  // namespace

HeaderLookup MetadataOf(const grpc::CallbackServerContext& context) {
  return [&context](std::string_view name) {
    std::vector<std::string_view> values;
    const auto range = context.client_metadata().equal_range(grpc::string_ref(name.data(), name.size()));
    for (auto it = range.first; it != range.second; ++it) values.emplace_back(it->second.data(), it->second.size());
    return values;
  };
}

absl::Status ReadHead(const CallParts& parts, const grpc::CallbackServerContext& context, const char* api,
                      router::RequestHead& head) {
  head.api = api;
  head.peer_identity = PeerOf(context);
  head.deadline = DeadlineOf(parts.clock, context);
  return ReadHead(MetadataOf(context), parts.random, head);
}

void AddRouteMetadata(grpc::CallbackServerContext& context, const v1::Route& route) {
  for (const auto& [name, value] : RouteHeaders(route)) context.AddInitialMetadata(name, value);
}

grpc::ServerUnaryReactor* StartUnary(const CallParts& parts, grpc::CallbackServerContext* context, const char* api,
                                     UnaryWork work, absl::Status read) {
  const auto call = std::make_shared<UnaryCall>(parts, context, api, std::move(work), std::move(read));
  call->Start();
  return call.get();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(const CallParts& parts, grpc::CallbackServerContext* context,
                                                        const char* api, StreamWork work, absl::Status read) {
  const auto call = std::make_shared<StreamCall>(parts, context, api, std::move(work), std::move(read));
  call->Start();
  return call.get();
}

}  // namespace headgate::services
