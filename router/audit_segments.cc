// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/audit_segments.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/digest.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

using nlohmann::json;

constexpr std::string_view kRecords = "audit-", kPayload = "payload-";
constexpr std::string_view kLines = ".jsonl", kManifest = ".manifest.json";
constexpr size_t kReadBytes = 1 << 16;
constexpr size_t kManifestBytesMax = 4096;

bool TakePrefix(std::string_view* text, std::string_view prefix) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}
bool TakeSuffix(std::string_view* text, std::string_view suffix) {
  if (text->size() < suffix.size() || text->substr(text->size() - suffix.size()) != suffix) return false;
  text->remove_suffix(suffix.size());
  return true;
}

json ManifestJson(const SegmentManifest& m) {
  return {{"chain_id", m.chain_id}, {"number", m.number},     {"first_sequence", m.first_sequence},
          {"records", m.records},   {"bytes", m.bytes},       {"sha256", m.sha256},
          {"final", m.final},       {"last_mac", m.last_mac}, {"last_time", m.last_time}};
}

}  // namespace

std::string FileName(const SegmentName& name) {
  return absl::StrFormat("%s%s-%06d%s", name.kind == SegmentName::Kind::kPayload ? "payload-" : "audit-",
                         name.chain_id, name.number,
                         name.kind == SegmentName::Kind::kManifest ? ".manifest.json" : ".jsonl");
}

std::optional<SegmentName> ParseFileName(std::string_view file) {
  SegmentName name;
  std::string_view rest = file;
  if (TakePrefix(&rest, kPayload)) {
    name.kind = SegmentName::Kind::kPayload;
  } else if (!TakePrefix(&rest, kRecords)) {
    return std::nullopt;
  }
  if (name.kind == SegmentName::Kind::kRecords && TakeSuffix(&rest, kManifest)) {
    name.kind = SegmentName::Kind::kManifest;
  } else if (!TakeSuffix(&rest, kLines)) {
    return std::nullopt;
  }
  const size_t dash = rest.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == rest.size()) return std::nullopt;
  name.chain_id = std::string(rest.substr(0, dash));
  if (!absl::SimpleAtoi(std::string(rest.substr(dash + 1)), &name.number) || FileName(name) != file) {
    return std::nullopt;
  }
  return name;
}

std::string WriteManifest(std::string_view key, const SegmentManifest& manifest) {
  std::string body = ManifestJson(manifest).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  const std::string mac = Hex(HmacSha256(key, body));
  body.pop_back();
  return absl::StrCat(body, ",\"mac\":\"", mac, "\"}\n");
}

absl::StatusOr<SegmentManifest> ReadManifest(std::string_view key, std::string_view text) {
  const auto bad = absl::DataLossError("the manifest was changed, or made with another key");
  if (text.size() > kManifestBytesMax || text.find_first_of("[{", 1) != std::string_view::npos) return bad;
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return bad;
  SegmentManifest out;
  const auto take = [&object](const char* name, auto* value) {
    const auto found = object.find(name);
    if (found == object.end()) return;
    using T = std::decay_t<decltype(*value)>;
    if constexpr (std::is_same_v<T, std::string>) {
      if (found->is_string()) *value = found->get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (found->is_boolean()) *value = found->get<bool>();
    } else if (found->is_number_unsigned()) {
      *value = static_cast<T>(found->get<uint64_t>());
    }
  };
  take("chain_id", &out.chain_id);
  take("number", &out.number);
  take("first_sequence", &out.first_sequence);
  take("records", &out.records);
  take("bytes", &out.bytes);
  take("sha256", &out.sha256);
  take("last_mac", &out.last_mac);
  take("last_time", &out.last_time);
  take("final", &out.final);
  // What was not understood makes another text.
  if (!EqualConstantTime(WriteManifest(key, out), text)) return bad;
  return out;
}

struct RunningSha256::State {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
  bool good = false;
};

RunningSha256::RunningSha256() : state_(std::make_unique<State>()) {
  state_->good = state_->context != nullptr && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1;
}
RunningSha256::~RunningSha256() = default;

void RunningSha256::Add(std::string_view bytes) {
  state_->good = state_->good && EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1;
}

std::string RunningSha256::Hex() const {
  State copy;
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!state_->good || copy.context == nullptr ||
      EVP_MD_CTX_copy_ex(copy.context.get(), state_->context.get()) != 1 ||
      EVP_DigestFinal_ex(copy.context.get(), out, &size) != 1) {
    return "";
  }
  return headgate::Hex(std::string_view(reinterpret_cast<const char*>(out), size));
}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path, size_t line_bytes_max) {
  // O_NONBLOCK: a pipe that somebody put there must not hold us up.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(errno)));
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return absl::NotFoundError(absl::StrCat(path, ": not a file"));
  }
  return std::unique_ptr<LineReader>(new LineReader(fd, line_bytes_max));
}

LineReader::~LineReader() { ::close(fd_); }

bool LineReader::Fill() {
  buffer_.erase(0, std::exchange(begin_, 0));
  const size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  ssize_t n = 0;
  do {
    n = ::read(fd_, buffer_.data() + before, kReadBytes);
  } while (n < 0 && errno == EINTR);
  failed_ |= n < 0;
  buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return n > 0;
}

LineReader::Next LineReader::Read(std::string* line) {
  size_t searched = 0;
  while (true) {
    const size_t end = buffer_.find('\n', begin_ + searched);
    if (end != std::string::npos) {
      const std::string_view whole = std::string_view(buffer_).substr(begin_, end + 1 - begin_);
      if (whole.size() > line_bytes_max_) return Next::kTooLong;
      digest_.Add(whole);
      bytes_ += static_cast<int64_t>(whole.size());
      line->assign(whole.substr(0, whole.size() - 1));
      begin_ = end + 1;
      ++number_;
      return Next::kLine;
    }
    searched = buffer_.size() - begin_;
    if (searched > line_bytes_max_) return Next::kTooLong;
    if (!Fill()) break;
  }
  if (failed_) return Next::kError;
  if (begin_ == buffer_.size()) return Next::kEnd;
  line->assign(buffer_, begin_);
  begin_ = buffer_.size();
  ++number_;
  return Next::kCut;
}

std::vector<std::string> RecordFilesSince(const std::string& directory, absl::Time since) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const auto name = ParseFileName(it->path().filename().string());
    if (!name || name->kind != SegmentName::Kind::kRecords) continue;
    std::error_code stat;
    const auto written = std::chrono::file_clock::to_sys(it->last_write_time(stat));
    if (!stat && absl::FromChrono(std::chrono::time_point_cast<std::chrono::microseconds>(written)) < since) continue;
    files.push_back(it->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string LastLine(const std::string& path, size_t line_bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return "";
  struct stat info {};
  std::string tail;
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    const auto want = static_cast<size_t>(std::min<int64_t>(info.st_size, static_cast<int64_t>(line_bytes_max) + 2));
    tail.resize(want);
    const ssize_t n = ::pread(fd, tail.data(), want, info.st_size - static_cast<off_t>(want));
    tail.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  }
  ::close(fd);
  const size_t end = tail.rfind('\n');
  if (end == std::string::npos || end == 0) return "";
  const size_t begin = tail.rfind('\n', end - 1);
  if (begin == std::string::npos && tail.size() > line_bytes_max) return "";
  return tail.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin + 1));
}

}  // namespace headgate::router
