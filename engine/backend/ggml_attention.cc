// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/ggml_attention.h"

#include <cstdint>
#include <cstring>

#include "common/log.h"
#include "engine/backend/attention.h"
#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu/ggml-cpu-impl.h>
#include <ggml-cpu/traits.h>
#include <ggml.h>

namespace headgate::engine {
namespace {

void CopyFloats(const void* packed, float* values, int64_t count) {
  std::memcpy(values, packed, static_cast<size_t>(count) * sizeof(float));
}

AttentionCall::ToFloat Unpacker(ggml_type type) {
  if (type == GGML_TYPE_F16) return AttentionKernel::At(AttentionKernel::Levels() - 1).half_to_float;
  if (type == GGML_TYPE_F32) return CopyFloats;
  return ggml_get_type_traits(type)->to_float;
}

float Parameter(const ggml_tensor* operation, size_t index) {
  float value = 0;
  std::memcpy(&value, operation->op_params + index, sizeof(value));
  return value;
}

AttentionCall CallOf(const ggml_tensor* operation) {
  const ggml_tensor* const query = operation->src[0];
  const ggml_tensor* const key = operation->src[1];
  const ggml_tensor* const value = operation->src[2];
  const ggml_tensor* const mask = operation->src[3];
  AttentionCall call;
  call.query = static_cast<const char*>(query->data);
  call.query_row = query->nb[1];
  call.query_head = query->nb[2];
  call.key = static_cast<const char*>(key->data);
  call.key_cell = key->nb[1];
  call.key_head = key->nb[2];
  call.key_to_float = Unpacker(key->type);
  call.value = static_cast<const char*>(value->data);
  call.value_cell = value->nb[1];
  call.value_head = value->nb[2];
  call.value_to_float = Unpacker(value->type);
  if (mask != nullptr) {
    call.mask = static_cast<const char*>(mask->data);
    call.mask_row = mask->nb[1];
  }
  call.out = static_cast<float*>(operation->data);
  call.rows = static_cast<int32_t>(query->ne[1]);
  call.cells = static_cast<int32_t>(key->ne[1]);
  call.heads = static_cast<int32_t>(query->ne[2]);
  call.kv_heads = static_cast<int32_t>(key->ne[2]);
  call.key_width = static_cast<int32_t>(key->ne[0]);
  call.value_width = static_cast<int32_t>(value->ne[0]);
  call.scale = Parameter(operation, 0);
  return call;
}

// All threads of a graph.
void Wait([[maybe_unused]] ggml_threadpool* threads) {
#ifdef _OPENMP
#pragma omp barrier
#else
  ggml_barrier(threads);
#endif
}

// The next two have the shapes of ggml::cpu::tensor_traits and extra_buffer_type. They cannot derive from them: where
// the CPU's backend is loaded at run time, their destructors are out of reach.

// Want of memory ends the process, as it does in ggml.
class Kernels {
 public:
  virtual ~Kernels() = default;

  virtual bool work_size(int, const ggml_tensor*, size_t& size) noexcept {
    size = sizeof(Attention*);
    return true;
  }

  // On every thread of the graph.
  virtual bool compute_forward(ggml_compute_params* params, ggml_tensor* operation) noexcept {
    // That of the thread which computes the graph; the others find it in the graph's work buffer.
    thread_local Attention mine;
    Attention* attention = &mine;
    if (params->ith == 0) {
      mine.Prepare(CallOf(operation));
      std::memcpy(params->wdata, &attention, sizeof(attention));
    }
    Wait(params->threadpool);
    std::memcpy(&attention, params->wdata, sizeof(attention));
    attention->Look(params->ith, params->nth);
    Wait(params->threadpool);
    attention->Compute();
    Wait(params->threadpool);
    attention->Merge(params->ith, params->nth);
    return true;
  }
};

class BufferType {
 public:
  virtual ~BufferType() = default;
  virtual bool supports_op(ggml_backend_dev_t device, const ggml_tensor* operation) {
    return before_->supports_op(device, operation);
  }
  virtual ggml::cpu::tensor_traits* get_tensor_traits(const ggml_tensor* operation) {
    if (!AttentionComputes(operation)) return before_->get_tensor_traits(operation);
    return reinterpret_cast<ggml::cpu::tensor_traits*>(&kernels_);
  }

  void StandBefore(ggml::cpu::extra_buffer_type* before) { before_ = before; }

 private:
  ggml::cpu::extra_buffer_type* before_ = nullptr;
  Kernels kernels_;
};

}  // namespace

bool AttentionComputes(const ggml_tensor* operation) {
  if (operation->op != GGML_OP_FLASH_ATTN_EXT) return false;
  const ggml_tensor* const query = operation->src[0];
  const ggml_tensor* const key = operation->src[1];
  const ggml_tensor* const value = operation->src[2];
  const ggml_tensor* const mask = operation->src[3];
  const bool plain = operation->src[4] == nullptr && Parameter(operation, 1) == 0 && Parameter(operation, 2) == 0;
  const bool one_stream = query->ne[3] == 1 && key->ne[3] == 1 && value->ne[3] == 1;
  const bool types = query->type == GGML_TYPE_F32 && operation->type == GGML_TYPE_F32 &&
                     Unpacker(key->type) != nullptr && Unpacker(value->type) != nullptr;
  const bool heads = key->ne[2] > 0 && key->ne[2] == value->ne[2] && query->ne[2] % key->ne[2] == 0 &&
                     query->ne[2] / key->ne[2] <= AttentionCall::kGroupMax;
  const bool widths = key->ne[0] <= AttentionCall::kWidthMax && value->ne[0] <= AttentionCall::kWidthMax &&
                      value->ne[0] % 16 == 0;
  const bool shared_mask = mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1 && mask->ne[3] == 1);
  return plain && one_stream && types && heads && widths && shared_mask;
}

bool InstallAttention() {
  ggml_backend_dev_t const cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return false;
  const auto list = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts"));
  ggml_backend_buffer_type_t* types = list == nullptr ? nullptr : list(cpu);
  while (types != nullptr && *types != nullptr && (*types)->context == nullptr) ++types;
  if (types == nullptr || *types == nullptr) {
    HG_LOG(Warning, "the CPU's backend takes no kernels: ggml's attention is used");
    return false;
  }
  static BufferType ours;
  ours.StandBefore(static_cast<ggml::cpu::extra_buffer_type*>((*types)->context));
  (*types)->context = &ours;
  HG_LOG(Info, "attention installed level=", AttentionKernel::Levels() - 1);
  return true;
}

}  // namespace headgate::engine
