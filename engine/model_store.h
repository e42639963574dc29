// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// model_store: a model file and the manifest beside it (`<file>.manifest.json`: {"sha256": hex, "bytes": n,
// "name": ...}).
// The digest is checked before the file is loaded; without a manifest the caller decides.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace headgate::engine {

struct ModelManifest {
  std::string sha256;  // hex
  int64_t bytes = 0;
  std::string name;    // served model name
};

// nullopt when there is none; INVALID_ARGUMENT names file and key.
absl::StatusOr<std::optional<ModelManifest>> ReadManifest(const std::string& model_path);
// NOT_FOUND, DATA_LOSS (size or digest differ; says both), or OK.
absl::Status VerifyModel(const std::string& model_path, const ModelManifest& manifest);
// Writes the manifest for a file (tools/setup and `headgate-engine --write-manifest`).
absl::Status WriteManifest(const std::string& model_path, const std::string& name);

}  // namespace headgate::engine
