// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/http_transfer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mailbox.h"

namespace headgate::router {

HttpTransfer::HttpTransfer(CurlMulti& multi, HttpRequest request, OnBody on_body, OnDone on_done)
    : multi_(multi), request_(std::move(request)), on_body_(std::move(on_body)), on_done_(std::move(on_done)) {}

HttpTransfer::~HttpTransfer() {
  if (easy_ != nullptr) {
    multi_.Remove(easy_);
    curl_easy_cleanup(easy_);
  }
  curl_slist_free_all(headers_);
}

absl::Status HttpTransfer::Start() {
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return absl::UnavailableError("http transfer: out of memory");
  ConfigureTransfer(easy_, request_.url, request_.connect_timeout);
  headers_ = curl_slist_append(headers_, "Expect:");  // an empty value removes a header that libcurl would add
  for (const std::string& header : request_.headers) headers_ = curl_slist_append(headers_, header.c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  if (request_.post) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  }
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &HttpTransfer::TakeHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &HttpTransfer::TakeBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  if (request_.configure) request_.configure(easy_);
  return multi_.Add(easy_, [this](CURLcode result) {
    const OnDone done = on_done_;  // it may destroy this
    done(result);
  });
}

CURLcode HttpTransfer::Resume() { return multi_.Resume(easy_); }

size_t HttpTransfer::TakeHeader(const char* data, size_t, size_t size, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view line(data, size);
  if (line != "\r\n" && line != "\n") return size;
  long status = 0;
  curl_easy_getinfo(transfer.easy_, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200) transfer.status_ = status;  // not 100 Continue
  return size;
}

size_t HttpTransfer::TakeBody(const char* data, size_t, size_t size, void* self) {
  return static_cast<HttpTransfer*>(self)->on_body_({data, size});
}

Task<absl::StatusOr<HttpAnswer>> HttpAsk(Executor executor, Clock& clock, CurlMulti& multi, HttpRequest request,
                                         size_t body_max, MonotonicTime deadline, Cancellation& cancellation) {
  Mailbox<CURLcode> ended(executor, 1);
  HttpAnswer answer;
  HttpTransfer transfer(
      multi, std::move(request),
      [&](std::string_view bytes) {
        if (answer.body.size() + bytes.size() > body_max) return size_t{0};
        answer.body.append(bytes);
        return bytes.size();
      },
      [&](CURLcode result) { (void)ended.Offer(std::move(result)); });
  const absl::Status started = transfer.Start();
  if (!started.ok()) co_return started;
  auto result = co_await ended.Receive(clock, deadline, cancellation);
  if (!result.ok()) co_return result.status();
  if (**result != CURLE_OK) {
    co_return absl::UnavailableError(absl::StrCat("http exchange failed: ", curl_easy_strerror(**result)));
  }
  answer.status = transfer.status();
  co_return answer;
}

}  // namespace headgate::router
