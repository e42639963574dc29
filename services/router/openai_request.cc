// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_request.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

std::string At(const std::string& path, size_t index) { return absl::StrCat(path, "[", index, "]"); }

// A string, or text parts joined by newlines. Any other kind of part would be dropped unread: refused.
void ReadContent(JsonFields& fields, std::string* out, absl::Status& status) {
  const Json* value = fields.Find("content");
  if (value == nullptr) return;
  if (value->is_string()) {
    *out = value->get_ref<const std::string&>();
    return;
  }
  if (!value->is_array()) return fields.Complain("content", "must be a string or an array of text parts");
  for (size_t i = 0; i < value->size() && status.ok(); ++i) {
    JsonFields part((*value)[i], At(fields.Path("content"), i), status);
    std::string type, text;
    part.Get("type", &type);
    if (type != "text") part.Complain("type", "only text parts are supported");
    if (!part.Get("text", &text)) part.Complain("text", "is required");
    part.Ignore({"annotations"});
    part.Finish();
    if (i > 0) out->push_back('\n');
    out->append(text);
  }
}

void ReadToolCalls(JsonFields& message, v1::Message& out, absl::Status& status) {
  const Json* calls = message.Find("tool_calls");
  if (calls == nullptr) return;
  if (!calls->is_array()) return message.Complain("tool_calls", "must be an array");
  for (size_t i = 0; i < calls->size() && status.ok(); ++i) {
    v1::ToolCall& call = *out.add_tool_calls();
    JsonFields fields((*calls)[i], At(message.Path("tool_calls"), i), status);
    std::string type = "function";
    fields.Get("id", call.mutable_id());
    fields.Get("type", &type);
    if (type != "function") fields.Complain("type", "only function calls are supported");
    fields.Ignore({"index"});  // left over when a client sends streamed deltas back
    if (const Json* function = fields.Find("function")) {
      JsonFields inner(*function, fields.Path("function"), status);
      if (!inner.Get("name", call.mutable_name())) inner.Complain("name", "is required");
      inner.Get("arguments", call.mutable_arguments());
      inner.Finish();
    } else {
      fields.Complain("function", "is required");
    }
    fields.Finish();
  }
}

v1::Role RoleOf(std::string_view name) {
  if (name == "system" || name == "developer") return v1::ROLE_SYSTEM;
  if (name == "user") return v1::ROLE_USER;
  if (name == "assistant") return v1::ROLE_ASSISTANT;
  if (name == "tool") return v1::ROLE_TOOL;
  return v1::ROLE_UNSPECIFIED;
}

void ReadMessages(JsonFields& body, v1::GenerateRequest& out, absl::Status& status) {
  const Json* messages = body.Find("messages");
  if (messages == nullptr) return body.Complain("messages", "is required");
  if (!messages->is_array()) return body.Complain("messages", "must be an array");
  for (size_t i = 0; i < messages->size() && status.ok(); ++i) {
    v1::Message& message = *out.add_messages();
    JsonFields fields((*messages)[i], At("messages", i), status);
    std::string role;
    if (!fields.Get("role", &role)) fields.Complain("role", "is required");
    message.set_role(RoleOf(role));
    if (message.role() == v1::ROLE_UNSPECIFIED) {
      fields.Complain("role", "must be system, developer, user, assistant or tool");
    }
    ReadContent(fields, message.mutable_content(), status);
    ReadToolCalls(fields, message, status);
    fields.Get("tool_call_id", message.mutable_tool_call_id());
    fields.Get("reasoning_content", message.mutable_reasoning_content());
    fields.Get("name", message.mutable_name());
    // What an SDK's answer object carries when it is sent back as history.
    for (const char* name : {"refusal", "audio", "function_call", "annotations"}) {
      fields.Refuse(name, "is not supported in a message");
    }
    fields.Finish();
  }
}

void ReadTools(JsonFields& body, v1::GenerateRequest& out, absl::Status& status) {
  const Json* tools = body.Find("tools");
  if (tools == nullptr) return;
  if (!tools->is_array()) return body.Complain("tools", "must be an array");
  for (size_t i = 0; i < tools->size() && status.ok(); ++i) {
    v1::Tool& tool = *out.add_tools();
    JsonFields fields((*tools)[i], At("tools", i), status);
    std::string type;
    fields.Get("type", &type);
    if (type != "function") fields.Complain("type", "must be function");
    if (const Json* function = fields.Find("function")) {
      JsonFields inner(*function, fields.Path("function"), status);
      if (!inner.Get("name", tool.mutable_name())) inner.Complain("name", "is required");
      inner.Get("description", tool.mutable_description());
      if (const Json* parameters = inner.Find("parameters")) {
        if (!parameters->is_object()) inner.Complain("parameters", "must be an object");
        tool.set_parameters_json(parameters->dump());
      }
      inner.Ignore({"strict"});
      inner.Finish();
    } else {
      fields.Complain("function", "is required");
    }
    fields.Finish();
  }
}

void ReadToolChoice(JsonFields& body, v1::GenerateRequest& out, absl::Status& status) {
  const Json* choice = body.Find("tool_choice");
  if (choice == nullptr) return;
  v1::ToolChoice& to = *out.mutable_tool_choice();
  if (choice->is_string()) {
    const auto& name = choice->get_ref<const std::string&>();
    if (name == "none") return to.set_mode(v1::ToolChoice::MODE_NONE);
    if (name == "auto") return to.set_mode(v1::ToolChoice::MODE_AUTO);
    if (name == "required") return to.set_mode(v1::ToolChoice::MODE_REQUIRED);
    return body.Complain("tool_choice", "must be none, auto, required or a function");
  }
  JsonFields fields(*choice, "tool_choice", status);
  std::string type;
  fields.Get("type", &type);
  if (type != "function") fields.Complain("type", "must be function");
  to.set_mode(v1::ToolChoice::MODE_FUNCTION);
  if (const Json* function = fields.Find("function")) {
    JsonFields inner(*function, "tool_choice.function", status);
    if (!inner.Get("name", to.mutable_function_name())) inner.Complain("name", "is required");
    inner.Finish();
  } else {
    fields.Complain("function", "is required");
  }
  fields.Finish();
}

void ReadResponseFormat(JsonFields& body, v1::GenerateRequest& out, absl::Status& status) {
  const Json* format = body.Find("response_format");
  if (format == nullptr) return;
  v1::ResponseFormat& to = *out.mutable_response_format();
  JsonFields fields(*format, "response_format", status);
  std::string type;
  fields.Get("type", &type);
  const Json* schema = fields.Find("json_schema");
  if (type == "text") {
    to.set_type(v1::ResponseFormat::TYPE_TEXT);
  } else if (type == "json_object") {
    to.set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
  } else if (type == "json_schema") {
    to.set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
    if (schema == nullptr) return fields.Complain("json_schema", "is required");
    JsonFields inner(*schema, "response_format.json_schema", status);
    const Json* tree = inner.Find("schema");
    if (tree == nullptr || !tree->is_object()) return inner.Complain("schema", "must be an object");
    to.set_json_schema(tree->dump());
    inner.Ignore({"name", "description", "strict"});  // labels; the schema is always enforced
    inner.Finish();
  } else {
    fields.Complain("type", "must be text, json_object or json_schema");
  }
  fields.Finish();
}

void ReadStop(JsonFields& body, v1::GenerateRequest& out) {
  const Json* stop = body.Find("stop");
  if (stop == nullptr) return;
  if (stop->is_string()) return out.add_stop(stop->get_ref<const std::string&>());
  if (!stop->is_array()) return body.Complain("stop", "must be a string or an array of strings");
  for (size_t i = 0; i < stop->size(); ++i) {
    if (!(*stop)[i].is_string()) return body.Complain(absl::StrCat("stop[", i, "]"), "must be a string");
    out.add_stop((*stop)[i].get_ref<const std::string&>());
  }
}

void ReadSampling(JsonFields& body, v1::GenerateRequest& out) {
  v1::Sampling sampling;
  float number = 0;
  int32_t whole = 0;
  int64_t seed = 0;
  if (body.Get("temperature", &number)) sampling.set_temperature(number);
  if (body.Get("top_p", &number)) sampling.set_top_p(number);
  if (body.Get("top_k", &whole)) sampling.set_top_k(whole);
  if (body.Get("min_p", &number)) sampling.set_min_p(number);
  if (body.Get("repetition_penalty", &number)) sampling.set_repetition_penalty(number);
  if (body.Get("presence_penalty", &number)) sampling.set_presence_penalty(number);
  if (body.Get("frequency_penalty", &number)) sampling.set_frequency_penalty(number);
  if (body.Get("seed", &seed)) sampling.set_seed(static_cast<uint64_t>(seed));
  if (sampling.ByteSizeLong() > 0) *out.mutable_sampling() = sampling;
}

void ReadStream(JsonFields& body, OpenAiRequest& out, absl::Status& status) {
  body.Get("stream", &out.stream);
  const Json* options = body.Find("stream_options");
  if (options == nullptr) return;
  if (!out.stream) return body.Complain("stream_options", "needs stream: true");
  JsonFields fields(*options, "stream_options", status);
  fields.Get("include_usage", &out.include_usage);
  fields.Ignore({"include_obfuscation"});
  fields.Finish();
}

void ReadOne(JsonFields& body, const char* name) {
  int64_t count = 1;
  if (body.Get(name, &count) && count != 1) body.Complain(name, "only 1 is supported");
}

// What chat and completions share.
void ReadCommon(JsonFields& body, OpenAiRequest& out, absl::Status& status) {
  body.Get("model", out.content.mutable_model());
  body.Get("user", out.content.mutable_user());
  ReadSampling(body, out.content);
  ReadStop(body, out.content);
  ReadStream(body, out, status);
  ReadOne(body, "n");
  body.Refuse("logit_bias", "is not supported");
  body.Refuse("logprobs", "is not supported");
  body.Ignore({"metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"});
}

void ReadMaxTokens(JsonFields& body, v1::GenerateRequest& out, bool chat) {
  int32_t old_name = 0, new_name = 0;
  const bool has_old = body.Get("max_tokens", &old_name);
  const bool has_new = chat && body.Get("max_completion_tokens", &new_name);
  if (has_old && has_new && old_name != new_name) {
    return body.Complain("max_completion_tokens", "differs from max_tokens");
  }
  if (has_old || has_new) out.set_max_tokens(has_new ? new_name : old_name);
}

void ReadModalities(JsonFields& body) {
  const Json* modalities = body.Find("modalities");
  if (modalities != nullptr && *modalities != Json::array({"text"})) {
    body.Complain("modalities", "only [\"text\"] is supported");
  }
}

// The texts of `prompt` or `input`: a string or an array of strings. Token arrays would not be readable by screening.
std::vector<std::string> ReadTexts(JsonFields& body, const char* name) {
  std::vector<std::string> texts;
  const Json* value = body.Find(name);
  if (value == nullptr) return body.Complain(name, "is required"), texts;
  if (value->is_string()) return {value->get_ref<const std::string&>()};
  if (!value->is_array()) return body.Complain(name, "must be a string or an array of strings"), texts;
  for (const Json& item : *value) {
    if (!item.is_string()) return body.Complain(name, "token arrays are not supported: send text"), texts;
    texts.push_back(item.get_ref<const std::string&>());
  }
  return texts;
}

}  // namespace

absl::StatusOr<OpenAiRequest> ParseChatRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  OpenAiRequest out;
  absl::Status status;
  JsonFields body(json, "", status);
  ReadCommon(body, out, status);
  ReadMaxTokens(body, out.content, true);
  ReadMessages(body, out.content, status);
  ReadTools(body, out.content, status);
  ReadToolChoice(body, out.content, status);
  ReadResponseFormat(body, out.content, status);
  ReadModalities(body);
  body.Ignore({"parallel_tool_calls"});
  body.Refuse("top_logprobs", "is not supported");
  body.Refuse("functions", "is not supported: use tools");
  body.Refuse("function_call", "is not supported: use tool_choice");
  for (const char* name : {"audio", "prediction", "web_search_options", "reasoning_effort", "verbosity", "thinking"}) {
    body.Refuse(name, "is not supported");
  }
  body.Finish();
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<OpenAiRequest> ParseCompletionRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  OpenAiRequest out;
  out.chat = false;
  absl::Status status;
  JsonFields body(json, "", status);
  ReadCommon(body, out, status);
  ReadMaxTokens(body, out.content, false);
  std::vector<std::string> texts = ReadTexts(body, "prompt");
  if (texts.size() == 1) {
    out.content.set_prompt(std::move(texts[0]));
  } else {
    body.Complain("prompt", "exactly one text is supported");
  }
  ReadOne(body, "best_of");
  body.Refuse("echo", "is not supported");
  body.Refuse("suffix", "is not supported");
  body.Finish();
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<OpenAiEmbedRequest> ParseEmbedRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  OpenAiEmbedRequest out;
  absl::Status status;
  JsonFields body(json, "", status);
  body.Get("model", out.content.mutable_model());
  body.Get("user", out.content.mutable_user());
  for (std::string& input : ReadTexts(body, "input")) out.content.add_input(std::move(input));
  std::string format = "float";
  body.Get("encoding_format", &format);
  if (format != "float" && format != "base64") body.Complain("encoding_format", "must be float or base64");
  out.base64 = format == "base64";
  body.Refuse("dimensions", "is not supported");
  body.Finish();
  if (!status.ok()) return status;
  return out;
}

namespace {

struct NamedLevel {
  std::string_view name;
  v1::SensitivityLevel level;
};
constexpr NamedLevel kLevels[] = {{"public", v1::SENSITIVITY_LEVEL_PUBLIC},
                                  {"internal", v1::SENSITIVITY_LEVEL_INTERNAL},
                                  {"confidential", v1::SENSITIVITY_LEVEL_CONFIDENTIAL},
                                  {"restricted", v1::SENSITIVITY_LEVEL_RESTRICTED}};

}  // namespace

absl::StatusOr<v1::SensitivityLevel> ParseSensitivity(std::string_view name) {
  for (const NamedLevel& row : kLevels) {
    if (absl::EqualsIgnoreCase(absl::string_view(name.data(), name.size()),
                               absl::string_view(row.name.data(), row.name.size()))) {
      return row.level;
    }
  }
  return FieldError("x-headgate-sensitivity", "must be public, internal, confidential or restricted");
}

std::string_view SensitivityName(v1::SensitivityLevel level) {
  for (const NamedLevel& row : kLevels) {
    if (row.level == level) return row.name;
  }
  return "unspecified";
}

}  // namespace headgate::services
