// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The llama backend: a GGUF model through libllama, with llama.cpp's common/ for chat templates, grammar and sampling.
// One context, unified KV cache. docs/decisions/0003-llama-backend.md has why, llama_sampler.h the sampling defaults.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"

namespace headgate::engine {

// Bytes of a KV cell against f16: q8_0 53 %, q4_0 28 %.
enum class KvType { kF16, kQ8, kQ4 };

struct LlamaConfig {
  std::string model_path;              // plain, or encrypted by encrypted_model.h
  std::string model_key;               // of an encrypted one: file:PATH, env:NAME or command:PROGRAM
  std::string model_name;              // served name; empty = from the file's metadata
  std::string chat_template;           // Jinja text; empty = the model's own
  int32_t context_tokens = 8192;       // KV cells in all
  int32_t batch_tokens_max = 512;
  int32_t sequences_max = 32;
  int32_t cache_sequences = 32;        // prefixes kept for sharing; fewer where sequence ids (256) run out
  int32_t threads = 0;                 // 0 = cores of this process (cgroup quota and affinity respected)
  KvType kv_type = KvType::kF16;       // of a KV cell: the quantised ones need flash attention, which CPUs have
  int32_t draft_rows = 32;             // guesses of prompt lookup in one step: each costs a row of scores in memory
  int32_t gpu_layers = 0;              // CUDA builds only
  int32_t embedding_tokens = 512;      // in one window; a context for them is made when first asked; 0 = none
  // Deliberate error for tests of the tests: the KV cells of sequences 0 and 1 are swapped.
  bool swap_cells = false;
};

// NOT_FOUND, INVALID_ARGUMENT (not a GGUF, truncated, not for text generation, ...) with the path. A model without a
// chat template gets ChatML and a warning in the log.
absl::StatusOr<std::unique_ptr<Backend>> MakeLlamaBackend(const LlamaConfig& config);

}  // namespace headgate::engine
