// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/validation.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace headgate::engine {
namespace {

constexpr int kMessagesMax = 1024;
constexpr int kToolsMax = 128;
constexpr int kStopsMax = 16;
constexpr size_t kStopBytesMax = 256;
constexpr size_t kNameBytesMax = 64;
constexpr size_t kIdBytesMax = 256;
constexpr size_t kAdapterBytesMax = 128;
constexpr size_t kSchemaBytesMax = 64 << 10;
constexpr int kSchemaDepthMax = 64;
constexpr int32_t kMaxTokensMax = 393216;
constexpr int kBiasesMax = 300;
constexpr int kStopTokensMax = 16;
constexpr int32_t kLogprobsMax = 20;
constexpr int32_t kChoicesMax = 8;
constexpr size_t kGrammarBytesMax = 16 << 10;

absl::Status Invalid(const std::string& field, const std::string& message) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", message));
}

// NaN is in no range.
template <typename T>
absl::Status InRange(const std::string& field, T value, T low, T high, bool low_excluded = false) {
  if (value >= low && value <= high && !(low_excluded && value == low)) return absl::OkStatus();
  return Invalid(field, absl::StrCat(value, " is out of range; allowed is ", low_excluded ? "(" : "[", low, ", ", high,
                                     "]"));
}

absl::Status CheckBytes(const std::string& field, const std::string& value, size_t low, size_t high) {
  if (value.size() >= low && value.size() <= high) return absl::OkStatus();
  return Invalid(field, absl::StrCat("has ", value.size(), " bytes; allowed are ", low, " to ", high));
}

absl::Status CheckCount(const std::string& field, int count, int high) {
  if (count <= high) return absl::OkStatus();
  return Invalid(field, absl::StrCat("has ", count, " entries; at most ", high, " are allowed"));
}

absl::Status CheckFunctionName(const std::string& field, const std::string& name) {
  RETURN_IF_ERROR(CheckBytes(field, name, 1, kNameBytesMax));
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return good ? absl::OkStatus() : Invalid(field, "has a character outside [A-Za-z0-9_-]");
}

// A JSON object of bounded depth: what follows walks it recursively.
absl::Status CheckJsonObject(const std::string& field, const std::string& text) {
  RETURN_IF_ERROR(CheckBytes(field, text, 0, kSchemaBytesMax));
  int depth = 0;
  int deepest = 0;
  const auto watch = [&](int at, nlohmann::json::parse_event_t, nlohmann::json&) {
    depth = at;
    deepest = std::max(deepest, depth);
    return depth <= kSchemaDepthMax;
  };
  const auto json = nlohmann::json::parse(text, watch, /*allow_exceptions=*/false);
  if (deepest > kSchemaDepthMax) return Invalid(field, absl::StrCat("is nested deeper than ", kSchemaDepthMax));
  if (!json.is_object()) return Invalid(field, "is not a JSON object");
  return absl::OkStatus();
}

absl::Status CheckMessage(const std::string& at, const v1::Message& message) {
  if (message.role() == v1::ROLE_UNSPECIFIED || !v1::Role_IsValid(message.role())) {
    return Invalid(absl::StrCat(at, ".role"), absl::StrCat("unknown value ", static_cast<int>(message.role()),
                                                           "; use SYSTEM, USER, ASSISTANT or TOOL"));
  }
  RETURN_IF_ERROR(CheckBytes(absl::StrCat(at, ".name"), message.name(), 0, kNameBytesMax));
  if (message.tool_calls_size() > 0 && message.role() != v1::ROLE_ASSISTANT) {
    return Invalid(absl::StrCat(at, ".tool_calls"), "only ASSISTANT messages have tool calls");
  }
  if (!message.tool_call_id().empty() && message.role() != v1::ROLE_TOOL) {
    return Invalid(absl::StrCat(at, ".tool_call_id"), "only TOOL messages have a tool call id");
  }
  if (!message.reasoning_content().empty() && message.role() != v1::ROLE_ASSISTANT) {
    return Invalid(absl::StrCat(at, ".reasoning_content"), "only ASSISTANT messages have reasoning");
  }
  for (int i = 0; i < message.tool_calls_size(); ++i) {
    RETURN_IF_ERROR(CheckFunctionName(absl::StrCat(at, ".tool_calls[", i, "].name"), message.tool_calls(i).name()));
  }
  return absl::OkStatus();
}

template <typename Request>
absl::Status CheckPrompt(const Request& request) {
  if (request.messages().empty() && request.prompt().empty()) {
    return Invalid("messages", "is empty; give messages or prompt");
  }
  if (!request.messages().empty() && !request.prompt().empty()) {
    return Invalid("prompt", "is exclusive with messages");
  }
  RETURN_IF_ERROR(CheckCount("messages", request.messages_size(), kMessagesMax));
  for (int i = 0; i < request.messages_size(); ++i) {
    RETURN_IF_ERROR(CheckMessage(absl::StrCat("messages[", i, "]"), request.messages(i)));
  }
  RETURN_IF_ERROR(CheckCount("tools", request.tools_size(), kToolsMax));
  if (request.tools_size() > 0 && request.messages().empty()) return Invalid("tools", "need messages, not prompt");
  std::set<std::string_view> names;
  for (int i = 0; i < request.tools_size(); ++i) {
    const std::string at = absl::StrCat("tools[", i, "]");
    const auto& tool = request.tools(i);
    RETURN_IF_ERROR(CheckFunctionName(absl::StrCat(at, ".name"), tool.name()));
    if (!names.insert(tool.name()).second) return Invalid(absl::StrCat(at, ".name"), "appears twice");
    if (!tool.parameters_json().empty()) {
      RETURN_IF_ERROR(CheckJsonObject(absl::StrCat(at, ".parameters_json"), tool.parameters_json()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSampling(const v1::Sampling& sampling) {
  if (sampling.has_temperature()) RETURN_IF_ERROR(InRange("sampling.temperature", sampling.temperature(), 0.0f, 2.0f));
  if (sampling.has_top_p()) RETURN_IF_ERROR(InRange("sampling.top_p", sampling.top_p(), 0.0f, 1.0f, true));
  if (sampling.has_top_k()) RETURN_IF_ERROR(InRange("sampling.top_k", sampling.top_k(), 0, 1000000));
  if (sampling.has_min_p()) RETURN_IF_ERROR(InRange("sampling.min_p", sampling.min_p(), 0.0f, 1.0f));
  if (sampling.has_repetition_penalty()) {
    RETURN_IF_ERROR(InRange("sampling.repetition_penalty", sampling.repetition_penalty(), 0.0f, 10.0f, true));
  }
  if (sampling.has_presence_penalty()) {
    RETURN_IF_ERROR(InRange("sampling.presence_penalty", sampling.presence_penalty(), -2.0f, 2.0f));
  }
  if (sampling.has_frequency_penalty()) {
    RETURN_IF_ERROR(InRange("sampling.frequency_penalty", sampling.frequency_penalty(), -2.0f, 2.0f));
  }
  RETURN_IF_ERROR(CheckCount("sampling.logit_bias", static_cast<int>(sampling.logit_bias().size()), kBiasesMax));
  for (const auto& [token, bias] : sampling.logit_bias()) {
    RETURN_IF_ERROR(InRange(absl::StrCat("sampling.logit_bias[", token, "]"), bias, -100.0f, 100.0f));
  }
  return absl::OkStatus();
}

absl::Status CheckResponseFormat(const v1::GenerateRequest& request) {
  const auto& format = request.response_format();
  if (!v1::ResponseFormat::Type_IsValid(format.type())) {
    return Invalid("response_format.type", absl::StrCat("unknown value ", static_cast<int>(format.type()),
                                                        "; use TEXT, JSON_OBJECT, JSON_SCHEMA or GRAMMAR"));
  }
  const bool json = format.type() == v1::ResponseFormat::TYPE_JSON_OBJECT ||
                    format.type() == v1::ResponseFormat::TYPE_JSON_SCHEMA;
  if (json && request.messages().empty()) return Invalid("response_format.type", "JSON needs messages, not prompt");
  if (format.type() == v1::ResponseFormat::TYPE_JSON_SCHEMA) {
    return CheckJsonObject("response_format.json_schema", format.json_schema());
  }
  if (format.type() == v1::ResponseFormat::TYPE_GRAMMAR) {
    if (!request.tools().empty()) return Invalid("response_format.type", "GRAMMAR does not go with tools");
    return CheckBytes("response_format.json_schema", format.json_schema(), 1, kGrammarBytesMax);
  }
  if (!format.json_schema().empty()) {
    return Invalid("response_format.json_schema", "is only allowed with type JSON_SCHEMA or GRAMMAR");
  }
  return absl::OkStatus();
}

absl::Status CheckToolChoice(const v1::GenerateRequest& request) {
  const auto& choice = request.tool_choice();
  if (!v1::ToolChoice::Mode_IsValid(choice.mode())) {
    return Invalid("tool_choice.mode", absl::StrCat("unknown value ", static_cast<int>(choice.mode()),
                                                    "; use NONE, AUTO, REQUIRED or FUNCTION"));
  }
  const bool function = choice.mode() == v1::ToolChoice::MODE_FUNCTION;
  if (request.tools().empty() && (function || choice.mode() == v1::ToolChoice::MODE_REQUIRED)) {
    return Invalid("tool_choice.mode", "there are no tools to choose from");
  }
  if (function) {
    const bool known = std::any_of(request.tools().begin(), request.tools().end(),
                                   [&](const v1::Tool& tool) { return tool.name() == choice.function_name(); });
    if (!known) return Invalid("tool_choice.function_name", "is not the name of a tool of this request");
  } else if (!choice.function_name().empty()) {
    return Invalid("tool_choice.function_name", "is only allowed with mode FUNCTION");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateGenerate(const v1::GenerateRequest& request) {
  RETURN_IF_ERROR(CheckPrompt(request));
  RETURN_IF_ERROR(CheckSampling(request.sampling()));
  if (request.has_max_tokens()) RETURN_IF_ERROR(InRange("max_tokens", request.max_tokens(), 1, kMaxTokensMax));
  RETURN_IF_ERROR(CheckCount("stop", request.stop_size(), kStopsMax));
  for (int i = 0; i < request.stop_size(); ++i) {
    RETURN_IF_ERROR(CheckBytes(absl::StrCat("stop[", i, "]"), request.stop(i), 1, kStopBytesMax));
  }
  if (request.has_logprobs()) RETURN_IF_ERROR(InRange("logprobs", request.logprobs(), 0, kLogprobsMax));
  RETURN_IF_ERROR(InRange("n", request.n(), 0, kChoicesMax));
  RETURN_IF_ERROR(CheckCount("stop_token_ids", request.stop_token_ids_size(), kStopTokensMax));
  RETURN_IF_ERROR(CheckResponseFormat(request));
  RETURN_IF_ERROR(CheckToolChoice(request));
  if (!v1::Priority_IsValid(request.priority())) {
    return Invalid("priority", absl::StrCat("unknown value ", static_cast<int>(request.priority()),
                                            "; use INTERACTIVE, NORMAL or BATCH"));
  }
  if (!v1::SensitivityLevel_IsValid(request.declared_sensitivity())) {
    return Invalid("declared_sensitivity",
                   absl::StrCat("unknown value ", static_cast<int>(request.declared_sensitivity()),
                                "; use PUBLIC, INTERNAL, CONFIDENTIAL or RESTRICTED"));
  }
  RETURN_IF_ERROR(CheckBytes("adapter", request.adapter(), 0, kAdapterBytesMax));
  RETURN_IF_ERROR(CheckBytes("session", request.session(), 0, kIdBytesMax));
  return CheckBytes("user", request.user(), 0, kIdBytesMax);
}

absl::Status ValidateAdapterName(const std::string& name) {
  RETURN_IF_ERROR(CheckBytes("name", name, 1, kAdapterBytesMax));
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  return good ? absl::OkStatus() : Invalid("name", "has a character outside [A-Za-z0-9._-]");
}

absl::Status ValidateCountTokens(const v1::CountTokensRequest& request) { return CheckPrompt(request); }

}  // namespace headgate::engine
