// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/system/stream_call.h"

#include <utility>

namespace headgate {

StreamCall::StreamCall(v1::Inference::Stub& stub, v1::GenerateRequest request) : request_(std::move(request)) {
  stub.async()->GenerateStream(&context_, &request_, this);
  StartRead(&event_);
  StartCall();
}

StreamCall::~StreamCall() {
  Cancel();
  Wait();
}

void StreamCall::OnReadDone(bool ok) {
  if (!ok) return;
  {
    const std::lock_guard lock(mutex_);
    if (event_.has_route()) {
      route_ = event_.route();
      ++routes_;
    }
    if (event_.has_delta()) text_ += event_.delta().content();
    if (event_.has_finish()) {
      finish_ = event_.finish();
      ++finishes_;
    }
    changed_.notify_all();
  }
  StartRead(&event_);
}

void StreamCall::OnDone(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
  done_ = true;
  changed_.notify_all();
}

void StreamCall::WaitContent() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_ || !text_.empty(); });
}

void StreamCall::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
}

}  // namespace headgate
