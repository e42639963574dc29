// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The reference backend: a deterministic toy language model. Its logits depend on the sequence's own tokens only,
// computed in integers, so an answer is bit-for-bit the same alone and in any batch; a scheduler or KV bookkeeping
// error changes it. It keeps its own "KV" (the tokens per sequence and position) and refuses rows that do not follow
// on. An adapter is a text file `reference adapter for MODEL: SALT`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/backend/backend.h"

namespace headgate::engine {

struct ReferenceConfig {
  std::string model = "reference";
  int32_t context_tokens = 4096;
  int32_t batch_tokens_max = 512;
  int32_t sequences_max = 32;
  // Called at the start of each Decode with the number of rows: tests and the emulator of slow hardware pace with it.
  std::function<void(int32_t rows)> on_decode = nullptr;
  // The same for each window of an embedding.
  std::function<void()> on_embed = nullptr;
  // Deliberate error for tests of the tests: sequences 0 and 1 read each other's cells.
  bool swap_cells = false;
  int32_t cache_sequences = 16;
  // Called when the adapter of the steps changes.
  std::function<void(int32_t adapter)> on_adapter = nullptr;
};

std::unique_ptr<Backend> MakeReferenceBackend(const ReferenceConfig& config);

}  // namespace headgate::engine
