// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// While it lives, the process's standard error goes to a file, and everything is logged.
//
// Thread-safety: none; one at a time.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include "common/log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace headgate::router {

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class CapturedStderr {
 public:
  explicit CapturedStderr(std::string path) : path_(std::move(path)), before_(::dup(STDERR_FILENO)) {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (before_ < 0 || file < 0 || ::dup2(file, STDERR_FILENO) < 0) throw std::runtime_error("cannot capture stderr");
    ::close(file);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<intptr_t>(before_)));
#endif
    SetLogSeverity(LogSeverity::kDebug);
  }
  ~CapturedStderr() {
    SetLogSeverity(LogSeverity::kInfo);
    ::dup2(before_, STDERR_FILENO);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<intptr_t>(STDERR_FILENO)));
#endif
    ::close(before_);
  }
  std::string Text() const { return ReadAll(path_); }

 private:
  const std::string path_;
  const int before_;
};

}  // namespace headgate::router
