// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/llama/raw_llama.h"

#include <gtest/gtest.h>
#include <llama.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

namespace headgate::engine {
namespace {

constexpr int kStepsMax = 500;  // of TextGap: spellings branch rarely

}  // namespace

std::string TestModel() {
  const char* named = std::getenv("HEADGATE_TEST_MODEL");
  if (named != nullptr) return named;
  const char* home = std::getenv("HOME");
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const std::string folder =
      cache != nullptr && *cache != '\0' ? cache : std::string(home == nullptr ? "" : home) + "/.cache";
  const std::string cached = folder + "/headgate/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  return std::filesystem::exists(cached) ? cached : "";
}

bool WriteHalfPrecision(const std::string& model, const std::string& to) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = LLAMA_FTYPE_MOSTLY_F16;
  params.allow_requantize = true;
  return llama_model_quantize(model.c_str(), to.c_str(), &params) == 0;
}

RawLlama::RawLlama(const std::string& path, int context_tokens, int batch_tokens, int sequences, int threads,
                   Attention attention) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  model_.reset(llama_model_load_from_file(path.c_str(), llama_model_default_params()), llama_model_free);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(context_tokens);
  params.n_batch = static_cast<uint32_t>(batch_tokens);
  params.n_ubatch = params.n_batch;
  params.n_seq_max = static_cast<uint32_t>(sequences);
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.kv_unified = true;
  params.flash_attn_type = attention == Attention::kBackends ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                             : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  context_.reset(llama_init_from_model(model_.get(), params), llama_free);
}

bool RawLlama::UseAdapter(const std::string& path) {
  // Freed with the model.
  llama_adapter_lora* adapter = path.empty() ? nullptr : llama_adapter_lora_init(model_.get(), path.c_str());
  float scale = 1;
  return (adapter != nullptr || path.empty()) &&
         llama_set_adapters_lora(context_.get(), &adapter, path.empty() ? 0 : 1, &scale) == 0;
}

void RawLlama::Decode(const std::vector<Token>& tokens, int from, bool all_outputs) {
  llama_batch batch = llama_batch_init(static_cast<int32_t>(tokens.size()), 0, 1);
  batch.n_tokens = static_cast<int32_t>(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    batch.token[i] = tokens[i];
    batch.pos[i] = from + static_cast<int32_t>(i);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = all_outputs || i + 1 == tokens.size() ? 1 : 0;
  }
  ASSERT_EQ(llama_decode(context_.get(), batch), 0);
  llama_batch_free(batch);
}

std::vector<Token> RawLlama::Greedy(const std::vector<Token>& prompt, int most) {
  const llama_vocab* vocab = llama_model_get_vocab(model_.get());
  llama_memory_clear(llama_get_memory(context_.get()), false);
  std::vector<Token> answer;
  std::vector<Token> next = prompt;
  int length = 0;
  while (static_cast<int>(answer.size()) < most) {
    Decode(next, length, false);
    length += static_cast<int>(next.size());
    const float* logits = llama_get_logits_ith(context_.get(), static_cast<int32_t>(next.size()) - 1);
    const auto best = static_cast<Token>(std::max_element(logits, logits + llama_vocab_n_tokens(vocab)) - logits);
    if (llama_vocab_is_eog(vocab, best)) break;
    answer.push_back(best);
    next = {best};
  }
  return answer;
}

std::vector<float> RawLlama::Gaps(const std::vector<Token>& prompt, const std::vector<Token>& answer) {
  const int32_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model_.get()));
  llama_memory_clear(llama_get_memory(context_.get()), false);
  std::vector<Token> all = prompt;
  all.insert(all.end(), answer.begin(), answer.end());
  Decode(all, 0, true);
  std::vector<float> gaps;
  for (size_t i = 0; i < answer.size(); ++i) {
    const float* logits = llama_get_logits_ith(context_.get(), static_cast<int32_t>(prompt.size() + i) - 1);
    // log-softmax differs from the logits by a constant, so differences are nats as they are.
    gaps.push_back(*std::max_element(logits, logits + vocabulary) - logits[answer[i]]);
  }
  return gaps;
}

std::string RawLlama::Piece(Token token) const {
  std::string piece(64, '\0');
  const llama_vocab* vocab = llama_model_get_vocab(model_.get());
  int32_t n = llama_token_to_piece(vocab, token, piece.data(), static_cast<int32_t>(piece.size()), 0, false);
  if (n < 0) {
    piece.resize(static_cast<size_t>(-n));
    n = llama_token_to_piece(vocab, token, piece.data(), static_cast<int32_t>(piece.size()), 0, false);
  }
  piece.resize(static_cast<size_t>(std::max(n, 0)));
  return piece;
}

const float* RawLlama::Continue(const std::vector<Token>& next, int from) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), 0, from, -1);
  Decode(next, from, false);
  return llama_get_logits_ith(context_.get(), static_cast<int32_t>(next.size()) - 1);
}

float RawLlama::TextGap(const std::vector<Token>& prompt, std::string_view answer, bool ended, float limit) {
  const llama_vocab* vocab = llama_model_get_vocab(model_.get());
  const int32_t vocabulary = llama_vocab_n_tokens(vocab);
  for (auto token = static_cast<Token>(pieces_.size()); token < vocabulary; ++token) pieces_.push_back(Piece(token));
  // A spelling begun: where its last tokens go, what of the text is left, its worst gap so far.
  struct Begun {
    std::vector<Token> next;
    int from;
    std::string_view rest;
    float worst;
  };
  std::vector<Begun> open = {{prompt, 0, answer, 0}};
  // Deepest first: the cache holds the tokens that a sibling stands behind, whatever was tried in between.
  for (int steps = 0; !open.empty() && steps < kStepsMax; ++steps) {
    const Begun begun = std::move(open.back());
    open.pop_back();
    const int length = begun.from + static_cast<int>(begun.next.size());
    if (begun.rest.empty() && !ended) return begun.worst;
    const float* logits = Continue(begun.next, begun.from);
    const float best = *std::max_element(logits, logits + vocabulary);
    std::vector<Begun> further;
    for (Token token = 0; token < vocabulary; ++token) {
      const float gap = best - logits[token];
      if (gap > limit) continue;
      const float worst = std::max(begun.worst, gap);
      const std::string& piece = pieces_[static_cast<size_t>(token)];
      if (begun.rest.empty()) {
        if (llama_vocab_is_eog(vocab, token)) return worst;
      } else if (!piece.empty() && begun.rest.substr(0, piece.size()) == piece) {
        further.push_back({{token}, length, begun.rest.substr(piece.size()), worst});
      }
    }
    std::sort(further.begin(), further.end(), [](const Begun& a, const Begun& b) { return a.worst > b.worst; });
    open.insert(open.end(), further.begin(), further.end());
  }
  return std::numeric_limits<float>::infinity();
}

std::vector<Token> RawLlama::Tokenize(const std::string& text, bool parse_special) const {
  std::vector<Token> tokens(text.size() + 2);
  const int32_t n =
      llama_tokenize(llama_model_get_vocab(model_.get()), text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                     static_cast<int32_t>(tokens.size()), /*add_special=*/true, parse_special);
  tokens.resize(static_cast<size_t>(std::max(n, 0)));
  return tokens;
}

Token RawLlama::IdOf(const std::string& special) const { return Tokenize(special, true).at(0); }

}  // namespace headgate::engine
