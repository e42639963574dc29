// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A headgate-engine process with the reference model, and what a test asks of it.
#pragma once

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "headgate/v1/engine.grpc.pb.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "tests/integration/process.h"

namespace headgate {

class EngineProcess {
 public:
  // Adds --reference and port 0 everywhere.
  explicit EngineProcess(std::vector<std::string> flags = {}) {
    for (const char* flag : {"--reference", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--metrics=127.0.0.1:0"}) {
      flags.emplace_back(flag);
    }
    auto started = Process::Start(BinaryPath("headgate-engine"), std::move(flags));
    EXPECT_TRUE(started.ok()) << started.status();
    process_ = *std::move(started);
    auto fields = process_->WaitListening();
    EXPECT_TRUE(fields.ok()) << fields.status();
    if (fields.ok()) addresses_ = *std::move(fields);
  }

  Process& process() { return *process_; }
  const std::string& address(const std::string& name) { return addresses_[name]; }
  std::shared_ptr<grpc::Channel> Channel(const std::string& name = "grpc") {
    return grpc::CreateChannel(address(name), grpc::InsecureChannelCredentials());
  }
  std::unique_ptr<v1::Inference::Stub> Inference() { return v1::Inference::NewStub(Channel()); }
  std::unique_ptr<v1::Engine::Stub> Load() { return v1::Engine::NewStub(Channel()); }
  std::unique_ptr<v1::Engine::Stub> Admin() { return v1::Engine::NewStub(Channel("admin")); }

  // A unary call by name with raw bytes.
  grpc::Status Call(const std::string& method, const std::string& request, std::string* response);
  // gRPC health of a service: kServing, kNotServing, or what went wrong.
  std::string Health(const std::string& service);
  static constexpr char kServing[] = "\x08\x01";
  static constexpr char kNotServing[] = "\x08\x02";
  // The body of GET `target` on the metrics port.
  std::string Http(const std::string& target);
  // Reads loads until one fits; false when the stream ends before.
  template <typename Condition>
  bool WaitLoad(Condition condition) {
    grpc::ClientContext context;
    v1::WatchLoadRequest request;
    request.set_interval_ms(10);
    const auto stub = Load();
    auto stream = stub->WatchLoad(&context, request);
    v1::Load load;
    while (stream->Read(&load)) {
      if (!condition(load)) continue;
      context.TryCancel();
      return true;
    }
    return false;
  }

 private:
  std::unique_ptr<Process> process_;
  std::map<std::string, std::string> addresses_;
};

struct StreamEnd {
  std::string text;
  v1::Finish finish;
  grpc::Status status;
};

// Reads a stream to its end.
inline StreamEnd ReadAll(grpc::ClientReader<v1::GenerateStreamResponse>& stream) {
  StreamEnd end;
  v1::GenerateStreamResponse event;
  while (stream.Read(&event)) {
    if (event.has_delta()) end.text += event.delta().content();
    if (event.has_finish()) end.finish = event.finish();
  }
  end.status = stream.Finish();
  return end;
}

inline v1::GenerateRequest Ask(const std::string& text, int32_t max_tokens = 0) {
  v1::GenerateRequest request;
  auto* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(text);
  if (max_tokens > 0) request.set_max_tokens(max_tokens);
  return request;
}

}  // namespace headgate
