// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/endpoint_watch.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/log.h"
#include "common/tls.h"
#include "router/upstream/endpoint_slices.h"
#include "router/upstream/http_transfer.h"

namespace headgate::router {
namespace {

constexpr size_t kListBytesMax = 16 << 20;
constexpr size_t kLineBytesMax = 2 << 20;  // one slice holds at most 1000 endpoints
constexpr size_t kTokenBytesMax = 64 << 10;
constexpr absl::Duration kListTimeout = absl::Seconds(15);
constexpr absl::Duration kWatchFor = absl::Seconds(240);     // the server ends it then
constexpr absl::Duration kWatchGrace = absl::Seconds(20);    // and if it does not, we do
constexpr absl::Duration kBackoffBase = absl::Milliseconds(250);
constexpr absl::Duration kBackoffMax = absl::Seconds(30);

class SliceWatch : public ServiceWatch {
 public:
  SliceWatch(Executor executor, Clock& clock, RandomBytes random, const KubernetesConfig& config,
             const std::string& api, Metrics& metrics, const EndpointConfig& endpoint,
             EndpointRegistry::OnAddresses on_addresses)
      : clock_(clock),
        random_(std::move(random)),
        config_(config),
        name_(endpoint.name),
        on_addresses_(std::move(on_addresses)),
        up_(metrics.GetGauge("headgate_router_endpoint_watch_up",
                             "1 while the EndpointSlices of a Service are followed; 0: the last known pods are used.",
                             {{"endpoint", endpoint.name}})),
        lists_(metrics.GetCounter("headgate_router_endpoint_lists_total",
                                  "Whole lists of a Service's EndpointSlices: at the start, and when a watch was lost.",
                                  {{"endpoint", endpoint.name}})),
        multi_(executor, clock, 2),
        slices_(endpoint.port) {
    const std::vector<std::string> parts = absl::StrSplit(endpoint.service, '/');
    url_ = absl::StrCat(api, "/apis/discovery.k8s.io/v1/namespaces/", parts.front(),
                        "/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D", parts.back());
    up_.Set(0);
    timer_ = clock_.CallAt(clock_.Monotonic(), [this] { Go(); });
  }

 private:
  enum class State { kList, kWatch };

  void Go() {
    line_.clear();
    const bool list = state_ == State::kList;
    std::string url = url_;
    if (!list) {
      const absl::Duration watch_for = kWatchFor * (0.75 + RandomUnit(random_) / 2);  // not all routers at once
      absl::StrAppend(&url, "&watch=1&allowWatchBookmarks=true&resourceVersion=", slices_.resource_version(),
                      "&timeoutSeconds=", absl::ToInt64Seconds(watch_for));
      timer_ = clock_.CallAt(clock_.Monotonic() + watch_for + kWatchGrace, [this] { Ended(absl::OkStatus()); });
    } else {
      lists_.Increment();
      timer_ = clock_.CallAt(clock_.Monotonic() + kListTimeout,
                             [this] { Ended(absl::DeadlineExceededError("no list in time")); });
    }
    auto request = Request(url);
    if (!request.ok()) return Ended(request.status());
    told_ = absl::OkStatus();
    transfer_.emplace(
        multi_, *std::move(request), [this](std::string_view bytes) { return Take(bytes); },
        [this](CURLcode result) { Done(result); });
    if (const absl::Status started = transfer_->Start(); !started.ok()) Ended(started);
  }

  absl::StatusOr<HttpRequest> Request(const std::string& url) const {
    const auto token = ReadFile(config_.token_file, kTokenBytesMax);
    if (!token.ok()) return token.status();
    const std::string_view text = *token;
    const size_t end = text.find_last_not_of(" \t\r\n");
    const std::string bare(text.substr(0, end == std::string_view::npos ? 0 : end + 1));
    // A line break would add headers.
    if (bare.empty() || bare.find_first_of(" \t\r\n") != std::string::npos) {
      return absl::FailedPreconditionError(absl::StrCat(config_.token_file, " holds no token"));
    }
    HttpRequest request;
    request.url = url;
    request.headers = {absl::StrCat("Authorization: Bearer ", bare), "Accept: application/json"};
    request.connect_timeout = absl::Seconds(5);
    request.configure = [this](CURL* easy) {
      curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
      curl_easy_setopt(easy, CURLOPT_CAINFO, config_.ca_file.c_str());
      curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    };
    return request;
  }

  size_t Take(std::string_view bytes) {
    if (transfer_->status() != 200) return bytes.size();
    const size_t all = bytes.size();
    if (state_ == State::kList) {
      if (line_.size() + all > kListBytesMax) return 0;
      line_.append(bytes);
      return all;
    }
    bool changed = false;
    while (told_.ok() && !bytes.empty()) {
      const size_t end = bytes.find('\n');
      if (line_.size() + std::min(end, bytes.size()) > kLineBytesMax) told_ = absl::UnavailableError("line too long");
      line_.append(bytes.substr(0, end));
      if (end == std::string_view::npos) break;
      bytes.remove_prefix(end + 1);
      if (line_.empty()) continue;
      told_ = slices_.TakeEvent(line_);
      line_.clear();
      changed = true;
    }
    if (changed) Tell();
    return told_.ok() ? all : 0;
  }

  void Done(CURLcode result) {
    const long status = transfer_->status();
    if (!told_.ok()) return Ended(told_);
    if (status == 410) return Ended(absl::OutOfRangeError("the watch is too old"));
    if (status != 200) return Ended(absl::UnavailableError(absl::StrCat("API server: status ", status)));
    if (result != CURLE_OK) return Ended(absl::UnavailableError(curl_easy_strerror(result)));
    if (state_ == State::kWatch) return Ended(absl::OkStatus());
    const absl::Status listed = slices_.TakeList(line_);
    if (!listed.ok()) return Ended(listed);
    state_ = State::kWatch;
    Tell();
    Ended(absl::OkStatus());
  }

  // One exchange is over; what comes next.
  void Ended(const absl::Status& status) {
    transfer_.reset();
    const MonotonicTime now = clock_.Monotonic();
    if (status.ok()) {
      // Ended by the server, as agreed; a server that ends every watch at once is asked once in a while only.
      const absl::Duration wait = now - last_ok_ < kBackoffBase ? kBackoffBase : absl::ZeroDuration();
      failures_ = 0;
      last_ok_ = now;
      up_.Set(1);
      timer_ = clock_.CallAt(now + wait, [this] { Go(); });
      return;
    }
    const bool too_old = absl::IsOutOfRange(status);
    // What was missed is not known.
    if (too_old || state_ == State::kList || ++failures_ >= 3) state_ = State::kList;
    if (state_ == State::kList && !too_old) ++failures_;
    if (failures_ > 0) up_.Set(0);
    if (failures_ == 1 || failures_ == 10) {
      HG_LOG(Warning, "endpoint cannot be followed at the API server, keeping what it had: name=", name_,
             " why=", std::string(status.message()));
    }
    const double doublings = static_cast<double>(std::min(failures_, 10));
    const absl::Duration most = std::min(kBackoffMax, kBackoffBase * static_cast<double>(int64_t{1} << int(doublings)));
    timer_ = clock_.CallAt(now + most * (0.5 + RandomUnit(random_) / 2), [this] { Go(); });
  }

  void Tell() {
    std::vector<std::string> addresses = slices_.Addresses();
    if (std::exchange(last_told_, addresses) == addresses && told_once_) return;
    told_once_ = true;
    on_addresses_(std::move(addresses));
  }

  Clock& clock_;
  const RandomBytes random_;
  const KubernetesConfig config_;
  const std::string name_;
  const EndpointRegistry::OnAddresses on_addresses_;
  Gauge& up_;
  Counter& lists_;
  CurlMulti multi_;
  EndpointSlices slices_;
  std::string url_;
  State state_ = State::kList;
  std::string line_;       // of a watch, or the whole list
  absl::Status told_;      // what the last event said
  std::vector<std::string> last_told_;
  bool told_once_ = false;
  int failures_ = 0;       // in a row
  MonotonicTime last_ok_ = -absl::InfiniteDuration();
  std::unique_ptr<Timer> timer_;
  std::optional<HttpTransfer> transfer_;
};

}  // namespace

absl::StatusOr<std::string> KubernetesApi(const KubernetesConfig& config) {
  if (!config.api.empty()) return config.api;
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || *host == '\0' || *port == '\0') {
    return absl::FailedPreconditionError(
        "local.kubernetes.api is not set and KUBERNETES_SERVICE_HOST is not either: this is no pod");
  }
  const std::string name(host);
  const bool v6 = name.find(':') != std::string::npos;
  return absl::StrCat("https://", v6 ? "[" : "", name, v6 ? "]:" : ":", port);
}

EndpointRegistry::Watch MakeServiceWatch(Executor executor, Clock& clock, RandomBytes random,
                                         const KubernetesConfig& config, std::string api, Metrics& metrics) {
  return [=, &clock, &metrics](const EndpointConfig& endpoint, EndpointRegistry::OnAddresses on_addresses) {
    return std::make_unique<SliceWatch>(executor, clock, random, config, api, metrics, endpoint,
                                        std::move(on_addresses));
  };
}

}  // namespace headgate::router
