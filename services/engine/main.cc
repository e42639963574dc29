// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate-engine: serves one GGUF model. Wiring and signals only.

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <optional>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/hardening.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/tls.h"
#include "engine/encrypted_model.h"
#include "engine/model_store.h"
#include "services/engine/engine_server.h"
#include "services/engine/flags.h"

namespace headgate::services {
namespace {

int signal_fd = -1;

// First SIGTERM or SIGINT: drain. Second: end at once.
void OnSignal(int number) {
  static volatile sig_atomic_t seen = 0;
  if (seen != 0) _exit(128 + number);
  seen = 1;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(signal_fd, &one, sizeof(one));
}

// Only once the server is up: a signal during loading ends the process as usual.
void CatchSignals() {
  signal_fd = eventfd(0, EFD_CLOEXEC);
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool Signalled(int timeout_ms) {
  pollfd fd = {signal_fd, POLLIN, 0};
  return poll(&fd, 1, timeout_ms) > 0;
}

int Serve(const EngineFlags& flags) {
  auto server = EngineServer::Start(flags);
  if (!server.ok()) {
    std::cerr << "headgate-engine: " << server.status().message() << std::endl;
    return 1;
  }
  CatchSignals();
  std::cout << "listening " << (*server)->Addresses() << std::endl;
  while (!Signalled(100)) (*server)->UpdateHealth();

  const MonotonicTime give_up = RealTime().Monotonic() + flags.drain;
  HG_LOG(Info, "draining in_flight=", (*server)->InFlight(), " seconds=", absl::ToDoubleSeconds(flags.drain));
  (*server)->Drain();
  while (!(*server)->Drained() && RealTime().Monotonic() < give_up) {
    (*server)->UpdateHealth();
    poll(nullptr, 0, 20);
  }
  (*server)->UpdateHealth();
  if (!(*server)->Drained()) HG_LOG(Warning, "drain ran out of time in_flight=", (*server)->InFlight());
  server->reset();
  HG_LOG(Info, "stopped");
  return 0;
}

absl::Status Encrypt(const EngineFlags& flags) {
  ASSIGN_OR_RETURN(const engine::ModelKey key, engine::LoadModelKey(flags.model_key));
  RETURN_IF_ERROR(engine::EncryptModel(flags.model, flags.encrypt_to, key, SystemRandom()));
  return flags.write_manifest ? engine::WriteManifest(flags.encrypt_to, flags.model_name) : absl::OkStatus();
}

int Run(int argc, const char* const* argv) {
  std::optional<int> exit_code;
  const EngineFlags flags = ParseEngineFlags(argc, argv, &exit_code);
  if (exit_code) return *exit_code;
  RequireTls13ForGrpc(flags.tls.allow_tls12);
  if (!flags.write_manifest && flags.encrypt_to.empty()) return Serve(flags);
  const absl::Status written =
      flags.encrypt_to.empty() ? engine::WriteManifest(flags.model, flags.model_name) : Encrypt(flags);
  if (!written.ok()) std::cerr << "headgate-engine: " << written.message() << std::endl;
  return written.ok() ? 0 : 1;
}

}  // namespace
}  // namespace headgate::services

int main(int argc, char** argv) {
  headgate::ForbidCoreDumps();
  return headgate::services::Run(argc, argv);
}
