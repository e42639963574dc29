// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Grammars, biases, log-probabilities, embeddings, shared prefixes and encrypted weights with a real model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/backend/llama_json.h"
#include "engine/encrypted_model.h"
#include "tests/integration/llama/llama_backend_fixture.h"

namespace headgate::engine {
namespace {

using testing::HasSubstr;
using LlamaFeaturesTest = LlamaBackendTest;

RenderedChat WithGrammar(RenderedChat chat, const std::string& gbnf) {
  chat.grammar = gbnf;
  return chat;
}

std::vector<BatchRow> Rows(const std::vector<Token>& tokens, int32_t sequence, int32_t from = 0) {
  std::vector<BatchRow> rows;
  for (const Token token : tokens) rows.push_back({token, from++, sequence, false});
  rows.back().output = true;
  return rows;
}

TEST_F(LlamaFeaturesTest, AGrammarBindsTheAnswer) {
  const auto chat = Model().RenderChat(Ask("Is the sea salty?"));
  ASSERT_TRUE(chat.ok());
  v1::Sampling greedy;
  greedy.set_temperature(0);
  const auto tokens = Generate(Model(), WithGrammar(*chat, R"(root ::= "Yes" | "No")"), greedy, 20);
  EXPECT_THAT(Text(Model(), tokens), testing::AnyOf("Yes", "No"));
}

TEST_F(LlamaFeaturesTest, OneOfAThousandValues) {
  v1::GenerateRequest request = Ask("Which code is it?");
  request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
  std::set<std::string> values;
  for (int i = 0; i < 1000; ++i) values.insert(absl::StrCat("\"", i % 90, ".", i, "\""));
  request.mutable_response_format()->set_json_schema(absl::StrCat("{\"enum\":[", absl::StrJoin(values, ","), "]}"));
  const auto chat = Model().RenderChat(request);
  ASSERT_TRUE(chat.ok()) << chat.status();
  v1::Sampling greedy;
  greedy.set_temperature(0);
  std::string answer = Text(Model(), Generate(Model(), *chat, greedy, 20));
  absl::StripAsciiWhitespace(&answer);
  EXPECT_TRUE(values.contains(answer)) << answer;
}

TEST_F(LlamaFeaturesTest, GrammarBombsAreRefused) {
  const struct {
    const char* name;
    std::string gbnf;
  } rows[] = {
      {"not_a_grammar", "root := "},
      {"no_root", R"(other ::= "a")"},
      {"unknown_rule", "root ::= other"},
      {"left_recursion", R"(root ::= root "a" | "a")"},
      {"deep", absl::StrCat("root ::= ", std::string(10000, '('), "\"a\"", std::string(10000, ')'))},
      {"long", absl::StrCat("root ::= \"", std::string(20000, 'a'), "\"")},
      {"alternatives", absl::StrCat("root ::= a", std::string(600, ' '), absl::StrJoin(std::vector<int>(300), "|a"))},
      {"repetition", R"(root ::= "a"{1000000})"},
      {"open_repetition", R"(root ::= "a"{99999999999999999999,})"},
      {"nested_repetition", R"(root ::= (("a"{100}){100}){100})"},
      {"unclosed", R"(root ::= ("a")"},
      {"unclosed_repetition", R"(root ::= "a"{)"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(Model().MakeSampler({}, row.gbnf).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(CheckGbnf("root ::= [({]{2000} \"{9999}\" # {9999}\nother ::= \"a\"{2000}").ok())
      << "texts are not counts";
}

TEST_F(LlamaFeaturesTest, ABiasForbidsAToken) {
  const auto chat = Model().RenderChat(Ask("Say hello."));
  ASSERT_TRUE(chat.ok());
  v1::Sampling sampling;
  sampling.set_temperature(0);
  const auto first = Generate(Model(), *chat, sampling, 1);
  ASSERT_EQ(first.size(), 1u);
  (*sampling.mutable_logit_bias())[first[0]] = -100;
  const auto other = Generate(Model(), *chat, sampling, 1);
  ASSERT_EQ(other.size(), 1u);
  EXPECT_NE(other[0], first[0]);
  (*sampling.mutable_logit_bias())[1 << 30] = 1;
  EXPECT_EQ(Model().MakeSampler(sampling, "").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(LlamaFeaturesTest, LikelihoodsAreADistribution) {
  const auto chat = Model().RenderChat(Ask("Say hello."));
  ASSERT_TRUE(chat.ok());
  Model().Truncate(0, 0);
  ASSERT_TRUE(Model().Decode(Rows(chat->tokens, 0)).ok());
  const auto row = static_cast<int32_t>(chat->tokens.size()) - 1;
  const Likelihood all = Model().LikelihoodOf(row, 100, Model().info().vocabulary);
  double sum = 0;
  for (const auto& [token, logprob] : all.top) sum += std::exp(logprob);
  EXPECT_NEAR(sum, 1, 1e-3);
  EXPECT_EQ(all.top.size(), 49152u);
  EXPECT_GE(all.top[0].second, all.top[1].second);
  EXPECT_EQ(Model().LikelihoodOf(row, all.top[0].first, 0).chosen, all.top[0].second);
}

TEST_F(LlamaFeaturesTest, SharedCellsAreTheSameCells) {
  Backend& model = Model();
  for (int32_t i = 0; i < 4; ++i) model.Truncate(i, 0);
  ASSERT_GE(model.info().cache_sequences, 1);
  const int32_t spare = model.info().sequences_max;
  const auto prompt =
      model.Tokenize("The keeper of the lock counts the boats that pass in the morning and", false, false);
  ASSERT_TRUE(model.Decode(Rows(prompt, 0)).ok());
  const auto row = static_cast<int32_t>(prompt.size()) - 1;
  const Token next = model.LikelihoodOf(row, 0, 1).top[0].first;
  model.Share(0, spare, 0, model.Length(0));
  EXPECT_EQ(model.Length(spare), static_cast<int32_t>(prompt.size()));
  model.Truncate(0, 0);  // the cells stay: they have another owner
  model.Share(spare, 1, 0, row);
  EXPECT_EQ(model.Length(1), row);
  ASSERT_TRUE(model.Decode(Rows({prompt.back()}, 1, row)).ok());
  EXPECT_EQ(model.LikelihoodOf(0, 0, 1).top[0].first, next);
  model.Truncate(1, 0);
  model.Truncate(spare, 0);
}

TEST_F(LlamaFeaturesTest, EmbeddingsPlaceLikeTextsTogether) {
  const auto embed = [](const std::string& text) {
    auto vector = Model().Embed(Model().Tokenize(text, true, false));
    EXPECT_TRUE(vector.ok()) << vector.status();
    double length = std::sqrt(std::inner_product(vector->begin(), vector->end(), vector->begin(), 0.0));
    for (float& value : *vector) value = static_cast<float>(value / length);
    return *vector;
  };
  const auto like = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  const auto cat = embed("The cat sleeps on the warm sofa in the living room.");
  EXPECT_EQ(cat.size(), 576u);
  EXPECT_NEAR(like(cat, embed("The cat sleeps on the warm sofa in the living room.")), 1, 1e-5);
  EXPECT_GT(like(cat, embed("A kitten naps on the cosy couch in our lounge.")),
            like(cat, embed("def parse(argv): return {k: v for k, v in argv}")));
  EXPECT_EQ(Model().Embed(std::vector<Token>(513, 1)).status().code(), absl::StatusCode::kInternal);
}

TEST_F(LlamaFeaturesTest, EncryptedWeightsAnswerLikePlainOnes) {
  const std::string path = absl::StrCat(testing::TempDir(), "headgate_encrypted_", getpid(), ".gguf");
  std::filesystem::remove(path);
  setenv("HEADGATE_TEST_WEIGHTS_KEY", std::string(64, 'a').c_str(), 1);
  setenv("HEADGATE_TEST_WEIGHTS_OTHER", std::string(64, 'b').c_str(), 1);
  ASSERT_TRUE(EncryptModel(TestModel(), path, *LoadModelKey("env:HEADGATE_TEST_WEIGHTS_KEY"), SystemRandom()).ok());
  LlamaConfig config = SmallConfig();
  config.model_path = path;
  EXPECT_THAT(std::string(MakeLlamaBackend(config).status().message()), HasSubstr("is encrypted; its key is needed"));
  config.model_key = "env:HEADGATE_TEST_WEIGHTS_OTHER";
  EXPECT_EQ(MakeLlamaBackend(config).status().code(), absl::StatusCode::kPermissionDenied);
  config.model_key = "env:HEADGATE_TEST_WEIGHTS_KEY";
  {
    const auto encrypted = MakeLlamaBackend(config);
    ASSERT_TRUE(encrypted.ok()) << encrypted.status();
    const auto chat = (*encrypted)->RenderChat(Ask("Name three fruits."));
    ASSERT_TRUE(chat.ok());
    v1::Sampling greedy;
    greedy.set_temperature(0);
    EXPECT_EQ(Generate(**encrypted, *chat, greedy, 8), Generate(Model(), *chat, greedy, 8));
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(50000000);
  file.put('x');
  file.put('y');
  file.close();
  const auto damaged = MakeLlamaBackend(config);
  EXPECT_EQ(damaged.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr("segment 190 "));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace headgate::engine
