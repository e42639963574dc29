// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/model_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace headgate::engine {
namespace {

constexpr size_t kManifestBytesMax = 64 << 10;

std::string ManifestPath(const std::string& model_path) { return model_path + ".manifest.json"; }

struct FileDigest {
  std::string sha256;
  int64_t bytes = 0;
};

// A mapped file, so that a model of many gigabytes is read once and never copied.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat info {};
    if (fd_ < 0 || fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) return;
    size_ = static_cast<size_t>(info.st_size);
    if (size_ > 0) data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
    ok_ = data_ != MAP_FAILED;
    if (ok_ && size_ > 0) madvise(data_, size_, MADV_SEQUENTIAL);
  }
  ~MappedFile() {
    if (ok_ && size_ > 0) munmap(data_, size_);
    if (fd_ >= 0) close(fd_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  bool ok() const { return ok_; }
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  const int fd_;
  size_t size_ = 0;
  void* data_ = nullptr;
  bool ok_ = false;
};

absl::StatusOr<FileDigest> Digest(const std::string& path) {
  const MappedFile file(path);
  if (!file.ok()) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return FileDigest{Hex(Sha256(file.bytes())), static_cast<int64_t>(file.bytes().size())};
}

}  // namespace

absl::StatusOr<std::optional<ModelManifest>> ReadManifest(const std::string& model_path) {
  const std::string path = ManifestPath(model_path);
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return std::optional<ModelManifest>();
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
  }
  std::string text(kManifestBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  const auto invalid = [&](std::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::string(what)));
  };
  if (text.size() > kManifestBytesMax) return invalid("is larger than 64 KiB");
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return invalid("is not a JSON object");
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (key != "sha256" && key != "bytes" && key != "name") return invalid(key + ": unknown key");
  }
  ModelManifest manifest;
  const auto sha256 = json.find("sha256");
  if (sha256 == json.end() || !sha256->is_string()) return invalid("sha256: must be a string");
  manifest.sha256 = absl::AsciiStrToLower(sha256->get<std::string>());
  const bool hex = std::all_of(manifest.sha256.begin(), manifest.sha256.end(),
                               [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
  if (manifest.sha256.size() != 64 || !hex) return invalid("sha256: must be 64 hexadecimal digits");
  const auto bytes = json.find("bytes");
  if (bytes == json.end() || !bytes->is_number_unsigned()) return invalid("bytes: must be a non-negative integer");
  manifest.bytes = bytes->get<int64_t>();
  const auto name = json.find("name");
  if (name != json.end() && !name->is_string()) return invalid("name: must be a string");
  if (name != json.end()) manifest.name = name->get<std::string>();
  return std::optional<ModelManifest>(std::move(manifest));
}

absl::Status VerifyModel(const std::string& model_path, const ModelManifest& manifest) {
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(model_path, error));
  if (error) return absl::NotFoundError(absl::StrCat(model_path, ": cannot be read"));
  if (size != manifest.bytes) {
    return absl::DataLossError(
        absl::StrCat(model_path, ": has ", size, " bytes; its manifest says ", manifest.bytes));
  }
  ASSIGN_OR_RETURN(const FileDigest digest, Digest(model_path));
  if (digest.sha256 != manifest.sha256) {
    return absl::DataLossError(
        absl::StrCat(model_path, ": has SHA-256 ", digest.sha256, "; its manifest says ", manifest.sha256));
  }
  return absl::OkStatus();
}

absl::Status WriteManifest(const std::string& model_path, const std::string& name) {
  ASSIGN_OR_RETURN(const FileDigest digest, Digest(model_path));
  const nlohmann::ordered_json json = {{"sha256", digest.sha256}, {"bytes", digest.bytes}, {"name", name}};
  const std::string path = ManifestPath(model_path);
  const std::string fresh = path + ".new";  // renamed into place: a reader sees the old one or the new one
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    file.flush();
    if (!file) return absl::PermissionDeniedError(absl::StrCat(fresh, ": cannot be written"));
  }
  std::error_code error;
  std::filesystem::rename(fresh, path, error);
  if (error) return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be written"));
  return absl::OkStatus();
}

}  // namespace headgate::engine
