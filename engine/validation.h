// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Validation of requests against inference.proto: everything that does not need the model. The engine refuses what it
// cannot honour instead of ignoring it.
//
// Thread-safety: pure functions.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::engine {

// INVALID_ARGUMENT `<field path>: <what is wrong; what is allowed>`.
absl::Status ValidateGenerate(const v1::GenerateRequest& request);
// The name under which an adapter is loaded.
absl::Status ValidateAdapterName(const std::string& name);
absl::Status ValidateCountTokens(const v1::CountTokensRequest& request);

}  // namespace headgate::engine
