// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// SystemWorld: RouterWorld with an engine that can be the real model and can come back on its port, and what the
// kernel says about the router's process.
//
// Thread-safety: none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/integration/router/router_world.h"
#include "tests/integration/system/stream_call.h"

namespace headgate {

// Sanitizers slow everything down and keep freed memory: fewer streams, no bound on memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct ProcessUse {
  double rss_mib = 0;      // resident
  double cpu_seconds = 0;  // user and system
  std::optional<int> open_files;  // none: only root may look, because the router forbids core dumps
};

class SystemWorld : public RouterWorld {
 protected:
  // --reference or --model FILE and more; `address` for Inference: where an earlier engine was, or any port.
  void StartEngineAt(const std::string& address, std::vector<std::string> arguments);
  // Emulator, engine, router; until the router has heard from the engine.
  void StartSystem(const RouterYaml& yaml, std::vector<std::string> engine_arguments);
  void WaitForEngine() const;
  // The sum over all label sets; -1 when absent.
  double EngineMetric(const std::string& name) const;
  // Nothing in flight anywhere: router, engine (streams and metric), emulator.
  void WaitForRest() const;
  ProcessUse Use(const Process& process) const;

  std::string engine_metrics_;
};

}  // namespace headgate
