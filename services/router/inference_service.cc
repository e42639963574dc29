// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/inference_service.h"

#include <functional>
#include <memory>
#include <utility>

#include "services/grpc_message.h"
#include "services/router/openai_answer.h"

namespace headgate::services {
namespace {

// The stream's events as one answer.
class WholeSink final : public router::AnswerSink {
 public:
  explicit WholeSink(v1::GenerateResponse& response) : response_(response) {
    response_.mutable_message()->set_role(v1::ROLE_ASSISTANT);
  }
  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    if (event.has_route()) *response_.mutable_route() = event.route();
    if (event.has_delta()) AppendDelta(event.delta(), *response_.mutable_message());
    if (event.has_finish()) {
      response_.set_finish_reason(event.finish().reason());
      *response_.mutable_usage() = event.finish().usage();
    }
    co_return absl::OkStatus();
  }

 private:
  v1::GenerateResponse& response_;
};

// Read and digested on gRPC's thread: the executor has only one. Null: `read` says why.
std::shared_ptr<const router::Prompt> ReadPrompt(const grpc::ByteBuffer& bytes, absl::Status& read) {
  v1::GenerateRequest request;
  read = ReadMessage(bytes, request);
  return read.ok() ? std::make_shared<const router::Prompt>(std::move(request)) : nullptr;
}

}  // namespace

grpc::ServerUnaryReactor* InferenceService::Generate(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  absl::Status read;
  auto prompt = ReadPrompt(*request, read);
  const auto work = [this, context, prompt = std::move(prompt), response](
                        const router::RequestHead& head, Cancellation& cancellation) -> Task<absl::Status> {
    v1::GenerateResponse whole;
    WholeSink sink(whole);
    const absl::Status status = co_await router_.Generate(head, *prompt, sink, cancellation);
    if (whole.has_route()) AddRouteMetadata(*context, whole.route());
    co_return status.ok() ? WriteMessage(whole, *response) : status;
  };
  return StartUnary(parts_, context, "grpc.Generate", work, std::move(read));
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* InferenceService::GenerateStream(grpc::CallbackServerContext* context,
                                                                             const grpc::ByteBuffer* request) {
  absl::Status read;
  auto prompt = ReadPrompt(*request, read);
  const auto work = [this, prompt = std::move(prompt)](const router::RequestHead& head, router::AnswerSink& sink,
                                                       Cancellation& cancellation) {
    return router_.Generate(head, *prompt, sink, cancellation);
  };
  return StartStream(parts_, context, "grpc.GenerateStream", work, std::move(read));
}

grpc::ServerUnaryReactor* InferenceService::Embed(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return StartUnary<v1::EmbedRequest>(parts_, context, "grpc.Embed", *request, response,
                                      std::bind_front(&router::Router::Embed, &router_));
}

grpc::ServerUnaryReactor* InferenceService::CountTokens(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return StartUnary<v1::CountTokensRequest>(parts_, context, "grpc.CountTokens", *request, response,
                                            std::bind_front(&router::Router::CountTokens, &router_));
}

grpc::ServerUnaryReactor* InferenceService::ListModels(grpc::CallbackServerContext* context,
                                                       const v1::ListModelsRequest*,
                                                       v1::ListModelsResponse* response) {
  return StartUnary(parts_, context, "grpc.ListModels",
                    [this, response](const router::RequestHead& head,
                                     Cancellation& cancellation) -> Task<absl::Status> {
                      auto result = co_await router_.ListModels(head, cancellation);
                      if (result.ok()) *response = *std::move(result);
                      co_return result.status();
                    });
}

}  // namespace headgate::services
