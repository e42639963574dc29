// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// gateway-streams: thousands of streamed chat completions at once through a gateway to `gateway-upstream
// --interval-ms`. Every stream is checked by itself: all its frames, in order, then the end. Prints one line of JSON.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/write.hpp"
#include "common/clock.h"

namespace headgate::services {
namespace {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;

struct Totals {
  int64_t frames = 0, whole = 0, broken = 0, opened = 0;
  absl::Duration worst_gap;
  std::vector<std::string> complaints;
};

struct Plan {
  tcp::endpoint gateway;
  std::string request;
  int frames = 0;
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(boost::asio::io_context& io, const Clock& clock, const Plan& plan, Totals& totals)
      : socket_(io), clock_(clock), plan_(plan), totals_(totals) {}

  void Start() {
    socket_.async_connect(plan_.gateway, [self = shared_from_this()](Error error) {
      if (error) return self->End("no connection");
      boost::asio::async_write(self->socket_, boost::asio::buffer(self->plan_.request),
                               [self](Error failed, size_t) { failed ? self->End("not sent") : self->Read(); });
    });
  }

 private:
  void Read() {
    socket_.async_read_some(boost::asio::buffer(buffer_), [self = shared_from_this()](Error error, size_t n) {
      if (error) return self->End("cut");
      self->input_.append(self->buffer_.data(), n);
      self->Take();
      if (!self->ended_) self->Read();
    });
  }

  void Take() {
    constexpr std::string_view kContent = "\"content\":\" n", kDone = "data: [DONE]";
    size_t at = 0, end = 0;
    while ((end = input_.find('\n', at)) != std::string::npos) {
      const std::string_view line = std::string_view(input_).substr(at, end - at);
      at = end + 1;
      if (line.substr(0, 5) == "HTTP/") status_ok_ = line.find(" 200 ") != std::string_view::npos;
      if (line.substr(0, kDone.size()) == kDone) return End(next_ == plan_.frames ? "" : "frames lost");
      const size_t content = line.find(kContent);
      if (content == std::string_view::npos) continue;
      const std::string_view rest = line.substr(content + kContent.size());
      int number = -1;
      if (!absl::SimpleAtoi(std::string(rest.substr(0, rest.find('"'))), &number) || number != next_) {
        return End("a frame out of order");
      }
      const MonotonicTime now = clock_.Monotonic();
      if (next_++ == 0) ++totals_.opened;
      if (next_ > 1) totals_.worst_gap = std::max(totals_.worst_gap, now - last_);
      last_ = now;
      ++totals_.frames;
    }
    input_.erase(0, at);
    if (!status_ok_) End("not 200");
  }

  void End(const std::string& complaint) {
    if (std::exchange(ended_, true)) return;
    complaint.empty() ? ++totals_.whole : ++totals_.broken;
    if (!complaint.empty() && totals_.complaints.size() < 5) {
      totals_.complaints.push_back(absl::StrCat(complaint, " after ", next_));
    }
    Error ignored;
    socket_.close(ignored);
  }

  tcp::socket socket_;
  const Clock& clock_;
  const Plan& plan_;
  Totals& totals_;
  std::array<char, 2048> buffer_;
  std::string input_;
  int next_ = 0;
  bool status_ok_ = true, ended_ = false;
  MonotonicTime last_;
};

// So many new streams every 10 ms: a burst of all of them would measure the listen queue.
struct Ramp {
  boost::asio::io_context& io;
  Clock& clock;
  const Plan& plan;
  Totals& totals;
  int left;
  std::unique_ptr<Timer> timer;
  void Step() {
    for (int i = 0; i < 20 && left > 0; ++i, --left) std::make_shared<Stream>(io, clock, plan, totals)->Start();
    timer = left == 0 ? nullptr : clock.CallAt(clock.Monotonic() + absl::Milliseconds(10), [this] { Step(); });
  }
};

int Main(int argc, char** argv) {
  int port = 0, streams = 10000;
  Plan plan;
  plan.frames = 16;
  std::string body = R"({"model":"stub","stream":true,"messages":[{"role":"user","content":"Tell me about canals."}]})";
  CLI::App app("Paced streams through a gateway");
  app.add_option("--port", port, "the gateway's, on 127.0.0.1")->required();
  app.add_option("--streams", streams, "at once");
  app.add_option("--frames", plan.frames, "that each must bring");
  CLI11_PARSE(app, argc, argv);
  plan.gateway = {boost::asio::ip::address_v4::loopback(), static_cast<uint16_t>(port)};
  plan.request = absl::StrCat("POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n",
                              "content-type: application/json\r\ncontent-length: ", body.size(), "\r\n\r\n", body);
  boost::asio::io_context io(1);
  const auto clock = MakeRealClock(io);
  Totals totals;
  Ramp ramp{io, *clock, plan, totals, streams, nullptr};
  ramp.Step();
  io.run();
  std::string complaints;
  for (const std::string& one : totals.complaints) absl::StrAppend(&complaints, complaints.empty() ? "" : "; ", one);
  std::cout << absl::StrCat("{\"streams\":", streams, ",\"whole\":", totals.whole, ",\"broken\":", totals.broken,
                            ",\"frames\":", totals.frames, ",\"expected\":", int64_t{streams} * plan.frames,
                            ",\"worst_gap_ms\":", absl::ToInt64Milliseconds(totals.worst_gap), ",\"complaints\":\"",
                            complaints, "\"}")
            << std::endl;
  return totals.broken == 0 ? 0 : 1;
}

}  // namespace
}  // namespace headgate::services

int main(int argc, char** argv) { return headgate::services::Main(argc, argv); }
