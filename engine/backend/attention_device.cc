// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/attention_device.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>

#include "common/log.h"
#include "engine/backend/attention.h"
#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

namespace headgate::engine {
namespace {

constexpr const char* kName = "Attention";
// One row of fewer is the CPU's: to change the device for each layer costs more than it saves.
constexpr int64_t kAloneCells = 768;

struct Context {
  Attention attention;
  int32_t threads = 1;
};

Context& ContextOf(ggml_backend_t backend) { return *static_cast<Context*>(backend->context); }

void CopyFloats(const void* packed, float* values, int64_t count) {
  std::memcpy(values, packed, static_cast<size_t>(count) * sizeof(float));
}

AttentionCall::ToFloat Unpacker(ggml_type type) {
  if (type == GGML_TYPE_F16) return Attention::HalfToFloat();
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

bool IsView(ggml_op operation) {
  return operation == GGML_OP_NONE || operation == GGML_OP_RESHAPE || operation == GGML_OP_VIEW ||
         operation == GGML_OP_PERMUTE || operation == GGML_OP_TRANSPOSE;
}

// A stream of ggml: what runs the operations of one context.

ggml_status Compute(ggml_backend_t backend, ggml_cgraph* graph) {
  Context& context = ContextOf(backend);
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* const node = ggml_graph_node(graph, i);
    if ((node->flags & GGML_TENSOR_FLAG_COMPUTE) == 0 || IsView(node->op)) continue;
    if (!AttentionDeviceComputes(node)) return GGML_STATUS_FAILED;
    try {
      context.attention.Run(CallOf(node), context.threads);
    } catch (const std::exception&) {
      return GGML_STATUS_ALLOC_FAILED;
    }
  }
  return GGML_STATUS_SUCCESS;
}

void Free(ggml_backend_t backend) {
  const std::unique_ptr<Context> context(&ContextOf(backend));
  const std::unique_ptr<ggml_backend> stream(backend);
}

void SetThreads(ggml_backend_t backend, int threads) { ContextOf(backend).threads = threads; }

ggml_guid_t Guid() {
  static std::array<uint8_t, 16> guid = {0x48, 0x65, 0x61, 0x64, 0x67, 0x61, 0x74, 0x65,
                                         0x41, 0x74, 0x74, 0x65, 0x6e, 0x74, 0x69, 0x6f};
  return reinterpret_cast<ggml_guid_t>(guid.data());
}

ggml_backend_t MakeStream(ggml_backend_dev_t device, const char*) {
  ggml_backend_i calls = {};
  calls.get_name = [](ggml_backend_t) { return kName; };
  calls.free = Free;
  calls.graph_compute = Compute;
  auto context = std::make_unique<Context>();
  auto stream = std::make_unique<ggml_backend>(ggml_backend{Guid(), calls, device, context.get()});
  context.release();
  return stream.release();
}

// The device, and the list of one device that ggml wants it in.

void Describe(ggml_backend_dev_t, ggml_backend_dev_props* properties) {
  *properties = {};
  properties->name = properties->description = kName;
  properties->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
  properties->caps.buffer_from_host_ptr = true;
  properties->caps.mmap_support = true;
}

ggml_backend_device_i DeviceCalls() {
  ggml_backend_device_i calls = {};
  calls.get_name = calls.get_description = [](ggml_backend_dev_t) { return kName; };
  calls.get_memory = [](ggml_backend_dev_t, size_t* free, size_t* total) { *free = *total = 0; };
  calls.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
  calls.get_props = Describe;
  calls.init_backend = MakeStream;
  calls.get_buffer_type = [](ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); };
  calls.buffer_from_host_ptr = [](ggml_backend_dev_t, void* data, size_t size, size_t) {
    return ggml_backend_cpu_buffer_from_ptr(data, size);
  };
  calls.supports_op = [](ggml_backend_dev_t, const ggml_tensor* operation) {
    return IsView(operation->op) || AttentionDeviceComputes(operation);
  };
  calls.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
    return ggml_backend_buft_is_host(type);
  };
  return calls;
}

void* Extension(ggml_backend_reg_t, const char* name) {
  return std::strcmp(name, "ggml_backend_set_n_threads") == 0 ? reinterpret_cast<void*>(SetThreads) : nullptr;
}

ggml_backend_dev_t DeviceAt(ggml_backend_reg_t list, size_t) {
  static ggml_backend_device device = {DeviceCalls(), list, nullptr};
  return &device;
}

bool have_device = false;

}  // namespace

bool AttentionDeviceComputes(const ggml_tensor* operation) {
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
  const bool worth_it = query->ne[1] > 1 || key->ne[1] >= kAloneCells;
  return worth_it && plain && one_stream && types && heads && widths && shared_mask;
}

void RegisterAttentionDevice() {
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) != nullptr ||
      ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_IGPU) != nullptr) {
    return;
  }
  static ggml_backend_reg list = {GGML_BACKEND_API_VERSION, {}, nullptr};
  list.iface.get_name = [](ggml_backend_reg_t) { return kName; };
  list.iface.get_device_count = [](ggml_backend_reg_t) { return size_t{1}; };
  list.iface.get_device = DeviceAt;
  list.iface.get_proc_address = Extension;
  ggml_backend_register(&list);
  have_device = true;
  HG_LOG(Info, "attention device registered level=", Attention::Levels() - 1);
}

bool HaveAttentionDevice() { return have_device; }

// AUTO would choose attention without fusion: it wants the device of the layer's weights.
llama_flash_attn_type AttentionType() {
  return have_device ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
}

}  // namespace headgate::engine
