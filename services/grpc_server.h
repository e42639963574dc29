// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One gRPC listener: TLS from files that are read again when they change, health, limits.
//
// Thread-safety: Start and Shutdown from one thread, Shutdown not from a gRPC thread.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls.h"

namespace headgate::services {

struct GrpcServerOptions {
  std::string address;  // `127.0.0.1:8081`; port 0 = any
  TlsConfig tls;
  int64_t message_bytes_max = 4 << 20;
  std::function<void()> on_unknown_method = {};  // for a call of a method that no service has; on gRPC's threads
};

class GrpcServer {
  struct Key {};  // only Start makes one

 public:
  explicit GrpcServer(Key) {}
  // Binds and serves `services`, which must outlive it. UNAVAILABLE when the address cannot be bound, INVALID_ARGUMENT
  // when TLS files are bad.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                           const std::vector<grpc::Service*>& services);
  ~GrpcServer();

  // Bound address, `127.0.0.1:40001`.
  const std::string& address() const { return address_; }
  // What grpc.health.v1 answers: for "" and for each of `services`.
  void SetServing(bool serving, const std::vector<std::string>& services = {});
  // Closes the connections: what was written arrives, who still waits sees UNAVAILABLE. Ends the calls that are left
  // after `grace` and waits for them: blocks. Who has calls to finish waits for them first.
  void Shutdown(absl::Duration grace);

 private:
  std::string address_;
  int port_ = 0;
  std::unique_ptr<grpc::CallbackGenericService> others_;  // outlives `server_`
  std::unique_ptr<grpc::Server> server_;
};

// gRPC reflection for every listener that starts later in this process: development only. Before any thread serves.
void EnableReflection();

}  // namespace headgate::services
