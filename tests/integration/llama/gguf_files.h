// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// GGUF files that tests make: LoRA adapters for the test model, and small models with random weights, its vocabulary
// and a long training context. The numbers come from a seed: the same file every time.
#pragma once

#include <cstdint>
#include <string>

namespace headgate::engine {

// A LoRA adapter of rank 4 on the queries and the feed-forward of every layer. `strength` 0 changes nothing; 1 changes
// most answers of SmolLM2. False when `model` cannot be read or `to` not be written.
bool WriteAdapter(const std::string& model, const std::string& to, uint32_t seed, float strength);

// Two layers of 64 dimensions; makes no sense but has `context_tokens` of training length.
bool WriteRandomModel(const std::string& vocabulary_of, const std::string& to, uint32_t context_tokens, uint32_t seed);

}  // namespace headgate::engine
