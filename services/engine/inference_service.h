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

// Requests that can carry a client's text come as bytes (services/grpc_message.h).
using RawInference = v1::Inference::WithRawCallbackMethod_Generate<
    v1::Inference::WithRawCallbackMethod_GenerateStream<v1::Inference::WithRawCallbackMethod_GenerateBatch<
        v1::Inference::WithRawCallbackMethod_Embed<v1::Inference::WithRawCallbackMethod_CountTokens<
            v1::Inference::WithCallbackMethod_ListModels<v1::Inference::Service>>>>>>;

class InferenceService final : public RawInference {
 public:
  // `engine` must outlive it.
  explicit InferenceService(engine::Engine& engine);

  // Generate, GenerateStream, GenerateBatch and Embed calls that gRPC has not finished sending.
  int open_calls() const { return open_calls_->load(); }

  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* GenerateStream(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GenerateBatch(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CountTokens(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

 private:
  engine::Engine& engine_;
  const int64_t started_unix_seconds_;
  const std::shared_ptr<std::atomic<int>> open_calls_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace headgate::services
