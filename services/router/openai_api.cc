// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_api.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "boost/asio/post.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "common/status_macros.h"
#include "router/upstream/upstream_error.h"
#include "services/router/openai_answer.h"
#include "services/router/openai_json.h"
#include "services/router/openai_request.h"

namespace headgate::services {
namespace {

constexpr char kJsonType[] = "application/json";

// Seconds, rounded up: a client that comes back too early is refused again.
void AddRetryAfter(const absl::Status& status, HttpHeaders& headers) {
  const auto after = router::RetryAfter(status);
  if (!after) return;
  headers.emplace_back("retry-after", absl::StrCat(absl::ToInt64Seconds(absl::Ceil(*after, absl::Seconds(1)))));
}

void AddRoute(const v1::Route& route, HttpHeaders& headers) {
  for (auto& header : RouteHeaders(route)) headers.push_back(std::move(header));
}

// Events as server-sent events. The status line goes out with the route, so an earlier failure still has its own.
class StreamSink final : public router::AnswerSink {
 public:
  StreamSink(HttpReply& reply, HttpHeaders headers, AnswerEncoder encoder)
      : reply_(reply), headers_(std::move(headers)), encoder_(std::move(encoder)) {}

  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    std::string chunk = encoder_.Chunk(event);
    if (event.has_route()) {
      begun_ = true;
      AddRoute(event.route(), headers_);
      headers_.emplace_back("content-type", "text/event-stream; charset=utf-8");
      headers_.emplace_back("cache-control", "no-cache");
      headers_.emplace_back("x-accel-buffering", "no");
      const absl::Status begun = co_await reply_.Begin(200, std::move(headers_));
      co_return begun.ok() ? begun : absl::CancelledError("the client has gone");
    }
    if (event.has_finish()) chunk.append(AnswerEncoder::kDone);
    const absl::Status written = co_await reply_.WriteChunk(std::move(chunk));
    co_return written.ok() ? written : absl::CancelledError("the client has gone");
  }
  bool begun() const { return begun_; }

 private:
  HttpReply& reply_;
  HttpHeaders headers_;
  AnswerEncoder encoder_;
  bool begun_ = false;
};

class WholeSink final : public router::AnswerSink {
 public:
  explicit WholeSink(AnswerEncoder encoder) : encoder_(std::move(encoder)) {}
  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    if (event.has_route()) route_ = event.route();
    encoder_.Collect(event);
    co_return absl::OkStatus();
  }
  const v1::Route& route() const { return route_; }
  std::string Body() const { return encoder_.Body(); }

 private:
  AnswerEncoder encoder_;
  v1::Route route_;
};

absl::Status CheckContentType(const HttpRequest& request) {
  for (std::string_view encoding : request.Values("content-encoding")) {
    if (encoding != "identity") return FieldError("content-encoding", "compressed bodies are not supported");
  }
  const auto types = request.Values("content-type");
  // Also keeps web pages out: a browser sends this type to another site only after asking.
  if (types.size() == 1 && absl::StartsWithIgnoreCase(absl::string_view(types[0].data(), types[0].size()), kJsonType)) {
    return absl::OkStatus();
  }
  return FieldError("content-type", "must be application/json");
}

}  // namespace

// One request at this door.
struct OpenAiApi::Exchange {
  const HttpRequest& request;
  HttpReply& reply;
  Cancellation& cancellation;
  router::RequestHead head;
  HeaderLookup lookup;
  bool answered = false;  // begun at least: an error has no status line of its own any more
  bool recorded = false;  // the router has taken it, and writes what becomes of it to the audit log

  HttpHeaders Headers() const { return {{"x-request-id", head.request_id}}; }
  Task<absl::Status> SendJson(std::string body, HttpHeaders headers, const char* type = kJsonType) {
    headers.emplace_back("content-type", type);
    answered = true;
    const absl::Status sent = co_await reply.Send(200, std::move(headers), std::move(body));
    co_return sent;
  }
};

OpenAiApi::OpenAiApi(Executor executor, router::Router& router, Clock& clock, RandomBytes random, Calls& calls,
                     Metrics& metrics, std::function<bool()> ready, BatchLimits batches)
    : router_(router),
      clock_(clock),
      random_(random),
      calls_(calls),
      ready_(std::move(ready)),
      batches_(executor, clock, random, calls, metrics,
               [this](router::RequestHead head, std::string endpoint, std::string body, Cancellation& cancellation) {
                 return Ask(std::move(head), std::move(endpoint), std::move(body), cancellation);
               },
               batches) {}

Task<void> OpenAiApi::Handle(const HttpRequest& request, HttpReply& reply, Cancellation& cancellation) {
  const Calls::Entry entry(calls_, cancellation);
  Exchange x{request, reply, cancellation, {}, [&request](std::string_view name) { return request.Values(name); }};
  x.head.received = request.received;
  x.head.peer_identity = request.peer_identity;
  absl::Status status = ReadHead(x.lookup, random_, x.head);
  if (status.ok()) status = co_await Route(x);
  if (!status.ok() && !x.recorded) Record(status, x.head);
  if (status.ok() || x.answered) co_return;
  HttpHeaders headers = x.Headers();
  AddRetryAfter(status, headers);
  headers.emplace_back("content-type", kJsonType);
  int code = HttpStatus(status);
  if (ParamOf(status) == "method") {
    code = 405;
    absl::string_view methods = status.message();  // `method: use GET or DELETE`
    absl::ConsumePrefix(&methods, "method: use ");
    headers.emplace_back("allow", absl::StrReplaceAll(methods, {{" or ", ", "}}));
  } else if (ParamOf(status) == "content-type" || ParamOf(status) == "content-encoding") {
    code = 415;
  }
  std::string body = ErrorBody(status);
  const absl::Status sent = co_await reply.Send(code, std::move(headers), std::move(body));
  if (!sent.ok()) co_return;  // the peer has gone: nobody to tell
}

// What this door itself turned away.
void OpenAiApi::Record(const absl::Status& status, const router::RequestHead& head) {
  using router::Refusal;
  const std::string param = ParamOf(status);
  const Refusal reason = param == "method"                                             ? Refusal::kMethod
                         : param == "content-type" || param == "content-encoding"      ? Refusal::kContentType
                         : absl::IsNotFound(status)                                    ? Refusal::kUnknownPath
                         : absl::IsResourceExhausted(status) || absl::IsUnavailable(status) ? Refusal::kNoRoom
                                                                                       : Refusal::kMalformed;
  router_.Refused(reason, head.api.empty() ? "http" : head.api, status.code(), head.request_id);
}

void OpenAiApi::RefusedUnread(int http_status) {
  using router::Refusal;
  const bool large = http_status == 413 || http_status == 431;
  const Refusal reason = http_status == kNoTls ? Refusal::kTls
                         : http_status == 413  ? Refusal::kBodyTooLarge
                         : large               ? Refusal::kHeaderTooLarge
                                               : Refusal::kNotHttp;
  const auto code = large ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInvalidArgument;
  router_.Refused(reason, "http", code, "");
}

Task<absl::Status> OpenAiApi::Route(Exchange& x) {
  const std::string& path = x.request.path;
  const bool get = x.request.Reads(), post = x.request.method == "POST";
  constexpr char kModels[] = "/v1/models/";
  absl::Status status;
  if (path == "/healthz" || path == "/readyz") {
    x.recorded = true;  // about nobody's request
    if (!get) co_return FieldError("method", "use GET");
    if (path == "/readyz" && !ready_()) co_return absl::UnavailableError("not ready");
    status = co_await x.SendJson("{\"status\":\"ok\"}", {});
    co_return status;
  }
  const bool model_path = path == "/v1/models" || absl::StartsWith(path, kModels);
  const bool chat = path == "/v1/chat/completions", completion = path == "/v1/completions";
  const bool embed = path == "/v1/embeddings";
  if (Batches::Serves(path)) {
    status = co_await Batch(x);
    co_return status;
  }
  if (!model_path && !chat && !completion && !embed) co_return absl::NotFoundError("no such path");
  if (model_path ? !get : !post) co_return FieldError("method", model_path ? "use GET" : "use POST");
  if (model_path) {
    // A local: g++ 12 destroys temporaries of such a call before the coroutine has read them.
    const std::string id(absl::StripPrefix(absl::StripPrefix(path, "/v1/models"), "/"));
    status = co_await Models(x, id);
    co_return status;
  }
  CO_RETURN_IF_ERROR(CheckContentType(x.request));
  CO_ASSIGN_OR_RETURN(const absl::Duration timeout, TimeoutOf(x.lookup));
  x.head.deadline = x.head.received + timeout;
  if (embed) {
    status = co_await Embed(x);
  } else {
    status = co_await Generate(x, chat);
  }
  co_return status;
}

Task<absl::Status> OpenAiApi::Generate(Exchange& x, bool chat) {
  x.head.api = chat ? "http.chat_completions" : "http.completions";
  CO_ASSIGN_OR_RETURN(OpenAiRequest request,
                      chat ? ParseChatRequest(x.request.body) : ParseCompletionRequest(x.request.body));
  CO_ASSIGN_OR_RETURN(*request.content.mutable_session(), SessionOf(x.lookup));
  AnswerEncoder encoder(chat, request.include_usage, absl::ToUnixSeconds(clock_.WallTime()));
  const router::Prompt prompt(std::move(request.content));
  x.head.whole = !request.stream;
  x.recorded = true;
  if (!request.stream) {
    WholeSink sink(std::move(encoder));
    absl::Status status = co_await router_.Generate(x.head, prompt, sink, x.cancellation);
    // Behind what the router has posted: its record is written before its answer leaves.
    co_await boost::asio::post(boost::asio::use_awaitable_t<Executor>());
    if (!status.ok()) co_return status;
    HttpHeaders headers = x.Headers();
    AddRoute(sink.route(), headers);
    status = co_await x.SendJson(sink.Body(), std::move(headers));
    co_return status;
  }
  StreamSink sink(x.reply, x.Headers(), std::move(encoder));
  const absl::Status status = co_await router_.Generate(x.head, prompt, sink, x.cancellation);
  x.answered = sink.begun();
  if (!sink.begun()) co_return status;
  if (!status.ok()) {
    // Broken off after the commit point: an error event, no [DONE], and the connection closes unfinished.
    std::string event = absl::StrCat("data: ", ErrorBody(status), "\n\n");
    const absl::Status written = co_await x.reply.WriteChunk(std::move(event));
    co_return written;
  }
  const absl::Status ended = co_await x.reply.End();
  co_return ended;
}

Task<absl::Status> OpenAiApi::Embed(Exchange& x) {
  x.head.api = "http.embeddings";
  CO_ASSIGN_OR_RETURN(const OpenAiEmbedRequest request, ParseEmbedRequest(x.request.body));
  x.recorded = true;
  auto response = co_await router_.Embed(x.head, request.content, x.cancellation);
  if (!response.ok()) co_return response.status();
  HttpHeaders headers = x.Headers();
  headers.emplace_back("x-headgate-route", "local");
  const absl::Status sent = co_await x.SendJson(EmbedBody(*response, request.base64), std::move(headers));
  co_return sent;
}

// A web page can send a file unasked (a form), but no batch: that is JSON. Files alone do nothing.
Task<absl::Status> OpenAiApi::Batch(Exchange& x) {
  x.head.api = "http.batches";
  x.recorded = true;
  CO_ASSIGN_OR_RETURN(const std::string tenant, router_.TenantOf(x.head));
  x.recorded = false;
  if (x.request.path == "/v1/batches" && x.request.method == "POST") CO_RETURN_IF_ERROR(CheckContentType(x.request));
  auto reply = batches_.Handle(x.request, x.head, tenant);
  if (!reply.ok()) co_return reply.status();
  const char* const type = reply->json ? kJsonType : "application/octet-stream";
  const absl::Status sent = co_await x.SendJson(std::move(reply->body), x.Headers(), type);
  co_return sent;
}

Task<LineAnswer> OpenAiApi::Ask(router::RequestHead head, std::string endpoint, std::string body,
                                Cancellation& cancellation) {
  auto answer = co_await AskWhole(head, endpoint, body, cancellation);
  if (answer.ok()) co_return LineAnswer{200, *std::move(answer), std::nullopt};
  LineAnswer refused;
  refused.http_status = HttpStatus(answer.status());
  refused.body = ErrorBody(answer.status());
  refused.retry_after = router::RetryAfter(answer.status());
  co_return refused;
}

Task<absl::StatusOr<std::string>> OpenAiApi::AskWhole(const router::RequestHead& head, const std::string& endpoint,
                                                      const std::string& body, Cancellation& cancellation) {
  if (endpoint == "/v1/embeddings") {
    const auto request = ParseEmbedRequest(body);
    if (!request.ok()) {
      Record(request.status(), head);
      co_return request.status();
    }
    auto response = co_await router_.Embed(head, request->content, cancellation);
    if (!response.ok()) co_return response.status();
    co_return EmbedBody(*response, request->base64);
  }
  const bool chat = endpoint == "/v1/chat/completions";
  auto request = chat ? ParseChatRequest(body) : ParseCompletionRequest(body);
  if (!request.ok()) {
    Record(request.status(), head);
    co_return request.status();
  }
  request->content.set_priority(v1::PRIORITY_BATCH);
  WholeSink sink(AnswerEncoder(chat, request->include_usage, absl::ToUnixSeconds(clock_.WallTime())));
  const router::Prompt prompt(std::move(request->content));
  const absl::Status status = co_await router_.Generate(head, prompt, sink, cancellation);
  if (!status.ok()) co_return status;
  co_return sink.Body();
}

Task<absl::Status> OpenAiApi::Models(Exchange& x, const std::string& id) {
  x.head.api = "http.models";
  x.recorded = true;
  auto models = co_await router_.ListModels(x.head, x.cancellation);
  if (!models.ok()) co_return models.status();
  std::string body;
  if (id.empty()) {
    body = ModelsBody(*models);
  } else {
    for (const v1::Model& model : models->models()) {
      if (model.id() == id) body = ModelBody(model);
    }
    if (body.empty()) co_return absl::NotFoundError("no such model");
  }
  const absl::Status sent = co_await x.SendJson(std::move(body), x.Headers());
  co_return sent;
}

}  // namespace headgate::services
