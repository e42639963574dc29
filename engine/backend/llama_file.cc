// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_file.h"

#include <array>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "engine/backend/llama_log.h"

namespace headgate::engine {

absl::Status CheckModelFile(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  if (!std::filesystem::is_regular_file(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a file"));
  }
  if (IsEncryptedModel(path)) return absl::OkStatus();
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4> magic{};
  if (!file.read(magic.data(), magic.size()) || std::string_view(magic.data(), magic.size()) != "GGUF") {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a GGUF file"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelStream> ModelStream::Open(const std::string& path, const std::string& key) {
  ModelStream stream;
  if (!IsEncryptedModel(path)) {
    stream.file_.reset(std::fopen(path.c_str(), "rb"));
    if (stream.file_ == nullptr) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
    return stream;
  }
  if (key.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": is encrypted; its key is needed"));
  ASSIGN_OR_RETURN(const ModelKey model_key, LoadModelKey(key));
  ASSIGN_OR_RETURN(stream.encrypted_, EncryptedModel::Open(path, model_key));
  stream.file_.reset(stream.encrypted_->OpenStream());
  if (stream.file_ == nullptr) return absl::ResourceExhaustedError("no memory for the model's stream");
  return stream;
}

absl::StatusOr<LlamaModel> LoadLlamaModel(const std::string& path, const std::string& key, llama_model_params params) {
  LlamaModel model;
  std::string why;
  try {
    if (!IsEncryptedModel(path)) {
      model.reset(llama_model_load_from_file(path.c_str(), params));
    } else {
      ASSIGN_OR_RETURN(const ModelStream stream, ModelStream::Open(path, key));
      // The stream decrypts as it is read: a flipped bit is an error there, and status() tells it from a bad GGUF.
      params.load_mode = LLAMA_LOAD_MODE_NONE;  // there is no file to map
      try {
        model.reset(llama_model_load_from_file_ptr(stream.file(), params));
      } catch (const std::exception&) {
        model.reset();
      }
      RETURN_IF_ERROR(stream.status());
    }
    why = LlamaLoadLog::LastError();
  } catch (const std::exception& error) {
    model.reset();
    why = error.what();
  }
  if (model != nullptr) return model;
  return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be loaded: ", why.empty() ? "unknown reason" : why));
}

}  // namespace headgate::engine
