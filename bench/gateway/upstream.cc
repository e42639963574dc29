// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// gateway-upstream: what stands behind every gateway of the benchmark. Answers chat completions with a fixed text,
// whole or as server-sent events, each event written by itself as engines do; everything else with a small 200. With
// --interval-ms, events are paced and carry their number, so that a reader can tell whether one was lost.

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/signal_set.hpp"
#include "boost/asio/write.hpp"
#include "common/clock.h"

namespace headgate::services {
namespace {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;

struct Options {
  std::string listen = "127.0.0.1:0";
  int tokens = 16;
  int interval_ms = 0;
};

std::string Chunked(const std::string& bytes) {
  return absl::StrCat(absl::Hex(bytes.size()), "\r\n", bytes, "\r\n");
}

std::string Event(const std::string& delta, const char* finish) {
  return absl::StrCat("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,",
                      "\"model\":\"stub\",\"choices\":[{\"index\":0,\"delta\":{", delta,
                      "},\"logprobs\":null,\"finish_reason\":", finish, "}]", ",\"usage\":null}\n\n");
}

// All answers, written once.
struct Answers {
  explicit Answers(const Options& options) : interval(absl::Milliseconds(options.interval_ms)) {
    const std::string usage = absl::StrCat("{\"prompt_tokens\":100,\"completion_tokens\":", options.tokens,
                                           ",\"total_tokens\":", 100 + options.tokens, "}");
    std::string text;
    for (int i = 0; i < options.tokens; ++i) {
      const std::string token = options.interval_ms > 0 ? absl::StrCat(" n", i) : " token";
      text += token;
      events.push_back(Chunked(
          Event(absl::StrCat(i == 0 ? "\"role\":\"assistant\"," : "", "\"content\":\"", token, "\""), "null")));
    }
    events.push_back(Chunked(Event("", "\"stop\"")));
    events.push_back(Chunked(absl::StrCat("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",",
                                          "\"created\":1763800000,\"model\":\"stub\",\"choices\":[],\"usage\":", usage,
                                          "}\n\ndata: [DONE]\n\n")) +
                     "0\r\n\r\n");
    whole = Json(absl::StrCat("{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1763800000,",
                              "\"model\":\"stub\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",",
                              "\"content\":\"", text, "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":",
                              usage, "}"));
    models = Json("{\"object\":\"list\",\"data\":[{\"id\":\"stub\",\"object\":\"model\",\"created\":1,"
                  "\"owned_by\":\"bench\"}]}");
    other = Json("{\"status\":\"ok\",\"model_path\":\"stub\",\"served_model_name\":\"stub\",\"load\":0}");
  }
  static std::string Json(const std::string& body) {
    return absl::StrCat("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ", body.size(),
                        "\r\n\r\n", body);
  }

  const absl::Duration interval;
  const std::string head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
  std::vector<std::string> events;  // the last one ends the body
  std::string whole, models, other;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Clock& clock, const Answers& answers)
      : socket_(std::move(socket)), clock_(clock), answers_(answers) {}

  void Read() {
    socket_.async_read_some(boost::asio::buffer(buffer_), [self = shared_from_this()](Error error, size_t n) {
      if (error) return;
      self->input_.append(self->buffer_.data(), n);
      self->Take();
    });
  }

 private:
  // The next request, once it is whole.
  void Take() {
    const size_t head = input_.find("\r\n\r\n");
    if (head == std::string::npos) return Read();
    const std::string text = absl::AsciiStrToLower(input_.substr(0, head + 2));
    size_t body = 0;
    if (const size_t at = text.find("\r\ncontent-length:"); at != std::string::npos) {
      const size_t begin = at + 17;
      if (!absl::SimpleAtoi(text.substr(begin, text.find('\r', begin) - begin), &body)) return;
    }
    if (const size_t at = text.find("transfer-encoding: chunked"); at != std::string::npos) {
      const size_t end = input_.find("\r\n0\r\n\r\n", head);
      if (end == std::string::npos) return Read();
      body = end + 7 - head - 4;
    }
    if (input_.size() < head + 4 + body) return Read();
    const std::string path = text.substr(0, text.find('\r'));
    const bool chat = absl::StrContains(path, "/chat/completions");
    const std::string_view content = std::string_view(input_).substr(head + 4, body);
    const bool stream = content.find("\"stream\":true") != std::string_view::npos ||
                        content.find("\"stream\": true") != std::string_view::npos;
    input_.erase(0, head + 4 + body);
    if (chat && stream) return Stream();
    Send(chat ? answers_.whole : absl::StrContains(path, "/v1/models") ? answers_.models : answers_.other,
         [this] { Take(); });
  }

  void Stream() {
    next_ = 0;
    Send(answers_.head, [this] { Later(); });
  }
  void Later() {
    if (next_ == answers_.events.size()) return Take();
    // The last two belong to the last token.
    if (answers_.interval > absl::ZeroDuration() && next_ + 2 < answers_.events.size()) {
      due_ = next_ == 0 ? clock_.Monotonic() + answers_.interval : due_ + answers_.interval;
      timer_ = clock_.CallAt(due_, [self = shared_from_this()] { self->WriteEvent(); });
      return;
    }
    // To the end of the queue: streams that run at the same time alternate, as an engine's batch does.
    boost::asio::post(socket_.get_executor(), [self = shared_from_this()] { self->WriteEvent(); });
  }
  void WriteEvent() {
    Send(answers_.events[next_++], [this] { Later(); });
  }

  template <typename Then>
  void Send(const std::string& bytes, Then then) {
    boost::asio::async_write(socket_, boost::asio::buffer(bytes),
                             [self = shared_from_this(), then](Error error, size_t) {
                               if (!error) then();
                             });
  }

  tcp::socket socket_;
  Clock& clock_;
  const Answers& answers_;
  std::array<char, 4096> buffer_;
  std::string input_;
  size_t next_ = 0;
  MonotonicTime due_;
  std::unique_ptr<Timer> timer_;
};

class Listener {
 public:
  Listener(boost::asio::io_context& io, Clock& clock, const Answers& answers, const tcp::endpoint& endpoint)
      : acceptor_(io, endpoint, /*reuse_addr=*/true), clock_(clock), answers_(answers) {
    acceptor_.listen(4096);
  }
  int port() const { return acceptor_.local_endpoint().port(); }
  void Accept() {
    acceptor_.async_accept([this](Error error, tcp::socket socket) {
      if (!error) {
        socket.set_option(tcp::no_delay(true));
        std::make_shared<Connection>(std::move(socket), clock_, answers_)->Read();
      }
      Accept();
    });
  }

 private:
  tcp::acceptor acceptor_;
  Clock& clock_;
  const Answers& answers_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("The upstream of the gateway benchmark");
  app.add_option("--listen", options.listen, "ip:port; port 0 = any free one");
  app.add_option("--tokens", options.tokens, "events of a streamed answer");
  app.add_option("--interval-ms", options.interval_ms, "between two events; 0 = none");
  CLI11_PARSE(app, argc, argv);
  const size_t colon = options.listen.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(options.listen.substr(colon + 1), &port)) return 2;

  boost::asio::io_context io(1);
  const auto clock = MakeRealClock(io);
  const Answers answers(options);
  const auto address = boost::asio::ip::make_address(options.listen.substr(0, colon));
  Listener listener(io, *clock, answers, {address, static_cast<uint16_t>(port)});
  listener.Accept();
  boost::asio::signal_set stop(io, SIGTERM, SIGINT);
  stop.async_wait([&io](Error, int) { io.stop(); });
  std::cout << "listening http=" << address.to_string() << ":" << listener.port() << std::endl;
  io.run();
  return 0;
}

}  // namespace
}  // namespace headgate::services

int main(int argc, char** argv) { return headgate::services::Main(argc, argv); }
