// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The server runs on its own thread with real sockets on port 0; each test speaks raw bytes to it. Time limits are
// tested by configurations in which the limit in question is the only short one.
#include "services/router/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <future>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "boost/asio/executor_work_guard.hpp"
#include "common/mailbox.h"
#include "tests/fakes/tcp_sockets.h"

namespace headgate::services {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using boost::asio::ip::tcp;

class Client {
 public:
  explicit Client(const std::string& address) : socket_(io_) {
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  }
  void Send(const std::string& bytes) {
    boost::system::error_code error;
    boost::asio::write(socket_, boost::asio::buffer(bytes), error);
  }
  // Until `end` has been seen (included) or the server closes.
  std::string ReadUntil(const std::string& end) {
    boost::system::error_code error;
    const size_t n = boost::asio::read_until(socket_, boost::asio::dynamic_buffer(pending_), end, error);
    const std::string out = pending_.substr(0, error ? pending_.size() : n);
    pending_.erase(0, out.size());
    return out;
  }
  std::string ReadAll() {
    boost::system::error_code error;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(pending_), error);
    return std::exchange(pending_, "");
  }
  void Close() { socket_.close(); }

 private:
  boost::asio::io_context io_;
  tcp::socket socket_;
  std::string pending_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServerConfig config = {}) {
    server_ = std::make_unique<HttpServer>(
        io_.get_executor(), *clock_, config,
        [this](const HttpRequest& request, HttpReply& reply, Cancellation& cancellation) {
          return Handle(request, reply, cancellation);
        },
        metrics_);
    const auto address = server_->Start("127.0.0.1:0", nullptr);
    ASSERT_TRUE(address.ok()) << address.status();
    address_ = *address;
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    OnServer([this] { server_->Close(); });
    work_.reset();
    thread_.join();
    EXPECT_EQ(server_->connections(), 0u);
  }
  void OnServer(std::function<void()> what) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  Task<void> Handle(const HttpRequest& request, HttpReply& reply, Cancellation& cancellation) {
    if (request.path == "/wait") {
      waiting_.set_value();
      Mailbox<bool> never(io_.get_executor(), 1);
      auto got = co_await never.Receive(*clock_, absl::InfiniteDuration(), cancellation);
      ended_.set_value(got.status());
      co_return;
    }
    if (request.path == "/held") {
      waiting_.set_value();
      auto got = co_await held_.Receive(*clock_, absl::InfiniteDuration(), cancellation);
      EXPECT_TRUE(got.ok()) << got.status();
    }
    if (request.path == "/stream" || request.path == "/cut") {
      HttpHeaders headers;
      headers.emplace_back("x-test", "1");
      absl::Status status = co_await reply.Begin(200, std::move(headers));
      status = co_await reply.WriteChunk("one");
      status = co_await reply.WriteChunk("twotwotwotwotwotwo");
      if (request.path == "/stream") status = co_await reply.End();
      co_return;
    }
    if (request.path == "/flood") {
      absl::Status status = co_await reply.Begin(200, {});
      while (status.ok()) status = co_await reply.WriteChunk(std::string(1 << 20, 'x'));
      ended_.set_value(status);
      co_return;
    }
    std::string body =
        absl::StrCat(request.method, " ", request.path, " ", request.body.size(), " ", request.body.substr(0, 20));
    const absl::Status sent = co_await reply.Send(200, {}, std::move(body));
    static_cast<void>(sent);
  }

  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<Executor>> work_{io_.get_executor()};
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Metrics metrics_;
  std::unique_ptr<HttpServer> server_;
  std::string address_;
  std::thread thread_;
  std::promise<void> waiting_;
  std::promise<absl::Status> ended_;
  Mailbox<bool> held_{io_.get_executor(), 1};
};

std::string Post(const std::string& path, const std::string& body, const std::string& headers = "") {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\n", headers, "Content-Length: ", body.size(), "\r\n\r\n",
                      body);
}

TEST_F(HttpServerTest, ServesRequestsOneAfterAnotherOnOneConnection) {
  Start();
  Client client(address_);
  client.Send(Post("/a?query=1", "hello"));
  EXPECT_THAT(client.ReadUntil("hello"), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("connection: keep-alive"),
                                               EndsWith("POST /a 5 hello")));
  client.Send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("/b 0 "), EndsWith("GET /b 0 "));
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(address_.substr(address_.rfind(':') + 1), &port));
  EXPECT_EQ(HeldBack(port, TcpSide::kAccepted), 0) << "Nagle";
}

TEST_F(HttpServerTest, ReadsWhateverTheChunking) {
  Start();
  const std::string body(300000, 'b');
  const struct {
    const char* name;
    std::string bytes;
  } rows[] = {
      {"large", Post("/a", body)},
      {"chunked", absl::StrCat("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n", body,
                               "\r\n0\r\n\r\n")},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    Client client(address_);
    client.Send(row.bytes);
    EXPECT_THAT(client.ReadUntil("bbbb"), HasSubstr("POST /a 300000 b"));
  }
  Client client(address_);
  for (const char c : Post("/slow", "abc")) client.Send(std::string(1, c));
  EXPECT_THAT(client.ReadUntil("abc"), EndsWith("POST /slow 3 abc"));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  Client client(address_);
  client.Send(Post("/1", "") + Post("/2", "xyz") + "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = client.ReadAll();
  EXPECT_LT(all.find("POST /1 0"), all.find("POST /2 3 xyz"));
  EXPECT_LT(all.find("POST /2 3 xyz"), all.find("GET /3 0"));
  EXPECT_THAT(all, EndsWith("GET /3 0 "));
}

TEST_F(HttpServerTest, StreamsInChunksAndACutStreamHasNoLastChunk) {
  Start();
  Client client(address_);
  client.Send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"),
              AllOf(HasSubstr("transfer-encoding: chunked"), HasSubstr("x-test: 1"),
                    EndsWith("\r\n\r\n3\r\none\r\n12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\n")));
  client.Send("GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("12\r\ntwotwotwotwotwotwo\r\n"));
}

TEST_F(HttpServerTest, AnOldClientGetsTheStreamUntilClose) {
  Start();
  Client client(address_);
  client.Send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string all = client.ReadAll();
  EXPECT_THAT(all, AllOf(HasSubstr("connection: close"), EndsWith("\r\n\r\nonetwotwotwotwotwotwo")));
  EXPECT_FALSE(absl::StrContains(all, "chunked"));
}

TEST_F(HttpServerTest, RefusesWhatIsNotARequest) {
  HttpServerConfig config;
  config.body_bytes_max = 1000;
  config.header_bytes_max = 2000;
  Start(config);
  const struct {
    const char* name;
    std::string bytes;
    const char* status;
  } rows[] = {
      {"garbage", "\x16\x03\x01 hello\r\n\r\n", "400"},
      {"no version", "GET /\r\n\r\n", "400"},
      {"bad header", "GET / HTTP/1.1\r\nHost x\r\n\r\n", "400"},
      {"space before colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},
      {"two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"length and chunked", "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"a form of body that nobody knows", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"},
      {"chunked, then something else", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "400"},
      {"negative length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
      {"body too large", Post("/", std::string(1001, 'x')), "413"},
      {"body said to be too large", "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "413"},
      {"chunks too large",
       absl::StrCat("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", std::string(1001, 'x'), "\r\n"),
       "413"},
      {"header too large", absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(3000, 'x'), "\r\n\r\n"), "431"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    Client client(address_);
    client.Send(row.bytes);
    EXPECT_THAT(client.ReadUntil("}}"), AllOf(StartsWith(absl::StrCat("HTTP/1.1 ", row.status)),
                                              HasSubstr("connection: close"), HasSubstr("\"error\"")));
  }
}

TEST_F(HttpServerTest, ConfirmsThatABodyMayCome) {
  Start();
  Client client(address_);
  client.Send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  EXPECT_THAT(client.ReadUntil("abc"), EndsWith("POST /a 3 abc"));
}

TEST_F(HttpServerTest, AClientThatLeavesCancelsItsRequest) {
  Start();
  Client client(address_);
  client.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting_.get_future().wait();
  client.Close();
  EXPECT_EQ(ended_.get_future().get().code(), absl::StatusCode::kCancelled);
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsCutOff) {
  HttpServerConfig config;
  config.stall_max = absl::Milliseconds(50);
  Start(config);
  Client client(address_);
  client.Send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(ended_.get_future().get().ok());
}

TEST_F(HttpServerTest, IdleAndSlowConnectionsAreClosed) {
  HttpServerConfig config;
  config.idle_max = absl::Milliseconds(50);
  config.receive_max = absl::Milliseconds(50);
  Start(config);
  Client idle(address_);
  EXPECT_EQ(idle.ReadAll(), "");
  Client slow(address_);
  slow.Send("POST / HTTP/1.1\r\nContent-Le");
  EXPECT_EQ(slow.ReadAll(), "");
}

TEST_F(HttpServerTest, NoMoreConnectionsThanAllowed) {
  HttpServerConfig config;
  config.connections_max = 1;
  Start(config);
  Client first(address_);
  first.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(first.ReadUntil("/1 0 "), EndsWith("GET /1 0 "));
  Client second(address_);
  EXPECT_EQ(second.ReadAll(), "");
  EXPECT_EQ(metrics_.GetGauge("headgate_router_http_connections", "").Value(), 1);
}

TEST_F(HttpServerTest, DrainEndsIdleConnectionsAndAnswersNewOnesOnce) {
  Start();
  Client idle(address_);
  idle.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.ReadUntil("/1 0 ");
  OnServer([this] { server_->Drain(); });
  EXPECT_EQ(idle.ReadAll(), "");
  Client late(address_);
  late.Send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(late.ReadAll(), AllOf(HasSubstr("connection: close"), EndsWith("GET /2 0 ")));
}

TEST_F(HttpServerTest, WhoeverWaitsWhenItStopsAcceptingIsAnswered) {
  Start();
  Client idle(address_);
  Client waits(address_);
  waits.Send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting_.get_future().wait();
  OnServer([this] {
    server_->Drain();
    server_->StopAccepting();
  });
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_THROW(Client{address_}, boost::system::system_error);
  OnServer([this] { EXPECT_TRUE(held_.Offer(true)); });
  EXPECT_THAT(waits.ReadAll(), EndsWith("GET /held 0 "));
}

TEST(HttpServerAddressTest, BadAddressesAreRefused) {
  boost::asio::io_context io;
  const auto clock = MakeRealClock(io);
  Metrics metrics;
  for (const char* address : {"127.0.0.1", "127.0.0.1:99999", "nowhere.example:80", "127.0.0.1:x"}) {
    HttpServer server(io.get_executor(), *clock, {}, nullptr, metrics);
    EXPECT_FALSE(server.Start(address, nullptr).ok()) << address;
  }
}

}  // namespace
}  // namespace headgate::services
