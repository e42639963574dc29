// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// LoRA adapters of a libllama model: loaded from any thread, used and freed on the decode thread, because a context
// keeps pointing at the one it used last.
//
// Thread-safety: Load, and letting go of an adapter, from any thread; Use from the decode thread only.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backend/backend.h"

struct llama_adapter_lora;
struct llama_context;
struct llama_model;

namespace headgate::engine {

class LlamaAdapters {
 public:
  // `key` opens encrypted files, as the model's.
  LlamaAdapters(llama_model* model, std::string key);
  ~LlamaAdapters();

  // NOT_FOUND, INVALID_ARGUMENT (no adapter, damaged, made for another model: says which tensor), or as
  // EncryptedModel::Open.
  absl::StatusOr<std::shared_ptr<const Adapter>> Load(const std::string& name, const std::string& file);
  // For all decodes of `context` from here on; nullptr = none. Frees what nobody holds any more.
  void Use(llama_context* context, const Adapter* adapter);

 private:
  // Adapters that everybody has let go of; shared with their deleters.
  struct Dropped {
    std::mutex mutex;
    std::vector<llama_adapter_lora*> adapters;
  };
  struct Loaded : Adapter {
    ~Loaded();
    llama_adapter_lora* lora = nullptr;
    std::shared_ptr<Dropped> dropped;
  };

  llama_model* const model_;
  const std::string key_;
  std::mutex mutex_;  // libllama keeps a set of a model's adapters
  const std::shared_ptr<Dropped> dropped_ = std::make_shared<Dropped>();
  std::atomic<int32_t> ids_{0};
  int32_t used_ = 0;  // id
};

}  // namespace headgate::engine
