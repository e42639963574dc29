// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// CurlMulti: libcurl's transfers driven by the executor: its sockets are in an epoll of their own, which Asio waits for
// as one descriptor, its timeouts come from the Clock, so nothing blocks and no thread is added. Connections are kept
// and reused; several transfers share one over HTTP/2.
//
// Thread-safety: executor thread only. Add, Remove and Resume must not be called from inside libcurl's callbacks.
// REQUIRES: destroyed before its io_context, and after every transfer was removed.
#pragma once

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/task.h"

namespace headgate::router {

// What every transfer has: no proxy, no redirect, no credentials of the environment, HTTP/1.1. The handle keeps `url`'s
// scheme.
void ConfigureTransfer(CURL* easy, const std::string& url, absl::Duration connect_timeout);

class CurlMulti {
 public:
  using OnDone = std::function<void(CURLcode result)>;

  CurlMulti(Executor executor, Clock& clock, int64_t connections_max);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // Starts the transfer soon; `done` is called once at its end, unless it was removed. `easy` must remain live until
  // then.
  absl::Status Add(CURL* easy, OnDone done);
  // Stops the transfer; a connection in the middle of an answer is closed (HTTP/1.1) or its stream reset (HTTP/2).
  void Remove(CURL* easy);
  // Continues a transfer that its write callback has paused.
  CURLcode Resume(CURL* easy);

 private:
  struct Poll;
  static int OnSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* unused);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);
  void SetTimer();
  bool Watch(curl_socket_t fd, int what);
  void Wait();
  void ActOnSockets();
  void Act(curl_socket_t fd, int events);
  void TellEnded();

  Clock& clock_;
  CURLM* const multi_;
  CURLSH* const share_;
  std::unique_ptr<Timer> timer_;
  MonotonicTime timer_at_;                        // when timer_ calls
  MonotonicTime due_ = absl::InfiniteDuration();  // when libcurl wants to be called
  // What libcurl waits for, EPOLLIN and EPOLLOUT; 0: nothing at the moment, and the epoll may still have the socket.
  std::vector<uint32_t> watched_;  // by descriptor
  std::shared_ptr<Poll> poll_;
  absl::flat_hash_map<CURL*, OnDone> transfers_;
};

}  // namespace headgate::router
