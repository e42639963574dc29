// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Tested against the DeepSeek emulator by tests/unit/upstream/cloud_client_test.cc. A stream ends in one of four ways:
// the exchange is over (TakeEnd), a limit in time is reached (OnTimer), the reader goes away (destructor), the client
// goes away (Detach).

#include "router/upstream/cloud_client.h"

#include <arpa/inet.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/mailbox.h"
#include "router/upstream/cloud_balance.h"
#include "router/upstream/cloud_wire.h"
#include "router/upstream/curl_http.h"
#include "router/upstream/curl_multi.h"
#include "router/upstream/key_ring.h"
#include "router/upstream/plain_http.h"
#include "router/upstream/upstream_error.h"

namespace headgate::router {
namespace {

// A stream pauses at so many unread events. In libcurl 7.88 a paused HTTP/2 stream stalls all others of its connection,
// so there one slow reader may leave far more unread before that is done to the others.
constexpr size_t kUnreadEventsMax = 64;
constexpr size_t kUnreadEventsMaxShared = 8192;
constexpr size_t kEventsPerWriteMax = 4096;  // 16 KiB, libcurl's largest piece, holds fewer `data:` lines
constexpr size_t kErrorBodyBytesMax = 64 << 10;
constexpr size_t kLimitBytesMax = 4 << 10;
constexpr size_t kWholeBytesMax = 16 << 20;  // more than the longest answer, all of it escaped
constexpr size_t kUserIdHexDigits = 32;
// The status is known; waiting for the body only serves to keep the connection.
constexpr absl::Duration kErrorBodyWait = absl::Seconds(1);
// As is the answer after [DONE]: the end of the body follows at once, and ending the transfer before it closes an
// HTTP/1.1 connection that the next request could use.
constexpr absl::Duration kBodyEndWait = absl::Milliseconds(100);

struct UrlPart {
  char* text = nullptr;
  ~UrlPart() { curl_free(text); }
  bool Get(CURLU* url, CURLUPart part) { return curl_url_get(url, part, &text, 0) == CURLUE_OK; }
};

std::string BareHost(const std::string& host) {
  return host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

bool IsLoopback(const std::string& address) {
  if (address == "localhost") return true;
  const std::string host = BareHost(address);
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

struct CurlDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

class CloudStream;

class CloudClient : public CloudUpstream {
 public:
  CloudClient(Executor executor, Clock& clock, const CloudConfig& config, CloudSecrets secrets, Metrics& metrics)
      : executor_(executor),
        clock_(clock),
        config_(config),
        user_id_salt_(std::move(secrets.user_id_salt)),
        url_(absl::StrCat(absl::StripSuffix(config.base_url, "/"), "/chat/completions")),
        live_(metrics.GetGauge("headgate_router_cloud_transfers", "Requests to the cloud that have not ended")),
        connects_(metrics.GetCounter("headgate_router_cloud_connects_total", "Connections opened to the cloud")),
        pauses_(metrics.GetCounter("headgate_router_cloud_pauses_total",
                                   "Times that a cloud answer was held because its reader was slow")),
        keys_(clock, secrets.api_keys.size(), metrics, CloudLabels(config)),
        multi_(executor, clock, std::max<int64_t>(1, config.connections_max)) {
    std::vector<std::vector<std::string>> lines;  // by key
    for (const std::string& api_key : secrets.api_keys) {
      lines.push_back({"Content-Type: application/json", "Accept: application/json, text/event-stream",
                       absl::StrCat("Authorization: Bearer ", api_key)});
      Headers& headers = headers_.emplace_back();
      for (const std::string& line : lines.back()) headers.reset(curl_slist_append(headers.release(), line.c_str()));
      headers.reset(curl_slist_append(headers.release(), "Expect:"));  // takes away one that libcurl would add
    }
    MakeTransport(std::move(lines));
    balance_.emplace(
        clock, multi_, config_, secrets.api_keys.size(), [this](CURL* easy, size_t key) { Configure(easy, key); },
        metrics);
  }
  ~CloudClient() override;

  std::unique_ptr<AnswerStream> Generate(const CloudPrompt& prompt, const CloudCall& call) override;

 private:
  friend class CloudStream;
  using Headers = std::unique_ptr<curl_slist, CurlDeleter>;
  void Configure(CURL* easy, size_t key) const;
  void MakeTransport(std::vector<std::vector<std::string>> headers);
  // Names the tenant to nobody, and the same tenant the same way: the cloud keeps its caches apart by it.
  std::string UserId(const std::string& tenant) const;

  Executor executor_;
  Clock& clock_;
  const CloudConfig config_;
  const std::string user_id_salt_;  // empty: none is sent
  const std::string url_;
  Gauge& live_;
  Counter& connects_;
  Counter& pauses_;
  std::vector<Headers> headers_;  // by key
  KeyRing keys_;
  CurlMulti multi_;
  std::unique_ptr<HttpTransport> transport_;
  std::set<CloudStream*> streams_;
  std::optional<BalancePoll> balance_;
};

class CloudStream : public AnswerStream, private HttpReader {
 public:
  CloudStream(CloudClient* client, MonotonicTime deadline, bool whole)
      : client_(client),
        clock_(client->clock_),
        deadline_(deadline),
        whole_(whole),
        first_token_until_(whole ? absl::InfiniteDuration()
                                 : clock_.Monotonic() + client->config_.first_token_timeout),
        // DeepSeek writes blank lines while it works on a whole answer: without them it hangs. Others work in silence.
        idle_timeout_(whole && client->config_.dialect == CloudConfig::Dialect::kDeepSeek
                          ? std::min(client->config_.first_token_timeout, client->config_.idle_timeout)
                          : client->config_.idle_timeout),
        heard_at_(clock_.Monotonic()),
        mailbox_(client->executor_, kUnreadEventsMaxShared + kEventsPerWriteMax) {
    client_->streams_.insert(this);
  }
  ~CloudStream() override {
    if (client_ == nullptr) return;
    StopTransfer();
    client_->streams_.erase(this);
  }

  void Start(absl::StatusOr<std::string> body) {
    if (!body.ok()) return mailbox_.Close(body.status());
    key_ = client_->keys_.Next();
    client_->live_.Add(1);
    counted_ = true;
    auto exchange = client_->transport_->Send(key_, *std::move(body), *this);
    if (!exchange.ok()) return End(exchange.status());
    exchange_ = *std::move(exchange);
    mailbox_.SetOnTaken([this] { ResumeIfRead(); });
    SetTimer();
  }

  Task<absl::StatusOr<std::optional<v1::GenerateStreamResponse>>> Next(MonotonicTime until,
                                                                       Cancellation& cancellation) override {
    auto event = co_await mailbox_.Receive(clock_, until, cancellation);
    co_return event;
  }

  // Whether the cloud bills what broke off is not known: a token for every four bytes.
  std::optional<int64_t> PaidFor() const override {
    if (!(exchange_ ? exchange_->sent() : sent_) || (http_status_ != 0 && http_status_ != 200)) return std::nullopt;
    return static_cast<int64_t>(answer_.size() / 4);
  }

  void Detach() {
    End(absl::UnavailableError("cloud client is shutting down"));
    client_ = nullptr;
  }

 private:
  void TakeHead(int status, std::string_view retry_after) override {
    heard_at_ = clock_.Monotonic();
    http_status_ = status;
    if (status == 200) return;
    if (!retry_after.empty()) retry_after_ = ParseRetryAfter(retry_after, clock_.WallTime());
    refused_until_ = clock_.Monotonic() + kErrorBodyWait;
    SetTimer();
  }

  Taken TakeBody(std::string_view bytes) override {
    heard_at_ = clock_.Monotonic();
    if (http_status_ != 200) {
      refused_bytes_ += bytes.size();
      if (http_status_ == 429 && refused_.size() < kLimitBytesMax) refused_.append(bytes.substr(0, kLimitBytesMax));
      return refused_bytes_ > kErrorBodyBytesMax ? Taken::kNever : Taken::kAll;
    }
    if (whole_) return ReadWhole(bytes) ? Taken::kAll : Taken::kNever;
    if (reader_.done()) return Taken::kAll;
    if (mailbox_.size() >= UnreadMax()) {
      paused_ = true;
      client_->pauses_.Increment();
      return Taken::kLater;
    }
    std::vector<v1::GenerateStreamResponse> events;
    failure_ = reader_.Read(bytes, events);
    if (reader_.done()) {  // the last event is the finish
      client_->keys_.Worked(key_);
      finish_ = std::move(events.back());
      events.pop_back();
      got_token_ = true;
      body_end_until_ = heard_at_ + kBodyEndWait;
      // Nearly always the end is in the same bytes: a timer is set if it was not there by the executor's next turn.
      timer_ = clock_.CallAt(heard_at_, [this] { OnTimer(); });
    }
    Deliver(std::move(events));
    return failure_.ok() ? Taken::kAll : Taken::kNever;
  }

  void TakeEnd(const absl::Status& status) override { End(Outcome(status)); }

  // False: it is too long.
  bool ReadWhole(std::string_view bytes) {
    if (answer_.empty()) bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
    if (answer_.size() + bytes.size() > kWholeBytesMax) {
      failure_ = absl::UnavailableError("cloud answer is too long");
      return false;
    }
    answer_.append(bytes);
    return true;
  }
  absl::Status EndOfWhole() {
    std::vector<v1::GenerateStreamResponse> events;
    if (absl::Status status = ReadWholeAnswer(answer_, events); !status.ok()) return status;
    client_->keys_.Worked(key_);
    finish_ = std::move(events.back());
    events.pop_back();
    Deliver(std::move(events));
    return failure_;
  }

  void Deliver(std::vector<v1::GenerateStreamResponse> events) {
    for (v1::GenerateStreamResponse& event : events) {
      got_token_ = true;
      if (!mailbox_.Offer(std::move(event))) failure_ = absl::UnavailableError("cloud stream: too many events at once");
    }
  }

  size_t UnreadMax() const { return exchange_->shared() ? kUnreadEventsMaxShared : kUnreadEventsMax; }

  void ResumeIfRead() {
    if (!paused_ || client_ == nullptr || mailbox_.size() > UnreadMax() / 2) return;
    paused_ = false;
    heard_at_ = clock_.Monotonic();  // the silence was ours
    if (!exchange_->Resume().ok())
      End(failure_.ok() ? absl::UnavailableError("cloud stream cannot be resumed") : failure_);
  }

  absl::Status Outcome(const absl::Status& status) {
    if (http_status_ != 0 && http_status_ != 200) return Refusal();
    if (!failure_.ok() || finish_) return failure_;
    if (!status.ok()) return absl::UnavailableError(absl::StrCat("cloud connection failed: ", status.message()));
    if (whole_) return EndOfWhole();
    std::vector<v1::GenerateStreamResponse> events;
    const absl::Status ended = reader_.End(events);
    Deliver(std::move(events));
    return ended;
  }

  // What the status means, and for the key.
  absl::Status Refusal() {
    absl::Status status = CloudStatus(http_status_, retry_after_);
    if (std::exchange(refusal_told_, true)) return status;
    if (http_status_ == 429) {
      client_->keys_.Limited(key_, retry_after_);
      if (const auto limit = NamedConcurrencyLimit(refused_)) status = WithConcurrencyLimit(std::move(status), *limit);
    } else if (http_status_ == 401 || http_status_ == 402 || http_status_ == 403) {
      if (client_->keys_.Refused(key_, http_status_)) status = WithOtherKey(std::move(status));
    }
    return status;
  }

  // The answer is over; events already delivered are still read.
  void End(absl::Status status) {
    if (status.ok() && finish_ && !mailbox_.Offer(*std::exchange(finish_, std::nullopt)))
      status = absl::UnavailableError("cloud stream: too many events at once");
    mailbox_.Close(std::move(status));
    StopTransfer();
  }

  void StopTransfer() {
    timer_.reset();
    paused_ = false;
    if (exchange_ != nullptr) sent_ = exchange_->sent();
    exchange_.reset();
    if (std::exchange(counted_, false)) client_->live_.Add(-1);
  }

  void SetTimer() {
    MonotonicTime when = std::min({deadline_, refused_until_, body_end_until_, heard_at_ + idle_timeout_});
    if (!got_token_) when = std::min(when, first_token_until_);
    timer_.reset();
    if (when < absl::InfiniteDuration()) timer_ = clock_.CallAt(when, [this] { OnTimer(); });
  }

  // Limits move while bytes arrive, so the timer only looks whether one has really passed.
  void OnTimer() {
    const MonotonicTime now = clock_.Monotonic();
    if (paused_) heard_at_ = now;
    if (now >= refused_until_) {
      End(Refusal());
    } else if (finish_ && now >= std::min({deadline_, body_end_until_, heard_at_ + idle_timeout_})) {
      End(absl::OkStatus());  // complete, whichever limit came first
    } else if (finish_) {
      SetTimer();
    } else if (now >= deadline_) {
      End(absl::DeadlineExceededError("request deadline passed while the cloud answered"));
    } else if (!got_token_ && now >= first_token_until_) {
      End(absl::DeadlineExceededError("cloud sent no first token in time"));
    } else if (now >= heard_at_ + idle_timeout_) {
      End(absl::DeadlineExceededError("cloud was silent for too long"));
    } else {
      SetTimer();
    }
  }

  CloudClient* client_;  // null once detached
  Clock& clock_;
  const MonotonicTime deadline_;
  const bool whole_;                       // one JSON object; only its silence is limited
  const MonotonicTime first_token_until_;
  const absl::Duration idle_timeout_;      // of silence
  MonotonicTime heard_at_;                                    // last byte, keep-alives included
  MonotonicTime refused_until_ = absl::InfiniteDuration();    // set by a status other than 200
  MonotonicTime body_end_until_ = absl::InfiniteDuration();   // set by [DONE]
  std::optional<v1::GenerateStreamResponse> finish_;          // held from [DONE] to the end of the body
  std::unique_ptr<Timer> timer_;
  Mailbox<v1::GenerateStreamResponse> mailbox_;
  SseReader reader_;
  std::string answer_;  // of whole_, so far
  std::unique_ptr<HttpExchange> exchange_;
  int http_status_ = 0;
  std::optional<absl::Duration> retry_after_;  // of a refusal
  size_t key_ = 0;
  size_t refused_bytes_ = 0;
  std::string refused_;  // the beginning of a 429's body: looked through for a number, shown to nobody
  bool refusal_told_ = false;
  absl::Status failure_;
  bool sent_ = false;  // once exchange_ is gone
  bool got_token_ = false;
  bool paused_ = false;
  bool counted_ = false;
};

CloudClient::~CloudClient() {
  for (CloudStream* stream : std::exchange(streams_, {})) stream->Detach();
}

std::unique_ptr<AnswerStream> CloudClient::Generate(const CloudPrompt& prompt, const CloudCall& call) {
  const bool whole = call.whole;
  auto stream = std::make_unique<CloudStream>(this, call.deadline, whole);
  CloudBody about{config_.model, config_.thinking, UserId(call.tenant), whole};
  if (config_.dialect == CloudConfig::Dialect::kOpenAi) about.dialect = CloudBody::Dialect::kOpenAi;
  about.members = config_.body_members;
  stream->Start(CloudRequestBody(prompt.content(), about));
  return stream;
}

void CloudClient::MakeTransport(std::vector<std::vector<std::string>> headers) {
  const std::unique_ptr<CURLU, CurlDeleter> url(curl_url());
  UrlPart scheme, host, port, path;
  const bool plain = curl_url_set(url.get(), CURLUPART_URL, url_.c_str(), 0) == CURLUE_OK &&
                     scheme.Get(url.get(), CURLUPART_SCHEME) && host.Get(url.get(), CURLUPART_HOST) &&
                     path.Get(url.get(), CURLUPART_PATH) && std::string_view(scheme.text) == "http";
  if (!plain) {
    transport_ = std::make_unique<CurlHttp>(
        multi_, headers_.size(), [this](CURL* easy, size_t key) { Configure(easy, key); }, &connects_);
    return;
  }
  PlainPeer peer;
  peer.host = BareHost(host.text);
  if (port.Get(url.get(), CURLUPART_PORT)) peer.port = static_cast<uint16_t>(std::atoi(port.text));
  peer.path = path.text;
  peer.headers = std::move(headers);
  for (auto& lines : peer.headers) lines.emplace_back("User-Agent: headgate");
  peer.connect_timeout = config_.connect_timeout;
  peer.connections_max = static_cast<size_t>(std::max<int64_t>(1, config_.connections_max));
  peer.allowed = IsLoopback;  // CheckCloudUrl has said so already
  peer.connects = &connects_;
  transport_ = MakePlainHttp(executor_, clock_, std::move(peer));
}

std::string CloudClient::UserId(const std::string& tenant) const {
  if (user_id_salt_.empty() || tenant.empty() || !config_.user_id) return "";
  return Hex(HmacSha256(user_id_salt_, tenant)).substr(0, kUserIdHexDigits);
}

void CloudClient::Configure(CURL* easy, size_t key) const {
  ConfigureTransfer(easy, url_, config_.connect_timeout);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_[key].get());
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  // 1.3 is what both sides prefer and get; 1.2 stays allowed because whether every edge of the public API has 1.3 is
  // not ours to decide.
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // The distribution's CApath would be trusted beside ca_file, and keeps libcurl from caching the parsed anchors.
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  if (!config_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, config_.ca_file.c_str());
  // No CURLOPT_PIPEWAIT: a burst would wait for one connection attempt, which may hang.
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
  // Giving up while a name is being looked up must not wait for the resolver's thread.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

}  // namespace

absl::Status CheckCloudUrl(const std::string& base_url) {
  const std::unique_ptr<CURLU, CurlDeleter> url(curl_url());
  UrlPart scheme, host, user, password, query, fragment;
  if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, base_url.c_str(), 0) != CURLUE_OK ||
      !scheme.Get(url.get(), CURLUPART_SCHEME) || !host.Get(url.get(), CURLUPART_HOST))
    return absl::InvalidArgumentError("cloud base_url is not a URL");
  if (user.Get(url.get(), CURLUPART_USER) || password.Get(url.get(), CURLUPART_PASSWORD) ||
      query.Get(url.get(), CURLUPART_QUERY) || fragment.Get(url.get(), CURLUPART_FRAGMENT))
    return absl::InvalidArgumentError("cloud base_url has a user, query or fragment");
  const std::string name = scheme.text;
  if (name != "https" && name != "http") return absl::InvalidArgumentError("cloud base_url is not https");
  if (name == "http" && !IsLoopback(host.text))
    return absl::InvalidArgumentError("cloud base_url is plain http to a host that is not loopback");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CloudUpstream>> MakeCloudClient(Executor executor, Clock& clock,
                                                               const CloudConfig& config, CloudSecrets secrets,
                                                               Metrics& metrics) {
  if (absl::Status status = CheckCloudUrl(config.base_url); !status.ok()) return status;
  // A line break in the key would add headers.
  const auto usable = [](const std::string& api_key) {
    return !api_key.empty() && std::all_of(api_key.begin(), api_key.end(), absl::ascii_isgraph);
  };
  if (secrets.api_keys.empty() || !std::all_of(secrets.api_keys.begin(), secrets.api_keys.end(), usable))
    return absl::InvalidArgumentError("cloud API key is empty or has characters that a header cannot carry");
  return std::make_unique<CloudClient>(executor, clock, config, std::move(secrets), metrics);
}

}  // namespace headgate::router
