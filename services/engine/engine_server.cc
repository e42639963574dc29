// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/engine_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace headgate::services {
namespace {

constexpr char kInference[] = "headgate.v1.Inference";

}  // namespace

absl::StatusOr<std::unique_ptr<EngineServer>> EngineServer::Start(const EngineFlags& flags) {
  auto server = std::make_unique<EngineServer>(Key());
  ASSIGN_OR_RETURN(server->host_, ModelHost::Start(flags, server->metrics_));
  server->gpus_ = engine::GpuFigures::Open(engine::GpuFigures::kLibrary, server->metrics_);
  RETURN_IF_ERROR(server->Listen(flags));
  return server;
}

absl::Status EngineServer::Listen(const EngineFlags& flags) {
  if (flags.reflection) EnableReflection();
  inference_service_ = std::make_unique<InferenceService>(engine());
  load_service_ = std::make_unique<LoadService>(engine());
  admin_service_ = std::make_unique<AdminService>(*host_, [this] { Drain(); });
  ASSIGN_OR_RETURN(grpc_server_, GrpcServer::Start({.address = flags.listen, .tls = flags.tls},
                                                   {inference_service_.get(), load_service_.get()}));
  ASSIGN_OR_RETURN(admin_server_,
                   GrpcServer::Start({.address = flags.admin, .tls = flags.tls}, {admin_service_.get()}));
  ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(flags.metrics, metrics_, [this] { return Serving(); },
                                                         [this] { RefreshMetrics(); }));
  UpdateHealth();
  return absl::OkStatus();
}

EngineServer::~EngineServer() {
  metrics_server_.reset();
  if (host_) host_->Stop();
  if (load_service_) load_service_->EndWatches();
  if (grpc_server_) grpc_server_->Shutdown(absl::ZeroDuration());
  if (admin_server_) admin_server_->Shutdown(absl::ZeroDuration());
}

std::string EngineServer::Addresses() const {
  return absl::StrCat("grpc=", grpc_server_->address(), " admin=", admin_server_->address(),
                      " metrics=", metrics_server_->address());
}

bool EngineServer::Serving() const {
  return host_->Ready() && engine().Healthy() && !engine().CurrentLoad().draining();
}

void EngineServer::UpdateHealth() {
  host_->Sweep();
  const bool serving = Serving();
  if (serving != serving_) HG_LOG(Info, "health serving=", serving);
  serving_ = serving;
  grpc_server_->SetServing(serving, {kInference});
}

void EngineServer::RefreshMetrics() {
  engine().RefreshMetrics();
  if (gpus_) gpus_->Refresh();
}

void EngineServer::Drain() { engine().Drain(); }

}  // namespace headgate::services
