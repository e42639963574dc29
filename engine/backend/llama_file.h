// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Model files for libllama, plain or encrypted: the one place that opens them.
//
// Thread-safety: plain functions; a ModelStream is for one thread.
#pragma once

#include <llama.h>

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/encrypted_model.h"

namespace headgate::engine {

struct FreeLlamaModel {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct FreeLlamaContext {
  void operator()(llama_context* context) const { llama_free(context); }
};
using LlamaModel = std::unique_ptr<llama_model, FreeLlamaModel>;
using LlamaContext = std::unique_ptr<llama_context, FreeLlamaContext>;

// NOT_FOUND, or INVALID_ARGUMENT (no file, neither GGUF nor encrypted), with the path.
absl::Status CheckModelFile(const std::string& path);

// A file's plain text as a stream.
class ModelStream {
 public:
  // `key` as for LoadModelKey. Errors as EncryptedModel::Open; INVALID_ARGUMENT when a key is needed and there is none.
  static absl::StatusOr<ModelStream> Open(const std::string& path, const std::string& key);
  std::FILE* file() const { return file_.get(); }
  // Why reading failed: DATA_LOSS.
  absl::Status status() const { return encrypted_ ? encrypted_->status() : absl::OkStatus(); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<EncryptedModel> encrypted_;
  std::unique_ptr<std::FILE, Close> file_;  // reads from it: closed first
};

// INVALID_ARGUMENT says what libllama's log says; else as ModelStream::Open. REQUIRES: InitLlama was called and a
// LlamaLoadLog of this thread is alive.
absl::StatusOr<LlamaModel> LoadLlamaModel(const std::string& path, const std::string& key, llama_model_params params);

}  // namespace headgate::engine
