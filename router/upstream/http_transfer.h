// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// HttpTransfer: one HTTP exchange over CurlMulti, its body handed over as it arrives; HttpAsk: one whose answer is
// small. For peers inside the cluster (OpenAI-compatible engines, the Kubernetes API server), never for the cloud. No
// proxy, no redirect, no credentials of the environment.
//
// Thread-safety: executor thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cancellation.h"
#include "common/clock.h"
#include "common/task.h"
#include "router/upstream/curl_multi.h"

namespace headgate::router {

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers = {};
  bool post = false;
  std::string body = {};                             // of a POST
  std::function<void(CURL*)> configure = {};         // certificates, checks of the address; called once
  absl::Duration connect_timeout = absl::Seconds(2);
};

class HttpTransfer {
 public:
  // How many bytes were taken: all, or 0 to abort, or CURL_WRITEFUNC_PAUSE.
  using OnBody = std::function<size_t(std::string_view bytes)>;
  // Once, at the end. The transfer may be destroyed in it.
  using OnDone = std::function<void(CURLcode result)>;

  HttpTransfer(CurlMulti& multi, HttpRequest request, OnBody on_body, OnDone on_done);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  absl::Status Start();
  // After a pause.
  CURLcode Resume();
  // 0 until the headers have come.
  long status() const { return status_; }

 private:
  static size_t TakeHeader(const char* data, size_t, size_t size, void* self);
  static size_t TakeBody(const char* data, size_t, size_t size, void* self);

  CurlMulti& multi_;
  const HttpRequest request_;
  const OnBody on_body_;
  const OnDone on_done_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  long status_ = 0;
};

struct HttpAnswer {
  long status = 0;
  std::string body;
};
// UNAVAILABLE: no whole answer, or more than `body_max` bytes; DEADLINE_EXCEEDED; the cancellation's reason.
Task<absl::StatusOr<HttpAnswer>> HttpAsk(Executor executor, Clock& clock, CurlMulti& multi, HttpRequest request,
                                         size_t body_max, MonotonicTime deadline, Cancellation& cancellation);

}  // namespace headgate::router
