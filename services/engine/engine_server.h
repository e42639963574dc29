// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// EngineServer: everything headgate-engine serves, wired: model, engine, two gRPC listeners, metrics.
//
// Thread-safety: Drain from any thread; the rest from the main thread.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/metrics.h"
#include "engine/gpu_figures.h"
#include "services/engine/admin_service.h"
#include "services/engine/flags.h"
#include "services/engine/inference_service.h"
#include "services/engine/load_service.h"
#include "services/engine/model_host.h"
#include "services/grpc_server.h"
#include "services/metrics_server.h"

namespace headgate::services {

class EngineServer {
  struct Key {};  // only Start makes one

 public:
  explicit EngineServer(Key) {}
  // Loads the model and serves. Errors name the file or the address.
  static absl::StatusOr<std::unique_ptr<EngineServer>> Start(const EngineFlags& flags);
  ~EngineServer();

  // `grpc=IP:PORT admin=IP:PORT metrics=IP:PORT`
  std::string Addresses() const;
  // Brings gRPC health in line with the engine's: call several times a second.
  void UpdateHealth();
  // New requests are refused, accepted ones finish.
  void Drain();
  // Nothing is left to compute, and clients have been sent all of it.
  bool Drained() const { return engine().Drained() && inference_service_->open_calls() == 0; }
  int InFlight() const { return inference_service_->open_calls(); }

 private:
  bool Serving() const;
  void RefreshMetrics();
  engine::Engine& engine() const { return host_->engine(); }
  absl::Status Listen(const EngineFlags& flags);

  Metrics metrics_;
  std::unique_ptr<engine::GpuFigures> gpus_;  // nullptr without any
  std::unique_ptr<ModelHost> host_;
  std::unique_ptr<InferenceService> inference_service_;
  std::unique_ptr<LoadService> load_service_;
  std::unique_ptr<AdminService> admin_service_;
  std::unique_ptr<GrpcServer> grpc_server_;
  std::unique_ptr<GrpcServer> admin_server_;
  std::unique_ptr<MetricsServer> metrics_server_;
  bool serving_ = false;
};

}  // namespace headgate::services
