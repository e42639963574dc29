// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_chat.h"

#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include <chat.h>
#include "common/log.h"
#include "common/status_macros.h"
#include "engine/backend/llama_json.h"
#include "engine/backend/llama_sampler.h"
#include <json-schema-to-grammar.h>
#include <json.h>
#include <llama.h>

namespace headgate::engine {
namespace {

constexpr std::string_view kAnyObject = R"({"type":"object"})";

// Puts the guard's marks into request text; see llama_vocab.h.
struct Guard {
  const LlamaVocab& vocab;
  char32_t marks;

  std::string operator()(const std::string& text) const { return vocab.Guard(text, marks); }
};

common_json GuardJson(const common_json& node, const Guard& guard) {
  if (node.is_string()) return common_json::make(guard(node.get<std::string>()));
  if (node.is_array()) {
    common_json out = common_json::array();
    for (size_t i = 0; i < node.size(); ++i) out.push_back(GuardJson(node.at(i), guard));
    return out;
  }
  if (node.is_object()) {
    common_json out = common_json::object();
    for (const auto& [key, value] : node.items()) out[guard(key)] = GuardJson(value, guard);
    return out;
  }
  return node;
}

// Templates take arguments as JSON. What is not JSON (models write such) goes on as one JSON string.
absl::StatusOr<std::string> GuardArguments(const std::string& field, const std::string& text, const Guard& guard) {
  if (text.empty()) return std::string("{}");
  if (JsonDepth(text) > kJsonDepthMax) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": nested deeper than ", kJsonDepthMax));
  }
  const common_json parsed = common_json::parse_no_throw(text);
  if (parsed.is_discarded()) return common_json::make(guard(text)).dump_safe();
  return GuardJson(parsed, guard).dump_safe();
}

absl::StatusOr<common_chat_msg> ToMessage(const std::string& field, const v1::Message& message, const Guard& guard) {
  common_chat_msg out;
  switch (message.role()) {
    case v1::ROLE_SYSTEM: out.role = "system"; break;
    case v1::ROLE_USER: out.role = "user"; break;
    case v1::ROLE_ASSISTANT: out.role = "assistant"; break;
    case v1::ROLE_TOOL: out.role = "tool"; break;
    default: return absl::InvalidArgumentError(absl::StrCat(field, ".role: unknown"));
  }
  out.content = guard(message.content());
  out.reasoning_content = guard(message.reasoning_content());
  out.tool_call_id = guard(message.tool_call_id());
  out.tool_name = guard(message.name());
  for (int i = 0; i < message.tool_calls_size(); ++i) {
    const v1::ToolCall& call = message.tool_calls(i);
    ASSIGN_OR_RETURN(std::string arguments,
                     GuardArguments(absl::StrCat(field, ".tool_calls[", i, "].arguments"), call.arguments(), guard));
    out.tool_calls.push_back({guard(call.name()), std::move(arguments), guard(call.id())});
  }
  return out;
}

// A schema goes into the grammar too, where marks would become part of the answer: control tokens are refused instead.
absl::Status CheckSchemaText(const std::string& field, const std::string& text, const LlamaVocab& vocab) {
  RETURN_IF_ERROR(CheckSchema(field, text));
  if (vocab.SpellsControl(common_json::parse_no_throw(text).dump_safe())) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": spells a control token of the model"));
  }
  return absl::OkStatus();
}

absl::Status AddTools(const v1::GenerateRequest& request, const Guard& guard, bool template_has_tools,
                      common_chat_templates_inputs& inputs) {
  const v1::ToolChoice& choice = request.tool_choice();
  const bool one = choice.mode() == v1::ToolChoice::MODE_FUNCTION;
  if (choice.mode() == v1::ToolChoice::MODE_NONE) inputs.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
  if (one || choice.mode() == v1::ToolChoice::MODE_REQUIRED) inputs.tool_choice = COMMON_CHAT_TOOL_CHOICE_REQUIRED;
  for (int i = 0; i < request.tools_size(); ++i) {
    const v1::Tool& tool = request.tools(i);
    const std::string field = absl::StrCat("tools[", i, "]");
    if (tool.name().empty() || guard.vocab.SpellsControl(tool.name())) {
      return absl::InvalidArgumentError(absl::StrCat(field, ".name: not usable"));
    }
    if (one && tool.name() != choice.function_name()) continue;
    common_chat_tool out;
    out.name = tool.name();
    out.description = guard(tool.description());
    out.parameters = tool.parameters_json();
    if (out.parameters.empty()) {
      out.parameters = R"({"type":"object","properties":{}})";
    } else {
      RETURN_IF_ERROR(CheckSchemaText(field + ".parameters_json", out.parameters, guard.vocab));
    }
    inputs.tools.push_back(std::move(out));
  }
  if (inputs.tool_choice != COMMON_CHAT_TOOL_CHOICE_REQUIRED) return absl::OkStatus();
  if (inputs.tools.empty()) return absl::InvalidArgumentError("tool_choice: no such tool");
  if (!template_has_tools) return absl::InvalidArgumentError("tool_choice: the model's chat template has no tools");
  return absl::OkStatus();
}

// Empty = free text.
absl::StatusOr<std::string> SchemaOf(const v1::GenerateRequest& request, const LlamaVocab& vocab) {
  switch (request.response_format().type()) {
    case v1::ResponseFormat::TYPE_JSON_OBJECT: return std::string(kAnyObject);
    case v1::ResponseFormat::TYPE_JSON_SCHEMA:
      RETURN_IF_ERROR(
          CheckSchemaText("response_format.json_schema", request.response_format().json_schema(), vocab));
      return request.response_format().json_schema();
    default: return std::string();
  }
}

std::optional<char32_t> MarksFor(const v1::GenerateRequest& request) {
  std::vector<std::string_view> texts;
  std::vector<std::string> decoded;  // "\udb80\udc00" in JSON is a private-use character too
  for (const v1::Message& message : request.messages()) {
    texts.insert(texts.end(), {message.content(), message.reasoning_content(), message.tool_call_id(), message.name()});
    for (const v1::ToolCall& call : message.tool_calls()) {
      texts.insert(texts.end(), {call.id(), call.name(), call.arguments()});
      if (JsonDepth(call.arguments()) > kJsonDepthMax) continue;  // refused later
      decoded.push_back(common_json::parse_no_throw(call.arguments()).dump_safe());
    }
  }
  for (const v1::Tool& tool : request.tools()) {
    texts.insert(texts.end(), {tool.name(), tool.description(), tool.parameters_json()});
    if (JsonDepth(tool.parameters_json()) > kJsonDepthMax) continue;
    decoded.push_back(common_json::parse_no_throw(tool.parameters_json()).dump_safe());
  }
  texts.insert(texts.end(), decoded.begin(), decoded.end());
  return LlamaVocab::FreeMarks(texts);
}

common_chat_templates_inputs EmptyInputs() {
  common_chat_templates_inputs inputs;
  inputs.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
  return inputs;
}

class TemplateParser : public AnswerParser {
 public:
  explicit TemplateParser(const common_chat_params& chat) : params_(chat) {
    params_.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
    if (!chat.parser.empty()) params_.parser.load(chat.parser);
  }

  v1::Message Parse(const std::string& text, bool complete) const override {
    v1::Message out;
    out.set_role(v1::ROLE_ASSISTANT);
    std::optional<common_chat_msg> parsed;
    if (complete) parsed = Try(text, /*partial=*/false);
    if (!parsed.has_value()) parsed = Try(text, /*partial=*/true);  // complete: cut by max_tokens or a stop string
    if (!parsed.has_value()) {
      if (complete) out.set_content(text);
      return out;
    }
    out.set_content(parsed->content);
    out.set_reasoning_content(parsed->reasoning_content);
    for (const common_chat_tool_call& call : parsed->tool_calls) {
      v1::ToolCall* to = out.add_tool_calls();
      to->set_id(call.id);
      to->set_name(call.name);
      to->set_arguments(call.arguments);
    }
    return out;
  }

 private:
  std::optional<common_chat_msg> Try(const std::string& text, bool partial) const {
    try {
      return common_chat_parse(text, partial, params_);
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }

  common_chat_parser_params params_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LlamaChat>> LlamaChat::Make(const llama_model* model, const LlamaVocab& vocab,
                                                           const std::string& own_template) {
  try {
    std::shared_ptr<common_chat_templates> templates(common_chat_templates_init(model, own_template).release(),
                                                     common_chat_templates_deleter());
    if (!common_chat_templates_was_explicit(templates.get())) {
      HG_LOG(Warning, "the model has no chat template, ChatML is used");
    }
    return std::unique_ptr<LlamaChat>(new LlamaChat(std::move(templates), vocab));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("chat template: ", error.what()));
  }
}

absl::StatusOr<RenderedChat> LlamaChat::Render(const v1::GenerateRequest& request) const {
  // what() may quote the request, so a status says only which field was refused.
  try {
    return RenderMessages(request);
  } catch (const std::exception&) {
    const bool schema = request.response_format().type() == v1::ResponseFormat::TYPE_JSON_SCHEMA;
    return absl::InvalidArgumentError(
        schema ? "response_format.json_schema: not supported, or the chat template refuses the messages"
               : "messages: the model's chat template refuses them (roles, their order, or tool fields)");
  }
}

absl::StatusOr<RenderedChat> LlamaChat::RenderMessages(const v1::GenerateRequest& request) const {
  if (request.messages().empty()) return absl::InvalidArgumentError("messages: is empty");
  const std::optional<char32_t> marks = MarksFor(request);
  if (!marks.has_value()) return absl::InvalidArgumentError("messages: too many private-use characters");
  const Guard guard{vocab_, *marks};
  common_chat_templates_inputs inputs = EmptyInputs();
  for (int i = 0; i < request.messages_size(); ++i) {
    ASSIGN_OR_RETURN(common_chat_msg message, ToMessage(absl::StrCat("messages[", i, "]"), request.messages(i), guard));
    inputs.messages.push_back(std::move(message));
  }
  const std::map<std::string, bool> caps = common_chat_templates_get_caps(templates_.get());
  const auto has = [&](const char* cap) { return caps.count(cap) > 0 && caps.at(cap); };
  RETURN_IF_ERROR(AddTools(request, guard, has("supports_tools"), inputs));
  inputs.parallel_tool_calls = has("supports_parallel_tool_calls");
  ASSIGN_OR_RETURN(inputs.json_schema, SchemaOf(request, vocab_));
  if (!inputs.json_schema.empty()) {
    try {
      json_schema_to_grammar(common_json::parse(inputs.json_schema));
    } catch (const std::exception&) {
      return absl::InvalidArgumentError("response_format.json_schema: not a supported JSON schema");
    }
  }
  const common_chat_params chat = common_chat_templates_apply(templates_.get(), inputs);
  RenderedChat out;
  out.tokens = vocab_.TokenizeRendered(chat.prompt, *marks, out.text);
  out.stops = chat.additional_stops;
  out.grammar = EncodeGrammar(chat);
  out.parser = std::make_shared<TemplateParser>(chat);
  out.plain = !chat.supports_thinking && inputs.tools.empty();
  return out;
}

std::vector<std::string> LlamaChat::TokensOfAnswers() const {
  common_chat_templates_inputs inputs = EmptyInputs();
  common_chat_msg message;
  message.role = "user";
  message.content = "-";
  inputs.messages.push_back(message);
  inputs.tools.push_back({"f", "-", R"({"type":"object","properties":{"a":{"type":"string"}}})"});
  try {
    return common_chat_templates_apply(templates_.get(), inputs).preserved_tokens;
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace headgate::engine
