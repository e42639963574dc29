// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What surrounds a prompt: who sent it, how and until when. Values only.
#pragma once

#include <string>

#include "common/clock.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::router {

struct RequestHead {
  std::string request_id;      // ours, or the client's x-request-id when it is 1..128 bytes of [A-Za-z0-9_-]
  std::string api;             // `grpc.Generate`, `grpc.GenerateStream`, `http.chat_completions`, ...
  std::string api_key;         // as presented (bearer token or x-api-key metadata); never logged
  std::string peer_identity;   // subject of the verified client certificate, empty without mTLS
  MonotonicTime received;
  MonotonicTime deadline = absl::InfiniteDuration();  // the client's, absolute
  bool whole = false;          // the client gets its answer in one piece, when it is complete
  bool cacheable = false;      // the client says that an earlier answer to the same question will do
  std::string trace;           // W3C trace context as `traceparent` says it, or empty; never sent to a cloud
  // From the header x-headgate-sensitivity; the prompt may declare one too: the higher counts.
  v1::SensitivityLevel declared_sensitivity = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
};

}  // namespace headgate::router
