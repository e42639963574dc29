// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate-router: parse, wire, serve, drain.
#include <sched.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/tls.h"
#include "router/audit.h"
#include "services/command_line.h"
#include "services/router/router_server.h"

namespace headgate::services {
namespace {

constexpr char kVersion[] = "headgate-router 0.2.0-dev";

// Thousands of streams need thousands of descriptors; the soft limit is often 1,024.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) HG_LOG(Warning, "cannot raise the limit of open files");
}

// For the calling thread and those that it starts. Under SCHED_BATCH a thread that is woken waits for its turn instead
// of interrupting whoever woke it: without this the executor and gRPC's threads interrupt each other some three times a
// request, a third of what a request over gRPC costs on one core. An operator's own choice of a policy stays.
bool SetPolicy(int from, int to) {
  const sched_param none{};
  return sched_getscheduler(0) == from && sched_setscheduler(0, to, &none) == 0;
}

LogSeverity SeverityOf(const std::string& name) {
  if (name == "debug") return LogSeverity::kDebug;
  if (name == "warning") return LogSeverity::kWarning;
  if (name == "error") return LogSeverity::kError;
  return LogSeverity::kInfo;
}

int Fail(const absl::Status& status) {
  std::cerr << "headgate-router: " << status.message() << "\n";
  return 1;
}

int Run(const RouterFlags& flags, bool check_only) {
  // Before anything reads a key or a prompt, and before gRPC starts.
  ForbidCoreDumps();
  auto rules = LoadRules(flags);
  if (!rules.ok()) return Fail(rules.status());
  const router::RouterConfig& config = (*rules)->config;
  if (check_only) {
    const absl::Status audit = router::CheckAuditDirectory(config.audit);
    if (!audit.ok()) return Fail(audit);
    std::cout << "configuration OK, version " << config.version << "\n";
    return 0;
  }
  RequireTls13ForGrpc(config.listen.tls.allow_tls12 || config.listen.admin_tls.allow_tls12);
  RaiseFileLimit();

  // Debian's Abseil looks for cycles at every lock of gRPC's, and would end the process for one.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  boost::asio::io_context io(1);
  const bool polite = SetPolicy(SCHED_OTHER, SCHED_BATCH);
  auto server = RouterServer::Start(io, flags, *std::move(rules));
  if (!server.ok()) return Fail(server.status());
  if (polite) SetPolicy(SCHED_BATCH, SCHED_OTHER);  // the executor's thread waits for nobody
  std::cout << (*server)->ListeningLine() << std::endl;
  io.run();
  HG_LOG(Info, "stopped");
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("The gate: decides for every LLM request whether it may leave the cluster, and forwards it.",
               "headgate-router");
  RouterFlags flags;
  std::string log_level = "info";
  bool check_only = false;
  app.add_option("--config", flags.config_file, "Configuration file (YAML, docs/configuration.md)")->required();
  app.add_flag("--check-config", check_only, "Check the configuration and the files it names, and exit");
  app.add_option("--log-level", log_level, "debug | info | warning | error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.set_version_flag("--version", kVersion);
  app.footer("Signals: SIGHUP reads the configuration again; SIGTERM and SIGINT drain and stop, a second one stops at "
             "once.\nEnvironment: HEADGATE_LOOPBACK_CLOUD_ONLY=1 refuses any cloud that is not on this machine.");
  if (const auto exit_code = ParseCommandLine(app, argc, argv)) return *exit_code;
  SetLogSeverity(SeverityOf(log_level));
  const char* loopback = std::getenv("HEADGATE_LOOPBACK_CLOUD_ONLY");
  flags.load.loopback_cloud_only = loopback != nullptr && *loopback != '\0' && std::string_view(loopback) != "0";
  return Run(flags, check_only);
}

}  // namespace
}  // namespace headgate::services

int main(int argc, char** argv) { return headgate::services::Main(argc, argv); }
