// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Manifests of models from arbitrary text: read, or refused by a short complaint that names the file.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/model_store.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headgate::engine;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = ParseManifest(text, "folder/m.json");
  if (!manifest.ok()) {
    const std::string complaint(manifest.status().message());
    Check(complaint.size() <= 256 && complaint.rfind("folder/m.json: ", 0) == 0);
    return 0;
  }
  Check(manifest->bytes >= 0 && (manifest->sha256.size() == 64 || manifest->md5.size() == 32));
  Check(manifest->copies.size() <= 16);
  for (const std::string& copy : manifest->copies) Check(!copy.empty());
  return 0;
}
