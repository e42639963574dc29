// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/engine/engine_server.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/backend/llama.h"
#include "engine/backend/reference.h"
#include "engine/model_store.h"

namespace headgate::services {
namespace {

constexpr char kInference[] = "headgate.v1.Inference";

// Takes the time that a step of a real model would take.
void Pace(absl::Duration step) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable never;
  never.wait_for(lock, absl::ToChronoNanoseconds(step), [] { return false; });
}

std::unique_ptr<engine::Backend> Reference(const EngineFlags& flags) {
  engine::ReferenceConfig config;
  if (!flags.model_name.empty()) config.model = flags.model_name;
  config.context_tokens = flags.context_tokens;
  config.sequences_max = flags.parallel;
  config.cache_sequences = flags.prefix_cache_entries;
  if (flags.reference_step > absl::ZeroDuration()) {
    config.on_decode = [step = flags.reference_step](int32_t) { Pace(step); };
  }
  return engine::MakeReferenceBackend(config);
}

absl::StatusOr<std::unique_ptr<engine::Backend>> Llama(const EngineFlags& flags) {
  engine::LlamaConfig config;
  config.model_path = flags.model;
  config.model_name = flags.model_name;
  config.model_key = flags.model_key;
  config.context_tokens = flags.context_tokens;
  config.sequences_max = flags.parallel;
  config.cache_sequences = flags.prefix_cache_entries;
  config.threads = flags.threads;
  config.gpu_layers = flags.gpu_layers;
  if (flags.manifest != ManifestCheck::kOff) {
    ASSIGN_OR_RETURN(const auto manifest, engine::ReadManifest(flags.model));
    if (manifest) {
      RETURN_IF_ERROR(engine::VerifyModel(flags.model, *manifest));
      if (config.model_name.empty()) config.model_name = manifest->name;
    } else if (flags.manifest == ManifestCheck::kRequired) {
      return absl::NotFoundError(absl::StrCat(flags.model, ": has no manifest; make one with --write-manifest"));
    }
  }
  return engine::MakeLlamaBackend(config);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EngineServer>> EngineServer::Start(const EngineFlags& flags) {
  auto server = std::make_unique<EngineServer>(Key());
  RETURN_IF_ERROR(server->StartEngine(flags));
  RETURN_IF_ERROR(server->Listen(flags));
  return server;
}

absl::Status EngineServer::StartEngine(const EngineFlags& flags) {
  const MonotonicTime begin = RealTime().Monotonic();
  std::unique_ptr<engine::Backend> backend;
  if (flags.reference) {
    backend = Reference(flags);
  } else {
    ASSIGN_OR_RETURN(backend, Llama(flags));
  }
  const Labels labels = {{"model_name", backend->info().model}, {"engine", "0"}};
  const double seconds = absl::ToDoubleSeconds(RealTime().Monotonic() - begin);
  metrics_.GetGauge("headgate_engine_model_load_seconds", "Time to check and load the model", labels).Set(seconds);
  engine::EngineConfig config;
  config.queue_max = flags.queue_max;
  config.step_prefill_tokens = flags.step_prefill_tokens;
  config.step_target = flags.step_target;
  config.batch_rank_rows = flags.batch_rank_rows;
  config.prefix_cache_tokens = flags.prefix_cache_tokens;
  config.share_between_tenants = flags.share_between_tenants;
  config.warm_up = !flags.reference;
  ASSIGN_OR_RETURN(engine_, engine::Engine::Start(config, std::move(backend), metrics_));
  HG_LOG(Info, "model loaded model=", engine_->info().model, " seconds=", seconds,
         " context_tokens=", engine_->info().context_tokens, " parallel=", engine_->info().sequences_max);
  return absl::OkStatus();
}

absl::Status EngineServer::Listen(const EngineFlags& flags) {
  if (flags.reflection) RETURN_IF_ERROR(EnableReflection());
  inference_service_ = std::make_unique<InferenceService>(*engine_);
  load_service_ = std::make_unique<LoadService>(*engine_);
  admin_service_ = std::make_unique<AdminService>(*engine_, [this] { Drain(); });
  ASSIGN_OR_RETURN(grpc_server_, GrpcServer::Start({.address = flags.listen, .tls = flags.tls},
                                                   {inference_service_.get(), load_service_.get()}));
  ASSIGN_OR_RETURN(admin_server_,
                   GrpcServer::Start({.address = flags.admin, .tls = flags.tls}, {admin_service_.get()}));
  ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(flags.metrics, metrics_, [this] { return Serving(); },
                                                         [this] { engine_->RefreshMetrics(); }));
  UpdateHealth();
  return absl::OkStatus();
}

EngineServer::~EngineServer() {
  metrics_server_.reset();
  if (load_service_) load_service_->EndWatches();
  if (grpc_server_) grpc_server_->Shutdown(absl::ZeroDuration());
  if (admin_server_) admin_server_->Shutdown(absl::ZeroDuration());
}

std::string EngineServer::Addresses() const {
  return absl::StrCat("grpc=", grpc_server_->address(), " admin=", admin_server_->address(),
                      " metrics=", metrics_server_->address());
}

bool EngineServer::Serving() const { return engine_->Healthy() && !engine_->CurrentLoad().draining(); }

void EngineServer::UpdateHealth() {
  const bool serving = Serving();
  if (serving != serving_) HG_LOG(Info, "health serving=", serving);
  serving_ = serving;
  grpc_server_->SetServing(serving, {kInference});
}

void EngineServer::Drain() { engine_->Drain(); }

}  // namespace headgate::services
