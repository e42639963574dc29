// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/inference_service.h"

#include <memory>
#include <utility>

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

}  // namespace

// The prompt is copied and digested here, on gRPC's thread: the executor has only one.
grpc::ServerUnaryReactor* InferenceService::Generate(grpc::CallbackServerContext* context,
                                                     const v1::GenerateRequest* request,
                                                     v1::GenerateResponse* response) {
  auto prompt = std::make_shared<const router::Prompt>(*request);
  return StartUnary(parts_, context, "grpc.Generate",
                    [this, context, prompt = std::move(prompt), response](
                        const router::RequestHead& head, Cancellation& cancellation) -> Task<absl::Status> {
                      WholeSink sink(*response);
                      const absl::Status status = co_await router_.Generate(head, *prompt, sink, cancellation);
                      if (response->has_route()) AddRouteMetadata(*context, response->route());
                      co_return status;
                    });
}

grpc::ServerWriteReactor<v1::GenerateStreamResponse>* InferenceService::GenerateStream(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  auto prompt = std::make_shared<const router::Prompt>(*request);
  return StartStream(parts_, context, "grpc.GenerateStream",
                     [this, prompt = std::move(prompt)](const router::RequestHead& head, router::AnswerSink& sink,
                                                        Cancellation& cancellation) {
                       return router_.Generate(head, *prompt, sink, cancellation);
                     });
}

grpc::ServerUnaryReactor* InferenceService::Embed(grpc::CallbackServerContext* context, const v1::EmbedRequest* request,
                                                  v1::EmbedResponse* response) {
  return StartUnary(parts_, context, "grpc.Embed",
                    [this, request, response](const router::RequestHead& head,
                                              Cancellation& cancellation) -> Task<absl::Status> {
                      auto result = co_await router_.Embed(head, *request, cancellation);
                      if (result.ok()) *response = *std::move(result);
                      co_return result.status();
                    });
}

grpc::ServerUnaryReactor* InferenceService::CountTokens(grpc::CallbackServerContext* context,
                                                        const v1::CountTokensRequest* request,
                                                        v1::CountTokensResponse* response) {
  return StartUnary(parts_, context, "grpc.CountTokens",
                    [this, request, response](const router::RequestHead& head,
                                              Cancellation& cancellation) -> Task<absl::Status> {
                      auto result = co_await router_.CountTokens(head, *request, cancellation);
                      if (result.ok()) *response = *std::move(result);
                      co_return result.status();
                    });
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
