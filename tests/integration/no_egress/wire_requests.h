// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A generated request as it goes over the wire: OpenAI's JSON bodies and HTTP headers, gRPC's other calls.
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "headgate/v1/inference.pb.h"
#include "headgate/v1/router.pb.h"
#include "tests/integration/no_egress/canary_requests.h"

namespace headgate::router {

struct WireRequest {
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
// For kHttpStream, kHttp and kHttpEmbed.
WireRequest ToHttp(const CanaryRequest& made, const std::string& request_id);
v1::EmbedRequest ToEmbed(const CanaryRequest& made);
v1::CountTokensRequest ToCount(const CanaryRequest& made);
v1::ExplainRequest ToExplain(const CanaryRequest& made);
// `confidential`; empty when unspecified.
std::string DeclaredLevel(v1::SensitivityLevel level);

}  // namespace headgate::router
