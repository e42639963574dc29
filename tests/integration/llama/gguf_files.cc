// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/llama/gguf_files.h"

#include <ggml.h>
#include <gguf.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace headgate::engine {
namespace {

struct FreeGguf {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using Gguf = std::unique_ptr<gguf_context, FreeGguf>;

constexpr int64_t kRank = 4;
constexpr int64_t kSize = 64;        // of the random model
constexpr int64_t kForward = 128;
constexpr uint32_t kHeads = 2;       // of 32: a block of the quantised KV types
constexpr uint32_t kLayers = 2;

// Tensors of 32-bit numbers, kept until they are written.
class Tensors {
 public:
  explicit Tensors(uint32_t seed) : random_(seed) {
    context_.reset(ggml_init({/*mem_size=*/64 << 20, /*mem_buffer=*/nullptr, /*no_alloc=*/false}));
  }
  void Add(gguf_context* to, const std::string& name, int64_t inputs, int64_t outputs, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    Fill(to, name, inputs, outputs, [&] { return normal(random_); });
  }
  void AddOnes(gguf_context* to, const std::string& name, int64_t size) {
    Fill(to, name, size, 1, [] { return 1.0F; });
  }

 private:
  struct FreeGgml {
    void operator()(ggml_context* context) const { ggml_free(context); }
  };
  void Fill(gguf_context* to, const std::string& name, int64_t inputs, int64_t outputs,
            const std::function<float()>& next) {
    ggml_tensor* const tensor = outputs == 1 ? ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, inputs)
                                             : ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, inputs, outputs);
    ggml_set_name(tensor, name.c_str());
    auto* const data = static_cast<float*>(tensor->data);
    for (int64_t i = 0; i < inputs * outputs; ++i) data[i] = next();
    gguf_add_tensor(to, tensor);
  }

  std::mt19937 random_;
  std::unique_ptr<ggml_context, FreeGgml> context_;
};

Gguf Read(const std::string& path) { return Gguf(gguf_init_from_file(path.c_str(), {true, nullptr})); }

uint32_t Number(const gguf_context* gguf, const char* key) {
  const int64_t id = gguf_find_key(gguf, key);
  return id < 0 ? 0 : gguf_get_val_u32(gguf, id);
}

}  // namespace

bool WriteAdapter(const std::string& model, const std::string& to, uint32_t seed, float strength) {
  const Gguf base = Read(model);
  if (base == nullptr) return false;
  const int64_t size = Number(base.get(), "llama.embedding_length");
  const int64_t forward = Number(base.get(), "llama.feed_forward_length");
  const Gguf adapter(gguf_init_empty());
  gguf_set_val_str(adapter.get(), "general.type", "adapter");
  gguf_set_val_str(adapter.get(), "general.architecture", "llama");
  gguf_set_val_str(adapter.get(), "adapter.type", "lora");
  gguf_set_val_f32(adapter.get(), "adapter.lora.alpha", static_cast<float>(kRank));
  Tensors tensors(seed);
  const auto add = [&](const std::string& name, int64_t inputs, int64_t outputs) {
    tensors.Add(adapter.get(), name + ".lora_a", inputs, kRank, 0.05F);
    tensors.Add(adapter.get(), name + ".lora_b", kRank, outputs, 0.5F * strength);
  };
  for (uint32_t i = 0; i < Number(base.get(), "llama.block_count"); ++i) {
    const std::string layer = "blk." + std::to_string(i);
    add(layer + ".attn_q.weight", size, size);
    add(layer + ".ffn_down.weight", forward, size);
  }
  return gguf_write_to_file(adapter.get(), to.c_str(), false);
}

bool WriteRandomModel(const std::string& vocabulary_of, const std::string& to, uint32_t context_tokens, uint32_t seed) {
  const Gguf base = Read(vocabulary_of);
  if (base == nullptr) return false;
  const int64_t tokens = gguf_find_key(base.get(), "tokenizer.ggml.tokens");
  if (tokens < 0) return false;
  const auto vocabulary = static_cast<int64_t>(gguf_get_arr_n(base.get(), tokens));
  const Gguf model(gguf_init_empty());
  gguf_set_kv(model.get(), base.get());
  gguf_set_val_str(model.get(), "general.name", "random");
  gguf_set_val_u32(model.get(), "general.file_type", 0);
  gguf_set_val_u32(model.get(), "llama.context_length", context_tokens);
  gguf_set_val_u32(model.get(), "llama.embedding_length", kSize);
  gguf_set_val_u32(model.get(), "llama.block_count", kLayers);
  gguf_set_val_u32(model.get(), "llama.feed_forward_length", kForward);
  gguf_set_val_u32(model.get(), "llama.attention.head_count", kHeads);
  gguf_set_val_u32(model.get(), "llama.attention.head_count_kv", kHeads);
  gguf_set_val_u32(model.get(), "llama.rope.dimension_count", kSize / kHeads);
  Tensors tensors(seed);
  gguf_context* const out = model.get();
  tensors.Add(out, "token_embd.weight", kSize, vocabulary, 0.5F);
  tensors.AddOnes(out, "output_norm.weight", kSize);
  for (uint32_t i = 0; i < kLayers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    tensors.AddOnes(out, layer + "attn_norm.weight", kSize);
    tensors.AddOnes(out, layer + "ffn_norm.weight", kSize);
    for (const char* name : {"attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight"}) {
      tensors.Add(out, layer + name, kSize, kSize, 0.2F);
    }
    tensors.Add(out, layer + "ffn_gate.weight", kSize, kForward, 0.2F);
    tensors.Add(out, layer + "ffn_up.weight", kSize, kForward, 0.2F);
    tensors.Add(out, layer + "ffn_down.weight", kForward, kSize, 0.2F);
  }
  return gguf_write_to_file(out, to.c_str(), false);
}

}  // namespace headgate::engine
