// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// RedisServer: a real Redis on a Unix socket in a folder of its own, gone with the test. Useful for: what sharing and
// the shared cache ask of a real one. Only where redis-tools is installed (tools/packages/debian12-test.txt).
//
// Thread-safety: none.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace headgate {

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> more = {}) {
    folder_ = std::filesystem::temp_directory_path() / absl::StrCat("headgate-redis-", getpid(), "-", ++number_);
    std::filesystem::create_directories(folder_);
    std::vector<std::string> words = {"redis-server", "--save",       "",       "--appendonly", "no",
                                      "--unixsocket", socket(),       "--dir",  folder_.string(), "--loglevel",
                                      "warning",      "--logfile",    (folder_ / "log").string()};
    if (more.empty()) more = {"--port", "0"};
    words.insert(words.end(), more.begin(), more.end());
    words_ = words;
    Start();
  }
  ~RedisServer() {
    Stop();
    std::filesystem::remove_all(folder_);
  }
  void Start() {
    std::vector<char*> arguments;
    for (std::string& word : words_) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      execvp(kProgram, arguments.data());
      _exit(127);
    }
  }
  void Stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  const std::filesystem::path& folder() const { return folder_; }
  std::string socket() const { return (folder_ / "s").string(); }
  static bool Installed() {
    return std::system(absl::StrCat("command -v ", kProgram, " >/dev/null 2>&1").c_str()) == 0;
  }

 private:
  // The server's program, in the package that starts none: it goes by the name that it is called by.
  static constexpr char kProgram[] = "redis-check-rdb";
  static inline int number_ = 0;
  std::filesystem::path folder_;
  std::vector<std::string> words_;
  pid_t pid_ = -1;
};

}  // namespace headgate
