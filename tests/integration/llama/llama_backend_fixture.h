// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A llama backend with the test model, loaded once per template, and a loop that makes one answer with it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/llama.h"
#include "tests/integration/llama/raw_llama.h"

namespace headgate::engine {

inline LlamaConfig SmallConfig() {
  LlamaConfig config;
  config.model_path = TestModel();
  config.context_tokens = 1024;
  config.batch_tokens_max = 512;
  config.sequences_max = 4;
  config.threads = 2;
  return config;
}

class LlamaBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    if (TestModel().empty()) GTEST_SKIP() << "no model file: run tools/setup or set HEADGATE_TEST_MODEL";
  }

  // The backend for a chat template; empty = the model's own.
  static Backend& WithTemplate(const std::string& chat_template) {
    static std::map<std::string, std::unique_ptr<Backend>> loaded;
    auto& backend = loaded[chat_template];
    if (!backend) {
      LlamaConfig config = SmallConfig();
      config.chat_template = chat_template;
      auto made = MakeLlamaBackend(config);
      if (!made.ok()) ADD_FAILURE() << made.status();
      backend = *std::move(made);
    }
    return *backend;
  }
  static Backend& Model() { return WithTemplate(""); }

  static v1::GenerateRequest Ask(const std::string& question) {
    v1::GenerateRequest request;
    auto* message = request.add_messages();
    message->set_role(v1::ROLE_USER);
    message->set_content(question);
    request.mutable_sampling()->set_temperature(0);
    return request;
  }

  // The tokens of one answer on sequence 0, without the end of generation.
  static std::vector<Token> Generate(Backend& backend, const RenderedChat& chat, const v1::Sampling& sampling,
                                     int most) {
    auto sampler = backend.MakeSampler(sampling, chat.grammar);
    if (!sampler.ok()) ADD_FAILURE() << sampler.status();
    std::vector<Token> answer;
    if (!sampler.ok()) return answer;
    backend.Truncate(0, 0);
    std::vector<Token> next = chat.tokens;
    while (static_cast<int>(answer.size()) < most) {
      std::vector<BatchRow> rows;
      for (const Token token : next) {
        rows.push_back({token, backend.Length(0) + static_cast<int32_t>(rows.size()), 0, false});
      }
      rows.back().output = true;
      const absl::Status status = backend.Decode(rows);
      if (!status.ok()) ADD_FAILURE() << status;
      const Token token = (*sampler)->Sample(static_cast<int32_t>(rows.size()) - 1);
      if (!status.ok() || backend.IsEndOfGeneration(token)) break;
      answer.push_back(token);
      next = {token};
    }
    return answer;
  }

  static std::string Text(const Backend& backend, const std::vector<Token>& tokens) {
    std::string text;
    for (const Token token : tokens) text += backend.Piece(token);
    return text;
  }
};

}  // namespace headgate::engine
