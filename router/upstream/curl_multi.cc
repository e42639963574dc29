// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// libcurl's "socket action" mode: it tells which sockets to wait for and when to wake it (OnSocket, OnTimer), and is
// told what happened (Act). The sockets stay libcurl's own: a Watch borrows the descriptor and releases it before
// libcurl closes it.

#include "router/upstream/curl_multi.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/posix/basic_stream_descriptor.hpp"

namespace headgate::router {
namespace {

constexpr int kSocketsAtOnce = 64;

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

void ConfigureTransfer(CURL* easy, const std::string& url, absl::Duration connect_timeout) {
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "headgate");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, absl::StartsWithIgnoreCase(url, "https:") ? "https" : "http");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // not even one that the environment names
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::max<int64_t>(1, absl::ToInt64Milliseconds(connect_timeout))));
}

// Outlives the CurlMulti until Asio has let go of it.
struct CurlMulti::Poll {
  Poll(Executor executor, CurlMulti* multi) : descriptor(executor), owner(multi) {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd >= 0) descriptor.assign(fd);
  }
  int fd() { return descriptor.native_handle(); }
  Descriptor descriptor;  // closes it
  CurlMulti* owner;       // null once it has gone
  bool waiting = false;
};

CurlMulti::CurlMulti(Executor executor, Clock& clock, int64_t connections_max)
    : clock_(clock),
      multi_(MakeMulti()),
      share_(curl_share_init()),
      poll_(std::make_shared<Poll>(executor, this)) {
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
  poll_->owner = nullptr;
  boost::system::error_code ignored;
  poll_->descriptor.close(ignored);  // ends the waiting
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
    return multi->Watch(fd, what) ? 0 : -1;  // -1: libcurl fails its transfers
  } catch (const std::exception&) {
    return -1;
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

// libcurl drops a kept connection's socket after each answer and watches it again for the next request. It stays in the
// epoll meanwhile, and is taken out only if it says something then. A socket that was closed has left by itself, which
// shows when a later one gets its number.
bool CurlMulti::Watch(curl_socket_t fd, int what) {
  if (fd < 0) return false;
  if (static_cast<size_t>(fd) >= watched_.size()) watched_.resize(static_cast<size_t>(fd) + 1);
  uint32_t& watched = watched_[static_cast<size_t>(fd)];
  const uint32_t wanted =
      what == CURL_POLL_REMOVE
          ? 0
          : ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
  if (wanted == watched) return true;
  watched = wanted;
  if (wanted == 0) return true;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = fd;
  if (::epoll_ctl(poll_->fd(), EPOLL_CTL_MOD, fd, &event) != 0 &&
      (errno != ENOENT || ::epoll_ctl(poll_->fd(), EPOLL_CTL_ADD, fd, &event) != 0)) {
    return false;
  }
  Wait();
  return true;
}

void CurlMulti::Wait() {
  if (std::exchange(poll_->waiting, true)) return;
  poll_->descriptor.async_wait(Descriptor::wait_read, [poll = poll_](const boost::system::error_code& error) {
    poll->waiting = false;
    if (poll->owner != nullptr && !error) poll->owner->ActOnSockets();
  });
}

void CurlMulti::ActOnSockets() {
  std::array<epoll_event, kSocketsAtOnce> ready;
  const int count = ::epoll_wait(poll_->fd(), ready.data(), kSocketsAtOnce, 0);
  const std::shared_ptr<Poll> poll = poll_;
  for (int i = 0; i < count && poll->owner != nullptr; ++i) {
    const curl_socket_t fd = ready[static_cast<size_t>(i)].data.fd;
    const uint32_t happened = ready[static_cast<size_t>(i)].events;
    if (watched_[static_cast<size_t>(fd)] == 0) {
      ::epoll_ctl(poll_->fd(), EPOLL_CTL_DEL, fd, nullptr);
      continue;
    }
    int events = (happened & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
    if ((happened & EPOLLOUT) != 0) events |= CURL_CSELECT_OUT;
    if ((happened & (EPOLLERR | EPOLLHUP)) != 0) events |= CURL_CSELECT_ERR;
    Act(fd, events);
  }
  if (poll->owner != nullptr) Wait();
}

void CurlMulti::Act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  TellEnded();
}

void CurlMulti::TellEnded() {
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
