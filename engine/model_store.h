// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// model_store: which file is served, and whether it is whole.
//
// A manifest says what a model file must be: {"sha256": hex, "bytes": n, "name": ..., "copies": [...]}; old ones may
// have "md5" instead. It stands beside its file (`<file>.manifest.json`), or alone, and is then what is served: its
// "copies" name files of equal content, from its own folder where they are relative. The digest is checked before a
// file is loaded; a copy that is damaged or gone is passed over.
//
// Thread-safety: pure functions over files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace headgate::engine {

struct ModelManifest {
  std::string sha256;  // hex; or
  std::string md5;     // hex, in old manifests: finds damage, not forgery
  int64_t bytes = 0;
  std::string name;    // served model name
  std::vector<std::string> copies;  // paths as they can be opened
};

// INVALID_ARGUMENT names `path` and key.
absl::StatusOr<ModelManifest> ParseManifest(std::string_view text, const std::string& path);
// Of the manifest that stands alone at `path`: it must name copies. NOT_FOUND or INVALID_ARGUMENT.
absl::StatusOr<ModelManifest> ReadServedManifest(const std::string& path);
// The one beside a model file; nullopt when there is none; INVALID_ARGUMENT names file and key.
absl::StatusOr<std::optional<ModelManifest>> ReadManifest(const std::string& model_path);
// NOT_FOUND, DATA_LOSS (size or digest differ; says both), or OK.
absl::Status VerifyModel(const std::string& model_path, const ModelManifest& manifest);
// Writes the manifest for a file (tools/setup and `headgate-engine --write-manifest`).
absl::Status WriteManifest(const std::string& model_path, const std::string& name);
// Makes `path` name these files, of equal content, as what is served. A reader sees the old one or the new one, whole.
absl::Status Promote(const std::string& path, const std::string& name, const std::vector<std::string>& copies);

// True when `path` names a manifest that stands alone rather than a model.
bool IsManifestPath(std::string_view path);

// The first copy that is whole and that `load` takes, in the order of the manifest. `lost` gets one line for each copy
// that is not: damaged, gone, of another size, or refused by `load`. Copies behind the first good one are only looked
// at. DATA_LOSS when none is good.
absl::Status UseGoodCopy(const ModelManifest& manifest, const std::function<absl::Status(const std::string&)>& load,
                         std::vector<std::string>& lost);

}  // namespace headgate::engine
