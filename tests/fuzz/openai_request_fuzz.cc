// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The OpenAI request parsers on arbitrary bytes: they never crash, a complaint is short (so that it cannot carry the
// body), and text that was taken survives being written as JSON and read again. The first byte chooses the parser.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "services/router/openai_json.h"
#include "services/router/openai_request.h"

namespace {

using namespace headgate::services;

void CheckComplaint(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument || status.message().size() > 512) std::abort();
}

void CheckRoundTrip(std::string_view text) {
  std::string json;
  AppendJsonString(json, text);
  const auto parsed = ParseJson(json);
  if (!parsed.ok() || parsed->get<std::string>() != text) std::abort();
}

void CheckGenerate(const absl::StatusOr<OpenAiRequest>& request) {
  if (!request.ok()) return CheckComplaint(request.status());
  CheckRoundTrip(request->content.model());
  CheckRoundTrip(request->content.prompt());
  for (const auto& message : request->content.messages()) CheckRoundTrip(message.content());
  // What a schema became is JSON again.
  for (const auto& tool : request->content.tools()) {
    if (!tool.parameters_json().empty() && !ParseJson(tool.parameters_json()).ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      CheckGenerate(ParseChatRequest(body));
      break;
    case 1:
      CheckGenerate(ParseCompletionRequest(body));
      break;
    default: {
      const auto request = ParseEmbedRequest(body);
      if (!request.ok()) CheckComplaint(request.status());
    }
  }
  return 0;
}
