// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// deepseek-emulator: the emulator as a program, for tests of real processes and for the demonstration. Prints
// `listening http=IP:PORT` (https= with a certificate) and serves until SIGTERM or SIGINT.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "CLI/CLI.hpp"
#include "tests/fakes/deepseek_emulator.h"

int main(int argc, char** argv) {
  // Blocked before any thread exists, so that sigwait below is the only one to see them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  headgate::DeepSeekEmulatorOptions options;
  std::string listen = "127.0.0.1:0";
  int64_t token_ms = 0, concurrency = 0;
  CLI::App app("DeepSeek API emulator");
  app.add_option("--listen", listen, "ip:port; port 0 = any free one");
  app.add_option("--tls-cert", options.tls_cert, "PEM certificate chain: serve https");
  app.add_option("--tls-key", options.tls_key, "PEM key");
  app.add_option("--api-key", options.api_keys, "accepted bearer (repeatable); none = any");
  app.add_option("--tokens", options.tokens, "content tokens of an answer");
  app.add_option("--token-ms", token_ms, "milliseconds per token");
  app.add_option("--concurrency", concurrency, "requests at once, per model; 0 = the documented limits");
  app.add_option("--seed", options.seed, "for rules with a probability");
  CLI11_PARSE(app, argc, argv);

  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos) {
    std::fprintf(stderr, "--listen: ip:port expected\n");
    return 2;
  }
  options.address = listen.substr(0, colon);
  options.port = static_cast<uint16_t>(std::atoi(listen.c_str() + colon + 1));
  options.token_interval = absl::Milliseconds(token_ms);
  if (concurrency > 0) options.limits = {concurrency, concurrency};

  auto emulator = headgate::DeepSeekEmulator::Start(options);
  if (!emulator.ok()) {
    std::fprintf(stderr, "%s\n", std::string(emulator.status().message()).c_str());
    return 1;
  }
  std::printf("listening %s=%s:%d\n", options.tls_cert.empty() ? "http" : "https", options.address.c_str(),
              (*emulator)->port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}
