// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/deepseek_account.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/digest.h"
#include "nlohmann/json.hpp"

namespace headgate {
namespace {

using Json = nlohmann::json;

constexpr size_t kCachePromptsMax = 64;
constexpr size_t kCacheUnitsMax = 512;
constexpr size_t kUnitBytesMin = 16;
constexpr size_t kCachedBytesMax = 256 << 10;  // longer prompts are not remembered
constexpr int64_t kBytesPerToken = 4;

DeepSeekError BadRequest(std::string message) { return {400, std::move(message), "invalid_request_error"}; }

// Content is a string or an array of parts.
std::string ContentText(const Json& message) {
  const auto content = message.find("content");
  if (content == message.end()) return "";
  if (content->is_string()) return content->get<std::string>();
  std::string text;
  if (!content->is_array()) return text;
  for (const Json& part : *content)
    if (part.is_object() && part.value("type", "") == "text") text += part.value("text", "");
  return text;
}

std::optional<DeepSeekError> ParseMessages(const Json& body, DeepSeekRequest& request) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty())
    return DeepSeekError{422, "Failed to deserialize the JSON body: missing field `messages`", "invalid_request_error"};
  for (const Json& message : *messages) {
    if (!message.is_object() || !message.contains("role")) return BadRequest("a message needs a role");
    const std::string role = message["role"].get<std::string>();
    if (role != "system" && role != "user" && role != "assistant" && role != "tool")
      return BadRequest(absl::StrCat("unknown role ", role));
    if (role == "assistant" && request.thinking && message.contains("tool_calls") &&
        !message.contains("reasoning_content"))
      return BadRequest("The reasoning_content in the thinking mode must be passed back to the API.");
    const std::string text = ContentText(message);
    if (role == "user") request.last_user = text;
    absl::StrAppend(&request.prompt, "<", role, ">", text);
  }
  return std::nullopt;
}

std::string ToolToCall(const Json& body) {
  const auto choice = body.find("tool_choice");
  if (choice == body.end()) return "";
  if (choice->is_object()) return choice->at("function").at("name").get<std::string>();
  if (*choice != "required" || !body.contains("tools") || body["tools"].empty()) return "";
  return body["tools"][0].at("function").at("name").get<std::string>();
}

// Throws nlohmann's exception on a field of the wrong type.
std::variant<DeepSeekRequest, DeepSeekError> ParseBody(const Json& body) {
  DeepSeekRequest request;
  request.model = body.value("model", "");
  request.pro = request.model == "deepseek-v4-pro";
  // Retired (deepseek-chat, deepseek-reasoner) and unknown names alike.
  if (!request.pro && request.model != "deepseek-flash" && request.model != "deepseek-v4-flash")
    return BadRequest("Model Not Exist");
  request.stream = body.value("stream", false);
  if (body.contains("stream_options"))
    request.include_usage = body["stream_options"].value("include_usage", false);
  if (body.contains("thinking")) request.thinking = body["thinking"].at("type").get<std::string>() == "enabled";
  if (body.contains("response_format"))
    request.json_mode = body["response_format"].at("type").get<std::string>() == "json_object";
  if (body.contains("max_tokens") && !body["max_tokens"].is_null())
    request.max_tokens = body["max_tokens"].get<int64_t>();
  if (request.max_tokens < 1) return BadRequest("max_tokens is out of range");
  if (body.contains("stop")) {
    if (body["stop"].is_string()) request.stop.push_back(body["stop"].get<std::string>());
    else request.stop = body["stop"].get<std::vector<std::string>>();
  }
  request.user_id = body.value("user_id", "");
  if (auto error = ParseMessages(body, request)) return *error;
  request.tool = ToolToCall(body);
  return request;
}

std::vector<std::string> Pieces(std::string_view text, size_t bytes) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    size_t n = std::min(bytes, text.size());
    while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;  // keep characters whole
    pieces.emplace_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return pieces;
}

std::vector<std::string> Words(const std::string& seed, int64_t count) {
  static constexpr const char* kWords[] = {" the", " gate",  " opens", " when", " water", " rises",  " and", " the",
                                           " boat", " moves", " on",    " slow", " calm",  " canal", " at",  " dawn"};
  std::vector<std::string> words;
  for (int64_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(seed[static_cast<size_t>(i) % seed.size()]);
    words.push_back(kWords[(byte + static_cast<size_t>(i)) % 16]);
  }
  return words;
}

// Cuts at the first stop string.
void ApplyStop(const std::vector<std::string>& stops, std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  size_t end = std::string::npos;
  for (const std::string& stop : stops)
    if (!stop.empty()) end = std::min(end, text.find(stop));
  if (end != std::string::npos) pieces = Pieces(text.substr(0, end), 8);
}

std::string Cny(int64_t nano) { return absl::StrFormat("%d.%02d", nano / 1'000'000'000, nano / 10'000'000 % 100); }

}  // namespace

std::string DeepSeekErrorJson(const DeepSeekError& error) {
  return Json{{"error",
               {{"message", error.message}, {"type", error.code}, {"param", nullptr}, {"code", error.code}}}}
      .dump();
}

std::string DeepSeekAnswer::UsageJson() const {
  const auto completion = static_cast<int64_t>(reasoning.size() + content.size());
  return Json{{"prompt_tokens", hit_tokens + miss_tokens},
              {"completion_tokens", completion},
              {"total_tokens", hit_tokens + miss_tokens + completion},
              {"prompt_tokens_details", {{"cached_tokens", hit_tokens}}},
              {"completion_tokens_details", {{"reasoning_tokens", reasoning.size()}}},
              {"prompt_cache_hit_tokens", hit_tokens},
              {"prompt_cache_miss_tokens", miss_tokens}}
      .dump();
}

std::string DeepSeekMarker(std::string_view last_user) {
  return absl::StrCat("[sha8:", Hex(Sha256(last_user)).substr(0, 8), "]");
}

std::variant<DeepSeekRequest, DeepSeekError> DeepSeekAccount::Parse(const std::string& body) const {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return BadRequest("Failed to parse the request body as JSON");
  try {
    return ParseBody(json);
  } catch (const std::exception&) {
    return DeepSeekError{422, "Failed to deserialize the JSON body into the target type", "invalid_request_error"};
  }
}

std::optional<DeepSeekError> DeepSeekAccount::Begin(const DeepSeekRequest& request) {
  if (granted_ + topped_up_ <= 0) return DeepSeekError{402, "Insufficient Balance", "invalid_request_error"};
  int64_t& running = request.pro ? running_pro_ : running_flash_;
  const int64_t limit = request.pro ? limits_.pro : limits_.flash;
  if (running >= limit) {
    return DeepSeekError{429,
                         absl::StrCat("Your current concurrency is ", running + 1,
                                      ", which exceeds your concurrency limit of ", limit,
                                      " based on your remaining balance. Please top up."),
                         "rate_limit_error"};
  }
  ++running;
  return std::nullopt;
}

void DeepSeekAccount::End(const DeepSeekRequest& request) { --(request.pro ? running_pro_ : running_flash_); }

DeepSeekAnswer DeepSeekAccount::Answer(const DeepSeekRequest& request, const DeepSeekPlan& plan,
                                       int64_t tokens_default) {
  DeepSeekAnswer answer;
  const std::string seed = Sha256(request.last_user);
  const std::string marker = DeepSeekMarker(request.last_user);
  const int64_t tokens = std::max<int64_t>(1, plan.tokens >= 0 ? plan.tokens : tokens_default);
  if (request.thinking) answer.reasoning = Words(Sha256(seed), std::max<int64_t>(0, plan.reasoning_tokens));
  answer.tool = request.tool;
  if (!answer.tool.empty()) {
    answer.content = Pieces(Json{{"marker", marker}}.dump(), 8);
  } else if (plan.blank) {
    answer.content.assign(static_cast<size_t>(tokens), "  ");
  } else if (request.json_mode) {
    answer.content = Pieces(Json{{"answer", marker}}.dump(), 8);
  } else {
    answer.content = plan.echo ? Pieces(request.last_user, 8) : Words(seed, tokens - 1);
    answer.content.insert(answer.content.begin(), marker);
  }
  ApplyStop(request.stop, answer.content);
  answer.finish_reason = answer.tool.empty() ? "stop" : "tool_calls";
  if (static_cast<int64_t>(answer.content.size()) > request.max_tokens) {
    answer.content.resize(static_cast<size_t>(request.max_tokens));
    answer.finish_reason = "length";
  }
  if (!plan.finish_reason.empty()) answer.finish_reason = plan.finish_reason;
  std::string output;
  for (const std::string& piece : answer.content) output += piece;
  const auto bytes = static_cast<int64_t>(request.prompt.size());
  answer.hit_tokens = CachedBytes(request, output) / kBytesPerToken;
  answer.miss_tokens = (bytes + kBytesPerToken - 1) / kBytesPerToken - answer.hit_tokens;
  Charge(answer, request.pro);
  return answer;
}

// A hit needs a whole persisted unit. Units: the end of the input, the end of the output, and what two prompts have in
// common, which is why A+B, A+C misses and a third A+D hits A.
int64_t DeepSeekAccount::CachedBytes(const DeepSeekRequest& request, std::string_view output) {
  const std::string& prompt = request.prompt;
  if (prompt.size() > kCachedBytesMax) return 0;
  Cache& cache = caches_[request.user_id];
  size_t hit = 0;
  for (const std::string& unit : cache.units)
    if (unit.size() > hit && absl::StartsWith(prompt, unit)) hit = unit.size();
  if (cache.units.size() > kCacheUnitsMax) cache.units.clear();
  for (const std::string& earlier : cache.prompts) {
    const size_t shorter = std::min(prompt.size(), earlier.size());
    const size_t common = static_cast<size_t>(
        std::mismatch(prompt.begin(), prompt.begin() + static_cast<int64_t>(shorter), earlier.begin()).first -
        prompt.begin());
    if (common >= kUnitBytesMin) cache.units.insert(prompt.substr(0, common));
  }
  cache.units.insert(prompt);
  cache.units.insert(absl::StrCat(prompt, "<assistant>", std::string(output)));
  cache.prompts.push_back(prompt);
  if (cache.prompts.size() > kCachePromptsMax) cache.prompts.pop_front();
  return static_cast<int64_t>(hit);
}

// Off-peak prices of the current sheet, in nano-CNY per token.
void DeepSeekAccount::Charge(const DeepSeekAnswer& answer, bool pro) {
  const auto out = static_cast<int64_t>(answer.reasoning.size() + answer.content.size());
  int64_t cost = pro ? answer.hit_tokens * 150 + answer.miss_tokens * 4500 + out * 13500
                     : answer.hit_tokens * 20 + answer.miss_tokens * 1000 + out * 4000;
  const int64_t from_granted = std::min(cost, granted_);
  granted_ -= from_granted;
  topped_up_ = std::max<int64_t>(0, topped_up_ - (cost - from_granted));
}

void DeepSeekAccount::SetBalance(int64_t granted, int64_t topped_up) {
  granted_ = granted;
  topped_up_ = topped_up;
}

std::string DeepSeekAccount::ModelsJson() const {
  Json data = Json::array();
  for (const char* id : {"deepseek-flash", "deepseek-v4-pro"}) {
    data.push_back({{"id", id},
                    {"object", "model"},
                    {"owned_by", "deepseek"},
                    {"name", id},
                    {"context_window", 1048576},
                    {"max_output_tokens", 393216},
                    {"input_modalities", {"text"}},
                    {"output_modalities", {"text"}},
                    {"effort", {{"supported_levels", {"low", "high", "max"}}, {"default_level", "high"}}},
                    {"api_capabilities", {"chat"}}});
  }
  return Json{{"object", "list"}, {"data", data}}.dump();
}

std::string DeepSeekAccount::BalanceJson() const {
  Json info = {{"currency", "CNY"},
               {"total_balance", Cny(granted_ + topped_up_)},
               {"granted_balance", Cny(granted_)},
               {"topped_up_balance", Cny(topped_up_)}};
  return Json{{"is_available", granted_ + topped_up_ > 0}, {"balance_infos", Json::array({info})}}.dump();
}

}  // namespace headgate
