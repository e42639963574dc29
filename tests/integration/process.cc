// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // Debian 12's has no extern "C" of its own
}

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/time_scale.h"

namespace headgate {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (auto& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Reads what there is; false at the end of the file.
bool Drain(int fd, std::string& to, std::mutex& mutex) {
  char buffer[8192];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n > 0) {
      std::lock_guard lock(mutex);
      to.append(buffer, static_cast<size_t>(n));
      continue;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
  }
}

std::string Tail(const std::string& text) { return text.substr(text.size() - std::min<size_t>(text.size(), 2000)); }

}  // namespace

std::string BinaryPath(const std::string& name) {
  if (const char* directory = std::getenv("HEADGATE_BIN_DIR")) return absl::StrCat(directory, "/", name);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path().parent_path() / "bin" / name).string();
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const std::string& program, std::vector<std::string> arguments,
                                                        const std::vector<std::string>& environment) {
  if (access(program.c_str(), X_OK) != 0) return absl::NotFoundError(absl::StrCat("no program ", program));
  arguments.insert(arguments.begin(), program);
  std::vector<std::string> variables = environment;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  const auto argv = Pointers(arguments);
  const auto envp = Pointers(variables);
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return absl::InternalError("pipe");
  if (pipe2(err, O_CLOEXEC) != 0) return absl::InternalError("pipe");
  const pid_t child = fork();
  if (child < 0) return absl::InternalError("fork");
  if (child == 0) {  // only async-signal-safe calls from here on
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    execve(program.c_str(), argv.data(), envp.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  return std::make_unique<Process>(child, out[0], err[0]);
}

Process::Process(pid_t pid, int out, int err) : pid_(pid), out_(out), err_(err), pid_fd_(pidfd_open(pid, 0)) {
  thread_ = std::thread([this] { Collect(); });
}

Process::~Process() {
  Signal(SIGKILL);
  thread_.join();
  close(out_);
  close(err_);
  close(pid_fd_);
}

void Process::Collect() {
  bool out_open = true;
  bool err_open = true;
  for (bool ended = false; !ended;) {
    pollfd fds[] = {{out_open ? out_ : -1, POLLIN, 0}, {err_open ? err_ : -1, POLLIN, 0}, {pid_fd_, POLLIN, 0}};
    if (poll(fds, std::size(fds), -1) < 0 && errno != EINTR) break;
    ended = fds[2].revents != 0;  // looked at first, so that what it wrote before it ended is read below
    if (out_open && (ended || fds[0].revents != 0)) out_open = Drain(out_, stdout_, mutex_);
    if (err_open && (ended || fds[1].revents != 0)) err_open = Drain(err_, stderr_, mutex_);
    changed_.notify_all();
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  std::lock_guard lock(mutex_);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  changed_.notify_all();
}

absl::StatusOr<std::string> Process::WaitForLine(const std::string& prefix, absl::Duration timeout) {
  std::unique_lock lock(mutex_);
  std::optional<std::string> found;
  const auto look = [&] {
    size_t begin = 0;
    for (size_t end; (end = stdout_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (stdout_.compare(begin, prefix.size(), prefix) != 0) continue;
      found = stdout_.substr(begin, end - begin);
      break;
    }
    return found.has_value() || exit_code_.has_value();
  };
  changed_.wait_for(lock, absl::ToChronoMilliseconds(timeout * TimeScale()), look);
  if (found) return *found;
  const std::string why = absl::StrCat("no line '", prefix, "'; stderr: ", Tail(stderr_));
  if (exit_code_) return absl::UnavailableError(absl::StrCat("ended with ", *exit_code_, ": ", why));
  return absl::DeadlineExceededError(why);
}

absl::StatusOr<std::map<std::string, std::string>> Process::WaitListening(absl::Duration timeout) {
  const auto line = WaitForLine("listening ", timeout);
  if (!line.ok()) return line.status();
  std::map<std::string, std::string> fields;
  for (const auto& part : absl::StrSplit(*line, ' ')) {
    const std::pair<std::string, std::string> field = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (!field.second.empty()) fields.insert(field);
  }
  return fields;
}

void Process::Signal(int signal) {
  std::lock_guard lock(mutex_);
  if (!exit_code_) pidfd_send_signal(pid_fd_, signal, nullptr, 0);
}

absl::StatusOr<int> Process::WaitExit(absl::Duration timeout) {
  std::unique_lock lock(mutex_);
  const auto limit = absl::ToChronoMilliseconds(timeout * TimeScale());
  if (!changed_.wait_for(lock, limit, [this] { return exit_code_.has_value(); })) {
    return absl::DeadlineExceededError(absl::StrCat("still running; stderr: ", Tail(stderr_)));
  }
  return *exit_code_;
}

bool Process::Running() const {
  std::lock_guard lock(mutex_);
  return !exit_code_;
}

std::string Process::Stdout() const {
  std::lock_guard lock(mutex_);
  return stdout_;
}

std::string Process::Stderr() const {
  std::lock_guard lock(mutex_);
  return stderr_;
}

}  // namespace headgate
