// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/deepseek_chat.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace headgate {
namespace {

using Json = nlohmann::json;
using End = DeepSeekPlan::End;
using UsageAt = DeepSeekPlan::UsageAt;

constexpr char kJson[] = "application/json";
constexpr char kEvents[] = "text/event-stream; charset=utf-8";

// One chat request on its way: the plan, step by step.
class Chat {
 public:
  Chat(DeepSeekConnection& connection, Clock& clock, DeepSeekState& state)
      : connection_(connection), clock_(clock), state_(state) {
    plan_ = state_.With([](auto&, DeepSeekRules& rules, auto& stats) {
      ++stats.chats_active;
      ++stats.chats_total;
      return rules.Take();
    });
  }
  ~Chat() {
    const bool left = connection_.gone().cancelled() && !ended_;
    state_.With([&](DeepSeekAccount& account, auto&, auto& stats) {
      --stats.chats_active;
      if (left) ++stats.chats_abandoned;
      if (running_) account.End(request_);
    });
  }

  Task<void> Run(const std::string& body) {
    auto parsed = state_.With([&](DeepSeekAccount& account, auto&, auto&) { return account.Parse(body); });
    std::optional<DeepSeekError> error;
    if (std::holds_alternative<DeepSeekError>(parsed)) {
      error = std::get<DeepSeekError>(parsed);
    } else {
      request_ = std::get<DeepSeekRequest>(std::move(parsed));
      error = state_.With([&](DeepSeekAccount& account, auto&, auto&) { return account.Begin(request_); });
      running_ = !error;
    }
    if (plan_.first_byte_delay > absl::ZeroDuration()) {
      const absl::Status slept = co_await connection_.Sleep(plan_.first_byte_delay);
      if (!slept.ok()) co_return;
    }
    if (plan_.no_headers) {
      co_await Finish();
    } else if (plan_.status != 200) {
      co_await PlannedError();
    } else if (error) {
      std::string text = DeepSeekErrorJson(*error);
      co_await connection_.Respond(error->status, "", kJson, std::move(text));
    } else {
      answer_ = state_.With([&](DeepSeekAccount& account, auto&, auto&) {
        return account.Answer(request_, plan_, state_.options.tokens);
      });
      if (request_.stream) {
        co_await Stream();
      } else {
        co_await Whole();
      }
    }
    ended_ = !connection_.gone().cancelled();
  }

 private:
  Task<void> PlannedError() {
    std::string headers;
    if (!plan_.retry_after.empty()) absl::StrAppend(&headers, "Retry-After: ", plan_.retry_after, "\r\n");
    if (!plan_.location.empty()) absl::StrAppend(&headers, "Location: ", plan_.location, "\r\n");
    if (plan_.stall_body) {
      std::string head = absl::StrCat("HTTP/1.1 ", plan_.status, " Status\r\nContent-Length: 100\r\n", headers, "\r\n");
      co_await connection_.WriteRaw(std::move(head));
      co_await Stall();
    } else if (!plan_.error_text.empty()) {
      co_await connection_.Respond(plan_.status, headers, "text/html", plan_.error_text);
    } else {
      // Quotes the prompt, as an API may: nobody may relay or log it.
      std::string text = DeepSeekErrorJson({plan_.status, absl::StrCat("planned error for: ", request_.last_user),
                                            "planned_error"});
      co_await connection_.Respond(plan_.status, headers, kJson, std::move(text));
    }
  }

  absl::Duration token_interval() const {
    return plan_.token_interval < absl::ZeroDuration() ? state_.options.token_interval : plan_.token_interval;
  }

  Task<void> KeepAlive(std::string text) {
    for (absl::Duration left = plan_.keep_alive_for; left > absl::ZeroDuration(); left -= plan_.keep_alive_interval) {
      co_await connection_.Body(text, 0);
      co_await connection_.Flush();
      const absl::Status slept = co_await connection_.Sleep(std::min(left, plan_.keep_alive_interval));
      if (!slept.ok()) co_return;
    }
  }

  std::string Chunk(const Json& delta, const std::string& finish_reason, const std::string& usage) const {
    Json choice = {{"index", 0}, {"delta", delta}, {"logprobs", nullptr}, {"finish_reason", nullptr}};
    if (!finish_reason.empty()) choice["finish_reason"] = finish_reason;
    return Envelope("chat.completion.chunk", Json::array({choice}), usage);
  }
  std::string Envelope(const char* object, const Json& choices, const std::string& usage) const {
    Json json = {{"id", "emulated"}, {"object", object}, {"created", absl::ToUnixSeconds(clock_.WallTime())},
                 {"model", request_.model}, {"choices", choices}};
    if (!usage.empty()) json["usage"] = Json::parse(usage);
    return json.dump();
  }
  Task<void> Send(std::string chunk) {
    std::string event = absl::StrCat("data: ", chunk, "\n\n");
    co_await connection_.Body(std::move(event), plan_.write_bytes);
  }

  Task<void> Stream() {
    co_await connection_.BeginBody(kEvents);
    co_await KeepAlive(": keep-alive\n\n");
    if (!plan_.raw_stream.empty()) {
      co_await connection_.Body(plan_.raw_stream, plan_.write_bytes);
      co_await connection_.EndBody();
      co_return;
    }
    Json first = {{"role", "assistant"}, {"content", request_.thinking ? Json(nullptr) : Json("")}};
    if (request_.thinking) first["reasoning_content"] = "";
    std::string opening = Chunk(first, "", "");
    co_await Send(std::move(opening));
    const auto reasoning = static_cast<int64_t>(answer_.reasoning.size());
    const auto total = reasoning + static_cast<int64_t>(answer_.content.size());
    const int64_t end_after = plan_.end_after < 0 ? total : std::min(total, plan_.end_after);
    for (int64_t i = 0; i < end_after && connection_.open(); ++i) {
      if (token_interval() > absl::ZeroDuration()) {
        co_await connection_.Flush();
        const absl::Status slept = co_await connection_.Sleep(token_interval());
        if (!slept.ok()) co_return;
      }
      std::string chunk = Chunk(Delta(i, reasoning), "", "");
      co_await Send(std::move(chunk));
    }
    co_await Finish();
  }

  Json Delta(int64_t i, int64_t reasoning) const {
    if (i < reasoning)
      return {{"content", nullptr}, {"reasoning_content", answer_.reasoning[static_cast<size_t>(i)]}};
    const std::string& text = answer_.content[static_cast<size_t>(i - reasoning)];
    if (answer_.tool.empty()) return {{"content", text}};
    Json call = {{"index", 0}, {"function", {{"arguments", text}}}};
    if (i == reasoning) {
      call["id"] = "call_0";
      call["type"] = "function";
      call["function"]["name"] = answer_.tool;
    }
    return {{"tool_calls", Json::array({call})}};
  }

  Task<void> Stall() {
    co_await connection_.Flush();
    while (true) {
      const absl::Duration interval = plan_.stall_keep_alives ? plan_.keep_alive_interval : absl::Hours(24);
      const absl::Status slept = co_await connection_.Sleep(interval);
      if (!slept.ok()) co_return;
      co_await connection_.Body(": keep-alive\n\n", 0);
      co_await connection_.Flush();
    }
  }

  // How the plan ends, wherever it has come to.
  Task<void> Finish() {
    switch (plan_.end) {
      case End::kStall:
        co_await Stall();
        break;
      case End::kEof:
        co_await connection_.EndBody();
        break;
      case End::kClose:
      case End::kReset:
        co_await connection_.Flush();
        connection_.Close(plan_.end == End::kReset);
        break;
      case End::kMalformed:
        co_await Send("{\"choices\":[{\"index\":0,\"del");
        co_await Done("");
        break;
      case End::kErrorChunk:
        co_await Send("{\"error\":{\"message\":\"planned\",\"type\":\"server_error\",\"code\":\"server_error\"}}");
        co_await connection_.EndBody();
        break;
      case End::kInsufficient:
        co_await Done("insufficient_system_resource");
        break;
      case End::kDone:
        co_await Done(answer_.finish_reason);
        break;
    }
  }

  Task<void> Done(std::string finish_reason) {
    const std::string usage = answer_.UsageJson();
    const bool wanted = request_.include_usage && plan_.usage_at != UsageAt::kNone;
    std::string at_finish;
    if (wanted && plan_.usage_at == UsageAt::kFinish) at_finish = usage;
    if (wanted && plan_.usage_at == UsageAt::kBoth) at_finish = "{\"prompt_tokens\":1,\"completion_tokens\":1}";
    if (!finish_reason.empty()) {
      std::string chunk = Chunk(Json::object(), finish_reason, at_finish);
      co_await Send(std::move(chunk));
    }
    if (wanted && plan_.usage_at != UsageAt::kFinish) {
      std::string chunk = Envelope("chat.completion.chunk", Json::array(), usage);
      co_await Send(std::move(chunk));
    }
    co_await Send("[DONE]");
    co_await connection_.EndBody();
  }

  // Not streamed: blank lines while waiting, then the answer.
  Task<void> Whole() {
    co_await connection_.BeginBody(kJson);
    co_await KeepAlive("\n");
    const auto tokens = static_cast<int64_t>(answer_.reasoning.size() + answer_.content.size());
    if (token_interval() > absl::ZeroDuration()) {
      const absl::Status slept = co_await connection_.Sleep(token_interval() * tokens);
      if (!slept.ok()) co_return;
    }
    std::string content, reasoning;
    for (const std::string& piece : answer_.content) content += piece;
    for (const std::string& piece : answer_.reasoning) reasoning += piece;
    Json message = {{"role", "assistant"}, {"content", content}};
    if (request_.thinking) message["reasoning_content"] = reasoning;
    if (!answer_.tool.empty()) {
      message["content"] = "";
      message["tool_calls"] = Json::array({{{"id", "call_0"},
                                            {"type", "function"},
                                            {"function", {{"name", answer_.tool}, {"arguments", content}}}}});
    }
    const std::string reason =
        plan_.end == End::kInsufficient ? "insufficient_system_resource" : answer_.finish_reason;
    Json choice = {{"index", 0}, {"message", message}, {"finish_reason", reason}};
    std::string text = Envelope("chat.completion", Json::array({choice}), answer_.UsageJson());
    if (plan_.end != End::kDone && plan_.end != End::kInsufficient) {
      // After no token nothing, else half of it.
      std::string half = plan_.end_after == 0 ? "" : text.substr(0, text.size() / 2);
      if (!half.empty()) co_await connection_.Body(std::move(half), plan_.write_bytes);
      co_await connection_.Flush();
      co_await Finish();
      co_return;
    }
    co_await connection_.Body(std::move(text), plan_.write_bytes);
    co_await connection_.EndBody();
  }

  DeepSeekConnection& connection_;
  Clock& clock_;
  DeepSeekState& state_;
  DeepSeekPlan plan_;
  DeepSeekRequest request_;
  DeepSeekAnswer answer_;
  bool running_ = false;
  bool ended_ = false;
};

}  // namespace

Task<void> AnswerChat(DeepSeekConnection& connection, Clock& clock, DeepSeekState& state, const std::string& body) {
  Chat chat(connection, clock, state);
  co_await chat.Run(body);
}

}  // namespace headgate
