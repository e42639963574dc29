// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/model_store.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace headgate::engine {
namespace {

constexpr size_t kManifestBytesMax = 64 << 10;
constexpr size_t kCopiesMax = 16;
constexpr std::ptrdiff_t kBracketsMax = 64;

std::string ManifestPath(const std::string& model_path) { return model_path + ".manifest.json"; }

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

std::string DigestHex(std::string_view bytes, const EVP_MD* kind) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, kind, nullptr) != 1) return "";
  return Hex(std::string(digest.begin(), digest.begin() + size));
}

absl::Status Unreadable(const std::string& path) { return absl::NotFoundError(absl::StrCat(path, ": cannot be read")); }

// The text of a small file; nullopt when it is not there.
absl::StatusOr<std::optional<std::string>> ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return std::optional<std::string>();
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
  }
  std::string text(kManifestBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return std::optional<std::string>(std::move(text));
}

// A hexadecimal digest of `digits` digits; empty when the key is not there.
absl::StatusOr<std::string> DigestOf(const nlohmann::json& json, const char* key, size_t digits) {
  const auto at = json.find(key);
  if (at == json.end()) return "";
  if (!at->is_string()) return absl::InvalidArgumentError(absl::StrCat(key, ": must be a string"));
  const std::string hex = absl::AsciiStrToLower(at->get<std::string>());
  const bool good = hex.size() == digits && std::all_of(hex.begin(), hex.end(), [](char c) {
                      return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                    });
  if (!good) return absl::InvalidArgumentError(absl::StrCat(key, ": must be ", digits, " hexadecimal digits"));
  return hex;
}

absl::Status FillCopies(const nlohmann::json& json, const std::string& path, ModelManifest& manifest) {
  const auto copies = json.find("copies");
  if (copies == json.end()) return absl::OkStatus();
  if (!copies->is_array() || copies->size() > kCopiesMax) {
    return absl::InvalidArgumentError(absl::StrCat("copies: must be a list of at most ", kCopiesMax, " paths"));
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const auto& copy : *copies) {
    if (!copy.is_string() || copy.get<std::string>().empty()) {
      return absl::InvalidArgumentError("copies: holds something that is no path");
    }
    manifest.copies.push_back((folder / copy.get<std::string>()).string());
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelManifest> FromJson(const nlohmann::json& json, const std::string& path) {
  if (!json.is_object()) return absl::InvalidArgumentError("is not a JSON object");
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (key != "sha256" && key != "md5" && key != "bytes" && key != "name" && key != "copies") {
      return absl::InvalidArgumentError(absl::StrCat(key.substr(0, 64), ": unknown key"));
    }
  }
  ModelManifest manifest;
  ASSIGN_OR_RETURN(manifest.sha256, DigestOf(json, "sha256", 64));
  ASSIGN_OR_RETURN(manifest.md5, DigestOf(json, "md5", 32));
  if (manifest.sha256.empty() && manifest.md5.empty()) return absl::InvalidArgumentError("sha256: must be a string");
  const auto bytes = json.find("bytes");
  if (bytes == json.end() || !bytes->is_number_unsigned() || bytes->get<uint64_t>() > INT64_MAX) {
    return absl::InvalidArgumentError("bytes: must be a non-negative integer");
  }
  manifest.bytes = bytes->get<int64_t>();
  const auto name = json.find("name");
  if (name != json.end() && !name->is_string()) return absl::InvalidArgumentError("name: must be a string");
  if (name != json.end()) manifest.name = name->get<std::string>();
  RETURN_IF_ERROR(FillCopies(json, path, manifest));
  return manifest;
}

absl::Status CheckSize(const std::string& path, const ModelManifest& manifest) {
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) return Unreadable(path);
  if (size == manifest.bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": has ", size, " bytes; its manifest says ", manifest.bytes));
}

absl::Status WriteJson(const std::string& path, const nlohmann::ordered_json& json) {
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

}  // namespace

absl::StatusOr<ModelManifest> ParseManifest(std::string_view text, const std::string& path) {
  const auto named = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::string(status.message())));
  };
  if (text.size() > kManifestBytesMax) return named(absl::InvalidArgumentError("is larger than 64 KiB"));
  // Far deeper than any manifest; the parser's recursion follows the nesting.
  if (std::count(text.begin(), text.end(), '[') + std::count(text.begin(), text.end(), '{') > kBracketsMax) {
    return named(absl::InvalidArgumentError("is not a JSON object"));
  }
  auto manifest = FromJson(nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false), path);
  if (!manifest.ok()) return named(manifest.status());
  return manifest;
}

absl::StatusOr<ModelManifest> ReadServedManifest(const std::string& path) {
  ASSIGN_OR_RETURN(const auto text, ReadSmallFile(path));
  if (!text) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  ASSIGN_OR_RETURN(auto manifest, ParseManifest(*text, path));
  if (manifest.copies.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": copies: names no file"));
  return manifest;
}

absl::StatusOr<std::optional<ModelManifest>> ReadManifest(const std::string& model_path) {
  const std::string path = ManifestPath(model_path);
  ASSIGN_OR_RETURN(const auto text, ReadSmallFile(path));
  if (!text) return std::optional<ModelManifest>();
  ASSIGN_OR_RETURN(auto manifest, ParseManifest(*text, path));
  return std::optional<ModelManifest>(std::move(manifest));
}

absl::Status VerifyModel(const std::string& model_path, const ModelManifest& manifest) {
  RETURN_IF_ERROR(CheckSize(model_path, manifest));
  const MappedFile file(model_path);
  if (!file.ok()) return Unreadable(model_path);
  const bool strong = !manifest.sha256.empty();
  const std::string& expected = strong ? manifest.sha256 : manifest.md5;
  const std::string digest = DigestHex(file.bytes(), strong ? EVP_sha256() : EVP_md5());
  if (digest == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(model_path, ": has ", strong ? "SHA-256 " : "MD5 ", digest,
                                          "; its manifest says ", expected));
}

absl::Status WriteManifest(const std::string& model_path, const std::string& name) {
  const MappedFile file(model_path);
  if (!file.ok()) return Unreadable(model_path);
  return WriteJson(ManifestPath(model_path), {{"sha256", DigestHex(file.bytes(), EVP_sha256())},
                                              {"bytes", file.bytes().size()},
                                              {"name", name}});
}

absl::Status Promote(const std::string& path, const std::string& name, const std::vector<std::string>& copies) {
  if (copies.empty()) return absl::InvalidArgumentError("copies: names no file");
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::absolute(path, error).parent_path();
  ModelManifest manifest;
  nlohmann::ordered_json paths = nlohmann::ordered_json::array();
  for (const std::string& copy : copies) {
    const MappedFile file(copy);
    if (!file.ok()) return Unreadable(copy);
    if (manifest.sha256.empty()) {
      manifest.sha256 = DigestHex(file.bytes(), EVP_sha256());
      manifest.bytes = static_cast<int64_t>(file.bytes().size());
    }
    RETURN_IF_ERROR(VerifyModel(copy, manifest));
    // Relative where it is below the manifest, so that the folder can be mounted elsewhere.
    const std::filesystem::path whole = std::filesystem::absolute(copy, error);
    const std::filesystem::path relative = whole.lexically_relative(folder);
    const bool below = !relative.empty() && *relative.begin() != "..";
    paths.push_back((below ? relative : whole).string());
  }
  return WriteJson(path, {{"sha256", manifest.sha256}, {"bytes", manifest.bytes}, {"name", name}, {"copies", paths}});
}

bool IsManifestPath(std::string_view path) { return path.size() > 5 && path.substr(path.size() - 5) == ".json"; }

absl::Status UseGoodCopy(const ModelManifest& manifest, const std::function<absl::Status(const std::string&)>& load,
                         std::vector<std::string>& lost) {
  absl::Status first;
  bool found = false;
  for (const std::string& copy : manifest.copies) {
    absl::Status status = found ? CheckSize(copy, manifest) : VerifyModel(copy, manifest);
    if (status.ok() && !found) {
      status = load(copy);
      if (absl::IsPermissionDenied(status)) return status;  // the key is wrong, for all of them
      found = status.ok();
    }
    if (status.ok()) continue;
    lost.emplace_back(status.message());
    if (first.ok()) first = std::move(status);
  }
  if (found) return absl::OkStatus();
  if (manifest.copies.size() == 1) return first;
  return absl::DataLossError(absl::StrCat("none of ", manifest.copies.size(), " copies of the model is good: ",
                                          absl::StrJoin(lost, "; ")));
}

}  // namespace headgate::engine
