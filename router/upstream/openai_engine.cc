// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/openai_engine.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mailbox.h"
#include "nlohmann/json.hpp"
#include "router/upstream/address_ranges.h"
#include "router/upstream/cloud_wire.h"
#include "router/upstream/curl_http.h"
#include "router/upstream/http_transfer.h"
#include "router/upstream/local_connection.h"
#include "router/upstream/openai_load.h"
#include "router/upstream/plain_http.h"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

using nlohmann::json;

constexpr size_t kUnreadEventsMax = 64;      // then the transfer is held
constexpr size_t kEventsPerWriteMax = 16384;  // 64 KiB, the largest piece, holds fewer
constexpr size_t kMetricsBytesMax = 1 << 20;
constexpr size_t kAnswerBytesMax = 16 << 20;  // embeddings
constexpr int64_t kConnectionsMax = 4096;
constexpr absl::Duration kMetricsTimeout = absl::Seconds(1);
// A pod that says nothing in mid-answer for so long has stopped: its connection alone would not tell.
constexpr absl::Duration kSilentMax = absl::Minutes(2);
constexpr char kJsonHeader[] = "Content-Type: application/json";
constexpr char kChatPath[] = "/v1/chat/completions";

// What the client and its streams share.
struct Pod {
  Pod(Executor e, Clock& c, const EndpointConfig& endpoint, const std::string& address, const LocalConfig& local,
      Metrics& metrics)
      : executor(e),
        clock(c),
        config(local),
        model(endpoint.model),
        connection(address, local, c, metrics),
        multi(e, c, kConnectionsMax) {
    headers.reset(curl_slist_append(curl_slist_append(nullptr, kJsonHeader), "Expect:"));
    if (connection.status().ok()) chat = local.tls.enabled() ? MakeCurl() : MakePlain(address);
  }
  HttpRequest Request(const std::string& path) {
    HttpRequest request;
    request.url = connection.Url(path);
    request.connect_timeout = config.connect_timeout;
    request.configure = [this](CURL* easy) { connection.Configure(easy); };
    return request;
  }
  HttpRequest Post(const std::string& path, std::string body) {
    HttpRequest request = Request(path);
    request.post = true;
    request.headers = {kJsonHeader};
    request.body = std::move(body);
    return request;
  }

  Executor executor;
  Clock& clock;
  const LocalConfig config;
  std::string model;  // empty: not known yet
  LocalConnection connection;
  CurlMulti multi;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers{nullptr, curl_slist_free_all};
  std::unique_ptr<HttpTransport> chat;  // null: the pod cannot be used

 private:
  std::unique_ptr<HttpTransport> MakeCurl() {
    return std::make_unique<CurlHttp>(
        multi, 1,
        [this](CURL* easy, size_t) {
          ConfigureTransfer(easy, connection.Url(kChatPath), config.connect_timeout);
          curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
          connection.Configure(easy);
        },
        nullptr);
  }
  std::unique_ptr<HttpTransport> MakePlain(const std::string& address) {
    PlainPeer peer;
    std::string port;
    SplitAddress(address, &peer.host, &port);  // LocalConnection has looked at it
    peer.port = static_cast<uint16_t>(std::atoi(port.c_str()));
    peer.path = kChatPath;
    peer.headers = {{kJsonHeader, "Accept: */*", "User-Agent: headgate"}};
    peer.connect_timeout = config.connect_timeout;
    peer.connections_max = kConnectionsMax;
    peer.allowed = [this](const std::string& ip) { return connection.Allows(ip); };
    return MakePlainHttp(executor, clock, std::move(peer));
  }
};

// The pod is ours: what it refuses is the caller's error, or nobody's.
absl::Status StatusOf(long http_status) {
  if (http_status == 400 || http_status == 413 || http_status == 422) {
    return absl::InvalidArgumentError(absl::StrCat("the engine refused the request (status ", http_status, ")"));
  }
  if (http_status == 429) return absl::ResourceExhaustedError("the engine is full (status 429)");
  return absl::UnavailableError(absl::StrCat("the engine failed (status ", http_status, ")"));
}

class PodStream : public AnswerStream, private HttpReader {
 public:
  explicit PodStream(std::shared_ptr<Pod> pod)
      : pod_(std::move(pod)), mailbox_(pod_->executor, kUnreadEventsMax + kEventsPerWriteMax) {}

  void Start(absl::StatusOr<std::string> body, MonotonicTime deadline) {
    if (!body.ok()) return mailbox_.Close(body.status());
    if (!pod_->connection.status().ok()) return mailbox_.Close(absl::UnavailableError("the engine is not usable"));
    auto exchange = pod_->chat->Send(0, *std::move(body), *this);
    if (!exchange.ok()) return End(exchange.status());
    exchange_ = *std::move(exchange);
    mailbox_.SetOnTaken([this] { ResumeIfRead(); });
    deadline_timer_ = pod_->clock.CallAt(
        deadline, [this] { End(absl::DeadlineExceededError("request deadline passed while the engine answered")); });
  }

  Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Next(MonotonicTime until,
                                                                       Cancellation& cancellation) override {
    const MonotonicTime silent_at = begun_ ? pod_->clock.Monotonic() + kSilentMax : absl::InfiniteDuration();
    auto event = co_await mailbox_.Receive(pod_->clock, std::min(until, silent_at), cancellation);
    begun_ = begun_ || event.ok();
    const bool silent = silent_at < until && !mailbox_.closed() && absl::IsDeadlineExceeded(event.status());
    if (silent && !cancellation.cancelled()) co_return absl::UnavailableError("engine has fallen silent");
    co_return event;
  }

 private:
  void TakeHead(int status, std::string_view) override { http_status_ = status; }
  Taken TakeBody(std::string_view bytes) override {
    if (http_status_ != 200 || reader_.done()) return Taken::kAll;  // looked at by nobody
    if (mailbox_.size() >= kUnreadEventsMax) {
      paused_ = true;
      return Taken::kLater;
    }
    std::vector<v1::GenerateStreamResponse> events;
    failure_ = reader_.Read(bytes, events);
    Deliver(std::move(events));
    return failure_.ok() ? Taken::kAll : Taken::kNever;
  }
  void Deliver(std::vector<v1::GenerateStreamResponse> events) {
    for (v1::GenerateStreamResponse& event : events) {
      if (!mailbox_.Offer(std::move(event))) failure_ = absl::UnavailableError("engine: too many events at once");
    }
  }
  void ResumeIfRead() {
    if (!paused_ || mailbox_.size() > kUnreadEventsMax / 2) return;
    paused_ = false;
    if (!exchange_->Resume().ok()) End(absl::UnavailableError("engine stream cannot be resumed"));
  }
  void TakeEnd(const absl::Status& ended) override {
    if (http_status_ != 0 && http_status_ != 200) return End(StatusOf(http_status_));
    if (!failure_.ok()) return End(failure_);
    if (!ended.ok() && !reader_.done()) {
      return End(absl::UnavailableError(absl::StrCat("engine connection failed: ", ended.message())));
    }
    std::vector<v1::GenerateStreamResponse> events;
    const absl::Status status = reader_.End(events);
    Deliver(std::move(events));
    End(failure_.ok() ? status : failure_);
  }
  void End(absl::Status status) {
    deadline_timer_.reset();
    mailbox_.Close(std::move(status));
    paused_ = false;
    exchange_.reset();
  }

  const std::shared_ptr<Pod> pod_;
  Mailbox<v1::GenerateStreamResponse> mailbox_;
  SseReader reader_;
  absl::Status failure_;
  bool begun_ = false;  // it has answered something
  bool paused_ = false;
  int http_status_ = 0;  // 0: no head yet
  std::unique_ptr<Timer> deadline_timer_;
  std::unique_ptr<HttpExchange> exchange_;
};

// One small question, answered in JSON.
Task<absl::StatusOr<json>> AskPod(std::shared_ptr<Pod> pod, HttpRequest request, MonotonicTime deadline,
                                  Cancellation& cancellation) {
  if (!pod->connection.status().ok()) co_return absl::UnavailableError("the engine is not usable");
  auto answer = co_await HttpAsk(pod->executor, pod->clock, pod->multi, std::move(request), kAnswerBytesMax, deadline,
                                 cancellation);
  if (!answer.ok()) co_return answer.status();
  if (answer->status != 200) co_return StatusOf(answer->status);
  auto parsed = json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) co_return absl::UnavailableError("the engine's answer is no JSON object");
  co_return parsed;
}

std::vector<std::string> ModelIds(const json& answer) {
  std::vector<std::string> ids;
  if (!answer.is_object() || !answer.contains("data") || !answer["data"].is_array()) return ids;
  for (const json& model : answer["data"]) {
    if (model.is_object() && model.contains("id") && model["id"].is_string()) ids.push_back(model["id"]);
  }
  return ids;
}

// Asks for the model, then for the metrics, again and again.
class LoadPoll {
 public:
  LoadPoll(Pod& pod, int64_t sequences_max, EndpointRegistry::OnLoad on_load)
      : pod_(pod), load_(sequences_max), on_load_(std::move(on_load)) {
    if (pod.connection.status().ok()) WaitUntil(pod_.clock.Monotonic());
  }

 private:
  void WaitUntil(MonotonicTime when) {
    transfer_.reset();
    timer_ = pod_.clock.CallAt(when, [this] { Ask(); });
  }
  void Ask() {
    began_ = pod_.clock.Monotonic();
    body_.clear();
    transfer_.emplace(
        pod_.multi, pod_.Request(pod_.model.empty() ? "/v1/models" : "/metrics"),
        [this](std::string_view bytes) {
          if (body_.size() + bytes.size() > kMetricsBytesMax) return size_t{0};
          body_.append(bytes);
          return bytes.size();
        },
        [this](CURLcode result) { Done(result == CURLE_OK && transfer_->status() == 200); });
    timer_ = pod_.clock.CallAt(began_ + kMetricsTimeout, [this] { Done(false); });
    if (!transfer_->Start().ok()) Done(false);
  }
  void Done(bool ok) {
    const MonotonicTime now = pod_.clock.Monotonic();
    const bool metrics = !pod_.model.empty();
    WaitUntil(std::max(now, began_ + (ok && !metrics ? absl::ZeroDuration() : pod_.config.metrics_interval)));
    if (!ok) return;
    if (!metrics) {
      const std::vector<std::string> ids = ModelIds(json::parse(body_, nullptr, /*allow_exceptions=*/false));
      if (!ids.empty()) pod_.model = ids.front();
    } else if (const auto page = ParseServerMetrics(body_)) {
      v1::Load report = load_.Next(*page, now);
      report.set_model(pod_.model);
      report.set_sequence_number(++sequence_);
      on_load_(report);
    }
  }

  Pod& pod_;
  OpenAiLoad load_;
  const EndpointRegistry::OnLoad on_load_;
  MonotonicTime began_;
  std::string body_;
  uint64_t sequence_ = 0;
  std::unique_ptr<Timer> timer_;
  std::optional<HttpTransfer> transfer_;
};

class OpenAiEngine : public LocalUpstream {
 public:
  OpenAiEngine(std::shared_ptr<Pod> pod, int64_t sequences_max, EndpointRegistry::OnLoad on_load)
      : pod_(std::move(pod)), poll_(*pod_, sequences_max, std::move(on_load)) {}

  std::unique_ptr<AnswerStream> Generate(const Prompt& prompt, const CallOptions& options) override {
    auto stream = std::make_unique<PodStream>(pod_);
    CloudBody about;
    about.model = pod_->model;
    about.dialect = CloudBody::Dialect::kLocalEngine;
    absl::StatusOr<std::string> body = absl::UnavailableError("the engine has not told its model yet");
    if (!pod_->model.empty()) body = CloudRequestBody(prompt.content(), about);
    stream->Start(std::move(body), options.deadline);
    return stream;
  }

  Task<absl::StatusOr<v1::CountTokensResponse>> CountTokens(const v1::CountTokensRequest& request,
                                                            MonotonicTime deadline,
                                                            Cancellation& cancellation) override {
    json body = {{"model", pod_->model}};
    if (request.messages().empty()) body["prompt"] = request.prompt();
    for (const v1::Message& message : request.messages()) {
      body["messages"].push_back({{"role", ChatRoleName(message.role())}, {"content", message.content()}});
    }
    auto answer = co_await AskPod(pod_, pod_->Post("/tokenize", Dump(body)), deadline, cancellation);
    if (!answer.ok()) co_return answer.status();
    if (!answer->contains("count") || !(*answer)["count"].is_number_unsigned()) {
      co_return absl::UnavailableError("the engine told no count of tokens");
    }
    v1::CountTokensResponse response;
    response.set_tokens((*answer)["count"].get<int64_t>());
    response.set_model(pod_->model);
    co_return response;
  }

  Task<absl::StatusOr<v1::EmbedResponse>> Embed(const v1::EmbedRequest& request, MonotonicTime deadline,
                                                Cancellation& cancellation) override {
    json body = {{"model", pod_->model}, {"input", json::array()}};
    for (const std::string& input : request.input()) body["input"].push_back(input);
    auto answer = co_await AskPod(pod_, pod_->Post("/v1/embeddings", Dump(body)), deadline, cancellation);
    if (!answer.ok()) co_return answer.status();
    v1::EmbedResponse response;
    response.set_model(pod_->model);
    if (answer->contains("data") && (*answer)["data"].is_array()) {
      for (const json& one : (*answer)["data"]) {
        if (!one.is_object() || !one.contains("embedding") || !one["embedding"].is_array()) continue;
        auto& embedding = *response.add_embeddings();
        for (const json& value : one["embedding"]) embedding.add_values(value.is_number() ? value.get<float>() : 0);
      }
    }
    if (response.embeddings_size() != request.input_size()) {
      co_return absl::UnavailableError("the engine made other embeddings than were asked for");
    }
    co_return response;
  }

  Task<absl::StatusOr<v1::ListModelsResponse>> ListModels(MonotonicTime deadline,
                                                          Cancellation& cancellation) override {
    auto answer = co_await AskPod(pod_, pod_->Request("/v1/models"), deadline, cancellation);
    if (!answer.ok()) co_return answer.status();
    v1::ListModelsResponse response;
    for (const std::string& id : ModelIds(*answer)) response.add_models()->set_id(id);
    co_return response;
  }

 private:
  static std::string Dump(const json& body) { return body.dump(-1, ' ', false, json::error_handler_t::replace); }

  const std::shared_ptr<Pod> pod_;
  LoadPoll poll_;
};

}  // namespace

std::unique_ptr<LocalUpstream> ConnectOpenAiEngine(Executor executor, Clock& clock, const EndpointConfig& endpoint,
                                                   const std::string& address, const LocalConfig& config,
                                                   Metrics& metrics, EndpointRegistry::OnLoad on_load) {
  auto pod = std::make_shared<Pod>(executor, clock, endpoint, address, config, metrics);
  return std::make_unique<OpenAiEngine>(std::move(pod), endpoint.sequences_max, std::move(on_load));
}

}  // namespace headgate::router
