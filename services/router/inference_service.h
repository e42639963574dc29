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

class InferenceService final : public v1::Inference::CallbackService {
 public:
  // Both must outlive the server.
  InferenceService(const CallParts& parts, router::Router& router) : parts_(parts), router_(router) {}

  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const v1::GenerateRequest* request,
                                     v1::GenerateResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateStreamResponse>* GenerateStream(grpc::CallbackServerContext* context,
                                                                       const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const v1::EmbedRequest* request,
                                  v1::EmbedResponse* response) override;
  grpc::ServerUnaryReactor* CountTokens(grpc::CallbackServerContext* context, const v1::CountTokensRequest* request,
                                        v1::CountTokensResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;

 private:
  const CallParts& parts_;
  router::Router& router_;
};

}  // namespace headgate::services
