// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_adapters.h"

#include <llama.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "engine/backend/llama_file.h"
#include "engine/backend/llama_log.h"

namespace headgate::engine {

LlamaAdapters::Loaded::~Loaded() {
  if (lora == nullptr) return;
  const std::lock_guard lock(dropped->mutex);
  dropped->adapters.push_back(lora);
}

LlamaAdapters::LlamaAdapters(llama_model* model, std::string key) : model_(model), key_(std::move(key)) {}

// REQUIRES: the context is gone.
LlamaAdapters::~LlamaAdapters() {
  const std::lock_guard lock(dropped_->mutex);
  for (llama_adapter_lora* const lora : dropped_->adapters) llama_adapter_lora_free(lora);
}

absl::StatusOr<std::shared_ptr<const Adapter>> LlamaAdapters::Load(const std::string& name, const std::string& file) {
  RETURN_IF_ERROR(CheckModelFile(file));
  ASSIGN_OR_RETURN(const ModelStream stream, ModelStream::Open(file, key_));
  auto loaded = std::make_shared<Loaded>();
  loaded->name = name;
  loaded->dropped = dropped_;
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    const LlamaLoadLog log;
    try {
      loaded->lora = llama_adapter_lora_init_from_file_ptr(model_, stream.file());
    } catch (const std::exception& error) {
      why = error.what();
    }
    if (why.empty()) why = LlamaLoadLog::LastError();
  }
  RETURN_IF_ERROR(stream.status());
  if (loaded->lora == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": not an adapter for this model: ", why));
  }
  if (llama_adapter_get_alora_n_invocation_tokens(loaded->lora) > 0) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": works from certain tokens on (aLoRA); not supported"));
  }
  loaded->id = ++ids_;
  return std::shared_ptr<const Adapter>(std::move(loaded));
}

void LlamaAdapters::Use(llama_context* context, const Adapter* adapter) {
  const int32_t id = adapter == nullptr ? 0 : adapter->id;
  if (id != used_) {
    llama_adapter_lora* lora = adapter == nullptr ? nullptr : static_cast<const Loaded*>(adapter)->lora;
    float scale = 1;
    llama_set_adapters_lora(context, &lora, lora == nullptr ? 0 : 1, &scale);
    used_ = id;
  }
  std::vector<llama_adapter_lora*> gone;
  {
    const std::lock_guard lock(dropped_->mutex);
    gone.swap(dropped_->adapters);
  }
  if (gone.empty()) return;
  // Whose adapter is used now is held by the caller, so it is not among these.
  const std::lock_guard lock(mutex_);
  for (llama_adapter_lora* const lora : gone) llama_adapter_lora_free(lora);
}

}  // namespace headgate::engine
