// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// From the command line's words to a loaded model.
//
// Thread-safety: plain functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"
#include "engine/engine.h"
#include "services/engine/flags.h"

namespace headgate::services {

struct LoadedModel {
  std::unique_ptr<engine::Backend> backend;
  std::vector<std::string> lost;  // copies that are not good, and why
  double seconds = 0;             // to check and load
};

// `file`: a model or a manifest with copies; empty = that of the flags. With --reference another toy model, named so.
absl::StatusOr<LoadedModel> LoadModel(const EngineFlags& flags, const std::string& file);

engine::EngineConfig EngineConfigOf(const EngineFlags& flags);

// A list of prompts whose prefixes are to be cached, a JSON object a line: {"system": ..., "tenant": ..., "adapter":
// ...}, the last two where needed. INVALID_ARGUMENT names file and line.
struct WarmUpPrompt {
  std::string system;
  std::string tenant;
  std::string adapter;
};
absl::StatusOr<std::vector<WarmUpPrompt>> ReadWarmUpPrompts(const std::string& file);
// Computes them one after the other; returns how many. Those that the engine refuses are logged by their line.
int WarmUp(engine::Engine& engine, const std::vector<WarmUpPrompt>& prompts);

}  // namespace headgate::services
