// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/admin_service.h"

#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/digest.h"

namespace headgate::services {
namespace {

// gRPC's spelling of a peer: `ipv4:127.0.0.1:5000`, `ipv6:%5B::1%5D:5000`.
bool IsLoopbackPeer(const std::string& peer) {
  return absl::StartsWith(peer, "ipv4:127.") || absl::StartsWith(peer, "ipv6:%5B::1%5D:") ||
         absl::StartsWith(peer, "ipv6:[::1]:");
}

}  // namespace

bool IsLoopbackAddress(std::string_view address) {
  const absl::string_view text(address.data(), address.size());
  return absl::StartsWith(text, "127.") || absl::StartsWith(text, "[::1]:") || absl::StartsWith(text, "localhost:");
}

AdminService::AdminService(const CallParts& parts, router::Router& router, std::vector<std::string> key_sha256,
                           std::function<void()> drain)
    : parts_(parts), router_(router), key_sha256_(std::move(key_sha256)), drain_(std::move(drain)) {}

absl::Status AdminService::Authorize(const router::RequestHead& head, const std::string& peer) const {
  absl::Status status = Check(head, peer);
  if (!status.ok()) router_.Refused(router::Refusal::kAdminKey, head.api, status.code(), head.request_id);
  return status;
}

absl::Status AdminService::Check(const router::RequestHead& head, const std::string& peer) const {
  if (key_sha256_.empty()) {
    if (IsLoopbackPeer(peer)) return absl::OkStatus();
    return absl::PermissionDeniedError("without listen.admin_key_sha256 the admin port serves this machine only");
  }
  if (head.api_key.empty()) return absl::UnauthenticatedError("the admin port asks for a key");
  const std::string digest = Hex(Sha256(head.api_key));
  bool known = false;
  for (const std::string& key : key_sha256_) known |= EqualConstantTime(digest, absl::AsciiStrToLower(key));
  return known ? absl::OkStatus() : absl::UnauthenticatedError("unknown admin key");
}

template <typename Request, typename Work>
grpc::ServerUnaryReactor* AdminService::Start(grpc::CallbackServerContext* context, const char* api,
                                              const grpc::ByteBuffer& request, grpc::ByteBuffer* response, Work work) {
  const auto answer = [this, peer = context->peer(), work = std::move(work)](
                          const router::RequestHead& head, const Request& read,
                          Cancellation& cancellation) -> decltype(work(read, cancellation)) {
    const absl::Status status = Authorize(head, peer);
    if (!status.ok()) co_return status;
    co_return co_await work(read, cancellation);
  };
  return StartUnary<Request>(parts_, context, api, request, response, answer);
}

grpc::ServerUnaryReactor* AdminService::Explain(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                                grpc::ByteBuffer* response) {
  return Start<v1::ExplainRequest>(context, "admin.Explain", *request, response,
                                   std::bind_front(&router::Router::Explain, &router_));
}

grpc::ServerUnaryReactor* AdminService::GetState(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* response) {
  const auto work = [this](const v1::GetStateRequest&, Cancellation&) -> Task<absl::StatusOr<v1::GetStateResponse>> {
    co_return router_.GetState();
  };
  return Start<v1::GetStateRequest>(context, "admin.GetState", *request, response, work);
}

grpc::ServerUnaryReactor* AdminService::SetProfile(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  const auto work = [this](const v1::SetProfileRequest& read,
                           Cancellation&) -> Task<absl::StatusOr<v1::SetProfileResponse>> {
    co_return router_.SetProfile(read);
  };
  return Start<v1::SetProfileRequest>(context, "admin.SetProfile", *request, response, work);
}

grpc::ServerUnaryReactor* AdminService::Drain(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) {
  const auto work = [this](const v1::DrainRequest&, Cancellation&) -> Task<absl::StatusOr<v1::DrainResponse>> {
    drain_();
    v1::DrainResponse drained;
    drained.set_in_flight(static_cast<int32_t>(router_.in_flight()));
    co_return drained;
  };
  return Start<v1::DrainRequest>(context, "admin.Drain", *request, response, work);
}

}  // namespace headgate::services
