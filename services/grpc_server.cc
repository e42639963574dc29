// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server_builder.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace headgate::services {
namespace {

constexpr unsigned kTlsRefreshSeconds = 1;
bool reflection_enabled = false;

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const TlsConfig& tls) {
  if (!tls.enabled()) return grpc::InsecureServerCredentials();
  if (tls.certificate_file.empty()) return absl::InvalidArgumentError("a server needs a certificate beside the CA");
  RETURN_IF_ERROR(CheckTls(tls));
  namespace experimental = grpc::experimental;
  auto files = std::make_shared<experimental::FileWatcherCertificateProvider>(tls.key_file, tls.certificate_file,
                                                                              tls.ca_file, kTlsRefreshSeconds);
  experimental::TlsServerCredentialsOptions options(files);
  options.watch_identity_key_cert_pairs();
  if (!tls.ca_file.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return experimental::TlsServerCredentials(options);
}

void SetChannelArguments(grpc::ServerBuilder& builder) {
  // Two processes on one port would share the calls between them unnoticed.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Clients may ping idle connections; dead ones are noticed within a minute and a half.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  // Answers are not compressed, and nobody asks for channelz: both cost something for every call.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
}

// The local port of a socket, 0 of anything else.
int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

bool Listens(int fd) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

// From its Shutdown on gRPC ends every call that it has not handed over with CANCELLED, which tells clients not to try
// again, and they go on sending until they have read its GOAWAY. So nobody gets in any more, and nothing that gRPC
// writes gets out: clients see that the connection ends, which is UNAVAILABLE. gRPC offers no such thing itself, but
// its sockets are this process's.
void CloseConnections(int port) {
  sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog nobody = {1, drop};
  for (const bool listening : {true, false}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
      int fd = -1;
      if (!absl::SimpleAtoi(entry.path().filename().string(), &fd) || PortOf(fd) != port) continue;
      if (Listens(fd) != listening) continue;
      if (listening) {  // one that is shut down would fill the log with failures to accept
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &nobody, sizeof(nobody));
      } else {
        shutdown(fd, SHUT_WR);
      }
    }
  }
}

// A process that is linked with gRPC's reflection has it in every server unless it is taken out.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

// Methods that no service has: gRPC would answer the same, and tell nobody.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  explicit UnknownMethods(std::function<void()> tell) : tell_(std::move(tell)) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    tell_();
    return grpc::CallbackGenericService::CreateReactor(context);
  }

 private:
  const std::function<void()> tell_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                              const std::vector<grpc::Service*>& services) {
  ASSIGN_OR_RETURN(const auto credentials, Credentials(options.tls));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  SetChannelArguments(builder);
  if (!reflection_enabled) builder.SetOption(std::make_unique<WithoutReflection>());
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  int port = 0;
  builder.AddListeningPort(options.address, credentials, &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  auto result = std::make_unique<GrpcServer>(Key());
  if (options.on_unknown_method) {
    result->others_ = std::make_unique<UnknownMethods>(options.on_unknown_method);
    builder.RegisterCallbackGenericService(result->others_.get());
  }
  result->server_ = builder.BuildAndStart();
  if (!result->server_ || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", options.address));
  }
  result->port_ = port;
  result->address_ = absl::StrCat(options.address.substr(0, options.address.rfind(':')), ":", port);
  return result;
}

GrpcServer::~GrpcServer() {
  if (server_) Shutdown(absl::ZeroDuration());
}

void GrpcServer::SetServing(bool serving, const std::vector<std::string>& services) {
  auto* health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  health->SetServingStatus(serving);  // "" and those named before
  for (const auto& service : services) health->SetServingStatus(service, serving);
}

void GrpcServer::Shutdown(absl::Duration grace) {
  if (!server_) return;
  CloseConnections(port_);
  server_->Shutdown(absl::ToChronoTime(RealTime().WallTime() + grace));
  server_.reset();
}

void EnableReflection() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  reflection_enabled = true;
}

}  // namespace headgate::services
