// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// StreamCall: one GenerateStream without a thread of its own, so that a test can hold a thousand of them.
//
// Thread-safety: the accessors after Wait only; Cancel from any thread.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "grpcpp/grpcpp.h"
#include "headgate/v1/inference.grpc.pb.h"

namespace headgate {

class StreamCall final : public grpc::ClientReadReactor<v1::GenerateStreamResponse> {
 public:
  // Starts at once. `stub` must outlive the call.
  StreamCall(v1::Inference::Stub& stub, v1::GenerateRequest request);
  ~StreamCall() override;  // cancels and waits
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  void Cancel() { context_.TryCancel(); }
  // Until the first piece of content has come, or the end.
  void WaitContent();
  void Wait();

  const v1::GenerateRequest& request() const { return request_; }
  const std::string& prompt() const { return request_.messages(0).content(); }
  const grpc::Status& status() const { return status_; }
  const v1::Route& route() const { return route_; }
  const std::string& text() const { return text_; }
  const v1::Finish& finish() const { return finish_; }
  int routes() const { return routes_; }
  int finishes() const { return finishes_; }

 private:
  const v1::GenerateRequest request_;
  grpc::ClientContext context_;
  v1::GenerateStreamResponse event_;
  v1::Route route_;
  v1::Finish finish_;
  int routes_ = 0;
  int finishes_ = 0;
  grpc::Status status_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  bool done_ = false;
};

}  // namespace headgate
