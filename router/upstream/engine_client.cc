// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/engine_client.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/mailbox.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "headgate/v1/engine.grpc.pb.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "router/upstream/engine_channel.h"
#include "router/upstream/grpc_call.h"

namespace headgate::router {
namespace {

using Event = v1::GenerateStreamResponse;

constexpr size_t kEventsHeld = 16;          // of a stream whose client is slow; then the engine is held back
constexpr size_t kMessageBytesMax = 256;
constexpr int kLoadIntervalMs = 100;
constexpr absl::Duration kWatchBackoffMin = absl::Milliseconds(100);
constexpr absl::Duration kWatchBackoffMax = absl::Seconds(2);
constexpr absl::Duration kComplainEvery = absl::Minutes(1);
// The router's own deadline decides; gRPC's is for the engine and for calls that nobody waits for.
constexpr absl::Duration kDeadlineGrace = absl::Milliseconds(50);

absl::Status FromGrpc(const grpc::Status& status) {
  const absl::StatusCode code = static_cast<absl::StatusCode>(status.error_code());  // the same numbers
  switch (code) {
    case absl::StatusCode::kOk:
      return absl::OkStatus();
    case absl::StatusCode::kInvalidArgument:
      return absl::InvalidArgumentError(status.error_message().substr(0, kMessageBytesMax));
    case absl::StatusCode::kResourceExhausted:
      return absl::ResourceExhaustedError("engine is full");
    case absl::StatusCode::kDeadlineExceeded:
      return absl::DeadlineExceededError("engine cannot meet the deadline");
    case absl::StatusCode::kNotFound:
      return absl::NotFoundError("engine does not know this model");
    case absl::StatusCode::kOutOfRange:
      return absl::OutOfRangeError("engine cannot hold this request");
    case absl::StatusCode::kUnimplemented:
      return absl::UnimplementedError("engine does not offer this");
    default:
      return absl::UnavailableError(absl::StrCat("engine failed: ", absl::StatusCodeToString(code)));
  }
}

void SetDeadline(grpc::ClientContext& context, const Clock& clock, MonotonicTime deadline) {
  if (deadline == absl::InfiniteDuration()) return;
  context.set_deadline(absl::ToChronoTime(clock.WallTime() + (deadline - clock.Monotonic()) + kDeadlineGrace));
}

void SetUp(grpc::ClientContext& context, const Clock& clock, const CallOptions& options) {
  SetDeadline(context, clock, options.deadline);
  context.AddMetadata("x-request-id", options.request_id);
  if (!options.trace.empty()) context.AddMetadata("traceparent", options.trace);
  if (!options.tenant.empty()) context.AddMetadata("x-headgate-tenant", options.tenant);
}

// What the engine is sent, in `copy` where that differs: it was chosen by the model's name already, and the client may
// have named the cloud's, or one that another has taken over from meanwhile, which an engine would refuse. Not so for
// Embed and CountTokens, whose answers are of no use from another model. (0.3 us; 1.4 with 16 KB of text.)
const v1::GenerateRequest& WithoutModel(const v1::GenerateRequest& request, v1::GenerateRequest& copy) {
  if (request.model().empty()) return request;
  copy = request;
  copy.clear_model();
  return copy;
}

// gRPC 1.51 stops its callback threads when the last channel with callback calls goes, by joining them. A call's last
// reference often goes on such a thread, which then waits for itself and aborts. So one channel, to nowhere, never
// goes.
struct CallToNowhere {
  CallToNowhere() {
    stub->async()->ListModels(&context, &request, &response, [](const grpc::Status&) {});
  }
  // Without credentials: every call fails at once, nothing is connected.
  std::unique_ptr<v1::Inference::Stub> stub = v1::Inference::NewStub(grpc::CreateChannel("ipv4:127.0.0.1:1", nullptr));
  grpc::ClientContext context;
  v1::ListModelsRequest request;
  v1::ListModelsResponse response;
};
union Immortal {
  Immortal() : call() {}
  ~Immortal() {}  // the member stays as it is
  CallToNowhere call;
};
void KeepCallbackThreads() {
  static Immortal immortal;
  (void)immortal;
}

class EngineStream : public AnswerStream {
 public:
  // `stub` null: fails at once.
  EngineStream(Executor executor, Clock& clock, v1::Inference::Stub* stub, const Prompt& prompt,
               const CallOptions& options)
      : clock_(clock), mailbox_(executor, kEventsHeld) {
    if (stub == nullptr) {
      mailbox_.Close(absl::UnavailableError("no connection to the engine"));
      return;
    }
    call_ = std::make_shared<ReadCall<Event>>(
        executor, kEventsHeld,
        [this](Event&& event) { (void)mailbox_.Offer(std::move(event)); },  // never full: it takes all that are held
        [this](const grpc::Status& status) { mailbox_.Close(FromGrpc(status)); });
    mailbox_.SetOnTaken([this] { call_->Used(); });
    SetUp(call_->context(), clock, options);
    // Serialised before this returns: the prompt need not outlive the call.
    v1::GenerateRequest copy;
    stub->async()->GenerateStream(&call_->context(), &WithoutModel(prompt.content(), copy), call_.get());
    call_->Start(call_);
  }
  ~EngineStream() override {
    if (call_) call_->Abandon();
  }

  Task<absl::StatusOr<std::optional<Event>>> Next(MonotonicTime until, Cancellation& cancellation) override {
    if (finished_) co_return std::nullopt;
    auto event = co_await mailbox_.Receive(clock_, until, cancellation);
    if (event.ok() && !event->has_value())
      co_return absl::UnavailableError("engine ended the stream before its finish");
    if (event.ok()) finished_ = (*event)->has_finish();
    co_return event;
  }

 private:
  Clock& clock_;
  Mailbox<Event> mailbox_;
  bool finished_ = false;
  std::shared_ptr<ReadCall<Event>> call_;
};

v1::Delta DeltaOf(v1::GenerateResponse& response) {
  v1::Delta delta;
  v1::Message& message = *response.mutable_message();
  delta.set_allocated_content(message.release_content());
  delta.set_allocated_reasoning_content(message.release_reasoning_content());
  for (v1::ToolCall& call : *message.mutable_tool_calls()) {
    v1::ToolCallDelta& out = *delta.add_tool_calls();
    out.set_index(delta.tool_calls_size() - 1);
    out.set_allocated_id(call.release_id());
    out.set_allocated_name(call.release_name());
    out.set_allocated_arguments(call.release_arguments());
  }
  delta.mutable_logprobs()->Swap(response.mutable_logprobs());
  return delta;
}

// One call with one message back, shown as one delta and the finish: a stream costs as much a token.
class EngineWhole : public AnswerStream {
 public:
  EngineWhole(Executor executor, Clock& clock, v1::Inference::Stub* stub, const Prompt& prompt,
              const CallOptions& options)
      : clock_(clock) {
    if (stub == nullptr) return;
    call_ = std::make_shared<Call>(executor, Nothing());
    SetUp(call_->context, clock, options);
    // Serialised before this returns: the prompt need not outlive the call.
    v1::GenerateRequest copy;
    stub->async()->Generate(&call_->context, &WithoutModel(prompt.content(), copy), &call_->response,
                            Call::Callback(call_));
  }
  ~EngineWhole() override {
    if (call_) call_->Abandon();
  }

  Task<absl::StatusOr<std::optional<Event>>> Next(MonotonicTime until, Cancellation& cancellation) override {
    if (finish_) co_return std::exchange(finish_, std::nullopt);
    if (answered_) co_return std::nullopt;
    if (!call_) co_return absl::UnavailableError("no connection to the engine");
    auto status = co_await call_->mailbox.Receive(clock_, until, cancellation);
    if (!status.ok()) co_return status.status();
    const absl::Status outcome = FromGrpc(**status);
    if (!outcome.ok()) co_return outcome;
    answered_ = true;
    Event delta;
    *delta.mutable_delta() = DeltaOf(call_->response);
    v1::Finish& finish = *finish_.emplace().mutable_finish();
    finish.set_reason(call_->response.finish_reason());
    *finish.mutable_usage() = std::move(*call_->response.mutable_usage());
    co_return delta;
  }

 private:
  struct Nothing {};
  using Call = UnaryCall<Nothing, v1::GenerateResponse>;
  Clock& clock_;
  std::shared_ptr<Call> call_;  // null: fails at once
  bool answered_ = false;
  std::optional<Event> finish_;  // given out after the delta
};

// Keeps a WatchLoad stream open for as long as it lives. Being always there, it is who notices an engine that proves
// nothing.
class LoadWatch {
 public:
  LoadWatch(Executor executor, Clock& clock, RandomBytes random, std::string address, Counter& refused,
            v1::Engine::Stub& stub, EndpointRegistry::OnLoad on_load)
      : executor_(executor),
        clock_(clock),
        random_(std::move(random)),
        address_(std::move(address)),
        refused_(refused),
        stub_(stub),
        on_load_(std::move(on_load)) {
    Open();
  }
  ~LoadWatch() { call_->Abandon(); }
  LoadWatch(const LoadWatch&) = delete;
  LoadWatch& operator=(const LoadWatch&) = delete;

 private:
  void Open() {
    call_ = std::make_shared<ReadCall<v1::Load>>(
        executor_, 1,
        [this](v1::Load&& load) {
          backoff_ = kWatchBackoffMin;
          call_->Used();
          on_load_(load);
        },
        [this](const grpc::Status& status) {
          if (RefusedForCertificate(status)) Refused();
          OpenLater();
        });
    request_.set_interval_ms(kLoadIntervalMs);
    stub_.async()->WatchLoad(&call_->context(), &request_, call_.get());
    call_->Start(call_);
  }
  void Refused() {
    refused_.Increment();
    const MonotonicTime now = clock_.Monotonic();
    if (now < complain_at_) return;
    complain_at_ = now + kComplainEvery;
    HG_LOG(Error, "engine refused, its certificate proves no name that is allowed: address=", address_);
  }
  void OpenLater() {
    const absl::Duration wait = backoff_ * (0.5 + RandomUnit(random_) / 2);
    backoff_ = std::min(backoff_ * 2, kWatchBackoffMax);
    timer_ = clock_.CallAt(clock_.Monotonic() + wait, [this] { Open(); });
  }

  Executor executor_;
  Clock& clock_;
  RandomBytes random_;
  const std::string address_;
  Counter& refused_;
  MonotonicTime complain_at_ = -absl::InfiniteDuration();
  v1::Engine::Stub& stub_;
  const EndpointRegistry::OnLoad on_load_;
  v1::WatchLoadRequest request_;
  absl::Duration backoff_ = kWatchBackoffMin;
  std::shared_ptr<ReadCall<v1::Load>> call_;
  std::unique_ptr<Timer> timer_;
};

class EngineClient : public LocalUpstream {
 public:
  EngineClient(Executor executor, Clock& clock, RandomBytes random, const std::string& address,
               const LocalConfig& config, Metrics& metrics, EndpointRegistry::OnLoad on_load)
      : executor_(executor), clock_(clock), channel_(MakeEngineChannel(address, config)) {
    Counter& refused = RefusedIdentities(metrics);  // shown from the start, so that the first one is an increase
    if (channel_ == nullptr) return;
    KeepCallbackThreads();
    inference_ = v1::Inference::NewStub(channel_);
    engine_ = v1::Engine::NewStub(channel_);
    watch_.emplace(executor_, clock_, std::move(random), address, refused, *engine_, std::move(on_load));
  }

  std::unique_ptr<AnswerStream> Generate(const Prompt& prompt, const CallOptions& options) override {
    // Several answers have a finish each, which one message would lose.
    if (options.whole && prompt.content().n() <= 1) {
      return std::make_unique<EngineWhole>(executor_, clock_, inference_.get(), prompt, options);
    }
    return std::make_unique<EngineStream>(executor_, clock_, inference_.get(), prompt, options);
  }
  Task<absl::StatusOr<v1::CountTokensResponse>> CountTokens(const v1::CountTokensRequest& request,
                                                            MonotonicTime deadline,
                                                            Cancellation& cancellation) override {
    return Unary<v1::CountTokensRequest, v1::CountTokensResponse>(
        request, deadline, cancellation, [](v1::Inference::Stub& stub, auto& call, auto callback) {
          stub.async()->CountTokens(&call.context, &call.request, &call.response, std::move(callback));
        });
  }
  Task<absl::StatusOr<v1::EmbedResponse>> Embed(const v1::EmbedRequest& request, MonotonicTime deadline,
                                                Cancellation& cancellation) override {
    return Unary<v1::EmbedRequest, v1::EmbedResponse>(
        request, deadline, cancellation, [](v1::Inference::Stub& stub, auto& call, auto callback) {
          stub.async()->Embed(&call.context, &call.request, &call.response, std::move(callback));
        });
  }
  Task<absl::StatusOr<v1::ListModelsResponse>> ListModels(MonotonicTime deadline, Cancellation& cancellation) override {
    return Unary<v1::ListModelsRequest, v1::ListModelsResponse>(
        {}, deadline, cancellation, [](v1::Inference::Stub& stub, auto& call, auto callback) {
          stub.async()->ListModels(&call.context, &call.request, &call.response, std::move(callback));
        });
  }

 private:
  template <typename Request, typename Response, typename Begin>
  Task<absl::StatusOr<Response>> Unary(const Request& request, MonotonicTime deadline, Cancellation& cancellation,
                                       Begin begin) {
    // Made before the Task is first resumed, since `request` may be a temporary.
    return Finish(std::make_shared<UnaryCall<Request, Response>>(executor_, request), deadline, cancellation, begin);
  }
  template <typename Call, typename Begin>
  auto Finish(std::shared_ptr<Call> call, MonotonicTime deadline, Cancellation& cancellation, Begin begin)
      -> Task<absl::StatusOr<decltype(call->response)>> {
    if (!inference_) co_return absl::UnavailableError("no connection to the engine");
    // The endpoint may leave in between: from here on nothing of this object is used.
    Clock& clock = clock_;
    SetDeadline(call->context, clock, deadline);
    const std::unique_ptr<Call, void (*)(Call*)> guard(call.get(), [](Call* waiting) { waiting->Abandon(); });
    begin(*inference_, *call, Call::Callback(call));
    auto status = co_await call->mailbox.Receive(clock, deadline, cancellation);
    if (!status.ok()) co_return status.status();
    const absl::Status outcome = FromGrpc(**status);
    if (!outcome.ok()) co_return outcome;
    co_return std::move(call->response);
  }

  Executor executor_;
  Clock& clock_;
  const std::shared_ptr<grpc::Channel> channel_;  // null: refused, or TLS files unusable
  std::unique_ptr<v1::Inference::Stub> inference_;
  std::unique_ptr<v1::Engine::Stub> engine_;
  std::optional<LoadWatch> watch_;
};

}  // namespace

std::unique_ptr<LocalUpstream> ConnectEngine(Executor executor, Clock& clock, RandomBytes random,
                                             const std::string& address, const LocalConfig& config, Metrics& metrics,
                                             EndpointRegistry::OnLoad on_load) {
  return std::make_unique<EngineClient>(executor, clock, std::move(random), address, config, metrics,
                                        std::move(on_load));
}

}  // namespace headgate::router
