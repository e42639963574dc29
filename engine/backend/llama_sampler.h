// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Sampling by llama.cpp's common_sampler: sample first, check the chosen token against the grammar, mask the whole
// vocabulary only when it is refused.
//
// Defaults of absent fields (llama.cpp's own): temperature 0.8, top_k 40, top_p 0.95, min_p 0.05, penalties off (their
// window is the last 64 tokens), a random seed. Temperature 0 is greedy: only penalties and grammar count beside it.
//
// Thread-safety: MakeLlamaSampler and EncodeGrammar from any thread; a sampler on the decode thread only.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"
#include "engine/backend/llama_vocab.h"

struct llama_context;
struct llama_model;
struct common_chat_params;

namespace headgate::engine {

// RenderedChat::grammar from what the chat template asks for; empty = no grammar.
std::string EncodeGrammar(const common_chat_params& chat);

// Of output row `row_index`: log-softmax of the untouched logits.
Likelihood LlamaLikelihood(llama_context* context, int32_t row_index, Token chosen, int32_t top);

// `grammar`: of EncodeGrammar, or plain GBNF with the rule `root`. INVALID_ARGUMENT names the field. `context` and
// `vocab` must outlive the sampler.
absl::StatusOr<std::unique_ptr<Sampler>> MakeLlamaSampler(llama_context* context, const LlamaVocab& vocab,
                                                          const v1::Sampling& sampling, const std::string& grammar);

}  // namespace headgate::engine
