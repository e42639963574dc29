// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// libcurl's "socket action" mode: it tells which sockets to wait for and when to wake it (OnSocket, OnTimer), and is
// told what happened (Act). The sockets stay libcurl's own: a Watch borrows the descriptor and releases it before
// libcurl closes it.

#include "router/upstream/curl_multi.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/posix/basic_stream_descriptor.hpp"

namespace headgate::router {
namespace {

using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

CURLM* MakeMulti() {
  static const CURLcode initialised = [] {
    // libcurl would write every TLS session's secrets to the file that this variable names.
    if (std::getenv("SSLKEYLOGFILE") != nullptr) unsetenv("SSLKEYLOGFILE");
    return curl_global_init(CURL_GLOBAL_DEFAULT);
  }();
  return initialised == CURLE_OK ? curl_multi_init() : nullptr;
}

}  // namespace

struct CurlMulti::Watch {
  explicit Watch(Executor executor) : descriptor(executor) {}
  Descriptor descriptor;
  CurlMulti* owner = nullptr;  // null once dropped
  int what = 0;                // CURL_POLL_*: bits of what libcurl waits for
  int armed = 0;               // and of what Asio waits for
};

CurlMulti::CurlMulti(Executor executor, Clock& clock, int64_t connections_max)
    : executor_(executor), clock_(clock), multi_(MakeMulti()), share_(curl_share_init()) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  // More transfers than connections wait inside libcurl. The pool keeps as many: after a burst they are all reusable.
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(connections_max));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_max));
  // TLS sessions are otherwise remembered per transfer, that is, not at all. One thread: no lock functions needed.
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

CurlMulti::~CurlMulti() {
  for (auto& [easy, done] : std::exchange(transfers_, {})) curl_multi_remove_handle(multi_, easy);
  curl_multi_cleanup(multi_);
  while (!watches_.empty()) DropSocket(watches_.begin()->first);
  timer_.reset();
  curl_share_cleanup(share_);
}

absl::Status CurlMulti::Add(CURL* easy, OnDone done) {
  curl_easy_setopt(easy, CURLOPT_SHARE, share_);
  const CURLMcode code = curl_multi_add_handle(multi_, easy);
  if (code != CURLM_OK) return absl::UnavailableError(absl::StrCat("cloud transfer: ", curl_multi_strerror(code)));
  transfers_.emplace(easy, std::move(done));
  return absl::OkStatus();
}

void CurlMulti::Remove(CURL* easy) {
  if (transfers_.erase(easy) == 0) return;
  // libcurl 7.88 writes an HTTP/2 reset into a buffer that only the connection's next activity flushes: until then the
  // peer works on for nobody. Forbidding reuse closes the connection now, but only when no other stream uses it.
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_multi_remove_handle(multi_, easy);
}

CURLcode CurlMulti::Resume(CURL* easy) { return curl_easy_pause(easy, CURLPAUSE_CONT); }

int CurlMulti::OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto* multi = static_cast<CurlMulti*>(self);
  try {
    if (what == CURL_POLL_REMOVE) {
      multi->DropSocket(fd);
    } else {
      multi->WatchSocket(fd, what);
    }
    return 0;
  } catch (const std::exception&) {
    return -1;  // libcurl fails its transfers
  }
}

// libcurl sets its timer several times a transfer, mostly to "now", and tells each value once. A timer that is early is
// left where it is and looks again.
int CurlMulti::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto* multi = static_cast<CurlMulti*>(self);
  multi->due_ = timeout_ms < 0 ? absl::InfiniteDuration() : multi->clock_.Monotonic() + absl::Milliseconds(timeout_ms);
  multi->SetTimer();
  return 0;
}

void CurlMulti::SetTimer() {
  if (due_ == absl::InfiniteDuration() || (timer_ && timer_at_ <= due_)) return;
  timer_at_ = due_;
  timer_ = clock_.CallAt(due_, [this] {
    timer_.reset();
    if (clock_.Monotonic() < due_) return SetTimer();
    due_ = absl::InfiniteDuration();
    Act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlMulti::WatchSocket(curl_socket_t fd, int what) {
  std::shared_ptr<Watch>& slot = watches_[fd];
  if (slot == nullptr) {
    auto watch = std::make_shared<Watch>(executor_);
    watch->descriptor.assign(fd);
    watch->owner = this;
    slot = std::move(watch);
  }
  slot->what = what;
  const std::shared_ptr<Watch> watch = slot;
  Arm(watch, CURL_POLL_IN);
  Arm(watch, CURL_POLL_OUT);
}

void CurlMulti::Arm(const std::shared_ptr<Watch>& watch, int direction) {
  if ((watch->what & direction) == 0 || (watch->armed & direction) != 0) return;
  watch->armed |= direction;
  const auto wait = direction == CURL_POLL_IN ? Descriptor::wait_read : Descriptor::wait_write;
  watch->descriptor.async_wait(wait, [watch, direction](const boost::system::error_code& error) {
    watch->armed &= ~direction;
    // Dropped, or no longer of interest; a socket that came after it on the same number has a Watch of its own.
    if (watch->owner == nullptr || (watch->what & direction) == 0) return;
    const int events = direction == CURL_POLL_IN ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
    watch->owner->Act(watch->descriptor.native_handle(), error ? CURL_CSELECT_ERR : events);
    if (watch->owner != nullptr && !error) watch->owner->Arm(watch, direction);
  });
}

void CurlMulti::DropSocket(curl_socket_t fd) {
  const auto node = watches_.extract(fd);
  if (node.empty() || node.mapped() == nullptr) return;
  node.mapped()->owner = nullptr;
  node.mapped()->descriptor.release();  // ends the waiting; does not close
}

void CurlMulti::Act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  int left = 0;
  std::vector<std::pair<OnDone, CURLcode>> ended;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode result = message->data.result;  // `message` is gone once the handle is removed
    auto node = transfers_.extract(easy);
    curl_multi_remove_handle(multi_, easy);
    if (!node.empty()) ended.emplace_back(std::move(node.mapped()), result);
  }
  for (auto& [done, result] : ended) done(result);
}

}  // namespace headgate::router
