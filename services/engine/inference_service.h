// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The Inference service in front of an engine: requests in, events out as gRPC messages. No decisions.
//
// Thread-safety: gRPC calls it from its own threads; the engine's events come from the decode thread, which never waits
// for a client: events of a slow one are joined and kept, bounded by the answer's max_tokens.
#pragma once

#include <atomic>
#include <memory>

#include "engine/engine.h"
#include "headgate/v1/inference.grpc.pb.h"

namespace headgate::services {

class InferenceService final : public v1::Inference::CallbackService {
 public:
  // `engine` must outlive it.
  explicit InferenceService(engine::Engine& engine);

  // Generate and GenerateStream calls that gRPC has not finished sending.
  int open_calls() const { return open_calls_->load(); }

  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const v1::GenerateRequest* request,
                                     v1::GenerateResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateStreamResponse>* GenerateStream(grpc::CallbackServerContext* context,
                                                                       const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* GenerateBatch(grpc::CallbackServerContext* context, const v1::GenerateBatchRequest* request,
                                          v1::GenerateBatchResponse* response) override;
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const v1::EmbedRequest* request,
                                  v1::EmbedResponse* response) override;
  grpc::ServerUnaryReactor* CountTokens(grpc::CallbackServerContext* context, const v1::CountTokensRequest* request,
                                        v1::CountTokensResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

 private:
  engine::Engine& engine_;
  const int64_t started_unix_seconds_;
  const std::shared_ptr<std::atomic<int>> open_calls_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace headgate::services
