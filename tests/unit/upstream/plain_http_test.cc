// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Against a server that writes what the test says, byte for byte, on the real loop.
#include "router/upstream/plain_http.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/write.hpp"
#include "tests/fakes/tcp_sockets.h"
#include "tests/unit/upstream/real_loop.h"

namespace headgate::router {
namespace {

using absl::StatusCode;
using boost::asio::ip::tcp;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers the n-th request, whatever the connection, with the n-th script; "" closes the connection.
class ScriptedServer {
 public:
  ScriptedServer(boost::asio::io_context& io, std::vector<std::string> scripts)
      : scripts_(std::move(scripts)), acceptor_(io, {boost::asio::ip::address_v4::loopback(), 0}) {
    Accept();
  }
  int port() const { return acceptor_.local_endpoint().port(); }
  void CloseAll() {
    for (const auto& peer : peers_) peer->socket.close();
  }
  std::string requests;
  int connections = 0;
  size_t piece = 0;          // write so many bytes at a time; 0: all
  bool close_after = false;  // each answer

 private:
  struct Peer {
    explicit Peer(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    char buffer[4096];
    std::string input;
  };
  void Accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) return;
      ++connections;
      peers_.push_back(std::make_shared<Peer>(std::move(socket)));
      Read(peers_.back());
      Accept();
    });
  }
  void Read(std::shared_ptr<Peer> peer) {
    peer->socket.async_read_some(boost::asio::buffer(peer->buffer),
                                 [this, peer](boost::system::error_code error, size_t n) {
                                   if (error) return;
                                   peer->input.append(peer->buffer, n);
                                   requests.append(peer->buffer, n);
                                   // Every body of the tests ends so.
                                   if (absl::EndsWith(peer->input, "}")) {
                                     peer->input.clear();
                                     Answer(*peer);
                                   }
                                   if (peer->socket.is_open()) Read(peer);
                                 });
  }
  void Answer(Peer& peer) {
    const std::string script = next_ < scripts_.size() ? scripts_[next_++] : kOk;
    boost::system::error_code ignored;
    peer.socket.set_option(tcp::no_delay(true), ignored);
    const size_t step = piece > 0 ? piece : std::max<size_t>(script.size(), 1);
    for (size_t at = 0; at < script.size(); at += step) {
      boost::asio::write(peer.socket, boost::asio::buffer(script.substr(at, step)), ignored);
    }
    if (script.empty() || close_after) peer.socket.close(ignored);
  }

  const std::vector<std::string> scripts_;
  size_t next_ = 0;
  tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<Peer>> peers_;
};

struct Recorder : HttpReader {
  void TakeHead(int s, std::string_view after) override {
    status = s;
    retry_after = std::string(after);
  }
  Taken TakeBody(std::string_view bytes) override {
    if (hold) return ++held, Taken::kLater;
    if (refuse) return Taken::kNever;
    body.append(bytes);
    return Taken::kAll;
  }
  void TakeEnd(const absl::Status& s) override {
    ASSERT_FALSE(end.has_value()) << "ended twice";
    end = s;
    exchange.reset();
  }
  std::unique_ptr<HttpExchange> exchange;
  int status = 0;
  std::string retry_after, body;
  std::optional<absl::Status> end;
  bool hold = false, refuse = false;
  int held = 0;
};

class PlainHttpTest : public ::testing::Test {
 protected:
  void Connect(int port) {
    peer_.host = "127.0.0.1";
    peer_.port = static_cast<uint16_t>(port);
    peer_.path = "/chat";
    peer_.headers = {{"X-Key: 1"}};
    peer_.connects = &metrics_.GetCounter("connects", "");
    http_ = MakePlainHttp(loop_.io.get_executor(), *loop_.clock, peer_);
  }
  void Send(Recorder& to) { to.exchange = *http_->Send(0, "{}", to); }
  void Ask(Recorder& to) {
    Send(to);
    ASSERT_TRUE(loop_.RunUntil([&] { return to.end.has_value(); }));
  }

  RealLoop loop_;
  Metrics metrics_;
  PlainPeer peer_;
  std::unique_ptr<HttpTransport> http_;
};

TEST_F(PlainHttpTest, AnswersInEveryForm) {
  const struct {
    const char* name;
    std::string bytes;
    bool ok;
    int status;
    const char* body;
    bool kept;  // the connection is used again
  } rows[] = {
      {"length", kOk, true, 200, "ok", true},
      {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", true, 200,
       "ok", true},
      {"no body", "HTTP/1.1 204 No Content\r\n\r\n", true, 204, "", true},
      {"continue first", absl::StrCat("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", kOk),
       true, 200, "ok", true},
      {"closes", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", true, 200, "ok", false},
      {"redirect", "HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", true, 307, "",
       true},
      {"more than was asked for", absl::StrCat(kOk, "HTTP/1.1 200 OK\r\n"), true, 200, "ok", false},
      {"other protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false, 0, "", false},
      {"not HTTP", "220 mail.example ESMTP\r\n\r\n", false, 0, "", false},
      {"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, 200, "", false},
      {"closed without an answer", "", false, 0, "", false},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {0, 1}) {
      ScriptedServer server(loop_.io, {row.bytes});
      server.piece = piece;
      Connect(server.port());
      Recorder first, second;
      Ask(first);
      EXPECT_EQ(first.end->code(), row.ok ? StatusCode::kOk : StatusCode::kUnavailable) << row.name << *first.end;
      EXPECT_EQ(first.status, row.status) << row.name;
      EXPECT_EQ(first.body, row.body) << row.name;
      // Bytes that were not asked for may arrive only when the next request is on its way.
      if (row.ok && !row.kept && !absl::StrContains(row.bytes, "close")) loop_.RunFor(absl::Milliseconds(20));
      Ask(second);
      EXPECT_TRUE(second.end->ok()) << row.name << *second.end;
      EXPECT_EQ(server.connections, row.kept ? 1 : 2) << row.name << " piece " << piece;
      http_.reset();
    }
  }
}

TEST_F(PlainHttpTest, CutAnswersAreErrorsUnlessTheyEndSo) {
  const struct {
    const char* name;
    const char* bytes;
    bool ok;
  } rows[] = {{"until the end", "HTTP/1.1 200 OK\r\n\r\nok", true},
              {"in the length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", false},
              {"in the chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false},
              {"in the head", "HTTP/1.1 200 OK\r\nContent-Le", false}};
  for (const auto& row : rows) {
    ScriptedServer server(loop_.io, {row.bytes});
    server.close_after = true;
    Connect(server.port());
    Recorder got;
    Ask(got);
    EXPECT_EQ(got.end->ok(), row.ok) << row.name << *got.end;
    EXPECT_EQ(server.connections, 1) << row.name << ": nothing is sent twice";
    http_.reset();
  }
}

TEST_F(PlainHttpTest, SendsOneRequestWithItsHeaders) {
  ScriptedServer server(loop_.io, {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"});
  Connect(server.port());
  Recorder got;
  Send(got);
  EXPECT_FALSE(got.exchange->sent());
  ASSERT_TRUE(loop_.RunUntil([&] { return got.end.has_value(); }));
  EXPECT_EQ(got.retry_after, "7");
  EXPECT_EQ(server.requests, absl::StrCat("POST /chat HTTP/1.1\r\nHost: 127.0.0.1:", server.port(),
                                          "\r\nX-Key: 1\r\nContent-Length: 2\r\n\r\n{}"));
}

TEST_F(PlainHttpTest, AddressesAreLookedAtBeforeEveryConnect) {
  ScriptedServer server(loop_.io, {});
  std::vector<std::string> asked;
  bool allow = true;
  peer_.allowed = [&](const std::string& ip) { return asked.push_back(ip), allow; };
  Connect(server.port());
  Recorder first, refused;
  Ask(first);
  EXPECT_TRUE(first.end->ok());
  server.CloseAll();
  allow = false;
  Ask(refused);
  EXPECT_EQ(refused.end->code(), StatusCode::kUnavailable);
  EXPECT_EQ(asked, (std::vector<std::string>{"127.0.0.1", "127.0.0.1"}));
  EXPECT_EQ(server.connections, 1);
}

TEST_F(PlainHttpTest, AKeptConnectionThatClosedIsReplaced) {
  ScriptedServer server(loop_.io, {});
  Connect(server.port());
  for (int i = 0; i < 5; ++i) {
    Recorder got;
    Ask(got);
    EXPECT_TRUE(got.end->ok()) << *got.end;
    server.CloseAll();  // the next request is given to the connection before its end was seen
  }
  EXPECT_EQ(server.connections, 5);
  EXPECT_EQ(peer_.connects->Value(), 5);
}

TEST_F(PlainHttpTest, MoreThanConnectionsWaitAndMayLeave) {
  ScriptedServer server(loop_.io, {});
  peer_.connections_max = 2;
  Connect(server.port());
  std::vector<Recorder> all(20);
  for (Recorder& each : all) Send(each);
  all[0].exchange.reset();   // connecting
  all[10].exchange.reset();  // waiting
  ASSERT_TRUE(loop_.RunUntil([&] {
    size_t ended = 0;
    for (const Recorder& each : all) ended += each.end.has_value() ? 1 : 0;
    return ended == all.size() - 2;
  }));
  for (size_t i = 0; i < all.size(); ++i) {
    if (i != 0 && i != 10) EXPECT_TRUE(all[i].end->ok()) << i << *all[i].end;
  }
  EXPECT_LE(server.connections, 3);
}

TEST_F(PlainHttpTest, WithoutDescriptorsRequestsWaitForAConnection) {
  ScriptedServer server(loop_.io, {});
  Connect(server.port());
  Recorder warm, first, second, alone;
  Ask(warm);
  Send(first);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Send(second);
  EXPECT_TRUE(loop_.RunUntil([&] { return first.end.has_value() && second.end.has_value(); }));
  server.CloseAll();
  loop_.RunFor(absl::Milliseconds(5));
  Ask(alone);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(first.end->ok() && second.end->ok()) << *second.end;
  EXPECT_EQ(server.connections, 1);
  EXPECT_EQ(alone.end->code(), StatusCode::kUnavailable) << "nobody would make room";
}

TEST_F(PlainHttpTest, HeldBytesComeAgainAndRefusedOnesEndIt) {
  ScriptedServer server(loop_.io, {});
  Connect(server.port());
  Recorder got, refused;
  got.hold = true;
  Send(got);
  ASSERT_TRUE(loop_.RunUntil([&] { return got.held == 1; }));
  loop_.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(got.held, 1);
  got.hold = false;
  EXPECT_TRUE(got.exchange->Resume().ok());
  ASSERT_TRUE(loop_.RunUntil([&] { return got.end.has_value(); }));
  EXPECT_EQ(got.body, "ok");
  EXPECT_EQ(HeldBack(server.port(), TcpSide::kMade), 0) << "Nagle";
  refused.refuse = true;
  Ask(refused);
  EXPECT_EQ(refused.end->code(), StatusCode::kUnavailable);
}

TEST_F(PlainHttpTest, NobodyThere) {
  tcp::acceptor gone(loop_.io, {boost::asio::ip::address_v4::loopback(), 0});
  const int port = gone.local_endpoint().port();
  gone.close();
  Connect(port);
  Recorder got;
  Send(got);
  ASSERT_TRUE(loop_.RunUntil([&] { return got.end.has_value(); }));
  EXPECT_EQ(got.end->code(), StatusCode::kUnavailable);
  peer_.host = "name.example";  // names are not looked up
  http_ = MakePlainHttp(loop_.io.get_executor(), *loop_.clock, peer_);
  Recorder name;
  Ask(name);
  EXPECT_EQ(name.end->code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace headgate::router
