// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RouterServer: everything one headgate-router process is made of, wired together: stages, upstreams, the three front
// doors, reload and drain. Holds no decision about requests.
//
// Thread-safety: the thread that runs `io`.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "boost/asio/signal_set.hpp"
#include "common/clock.h"
#include "common/file_watch.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/config_files.h"
#include "router/router.h"
#include "services/grpc_server.h"
#include "services/metrics_server.h"
#include "services/router/admin_service.h"
#include "services/router/calls.h"
#include "services/router/http_server.h"
#include "services/router/inference_service.h"
#include "services/router/openai_api.h"

namespace headgate::services {

struct RouterFlags {
  std::string config_file;
  router::LoadOptions load;
};

// The whole check that a start does before it binds anything: configuration, rules, audit key, TLS files. `files`:
// those that were read, also when they are refused.
absl::StatusOr<std::shared_ptr<const router::Rules>> LoadRules(const RouterFlags& flags,
                                                               const router::RouterConfig* started = nullptr,
                                                               router::ConfigFiles* files = nullptr);

class RouterServer {
  struct Key {};  // only Start makes one

 public:
  RouterServer(Key, boost::asio::io_context& io, RouterFlags flags, std::shared_ptr<const router::Rules> rules);
  // Binds all addresses; the error says what is wrong with which setting. `io` must outlive it.
  static absl::StatusOr<std::unique_ptr<RouterServer>> Start(boost::asio::io_context& io, RouterFlags flags,
                                                             std::shared_ptr<const router::Rules> rules);
  ~RouterServer();

  // `listening grpc=IP:PORT http=IP:PORT admin=IP:PORT metrics=IP:PORT`
  std::string ListeningLine() const;

 private:
  absl::Status MakeAudit();
  absl::Status MakeClouds();
  absl::Status MakeSharing();
  absl::Status MakeRouter();
  absl::Status Listen();
  void RefuseUnknownMethod();
  void WatchReloadSignal();
  void WatchStopSignals();
  void WatchFiles();

  void Reload(const char* why);
  void FinishReload(const char* why, absl::StatusOr<std::shared_ptr<const router::Rules>> rules);
  void ReloadTls();

  void BeginDrain();
  Task<void> ShutDown();
  // True when `done` is before `deadline`.
  Task<bool> WaitFor(std::function<bool()> done, MonotonicTime deadline);

  boost::asio::io_context& io_;
  const Executor executor_;
  const RouterFlags flags_;
  std::shared_ptr<const router::Rules> rules_;  // in force
  const router::RouterConfig started_;          // what needs a restart to change

  const std::unique_ptr<Clock> clock_;
  const RandomBytes random_;
  Metrics metrics_;
  Gauge& reload_ok_;
  Calls calls_;
  const CallParts call_parts_;

  // In order of dependence: what stands later may use what stands earlier.
  std::unique_ptr<router::Audit> audit_;
  std::vector<std::unique_ptr<router::CloudUpstream>> clouds_;  // by number (router/cloud_choice.h)
  std::unique_ptr<router::LeaseStore> leases_;
  std::unique_ptr<router::SharedLimits> sharing_;               // null: no Redis
  std::unique_ptr<router::CacheStore> cache_store_;
  std::unique_ptr<router::EndpointRegistry> endpoints_;
  std::unique_ptr<router::InspectionPool> inspection_;          // ends after what it reads for
  std::unique_ptr<router::Router> router_;
  std::unique_ptr<OpenAiApi> api_;
  std::unique_ptr<InferenceService> inference_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<HttpServer> http_;
  std::string http_address_;
  std::atomic<int64_t> unknown_methods_ = 0;  // calls of gRPC that are not recorded yet
  std::unique_ptr<GrpcServer> grpc_server_;
  std::unique_ptr<GrpcServer> admin_server_;
  std::unique_ptr<MetricsServer> metrics_server_;

  std::unique_ptr<FileWatch> config_watch_;
  std::unique_ptr<FileWatch> tls_watch_;
  boost::asio::basic_signal_set<Executor> stop_signals_;
  boost::asio::basic_signal_set<Executor> reload_signal_;
  std::thread reload_thread_;  // reads the configuration and makes the rules
  bool reloading_ = false, reload_again_ = false;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // for what the thread posts
  Cancellation background_;  // ends the endpoint registry's loop
  bool draining_ = false;
  bool stopping_ = false;
};

}  // namespace headgate::services
