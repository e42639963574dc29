// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// ValidateRequest: the ranges that proto/headgate/v1/inference.proto documents, field by field. A complaint reads
// `messages[1].role: unknown value 9; use 1 to 4`: the field's path up to the first colon, never a text.
#include <unicode/utf8.h>

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/every_byte.h"
#include "common/json_depth.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "router/admission.h"

namespace headgate::router {
namespace {

constexpr int kMessagesMax = 1024;
constexpr size_t kToolCallsMax = 1024;  // of all messages
constexpr int kToolsMax = 128;
constexpr int kStopsMax = 16;
constexpr int64_t kTokensMax = 393216;
constexpr size_t kNameBytesMax = 64;
constexpr size_t kIdBytesMax = 256;  // model, session, user, stop strings and tool call ids
constexpr size_t kSchemaBytesMax = 64 << 10;
constexpr int kJsonDepthMax = 64;

absl::Status Bad(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

bool ValidUtf8(const std::string& text) {
  if (EveryByte(text, [](uint8_t byte) { return byte < 0x80; })) return true;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c = 0;
    U8_NEXT(text.data(), i, size, c);
    if (c < 0) return false;
  }
  return true;
}

// Protobuf's parser checks UTF-8 too, but not every request came through it. The field's path in two parts, put
// together only for a complaint.
absl::Status CheckText(absl::string_view field, absl::string_view member, const std::string& text,
                       size_t bytes_max = INT32_MAX) {
  const bool fits = text.size() <= bytes_max;
  if (fits && ValidUtf8(text)) return absl::OkStatus();
  return Bad(absl::StrCat(field, member), fits ? "not valid UTF-8" : absl::StrCat("longer than ", bytes_max, " bytes"));
}
absl::Status CheckText(absl::string_view field, const std::string& text, size_t bytes_max = INT32_MAX) {
  return CheckText(field, "", text, bytes_max);
}

absl::Status CheckFunctionName(const std::string& field, const std::string& name) {
  bool good = !name.empty() && name.size() <= kNameBytesMax;
  for (const unsigned char c : name) good = good && (absl::ascii_isalnum(c) || c == '_' || c == '-');
  return good ? absl::OkStatus() : Bad(field, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ -");
}

// proto3 keeps unknown enum values as numbers.
absl::Status CheckEnum(absl::string_view field, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  if (value == 0) return Bad(field, "is required");
  return Bad(field, absl::StrCat("unknown value ", value, "; use ", low, " to ", high));
}

// Written so that NaN is out of range.
absl::Status CheckRange(absl::string_view field, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Bad(field, absl::StrFormat("%.7g is out of range; use %.7g to %.7g", value, low, high));
}

absl::Status CheckJsonObject(const std::string& field, const std::string& json) {
  RETURN_IF_ERROR(CheckText(field, json));
  if (JsonDepth(json) > kJsonDepthMax) return Bad(field, absl::StrCat("nested deeper than ", kJsonDepthMax));
  const auto value = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return Bad(field, "must be a JSON object");
  return absl::OkStatus();
}

absl::Status CheckToolCalls(const std::string& field, const v1::Message& message, std::set<std::string>* call_ids) {
  for (int i = 0; i < message.tool_calls_size(); ++i) {
    const v1::ToolCall& call = message.tool_calls(i);
    const std::string path = absl::StrCat(field, ".tool_calls[", i, "]");
    if (call_ids->size() == kToolCallsMax) {
      return Bad(path, absl::StrCat("more than ", kToolCallsMax, " in this conversation"));
    }
    RETURN_IF_ERROR(CheckText(path + ".id", call.id(), kIdBytesMax));
    if (call.id().empty()) return Bad(path + ".id", "is required");
    if (!call_ids->insert(call.id()).second) return Bad(path + ".id", "is used twice in this conversation");
    RETURN_IF_ERROR(CheckFunctionName(path + ".name", call.name()));
    RETURN_IF_ERROR(CheckText(path + ".arguments", call.arguments()));
  }
  return absl::OkStatus();
}

// `call_ids`: of all earlier messages.
absl::Status CheckMessage(const std::string& field, const v1::Message& message, std::set<std::string>* call_ids) {
  const bool assistant = message.role() == v1::ROLE_ASSISTANT;
  const bool tool = message.role() == v1::ROLE_TOOL;
  RETURN_IF_ERROR(CheckEnum(field + ".role", message.role(), v1::ROLE_SYSTEM, v1::ROLE_TOOL));
  RETURN_IF_ERROR(CheckText(field, ".content", message.content()));
  RETURN_IF_ERROR(CheckText(field, ".name", message.name(), kNameBytesMax));
  RETURN_IF_ERROR(CheckText(field, ".reasoning_content", message.reasoning_content()));
  RETURN_IF_ERROR(CheckText(field, ".tool_call_id", message.tool_call_id(), kIdBytesMax));
  if (!assistant && message.tool_calls_size() > 0) return Bad(field + ".tool_calls", "only with the assistant role");
  if (!assistant && !message.reasoning_content().empty()) {
    return Bad(field + ".reasoning_content", "only with the assistant role");
  }
  if (tool && message.tool_call_id().empty()) return Bad(field + ".tool_call_id", "is required with the tool role");
  if (!tool && !message.tool_call_id().empty()) return Bad(field + ".tool_call_id", "only with the tool role");
  if (tool && !call_ids->contains(message.tool_call_id())) {
    return Bad(field + ".tool_call_id", "answers no earlier tool call");
  }
  // A tool may have nothing to say, and an assistant may only have thought.
  const bool may_be_empty = tool || message.tool_calls_size() > 0 || !message.reasoning_content().empty();
  if (message.content().empty() && !may_be_empty) return Bad(field + ".content", "must not be empty");
  return CheckToolCalls(field, message, call_ids);
}

absl::Status CheckMessages(const v1::GenerateRequest& request) {
  RETURN_IF_ERROR(CheckText("prompt", request.prompt()));
  if (request.messages_size() > 0 && !request.prompt().empty()) {
    return Bad("prompt", "exclusive with messages; give one of them");
  }
  if (request.messages_size() == 0 && request.prompt().empty()) {
    return Bad("messages", "at least one message, or a prompt, is required");
  }
  if (request.messages_size() > kMessagesMax) return Bad("messages", absl::StrCat("more than ", kMessagesMax));
  std::set<std::string> call_ids;
  for (int i = 0; i < request.messages_size(); ++i) {
    RETURN_IF_ERROR(CheckMessage(absl::StrCat("messages[", i, "]"), request.messages(i), &call_ids));
  }
  return absl::OkStatus();
}

absl::Status CheckTools(const v1::GenerateRequest& request) {
  if (request.tools_size() > kToolsMax) return Bad("tools", absl::StrCat("more than ", kToolsMax));
  if (request.tools_size() > 0 && request.messages_size() == 0) return Bad("tools", "only with messages");
  std::set<std::string> names;
  for (int i = 0; i < request.tools_size(); ++i) {
    const v1::Tool& tool = request.tools(i);
    const std::string field = absl::StrCat("tools[", i, "]");
    RETURN_IF_ERROR(CheckFunctionName(field + ".name", tool.name()));
    if (!names.insert(tool.name()).second) return Bad(field + ".name", "is used twice");
    RETURN_IF_ERROR(CheckText(field + ".description", tool.description()));
    if (!tool.parameters_json().empty()) {
      RETURN_IF_ERROR(CheckJsonObject(field + ".parameters_json", tool.parameters_json()));
    }
  }
  const v1::ToolChoice& choice = request.tool_choice();
  RETURN_IF_ERROR(CheckEnum("tool_choice.mode", choice.mode(), 0, v1::ToolChoice::MODE_FUNCTION));
  RETURN_IF_ERROR(CheckText("tool_choice.function_name", choice.function_name(), kNameBytesMax));
  if (choice.mode() == v1::ToolChoice::MODE_FUNCTION) {
    if (!names.contains(choice.function_name())) return Bad("tool_choice.function_name", "is not one of the tools");
  } else if (!choice.function_name().empty()) {
    return Bad("tool_choice.function_name", "only with MODE_FUNCTION");
  }
  if (choice.mode() == v1::ToolChoice::MODE_REQUIRED && names.empty()) return Bad("tool_choice.mode", "needs tools");
  return absl::OkStatus();
}

absl::Status CheckResponseFormat(const v1::ResponseFormat& format) {
  RETURN_IF_ERROR(CheckEnum("response_format.type", format.type(), 0, v1::ResponseFormat::TYPE_JSON_SCHEMA));
  const bool wants_schema = format.type() == v1::ResponseFormat::TYPE_JSON_SCHEMA;
  if (!wants_schema && !format.json_schema().empty()) {
    return Bad("response_format.json_schema", "only with TYPE_JSON_SCHEMA");
  }
  if (!wants_schema) return absl::OkStatus();
  RETURN_IF_ERROR(CheckText("response_format.json_schema", format.json_schema(), kSchemaBytesMax));
  return CheckJsonObject("response_format.json_schema", format.json_schema());
}

absl::Status CheckSampling(const v1::Sampling& sampling) {
  if (sampling.has_temperature()) RETURN_IF_ERROR(CheckRange("sampling.temperature", sampling.temperature(), 0, 2));
  if (sampling.has_top_p()) {
    RETURN_IF_ERROR(CheckRange("sampling.top_p", sampling.top_p(), 0, 1));
    if (sampling.top_p() == 0) return Bad("sampling.top_p", "must be above 0");
  }
  if (sampling.has_top_k()) RETURN_IF_ERROR(CheckRange("sampling.top_k", sampling.top_k(), 0, 1e6));
  if (sampling.has_min_p()) RETURN_IF_ERROR(CheckRange("sampling.min_p", sampling.min_p(), 0, 1));
  if (sampling.has_repetition_penalty()) {
    RETURN_IF_ERROR(CheckRange("sampling.repetition_penalty", sampling.repetition_penalty(), 0, 10));
    if (sampling.repetition_penalty() == 0) return Bad("sampling.repetition_penalty", "must be above 0");
  }
  if (sampling.has_presence_penalty()) {
    RETURN_IF_ERROR(CheckRange("sampling.presence_penalty", sampling.presence_penalty(), -2, 2));
  }
  if (sampling.has_frequency_penalty()) {
    RETURN_IF_ERROR(CheckRange("sampling.frequency_penalty", sampling.frequency_penalty(), -2, 2));
  }
  return absl::OkStatus();
}

// What engines offer and the router does not pass on yet: several answers would come mixed, and a cloud knows none of
// it.
absl::Status CheckEngineOnly(const v1::GenerateRequest& request) {
  if (request.n() != 0 && request.n() != 1) return Bad("n", "only 1 through the router");
  if (request.has_logprobs()) return Bad("logprobs", "is not offered through the router");
  if (request.stop_token_ids_size() > 0) return Bad("stop_token_ids", "is not offered through the router");
  if (!request.adapter().empty()) return Bad("adapter", "is not offered through the router");
  if (!request.sampling().logit_bias().empty()) return Bad("sampling.logit_bias", "is not offered through the router");
  return absl::OkStatus();
}

absl::Status CheckStops(const v1::GenerateRequest& request) {
  if (request.stop_size() > kStopsMax) return Bad("stop", absl::StrCat("more than ", kStopsMax));
  for (int i = 0; i < request.stop_size(); ++i) {
    const std::string field = absl::StrCat("stop[", i, "]");
    if (request.stop(i).empty()) return Bad(field, "must not be empty");
    RETURN_IF_ERROR(CheckText(field, request.stop(i), kIdBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateRequest(const v1::GenerateRequest& request, const LimitsConfig& limits) {
  // The serialised size is never below the text's and costs no visit, so the exact count is rarely needed.
  if (static_cast<int64_t>(request.ByteSizeLong()) > limits.prompt_bytes_max &&
      static_cast<int64_t>(Prompt(request).text_bytes()) > limits.prompt_bytes_max) {
    return Bad(request.messages_size() > 0 ? "messages" : "prompt",
               absl::StrCat("the request's text is longer than ", limits.prompt_bytes_max, " bytes"));
  }
  RETURN_IF_ERROR(CheckText("model", request.model(), kIdBytesMax));
  RETURN_IF_ERROR(CheckMessages(request));
  RETURN_IF_ERROR(CheckSampling(request.sampling()));
  if (request.has_max_tokens()) RETURN_IF_ERROR(CheckRange("max_tokens", request.max_tokens(), 1, kTokensMax));
  RETURN_IF_ERROR(CheckStops(request));
  RETURN_IF_ERROR(CheckEngineOnly(request));
  RETURN_IF_ERROR(CheckResponseFormat(request.response_format()));
  RETURN_IF_ERROR(CheckTools(request));
  RETURN_IF_ERROR(CheckEnum("priority", request.priority(), 0, v1::PRIORITY_BATCH));
  RETURN_IF_ERROR(CheckEnum("declared_sensitivity", request.declared_sensitivity(), 0,
                            v1::SENSITIVITY_LEVEL_RESTRICTED));
  RETURN_IF_ERROR(CheckText("session", request.session(), kIdBytesMax));
  return CheckText("user", request.user(), kIdBytesMax);
}

}  // namespace headgate::router
