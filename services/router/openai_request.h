// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// OpenAI's request bodies -> our requests. Every field is taken, ignored because it cannot change the answer, or
// refused by name: docs/api.md has the table. A string that is ignored goes nowhere; one that is taken is in the
// proto, so screening reads it.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "headgate/v1/inference.pb.h"

namespace headgate::services {

struct OpenAiRequest {
  v1::GenerateRequest content;
  bool chat = true;  // false: /v1/completions
  bool stream = false;
  bool include_usage = false;
};

struct OpenAiEmbedRequest {
  v1::EmbedRequest content;
  bool base64 = false;
};

// INVALID_ARGUMENT with ParamOf (openai_json.h). Ranges are not checked here: admission does, for every wire.
absl::StatusOr<OpenAiRequest> ParseChatRequest(std::string_view body);
absl::StatusOr<OpenAiRequest> ParseCompletionRequest(std::string_view body);
absl::StatusOr<OpenAiEmbedRequest> ParseEmbedRequest(std::string_view body);

// `public`, `internal`, `confidential`, `restricted`, in any case; INVALID_ARGUMENT for anything else.
absl::StatusOr<v1::SensitivityLevel> ParseSensitivity(std::string_view name);
std::string_view SensitivityName(v1::SensitivityLevel level);

}  // namespace headgate::services
