// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/admin_service.h"

#include <utility>

#include "services/grpc_status.h"

namespace headgate::services {
namespace {

// Answers `reactor` with what becomes of a change. gRPC keeps both until then, whether the caller waits or not.
template <typename T>
auto Answering(grpc::ServerUnaryReactor* reactor, T* response) {
  return [reactor, response](absl::StatusOr<T> made) {
    const grpc::Status status = ToGrpc(made.status());
    if (made.ok()) *response = *std::move(made);
    reactor->Finish(status);
  };
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::Drain(grpc::CallbackServerContext* context, const v1::DrainRequest*,
                                              v1::DrainResponse* response) {
  drain_();
  const v1::Load load = host_.engine().CurrentLoad();
  response->set_in_flight(load.waiting() + load.running());
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::LoadModel(grpc::CallbackServerContext* context,
                                                  const v1::LoadModelRequest* request,
                                                  v1::LoadModelResponse* response) {
  auto* const reactor = context->DefaultReactor();
  host_.LoadModel(request->file(), Answering(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::LoadAdapter(grpc::CallbackServerContext* context,
                                                    const v1::LoadAdapterRequest* request,
                                                    v1::LoadAdapterResponse* response) {
  auto* const reactor = context->DefaultReactor();
  host_.LoadAdapter(request->name(), request->file(), Answering(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::UnloadAdapter(grpc::CallbackServerContext* context,
                                                      const v1::UnloadAdapterRequest* request,
                                                      v1::UnloadAdapterResponse* response) {
  auto* const reactor = context->DefaultReactor();
  host_.UnloadAdapter(request->name(), Answering(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::WarmUp(grpc::CallbackServerContext* context, const v1::WarmUpRequest*,
                                               v1::WarmUpResponse* response) {
  auto* const reactor = context->DefaultReactor();
  host_.WarmUp(Answering(reactor, response));
  return reactor;
}

}  // namespace headgate::services
