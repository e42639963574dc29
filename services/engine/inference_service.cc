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
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/trace.h"
#include "services/grpc_status.h"

namespace headgate::services {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);
constexpr int kChoicesMax = 8;  // as the engine's validation

MonotonicTime DeadlineOf(const grpc::CallbackServerContext& context) {
  const absl::Duration left = absl::FromChrono(context.deadline()) - RealTime().WallTime();
  return left > absl::Hours(24 * 365) ? absl::InfiniteDuration() : RealTime().Monotonic() + left;
}

// Whose request it is, as the router says; it never passes on what a client sent under this name.
constexpr char kTenantKey[] = "x-headgate-tenant";
constexpr size_t kTenantBytesMax = 256;
constexpr size_t kIdBytesMax = 128;  // as the router's
constexpr size_t kTraceBytesMax = 256;

// The first `bytes_max` bytes; empty when there is none.
std::string MetadataOf(const grpc::CallbackServerContext& context, const char* key, size_t bytes_max) {
  const auto at = context.client_metadata().find(key);
  if (at == context.client_metadata().end()) return "";
  return std::string(at->second.data(), std::min(at->second.size(), bytes_max));
}

// One line that joins the engine's part to the caller's trace; nothing without one.
void LogTrace(const grpc::CallbackServerContext& context) {
  const auto trace = ParseTraceparent(MetadataOf(context, "traceparent", kTraceBytesMax));
  if (!trace) return;
  HG_LOG(Info, "traced request=", MetadataOf(context, "x-request-id", kIdBytesMax), " trace=", trace->trace_id,
         " parent=", trace->parent_id);
}

// Shared, because the engine may let go of a call after the service is gone.
using OpenCalls = std::shared_ptr<std::atomic<int>>;

int ChoicesOf(const v1::GenerateRequest& request) { return std::max(request.n(), 1); }

// A call's request in the engine. A cancel may come before the engine has given it an id.
class Submission {
 public:
  explicit Submission(OpenCalls open_calls) : open_calls_(std::move(open_calls)) { ++*open_calls_; }
  ~Submission() { --*open_calls_; }

  absl::Status Submit(engine::Engine& engine, const v1::GenerateRequest& request,
                      const grpc::CallbackServerContext& context, std::shared_ptr<engine::AnswerEvents> events) {
    LogTrace(context);
    auto id = engine.Submit(request, DeadlineOf(context), std::move(events),
                            MetadataOf(context, kTenantKey, kTenantBytesMax));
    if (absl::IsResourceExhausted(id.status()) || absl::IsUnavailable(id.status())) {
      return WithRetryAfter(id.status(), kRetryAfter);
    }
    if (!id.ok()) return id.status();
    std::lock_guard lock(mutex_);
    engine_ = &engine;
    id_ = *id;
    choices_ = ChoicesOf(request);
    if (cancelled_) CancelAll();
    return absl::OkStatus();
  }
  void Cancel() {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (engine_ != nullptr) CancelAll();
  }

 private:
  void CancelAll() {
    for (int i = 0; i < choices_; ++i) engine_->Cancel(id_ + static_cast<uint64_t>(i));
  }

  const OpenCalls open_calls_;
  std::mutex mutex_;
  engine::Engine* engine_ = nullptr;
  uint64_t id_ = 0;
  int choices_ = 1;
  bool cancelled_ = false;
};

// Both kinds of call live until gRPC is done with them and the engine has sent its last event.
class StreamCall final : public grpc::ServerWriteReactor<v1::GenerateStreamResponse>, public engine::AnswerEvents {
 public:
  StreamCall(const OpenCalls& open_calls, int choices) : submission_(open_calls), choices_left_(choices) {}
  static StreamCall* Start(engine::Engine& engine, const v1::GenerateRequest& request,
                           const grpc::CallbackServerContext& context, const OpenCalls& open_calls) {
    auto call = std::make_shared<StreamCall>(open_calls, ChoicesOf(request));
    call->self_ = call;
    const absl::Status status = call->submission_.Submit(engine, request, context, call);
    if (!status.ok()) call->OnError(status);
    return call.get();
  }

  void OnDelta(v1::Delta delta) override {
    std::unique_lock lock(mutex_);
    if (!waiting_.empty() && Joinable(waiting_.back().delta()) && Joinable(delta) &&
        waiting_.back().delta().choice() == delta.choice()) {
      waiting_.back().mutable_delta()->mutable_content()->append(delta.content());
      return;
    }
    *waiting_.emplace_back().mutable_delta() = std::move(delta);
    Continue(lock);
  }
  void OnFinish(v1::Finish finish) override {
    std::unique_lock lock(mutex_);
    *waiting_.emplace_back().mutable_finish() = std::move(finish);
    if (--choices_left_ == 0) end_ = grpc::Status::OK;
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
    return delta.tool_calls().empty() && delta.reasoning_content().empty() && delta.logprobs().empty() &&
           !delta.content().empty();
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
  int choices_left_;
  std::deque<v1::GenerateStreamResponse> waiting_;
  v1::GenerateStreamResponse written_;  // gRPC reads it until OnWriteDone
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> end_;
  std::shared_ptr<StreamCall> self_;
};

// The events of a request's answers put together.
class WholeAnswer : public engine::AnswerEvents {
 public:
  WholeAnswer(v1::GenerateResponse& response, int choices) : response_(response), choices_left_(choices) {
    for (int i = 1; i < choices; ++i) response_.add_more();
  }

  void OnDelta(v1::Delta delta) override {
    v1::Message& message = MessageOf(delta.choice());
    message.mutable_content()->append(delta.content());
    message.mutable_reasoning_content()->append(delta.reasoning_content());
    for (const auto& piece : delta.tool_calls()) {
      while (message.tool_calls_size() <= piece.index()) message.add_tool_calls();
      v1::ToolCall& call = *message.mutable_tool_calls(piece.index());
      if (!piece.id().empty()) call.set_id(piece.id());
      if (!piece.name().empty()) call.set_name(piece.name());
      call.mutable_arguments()->append(piece.arguments());
    }
    auto& logprobs = delta.choice() == 0 ? *response_.mutable_logprobs()
                                         : *response_.mutable_more(delta.choice() - 1)->mutable_logprobs();
    for (auto& logprob : *delta.mutable_logprobs()) *logprobs.Add() = std::move(logprob);
  }
  void OnFinish(v1::Finish finish) override {
    MessageOf(finish.choice()).set_role(v1::ROLE_ASSISTANT);
    if (finish.choice() == 0) {
      response_.set_finish_reason(finish.reason());
    } else {
      response_.mutable_more(finish.choice() - 1)->set_finish_reason(finish.reason());
    }
    v1::Usage& usage = *response_.mutable_usage();
    usage.set_prompt_tokens(usage.prompt_tokens() + finish.usage().prompt_tokens());
    usage.set_cached_tokens(usage.cached_tokens() + finish.usage().cached_tokens());
    usage.set_completion_tokens(usage.completion_tokens() + finish.usage().completion_tokens());
    if (--choices_left_ == 0) OnEnd(absl::OkStatus());
  }
  void OnError(absl::Status status) override { OnEnd(std::move(status)); }

 protected:
  virtual void OnEnd(absl::Status status) = 0;  // once

 private:
  v1::Message& MessageOf(int32_t choice) {
    return choice == 0 ? *response_.mutable_message() : *response_.mutable_more(choice - 1)->mutable_message();
  }

  v1::GenerateResponse& response_;  // alive until OnEnd
  int choices_left_;
};

class UnaryCall final : public grpc::ServerUnaryReactor, public WholeAnswer {
 public:
  UnaryCall(v1::GenerateResponse& response, int choices, const OpenCalls& open_calls)
      : WholeAnswer(response, choices), submission_(open_calls) {}
  static UnaryCall* Start(engine::Engine& engine, const v1::GenerateRequest& request,
                          const grpc::CallbackServerContext& context, v1::GenerateResponse& response,
                          const OpenCalls& open_calls) {
    // Out of range is refused below; until then it must not make answers.
    const int choices = std::min(ChoicesOf(request), kChoicesMax);
    auto call = std::make_shared<UnaryCall>(response, choices, open_calls);
    call->self_ = call;
    const absl::Status status = call->submission_.Submit(engine, request, context, call);
    if (!status.ok()) call->OnError(status);
    return call.get();
  }

  void OnCancel() override { submission_.Cancel(); }
  void OnDone() override { self_.reset(); }

 private:
  void OnEnd(absl::Status status) override { Finish(ToGrpc(status)); }

  Submission submission_;
  std::shared_ptr<UnaryCall> self_;
};

// Many requests as one call: its end is when the last has ended.
class BatchCall final : public grpc::ServerUnaryReactor {
 public:
  static BatchCall* Start(engine::Engine& engine, const v1::GenerateBatchRequest& request,
                          const grpc::CallbackServerContext& context, v1::GenerateBatchResponse& response,
                          const OpenCalls& open_calls) {
    auto call = std::make_shared<BatchCall>();
    call->self_ = call;
    if (request.requests().empty() || request.requests_size() > kBatchMax) {
      call->Finish(ToGrpc(absl::InvalidArgumentError(absl::StrCat(
          "requests: has ", request.requests_size(), " entries; allowed are 1 to ", kBatchMax))));
      return call.get();
    }
    call->left_ = request.requests_size();
    for (int i = 0; i < request.requests_size(); ++i) response.add_results();
    for (int i = 0; i < request.requests_size(); ++i) {
      v1::GenerateRequest one = request.requests(i);
      if (one.priority() == v1::PRIORITY_UNSPECIFIED) one.set_priority(v1::PRIORITY_BATCH);
      auto item = std::make_shared<Item>(call, *response.mutable_results(i), std::min(ChoicesOf(one), kChoicesMax),
                                         open_calls);
      {
        std::lock_guard lock(call->mutex_);
        call->items_.push_back(item);
      }
      const absl::Status status = item->submission.Submit(engine, one, context, item);
      if (!status.ok()) item->OnError(status);
    }
    return call.get();
  }

  void OnCancel() override {
    std::lock_guard lock(mutex_);
    for (const auto& item : items_) item->submission.Cancel();
  }
  void OnDone() override { self_.reset(); }

  static constexpr int kBatchMax = 32;

 private:
  struct Item final : public WholeAnswer {
    Item(std::shared_ptr<BatchCall> batch, v1::BatchResult& to, int choices, const OpenCalls& open_calls)
        : WholeAnswer(*to.mutable_response(), choices), submission(open_calls), call(std::move(batch)), result(to) {}
    void OnEnd(absl::Status status) override {
      if (!status.ok()) {
        result.clear_response();
        result.set_code(static_cast<int32_t>(status.code()));
        result.set_message(std::string(status.message()));
      }
      std::exchange(call, nullptr)->OneEnded();
    }
    Submission submission;
    std::shared_ptr<BatchCall> call;
    v1::BatchResult& result;
  };
  void OneEnded() {
    if (--left_ == 0) Finish(grpc::Status::OK);
  }

  std::atomic<int> left_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Item>> items_;
  std::shared_ptr<BatchCall> self_;
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

grpc::ServerUnaryReactor* InferenceService::GenerateBatch(grpc::CallbackServerContext* context,
                                                          const v1::GenerateBatchRequest* request,
                                                          v1::GenerateBatchResponse* response) {
  return BatchCall::Start(engine_, *request, *context, *response, open_calls_);
}

grpc::ServerUnaryReactor* InferenceService::Embed(grpc::CallbackServerContext* context, const v1::EmbedRequest* request,
                                                  v1::EmbedResponse* response) {
  auto* const reactor = context->DefaultReactor();
  engine_.Embed(*request, DeadlineOf(*context), [reactor, response](absl::StatusOr<v1::EmbedResponse> made) {
    absl::Status status = made.status();
    if (made.ok()) *response = *std::move(made);
    if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) status = WithRetryAfter(status, kRetryAfter);
    reactor->Finish(ToGrpc(status));
  });
  return reactor;
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
  const engine::BackendInfo info = engine_.info();
  model.set_id(info.model);
  model.set_owned_by("headgate");
  model.set_context_length_max(info.context_tokens_per_sequence_max);
  for (std::string& adapter : engine_.Adapters()) model.add_adapters(std::move(adapter));
  model.set_created_unix_seconds(started_unix_seconds_);
  return Answer(context, absl::OkStatus());
}

}  // namespace headgate::services
