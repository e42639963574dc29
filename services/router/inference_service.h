// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// InferenceService: headgate.v1.Inference in front of the Router. Takes calls in, hands events out; decides nothing.
//
// Thread-safety: gRPC's threads call it.
#pragma once

#include "headgate/v1/inference.grpc.pb.h"
#include "router/router.h"
#include "services/router/grpc_call.h"

namespace headgate::services {

// Requests that can carry a client's text come as bytes (services/grpc_message.h).
using RawInference = v1::Inference::WithRawCallbackMethod_Generate<v1::Inference::WithRawCallbackMethod_GenerateStream<
    v1::Inference::WithCallbackMethod_GenerateBatch<  // not served here
        v1::Inference::WithRawCallbackMethod_Embed<v1::Inference::WithRawCallbackMethod_CountTokens<
            v1::Inference::WithCallbackMethod_ListModels<v1::Inference::Service>>>>>>;

class InferenceService final : public RawInference {
 public:
  // Both must outlive the server.
  InferenceService(const CallParts& parts, router::Router& router) : parts_(parts), router_(router) {}

  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* GenerateStream(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CountTokens(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

 private:
  const CallParts& parts_;
  router::Router& router_;
};

}  // namespace headgate::services
