// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/router/router_world.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/clock.h"
#include "services/router/openai_json.h"
#include "tests/fakes/time_scale.h"

namespace headgate {

std::string ChatBody(const std::string& text, const std::string& more) {
  std::string body = "{\"model\":\"\",\"messages\":[{\"role\":\"user\",\"content\":";
  services::AppendJsonString(body, text);
  absl::StrAppend(&body, "}]", more.empty() ? "" : ",", more, "}");
  return body;
}

RouterWorld::RouterWorld() {
  std::string folder = (std::filesystem::temp_directory_path() / "headgate-router-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  folder_ = folder;
  Write("audit.key", std::string(32, 'k'));
}

RouterWorld::~RouterWorld() {
  if (router_ && HasFailure()) std::cerr << "router's log:\n" << router_->Stderr() << "\n";
  router_.reset();
  engine_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string RouterWorld::Write(const std::string& name, const std::string& text) const {
  // Renamed into place, as an operator's tool would: a reader sees the old file or the new one.
  const std::string path = Path(name);
  std::ofstream(path + ".new", std::ios::binary) << text;
  std::filesystem::rename(path + ".new", path);
  return path;
}

std::string RouterWorld::RouterYamlText(const RouterYaml& yaml) const {
  const std::string cloud_url = emulator_ ? emulator_->base_url() : "http://127.0.0.1:9";
  return absl::StrCat("listen:\n  grpc: 127.0.0.1:0\n  http: 127.0.0.1:0\n  admin: 127.0.0.1:0\n",
                      "  metrics: 127.0.0.1:0\n", yaml.listen, "limits:\n", yaml.limits, "policy:\n", yaml.policy,
                      "local:\n  endpoints:\n    - name: engine\n      address: ", engine_address_, "\n",
                      yaml.endpoint, "cloud:\n  enabled: true\n  base_url: ", cloud_url,
                      "\n  api_key_file: cloud.key\n  backoff_base: 1ms\n", yaml.cloud,
                      "audit:\n  directory: audit\n  key_file: audit.key\n", yaml.audit,
                      yaml.tenants.empty() ? "anonymous: true\n" : "tenants_file: tenants.yaml\n", yaml.more);
}

void RouterWorld::StartEmulator() {
  auto emulator = DeepSeekEmulator::Start({});
  ASSERT_TRUE(emulator.ok()) << emulator.status();
  emulator_ = *std::move(emulator);
}

void RouterWorld::StartEngine(std::vector<std::string> arguments) {
  for (const char* argument : {"--reference", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--metrics",
                               "127.0.0.1:0"}) {
    arguments.push_back(argument);
  }
  auto engine = Process::Start(BinaryPath("headgate-engine"), std::move(arguments));
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  auto addresses = engine_->WaitListening();
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  engine_address_ = (*addresses)["grpc"];
}

void RouterWorld::StartRouter(const RouterYaml& yaml, const std::vector<std::string>& environment) {
  Write("cloud.key", "test-cloud-key\n");
  if (!yaml.tenants.empty()) Write("tenants.yaml", yaml.tenants);
  const std::string config = Write("router.yaml", RouterYamlText(yaml));
  auto router = Process::Start(BinaryPath("headgate-router"), {"--config", config}, environment);
  ASSERT_TRUE(router.ok()) << router.status();
  router_ = *std::move(router);
  auto addresses = router_->WaitListening();
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  http_ = (*addresses)["http"];
  grpc_ = (*addresses)["grpc"];
  admin_ = (*addresses)["admin"];
  metrics_ = (*addresses)["metrics"];
}

void RouterWorld::StartAll(const RouterYaml& yaml, std::vector<std::string> engine_arguments) {
  ASSERT_NO_FATAL_FAILURE(StartEmulator());
  ASSERT_NO_FATAL_FAILURE(StartEngine(std::move(engine_arguments)));
  ASSERT_NO_FATAL_FAILURE(StartRouter(yaml));
  WaitFor("an engine that is ready", [this] {
    const auto state = State();
    return state.endpoints_size() == 1 && state.endpoints(0).ready();
  });
}

double RouterWorld::RouterMetric(const std::string& name) const {
  const HttpResult text = Get("http://" + metrics_ + "/metrics");
  for (absl::string_view line : absl::StrSplit(text.body, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, name) && absl::ConsumePrefix(&line, " ") && absl::SimpleAtod(line, &value)) {
      return value;
    }
  }
  return -1;
}

void RouterWorld::WaitFor(const char* what, const std::function<bool()>& true_now) const {
  const MonotonicTime deadline = RealTime().Monotonic() + absl::Seconds(20) * TimeScale();
  while (!true_now()) {
    ASSERT_LT(RealTime().Monotonic(), deadline) << "did not come about: " << what;
    std::this_thread::yield();
  }
}

RouterWorld::Ended RouterWorld::Run(const std::string& program, std::vector<std::string> arguments,
                                    const std::vector<std::string>& environment) {
  Ended ended;
  auto process = Process::Start(program, std::move(arguments), environment);
  EXPECT_TRUE(process.ok()) << process.status();
  if (!process.ok()) return ended;
  const auto code = (*process)->WaitExit();
  EXPECT_TRUE(code.ok()) << code.status();
  ended.code = code.value_or(-1);
  ended.out = (*process)->Stdout();
  ended.err = (*process)->Stderr();
  return ended;
}

namespace {

std::shared_ptr<grpc::Channel> Channel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

std::unique_ptr<v1::Inference::Stub> RouterWorld::Inference() const { return v1::Inference::NewStub(Channel(grpc_)); }
std::unique_ptr<v1::Router::Stub> RouterWorld::Admin() const { return v1::Router::NewStub(Channel(admin_)); }

v1::GetStateResponse RouterWorld::State() const {
  grpc::ClientContext context;
  v1::GetStateResponse state;
  const grpc::Status status = Admin()->GetState(&context, {}, &state);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return state;
}

void RouterWorld::WaitForIdleEngine() const {
  const auto engine = v1::Engine::NewStub(Channel(engine_address_));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(RealTime().WallTime() + absl::Seconds(20) * TimeScale()));
  v1::WatchLoadRequest request;
  request.set_interval_ms(10);
  const auto reader = engine->WatchLoad(&context, request);
  v1::Load load;
  bool idle = false;
  while (!idle && reader->Read(&load)) {
    idle = load.running() == 0 && load.waiting() == 0 && load.kv_cells_free() == load.kv_cells_total();
  }
  EXPECT_TRUE(idle) << "the engine still computes: running " << load.running() << " waiting " << load.waiting();
  context.TryCancel();
  reader->Finish();
}

v1::GenerateRequest RouterWorld::Request(const std::string& text, int max_tokens) const {
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  request.set_max_tokens(max_tokens);
  return request;
}

}  // namespace headgate
