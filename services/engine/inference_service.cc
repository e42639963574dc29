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
#include "services/grpc_message.h"
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

absl::Status Refused(absl::Status status) {
  const bool later = absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
  return later ? WithRetryAfter(std::move(status), kRetryAfter) : status;
}

// A call's request in the engine. A cancel may come before the engine has given it its ids.
class Submission {
 public:
  explicit Submission(OpenCalls open_calls) : open_calls_(std::move(open_calls)) { ++*open_calls_; }
  ~Submission() { --*open_calls_; }

  absl::Status Submit(engine::Engine& engine, v1::GenerateRequest request, const grpc::CallbackServerContext& context,
                      std::shared_ptr<engine::AnswerEvents> events) {
    LogTrace(context);
    const int choices = ChoicesOf(request);
    const auto id = engine.Submit(std::move(request), DeadlineOf(context), std::move(events),
                                  MetadataOf(context, kTenantKey, kTenantBytesMax));
    if (!id.ok()) return Refused(id.status());
    Known(engine, *id, choices);
    return absl::OkStatus();
  }
  // `request` and those behind it, `count` in all.
  void Known(engine::Engine& engine, uint64_t request, int count) {
    std::lock_guard lock(mutex_);
    engine_ = &engine;
    id_ = request;
    count_ = count;
    if (cancelled_) CancelAll();
  }
  void Cancel() {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (engine_ != nullptr) CancelAll();
  }

 private:
  void CancelAll() {
    for (int i = 0; i < count_; ++i) engine_->Cancel(id_ + static_cast<uint64_t>(i));
  }

  const OpenCalls open_calls_;
  std::mutex mutex_;
  engine::Engine* engine_ = nullptr;
  uint64_t id_ = 0;
  int count_ = 1;
  bool cancelled_ = false;
};

// Both kinds of call live until gRPC is done with them and the engine has sent its last event.
class StreamCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public engine::AnswerEvents {
 public:
  StreamCall(const OpenCalls& open_calls, int choices) : submission_(open_calls), choices_left_(choices) {}
  static StreamCall* Start(engine::Engine& engine, const grpc::ByteBuffer& bytes,
                           const grpc::CallbackServerContext& context, const OpenCalls& open_calls) {
    v1::GenerateRequest request;
    absl::Status status = ReadMessage(bytes, request);
    auto call = std::make_shared<StreamCall>(open_calls, ChoicesOf(request));
    call->self_ = call;
    if (status.ok()) status = call->submission_.Submit(engine, std::move(request), context, call);
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
      const absl::Status made = WriteMessage(waiting_.front(), written_);
      waiting_.pop_front();
      writing_ = true;
      lock.unlock();
      if (!made.ok()) HG_LOG(Error, "event not written error=", made.ToString());
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
  grpc::ByteBuffer written_;  // gRPC reads it until OnWriteDone
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
    usage.set_reasoning_tokens(usage.reasoning_tokens() + finish.usage().reasoning_tokens());
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

// A call with one answer, sent at its end.
template <typename Response>
class WholeCall : public grpc::ServerUnaryReactor {
 public:
  explicit WholeCall(grpc::ByteBuffer& out) : out_(out) {}

 protected:
  void End(absl::Status status) {
    if (status.ok()) status = WriteMessage(answer_, out_);
    Finish(ToGrpc(status));
  }
  Response answer_;

 private:
  grpc::ByteBuffer& out_;  // alive until Finish
};

class UnaryCall final : public WholeCall<v1::GenerateResponse>, public WholeAnswer {
 public:
  UnaryCall(grpc::ByteBuffer& out, int choices, const OpenCalls& open_calls)
      : WholeCall(out), WholeAnswer(answer_, choices), submission_(open_calls) {}
  static UnaryCall* Start(engine::Engine& engine, const grpc::ByteBuffer& bytes,
                          const grpc::CallbackServerContext& context, grpc::ByteBuffer& out,
                          const OpenCalls& open_calls) {
    v1::GenerateRequest request;
    absl::Status status = ReadMessage(bytes, request);
    // Out of range is refused below; until then it must not make answers.
    auto call = std::make_shared<UnaryCall>(out, std::min(ChoicesOf(request), kChoicesMax), open_calls);
    call->self_ = call;
    if (status.ok()) status = call->submission_.Submit(engine, std::move(request), context, call);
    if (!status.ok()) call->OnError(status);
    return call.get();
  }

  void OnCancel() override { submission_.Cancel(); }
  void OnDone() override { self_.reset(); }

 private:
  void OnEnd(absl::Status status) override { End(std::move(status)); }

  Submission submission_;
  std::shared_ptr<UnaryCall> self_;
};

class EmbedCall final : public WholeCall<v1::EmbedResponse> {
 public:
  EmbedCall(grpc::ByteBuffer& out, const OpenCalls& open_calls) : WholeCall(out), submission_(open_calls) {}
  static EmbedCall* Start(engine::Engine& engine, const grpc::ByteBuffer& bytes,
                          const grpc::CallbackServerContext& context, grpc::ByteBuffer& out,
                          const OpenCalls& open_calls) {
    v1::EmbedRequest request;
    const absl::Status status = ReadMessage(bytes, request);
    auto call = std::make_shared<EmbedCall>(out, open_calls);
    call->self_ = call;
    if (!status.ok()) {
      call->End(status);
      return call.get();
    }
    const uint64_t id = engine.Embed(std::move(request), DeadlineOf(context),
                                     [call](absl::StatusOr<v1::EmbedResponse> made) {
                                       if (made.ok()) call->answer_ = *std::move(made);
                                       call->End(Refused(made.status()));
                                     });
    call->submission_.Known(engine, id, 1);
    return call.get();
  }

  void OnCancel() override { submission_.Cancel(); }
  void OnDone() override { self_.reset(); }

 private:
  Submission submission_;
  std::shared_ptr<EmbedCall> self_;
};

// Many requests as one call: its end is when the last has ended.
class BatchCall final : public WholeCall<v1::GenerateBatchResponse> {
 public:
  using WholeCall::WholeCall;
  static BatchCall* Start(engine::Engine& engine, const grpc::ByteBuffer& bytes,
                          const grpc::CallbackServerContext& context, grpc::ByteBuffer& out,
                          const OpenCalls& open_calls) {
    auto call = std::make_shared<BatchCall>(out);
    call->self_ = call;
    v1::GenerateBatchRequest request;
    absl::Status status = ReadMessage(bytes, request);
    if (status.ok() && (request.requests().empty() || request.requests_size() > kBatchMax)) {
      status = absl::InvalidArgumentError(absl::StrCat("requests: has ", request.requests_size(),
                                                       " entries; allowed are 1 to ", kBatchMax));
    }
    if (!status.ok()) {
      call->End(status);
      return call.get();
    }
    call->left_ = request.requests_size();
    for (int i = 0; i < request.requests_size(); ++i) call->answer_.add_results();
    for (int i = 0; i < request.requests_size(); ++i) {
      v1::GenerateRequest& one = *request.mutable_requests(i);
      if (one.priority() == v1::PRIORITY_UNSPECIFIED) one.set_priority(v1::PRIORITY_BATCH);
      auto item = std::make_shared<Item>(call, *call->answer_.mutable_results(i),
                                         std::min(ChoicesOf(one), kChoicesMax), open_calls);
      {
        std::lock_guard lock(call->mutex_);
        call->items_.push_back(item);
      }
      status = item->submission.Submit(engine, std::move(one), context, item);
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
    if (--left_ == 0) End(absl::OkStatus());
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
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return UnaryCall::Start(engine_, *request, *context, *response, open_calls_);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* InferenceService::GenerateStream(grpc::CallbackServerContext* context,
                                                                             const grpc::ByteBuffer* request) {
  return StreamCall::Start(engine_, *request, *context, open_calls_);
}

grpc::ServerUnaryReactor* InferenceService::GenerateBatch(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request,
                                                          grpc::ByteBuffer* response) {
  return BatchCall::Start(engine_, *request, *context, *response, open_calls_);
}

grpc::ServerUnaryReactor* InferenceService::Embed(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return EmbedCall::Start(engine_, *request, *context, *response, open_calls_);
}

grpc::ServerUnaryReactor* InferenceService::CountTokens(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  v1::CountTokensRequest count;
  if (absl::Status status = ReadMessage(*request, count); !status.ok()) return Answer(context, status);
  const auto tokens = engine_.CountTokens(count);
  if (!tokens.ok()) return Answer(context, tokens.status());
  v1::CountTokensResponse counted;
  counted.set_tokens(*tokens);
  counted.set_model(engine_.info().model);
  return Answer(context, WriteMessage(counted, *response));
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
