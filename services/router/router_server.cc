// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/router_server.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <typeinfo>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "boost/asio/co_spawn.hpp"
#include "boost/asio/post.hpp"
#include "common/log.h"
#include "common/status_macros.h"
#include "router/upstream/cloud_client.h"
#include "router/upstream/endpoint_watch.h"
#include "router/upstream/engine_client.h"
#include "router/upstream/openai_engine.h"

namespace headgate::services {
namespace {

constexpr absl::Duration kWatchInterval = absl::Seconds(2);
constexpr size_t kKeyBytesMax = 1 << 16;
constexpr size_t kInspectThreadsMax = 4, kInspectWaitingMax = 64;  // for large requests

std::string OneLine(const absl::Status& status) {
  return absl::StrReplaceAll(std::string(status.message()), {{"\n", " | "}});
}

absl::StatusOr<std::vector<std::string>> CloudKeys(const router::CloudConfig& config) {
  std::vector<std::string> files = config.api_key_files;
  if (!config.api_key_file.empty()) files.push_back(config.api_key_file);
  std::vector<std::string> keys;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string key, ReadFile(file, kKeyBytesMax));
    keys.emplace_back(absl::StripAsciiWhitespace(key));
  }
  if (!keys.empty()) return keys;
  if (config.api_key_env.empty()) return std::vector<std::string>{""};
  const char* key = std::getenv(config.api_key_env.c_str());
  if (key == nullptr || *key == '\0') {
    return absl::InvalidArgumentError(
        absl::StrCat("cloud.api_key_env: the environment variable ", config.api_key_env, " is not set"));
  }
  return std::vector<std::string>{key};
}

std::vector<std::string> TlsFiles(const TlsConfig& tls) {
  std::vector<std::string> files;
  for (const std::string& file : {tls.certificate_file, tls.key_file, tls.ca_file}) {
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

std::string TlsPaths(const TlsConfig& tls) {
  return absl::StrCat(tls.certificate_file, "|", tls.key_file, "|", tls.ca_file, "|", tls.allow_tls12);
}

// A background coroutine must not end by an exception; if one does, going on would be guessing.
void DieOnException(std::exception_ptr error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    // The kind only: its text could quote a request.
    HG_LOG(Error, "a background task ended by an exception of type ", typeid(e).name());
    std::abort();
  }
}

bool NeedsKubernetes(const router::LocalConfig& local) {
  return std::any_of(local.endpoints.begin(), local.endpoints.end(),
                     [](const router::EndpointConfig& endpoint) { return !endpoint.service.empty(); });
}

bool SameClouds(const router::RouterConfig& a, const router::RouterConfig& b) {
  const auto same_cloud = [](const router::CloudConfig& x, const router::CloudConfig& y) {
    return x.name == y.name && x.base_url == y.base_url && x.model == y.model && x.api_key_file == y.api_key_file &&
           x.api_key_env == y.api_key_env && x.api_key_files == y.api_key_files && x.dialect == y.dialect &&
           x.body_members == y.body_members && x.concurrency_max == y.concurrency_max;
  };
  const auto same_choice = [](const router::CloudChoiceConfig& x, const router::CloudChoiceConfig& y) {
    return x.cloud == y.cloud && x.scenario == y.scenario && x.tenants == y.tenants;
  };
  return std::equal(a.clouds.begin(), a.clouds.end(), b.clouds.begin(), b.clouds.end(), same_cloud) &&
         std::equal(a.cloud_choice.begin(), a.cloud_choice.end(), b.cloud_choice.begin(), b.cloud_choice.end(),
                    same_choice);
}

void WarnOfRestart(const router::RouterConfig& now, const router::RouterConfig& then) {
  const std::pair<const char*, bool> rows[] = {
      {"listen.grpc", now.listen.grpc != then.listen.grpc},
      {"listen.http", now.listen.http != then.listen.http},
      {"listen.admin", now.listen.admin != then.listen.admin},
      {"listen.metrics", now.listen.metrics != then.listen.metrics},
      {"listen.tls", TlsPaths(now.listen.tls) != TlsPaths(then.listen.tls)},
      {"listen.admin_tls", TlsPaths(now.listen.admin_tls) != TlsPaths(then.listen.admin_tls)},
      {"listen.admin_key_sha256", now.listen.admin_key_sha256 != then.listen.admin_key_sha256},
      {"listen.reflection", now.listen.reflection != then.listen.reflection},
      {"limits.body_bytes_max", now.limits.body_bytes_max != then.limits.body_bytes_max},
      {"cloud.enabled", now.cloud.enabled != then.cloud.enabled},
      {"cloud.name", now.cloud.name != then.cloud.name},
      {"cloud.base_url", now.cloud.base_url != then.cloud.base_url},
      {"cloud.model", now.cloud.model != then.cloud.model},
      {"cloud.api_key_file", now.cloud.api_key_file != then.cloud.api_key_file},
      {"cloud.api_key_env", now.cloud.api_key_env != then.cloud.api_key_env},
      {"cloud.api_key_files", now.cloud.api_key_files != then.cloud.api_key_files},
      {"cloud.ca_file", now.cloud.ca_file != then.cloud.ca_file},
      {"cloud.thinking", now.cloud.thinking != then.cloud.thinking},
      {"cloud.user_id", now.cloud.user_id != then.cloud.user_id},
      {"cloud.connections_max", now.cloud.connections_max != then.cloud.connections_max},
      {"cloud.balance_interval", now.cloud.balance_interval != then.cloud.balance_interval},
      {"cloud.balance_min_micro_units", now.cloud.balance_min_micro_units != then.cloud.balance_min_micro_units},
      {"cloud.connect_timeout", now.cloud.connect_timeout != then.cloud.connect_timeout},
      {"cloud.first_token_timeout", now.cloud.first_token_timeout != then.cloud.first_token_timeout},
      {"cloud.idle_timeout", now.cloud.idle_timeout != then.cloud.idle_timeout},
      {"clouds or cloud_choice", !SameClouds(now, then)},
      {"sharing", now.sharing.redis != then.sharing.redis || now.sharing.routers != then.sharing.routers ||
                      now.sharing.prefix != then.sharing.prefix || now.sharing.interval != then.sharing.interval},
      {"local.tls", TlsPaths(now.local.tls) != TlsPaths(then.local.tls)},
      {"local.kubernetes", now.local.kubernetes.api != then.local.kubernetes.api ||
                               now.local.kubernetes.token_file != then.local.kubernetes.token_file ||
                               now.local.kubernetes.ca_file != then.local.kubernetes.ca_file},
      {"audit.directory", now.audit.directory != then.audit.directory},
      {"audit.key_file", now.audit.key_file != then.audit.key_file},
      {"audit.key_env", now.audit.key_env != then.audit.key_env},
      {"audit.durability", now.audit.durability != then.audit.durability},
      {"audit.segment_bytes_max", now.audit.segment_bytes_max != then.audit.segment_bytes_max},
      {"audit.segment_age_max", now.audit.segment_age_max != then.audit.segment_age_max},
      {"audit.sync_interval", now.audit.sync_interval != then.audit.sync_interval},
      {"audit.anchor_interval", now.audit.anchor_interval != then.audit.anchor_interval},
      {"audit.payload", now.audit.payload.key_file != then.audit.payload.key_file ||
                            now.audit.payload.key_env != then.audit.payload.key_env ||
                            now.audit.payload.tenants != then.audit.payload.tenants},
  };
  for (const auto& [name, changed] : rows) {
    if (changed) HG_LOG(Warning, name, " was changed: takes effect at the next start");
  }
}

// The cloud client stays as it was made: so do the route, the price and the record that name what it sends, and where.
router::CloudConfig CloudInForce(const router::CloudConfig& now, router::CloudConfig then) {
  then.concurrency_max = now.concurrency_max;
  then.calls_per_day = now.calls_per_day;
  then.calls_per_day_ratio = now.calls_per_day_ratio;
  then.attempts_max = now.attempts_max;
  then.backoff_base = now.backoff_base;
  then.backoff_max = now.backoff_max;
  then.breaker_failures = now.breaker_failures;
  then.breaker_open = now.breaker_open;
  return then;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const router::Rules>> LoadRules(const RouterFlags& flags,
                                                               const router::RouterConfig* started,
                                                               router::ConfigFiles* files) {
  router::ConfigFiles read;
  if (files == nullptr) files = &read;
  ASSIGN_OR_RETURN(router::RouterConfig config, router::LoadRouterConfig(flags.config_file, flags.load, *files));
  if (config.listen.admin_key_sha256.empty() && !IsLoopbackAddress(config.listen.admin)) {
    return absl::InvalidArgumentError(absl::StrCat(flags.config_file, ": listen.admin: ", config.listen.admin,
                                                   " is not loopback: listen.admin_key_sha256 is required"));
  }
  if (config.cloud.enabled) RETURN_IF_ERROR(CloudKeys(config.cloud).status());
  for (const router::CloudConfig& cloud : config.clouds) RETURN_IF_ERROR(CloudKeys(cloud).status());
  if (started != nullptr) {
    WarnOfRestart(config, *started);
    config.cloud = CloudInForce(config.cloud, started->cloud);
    config.clouds = started->clouds;
    config.cloud_choice = started->cloud_choice;
  }
  return router::Rules::Make(std::move(config));
}

RouterServer::RouterServer(Key, boost::asio::io_context& io, RouterFlags flags,
                           std::shared_ptr<const router::Rules> rules)
    : io_(io),
      executor_(io.get_executor()),
      flags_(std::move(flags)),
      rules_(std::move(rules)),
      started_(rules_->config),
      clock_(MakeRealClock(io)),
      random_(SystemRandom()),
      reload_ok_(metrics_.GetGauge("headgate_router_config_last_reload_ok",
                                   "1: the configuration file on disk is in force; 0: it was refused.")),
      call_parts_{executor_, *clock_, random_, calls_,
                  [this](const router::RequestHead& head, absl::StatusCode code) {
                    router_->Refused(router::Refusal::kMalformed, head.api, code, head.request_id);
                  }},
      stop_signals_(executor_, SIGTERM, SIGINT),
      reload_signal_(executor_, SIGHUP) {
  reload_ok_.Set(1);
}

RouterServer::~RouterServer() {
  if (reload_thread_.joinable()) reload_thread_.join();
}

absl::StatusOr<std::unique_ptr<RouterServer>> RouterServer::Start(boost::asio::io_context& io, RouterFlags flags,
                                                                  std::shared_ptr<const router::Rules> rules) {
  auto server = std::make_unique<RouterServer>(Key(), io, std::move(flags), std::move(rules));
  RETURN_IF_ERROR(server->MakeRouter());
  RETURN_IF_ERROR(server->Listen());
  server->WatchReloadSignal();
  server->WatchStopSignals();
  server->WatchFiles();
  return server;
}

absl::Status RouterServer::MakeAudit() {
  const router::AuditConfig& config = rules_->config.audit;
  ASSIGN_OR_RETURN(std::string key, router::ReadAuditKey(config));
  const std::string chain_id = router::Audit::NewChainId(random_);
  ASSIGN_OR_RETURN(auto store, router::OpenAuditFiles(config, chain_id, key, executor_, *clock_));
  audit_ = std::make_unique<router::Audit>(*clock_, std::move(key), std::move(store), chain_id, metrics_, config);
  if (config.payload.enabled()) {
    ASSIGN_OR_RETURN(const std::string payload_key, router::ReadPayloadKey(config.payload));
    audit_->KeepPayloads(payload_key, random_);
    HG_LOG(Warning, "audit.payload: the content of requests and answers is kept, encrypted, in ", config.directory);
  }
  return absl::OkStatus();
}

absl::Status RouterServer::MakeClouds() {
  const router::RouterConfig& config = rules_->config;
  for (size_t i = 0; config.cloud.enabled && i <= config.clouds.size(); ++i) {
    const router::CloudConfig& cloud = router::CloudNumber(config, i);
    ASSIGN_OR_RETURN(std::vector<std::string> keys, CloudKeys(cloud));
    // Secret from the cloud, the same after a restart and in every router with this audit key.
    ASSIGN_OR_RETURN(const std::string audit_key, router::ReadAuditKey(config.audit));
    ASSIGN_OR_RETURN(auto made, router::MakeCloudClient(executor_, *clock_, cloud,
                                                        router::CloudSecrets(std::move(keys),
                                                                             HmacSha256(audit_key, "cloud user_id")),
                                                        metrics_));
    clouds_.push_back(std::move(made));
  }
  return absl::OkStatus();
}

absl::Status RouterServer::MakeSharing() {
  const router::SharingConfig& config = rules_->config.sharing;
  if (!config.enabled()) return absl::OkStatus();
  std::string password;
  if (!config.password_file.empty()) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(config.password_file, kKeyBytesMax));
    password = std::string(absl::StripAsciiWhitespace(text));
  }
  // The same after a restart on this host with this audit log: what that says was spent is then not counted twice.
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  const std::string holder = absl::StrCat(host, ":", Hex(Sha256(rules_->config.audit.directory)).substr(0, 8));
  if (rules_->config.cache.shared) cache_store_ = router::MakeRedisCache(executor_, *clock_, config, password);
  leases_ = router::MakeRedisLeases(executor_, *clock_, config, std::move(password), holder);
  sharing_ = std::make_unique<router::SharedLimits>(executor_, *clock_, config, *leases_, metrics_);
  return absl::OkStatus();
}

absl::Status RouterServer::MakeRouter() {
  const router::RouterConfig& config = rules_->config;
  RETURN_IF_ERROR(MakeAudit());
  RETURN_IF_ERROR(MakeClouds());
  RETURN_IF_ERROR(MakeSharing());
  const auto connect = [this](const router::EndpointConfig& endpoint, const std::string& address,
                              router::EndpointRegistry::OnLoad on_load) {
    const router::LocalConfig& local = rules_->config.local;
    if (endpoint.protocol == router::EndpointConfig::Protocol::kOpenAi) {
      return router::ConnectOpenAiEngine(executor_, *clock_, endpoint, address, local, metrics_, std::move(on_load));
    }
    return router::ConnectEngine(executor_, *clock_, random_, address, local, metrics_, std::move(on_load));
  };
  const auto api = router::KubernetesApi(config.local.kubernetes);
  if (!api.ok() && NeedsKubernetes(config.local)) return api.status();
  router::EndpointRegistry::Watch watch;
  if (api.ok()) {
    watch = router::MakeServiceWatch(executor_, *clock_, random_, config.local.kubernetes, *api, metrics_);
  }
  endpoints_ = std::make_unique<router::EndpointRegistry>(executor_, *clock_, random_, config.local, connect,
                                                          router::MakeDnsResolve(executor_, *clock_), metrics_,
                                                          std::move(watch));
  // Routers that share answers need the same key for them, which is no other key.
  std::string cache_key = random_(32);
  if (cache_store_ != nullptr) {
    ASSIGN_OR_RETURN(const std::string audit_key, router::ReadAuditKey(config.audit));
    cache_key = HmacSha256(audit_key, "response cache");
  }
  std::vector<router::CloudUpstream*> further;
  for (size_t i = 1; i < clouds_.size(); ++i) further.push_back(clouds_[i].get());
  const size_t cores = std::max<size_t>(2, std::thread::hardware_concurrency());
  inspection_ = std::make_unique<router::InspectionPool>(executor_, *clock_, std::min(cores - 1, kInspectThreadsMax),
                                                         kInspectWaitingMax);
  router_ = std::make_unique<router::Router>(
      router::RouterParts{executor_, *clock_, random_, metrics_, *endpoints_,
                          clouds_.empty() ? nullptr : clouds_[0].get(), *audit_, std::move(cache_key),
                          std::move(further), sharing_.get(), cache_store_.get(), inspection_.get()},
      rules_);
  router_->RestoreSpending(config.audit.directory);
  // The router has written the chain's first record: what cannot be audited is not started.
  if (!audit_->writable()) {
    return absl::UnavailableError(absl::StrCat("audit.directory: cannot write to ", config.audit.directory));
  }
  // Standard output is collected outside the pod, where nobody who can change the files can change it.
  audit_->StartAnchors([](const std::string& line) { std::cout << line << std::endl; });
  boost::asio::co_spawn(executor_, endpoints_->Run(background_), &DieOnException);
  if (sharing_) boost::asio::co_spawn(executor_, sharing_->Run(background_), &DieOnException);
  return absl::OkStatus();
}

absl::Status RouterServer::Listen() {
  const router::RouterConfig& config = rules_->config;
  const router::ListenConfig& listen = config.listen;
  const auto ready = [this] { return !draining_; };
  inference_ = std::make_unique<InferenceService>(call_parts_, *router_);
  admin_ = std::make_unique<AdminService>(call_parts_, *router_, listen.admin_key_sha256, [this] { BeginDrain(); });
  api_ = std::make_unique<OpenAiApi>(executor_, *router_, *clock_, random_, calls_, metrics_, ready);

  HttpServerConfig http;
  http.body_bytes_max = static_cast<size_t>(config.limits.body_bytes_max);
  http.connections_max = static_cast<size_t>(config.limits.in_flight_max);
  http.on_refuse = [this](int status) { api_->RefusedUnread(status); };
  http_ = std::make_unique<HttpServer>(
      executor_, *clock_, http,
      [this](const HttpRequest& request, HttpReply& reply, Cancellation& cancellation) {
        return api_->Handle(request, reply, cancellation);
      },
      metrics_);
  std::shared_ptr<TlsContext> tls;
  if (listen.tls.enabled()) {
    ASSIGN_OR_RETURN(tls, MakeTlsContext(listen.tls));
  }
  ASSIGN_OR_RETURN(http_address_, http_->Start(listen.http, std::move(tls)));

  if (listen.reflection) EnableReflection();
  GrpcServerOptions grpc;
  grpc.address = listen.grpc;
  grpc.tls = listen.tls;
  grpc.message_bytes_max = config.limits.body_bytes_max;
  grpc.on_unknown_method = [this] { RefuseUnknownMethod(); };
  ASSIGN_OR_RETURN(grpc_server_, GrpcServer::Start(grpc, {inference_.get()}));
  grpc.address = listen.admin;
  grpc.tls = listen.admin_tls;
  ASSIGN_OR_RETURN(admin_server_, GrpcServer::Start(grpc, {admin_.get()}));
  grpc_server_->SetServing(true, {std::string(v1::Inference::service_full_name())});
  ASSIGN_OR_RETURN(metrics_server_, MetricsServer::Start(listen.metrics, metrics_, [] { return true; }, [] {}));
  return absl::OkStatus();
}

// From gRPC's threads; one turn of the executor at a time, however many there are.
void RouterServer::RefuseUnknownMethod() {
  if (unknown_methods_.fetch_add(1) > 0) return;
  boost::asio::post(executor_, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    for (int64_t left = unknown_methods_.exchange(0); left > 0; --left) {
      router_->Refused(router::Refusal::kUnknownPath, "grpc", absl::StatusCode::kUnimplemented, "");
    }
  });
}

std::string RouterServer::ListeningLine() const {
  return absl::StrCat("listening grpc=", grpc_server_->address(), " http=", http_address_,
                      " admin=", admin_server_->address(), " metrics=", metrics_server_->address());
}

void RouterServer::WatchReloadSignal() {
  reload_signal_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    if (tls_watch_) tls_watch_->CheckNow();
    Reload("SIGHUP");
    WatchReloadSignal();
  });
}

void RouterServer::WatchFiles() {
  config_watch_ =
      std::make_unique<FileWatch>(executor_, *clock_, kWatchInterval, [this] { Reload("file change"); });
  config_watch_->Watch(rules_->config.files, rules_->config.files_fingerprint);
  if (!started_.listen.tls.enabled()) return;
  const std::vector<std::string> files = TlsFiles(started_.listen.tls);
  tls_watch_ = std::make_unique<FileWatch>(executor_, *clock_, kWatchInterval, [this] { ReloadTls(); });
  tls_watch_->Watch(files, FileWatch::Fingerprint(files));
}

// gRPC watches its files itself (grpc_server.cc).
void RouterServer::ReloadTls() {
  auto context = MakeTlsContext(started_.listen.tls);
  if (!context.ok()) {
    HG_LOG(Error, "tls: new files refused, the old ones stay in force: ", OneLine(context.status()));
    return;
  }
  http_->SetTls(*std::move(context));
  HG_LOG(Info, "tls: certificate files read again");
}

// Rules are made on a thread of their own: a large dictionary takes longer to compile than a request may wait. One at a
// time; what changes meanwhile is read afterwards.
void RouterServer::Reload(const char* why) {
  if (reloading_) {
    reload_again_ = true;
    return;
  }
  reloading_ = true;
  if (reload_thread_.joinable()) reload_thread_.join();  // it has handed its rules over
  reload_thread_ = std::thread([this, why, alive = std::weak_ptr<const bool>(alive_)] {
    router::ConfigFiles files;
    auto rules = LoadRules(flags_, &started_, &files);
    boost::asio::post(io_, [this, why, alive, rules = std::move(rules), files = std::move(files)]() mutable {
      if (alive.expired()) return;
      // Those of a refused one too: who corrects a file that only it names need not touch another.
      config_watch_->Watch(std::move(files.paths), std::move(files.fingerprint));
      FinishReload(why, std::move(rules));
    });
  });
}

void RouterServer::FinishReload(const char* why, absl::StatusOr<std::shared_ptr<const router::Rules>> rules) {
  reloading_ = false;
  if (std::exchange(reload_again_, false)) return Reload(why);
  metrics_
      .GetCounter("headgate_router_config_reloads_total", "Configuration reloads by result.",
                  {{"result", rules.ok() ? "ok" : "refused"}})
      .Increment();
  reload_ok_.Set(rules.ok() ? 1 : 0);
  if (!rules.ok()) {
    HG_LOG(Error, "configuration refused (", why, "), version ", rules_->config.version,
           " stays in force: ", OneLine(rules.status()));
    const absl::Status audited = router_->RecordAdmin("configuration refused");
    if (!audited.ok()) HG_LOG(Error, "audit: ", OneLine(audited));
    return;
  }
  rules_ = *std::move(rules);
  router_->Apply(rules_);
  HG_LOG(Info, "configuration version ", rules_->config.version, " in force (", why, ")");
}

}  // namespace headgate::services
