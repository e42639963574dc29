// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Puts engine/backend/attention.h into ggml's CPU backend, in the place of its own fused attention: inside its graphs
// and on its threads, so that nothing else of libllama changes. ggml lets a type of buffer bring kernels of its own
// (ggml/src/ggml-cpu/traits.h, llama.cpp of tools/pins); we stand before the one that brings repacked matrices.
#pragma once

struct ggml_tensor;

namespace headgate::engine {

// Once per process, after the CPU's backend is there and before the first context is made. False, and nothing changed,
// if that backend brings no such type.
bool InstallAttention();

// Whether ours computes this operation: GGML_OP_FLASH_ATTN_EXT of one stream without sinks, softcap and ALiBi, of key
// and value types that can be unpacked, and of heads of at most 256 values.
bool AttentionComputes(const ggml_tensor* operation);

}  // namespace headgate::engine
