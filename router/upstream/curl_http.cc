// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/curl_http.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace headgate::router {
namespace {

constexpr size_t kIdleHandlesMax = 64;  // a key's

}  // namespace

class CurlHttp::Exchange final : public HttpExchange {
 public:
  Exchange(CurlHttp& http, size_t key, std::string body, HttpReader& reader)
      : http_(http), key_(key), body_(std::move(body)), reader_(reader) {}
  ~Exchange() override {
    if (easy_ == nullptr) return;
    http_.multi_.Remove(easy_);
    curl_easy_cleanup(easy_);
  }

  absl::Status Start() {
    easy_ = http_.Take(key_);
    if (easy_ == nullptr) return absl::UnavailableError("out of memory");
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body_.data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
    curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, &Exchange::BeforeSending);
    curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
    return http_.multi_.Add(easy_, [this](CURLcode result) { Complete(result); });
  }

  absl::Status Resume() override {
    const CURLcode code = http_.multi_.Resume(easy_);
    return code == CURLE_OK ? absl::OkStatus() : absl::UnavailableError(curl_easy_strerror(code));
  }
  bool sent() const override { return sent_; }
  bool shared() const override {
    long version = 0;
    curl_easy_getinfo(easy_, CURLINFO_HTTP_VERSION, &version);
    return version >= CURL_HTTP_VERSION_2_0;
  }

 private:
  // libcurl sends a request again by itself when a kept connection breaks before the answer.
  static int BeforeSending(void* self, char*, char*, int, int) {
    return std::exchange(static_cast<Exchange*>(self)->sent_, true) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
  }
  static size_t OnHeader(const char* data, size_t, size_t size, void* self) {
    static_cast<Exchange*>(self)->ReadHeader({data, size});
    return size;
  }
  static size_t OnBody(const char* data, size_t, size_t size, void* self) {
    switch (static_cast<Exchange*>(self)->reader_.TakeBody({data, size})) {
      case HttpReader::Taken::kAll: return size;
      case HttpReader::Taken::kLater: return CURL_WRITEFUNC_PAUSE;
      default: return 0;
    }
  }

  void ReadHeader(std::string_view line) {
    if (told_ || (line != "\r\n" && line != "\n")) return;
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) return;  // 100 Continue, 103 Early Hints
    told_ = true;
    curl_header* after = nullptr;
    const bool has = curl_easy_header(easy_, "retry-after", 0, CURLH_HEADER, -1, &after) == CURLHE_OK;
    reader_.TakeHead(static_cast<int>(status), has ? after->value : "");
  }

  void Complete(CURLcode result) {
    long opened = 0;
    curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &opened);
    if (opened > 0 && http_.connects_ != nullptr) http_.connects_->Increment(static_cast<double>(opened));
    http_.Keep(key_, std::exchange(easy_, nullptr));
    absl::Status status;
    if (result == CURLE_ABORTED_BY_CALLBACK) status = absl::UnavailableError("closed before an answer");
    if (result != CURLE_OK && status.ok()) status = absl::UnavailableError(curl_easy_strerror(result));
    reader_.TakeEnd(status);
  }

  CurlHttp& http_;
  const size_t key_;
  const std::string body_;  // libcurl reads it in place
  HttpReader& reader_;
  CURL* easy_ = nullptr;  // null: ended
  bool sent_ = false;
  bool told_ = false;
};

CurlHttp::CurlHttp(CurlMulti& multi, size_t keys, Configure configure, Counter* connects)
    : multi_(multi), configure_(std::move(configure)), connects_(connects), idle_(keys) {}

CurlHttp::~CurlHttp() {
  for (const auto& handles : idle_) {
    for (CURL* easy : handles) curl_easy_cleanup(easy);
  }
}

CURL* CurlHttp::Take(size_t key) {
  if (idle_[key].empty()) {
    CURL* const easy = curl_easy_init();
    if (easy != nullptr) configure_(easy, key);
    return easy;
  }
  CURL* const easy = idle_[key].back();
  idle_[key].pop_back();
  return easy;
}

void CurlHttp::Keep(size_t key, CURL* easy) {
  if (idle_[key].size() < kIdleHandlesMax) return idle_[key].push_back(easy);
  curl_easy_cleanup(easy);
}

absl::StatusOr<std::unique_ptr<HttpExchange>> CurlHttp::Send(size_t key, std::string body, HttpReader& reader) {
  auto exchange = std::make_unique<Exchange>(*this, key, std::move(body), reader);
  if (absl::Status started = exchange->Start(); !started.ok()) return started;
  return exchange;
}

}  // namespace headgate::router
