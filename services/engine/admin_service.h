// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// AdminService: the half of the Engine service that is served on the admin port only: draining, models, adapters.
//
// Thread-safety: gRPC calls it from its own threads.
#pragma once

#include <functional>

#include "headgate/v1/engine.grpc.pb.h"
#include "services/engine/model_host.h"

namespace headgate::services {

class AdminService final : public v1::Engine::CallbackService {
 public:
  // `drain` is called for each Drain. `host` must outlive the service.
  AdminService(ModelHost& host, std::function<void()> drain) : host_(host), drain_(std::move(drain)) {}

  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const v1::DrainRequest* request,
                                  v1::DrainResponse* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context, const v1::LoadModelRequest* request,
                                      v1::LoadModelResponse* response) override;
  grpc::ServerUnaryReactor* LoadAdapter(grpc::CallbackServerContext* context, const v1::LoadAdapterRequest* request,
                                        v1::LoadAdapterResponse* response) override;
  grpc::ServerUnaryReactor* UnloadAdapter(grpc::CallbackServerContext* context,
                                          const v1::UnloadAdapterRequest* request,
                                          v1::UnloadAdapterResponse* response) override;
  grpc::ServerUnaryReactor* WarmUp(grpc::CallbackServerContext* context, const v1::WarmUpRequest* request,
                                   v1::WarmUpResponse* response) override;

 private:
  ModelHost& host_;
  const std::function<void()> drain_;
};

}  // namespace headgate::services
