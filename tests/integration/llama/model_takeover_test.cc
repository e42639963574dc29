// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// headgate-engine with a served manifest: copies that are lost, a new model that takes over from the old, adapters from
// a watched folder and by RPC, the warm-up list. The real binary with a small model of random weights.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "engine/encrypted_model.h"
#include "engine/model_store.h"
#include "headgate/v1/engine.grpc.pb.h"
#include "headgate/v1/inference.grpc.pb.h"
#include "tests/integration/llama/gguf_files.h"
#include "tests/integration/llama/raw_llama.h"
#include "tests/integration/process.h"

namespace headgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class ModelTakeoverTest : public testing::Test {
 protected:
  void SetUp() override {
    if (engine::TestModel().empty()) GTEST_SKIP() << "no model file: run tools/setup or set HEADGATE_TEST_MODEL";
    fs::create_directories(folder_ / "adapters");
    ASSERT_TRUE(engine::WriteRandomModel(engine::TestModel(), Path("one.gguf"), 4096, 1));
    ASSERT_TRUE(engine::WriteRandomModel(engine::TestModel(), Path("two.gguf"), 4096, 2));
    fs::copy_file(Path("one.gguf"), Path("one_copy.gguf"));
    ASSERT_TRUE(engine::Promote(served_, "first", {Path("one.gguf"), Path("one_copy.gguf")}).ok());
  }
  ~ModelTakeoverTest() override {
    process_.reset();
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  absl::Status StartEngine(std::vector<std::string> more = {}, const std::vector<std::string>& environment = {}) {
    std::vector<std::string> flags = {"--model=" + served_,      "--listen=127.0.0.1:0", "--admin=127.0.0.1:0",
                                      "--metrics=127.0.0.1:0",   "--threads=1",          "--context-tokens=2048",
                                      "--adapters=" + Path("adapters"), "--watch-ms=20", "--parallel=4"};
    flags.insert(flags.end(), more.begin(), more.end());
    auto started = Process::Start(BinaryPath("headgate-engine"), flags, environment);
    if (!started.ok()) return started.status();
    process_ = *std::move(started);
    auto fields = process_->WaitListening();
    if (!fields.ok()) return fields.status();
    address_ = (*fields)["grpc"];
    const auto channel = [&](const char* name) {
      return grpc::CreateChannel((*fields)[name], grpc::InsecureChannelCredentials());
    };
    inference_ = v1::Inference::NewStub(channel("grpc"));
    admin_ = v1::Engine::NewStub(channel("admin"));
    load_ = v1::Engine::NewStub(channel("grpc"));
    return absl::OkStatus();
  }
  v1::Model Served() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(inference_->ListModels(&context, {}, &response).ok());
    return response.models(0);
  }
  // Asks until it fits; the test's time-out ends it.
  void WaitServed(const std::function<bool(const v1::Model&)>& fits) {
    while (!fits(Served())) std::this_thread::yield();
  }
  static v1::GenerateRequest Ask(int32_t max_tokens, const std::string& adapter = "") {
    v1::GenerateRequest request;
    request.set_prompt("one two three four five six seven eight nine ten");
    request.set_max_tokens(max_tokens);
    request.set_adapter(adapter);
    request.mutable_sampling()->set_temperature(0);
    // The end would come at random.
    for (int32_t token = 0; token < 20; ++token) (*request.mutable_sampling()->mutable_logit_bias())[token] = -100;
    return request;
  }
  grpc::Status Generate(const v1::GenerateRequest& request, std::string* text) {
    grpc::ClientContext context;
    v1::GenerateResponse response;
    const grpc::Status status = inference_->Generate(&context, request, &response);
    *text = response.message().content();
    cached_ = response.usage().cached_tokens();
    return status;
  }

  const fs::path folder_ = absl::StrCat(testing::TempDir(), "headgate_takeover_", getpid());
  const std::string served_ = (folder_ / "served.json").string();
  struct Ran {
    int code = -1;
    std::string out;
    std::string error;
  };
  static Ran Headgate(std::vector<std::string> arguments) {
    auto process = Process::Start(BinaryPath("headgate"), std::move(arguments));
    EXPECT_TRUE(process.ok()) << process.status();
    const auto code = (*process)->WaitExit();
    EXPECT_TRUE(code.ok()) << code.status();
    return {code.value_or(-1), (*process)->Stdout(), (*process)->Stderr()};
  }

  std::string address_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<v1::Inference::Stub> inference_;
  std::unique_ptr<v1::Engine::Stub> admin_;
  std::unique_ptr<v1::Engine::Stub> load_;  // the same service on the port that routers use
  int64_t cached_ = 0;
};

TEST_F(ModelTakeoverTest, AChangedManifestTakesOverAndNoStreamIsDropped) {
  ASSERT_TRUE(StartEngine().ok());
  EXPECT_EQ(Served().id(), "first");
  std::string alone;
  ASSERT_TRUE(Generate(Ask(400), &alone).ok());

  grpc::ClientContext context;
  const auto stream = inference_->GenerateStream(&context, Ask(400));
  v1::GenerateStreamResponse event;
  ASSERT_TRUE(stream->Read(&event));
  std::string text = event.delta().content();
  ASSERT_TRUE(engine::Promote(served_, "second", {Path("two.gguf")}).ok());
  WaitServed([](const v1::Model& model) { return model.id() == "second"; });
  std::string other;
  ASSERT_TRUE(Generate(Ask(20), &other).ok());
  EXPECT_NE(other, alone.substr(0, other.size())) << "still the old weights";
  while (stream->Read(&event)) text += event.delta().content();
  const grpc::Status end = stream->Finish();
  EXPECT_TRUE(end.ok()) << end.error_message();
  EXPECT_EQ(event.finish().reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(text, alone) << "the stream went on with the model that it began with";

  // By call, back to the first file.
  v1::LoadModelRequest request;
  request.set_file(Path("one.gguf"));
  v1::LoadModelResponse response;
  grpc::Status loaded;
  do {  // FAILED_PRECONDITION until the first model is gone
    grpc::ClientContext call;
    loaded = admin_->LoadModel(&call, request, &response);
  } while (loaded.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(loaded.ok()) << loaded.error_message();
  std::string back;
  ASSERT_TRUE(Generate(Ask(400), &back).ok());
  EXPECT_EQ(back, alone);
}

TEST_F(ModelTakeoverTest, ABadChangeIsRefusedAndTheModelStays) {
  ASSERT_TRUE(StartEngine().ok());
  std::ofstream(served_) << "{";
  std::string text;
  while (process_->Stderr().find("the changed manifest is refused") == std::string::npos) {
    ASSERT_TRUE(Generate(Ask(2), &text).ok());
  }
  EXPECT_EQ(Served().id(), "first");
  for (const auto& [file, code] : {std::pair("none.gguf", grpc::StatusCode::NOT_FOUND),
                                   std::pair("served.json", grpc::StatusCode::INVALID_ARGUMENT)}) {
    grpc::ClientContext context;
    v1::LoadModelRequest request;
    request.set_file(Path(file));
    v1::LoadModelResponse response;
    const grpc::Status status = admin_->LoadModel(&context, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(file));
  }
  EXPECT_TRUE(Generate(Ask(2), &text).ok());
  // Whoever may ask for answers may not choose what is served.
  grpc::ClientContext context;
  v1::LoadModelRequest request;
  request.set_file(Path("two.gguf"));
  v1::LoadModelResponse response;
  EXPECT_EQ(load_->LoadModel(&context, request, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  grpc::ClientContext another;
  v1::UnloadAdapterResponse unloaded;
  EXPECT_EQ(load_->UnloadAdapter(&another, {}, &unloaded).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ModelTakeoverTest, ADamagedCopyIsPassedOverAndReported) {
  std::fstream file(Path("one.gguf"), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(3000000);
  const auto flipped = static_cast<char>(file.peek() ^ 1);
  file.seekp(3000000);
  file.put(flipped).flush();
  ASSERT_TRUE(StartEngine().ok());
  std::string text;
  EXPECT_TRUE(Generate(Ask(4), &text).ok());
  EXPECT_THAT(process_->Stderr(), HasSubstr("a copy of the model is lost"));
  EXPECT_THAT(process_->Stderr(), HasSubstr("one.gguf: has SHA-256"));
  process_.reset();
  fs::remove(Path("one_copy.gguf"));
  const absl::Status none = StartEngine();
  EXPECT_THAT(std::string(none.message()), HasSubstr("none of 2 copies of the model is good"));
}

TEST_F(ModelTakeoverTest, EncryptedCopiesNeedTheirKey) {
  const std::string key(64, 'a');
  ASSERT_EQ(setenv("HEADGATE_TEST_TAKEOVER_KEY", key.c_str(), 1), 0);
  ASSERT_TRUE(engine::EncryptModel(Path("one.gguf"), Path("secret.gguf"),
                                   *engine::LoadModelKey("env:HEADGATE_TEST_TAKEOVER_KEY"), SystemRandom()).ok());
  ASSERT_TRUE(engine::Promote(served_, "secret", {Path("secret.gguf")}).ok());
  EXPECT_THAT(std::string(StartEngine().message()), HasSubstr("is encrypted; its key is needed"));
  // What a KMS or HSM hook is: a program that prints the key.
  EXPECT_THAT(std::string(StartEngine({"--model-key=command:echo " + std::string(64, 'b')}).message()),
              HasSubstr("was encrypted with another key"));
  EXPECT_THAT(std::string(StartEngine({"--model-key=command:exit 3"}).message()), HasSubstr("command failed"));
  ASSERT_TRUE(StartEngine({"--model-key=command:echo " + key}).ok());
  std::string text;
  EXPECT_TRUE(Generate(Ask(4), &text).ok());
  EXPECT_EQ(Served().id(), "secret");
}

TEST_F(ModelTakeoverTest, AdaptersFromTheFolderAndByCall) {
  ASSERT_TRUE(engine::WriteAdapter(Path("one.gguf"), Path("a.gguf"), 1, 1));
  ASSERT_TRUE(engine::WriteAdapter(engine::TestModel(), Path("foreign.gguf"), 1, 1));
  fs::copy_file(Path("a.gguf"), folder_ / "adapters" / "there.gguf");
  ASSERT_TRUE(StartEngine().ok());
  EXPECT_THAT(Served().adapters(), ElementsAre("there"));
  std::string plain;
  std::string adapted;
  ASSERT_TRUE(Generate(Ask(30), &plain).ok());
  ASSERT_TRUE(Generate(Ask(30, "there"), &adapted).ok());
  EXPECT_NE(plain, adapted);
  std::string text;
  const grpc::Status unknown = Generate(Ask(30, "nobody"), &text);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(), HasSubstr("adapter: "));

  const auto load = [&](const std::string& name, const std::string& file) {
    grpc::ClientContext context;
    v1::LoadAdapterRequest request;
    request.set_name(name);
    request.set_file(Path(file));
    v1::LoadAdapterResponse response;
    return admin_->LoadAdapter(&context, request, &response);
  };
  ASSERT_TRUE(load("called", "a.gguf").ok());
  const grpc::Status foreign = load("foreign", "foreign.gguf");
  EXPECT_EQ(foreign.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(foreign.error_message(), HasSubstr("wrong base model"));
  ASSERT_TRUE(Generate(Ask(30, "called"), &text).ok());
  EXPECT_EQ(text, adapted);
  fs::copy_file(Path("a.gguf"), folder_ / "adapters" / "later.gguf");
  WaitServed([](const v1::Model& model) { return model.adapters_size() == 3; });
  fs::remove(folder_ / "adapters" / "there.gguf");
  WaitServed([](const v1::Model& model) { return model.adapters_size() == 2; });
  EXPECT_THAT(Served().adapters(), ElementsAre("called", "later"));
  // A new model has them too.
  ASSERT_TRUE(engine::Promote(served_, "second", {Path("two.gguf")}).ok());
  WaitServed([](const v1::Model& model) { return model.id() == "second"; });
  EXPECT_THAT(Served().adapters(), ElementsAre("called", "later"));
  grpc::ClientContext context;
  v1::UnloadAdapterRequest unload;
  unload.set_name("called");
  v1::UnloadAdapterResponse response;
  EXPECT_TRUE(admin_->UnloadAdapter(&context, unload, &response).ok());
  EXPECT_EQ(Generate(Ask(3, "called"), &text).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ModelTakeoverTest, TheWarmUpListIsCached) {
  std::string system;
  for (int i = 0; i < 40; ++i) absl::StrAppend(&system, "rule ", i, " is to be kept. ");
  std::ofstream(Path("warm.jsonl")) << R"({"system": ")" << system << R"(", "tenant": "t"})" << "\n";
  ASSERT_TRUE(StartEngine({"--warm-up-prompts=" + Path("warm.jsonl")}).ok());
  const auto cached = [&](const std::string& tenant) {
    v1::GenerateRequest request;
    auto* const message = request.add_messages();
    message->set_role(v1::ROLE_SYSTEM);
    message->set_content(system);
    auto* const user = request.add_messages();
    user->set_role(v1::ROLE_USER);
    user->set_content("hello");
    request.set_user(tenant);
    request.set_max_tokens(2);
    std::string text;
    EXPECT_TRUE(Generate(request, &text).ok());
    return cached_;
  };
  grpc::ClientContext context;
  v1::WarmUpResponse response;
  ASSERT_TRUE(admin_->WarmUp(&context, {}, &response).ok());  // after the one at the start
  EXPECT_EQ(response.prompts(), 1);
  EXPECT_GT(cached("t"), 200);
  EXPECT_EQ(cached("another"), 0);
  process_.reset();
  std::ofstream(Path("warm.jsonl")) << R"({"system": "x", "prompt": 1})" << "\n";
  EXPECT_THAT(std::string(StartEngine({"--warm-up-prompts=" + Path("warm.jsonl")}).message()),
              HasSubstr("warm.jsonl:1: has an unknown key"));
}

TEST_F(ModelTakeoverTest, TheCommandLineMakesWhatTheEngineServes) {
  const std::string one = Path("one.gguf");
  std::ofstream(Path("text.txt")) << "a few words are enough to see that it runs\n";
  EXPECT_THAT(Headgate({"model", "inspect", one}).out, HasSubstr("llama.context_length 4096"));
  Ran ran = Headgate({"model", "verify", served_});
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("one_copy.gguf: good (SHA-256)"));
  EXPECT_EQ(Headgate({"model", "verify", one}).code, 1) << "it has no manifest of its own";

  ran = Headgate({"model", "quantize", one, "--to", Path("q8.gguf"), "--type", "Q8_0", "--threads", "1", "--text",
                  Path("text.txt")});
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("perplexity"));
  EXPECT_THAT(ran.out, HasSubstr("change "));
  EXPECT_EQ(Headgate({"model", "quantize", one, "--to", Path("q8.gguf"), "--type", "Q8_0"}).code, 1) << "it exists";
  ran = Headgate({"model", "quantize", one, "--to", Path("x.gguf"), "--type", "Q9"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.error, HasSubstr("Q4_K_M"));

  // The gate refuses; then it passes, and a running engine takes over.
  ASSERT_TRUE(StartEngine().ok());
  const std::vector<std::string> pipeline = {"model", "pipeline", one, "--to", Path("p.gguf"), "--type", "Q8_0",
                                             "--served", served_, "--name", "quantised", "--threads", "1", "--text",
                                             Path("text.txt")};
  std::vector<std::string> refused = pipeline;
  refused.insert(refused.end(), {"--size-ratio-max", "0.01"});
  ran = Headgate(refused);
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("the gate is not passed: "), HasSubstr("size is 0.35")));
  EXPECT_EQ(Served().id(), "first");
  std::vector<std::string> passed = pipeline;
  passed.insert(passed.end(), {"--perplexity-rise-max", "1"});
  ran = Headgate(passed);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("one.gguf: has no manifest, so it was not verified"));
  WaitServed([](const v1::Model& model) { return model.id() == "quantised"; });

  ASSERT_EQ(setenv("HEADGATE_TEST_COMMAND_KEY", std::string(64, 'c').c_str(), 1), 0);
  ran = Headgate({"model", "encrypt", one, "--to", Path("e.gguf"), "--model-key", "env:HEADGATE_TEST_COMMAND_KEY"});
  EXPECT_EQ(ran.code, 0) << ran.error;
  ran = Headgate({"model", "verify", Path("e.gguf"), "--model-key", "env:HEADGATE_TEST_COMMAND_KEY"});
  EXPECT_THAT(ran.out, HasSubstr("good (SHA-256, key, every segment)")) << ran.error;
}

TEST_F(ModelTakeoverTest, DriftIsMeasuredAgainstABaseline) {
  ASSERT_TRUE(StartEngine().ok());
  std::ofstream(Path("probes.txt")) << "one two three\nfour five six\nseven eight nine\n";
  const auto drift = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"drift", "--engine", address_, "--baseline", Path("drift.json"), "--probes",
                                          Path("probes.txt")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Headgate(arguments);
  };
  Ran ran = drift({});
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("baseline written"));
  ran = drift({});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("no drift"));
  // Other weights.
  ASSERT_TRUE(engine::Promote(served_, "second", {Path("two.gguf")}).ok());
  WaitServed([](const v1::Model& model) { return model.id() == "second"; });
  const std::vector<std::string> narrow = {"--logprob-change-max", "0.0001"};
  ran = drift(narrow);
  EXPECT_EQ(ran.code, 3) << ran.out << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("drift: mean log-probability"));
  EXPECT_EQ(drift({"--recalibrate"}).code, 0);
  EXPECT_EQ(drift(narrow).code, 0);
  process_.reset();
  EXPECT_EQ(drift({}).code, 1) << "nobody answers";
}

}  // namespace
}  // namespace headgate
