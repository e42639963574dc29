// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The way to the cloud: DeepSeek's chat completions over libcurl. The only code that sends content out of the cluster,
// and it takes nothing but a CloudPrompt.
//
// What leaves: the body of cloud_wire.h and five headers (Host, Content-Type, Accept, Authorization, User-Agent). Never
// used: proxies or credentials of the environment, redirects, cookies. Answers other than 200 are read for their status
// and Retry-After only.
//
// Thread-safety: executor thread only. The client must be destroyed before its io_context; streams that outlive it end
// with UNAVAILABLE.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "common/task.h"
#include "router/config.h"
#include "router/upstream/inference_client.h"

namespace headgate::router {

// OK when content may be sent to `base_url`: https, or plain http when the host is `localhost` or a loopback address;
// no user, password, query or fragment. INVALID_ARGUMENT otherwise.
absl::Status CheckCloudUrl(const std::string& base_url);

// INVALID_ARGUMENT when the URL or the key cannot be used. `clock` and `metrics` must outlive the client.
absl::StatusOr<std::unique_ptr<CloudUpstream>> MakeCloudClient(Executor executor, Clock& clock,
                                                               const CloudConfig& config, const std::string& api_key,
                                                               Metrics& metrics);

}  // namespace headgate::router
