// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/admin_service.h"

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

grpc::ServerUnaryReactor* AdminService::Start(grpc::CallbackServerContext* context, const char* api,
                                              std::function<absl::Status()> work) {
  return StartUnary(parts_, context, api,
                    [this, peer = context->peer(), work = std::move(work)](const router::RequestHead& head,
                                                                           Cancellation&) -> Task<absl::Status> {
                      absl::Status status = Authorize(head, peer);
                      if (status.ok()) status = work();
                      co_return status;
                    });
}

grpc::ServerUnaryReactor* AdminService::Explain(grpc::CallbackServerContext* context,
                                                const v1::ExplainRequest* request, v1::ExplainResponse* response) {
  return StartUnary(parts_, context, "admin.Explain",
                    [this, peer = context->peer(), request, response](
                        const router::RequestHead& head, Cancellation& cancellation) -> Task<absl::Status> {
                      const absl::Status status = Authorize(head, peer);
                      if (!status.ok()) co_return status;
                      auto result = co_await router_.Explain(*request, cancellation);
                      if (result.ok()) *response = *std::move(result);
                      co_return result.status();
                    });
}

grpc::ServerUnaryReactor* AdminService::GetState(grpc::CallbackServerContext* context, const v1::GetStateRequest*,
                                                 v1::GetStateResponse* response) {
  return Start(context, "admin.GetState", [this, response] {
    *response = router_.GetState();
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminService::SetProfile(grpc::CallbackServerContext* context,
                                                   const v1::SetProfileRequest* request,
                                                   v1::SetProfileResponse* response) {
  return Start(context, "admin.SetProfile", [this, request, response] {
    auto result = router_.SetProfile(*request);
    if (result.ok()) *response = *std::move(result);
    return result.status();
  });
}

grpc::ServerUnaryReactor* AdminService::Drain(grpc::CallbackServerContext* context, const v1::DrainRequest*,
                                              v1::DrainResponse* response) {
  return Start(context, "admin.Drain", [this, response] {
    drain_();
    response->set_in_flight(static_cast<int32_t>(router_.in_flight()));
    return absl::OkStatus();
  });
}

}  // namespace headgate::services
