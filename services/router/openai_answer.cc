// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_answer.h"

#include <bit>
#include <charconv>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

const char* FinishName(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_LENGTH: return "length";
    case v1::FINISH_REASON_TOOL_CALLS: return "tool_calls";
    case v1::FINISH_REASON_CONTENT_FILTER: return "content_filter";
    default: return "stop";
  }
}

void AppendMember(std::string& out, const char* name, std::string_view text) {
  absl::StrAppend(&out, "\"", name, "\":");
  AppendJsonString(out, text);
}

void AppendCall(std::string& out, const std::string& id, const std::string& name, const std::string& arguments) {
  if (!id.empty()) {
    AppendMember(out, "id", id);
    out.append(",\"type\":\"function\",");
  }
  out.append("\"function\":{");
  if (!name.empty()) {
    AppendMember(out, "name", name);
    out.push_back(',');
  }
  AppendMember(out, "arguments", arguments);
  out.append("}}");
}

void AppendDeltaMembers(std::string& out, const v1::Delta& delta) {
  const char* separator = "";
  if (!delta.reasoning_content().empty()) {
    AppendMember(out, "reasoning_content", delta.reasoning_content());
    separator = ",";
  }
  if (!delta.content().empty() || (delta.reasoning_content().empty() && delta.tool_calls().empty())) {
    out.append(separator);
    AppendMember(out, "content", delta.content());
    separator = ",";
  }
  if (delta.tool_calls().empty()) return;
  absl::StrAppend(&out, separator, "\"tool_calls\":[");
  for (int i = 0; i < delta.tool_calls_size(); ++i) {
    const v1::ToolCallDelta& call = delta.tool_calls(i);
    absl::StrAppend(&out, i > 0 ? "," : "", "{\"index\":", call.index(), ",");
    AppendCall(out, call.id(), call.name(), call.arguments());
  }
  out.push_back(']');
}

}  // namespace

AnswerEncoder::AnswerEncoder(bool chat, bool include_usage, int64_t created)
    : chat_(chat), include_usage_(include_usage), created_(created) {}

std::string AnswerEncoder::Head(const char* object) const {
  std::string out = "{";
  AppendMember(out, "id", absl::StrCat(chat_ ? "chatcmpl-" : "cmpl-", route_.request_id()));
  absl::StrAppend(&out, ",\"object\":\"", object, "\",\"created\":", created_, ",");
  AppendMember(out, "model", route_.model());
  return out;
}

void AnswerEncoder::AppendUsage(std::string& out, const v1::Usage& usage) const {
  absl::StrAppend(&out, "{\"prompt_tokens\":", usage.prompt_tokens(), ",\"completion_tokens\":",
                  usage.completion_tokens(), ",\"total_tokens\":", usage.prompt_tokens() + usage.completion_tokens());
  absl::StrAppend(&out, ",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens(),
                  "},\"completion_tokens_details\":{\"reasoning_tokens\":", usage.reasoning_tokens(), "}}");
}

std::string AnswerEncoder::Chunk(const v1::GenerateStreamResponse& event) {
  if (event.has_route()) {
    route_ = event.route();
    prefix_ = absl::StrCat("data: ", Head(chat_ ? "chat.completion.chunk" : "text_completion"),
                           include_usage_ ? ",\"usage\":null" : "", ",\"choices\":[");
    return "";
  }
  if (event.has_finish()) return FinishChunk(event.finish());
  std::string out;
  const v1::Delta& delta = event.delta();
  out.reserve(prefix_.size() + delta.content().size() + 128);
  out.append(prefix_);
  if (chat_) {
    out.append("{\"index\":0,\"delta\":{");
    if (!role_sent_) out.append("\"role\":\"assistant\",");
    role_sent_ = true;
    AppendDeltaMembers(out, delta);
    out.append("},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
  } else {
    // The completions API has no place for reasoning: it is left out, as in OpenAI's.
    if (delta.content().empty()) return "";
    out.append("{\"index\":0,");
    AppendMember(out, "text", delta.content());
    out.append(",\"logprobs\":null,\"finish_reason\":null}]}\n\n");
  }
  return out;
}

std::string AnswerEncoder::FinishChunk(const v1::Finish& finish) {
  std::string out = prefix_;
  out.append(chat_ ? "{\"index\":0,\"delta\":{" : "{\"index\":0,\"text\":\"\"");
  if (chat_) out.append(role_sent_ ? "}" : "\"role\":\"assistant\",\"content\":\"\"}");
  absl::StrAppend(&out, ",\"logprobs\":null,\"finish_reason\":\"", FinishName(finish.reason()), "\"}]}\n\n");
  if (!include_usage_) return out;
  absl::StrAppend(&out, "data: ", Head(chat_ ? "chat.completion.chunk" : "text_completion"),
                  ",\"choices\":[],\"usage\":");
  AppendUsage(out, finish.usage());
  out.append("}\n\n");
  return out;
}

void AppendDelta(const v1::Delta& delta, v1::Message& message) {
  message.set_role(v1::ROLE_ASSISTANT);
  message.mutable_content()->append(delta.content());
  message.mutable_reasoning_content()->append(delta.reasoning_content());
  for (const v1::ToolCallDelta& piece : delta.tool_calls()) {
    // Indices come from an upstream: bounded, or one wrong number would allocate without end.
    if (piece.index() < 0 || piece.index() >= 128) continue;
    while (message.tool_calls_size() <= piece.index()) message.add_tool_calls();
    v1::ToolCall& call = *message.mutable_tool_calls(piece.index());
    if (!piece.id().empty()) call.set_id(piece.id());
    if (!piece.name().empty()) call.set_name(piece.name());
    call.mutable_arguments()->append(piece.arguments());
  }
}

void AnswerEncoder::Collect(const v1::GenerateStreamResponse& event) {
  if (event.has_route()) route_ = event.route();
  if (event.has_delta()) AppendDelta(event.delta(), message_);
  if (event.has_finish()) finish_ = event.finish();
}

std::string AnswerEncoder::Body() const {
  std::string out = Head(chat_ ? "chat.completion" : "text_completion");
  out.append(",\"choices\":[{\"index\":0,");
  if (chat_) {
    out.append("\"message\":{\"role\":\"assistant\",");
    if (!message_.reasoning_content().empty()) {
      AppendMember(out, "reasoning_content", message_.reasoning_content());
      out.push_back(',');
    }
    if (message_.content().empty() && message_.tool_calls_size() > 0) {
      out.append("\"content\":null");
    } else {
      AppendMember(out, "content", message_.content());
    }
    for (int i = 0; i < message_.tool_calls_size(); ++i) {
      const v1::ToolCall& call = message_.tool_calls(i);
      out.append(i == 0 ? ",\"tool_calls\":[{" : ",{");
      AppendCall(out, call.id(), call.name(), call.arguments());
    }
    if (message_.tool_calls_size() > 0) out.push_back(']');
    out.append(",\"refusal\":null}");
  } else {
    AppendMember(out, "text", message_.content());
  }
  absl::StrAppend(&out, ",\"logprobs\":null,\"finish_reason\":\"", FinishName(finish_.reason()), "\"}],\"usage\":");
  AppendUsage(out, finish_.usage());
  out.push_back('}');
  return out;
}

std::string ModelBody(const v1::Model& model) {
  std::string out = "{";
  AppendMember(out, "id", model.id());
  absl::StrAppend(&out, ",\"object\":\"model\",\"created\":", model.created_unix_seconds(), ",");
  AppendMember(out, "owned_by", model.owned_by());
  out.push_back('}');
  return out;
}

std::string ModelsBody(const v1::ListModelsResponse& models) {
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (int i = 0; i < models.models_size(); ++i) {
    absl::StrAppend(&out, i > 0 ? "," : "", ModelBody(models.models(i)));
  }
  out.append("]}");
  return out;
}

std::string EmbedBody(const v1::EmbedResponse& response, bool base64) {
  static_assert(std::endian::native == std::endian::little, "base64 embeddings are little-endian floats");
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (int i = 0; i < response.embeddings_size(); ++i) {
    const auto& values = response.embeddings(i).values();
    absl::StrAppend(&out, i > 0 ? "," : "", "{\"object\":\"embedding\",\"index\":", i, ",\"embedding\":");
    if (base64) {
      std::string bytes(values.size() * sizeof(float), '\0');
      if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
      absl::StrAppend(&out, "\"", absl::Base64Escape(bytes), "\"");
    } else {
      out.push_back('[');
      for (int k = 0; k < values.size(); ++k) {
        char text[32];  // the shortest form that reads back the same
        const auto end = std::to_chars(text, text + sizeof(text), values[k]).ptr;
        out.append(k > 0 ? "," : "").append(text, end);
      }
      out.push_back(']');
    }
    out.push_back('}');
  }
  out.append("],");
  AppendMember(out, "model", response.model());
  absl::StrAppend(&out, ",\"usage\":{\"prompt_tokens\":", response.usage().prompt_tokens(),
                  ",\"total_tokens\":", response.usage().prompt_tokens(), "}}");
  return out;
}

namespace {

struct ErrorRow {
  absl::StatusCode code;
  int http;
  const char* type;
  const char* name;  // OpenAI's `code`; null where it has none
};
// One place maps a Status to HTTP. UNAUTHENTICATED here is always the client's key: the router turns a refusal of our
// own cloud key into UNAVAILABLE.
constexpr ErrorRow kErrors[] = {
    {absl::StatusCode::kInvalidArgument, 400, "invalid_request_error", nullptr},
    {absl::StatusCode::kUnauthenticated, 401, "authentication_error", "invalid_api_key"},
    {absl::StatusCode::kPermissionDenied, 403, "permission_error", nullptr},
    {absl::StatusCode::kNotFound, 404, "invalid_request_error", "not_found"},
    {absl::StatusCode::kAborted, 409, "server_error", nullptr},
    {absl::StatusCode::kOutOfRange, 413, "invalid_request_error", "request_too_large"},
    {absl::StatusCode::kResourceExhausted, 429, "rate_limit_error", "rate_limit_exceeded"},
    {absl::StatusCode::kCancelled, 499, "server_error", "cancelled"},
    {absl::StatusCode::kUnimplemented, 501, "server_error", "not_implemented"},
    {absl::StatusCode::kUnavailable, 503, "server_error", "unavailable"},
    {absl::StatusCode::kFailedPrecondition, 503, "server_error", "unavailable"},
    {absl::StatusCode::kDeadlineExceeded, 504, "server_error", "deadline_exceeded"},
};
constexpr ErrorRow kInternal = {absl::StatusCode::kInternal, 500, "server_error", "internal_error"};

const ErrorRow& RowOf(const absl::Status& status) {
  for (const ErrorRow& row : kErrors) {
    if (row.code == status.code()) return row;
  }
  return kInternal;
}

}  // namespace

int HttpStatus(const absl::Status& status) { return RowOf(status).http; }

std::string ErrorBody(const absl::Status& status) {
  const ErrorRow& row = RowOf(status);
  // OpenAI's body has these fields at its top.
  const auto ours = [](absl::string_view name) { return std::string(absl::StripPrefix(name, "sampling.")); };
  std::string out = "{\"error\":{";
  AppendMember(out, "message", ours(status.message()));
  absl::StrAppend(&out, ",\"type\":\"", row.type, "\",\"param\":");
  const std::string field = ours(ParamOf(status));
  if (field.empty()) {
    out.append("null");
  } else {
    AppendJsonString(out, field);
  }
  out.append(",\"code\":");
  if (row.name == nullptr) {
    out.append("null");
  } else {
    absl::StrAppend(&out, "\"", row.name, "\"");
  }
  out.append("}}");
  return out;
}

}  // namespace headgate::services
