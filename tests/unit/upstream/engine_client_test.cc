// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The engine client against a real gRPC server in this process, on a port of the system's choice. No clock is moved and
// nothing sleeps: tests wait for what must happen.

#include "router/upstream/engine_client.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "headgate/v1/engine.grpc.pb.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "tests/fakes/fake_upstreams.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using absl::StatusCode;
using Writer = grpc::ServerWriter<v1::GenerateStreamResponse>;

class FakeServer : public v1::Inference::Service {
 public:
  using Handler = std::function<grpc::Status(grpc::ServerContext&, const v1::GenerateRequest&, Writer&)>;
  explicit FakeServer(std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    builder.RegisterService(&loads_);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() override { Stop(); }
  void Stop() {
    if (server_) server_->Shutdown(std::chrono::system_clock::time_point());
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int watches() const { return loads_.watches; }
  void set_handler(Handler handler) { handler_ = std::move(handler); }

  grpc::Status GenerateStream(grpc::ServerContext* context, const v1::GenerateRequest* request,
                              Writer* writer) override {
    return handler_(*context, *request, *writer);
  }
  grpc::Status CountTokens(grpc::ServerContext* context, const v1::CountTokensRequest* request,
                           v1::CountTokensResponse* response) override {
    if (request->prompt() == "hang") {
      while (!context->IsCancelled()) std::this_thread::yield();
    }
    response->set_tokens(static_cast<int64_t>(request->prompt().size()));
    return request->prompt().empty() ? grpc::Status(grpc::INVALID_ARGUMENT, "prompt: is empty") : grpc::Status::OK;
  }
  grpc::Status Embed(grpc::ServerContext*, const v1::EmbedRequest* request, v1::EmbedResponse* response) override {
    for (int i = 0; i < request->input_size(); ++i) response->add_embeddings()->add_values(1);
    return grpc::Status::OK;
  }
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    response->add_models()->set_id("m");
    return grpc::Status::OK;
  }

 private:
  struct Loads : v1::Engine::Service {
    // Two reports, then the stream ends: the client has to come back.
    grpc::Status WatchLoad(grpc::ServerContext*, const v1::WatchLoadRequest* request,
                           grpc::ServerWriter<v1::Load>* writer) override {
      ++watches;
      v1::Load load;
      load.set_running_max(request->interval_ms());
      for (int i = 1; i <= 2; ++i) {
        load.set_sequence_number(i);
        writer->Write(load);
      }
      return grpc::Status::OK;
    }
    std::atomic<int> watches = 0;
  };

  int port_ = 0;
  Loads loads_;
  Handler handler_;
  std::unique_ptr<grpc::Server> server_;
};

class EngineClientTest : public testing::Test {
 protected:
  template <typename T>
  T Await(Task<T> task) {
    std::optional<T> result;
    Spawn(io_, std::move(task), &result);
    while (!result) io_.run_one();
    return *std::move(result);
  }
  std::unique_ptr<LocalUpstream> Connect(const std::string& address) {
    return ConnectEngine(io_.get_executor(), *clock_, SeededRandom(1), address, config_, metrics_,
                         [this](const v1::Load& load) { loads_.push_back(load); });
  }
  std::unique_ptr<AnswerStream> Generate(LocalUpstream& client) {
    return client.Generate(prompt_, CallOptions{"req-7", Soon(), "ward-3"});
  }
  auto Next(AnswerStream& stream) { return Await(stream.Next(Soon(), never_)); }
  // Everything up to the end; the content, joined.
  absl::Status ReadAll(AnswerStream& stream, std::string* text) {
    while (true) {
      auto event = Next(stream);
      if (!event.ok()) return event.status();
      if (!event->has_value()) return absl::OkStatus();
      *text += (*event)->delta().content();
    }
  }
  // Whether an engine answers, or was refused for its certificate, which is counted.
  void ExpectReached(const std::string& address, bool reached, bool refused) {
    const auto client = Connect(address);
    const auto models = Await(client->ListModels(Soon(), never_));
    EXPECT_EQ(models.status().code(), reached ? StatusCode::kOk : StatusCode::kUnavailable) << models.status();
    const double before = refusals_;
    const auto now = [&] { return metrics_.GetCounter("headgate_router_refused_identities_total", "").Value(); };
    while (refused && now() == before) io_.run_one();  // the watch tells a little later
    EXPECT_EQ((refusals_ = now()) > before, refused);
  }
  MonotonicTime Soon() const { return clock_->Monotonic() + absl::Seconds(60); }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<Executor> work_{io_.get_executor()};
  std::unique_ptr<Clock> clock_ = MakeRealClock(io_);
  Cancellation never_;
  LocalConfig config_;
  Metrics metrics_;
  std::vector<v1::Load> loads_;
  double refusals_ = 0;
  Prompt prompt_{[] {
    v1::GenerateRequest request;
    request.set_prompt("Once upon a time");
    request.set_model("the cloud's");
    return request;
  }()};
};

TEST_F(EngineClientTest, StreamsAnAnswer) {
  FakeServer server;
  server.set_handler([this](grpc::ServerContext& context, const v1::GenerateRequest& request, Writer& writer) {
    const auto found = context.client_metadata().find("x-request-id");
    const auto tenant = context.client_metadata().find("x-headgate-tenant");
    const bool same = found != context.client_metadata().end() && found->second == "req-7" &&
                      tenant != context.client_metadata().end() && tenant->second == "ward-3";
    const absl::Duration left = absl::FromChrono(context.deadline()) - clock_->WallTime();
    writer.Write(ContentEvent(request.prompt() + request.model()));  // no model: the client may have named the cloud's
    writer.Write(ContentEvent(same ? " id" : " no id"));
    writer.Write(ContentEvent(left > absl::Seconds(50) && left < absl::Seconds(61) ? " in time" : " ?"));
    writer.Write(FinishEvent(3));
    return grpc::Status::OK;
  });
  const auto client = Connect(server.address());
  const auto stream = Generate(*client);
  std::string text;
  EXPECT_TRUE(ReadAll(*stream, &text).ok());
  EXPECT_EQ(text, "Once upon a time id in time");
}

TEST_F(EngineClientTest, StatusesArriveWithoutTheEnginesWords) {
  struct Row {
    grpc::StatusCode sent;
    StatusCode expected;
    bool keeps_message;
  };
  const std::vector<Row> rows = {
      {grpc::INVALID_ARGUMENT, StatusCode::kInvalidArgument, true},
      {grpc::RESOURCE_EXHAUSTED, StatusCode::kResourceExhausted, false},
      {grpc::NOT_FOUND, StatusCode::kNotFound, false},
      {grpc::OUT_OF_RANGE, StatusCode::kOutOfRange, false},
      {grpc::UNIMPLEMENTED, StatusCode::kUnimplemented, false},
      {grpc::DEADLINE_EXCEEDED, StatusCode::kDeadlineExceeded, false},
      {grpc::UNAVAILABLE, StatusCode::kUnavailable, false},
      {grpc::INTERNAL, StatusCode::kUnavailable, false},
      {grpc::UNKNOWN, StatusCode::kUnavailable, false},
      {grpc::ABORTED, StatusCode::kUnavailable, false},
      {grpc::DATA_LOSS, StatusCode::kUnavailable, false},
      {grpc::CANCELLED, StatusCode::kUnavailable, false},
      {grpc::UNAUTHENTICATED, StatusCode::kUnavailable, false},
      {grpc::PERMISSION_DENIED, StatusCode::kUnavailable, false},
      {grpc::FAILED_PRECONDITION, StatusCode::kUnavailable, false},
      {grpc::OK, StatusCode::kUnavailable, false},  // cut: no finish
  };
  FakeServer server;
  const auto client = Connect(server.address());
  for (const Row& row : rows) {
    server.set_handler([&row](grpc::ServerContext&, const v1::GenerateRequest&, Writer& writer) {
      writer.Write(ContentEvent("x"));
      return grpc::Status(row.sent, "words of the engine");
    });
    const auto stream = Generate(*client);
    std::string text;
    const absl::Status status = ReadAll(*stream, &text);
    EXPECT_EQ(status.code(), row.expected) << row.sent << " " << status;
    EXPECT_EQ(text, "x");
    EXPECT_EQ(std::string(status.message()).find("words of the engine") != std::string::npos, row.keeps_message);
  }
}

TEST_F(EngineClientTest, SlowReaderHoldsTheEngineBackAndLosesNothing) {
  constexpr int kEvents = 4000;
  std::atomic<int> written = 0;
  FakeServer server;
  server.set_handler([&written](grpc::ServerContext&, const v1::GenerateRequest&, Writer& writer) {
    for (int i = 0; i < kEvents; ++i) {
      auto event = ContentEvent(absl::StrCat(i, std::string(16'000, ' ')));
      if (!writer.Write(event)) break;
      ++written;
    }
    writer.Write(FinishEvent(kEvents));
    return grpc::Status::OK;
  });
  const auto client = Connect(server.address());
  const auto stream = Generate(*client);
  for (int i = 0; i < kEvents; ++i) {
    auto event = Next(*stream);
    ASSERT_TRUE(event.ok()) << event.status();
    ASSERT_EQ(std::stoi((*event)->delta().content()), i);
    if (i == 0) {
      // Whatever may be done without a reader is done when the loop has nothing left to do and a round trip is over.
      (void)Await(client->ListModels(Soon(), never_));
      EXPECT_LT(written, kEvents / 2);
    }
  }
  EXPECT_TRUE((*Next(*stream))->has_finish());
  EXPECT_EQ(written, kEvents);
}

TEST_F(EngineClientTest, DroppingTheStreamCancelsTheEnginesWork) {
  std::atomic<int> cancelled = 0;
  FakeServer server;
  server.set_handler([&cancelled](grpc::ServerContext& context, const v1::GenerateRequest&, Writer& writer) {
    while (writer.Write(ContentEvent(std::string(1000, 'x')))) {
    }
    if (context.IsCancelled()) ++cancelled;
    return grpc::Status::OK;
  });
  const auto client = Connect(server.address());
  int dropped = 0;
  for (const int read : {1, 2, 20, 100}) {
    auto stream = Generate(*client);
    for (int i = 0; i < read; ++i) ASSERT_TRUE(Next(*stream).ok());
    stream.reset();
    ++dropped;
    while (cancelled < dropped) std::this_thread::yield();
  }
  // Before the call has got anywhere: nothing to wait for, and nothing breaks.
  for (int i = 0; i < 20; ++i) Generate(*client).reset();
}

TEST_F(EngineClientTest, WaitsAreBoundedAndCancellable) {
  std::promise<void> go;
  auto gone = go.get_future().share();
  FakeServer server;
  server.set_handler([gone](grpc::ServerContext&, const v1::GenerateRequest&, Writer& writer) {
    gone.wait();
    writer.Write(FinishEvent(0));
    return grpc::Status::OK;
  });
  const auto client = Connect(server.address());
  const auto stream = Generate(*client);
  auto late = Await(stream->Next(clock_->Monotonic() + absl::Milliseconds(1), never_));
  EXPECT_EQ(late.status().code(), StatusCode::kDeadlineExceeded);
  Cancellation client_left;
  client_left.Cancel(absl::CancelledError("left"));
  EXPECT_EQ(Await(stream->Next(Soon(), client_left)).status().code(), StatusCode::kCancelled);
  go.set_value();
  auto finish = Next(*stream);
  ASSERT_TRUE(finish.ok());
  EXPECT_TRUE((*finish)->has_finish()) << "a wait that ran out ends nothing";
  EXPECT_FALSE(Next(*stream)->has_value());
}

TEST_F(EngineClientTest, UnaryCalls) {
  FakeServer server;
  const auto client = Connect(server.address());
  v1::CountTokensRequest count;
  count.set_prompt("four");
  EXPECT_EQ(Await(client->CountTokens(count, Soon(), never_))->tokens(), 4);
  const auto refused = Await(client->CountTokens(v1::CountTokensRequest(), Soon(), never_));
  EXPECT_EQ(refused.status(), absl::InvalidArgumentError("prompt: is empty"));
  v1::EmbedRequest embed;
  embed.add_input("a");
  embed.add_input("b");
  EXPECT_EQ(Await(client->Embed(embed, Soon(), never_))->embeddings_size(), 2);
  EXPECT_EQ(Await(client->ListModels(Soon(), never_))->models(0).id(), "m");
  count.set_prompt("hang");
  const auto late = Await(client->CountTokens(count, clock_->Monotonic() + absl::Milliseconds(20), never_));
  EXPECT_EQ(late.status().code(), StatusCode::kDeadlineExceeded);
  Cancellation client_left;
  client_left.Cancel(absl::CancelledError("left"));
  const auto cancelled = Await(client->CountTokens(count, Soon(), client_left));
  EXPECT_EQ(cancelled.status().code(), StatusCode::kCancelled);
}

TEST_F(EngineClientTest, NobodyThereIsUnavailable) {
  std::string address;
  {
    FakeServer server;
    address = server.address();
  }
  const auto client = Connect(address);
  EXPECT_EQ(Next(*Generate(*client)).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Await(client->ListModels(Soon(), never_)).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(loads_.empty());
}

TEST_F(EngineClientTest, ServerThatStopsEndsItsStreams) {
  auto server = std::make_unique<FakeServer>();
  server->set_handler([](grpc::ServerContext& context, const v1::GenerateRequest&, Writer& writer) {
    writer.Write(ContentEvent("x"));
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  });
  const auto client = Connect(server->address());
  const auto stream = Generate(*client);
  ASSERT_TRUE(Next(*stream).ok());
  server->Stop();
  EXPECT_EQ(Next(*stream).status().code(), StatusCode::kUnavailable);
}

TEST_F(EngineClientTest, LoadKeepsComingAcrossStreamsUntilTheClientGoes) {
  FakeServer server;
  auto client = Connect(server.address());
  while (loads_.size() < 6) io_.run_one();
  EXPECT_GE(server.watches(), 3);
  EXPECT_EQ(loads_[0].sequence_number(), 1u);
  EXPECT_EQ(loads_[1].sequence_number(), 2u);
  EXPECT_EQ(loads_[2].sequence_number(), 1u);
  EXPECT_EQ(loads_[0].running_max(), 100) << "the interval asked for";
  const size_t seen = loads_.size();
  client.reset();
  FakeServer other;
  const auto another =
      ConnectEngine(io_.get_executor(), *clock_, SeededRandom(1), other.address(), config_, metrics_,
                    [](const v1::Load&) {});
  (void)Await(another->ListModels(Soon(), never_));
  io_.poll();
  EXPECT_EQ(loads_.size(), seen);
}

TEST_F(EngineClientTest, StreamOutlivesItsClient) {
  std::promise<void> go;
  auto gone = go.get_future().share();
  FakeServer server;
  server.set_handler([gone](grpc::ServerContext&, const v1::GenerateRequest&, Writer& writer) {
    writer.Write(ContentEvent("a"));
    gone.wait();
    writer.Write(FinishEvent(1));
    return grpc::Status::OK;
  });
  auto client = Connect(server.address());
  const auto stream = Generate(*client);
  ASSERT_TRUE(Next(*stream).ok());
  client.reset();
  go.set_value();
  std::string text;
  EXPECT_TRUE(ReadAll(*stream, &text).ok());
}

// A self-signed certificate for `name` with its key, as PEM.
struct Pem {
  std::string certificate, key;
};
std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}
Pem SelfSigned(const std::string& name, const std::string& uri = "") {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), subject);
  for (const auto& [nid, value] : std::vector<std::pair<int, std::string>>{
           {NID_subject_alt_name, "DNS:" + name + (uri.empty() ? "" : ",URI:" + uri)},
           {NID_basic_constraints, "critical,CA:TRUE"}}) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()), &X509_EXTENSION_free);
    X509_add_ext(certificate.get(), extension.get(), -1);
  }
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> a(BIO_new(BIO_s_mem()), &BIO_free),
      b(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(a.get(), certificate.get());
  PEM_write_bio_PrivateKey(b.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {Text(a.get()), Text(b.get())};
}
std::string Write(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + "engine_client_" + name;
  std::ofstream(path) << bytes;
  return path;
}

TEST_F(EngineClientTest, MutualTlsProvesTheEnginesIdentity) {
  const Pem engine = SelfSigned("engine.internal"), router = SelfSigned("router.internal"), other = SelfSigned("x");
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = router.certificate;
  options.pem_key_cert_pairs = {{engine.key, engine.certificate}};
  FakeServer server(grpc::SslServerCredentials(options));
  const std::string engine_ca = Write("engine.pem", engine.certificate),
                    other_ca = Write("other.pem", other.certificate);
  const std::string certificate = Write("router.pem", router.certificate), key = Write("router.key", router.key);

  struct Row {
    const char* name;
    TlsConfig tls;
    const char* server_name;
    bool connects;
    bool refused = false;  // by us, for its certificate
  };
  const std::vector<Row> rows = {
      {"right", {certificate, key, engine_ca, false}, "engine.internal", true},
      {"engine of another name", {certificate, key, engine_ca, false}, "payroll.internal", false, true},
      {"no name: the address must be proven", {certificate, key, engine_ca, false}, "", false, true},
      {"engine of another authority", {certificate, key, other_ca, false}, "engine.internal", false, true},
      {"no certificate of ours", {"", "", engine_ca, false}, "engine.internal", false},
      {"unreadable file: never plaintext", {certificate, key, "/nonexistent.pem", false}, "engine.internal", false},
      {"plaintext", {}, "", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    config_.tls = row.tls;
    config_.tls_server_name = row.server_name;
    ExpectReached(server.address(), row.connects, row.refused);
  }
}

TEST_F(EngineClientTest, AnIdentityOutsideTheListIsRefusedAndCounted) {
  const Pem engine = SelfSigned("engine.internal", "spiffe://cluster.local/ns/models/sa/engine");
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs = {{engine.key, engine.certificate}};
  FakeServer server(grpc::SslServerCredentials(options));
  const Pem stranger = SelfSigned("engine.internal");
  const std::string engine_ca = Write("engine.pem", engine.certificate),
                    other_ca = Write("stranger.pem", stranger.certificate);
  struct Row {
    const char* name;
    std::vector<std::string> identities;
    std::string ca;
    bool connects;
  };
  const std::vector<Row> rows = {
      {"by URI", {"spiffe://cluster.local/ns/models/sa/engine"}, engine_ca, true},
      {"by name", {"spiffe://elsewhere/x", "engine.internal"}, engine_ca, true},
      {"another identity", {"spiffe://cluster.local/ns/models/sa/payroll", "payroll.internal"}, engine_ca, false},
      {"the right words of another authority", {"engine.internal"}, other_ca, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    config_.tls = {"", "", row.ca, false};
    config_.tls_identities = row.identities;
    ExpectReached(server.address(), row.connects, !row.connects);
  }
}

TEST_F(EngineClientTest, AnAddressOutsideTheRangesIsNotConnectedTo) {
  FakeServer server;
  config_.address_ranges = {"10.0.0.0/8"};
  const auto client = Connect(server.address());
  EXPECT_EQ(Await(client->ListModels(Soon(), never_)).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(server.watches(), 0);
  const auto named = Connect("localhost:1");
  EXPECT_EQ(Await(named->ListModels(Soon(), never_)).status().code(), StatusCode::kUnavailable);
}

TEST_F(EngineClientTest, UnusableTlsFilesFailAlsoWhereTheServerIsPlain) {
  FakeServer server;
  config_.tls.ca_file = "/nonexistent.pem";
  const auto client = Connect(server.address());
  EXPECT_EQ(Await(client->ListModels(Soon(), never_)).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Next(*Generate(*client)).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(server.watches(), 0);
}

}  // namespace
}  // namespace headgate::router
