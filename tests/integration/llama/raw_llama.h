// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// libllama driven by hand, one sequence at a time: the oracle of the llama backend's tests. Uses none of the engine's
// code but the token type.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend/backend.h"

struct llama_context;
struct llama_model;

namespace headgate::engine {

// The model file of the tests, or empty when there is none: the tests then skip.
std::string TestModel();

// The same model with weights of 16 bits at `to`; false when it cannot be written. Its choices move by 0.03 nat at most
// with the shape of the batch, the four-bit model's by up to 0.7 (docs/decisions/0003-llama-backend.md).
bool WriteHalfPrecision(const std::string& model, const std::string& to);

class RawLlama {
 public:
  // Same context size, batch size, sequences and threads as the backend under test: all of them choose kernels.
  // kBackends is engine/backend/ggml_attention.h; by default it is libllama's unfused one, so that the backend's
  // choices are judged by other arithmetic.
  enum class Attention { kLibrarys, kBackends };
  RawLlama(const std::string& path, int context_tokens, int batch_tokens, int sequences, int threads,
           Attention attention = Attention::kLibrarys);

  // Everything from here on under this adapter; false when it does not load. Empty = none.
  bool UseAdapter(const std::string& path);
  // Greedy answer, at most `most` tokens; ends before the first end-of-generation token.
  std::vector<Token> Greedy(const std::vector<Token>& prompt, int most);
  // The answer teacher-forced after the prompt: by how much each of its tokens lies below the best one, in nats.
  std::vector<float> Gaps(const std::vector<Token>& prompt, const std::vector<Token>& answer);
  // The same for an answer of which only the text is known (it came over the wire), token by token as it was made: the
  // worst gap of a spelling of it in which no token lies more than `limit` below the best; infinite when there is none.
  // `ended`: the model ended it, which is judged too.
  float TextGap(const std::vector<Token>& prompt, std::string_view answer, bool ended, float limit);
  std::vector<Token> Tokenize(const std::string& text, bool parse_special) const;
  Token IdOf(const std::string& special) const;  // REQUIRES: one token

 private:
  void Decode(const std::vector<Token>& tokens, int from, bool all_outputs);
  // The logits behind `next`, which takes the place of all that stood at `from` and later.
  const float* Continue(const std::vector<Token>& next, int from);
  std::string Piece(Token token) const;  // empty for control tokens

  std::shared_ptr<llama_model> model_;
  std::shared_ptr<llama_context> context_;
  std::vector<std::string> pieces_;  // of every token, once TextGap needs them
};

}  // namespace headgate::engine
