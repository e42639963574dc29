// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Which files a configuration is made of: for whoever watches them, also when they were refused.
//
// Thread-safety: pure functions of the files.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "router/config.h"

namespace headgate::router {

struct ConfigFiles {
  std::vector<std::string> paths;
  std::string fingerprint;  // FileWatch's, as they were read
};

// As LoadRouterConfig without `files`; these are filled in any case.
absl::StatusOr<RouterConfig> LoadRouterConfig(const std::string& path, const LoadOptions& options, ConfigFiles& files);

}  // namespace headgate::router
