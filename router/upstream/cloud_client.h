// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The way to the cloud: DeepSeek's chat completions over libcurl. The only code that sends content out of the cluster,
// and it takes nothing but a CloudPrompt.
//
// What leaves: the body of cloud_wire.h and five headers (Host, Content-Type, Accept, Authorization, User-Agent); now
// and then a question for the balance, without a body (cloud_balance.h). Never used: proxies or credentials of the
// environment, redirects, cookies. Answers other than 200 are read for their status and Retry-After, and a 429 for the
// limit that it names.
//
// Thread-safety: executor thread only. The client must be destroyed before its io_context; streams that outlive it end
// with UNAVAILABLE.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

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

struct CloudSecrets {
  CloudSecrets(std::string api_key) : api_keys({std::move(api_key)}) {}  // NOLINT: implicit
  CloudSecrets(const char* api_key) : CloudSecrets(std::string(api_key)) {}  // NOLINT: implicit
  CloudSecrets(std::vector<std::string> keys, std::string salt)
      : api_keys(std::move(keys)), user_id_salt(std::move(salt)) {}
  std::vector<std::string> api_keys;  // used in turn (key_ring.h)
  std::string user_id_salt;           // tenants are named to the cloud by an HMAC under it; empty: not at all
};

// INVALID_ARGUMENT when the URL or a key cannot be used. `clock` and `metrics` must outlive the client.
absl::StatusOr<std::unique_ptr<CloudUpstream>> MakeCloudClient(Executor executor, Clock& clock,
                                                               const CloudConfig& config, CloudSecrets secrets,
                                                               Metrics& metrics);

}  // namespace headgate::router
