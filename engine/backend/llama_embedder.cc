// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_embedder.h"

#include <exception>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include <llama.h>

namespace headgate::engine {

void LlamaEmbedder::FreeContext::operator()(llama_context* context) const { llama_free(context); }

LlamaEmbedder::LlamaEmbedder(llama_model* model, int32_t tokens_max) : model_(model), tokens_max_(tokens_max) {}

LlamaEmbedder::~LlamaEmbedder() = default;

absl::Status LlamaEmbedder::Open() {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(tokens_max_);
  params.n_batch = params.n_ctx;
  params.n_ubatch = params.n_ctx;
  params.n_seq_max = 1;
  params.n_threads = 1;
  params.n_threads_batch = 1;
  params.embeddings = true;
  params.pooling_type = LLAMA_POOLING_TYPE_MEAN;
  params.no_perf = true;
  try {
    context_.reset(llama_init_from_model(model_, params));
  } catch (const std::exception&) {
    context_.reset();
  }
  return context_ ? absl::OkStatus() : absl::InternalError("no context for embeddings");
}

absl::StatusOr<std::vector<float>> LlamaEmbedder::Embed(absl::Span<const Token> tokens) {
  if (tokens.empty() || tokens.size() > static_cast<size_t>(tokens_max_)) {  // libllama ends the process
    return absl::InternalError(absl::StrCat("an embedding of ", tokens.size(), " tokens"));
  }
  if (!context_) RETURN_IF_ERROR(Open());
  llama_memory_clear(llama_get_memory(context_.get()), true);
  llama_batch batch = llama_batch_init(static_cast<int32_t>(tokens.size()), 0, 1);
  batch.n_tokens = static_cast<int32_t>(tokens.size());
  for (int32_t i = 0; i < batch.n_tokens; ++i) {
    batch.token[i] = tokens[static_cast<size_t>(i)];
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;  // with embeddings on, all tokens must be outputs
  }
  const int32_t code = llama_decode(context_.get(), batch);
  llama_batch_free(batch);
  const float* const values = code == 0 ? llama_get_embeddings_seq(context_.get(), 0) : nullptr;
  if (values == nullptr) return absl::InternalError(absl::StrCat("llama_decode: ", code));
  return std::vector<float>(values, values + llama_model_n_embd_out(model_));
}

}  // namespace headgate::engine
