// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The end of a process: take nothing new, finish what is there, then go. The last step runs outside the executor
// because gRPC's Shutdown blocks.
#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>

#include "boost/asio/co_spawn.hpp"
#include "boost/asio/post.hpp"
#include "common/log.h"
#include "common/mailbox.h"
#include "services/router/router_server.h"

namespace headgate::services {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr absl::Duration kLastWords = absl::Seconds(3);  // for the errors of requests that a drain had to end

}  // namespace

void RouterServer::WatchStopSignals() {
  stop_signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (stopping_) {
      HG_LOG(Warning, "second signal: stopping at once, ", calls_.size(), " requests are cut");
      std::_Exit(128 + signal);
    }
    stopping_ = true;
    HG_LOG(Info, "signal ", signal, ": draining, ", calls_.size(), " requests in flight");
    boost::asio::co_spawn(executor_, ShutDown(), [](std::exception_ptr error) {
      if (error) std::abort();
    });
    WatchStopSignals();
  });
}

// Also the admin plane's Drain: the process stays and answers UNAVAILABLE until it is told to stop.
void RouterServer::BeginDrain() {
  if (std::exchange(draining_, true)) return;
  router_->Drain();
  api_->Drain();
  http_->Drain();
  grpc_server_->SetServing(false);
}

Task<bool> RouterServer::WaitFor(std::function<bool()> done, MonotonicTime deadline) {
  Cancellation never;
  while (!done()) {
    if (clock_->Monotonic() >= deadline) co_return false;
    const absl::Status slept = co_await SleepUntil(executor_, *clock_, clock_->Monotonic() + kPoll, never);
    if (!slept.ok()) co_return false;
  }
  co_return true;
}

Task<void> RouterServer::ShutDown() {
  BeginDrain();
  const std::function<bool()> no_calls = [this] { return calls_.size() == 0 && router_->in_flight() == 0; };
  const std::function<bool()> no_clients = [this] { return http_->connections() == 0; };
  const MonotonicTime start = clock_->Monotonic();
  const bool finished = co_await WaitFor(no_calls, start + rules_->config.limits.drain);
  if (!finished) {
    HG_LOG(Warning, "drain: ", calls_.size(), " requests did not finish in time and are ended");
    calls_.CancelAll(absl::UnavailableError("the router is shutting down"));
    const bool ended = co_await WaitFor(no_calls, clock_->Monotonic() + kLastWords);
    if (!ended) HG_LOG(Error, "drain: ", calls_.size(), " requests do not end");
  }
  background_.Cancel(absl::UnavailableError("the router is shutting down"));
  // A request may come until the very end: it is refused, and its client is told before the connection closes.
  http_->StopAccepting();
  const bool answered = co_await WaitFor(no_clients, clock_->Monotonic() + kLastWords);
  if (!answered) HG_LOG(Warning, "drain: ", http_->connections(), " clients did not take their answer in time");
  http_->Close();
  calls_.BeginLastWords();
  const bool taken = co_await WaitFor([this] { return calls_.on_wire() == 0; }, clock_->Monotonic() + kLastWords);
  if (!taken) HG_LOG(Warning, "drain: ", calls_.on_wire(), " gRPC calls did not take their answer in time");
  // Blocks until gRPC's threads are done with every call, and those need this executor.
  std::thread([this] {
    grpc_server_->Shutdown(absl::Milliseconds(200));
    admin_server_->Shutdown(absl::Milliseconds(200));
    boost::asio::post(executor_, [this] { io_.stop(); });
  }).detach();
}

}  // namespace headgate::services
