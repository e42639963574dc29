// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/wire_requests.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/no_egress/observed.h"

namespace headgate::router {
namespace {

using Json = nlohmann::ordered_json;

const char* RoleName(v1::Role role) {
  switch (role) {
    case v1::ROLE_SYSTEM: return "system";
    case v1::ROLE_ASSISTANT: return "assistant";
    case v1::ROLE_TOOL: return "tool";
    default: return "user";
  }
}

// What is no JSON object goes as a string, and is refused.
Json ObjectOf(const std::string& text) {
  Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? parsed : Json(text);
}

Json MessageJson(const v1::Message& message) {
  Json out = {{"role", RoleName(message.role())}, {"content", message.content()}};
  if (!message.name().empty()) out["name"] = message.name();
  if (!message.reasoning_content().empty()) out["reasoning_content"] = message.reasoning_content();
  if (!message.tool_call_id().empty()) out["tool_call_id"] = message.tool_call_id();
  for (const v1::ToolCall& call : message.tool_calls()) {
    out["tool_calls"].push_back({{"id", call.id()},
                                 {"type", "function"},
                                 {"function", {{"name", call.name()}, {"arguments", call.arguments()}}}});
  }
  return out;
}

Json ToolJson(const v1::Tool& tool) {
  Json function = {{"name", tool.name()}};
  if (!tool.description().empty()) function["description"] = tool.description();
  if (!tool.parameters_json().empty()) function["parameters"] = ObjectOf(tool.parameters_json());
  return {{"type", "function"}, {"function", std::move(function)}};
}

void AddFormat(const v1::GenerateRequest& request, Json& body) {
  if (request.response_format().type() == v1::ResponseFormat::TYPE_JSON_OBJECT) {
    body["response_format"] = {{"type", "json_object"}};
  } else if (request.response_format().type() == v1::ResponseFormat::TYPE_JSON_SCHEMA) {
    body["response_format"] = {
        {"type", "json_schema"},
        {"json_schema", {{"name", "answer"}, {"schema", ObjectOf(request.response_format().json_schema())}}}};
  }
}

Json ChatJson(const v1::GenerateRequest& request) {
  Json body;
  for (const v1::Message& message : request.messages()) body["messages"].push_back(MessageJson(message));
  if (!request.prompt().empty()) body["prompt"] = request.prompt();
  if (!request.model().empty()) body["model"] = request.model();
  if (!request.user().empty()) body["user"] = request.user();
  if (request.max_tokens() > 0) body["max_tokens"] = request.max_tokens();
  if (request.sampling().has_temperature()) body["temperature"] = request.sampling().temperature();
  for (const std::string& stop : request.stop()) body["stop"].push_back(stop);
  for (const v1::Tool& tool : request.tools()) body["tools"].push_back(ToolJson(tool));
  if (request.tool_choice().mode() == v1::ToolChoice::MODE_FUNCTION) {
    body["tool_choice"] = {{"type", "function"}, {"function", {{"name", request.tool_choice().function_name()}}}};
  }
  AddFormat(request, body);
  return body;
}

std::vector<std::string> Texts(const v1::GenerateRequest& request) {
  std::vector<std::string> texts;
  for (const v1::Message& message : request.messages()) {
    if (!message.content().empty()) texts.push_back(message.content());
  }
  if (!request.prompt().empty()) texts.push_back(request.prompt());
  return texts;
}

}  // namespace

std::string DeclaredLevel(v1::SensitivityLevel level) {
  switch (level) {
    case v1::SENSITIVITY_LEVEL_PUBLIC: return "public";
    case v1::SENSITIVITY_LEVEL_INTERNAL: return "internal";
    case v1::SENSITIVITY_LEVEL_CONFIDENTIAL: return "confidential";
    case v1::SENSITIVITY_LEVEL_RESTRICTED: return "restricted";
    default: return "";
  }
}

WireRequest ToHttp(const CanaryRequest& made, const std::string& request_id) {
  WireRequest wire;
  const v1::GenerateRequest& request = made.request;
  wire.headers = {{"authorization", absl::StrCat("Bearer ", made.api_key)},
                  {"content-type", "application/json"},
                  {"x-request-id", request_id},
                  {"traceparent", kTraceparent},
                  {"tracestate", kTracestate},
                  {"user-agent", absl::StrCat("test ", request_id)}};
  // The body has no place for a level.
  const std::string level = DeclaredLevel(std::max(made.declared, request.declared_sensitivity()));
  if (!level.empty()) wire.headers.emplace_back("x-headgate-sensitivity", level);
  if (!request.session().empty()) wire.headers.emplace_back("x-headgate-session", request.session());
  Json body;
  if (made.api == Api::kHttpEmbed) {
    wire.path = "/v1/embeddings";
    body["input"] = Texts(request);
    if (!request.user().empty()) body["user"] = request.user();
  } else {
    wire.path = request.prompt().empty() ? "/v1/chat/completions" : "/v1/completions";
    body = ChatJson(request);
    if (made.api == Api::kHttpStream) {
      body["stream"] = true;
      body["stream_options"] = {{"include_usage", true}};
    }
  }
  // Half of the clients escape everything outside ASCII.
  const bool ascii = made.canary.back() % 2 == 0;
  wire.body = body.dump(-1, ' ', ascii, Json::error_handler_t::replace);
  return wire;
}

v1::EmbedRequest ToEmbed(const CanaryRequest& made) {
  v1::EmbedRequest embed;
  for (std::string& text : Texts(made.request)) embed.add_input(std::move(text));
  embed.set_declared_sensitivity(made.request.declared_sensitivity());
  embed.set_user(made.request.user());
  return embed;
}

v1::CountTokensRequest ToCount(const CanaryRequest& made) {
  v1::CountTokensRequest count;
  *count.mutable_messages() = made.request.messages();
  *count.mutable_tools() = made.request.tools();
  count.set_prompt(made.request.prompt());
  return count;
}

v1::ExplainRequest ToExplain(const CanaryRequest& made) {
  v1::ExplainRequest explain;
  *explain.mutable_request() = made.request;
  explain.set_tenant("open");
  return explain;
}

}  // namespace headgate::router
