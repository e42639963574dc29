// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Embeddings from the model that also answers: a second, small context on the same weights, made when first asked for.
// It has one thread, so that answers keep theirs.
//
// Thread-safety: one thread at a time; beside the decode thread.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"

struct llama_context;
struct llama_model;

namespace headgate::engine {

class LlamaEmbedder {
 public:
  // `model` must outlive it.
  LlamaEmbedder(llama_model* model, int32_t tokens_max);
  ~LlamaEmbedder();

  // The mean over the tokens' last hidden states. REQUIRES: 1..tokens_max tokens of the vocabulary.
  absl::StatusOr<std::vector<float>> Embed(absl::Span<const Token> tokens);

 private:
  absl::Status Open();

  struct FreeContext {
    void operator()(llama_context* context) const;
  };
  llama_model* const model_;
  const int32_t tokens_max_;
  std::unique_ptr<llama_context, FreeContext> context_;
};

}  // namespace headgate::engine
