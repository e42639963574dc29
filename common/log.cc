// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace headgate {
namespace {

constexpr size_t kLineBytesMax = 1024;
std::atomic<LogSeverity> minimum_severity{LogSeverity::kInfo};

std::string_view Name(LogSeverity severity) {
  switch (severity) {
    case LogSeverity::kDebug: return "DEBUG";
    case LogSeverity::kInfo: return "INFO";
    case LogSeverity::kWarning: return "WARNING";
    case LogSeverity::kError: return "ERROR";
  }
  return "ERROR";
}

}  // namespace

void SetLogSeverity(LogSeverity minimum) { minimum_severity = minimum; }
bool LogEnabled(LogSeverity severity) { return severity >= minimum_severity.load(std::memory_order_relaxed); }

void LogLine(LogSeverity severity, std::string_view file, int line, std::string_view message) {
  const size_t slash = file.rfind('/');
  if (slash != std::string_view::npos) file.remove_prefix(slash + 1);
  const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", RealTime().WallTime(), absl::UTCTimeZone());
  std::string out = absl::StrCat(time, " ", std::string(Name(severity)), " ", std::string(file), ":", line, " ");
  for (const char c : message) {
    if (out.size() >= kLineBytesMax - 4) {
      out += "...";
      break;
    }
    // One record is one line, whatever the message holds.
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '\n';
  // One write, so that lines of several threads do not mix; a lost log line is not an error.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, out.data(), out.size());
}

}  // namespace headgate
