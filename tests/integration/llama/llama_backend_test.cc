// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/integration/llama/llama_backend_fixture.h"

namespace headgate::engine {
namespace {

using testing::HasSubstr;

std::vector<BatchRow> Rows(const std::vector<Token>& tokens, int32_t sequence) {
  std::vector<BatchRow> rows;
  for (const Token token : tokens) rows.push_back({token, static_cast<int32_t>(rows.size()), sequence, false});
  rows.back().output = true;
  return rows;
}

TEST_F(LlamaBackendTest, ReadsItsLimitsBack) {
  const BackendInfo& info = Model().info();
  EXPECT_EQ(info.context_tokens, 1024);
  EXPECT_EQ(info.context_tokens_per_sequence_max, 1024);
  EXPECT_EQ(info.batch_tokens_max, 512);
  EXPECT_EQ(info.sequences_max, 4);
  EXPECT_EQ(info.vocabulary, 49152);
  EXPECT_THAT(info.model, HasSubstr("mollm2"));
}

TEST_F(LlamaBackendTest, TextComesBackFromItsTokens) {
  const struct {
    const char* name;
    std::string text;
  } rows[] = {
      {"plain", "The sea is calm."},
      {"chinese", "用一句话介绍长城。"},
      {"emoji", "🐉 dragon 👩‍👩‍👧 family"},
      {"mixed", "Ünïcode – “quotes” \t\n and العربية"},
      {"private use", "a\U000F0000b\U00100123c"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(Text(Model(), Model().Tokenize(row.text, false, false)), row.text);
  }
}

TEST_F(LlamaBackendTest, NoTokenStandsForMoreThanItSays) {
  const auto most = static_cast<size_t>(Model().info().token_bytes_max);
  EXPECT_GT(most, 8u);
  for (const std::string& text : {std::string(4000, ' '), std::string(4000, 'a'), std::string(4000, '\n'),
                                  std::string(4000, '-'), std::string(4000, '\x01')}) {
    EXPECT_GE(Model().Tokenize(text, false, false).size() * most, text.size());
  }
}

TEST_F(LlamaBackendTest, ControlTokensHaveNoTextAndEndAnAnswer) {
  const std::vector<Token> end = Model().Tokenize("<|im_end|>", false, true);
  ASSERT_EQ(end.size(), 1U);
  EXPECT_TRUE(Model().IsEndOfGeneration(end[0]));
  EXPECT_EQ(Model().Piece(end[0]), "");
  EXPECT_GT(Model().Tokenize("<|im_end|>", false, false).size(), 1U);
}

TEST_F(LlamaBackendTest, RefusesBatchesThatWouldEndTheProcess) {
  EXPECT_EQ(Model().Decode({}).code(), absl::StatusCode::kInternal);
  std::vector<BatchRow> rows(513);
  EXPECT_EQ(Model().Decode(rows).code(), absl::StatusCode::kInternal);
  rows.resize(static_cast<size_t>(Model().info().outputs_max) + 1);
  ASSERT_LE(rows.size(), 512U);
  for (auto& row : rows) row.output = true;
  EXPECT_EQ(Model().Decode(rows).code(), absl::StatusCode::kInternal);
}

TEST_F(LlamaBackendTest, FullCacheChangesNothing) {
  LlamaConfig config = SmallConfig();
  config.context_tokens = 256;
  auto backend = MakeLlamaBackend(config);
  ASSERT_TRUE(backend.ok()) << backend.status();
  std::vector<Token> tokens((*backend)->info().context_tokens - 10, 100);
  ASSERT_TRUE((*backend)->Decode(Rows(tokens, 0)).ok());
  EXPECT_EQ((*backend)->Decode(Rows(std::vector<Token>(20, 100), 1)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ((*backend)->Length(0), static_cast<int32_t>(tokens.size()));
  EXPECT_EQ((*backend)->Length(1), 0);
  EXPECT_TRUE((*backend)->Decode(Rows(std::vector<Token>(10, 100), 1)).ok());
}

TEST_F(LlamaBackendTest, TruncateForgetsATail) {
  Model().Truncate(2, 0);
  ASSERT_TRUE(Model().Decode(Rows({1, 2, 3, 4, 5}, 2)).ok());
  EXPECT_EQ(Model().Length(2), 5);
  Model().Truncate(2, 3);
  EXPECT_EQ(Model().Length(2), 3);
  EXPECT_TRUE(Model().Decode(std::vector<BatchRow>{{4, 3, 2, true}}).ok());
  EXPECT_EQ(Model().Length(2), 4);
  Model().Truncate(2, 0);
  EXPECT_EQ(Model().Length(2), 0);
}

TEST_F(LlamaBackendTest, AbortCheckStopsADecode) {
  Backend& backend = Model();
  backend.Truncate(0, 0);
  const std::vector<BatchRow> rows = Rows(std::vector<Token>(200, 100), 0);
  int polls = 0;
  backend.SetAbortCheck([&] { return ++polls == 3; });
  EXPECT_EQ(backend.Decode(rows).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(polls, 3);
  backend.SetAbortCheck(nullptr);
  backend.Truncate(0, 0);
  EXPECT_TRUE(backend.Decode(rows).ok());
  EXPECT_EQ(backend.Length(0), 200);
}

TEST_F(LlamaBackendTest, SamplingRangesAreChecked) {
  const struct {
    const char* field;
    std::function<void(v1::Sampling&)> set;
  } rows[] = {
      {"temperature", [](v1::Sampling& s) { s.set_temperature(-1); }},
      {"temperature", [](v1::Sampling& s) { s.set_temperature(std::nanf("")); }},
      {"top_p", [](v1::Sampling& s) { s.set_top_p(0); }},
      {"top_k", [](v1::Sampling& s) { s.set_top_k(-1); }},
      {"min_p", [](v1::Sampling& s) { s.set_min_p(1.5F); }},
      {"repetition_penalty", [](v1::Sampling& s) { s.set_repetition_penalty(0); }},
      {"presence_penalty", [](v1::Sampling& s) { s.set_presence_penalty(3); }},
      {"frequency_penalty", [](v1::Sampling& s) { s.set_frequency_penalty(-3); }},
  };
  for (const auto& row : rows) {
    v1::Sampling sampling;
    row.set(sampling);
    const auto sampler = Model().MakeSampler(sampling, "");
    ASSERT_FALSE(sampler.ok()) << row.field;
    EXPECT_EQ(sampler.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(sampler.status().message()), HasSubstr(row.field));
  }
}

TEST_F(LlamaBackendTest, ASeedReproducesAnAnswer) {
  const auto chat = Model().RenderChat(Ask("Tell me something surprising."));
  ASSERT_TRUE(chat.ok());
  v1::Sampling sampling;
  sampling.set_temperature(1.5F);
  sampling.set_seed(uint64_t{7} << 40);
  const auto first = Generate(Model(), *chat, sampling, 12);
  EXPECT_EQ(Generate(Model(), *chat, sampling, 12), first);
  sampling.set_seed(8);
  EXPECT_NE(Generate(Model(), *chat, sampling, 12), first);
}

TEST_F(LlamaBackendTest, PenaltiesCountInGreedyAnswers) {
  const auto chat = Model().RenderChat(Ask("Repeat the word tree: tree tree tree tree tree tree"));
  ASSERT_TRUE(chat.ok());
  v1::Sampling sampling;
  sampling.set_temperature(0);
  const auto plain = Generate(Model(), *chat, sampling, 16);
  sampling.set_frequency_penalty(2);
  EXPECT_NE(Generate(Model(), *chat, sampling, 16), plain);
}

class BadFileTest : public LlamaBackendTest {
 protected:
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) {
    std::filesystem::create_directories(directory_);
    return directory_ + "/" + name;
  }
  static absl::Status Load(const std::string& path) {
    LlamaConfig config = SmallConfig();
    config.model_path = path;
    return MakeLlamaBackend(config).status();
  }

 private:
  std::string directory_ = absl::StrCat(testing::TempDir(), "headgate_llama_", getpid());
};

TEST_F(BadFileTest, EachGivesAClearStatusWithThePath) {
  std::ofstream(Path("text.gguf")) << "hello, this is no model";
  std::ofstream(Path("empty.gguf"));
  std::ofstream(Path("head.gguf")) << "GGUF\3";
  // Header, metadata and half of the weights.
  std::filesystem::copy_file(TestModel(), Path("half.gguf"));
  std::filesystem::resize_file(Path("half.gguf"), std::filesystem::file_size(TestModel()) / 2);
  const struct {
    const char* name;
    absl::StatusCode code;
    const char* says;
  } rows[] = {
      {"missing.gguf", absl::StatusCode::kNotFound, "no such file"},
      {"", absl::StatusCode::kInvalidArgument, "not a file"},
      {"text.gguf", absl::StatusCode::kInvalidArgument, "not a GGUF"},
      {"empty.gguf", absl::StatusCode::kInvalidArgument, "not a GGUF"},
      {"head.gguf", absl::StatusCode::kInvalidArgument, "cannot be loaded"},
      {"half.gguf", absl::StatusCode::kInvalidArgument, "cannot be loaded"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const absl::Status status = Load(Path(row.name));
    EXPECT_EQ(status.code(), row.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(Path(row.name)));
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.says));
  }
}

TEST_F(BadFileTest, BadConfigurationIsRefused) {
  LlamaConfig config = SmallConfig();
  config.sequences_max = 257;
  EXPECT_EQ(MakeLlamaBackend(config).status().code(), absl::StatusCode::kInvalidArgument);
  config = SmallConfig();
  config.chat_template = "{% for %}";
  EXPECT_THAT(std::string(MakeLlamaBackend(config).status().message()), HasSubstr("chat template"));
}

}  // namespace
}  // namespace headgate::engine
