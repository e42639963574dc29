// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Segment files of the audit chain. A line is written with one write(2) to an O_APPEND file: it survives the process
// being killed; a power loss may lose what the kernel had not yet flushed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "router/audit.h"

namespace headgate::router {
namespace {

absl::Status FileError(const std::string& what, const std::string& path) {
  return absl::UnavailableError(absl::StrCat(what, " ", path, ": ", std::strerror(errno)));
}

class AuditFiles : public AuditStore {
 public:
  AuditFiles(AuditConfig config, std::string chain_id) : config_(std::move(config)), chain_id_(std::move(chain_id)) {}
  ~AuditFiles() override { Close(); }

  absl::Status Append(const std::string& line) override {
    if (fd_ >= 0 && size_ + static_cast<int64_t>(line.size()) + 1 > config_.segment_bytes_max) Close();
    if (fd_ < 0) {
      if (absl::Status status = OpenSegment(); !status.ok()) return status;
    }
    const std::string bytes = line + "\n";
    size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t n = ::write(fd_, bytes.data() + written, bytes.size() - written);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        const absl::Status status = FileError("cannot write", path_);
        // A half line would break the chain for a verifier; if even this fails the segment is given up.
        if (written > 0 && ::ftruncate(fd_, size_) != 0) Close();
        return status;
      }
      written += static_cast<size_t>(n);
    }
    size_ += static_cast<int64_t>(bytes.size());
    return absl::OkStatus();
  }

 private:
  absl::Status OpenSegment() {
    path_ = absl::StrFormat("%s/audit-%s-%06d.jsonl", config_.directory, chain_id_, segment_);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) return FileError("cannot create", path_);
    ++segment_;
    size_ = 0;
    return absl::OkStatus();
  }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  const AuditConfig config_;
  const std::string chain_id_;
  int segment_ = 0;
  int fd_ = -1;
  int64_t size_ = 0;
  std::string path_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AuditStore>> OpenAuditFiles(const AuditConfig& config, const std::string& chain_id) {
  struct stat info {};
  if (::mkdir(config.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FileError("audit.directory: cannot create", config.directory);
  }
  if (::stat(config.directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("audit.directory: not a directory: ", config.directory));
  }
  if (::access(config.directory.c_str(), W_OK | X_OK) != 0) {
    return FileError("audit.directory: not writable", config.directory);
  }
  return std::make_unique<AuditFiles>(config, chain_id);
}

}  // namespace headgate::router
