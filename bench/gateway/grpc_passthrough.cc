// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// gateway-grpc leaf|proxy|load: the yardstick for the way gRPC in, gRPC out. `leaf` answers at once, as an engine that
// always has room; `proxy` hands every call on and does nothing else, with gRPC's callback API as the router has it;
// `load` calls with so many callers at a time and prints a line of JSON.

#include <grpcpp/alarm.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "headgate/v1/engine.grpc.pb.h"
#include "headgate/v1/inference.grpc.pb.h"

namespace headgate::services {
namespace {

using Event = v1::GenerateStreamResponse;

gpr_timespec After(int ms) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

// gRPC's reactors live until OnDone: each holds itself.
template <typename Reactor, typename... Arguments>
Reactor* StartReactor(Arguments&&... arguments) {
  const auto reactor = std::make_shared<Reactor>(std::forward<Arguments>(arguments)...);
  reactor->self = reactor;
  return reactor.get();
}

// An answer of `tokens` deltas and a finish.
class LeafStream final : public grpc::ServerWriteReactor<Event> {
 public:
  std::shared_ptr<LeafStream> self;
  explicit LeafStream(int tokens) : left_(tokens) { Next(); }
  void OnWriteDone(bool ok) override { ok ? Next() : Finish(grpc::Status::CANCELLED); }
  void OnDone() override { self.reset(); }

 private:
  void Next() {
    if (left_ < 0) return Finish(grpc::Status::OK);
    event_.Clear();
    if (left_-- > 0) {
      event_.mutable_delta()->set_content(" token");
    } else {
      event_.mutable_finish()->set_reason(v1::FINISH_REASON_STOP);
      event_.mutable_finish()->mutable_usage()->set_completion_tokens(16);
      event_.mutable_finish()->mutable_usage()->set_prompt_tokens(100);
    }
    StartWrite(&event_);
  }
  int left_;
  Event event_;
};

class LeafLoad final : public grpc::ServerWriteReactor<v1::Load> {
 public:
  std::shared_ptr<LeafLoad> self;
  LeafLoad() { Write(); }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    alarm_.Set(After(100), [this](bool) { Write(); });
  }
  void OnCancel() override { alarm_.Cancel(); }
  void OnDone() override { self.reset(); }

 private:
  void Write() {
    load_.set_model("stub");
    load_.set_running_max(100000);
    load_.set_kv_cells_free(1 << 30);
    load_.set_kv_cells_total(1 << 30);
    load_.set_sequence_number(load_.sequence_number() + 1);
    StartWrite(&load_);
  }
  v1::Load load_;
  grpc::Alarm alarm_;
};

class LeafInference final : public v1::Inference::CallbackService {
 public:
  explicit LeafInference(int tokens) : tokens_(tokens) {
    for (int i = 0; i < tokens; ++i) text_ += " token";
  }
  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const v1::GenerateRequest*,
                                     v1::GenerateResponse* response) override {
    response->mutable_message()->set_content(text_);
    response->set_finish_reason(v1::FINISH_REASON_STOP);
    response->mutable_usage()->set_completion_tokens(tokens_);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerWriteReactor<Event>* GenerateStream(grpc::CallbackServerContext*, const v1::GenerateRequest*) override {
    return StartReactor<LeafStream>(tokens_);
  }

 private:
  const int tokens_;
  std::string text_;
};

class LeafEngine final : public v1::Engine::CallbackService {
  grpc::ServerWriteReactor<v1::Load>* WatchLoad(grpc::CallbackServerContext*, const v1::WatchLoadRequest*) override {
    return StartReactor<LeafLoad>();
  }
};

// One streamed call in, one out; each event is written before the next is read.
class ProxyStream final : public grpc::ServerWriteReactor<Event> {
 public:
  std::shared_ptr<ProxyStream> self;
  ProxyStream(v1::Inference::Stub& stub, const v1::GenerateRequest& request) : reader_(*this) {
    stub.async()->GenerateStream(&context_, &request, &reader_);
    reader_.Begin();
  }
  void OnWriteDone(bool ok) override {
    if (!ok) context_.TryCancel();
    reader_.More();
  }
  void OnCancel() override { context_.TryCancel(); }
  void OnDone() override { self.reset(); }

 private:
  class Reader final : public grpc::ClientReadReactor<Event> {
   public:
    explicit Reader(ProxyStream& owner) : owner_(owner) {}
    void Begin() {
      AddHold();  // reads start outside its reactions
      StartRead(&event_);
      StartCall();
    }
    void More() { StartRead(&event_); }
    void OnReadDone(bool ok) override { ok ? owner_.StartWrite(&event_) : RemoveHold(); }
    void OnDone(const grpc::Status& status) override { owner_.Finish(status); }

   private:
    ProxyStream& owner_;
    Event event_;
  };
  grpc::ClientContext context_;
  Reader reader_;
};

class Proxy final : public v1::Inference::CallbackService {
 public:
  explicit Proxy(const std::string& upstream)
      : stub_(v1::Inference::NewStub(grpc::CreateChannel(upstream, grpc::InsecureChannelCredentials()))) {}
  grpc::ServerUnaryReactor* Generate(grpc::CallbackServerContext* context, const v1::GenerateRequest* request,
                                     v1::GenerateResponse* response) override {
    auto* reactor = context->DefaultReactor();
    auto out = std::make_shared<grpc::ClientContext>();
    stub_->async()->Generate(out.get(), request, response,
                             [reactor, out](const grpc::Status& status) { reactor->Finish(status); });
    return reactor;
  }
  grpc::ServerWriteReactor<Event>* GenerateStream(grpc::CallbackServerContext*,
                                                  const v1::GenerateRequest* request) override {
    return StartReactor<ProxyStream>(*stub_, *request);
  }

 private:
  const std::unique_ptr<v1::Inference::Stub> stub_;
};

int Serve(const std::string& listen, const std::vector<grpc::Service*>& services) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  std::cout << "listening grpc=127.0.0.1:" << port << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(gpr_now(GPR_CLOCK_REALTIME));
  return 0;
}

// Calls of all callers.
struct Load {
  std::unique_ptr<v1::Inference::Stub> stub;
  v1::GenerateRequest request;
  bool stream = false;
  MonotonicTime until;
  std::mutex mutex;
  std::condition_variable all_ended;
  int running = 0;
  int64_t failed = 0;
  std::vector<double> us;

  // Whether the caller goes on.
  bool Record(bool ok, MonotonicTime begin) {
    const MonotonicTime now = RealTime().Monotonic();
    const std::lock_guard lock(mutex);
    if (ok) us.push_back(absl::ToDoubleMicroseconds(now - begin));
    failed += ok ? 0 : 1;
    if (now < until) return true;
    if (--running == 0) all_ended.notify_all();
    return false;
  }
};

class StreamCaller final : public grpc::ClientReadReactor<Event> {
 public:
  std::shared_ptr<StreamCaller> self;
  explicit StreamCaller(Load& load) : load_(load), begin_(RealTime().Monotonic()) {}
  void Begin() {
    load_.stub->async()->GenerateStream(&context_, &load_.request, this);
    StartRead(&event_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    finished_ = finished_ || event_.has_finish();
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override {
    if (load_.Record(status.ok() && finished_, begin_)) StartReactor<StreamCaller>(load_)->Begin();
    self.reset();
  }

 private:
  Load& load_;
  const MonotonicTime begin_;
  grpc::ClientContext context_;
  Event event_;
  bool finished_ = false;
};

void CallOnce(Load& load) {
  struct Call {
    grpc::ClientContext context;
    v1::GenerateResponse response;
    MonotonicTime begin = RealTime().Monotonic();
  };
  auto call = std::make_shared<Call>();
  const auto next = [&load, call](const grpc::Status& status) {
    if (load.Record(status.ok(), call->begin)) CallOnce(load);
  };
  load.stub->async()->Generate(&call->context, &load.request, &call->response, next);
}

int RunLoad(const std::string& target, int callers, double seconds, int bytes, bool stream) {
  Load load;
  load.stub = v1::Inference::NewStub(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
  v1::Message& message = *load.request.add_messages();
  message.set_role(v1::ROLE_USER);
  constexpr std::string_view kWords = "The canal carries grain and stone between the mills of the valley. ";
  while (static_cast<int>(message.content().size()) < bytes) message.mutable_content()->append(kWords);
  message.mutable_content()->resize(static_cast<size_t>(bytes));
  load.until = RealTime().Monotonic() + absl::Seconds(seconds);
  load.running = callers;
  for (int i = 0; i < callers; ++i) {
    stream ? StartReactor<StreamCaller>(load)->Begin() : CallOnce(load);
  }
  std::unique_lock lock(load.mutex);
  load.all_ended.wait(lock, [&load] { return load.running == 0; });
  std::sort(load.us.begin(), load.us.end());
  const auto at = [&load](double q) { return load.us.empty() ? 0.0 : load.us[size_t(q * double(load.us.size() - 1))]; };
  std::cout << absl::StrCat("{\"calls\":", load.us.size(), ",\"failed\":", load.failed, ",\"p50_us\":", at(0.5),
                            ",\"p99_us\":", at(0.99), "}")
            << std::endl;
  return load.failed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  std::string listen = "127.0.0.1:0", target;
  int tokens = 16, callers = 16, bytes = 512;
  double seconds = 2;
  bool stream = false;
  CLI::App app("gRPC without a gateway, and with the least of one");
  app.require_subcommand(1);
  auto* leaf = app.add_subcommand("leaf", "answers");
  leaf->add_option("--listen", listen);
  leaf->add_option("--tokens", tokens);
  auto* proxy = app.add_subcommand("proxy", "hands on");
  proxy->add_option("--listen", listen);
  proxy->add_option("--upstream", target)->required();
  auto* load = app.add_subcommand("load", "calls");
  load->add_option("--target", target)->required();
  load->add_option("--callers", callers);
  load->add_option("--seconds", seconds);
  load->add_option("--bytes", bytes, "of the prompt");
  load->add_flag("--stream", stream);
  CLI11_PARSE(app, argc, argv);
  if (*load) return RunLoad(target, callers, seconds, bytes, stream);
  if (*proxy) {
    Proxy service(target);
    return Serve(listen, {&service});
  }
  LeafInference inference(tokens);
  LeafEngine engine;
  return Serve(listen, {&inference, &engine});
}

}  // namespace
}  // namespace headgate::services

int main(int argc, char** argv) { return headgate::services::Main(argc, argv); }
