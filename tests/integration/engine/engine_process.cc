// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/engine/engine_process.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>

#include "absl/strings/str_cat.h"

namespace headgate {

grpc::Status EngineProcess::Call(const std::string& method, const std::string& request, std::string* response) {
  grpc::GenericStub stub(Channel());
  grpc::ClientContext context;
  grpc::Slice slice(request);
  grpc::ByteBuffer in(&slice, 1);
  grpc::ByteBuffer out;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, {}, &in, &out, [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  grpc::Slice flat;
  if (status.ok() && out.DumpToSingleSlice(&flat).ok()) response->assign(flat.begin(), flat.end());
  return status;
}

std::string EngineProcess::Health(const std::string& service) {
  std::string response;
  const std::string request = absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
  const auto status = Call("/grpc.health.v1.Health/Check", request, &response);
  return status.ok() ? response : absl::StrCat("error ", status.error_message());
}

std::string EngineProcess::Http(const std::string& target) {
  const std::string& at = address("metrics");
  const size_t colon = at.rfind(':');
  const auto port = static_cast<uint16_t>(std::stoi(at.substr(colon + 1)));
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket socket(io);
  boost::system::error_code error;
  socket.connect({boost::asio::ip::make_address(at.substr(0, colon)), port}, error);
  if (error) return error.message();
  const std::string request = absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  boost::asio::write(socket, boost::asio::buffer(request), error);
  std::string text;
  boost::asio::read(socket, boost::asio::dynamic_buffer(text), error);
  return text;
}

}  // namespace headgate
