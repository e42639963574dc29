// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// AdminService: headgate.v1.Router (Explain, GetState, Drain) on a port of its own, with keys of its own. Tenants'
// keys open nothing here.
//
// Thread-safety: gRPC's threads call it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "headgate/v1/router.grpc.pb.h"
#include "router/router.h"
#include "services/router/grpc_call.h"

namespace headgate::services {

// Requests come as bytes (services/grpc_message.h).
using RawRouter = v1::Router::WithRawCallbackMethod_Explain<v1::Router::WithRawCallbackMethod_GetState<
    v1::Router::WithRawCallbackMethod_SetProfile<v1::Router::WithRawCallbackMethod_Drain<v1::Router::Service>>>>;

class AdminService final : public RawRouter {
 public:
  // `key_sha256`: hex; empty = no key is asked for, and then only loopback peers are served. `drain` runs on the
  // executor.
  AdminService(const CallParts& parts, router::Router& router, std::vector<std::string> key_sha256,
               std::function<void()> drain);

  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetState(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SetProfile(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;

 private:
  // `work(request, cancellation)` is a Task of a message or why there is none, for those who may.
  template <typename Request, typename Work>
  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* context, const char* api,
                                  const grpc::ByteBuffer& request, grpc::ByteBuffer* response, Work work);
  // Who may not is recorded.
  absl::Status Authorize(const router::RequestHead& head, const std::string& peer) const;
  absl::Status Check(const router::RequestHead& head, const std::string& peer) const;

  const CallParts& parts_;
  router::Router& router_;
  const std::vector<std::string> key_sha256_;
  const std::function<void()> drain_;
};

// Whether `address` (`127.0.0.1:80`, `[::1]:80`, `localhost:80`) can only be reached from this machine.
bool IsLoopbackAddress(std::string_view address);

}  // namespace headgate::services
