// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/inference_service.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "services/grpc_status.h"

namespace headgate::services {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

MonotonicTime DeadlineOf(const grpc::CallbackServerContext& context) {
  const absl::Duration left = absl::FromChrono(context.deadline()) - RealTime().WallTime();
  return left > absl::Hours(24 * 365) ? absl::InfiniteDuration() : RealTime().Monotonic() + left;
}

// Whose request it is, as the router says; it never passes on what a client sent under this name.
constexpr char kTenantKey[] = "x-headgate-tenant";
constexpr size_t kTenantBytesMax = 256;

std::string TenantOf(const grpc::CallbackServerContext& context) {
  const auto at = context.client_metadata().find(kTenantKey);
  if (at == context.client_metadata().end()) return "";
  return std::string(at->second.data(), std::min(at->second.size(), kTenantBytesMax));
}

// Shared, because the engine may let go of a call after the service is gone.
using OpenCalls = std::shared_ptr<std::atomic<int>>;

// A call's request in the engine. A cancel may come before the engine has given it an id.
class Submission {
 public:
  explicit Submission(OpenCalls open_calls) : open_calls_(std::move(open_calls)) { ++*open_calls_; }
  ~Submission() { --*open_calls_; }

  absl::Status Submit(engine::Engine& engine, const v1::GenerateRequest& request,
                      const grpc::CallbackServerContext& context, std::shared_ptr<engine::AnswerEvents> events) {
    auto id = engine.Submit(request, DeadlineOf(context), std::move(events), TenantOf(context));
    if (absl::IsResourceExhausted(id.status()) || absl::IsUnavailable(id.status())) {
      return WithRetryAfter(id.status(), kRetryAfter);
    }
    if (!id.ok()) return id.status();
    std::lock_guard lock(mutex_);
    engine_ = &engine;
    id_ = *id;
    if (cancelled_) engine.Cancel(id_);
    return absl::OkStatus();
  }
  void Cancel() {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (engine_ != nullptr) engine_->Cancel(id_);
  }

 private:
  const OpenCalls open_calls_;
  std::mutex mutex_;
  engine::Engine* engine_ = nullptr;
  uint64_t id_ = 0;
  bool cancelled_ = false;
};

// Both kinds of call live until gRPC is done with them and the engine has sent its last event.
class StreamCall final : public grpc::ServerWriteReactor<v1::GenerateStreamResponse>, public engine::AnswerEvents {
 public:
  explicit StreamCall(const OpenCalls& open_calls) : submission_(open_calls) {}
  static StreamCall* Start(engine::Engine& engine, const v1::GenerateRequest& request,
                           const grpc::CallbackServerContext& context, const OpenCalls& open_calls) {
    auto call = std::make_shared<StreamCall>(open_calls);
    call->self_ = call;
    const absl::Status status = call->submission_.Submit(engine, request, context, call);
    if (!status.ok()) call->OnError(status);
    return call.get();
  }

  void OnDelta(v1::Delta delta) override {
    std::unique_lock lock(mutex_);
    if (!waiting_.empty() && Joinable(waiting_.back().delta()) && Joinable(delta)) {
      waiting_.back().mutable_delta()->mutable_content()->append(delta.content());
      return;
    }
    *waiting_.emplace_back().mutable_delta() = std::move(delta);
    Continue(lock);
  }
  void OnFinish(v1::Finish finish) override {
    std::unique_lock lock(mutex_);
    *waiting_.emplace_back().mutable_finish() = std::move(finish);
    end_ = grpc::Status::OK;
    Continue(lock);
  }
  void OnError(absl::Status status) override {
    std::unique_lock lock(mutex_);
    end_ = ToGrpc(status);
    Continue(lock);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) submission_.Cancel();
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok) waiting_.clear();
    Continue(lock);
  }
  void OnCancel() override { submission_.Cancel(); }
  void OnDone() override { self_.reset(); }

 private:
  static bool Joinable(const v1::Delta& delta) {
    return delta.tool_calls().empty() && delta.reasoning_content().empty() && !delta.content().empty();
  }
  // The next write, or the end when all is written. gRPC is called without the lock: it may call back at once.
  void Continue(std::unique_lock<std::mutex>& lock) {
    if (writing_ || finished_) return;
    if (!waiting_.empty()) {
      written_ = std::move(waiting_.front());
      waiting_.pop_front();
      writing_ = true;
      lock.unlock();
      StartWrite(&written_);
    } else if (end_) {
      finished_ = true;
      const grpc::Status end = *end_;
      lock.unlock();
      Finish(end);
    }
  }

  Submission submission_;
  std::mutex mutex_;
  std::deque<v1::GenerateStreamResponse> waiting_;
  v1::GenerateStreamResponse written_;  // gRPC reads it until OnWriteDone
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;
  std::shared_ptr<StreamCall> self_;
};

class UnaryCall final : public grpc::ServerUnaryReactor, public engine::AnswerEvents {
 public:
  UnaryCall(v1::GenerateResponse& response, const OpenCalls& open_calls)
      : response_(response), submission_(open_calls) {}
  static UnaryCall* Start(engine::Engine& engine, const v1::GenerateRequest& request,
                          const grpc::CallbackServerContext& context, v1::GenerateResponse& response,
                          const OpenCalls& open_calls) {
    auto call = std::make_shared<UnaryCall>(response, open_calls);
    call->self_ = call;
    const absl::Status status = call->submission_.Submit(engine, request, context, call);
    if (!status.ok()) call->OnError(status);
    return call.get();
  }

  void OnDelta(v1::Delta delta) override {
    v1::Message& message = *response_.mutable_message();
    message.mutable_content()->append(delta.content());
    message.mutable_reasoning_content()->append(delta.reasoning_content());
    for (const auto& piece : delta.tool_calls()) {
      while (message.tool_calls_size() <= piece.index()) message.add_tool_calls();
      v1::ToolCall& call = *message.mutable_tool_calls(piece.index());
      if (!piece.id().empty()) call.set_id(piece.id());
      if (!piece.name().empty()) call.set_name(piece.name());
      call.mutable_arguments()->append(piece.arguments());
    }
  }
  void OnFinish(v1::Finish finish) override {
    response_.mutable_message()->set_role(v1::ROLE_ASSISTANT);
    response_.set_finish_reason(finish.reason());
    *response_.mutable_usage() = std::move(*finish.mutable_usage());
    Finish(grpc::Status::OK);
  }
  void OnError(absl::Status status) override { Finish(ToGrpc(status)); }

  void OnCancel() override { submission_.Cancel(); }
  void OnDone() override { self_.reset(); }

 private:
  v1::GenerateResponse& response_;  // alive until Finish
  Submission submission_;
  std::shared_ptr<UnaryCall> self_;
};

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace

InferenceService::InferenceService(engine::Engine& engine)
    : engine_(engine), started_unix_seconds_(absl::ToUnixSeconds(RealTime().WallTime())) {}

grpc::ServerUnaryReactor* InferenceService::Generate(grpc::CallbackServerContext* context,
                                                     const v1::GenerateRequest* request,
                                                     v1::GenerateResponse* response) {
  return UnaryCall::Start(engine_, *request, *context, *response, open_calls_);
}

grpc::ServerWriteReactor<v1::GenerateStreamResponse>* InferenceService::GenerateStream(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return StreamCall::Start(engine_, *request, *context, open_calls_);
}

grpc::ServerUnaryReactor* InferenceService::Embed(grpc::CallbackServerContext* context, const v1::EmbedRequest*,
                                                  v1::EmbedResponse*) {
  return Answer(context, absl::UnimplementedError("this engine offers no embeddings"));
}

grpc::ServerUnaryReactor* InferenceService::CountTokens(grpc::CallbackServerContext* context,
                                                        const v1::CountTokensRequest* request,
                                                        v1::CountTokensResponse* response) {
  const auto tokens = engine_.CountTokens(*request);
  if (tokens.ok()) {
    response->set_tokens(*tokens);
    response->set_model(engine_.info().model);
  }
  return Answer(context, tokens.status());
}

grpc::ServerUnaryReactor* InferenceService::ListModels(grpc::CallbackServerContext* context,
                                                       const v1::ListModelsRequest*, v1::ListModelsResponse* response) {
  v1::Model& model = *response->add_models();
  model.set_id(engine_.info().model);
  model.set_owned_by("headgate");
  model.set_context_length_max(engine_.info().context_tokens_per_sequence_max);
  model.set_created_unix_seconds(started_unix_seconds_);
  return Answer(context, absl::OkStatus());
}

}  // namespace headgate::services
