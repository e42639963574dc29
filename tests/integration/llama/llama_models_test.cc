// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What happens to models: quantised, measured, promoted; adapters; kept states; quantised KV cells. The mechanics with
// a small model of random weights, what needs a real one with the test model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "engine/backend/llama.h"
#include "engine/backend/model_tools.h"
#include "engine/encrypted_model.h"
#include "engine/model_store.h"
#include "tests/integration/llama/gguf_files.h"
#include "tests/integration/llama/llama_backend_fixture.h"

namespace headgate::engine {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

class LlamaModelsTest : public LlamaBackendTest {
 protected:
  void SetUp() override {
    LlamaBackendTest::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(WriteRandomModel(TestModel(), random_, 32768, 7));
  }
  ~LlamaModelsTest() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  static LlamaConfig ConfigOf(const std::string& path) {
    LlamaConfig config = SmallConfig();
    config.model_path = path;
    return config;
  }
  static std::unique_ptr<Backend> Make(const LlamaConfig& config) {
    auto made = MakeLlamaBackend(config);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }
  Pipeline ToQ8() const {
    Pipeline job;
    job.from = random_;
    job.to = folder_ + "/q8.gguf";
    job.type = "q8_0";
    job.served = folder_ + "/served.json";
    job.text = "a few words are enough to see that it runs";
    job.threads = 2;
    return job;
  }

  const std::string folder_ = absl::StrCat(testing::TempDir(), "headgate_models_", getpid());
  const std::string random_ = folder_ + "/random.gguf";
};

TEST_F(LlamaModelsTest, QuantisesAndMeasures) {
  const std::string to = folder_ + "/q4.gguf";
  ASSERT_TRUE(QuantizeModel(random_, to, "Q4_0", 2).ok());
  EXPECT_EQ(QuantizeModel(random_, to, "Q4_0", 2).code(), absl::StatusCode::kAlreadyExists);
  const auto before = EvaluateModel(random_, "", EvaluationText(), 2);
  const auto after = EvaluateModel(to, "", EvaluationText(), 2);
  ASSERT_TRUE(before.ok() && after.ok()) << before.status() << after.status();
  EXPECT_LT(after->bytes, before->bytes / 2);
  EXPECT_EQ(after->tokens, before->tokens);
  EXPECT_GT(before->tokens, 500);
  EXPECT_GT(before->perplexity, 1000) << "random weights know nothing";
  EXPECT_GT(before->prefill_tokens_per_second, 0);
  EXPECT_GT(before->decode_tokens_per_second, 0);
  // The test model knows English.
  const auto real = EvaluateModel(TestModel(), "", EvaluationText().substr(0, 600), 2);
  ASSERT_TRUE(real.ok()) << real.status();
  EXPECT_GT(real->perplexity, 3);
  EXPECT_LT(real->perplexity, 60);
}

TEST_F(LlamaModelsTest, QuantisingRefusesWhatItCannotDo) {
  const std::string to = folder_ + "/x.gguf";
  std::ofstream(folder_ + "/text.gguf") << "no model";
  std::ofstream(folder_ + "/cut.gguf") << "GGUF and then nothing";
  ASSERT_TRUE(EncryptModel(random_, folder_ + "/secret.gguf", ModelKey({}), SystemRandom()).ok());
  const struct {
    const char* name;
    std::string from;
    const char* type;
    const char* complaint;
  } rows[] = {
      {"unknown_type", random_, "Q9_9", "Q4_K_M"},          {"no_file", folder_ + "/none.gguf", "Q8_0", "no such file"},
      {"no_gguf", folder_ + "/text.gguf", "Q8_0", "GGUF"}, {"cut", folder_ + "/cut.gguf", "Q8_0", "cut.gguf"},
      {"encrypted", folder_ + "/secret.gguf", "Q8_0", "is encrypted"},
  };
  for (const auto& row : rows) {
    const absl::Status status = QuantizeModel(row.from, to, row.type, 2);
    EXPECT_FALSE(status.ok()) << row.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.complaint)) << row.name;
    EXPECT_FALSE(std::filesystem::exists(to)) << row.name;
    EXPECT_FALSE(std::filesystem::exists(to + ".new")) << row.name;
  }
}

TEST_F(LlamaModelsTest, InspectsPlainAndEncryptedFiles) {
  const auto plain = InspectModel(random_, "");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_FALSE(plain->encrypted);
  EXPECT_GT(plain->tensors, 10);
  EXPECT_THAT(plain->metadata, Contains(Pair("llama.context_length", "32768")));
  const std::string secret = folder_ + "/secret.gguf";
  ASSERT_EQ(setenv("HEADGATE_TEST_INSPECT_KEY", std::string(64, '0').c_str(), 1), 0);
  ASSERT_TRUE(EncryptModel(random_, secret, *LoadModelKey("env:HEADGATE_TEST_INSPECT_KEY"), SystemRandom()).ok());
  EXPECT_THAT(std::string(InspectModel(secret, "").status().message()), HasSubstr("its key is needed"));
  const auto encrypted = InspectModel(secret, "env:HEADGATE_TEST_INSPECT_KEY");
  ASSERT_TRUE(encrypted.ok()) << encrypted.status();
  EXPECT_TRUE(encrypted->encrypted);
  EXPECT_EQ(encrypted->metadata, plain->metadata);
}

TEST_F(LlamaModelsTest, ThePipelinePromotesWhatPassesTheGate) {
  Pipeline job = ToQ8();
  job.copies = {folder_ + "/second"};
  std::filesystem::create_directories(job.copies[0]);
  ASSERT_TRUE(WriteManifest(random_, "tiny").ok());
  job.gate.perplexity_rise_max = 0.5;
  PipelineFigures figures;
  const absl::Status status = RunPipeline(job, figures);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_LT(figures.after.bytes, figures.before.bytes);
  const auto served = ReadServedManifest(job.served);
  ASSERT_TRUE(served.ok()) << served.status();
  EXPECT_EQ(served->name, "tiny");
  ASSERT_EQ(served->copies.size(), 2U);
  for (const std::string& copy : served->copies) EXPECT_TRUE(VerifyModel(copy, *served).ok());
}

TEST_F(LlamaModelsTest, APipelineThatFailsChangesNothing) {
  const Pipeline good = ToQ8();
  ASSERT_TRUE(Promote(good.served, "before", {random_}).ok());
  const struct {
    const char* name;
    std::function<void(Pipeline&)> change;
    absl::StatusCode code;
    const char* complaint;
  } rows[] = {
      {"perplexity", [](Pipeline& p) { p.gate.perplexity_rise_max = -0.9; }, absl::StatusCode::kFailedPrecondition,
       "the gate is not passed: perplexity rises"},
      {"size", [](Pipeline& p) { p.gate.size_ratio_max = 0.01; }, absl::StatusCode::kFailedPrecondition, "size is"},
      {"speed", [](Pipeline& p) { p.gate.decode_ratio_min = 1e6; }, absl::StatusCode::kFailedPrecondition, "speed is"},
      {"no_folder", [](Pipeline& p) { p.copies = {"/nowhere/at/all"}; }, absl::StatusCode::kInternal, "nowhere"},
      {"text", [](Pipeline& p) { p.text = "a"; }, absl::StatusCode::kInvalidArgument, "too few tokens"},
      {"damaged",
       [&](Pipeline& p) {
         p.from = folder_ + "/damaged.gguf";
         std::filesystem::copy_file(random_, p.from);
         EXPECT_TRUE(WriteManifest(p.from, "x").ok());
         std::fstream file(p.from, std::ios::binary | std::ios::in | std::ios::out);
         file.seekp(2000000);
         file.put('x').put('y').put('z');
       },
       absl::StatusCode::kDataLoss, "SHA-256"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    Pipeline job = good;
    job.gate.perplexity_rise_max = 1;
    row.change(job);
    PipelineFigures figures;
    const absl::Status status = RunPipeline(job, figures);
    EXPECT_EQ(status.code(), row.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.complaint));
    EXPECT_EQ(ReadServedManifest(job.served)->name, "before");
    EXPECT_FALSE(std::filesystem::exists(job.to));
  }
}

TEST_F(LlamaModelsTest, AStateIsPutBackByteByByteAndGoesOnAlike) {
  for (const KvType type : {KvType::kF16, KvType::kQ8}) {
    LlamaConfig config = SmallConfig();
    config.kv_type = type;
    const auto backend = Make(config);
    ASSERT_NE(backend, nullptr);
    const auto chat = backend->RenderChat(Ask("Write one sentence about the sea."));
    ASSERT_TRUE(chat.ok());
    v1::Sampling greedy;
    greedy.set_temperature(0);
    const auto answer = Generate(*backend, *chat, greedy, 12);
    const auto state = backend->SaveState(0, 64 << 20);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(backend->SaveState(0, 100).status().code(), absl::StatusCode::kResourceExhausted);
    const int32_t length = backend->Length(0);
    // Another takes the cells meanwhile.
    backend->Truncate(0, 0);
    std::vector<BatchRow> rows;
    for (int32_t i = 0; i < 7; ++i) rows.push_back({100 + i, i, 1, false});
    ASSERT_TRUE(backend->Decode(rows).ok());
    ASSERT_TRUE(backend->RestoreState(0, *state).ok());
    EXPECT_EQ(backend->Length(0), length);
    const auto again = backend->SaveState(0, 64 << 20);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(*again == *state) << "not the same bytes";
    // What comes after it is chosen alike.
    const auto next = [&](int32_t sequence) {
      const std::vector<BatchRow> row = {{answer.back(), length, sequence, true}};
      EXPECT_TRUE(backend->Decode(row).ok());
      return backend->LikelihoodOf(0, 5, 1).top[0];
    };
    const auto restored = next(0);
    backend->Truncate(0, length);
    backend->Share(0, 2, 0, length);
    const auto shared = next(2);
    EXPECT_EQ(restored.first, shared.first);
    EXPECT_NEAR(restored.second, shared.second, 0.05);
    EXPECT_FALSE(backend->RestoreState(3, absl::MakeSpan(*state).first(state->size() / 2)).ok());
    EXPECT_EQ(backend->Length(3), 0);
    EXPECT_FALSE(answer.empty());
  }
}

// Tokens of context in a model of random weights: the cells' memory, and that everything is reached.
TEST_F(LlamaModelsTest, LongContextWithQuantisedCells) {
  // 32,768 takes minutes: HEADGATE_LONG_CONTEXT=32768 shows it, HEADGATE_LONG_MODEL another model (docs/models.md).
  const char* const wanted = std::getenv("HEADGATE_LONG_CONTEXT");
  const int32_t tokens = wanted == nullptr ? 2048 : std::atoi(wanted);
  const char* const model = std::getenv("HEADGATE_LONG_MODEL");
  size_t bytes_before = SIZE_MAX;
  for (const KvType type : {KvType::kF16, KvType::kQ8, KvType::kQ4}) {
    LlamaConfig config = ConfigOf(model == nullptr ? random_ : model);
    config.context_tokens = tokens;
    config.kv_type = type;
    const auto backend = Make(config);
    ASSERT_NE(backend, nullptr);
    EXPECT_EQ(backend->info().context_tokens_per_sequence_max, tokens);
    std::vector<BatchRow> rows;
    for (int32_t at = 0; at < tokens; at += 512) {
      rows.clear();
      for (int32_t i = at; i < at + 512; ++i) rows.push_back({100 + i % 5000, i, 0, i + 1 == tokens});
      ASSERT_TRUE(backend->Decode(rows).ok()) << at;
    }
    EXPECT_EQ(backend->Length(0), tokens);
    const Likelihood likelihood = backend->LikelihoodOf(511, 5, 1);
    EXPECT_LT(likelihood.chosen, 0);
    const std::vector<BatchRow> more = {{5, tokens, 1, true}};
    EXPECT_EQ(backend->Decode(more).code(), absl::StatusCode::kResourceExhausted);
    const auto state = backend->SaveState(0, size_t{1} << 30);
    ASSERT_TRUE(state.ok());
    RecordProperty(absl::StrCat("bytes_per_token_", static_cast<int>(type)),
                   static_cast<int>(state->size() / static_cast<size_t>(tokens)));
    EXPECT_LT(state->size(), bytes_before);
    bytes_before = state->size() * 6 / 10;
  }
}

TEST_F(LlamaModelsTest, AdaptersOfOtherModelsAndDamagedOnesAreRefused) {
  const auto backend = Make(ConfigOf(random_));
  ASSERT_NE(backend, nullptr);
  const std::string own = folder_ + "/own.gguf";
  const std::string foreign = folder_ + "/foreign.gguf";
  ASSERT_TRUE(WriteAdapter(random_, own, 1, 1));
  ASSERT_TRUE(WriteAdapter(TestModel(), foreign, 1, 1));
  const auto good = backend->LoadAdapter("own", own);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ((*good)->name, "own");
  std::filesystem::copy_file(own, folder_ + "/cut.gguf");
  std::filesystem::resize_file(folder_ + "/cut.gguf", 3000);
  std::ofstream(folder_ + "/text.gguf") << "no adapter";
  const struct {
    const char* name;
    std::string file;
    const char* complaint;
  } rows[] = {{"another_model", foreign, "wrong base model"},
              {"a_model", random_, "expect general.type to be 'adapter'"},
              {"cut", folder_ + "/cut.gguf", "cut.gguf: not an adapter for this model"},
              {"text", folder_ + "/text.gguf", "not a GGUF file"},
              {"none", folder_ + "/none.gguf", "no such file"}};
  for (const auto& row : rows) {
    const auto refused = backend->LoadAdapter("x", row.file);
    EXPECT_FALSE(refused.ok()) << row.name;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(row.complaint)) << row.name;
  }
}

TEST_F(LlamaModelsTest, AnAdapterChangesTheAnswerAndLeavesNothingBehind) {
  Backend& backend = Model();
  const std::string files[] = {folder_ + "/a.gguf", folder_ + "/b.gguf", folder_ + "/zero.gguf"};
  ASSERT_TRUE(WriteAdapter(TestModel(), files[0], 1, 1));
  ASSERT_TRUE(WriteAdapter(TestModel(), files[1], 2, 1));
  ASSERT_TRUE(WriteAdapter(TestModel(), files[2], 3, 0));
  const auto chat = backend.RenderChat(Ask("Explain gravity to a child."));
  v1::Sampling greedy;
  greedy.set_temperature(0);
  const auto with = [&](const Adapter* adapter) {
    backend.UseAdapter(adapter);
    return Text(backend, Generate(backend, *chat, greedy, 16));
  };
  const std::string plain = with(nullptr);
  std::string answers[3];
  {
    std::shared_ptr<const Adapter> adapters[3];
    for (int i = 0; i < 3; ++i) {
      auto loaded = backend.LoadAdapter(absl::StrCat("n", i), files[i]);
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      adapters[i] = *std::move(loaded);
      answers[i] = with(adapters[i].get());
    }
    EXPECT_NE(answers[0], plain);
    EXPECT_NE(answers[1], plain);
    EXPECT_NE(answers[0], answers[1]);
    EXPECT_EQ(answers[2], plain) << "an adapter of zeros changes nothing";
    EXPECT_EQ(with(adapters[0].get()), answers[0]);
    backend.UseAdapter(nullptr);
  }
  EXPECT_EQ(with(nullptr), plain);
}

}  // namespace
}  // namespace headgate::engine
