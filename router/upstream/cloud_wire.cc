// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Facts about the wire: DeepSeek's chat completions. Tested by cloud_wire_test.cc (every split point of a stream gives
// the same events) and fuzzed by tests/fuzz/sse_fuzz.cc.

#include "router/upstream/cloud_wire.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "nlohmann/json.hpp"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaDepthMax = 64;  // serialising recurses once per level
constexpr int64_t kTokensMax = int64_t{1} << 40;
constexpr absl::Duration kRetryAfterMax = absl::Hours(1);

// The shortest decimal that reads back as the same float: 0.7f is sent as 0.7, not 0.699999988079071.
double Decimal(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text) - 1, value);
  *end.ptr = '\0';
  return std::strtod(text, nullptr);
}

// DeepSeek takes earlier thoughts back while it thinks; pods of our own always: the conversation may have been there.
bool TakesReasoning(const CloudBody& about) {
  return about.thinking || about.dialect == CloudBody::Dialect::kLocalEngine;
}

Json MessageJson(const v1::Message& message, const CloudBody& about) {
  Json json = {{"role", ChatRoleName(message.role())}, {"content", message.content()}};
  if (!message.tool_call_id().empty()) json["tool_call_id"] = message.tool_call_id();
  for (const v1::ToolCall& call : message.tool_calls()) {
    json["tool_calls"].push_back({{"id", call.id()},
                                  {"type", "function"},
                                  {"function", {{"name", call.name()}, {"arguments", call.arguments()}}}});
  }
  // While thinking, the cloud refuses a tool-call turn without the field, even when there is nothing in it.
  const bool demanded = about.thinking && message.tool_calls_size() > 0;
  if (TakesReasoning(about) && message.role() == v1::ROLE_ASSISTANT &&
      (demanded || !message.reasoning_content().empty())) {
    json["reasoning_content"] = message.reasoning_content();
  }
  return json;
}

// Strings are valid UTF-8 where they come from; should one not be, replacing beats throwing.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void AppendText(std::string& out, std::string_view text) {
  const size_t before = out.size();
  out.push_back('"');
  size_t run = 0;
  for (size_t at = 0; at += PlainBytes(text.substr(at)), at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    const size_t bytes = c < 0x80 ? 1 : CharacterBytes(text.substr(at));
    const bool escaped = c == '"' || c == '\\' || c == '\n';
    if (bytes == 0 || (c < 0x20 && !escaped)) {  // rare
      out.resize(before);
      out.append(Dump(text));
      return;
    }
    if (escaped) {
      out.append(text.substr(run, at - run)).append(c == '\n' ? "\\n" : c == '"' ? "\\\"" : "\\\\");
      run = at + 1;
    }
    at += bytes;
  }
  out.append(text.substr(run)).push_back('"');
}

void AppendPlainMessage(std::string& out, std::string_view role, std::string_view content) {
  out.append("{\"role\":\"").append(role).append("\",\"content\":");
  AppendText(out, content);
  out.append("},");
}

// Prompts are long and nearly always plain: no tree, and the text is gone through once.
void AppendMessage(std::string& out, const v1::Message& message, const CloudBody& about) {
  const bool plain = message.tool_call_id().empty() && message.tool_calls().empty() &&
                     (!TakesReasoning(about) || message.role() != v1::ROLE_ASSISTANT);
  if (plain) return AppendPlainMessage(out, ChatRoleName(message.role()), message.content());
  out.append(Dump(MessageJson(message, about))).push_back(',');
}

absl::StatusOr<Json> ToolJson(const v1::Tool& tool) {
  Json function = {{"name", tool.name()}};
  if (!tool.description().empty()) function["description"] = tool.description();
  if (!tool.parameters_json().empty()) {
    bool deep = false;
    const auto bound_depth = [&deep](int depth, Json::parse_event_t, Json&) {
      deep |= depth > kSchemaDepthMax;
      return depth <= kSchemaDepthMax;
    };
    Json schema = Json::parse(tool.parameters_json(), bound_depth, /*allow_exceptions=*/false);
    if (deep || !schema.is_object())
      return absl::InvalidArgumentError("tools.parameters_json is not a JSON object of at most 64 levels");
    function["parameters"] = std::move(schema);
  }
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

std::optional<Json> ToolChoiceJson(const v1::ToolChoice& choice) {
  switch (choice.mode()) {
    case v1::ToolChoice::MODE_NONE:
      return "none";
    case v1::ToolChoice::MODE_AUTO:
      return "auto";
    case v1::ToolChoice::MODE_REQUIRED:
      return "required";
    case v1::ToolChoice::MODE_FUNCTION:
      return Json{{"type", "function"}, {"function", {{"name", choice.function_name()}}}};
    default:
      return std::nullopt;
  }
}

void AddSampling(const v1::Sampling& sampling, Json& body) {
  if (sampling.has_temperature()) body["temperature"] = Decimal(sampling.temperature());
  if (sampling.has_top_p()) body["top_p"] = Decimal(sampling.top_p());
  if (sampling.has_presence_penalty()) body["presence_penalty"] = Decimal(sampling.presence_penalty());
  if (sampling.has_frequency_penalty()) body["frequency_penalty"] = Decimal(sampling.frequency_penalty());
}

absl::Status Broken(std::string_view what) {
  return absl::UnavailableError(absl::StrCat("cloud stream is broken: ", std::string(what)));
}

// Fields are read leniently where a peer may leave them out or send null, and never throw.
const nlohmann::json* Find(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string Text(const nlohmann::json& object, const char* key) {
  const nlohmann::json* value = Find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

int64_t Tokens(const nlohmann::json& object, const char* key) {
  const nlohmann::json* value = Find(object, key);
  if (value == nullptr || !value->is_number_integer()) return 0;
  return value->is_number_unsigned() ? static_cast<int64_t>(std::min<uint64_t>(value->get<uint64_t>(), kTokensMax)) : 0;
}

v1::Usage UsageOf(const PlainUsage& plain) {
  v1::Usage usage;
  usage.set_prompt_tokens(std::min(plain.prompt_tokens, kTokensMax));
  usage.set_completion_tokens(std::min(plain.completion_tokens, kTokensMax));
  const int64_t cached = plain.prompt_cache_hit_tokens != 0 ? plain.prompt_cache_hit_tokens : plain.cached_tokens;
  usage.set_cached_tokens(std::min(cached, usage.prompt_tokens()));
  usage.set_reasoning_tokens(std::min(plain.reasoning_tokens, usage.completion_tokens()));
  return usage;
}

v1::Usage UsageOf(const nlohmann::json& json) {
  PlainUsage plain;
  plain.prompt_tokens = Tokens(json, "prompt_tokens");
  plain.completion_tokens = Tokens(json, "completion_tokens");
  plain.prompt_cache_hit_tokens = Tokens(json, "prompt_cache_hit_tokens");
  if (const nlohmann::json* details = Find(json, "prompt_tokens_details"))
    plain.cached_tokens = Tokens(*details, "cached_tokens");
  if (const nlohmann::json* details = Find(json, "completion_tokens_details"))
    plain.reasoning_tokens = Tokens(*details, "reasoning_tokens");
  return UsageOf(plain);
}

// Of a stream's `delta`, whose tool calls say which they are, or of a whole `message`, where their place says it.
v1::Delta DeltaOf(const nlohmann::json& json, bool whole) {
  v1::Delta delta;
  delta.set_content(Text(json, "content"));
  delta.set_reasoning_content(Text(json, "reasoning_content"));
  const nlohmann::json* calls = Find(json, "tool_calls");
  if (calls == nullptr || !calls->is_array()) return delta;
  for (const nlohmann::json& call : *calls) {
    v1::ToolCallDelta& out = *delta.add_tool_calls();
    out.set_index(whole ? delta.tool_calls_size() - 1
                        : static_cast<int32_t>(std::min<int64_t>(Tokens(call, "index"), 1 << 20)));
    out.set_id(Text(call, "id"));
    if (const nlohmann::json* function = Find(call, "function")) {
      out.set_name(Text(*function, "name"));
      out.set_arguments(Text(*function, "arguments"));
    }
  }
  return delta;
}

// An ending that we do not know is not shown to be a clean one.
absl::StatusOr<v1::FinishReason> FinishReasonOf(const std::string& name) {
  if (name == "stop") return v1::FINISH_REASON_STOP;
  if (name == "length") return v1::FINISH_REASON_LENGTH;
  if (name == "tool_calls") return v1::FINISH_REASON_TOOL_CALLS;
  if (name == "content_filter") return v1::FINISH_REASON_CONTENT_FILTER;
  if (name == "insufficient_system_resource") return absl::UnavailableError("cloud is overloaded");
  return Broken("unknown finish reason");
}

// What only local engines offer, by the names that vLLM and SGLang share.
absl::Status AddLocal(const v1::GenerateRequest& content, Json& body) {
  const v1::Sampling& sampling = content.sampling();
  if (sampling.has_top_k() && sampling.top_k() > 0) body["top_k"] = sampling.top_k();
  if (sampling.has_min_p()) body["min_p"] = Decimal(sampling.min_p());
  if (sampling.has_repetition_penalty()) body["repetition_penalty"] = Decimal(sampling.repetition_penalty());
  if (sampling.has_seed()) body["seed"] = sampling.seed() & 0x7fffffffffffffff;  // theirs is signed
  for (const int32_t id : content.stop_token_ids()) body["stop_token_ids"].push_back(id);
  if (content.response_format().type() == v1::ResponseFormat::TYPE_GRAMMAR || content.n() > 1 ||
      content.has_logprobs()) {
    return absl::InvalidArgumentError("grammars, several answers and log-probabilities: our own engines only");
  }
  if (content.response_format().type() != v1::ResponseFormat::TYPE_JSON_SCHEMA) return absl::OkStatus();
  const auto bound_depth = [](int depth, Json::parse_event_t, Json&) { return depth <= kSchemaDepthMax; };
  Json schema = Json::parse(content.response_format().json_schema(), bound_depth, /*allow_exceptions=*/false);
  if (!schema.is_object()) return absl::InvalidArgumentError("response_format.json_schema is not a JSON object");
  body["response_format"] = {{"type", "json_schema"},
                             {"json_schema", {{"name", "answer"}, {"schema", std::move(schema)}}}};
  return absl::OkStatus();
}

}  // namespace

const char* ChatRoleName(v1::Role role) {
  switch (role) {
    case v1::ROLE_SYSTEM:
      return "system";
    case v1::ROLE_ASSISTANT:
      return "assistant";
    case v1::ROLE_TOOL:
      return "tool";
    default:
      return "user";
  }
}

absl::StatusOr<std::string> CloudRequestBody(const v1::GenerateRequest& content, const CloudBody& about) {
  std::string out = "{\"model\":";
  AppendText(out, about.model);
  out.append(",\"messages\":[");
  for (const v1::Message& message : content.messages()) AppendMessage(out, message, about);
  if (content.messages().empty()) AppendPlainMessage(out, "user", content.prompt());
  out.back() = ']';  // the last comma
  out.append(about.whole ? ",\"stream\":false" : ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
  if (about.dialect == CloudBody::Dialect::kDeepSeek) {
    absl::StrAppend(&out, ",\"thinking\":{\"type\":\"", about.thinking ? "enabled" : "disabled", "\"}");
  }
  if (!about.members.empty()) absl::StrAppend(&out, ",", about.members);
  out.push_back('}');
  Json body = Json::object();  // what few requests have
  AddSampling(content.sampling(), body);
  if (content.has_max_tokens()) body["max_tokens"] = content.max_tokens();
  for (const std::string& stop : content.stop()) body["stop"].push_back(stop);
  if (content.response_format().type() == v1::ResponseFormat::TYPE_JSON_OBJECT)
    body["response_format"] = {{"type", "json_object"}};
  if (about.dialect == CloudBody::Dialect::kLocalEngine) {
    RETURN_IF_ERROR(AddLocal(content, body));
  } else if (content.response_format().type() == v1::ResponseFormat::TYPE_JSON_SCHEMA) {
    return absl::InvalidArgumentError("response_format.json_schema is offered by local engines only");
  }
  for (const v1::Tool& tool : content.tools()) {
    ASSIGN_OR_RETURN(Json json, ToolJson(tool));
    body["tools"].push_back(std::move(json));
  }
  if (auto choice = ToolChoiceJson(content.tool_choice())) body["tool_choice"] = *std::move(choice);
  if (!about.user_id.empty()) {
    body[about.dialect == CloudBody::Dialect::kDeepSeek ? "user_id" : "user"] = about.user_id;
  }
  if (body.empty()) return out;
  out.back() = ',';
  return out.append(Dump(body), 1);
}

std::optional<int64_t> NamedConcurrencyLimit(std::string_view body) {
  constexpr std::string_view kBefore = "concurrency limit of ";
  constexpr int64_t kLimitMax = 1'000'000'000;
  const size_t at = body.find(kBefore);
  if (at == std::string_view::npos) return std::nullopt;
  int64_t limit = 0;
  const std::string_view digits = body.substr(at + kBefore.size());
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), limit);
  if (parsed.ec != std::errc() || limit < 1 || limit > kLimitMax) return std::nullopt;
  return limit;
}

absl::Status CloudStatus(long http_status, std::optional<absl::Duration> retry_after) {
  const auto refused = absl::StrCat("cloud refused the request (status ", http_status, ")");
  const auto with_delay = [&](absl::Status status) {
    return retry_after ? WithRetryAfter(std::move(status), *retry_after) : status;
  };
  switch (http_status) {
    case 400:
    case 413:
    case 422:
      return absl::InvalidArgumentError(refused);
    case 401:
    case 403:
      return absl::UnauthenticatedError(absl::StrCat("cloud refused our key (status ", http_status, ")"));
    case 402:
      return absl::FailedPreconditionError("cloud balance is spent (status 402)");
    case 429:
      return with_delay(absl::ResourceExhaustedError("cloud limits our requests (status 429)"));
    default:
      return with_delay(absl::UnavailableError(absl::StrCat("cloud failed (status ", http_status, ")")));
  }
}

std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now) {
  const std::string text(absl::StripAsciiWhitespace(absl::string_view(value.data(), value.size())));
  const auto bounded = [](absl::Duration after) { return std::clamp(after, absl::ZeroDuration(), kRetryAfterMax); };
  if (!text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) {
    int64_t seconds = 0;
    return absl::SimpleAtoi(text, &seconds) ? bounded(absl::Seconds(seconds)) : kRetryAfterMax;
  }
  absl::Time date;
  if (absl::ParseTime("%a, %d %b %E4Y %H:%M:%S GMT", text, &date, nullptr)) return bounded(date - now);
  return std::nullopt;
}

absl::Status ReadWholeAnswer(std::string_view body, std::vector<v1::GenerateStreamResponse>& events) {
  if (auto plain = ReadPlainAnswer(body); plain && !plain->finish_reason.empty()) {
    ASSIGN_OR_RETURN(const v1::FinishReason reason, FinishReasonOf(plain->finish_reason));
    if (!plain->content.empty() || !plain->reasoning_content.empty()) {
      v1::Delta& delta = *events.emplace_back().mutable_delta();
      delta.set_content(std::move(plain->content));
      delta.set_reasoning_content(std::move(plain->reasoning_content));
    }
    v1::Finish& finish = *events.emplace_back().mutable_finish();
    finish.set_reason(reason);
    if (plain->usage) *finish.mutable_usage() = UsageOf(*plain->usage);
    return absl::OkStatus();
  }
  const auto answer = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return Broken("malformed answer");
  if (Find(answer, "error") != nullptr) return absl::UnavailableError("cloud reported an error in its answer");
  const nlohmann::json* choices = Find(answer, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return Broken("answer without a choice");
  const nlohmann::json& choice = choices->front();  // we never ask for more than one
  const std::string reason = Text(choice, "finish_reason");
  if (reason.empty()) return Broken("end without a finish reason");
  ASSIGN_OR_RETURN(const v1::FinishReason parsed, FinishReasonOf(reason));
  if (const nlohmann::json* message = Find(choice, "message")) {
    v1::Delta delta = DeltaOf(*message, /*whole=*/true);
    if (!delta.content().empty() || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0)
      *events.emplace_back().mutable_delta() = std::move(delta);
  }
  v1::Finish& finish = *events.emplace_back().mutable_finish();
  finish.set_reason(parsed);
  if (const nlohmann::json* usage = Find(answer, "usage")) *finish.mutable_usage() = UsageOf(*usage);
  return absl::OkStatus();
}

absl::Status SseReader::Read(std::string_view bytes, std::vector<v1::GenerateStreamResponse>& events) {
  while (!bytes.empty() && !done_) {
    const size_t end = bytes.find('\n');
    if (line_.size() + std::min(end, bytes.size()) > kLineBytesMax) return Broken("line too long");
    if (line_.empty() && end != std::string_view::npos) {  // came whole: no copy
      RETURN_IF_ERROR(ReadLine(bytes.substr(0, end), events));
      bytes.remove_prefix(end + 1);
      continue;
    }
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return absl::OkStatus();
    bytes.remove_prefix(end + 1);
    const absl::Status status = ReadLine(line_, events);
    line_.clear();
    RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status SseReader::End(std::vector<v1::GenerateStreamResponse>& events) {
  if (!done_ && !line_.empty()) RETURN_IF_ERROR(ReadLine(line_, events));
  return done_ ? absl::OkStatus() : absl::UnavailableError("cloud stream ended early (truncated)");
}

// One `data:` line is one chunk: this peer writes JSON without line breaks. Comments (`: keep-alive`), blank lines and
// fields other than data say nothing.
absl::Status SseReader::ReadLine(std::string_view line, std::vector<v1::GenerateStreamResponse>& events) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  constexpr std::string_view kData = "data:";
  if (line.substr(0, kData.size()) != kData) return absl::OkStatus();
  line.remove_prefix(kData.size());
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  if (line.empty()) return absl::OkStatus();
  if (line != "[DONE]") return ReadChunk(line, events);
  if (finish_.reason() == v1::FINISH_REASON_UNSPECIFIED) return Broken("end without a finish reason");
  done_ = true;
  *events.emplace_back().mutable_finish() = std::move(finish_);
  return absl::OkStatus();
}

absl::Status SseReader::ReadChunk(std::string_view text, std::vector<v1::GenerateStreamResponse>& events) {
  if (auto plain = chunks_.Read(text)) {
    if (!plain->content.empty() || !plain->reasoning_content.empty()) {
      v1::Delta& delta = *events.emplace_back().mutable_delta();
      delta.set_content(std::move(plain->content));
      delta.set_reasoning_content(std::move(plain->reasoning_content));
    }
    if (plain->usage) *finish_.mutable_usage() = UsageOf(*plain->usage);
    return TakeReason(plain->finish_reason);
  }
  const auto chunk = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!chunk.is_object()) return Broken("malformed chunk");
  if (Find(chunk, "error") != nullptr) return absl::UnavailableError("cloud reported an error in its stream");
  if (const nlohmann::json* usage = Find(chunk, "usage")) *finish_.mutable_usage() = UsageOf(*usage);
  const nlohmann::json* choices = Find(chunk, "choices");
  if (choices == nullptr) return absl::OkStatus();
  if (!choices->is_array()) return Broken("malformed chunk");
  if (choices->empty()) return absl::OkStatus();
  const nlohmann::json& choice = choices->front();  // we never ask for more than one
  if (const nlohmann::json* json = Find(choice, "delta")) {
    v1::Delta delta = DeltaOf(*json, /*whole=*/false);
    // Role announcements and the first thinking chunk carry nothing: committing on them would forbid a retry for
    // nothing.
    if (!delta.content().empty() || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0)
      *events.emplace_back().mutable_delta() = std::move(delta);
  }
  return TakeReason(Text(choice, "finish_reason"));
}

absl::Status SseReader::TakeReason(const std::string& reason) {
  if (reason.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::FinishReason parsed, FinishReasonOf(reason));
  finish_.set_reason(parsed);
  return absl::OkStatus();
}

}  // namespace headgate::router
