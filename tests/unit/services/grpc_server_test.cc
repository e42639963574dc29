// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/grpc_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "headgate/v1/inference.grpc.pb.h"

namespace headgate::services {
namespace {

enum FrameType : uint8_t { kHeaders = 1, kRstStream = 3, kSettings = 4, kGoAway = 7 };

// A client of HTTP/2 that does what it likes: gRPC's own would send nothing after a GOAWAY that it has seen, but may
// well have sent something just before.
class RawClient {
 public:
  explicit RawClient(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    SendFrame(kSettings, 0, 0, "");
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  struct Frame {
    uint8_t type;
    std::string payload;
  };
  // False at the end of the connection.
  bool Read(Frame& frame) {
    std::string head;
    if (!ReadBytes(9, head)) return false;
    const auto byte = [&head](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(head[i])); };
    frame.type = static_cast<uint8_t>(byte(3));
    return ReadBytes(byte(0) << 16 | byte(1) << 8 | byte(2), frame.payload);
  }
  // A call without an end of its messages: the library waits for one before it tells a service.
  void BeginCall(uint32_t stream, std::string_view path) {
    std::string headers;
    bool name = true;
    for (const std::string_view text : std::vector<std::string_view>{
             ":method", "POST", ":scheme", "http", ":path", path, ":authority", "x", "te", "trailers", "content-type",
             "application/grpc"}) {
      if (name) headers.push_back('\0');  // HPACK: a literal
      name = !name;
      headers.push_back(static_cast<char>(text.size()));
      headers += text;
    }
    SendFrame(kHeaders, 0x4, stream, headers);
  }

 private:
  void Send(std::string_view bytes) { (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void SendFrame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
    std::string frame;
    for (const int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift));
    frame.push_back(static_cast<char>(type));
    frame.push_back(static_cast<char>(flags));
    for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift));
    Send(frame + std::string(payload));
  }
  bool ReadBytes(size_t count, std::string& bytes) {
    bytes.resize(count);
    for (size_t at = 0; at < count;) {
      const ssize_t got = recv(fd_, bytes.data() + at, count - at, 0);
      if (got <= 0) return false;
      at += static_cast<size_t>(got);
    }
    return true;
  }

  const int fd_;
};

// A call that the library has not handed over when it shuts down would be cancelled by it, which tells clients not to
// try again. The connection must end before that: UNAVAILABLE.
TEST(GrpcServer, AtTheEndConnectionsAreClosedAndNoCallIsCancelled) {
  v1::Inference::CallbackService service;
  GrpcServerOptions options;
  options.address = "127.0.0.1:0";
  auto server = GrpcServer::Start(options, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  RawClient client((*server)->address());
  RawClient::Frame frame;
  ASSERT_TRUE(client.Read(frame));
  EXPECT_EQ(frame.type, kSettings);
  std::thread end([&server] { (*server)->Shutdown(absl::Seconds(5)); });
  uint32_t stream = 1;
  int ended = 0;
  while (client.Read(frame)) {
    if (frame.type == kGoAway) client.BeginCall(stream, "/headgate.v1.Inference/CountTokens"), stream += 2;
    ended += frame.type == kHeaders || frame.type == kRstStream;
  }
  EXPECT_EQ(ended, 0) << "calls that no service saw, of " << stream / 2;
  end.join();
}

}  // namespace
}  // namespace headgate::services
