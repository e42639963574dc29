// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/doors.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/as_tuple.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/use_awaitable.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/read.hpp"
#include "boost/beast/http/string_body.hpp"
#include "common/mailbox.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "headgate/v1/router.grpc.pb.h"
#include "services/grpc_server.h"
#include "services/router/admin_service.h"
#include "services/router/http_server.h"
#include "services/router/inference_service.h"
#include "services/router/openai_api.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/no_egress/batch_client.h"
#include "tests/integration/no_egress/observed.h"
#include "tests/integration/no_egress/wire_requests.h"

namespace headgate::router {
namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using Socket = boost::asio::basic_stream_socket<tcp, Executor>;
constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<Executor>> kAwait;

void See(const v1::GenerateStreamResponse& event, Ended& ended) {
  if (ended.finishes > 0) ended.after_finish = true;
  if (event.has_finish()) ++ended.finishes;
  ended.thought |= !event.delta().reasoning_content().empty();
  if (!event.has_route()) return;
  ++ended.routes;
  ended.target = event.route().target();
  ended.level = event.route().sensitivity();
  ended.cached = event.route().reasons_size() > 0 && event.route().reasons(0) == "cached";
}

// Keeps what matters; the client may leave after some events.
class CountingSink : public AnswerSink {
 public:
  CountingSink(Ended& ended, int leave_after) : ended_(ended), left_(leave_after) {}
  Task<absl::Status> Write(const v1::GenerateStreamResponse& event) override {
    if (left_-- == 0) co_return absl::CancelledError("the client has gone");
    See(event, ended_);
    co_return absl::OkStatus();
  }

 private:
  Ended& ended_;
  int left_;
};

absl::Status FromGrpc(const grpc::Status& status, Ended& ended) {
  absl::StrAppend(&ended.said, status.error_message(), "\n", status.error_details(), "\n");
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

// Reads a stream on gRPC's threads and hands each message to the executor's coroutine.
class StreamReader final : public grpc::ClientReadReactor<v1::GenerateStreamResponse> {
 public:
  struct Read {
    std::optional<v1::GenerateStreamResponse> event;  // none: the end, with its status
    grpc::Status status;
  };
  StreamReader(Executor executor, Mailbox<Read>& reads) : executor_(executor), reads_(reads) {}
  void Start() {
    StartRead(&event_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    Post(Read{event_, grpc::Status::OK});
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override { Post(Read{std::nullopt, status}); }

 private:
  void Post(Read read) {
    boost::asio::post(executor_, [&reads = reads_, read = std::move(read)]() mutable {
      static_cast<void>(reads.Offer(std::move(read)));
    });
  }
  const Executor executor_;
  Mailbox<Read>& reads_;
  v1::GenerateStreamResponse event_;
};

}  // namespace

namespace {

// For as many as come; each is over within seconds.
services::BatchLimits Roomy() {
  services::BatchLimits limits;
  limits.bytes_max = limits.tenant_bytes_max = size_t{1} << 30;
  limits.tenant_files_max = limits.tenant_batches_max = 100'000;
  limits.at_a_time = 64;
  limits.kept = absl::Seconds(30) * TimeScale();
  return limits;
}

}  // namespace

struct Doors::Parts {
  Parts(Executor e, Clock& c, RandomBytes r, Router& to, Metrics& m)
      : executor(e), clock(c), random(std::move(r)), router(to), metrics(m) {}
  Executor executor;
  Clock& clock;
  RandomBytes random;
  Router& router;
  Metrics& metrics;
  services::Calls calls;
  services::CallParts call_parts{executor, clock, random, calls};
  services::InferenceService inference{call_parts, router};
  services::AdminService admin{call_parts, router, {Hex(Sha256("admin-key"))}, [] {}};
  services::OpenAiApi api{executor, router, clock, random, calls, metrics, [] { return true; }, Roomy()};
  std::unique_ptr<services::HttpServer> http;
  std::unique_ptr<services::GrpcServer> grpc_server, admin_server;
  tcp::endpoint http_address;
  std::unique_ptr<v1::Inference::Stub> stub;
  std::unique_ptr<v1::Router::Stub> admin_stub;
};

namespace {

class DoorClient final : public Doors::Client {
 public:
  DoorClient(Executor executor, Clock& clock, Router& router, v1::Inference::Stub& stub, v1::Router::Stub& admin,
             tcp::endpoint address)
      : executor_(executor), clock_(clock), router_(router), stub_(stub), admin_(admin), address_(address) {}

  Task<void> Send(const CanaryRequest& made, const std::string& request_id, Patience patience, Ended& ended) override {
    Cancellation cancellation;
    std::unique_ptr<Timer> leave;
    if (patience.leave_at < absl::InfiniteDuration()) {
      leave = clock_.CallAt(clock_.Monotonic() + patience.leave_at,
                            [&cancellation] { cancellation.Cancel(absl::CancelledError("the client has gone")); });
    }
    switch (made.api) {
      case Api::kDirect: co_await Direct(made, request_id, patience, cancellation, ended); break;
      case Api::kHttpBatch: co_await Batch(made, request_id, patience, ended); break;
      case Api::kGrpcStream: co_await GrpcStream(made, request_id, patience, cancellation, ended); break;
      case Api::kHttpStream:
      case Api::kHttp:
      case Api::kHttpEmbed: co_await Http(made, request_id, patience, cancellation, ended); break;
      default: co_await GrpcUnary(made, request_id, patience, cancellation, ended); break;
    }
    ++ended.times;
  }

 private:
  Task<void> Direct(const CanaryRequest& made, const std::string& request_id, Patience patience,
                    Cancellation& cancellation, Ended& ended) {
    const auto prompt = std::make_shared<std::optional<Prompt>>(std::in_place, made.request);
    // A fault: other bytes, once what they were has been read and judged.
    if (!made.changed.empty()) {
      boost::asio::post(executor_, [prompt, &made] { prompt->emplace(ChangedContent(made)); });
    }
    RequestHead head;
    head.request_id = request_id;
    head.api = "grpc.GenerateStream";
    head.api_key = made.api_key;
    head.trace = kTraceparent;
    head.received = clock_.Monotonic();
    head.deadline = patience.deadline;
    head.declared_sensitivity = made.declared;
    CountingSink sink(ended, patience.leave_after);
    ended.status = co_await router_.Generate(head, **prompt, sink, cancellation);
    absl::StrAppend(&ended.said, ended.status.message(), "\n");
    ended.status.ForEachPayload([&ended](absl::string_view, const absl::Cord& payload) {
      absl::StrAppend(&ended.said, std::string(payload), "\n");
    });
  }

  void Prepare(const CanaryRequest& made, const std::string& request_id, const Patience& patience,
               grpc::ClientContext& context) const {
    const bool admin = made.api == Api::kExplain;
    context.AddMetadata("authorization", absl::StrCat("Bearer ", admin ? "admin-key" : made.api_key));
    context.AddMetadata("x-request-id", request_id);
    context.AddMetadata("traceparent", kTraceparent);
    context.AddMetadata("tracestate", kTracestate);
    const std::string level = DeclaredLevel(made.declared);
    if (!level.empty()) context.AddMetadata("x-headgate-sensitivity", level);
    if (patience.deadline < absl::InfiniteDuration()) {
      context.set_deadline(absl::ToChronoTime(clock_.WallTime() + (patience.deadline - clock_.Monotonic())));
    }
  }

  Task<void> GrpcStream(const CanaryRequest& made, const std::string& request_id, Patience patience,
                        Cancellation& cancellation, Ended& ended) {
    grpc::ClientContext context;
    Prepare(made, request_id, patience, context);
    const auto gone = cancellation.OnCancel([&context] { context.TryCancel(); });
    Mailbox<StreamReader::Read> reads(executor_, 1000);
    StreamReader reader(executor_, reads);
    stub_.async()->GenerateStream(&context, &made.request, &reader);
    reader.Start();
    Cancellation never;
    for (int i = 0;; ++i) {
      auto read = co_await reads.Receive(clock_, absl::InfiniteDuration(), never);
      if (!(*read)->event) {
        ended.status = FromGrpc((*read)->status, ended);
        co_return;
      }
      See(*(*read)->event, ended);
      if (i == patience.leave_after) context.TryCancel();
    }
  }

  Task<void> GrpcUnary(const CanaryRequest& made, const std::string& request_id, Patience patience,
                       Cancellation& cancellation, Ended& ended) {
    grpc::ClientContext context;
    Prepare(made, request_id, patience, context);
    const auto gone = cancellation.OnCancel([&context] { context.TryCancel(); });
    Mailbox<grpc::Status> done(executor_, 1);
    const auto finish = [this, &done](grpc::Status status) {
      boost::asio::post(executor_, [&done, status = std::move(status)]() mutable {
        static_cast<void>(done.Offer(std::move(status)));
      });
    };
    v1::GenerateResponse answer;
    const v1::EmbedRequest embed = ToEmbed(made);
    v1::EmbedResponse embedded;
    const v1::CountTokensRequest count = ToCount(made);
    v1::CountTokensResponse counted;
    const v1::ExplainRequest explain = ToExplain(made);
    v1::ExplainResponse explained;
    switch (made.api) {
      case Api::kGrpcEmbed: stub_.async()->Embed(&context, &embed, &embedded, finish); break;
      case Api::kGrpcCount: stub_.async()->CountTokens(&context, &count, &counted, finish); break;
      case Api::kExplain: admin_.async()->Explain(&context, &explain, &explained, finish); break;
      default: stub_.async()->Generate(&context, &made.request, &answer, finish); break;
    }
    Cancellation never;
    auto status = co_await done.Receive(clock_, absl::InfiniteDuration(), never);
    ended.status = FromGrpc(**status, ended);
    ended.said += explained.SerializeAsString();
    if (ended.status.ok() && made.api == Api::kGrpc) {
      v1::GenerateStreamResponse whole;
      *whole.mutable_route() = answer.route();
      See(whole, ended);
      ended.thought = !answer.message().reasoning_content().empty();
      ended.finishes = answer.finish_reason() != v1::FINISH_REASON_UNSPECIFIED;
    }
  }

  Task<absl::Status> Connect() {
    if (socket_ && socket_->is_open()) co_return absl::OkStatus();
    socket_.emplace(executor_);
    buffer_.clear();
    auto [error] = co_await socket_->async_connect(address_, kAwait);
    if (error) {
      Hangup();
      co_return absl::UnavailableError("cannot connect");
    }
    boost::system::error_code ignored;
    socket_->set_option(tcp::no_delay(true), ignored);
    co_return absl::OkStatus();
  }
  void Hangup() {
    boost::system::error_code ignored;
    if (socket_) socket_->close(ignored);
  }

  Task<void> Http(const CanaryRequest& made, const std::string& request_id, Patience patience,
                  Cancellation& cancellation, Ended& ended) {
    const absl::Status connected = co_await Connect();
    if (!connected.ok()) {
      ended.status = connected;
      co_return;
    }
    const auto gone = cancellation.OnCancel([this] { Hangup(); });
    std::unique_ptr<Timer> late;
    if (patience.deadline < absl::InfiniteDuration()) {
      late = clock_.CallAt(patience.deadline, [this] { Hangup(); });
    }
    const WireRequest wire = ToHttp(made, request_id);
    const std::string bytes = BytesOf("POST", wire);
    auto [error, written] = co_await boost::asio::async_write(*socket_, boost::asio::buffer(bytes), kAwait);
    if (error) {
      Hangup();
      ended.status = absl::UnavailableError("cut while writing");
      co_return;
    }
    co_await ReadAnswer(made, patience, ended);
  }

  Task<void> Batch(const CanaryRequest& made, const std::string& request_id, Patience patience, Ended& ended) {
    WireCall call = [this](std::string method, WireRequest wire) {
      return Exchange(std::move(method), std::move(wire));
    };
    co_await AskInBatch(std::move(call), executor_, clock_, made, request_id, patience, ended);
  }

  Task<WireAnswer> Exchange(std::string method, WireRequest wire) {
    WireAnswer answer;
    const absl::Status connected = co_await Connect();
    if (!connected.ok()) co_return answer;
    const std::string bytes = BytesOf(method, wire);
    auto [error, written] = co_await boost::asio::async_write(*socket_, boost::asio::buffer(bytes), kAwait);
    http::response_parser<http::string_body> parser;
    parser.body_limit(64 << 20);
    while (!error && !parser.is_done()) {
      auto [cut, read] = co_await http::async_read_some(*socket_, buffer_, parser, kAwait);
      error = cut;
    }
    if (error || !parser.get().keep_alive()) Hangup();
    if (error) co_return answer;
    answer.code = parser.get().result_int();
    answer.body = std::move(parser.get().body());
    co_return answer;
  }

  static std::string BytesOf(const std::string& method, const WireRequest& wire) {
    std::string bytes = absl::StrCat(method, " ", wire.path, " HTTP/1.1\r\nhost: router\r\n");
    for (const auto& [name, value] : wire.headers) absl::StrAppend(&bytes, name, ": ", value, "\r\n");
    absl::StrAppend(&bytes, "content-length: ", wire.body.size(), "\r\n\r\n", wire.body);
    return bytes;
  }

  // A client that leaves does so at the piece of that number.
  Task<void> ReadAnswer(const CanaryRequest& made, Patience patience, Ended& ended) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(64 << 20);
    for (int i = 0; !parser.is_done(); ++i) {
      auto [error, read] = co_await http::async_read_some(*socket_, buffer_, parser, kAwait);
      if (error || i == patience.leave_after) {
        Hangup();
        if (parser.is_header_done()) Judge(parser.get(), made, ended);
        ended.status = absl::UnavailableError("cut");
        co_return;
      }
    }
    if (!parser.get().keep_alive()) Hangup();
    Judge(parser.get(), made, ended);
  }

  void Judge(const http::response<http::string_body>& answer, const CanaryRequest& made, Ended& ended) const {
    const int code = answer.result_int();
    const std::string& body = answer.body();
    for (const auto& field : answer) absl::StrAppend(&ended.said, std::string(field.value()), "\n");
    if (code != 200) {
      absl::StrAppend(&ended.said, body, "\n");
      ended.status = code == 400 || code == 401 ? absl::InvalidArgumentError("refused")
                                                : absl::UnavailableError("refused");
      return;
    }
    ended.status = absl::OkStatus();
    ended.thought = body.find("\"reasoning_content\":\"") != std::string::npos;
    ended.target = answer["x-headgate-route"] == "cloud" ? v1::Route::TARGET_CLOUD : v1::Route::TARGET_LOCAL;
    const std::string level(answer["x-headgate-sensitivity"]);
    ended.level = level == "confidential" ? v1::SENSITIVITY_LEVEL_CONFIDENTIAL
                  : level == "restricted" ? v1::SENSITIVITY_LEVEL_RESTRICTED
                                          : v1::SENSITIVITY_LEVEL_PUBLIC;
    ended.cached = answer["x-headgate-reasons"] == "cached";
    ended.routes = ended.finishes = 1;
    if (made.api != Api::kHttpStream) return;
    const size_t done = body.find("data: [DONE]");
    if (done == std::string::npos) ended.finishes = 0;
    ended.after_finish = done != std::string::npos && body.find("data:", done + 6) != std::string::npos;
    // Broken off: the last event is an error, the text of which is ours.
    const size_t broken = body.rfind("data: {\"error\"");
    if (broken == std::string::npos) return;
    ended.said += body.substr(broken);
    ended.status = absl::UnavailableError("broken off");
  }

  const Executor executor_;
  Clock& clock_;
  Router& router_;
  v1::Inference::Stub& stub_;
  v1::Router::Stub& admin_;
  const tcp::endpoint address_;
  std::optional<Socket> socket_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace

Doors::Doors(Executor executor, Clock& clock, RandomBytes random, Router& router, Metrics& metrics)
    : parts_(std::make_unique<Parts>(executor, clock, std::move(random), router, metrics)) {}
Doors::~Doors() { Close(); }

bool Doors::Open() {
  Parts& p = *parts_;
  services::HttpServerConfig config;
  config.on_refuse = [&p](int status) { p.api.RefusedUnread(status); };
  p.http = std::make_unique<services::HttpServer>(
      p.executor, p.clock, std::move(config),
      [&p](const services::HttpRequest& request, services::HttpReply& reply, Cancellation& cancellation) {
        return p.api.Handle(request, reply, cancellation);
      },
      p.metrics);
  const auto http = p.http->Start("127.0.0.1:0", nullptr);
  services::GrpcServerOptions options;
  options.address = "127.0.0.1:0";
  auto grpc = services::GrpcServer::Start(options, {&p.inference});
  auto admin = services::GrpcServer::Start(options, {&p.admin});
  if (!http.ok() || !grpc.ok() || !admin.ok()) return false;
  const std::string port = http->substr(http->rfind(':') + 1);
  p.http_address = tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(std::stoi(port)));
  p.grpc_server = *std::move(grpc);
  p.admin_server = *std::move(admin);
  const auto channel = [](const std::string& address) {
    return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  };
  p.stub = v1::Inference::NewStub(channel(p.grpc_server->address()));
  p.admin_stub = v1::Router::NewStub(channel(p.admin_server->address()));
  return true;
}

std::unique_ptr<Doors::Client> Doors::NewClient() {
  Parts& p = *parts_;
  return std::make_unique<DoorClient>(p.executor, p.clock, p.router, *p.stub, *p.admin_stub, p.http_address);
}

void Doors::Drain() { parts_->api.Drain(); }
size_t Doors::calls() const { return parts_->calls.size(); }

void Doors::Close() {
  if (parts_->grpc_server) parts_->grpc_server->Shutdown(absl::Seconds(5));
  if (parts_->admin_server) parts_->admin_server->Shutdown(absl::Seconds(5));
  parts_->grpc_server.reset();
  parts_->admin_server.reset();
  if (parts_->http) parts_->http->Close();
}

}  // namespace headgate::router
