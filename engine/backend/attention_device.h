// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Makes engine/backend/attention.h a device of ggml, of the kind that BLAS is: every context made later gives it the
// attention of its layers, and the CPU all other operations. Its threads are those of the context.
#pragma once

#include <llama.h>

namespace headgate::engine {

// Once per process, after the CPU's backend is there and before the first model is loaded. Does nothing where there is
// a GPU: libllama would keep fused attention off the GPU when not all layers are on the same kind of device.
void RegisterAttentionDevice();

// Whether RegisterAttentionDevice did.
bool HaveAttentionDevice();

// For llama_context_params: fused attention, by the device; without it as libllama finds best.
llama_flash_attn_type AttentionType();

// Whether the device computes this operation: GGML_OP_FLASH_ATTN_EXT of one stream without sinks, softcap and ALiBi,
// of key and value types that can be unpacked, and of heads of 16 to 256 values; one row only above some hundred cells.
bool AttentionDeviceComputes(const ggml_tensor* operation);

}  // namespace headgate::engine
