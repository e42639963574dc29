// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Structured log lines on stderr: `2026-11-22T04:00:00.123456Z INFO router.cc:42 message key=value`.
// A line is at most 1,024 bytes; longer ones are cut. Control characters are escaped. Content never goes into a log
// call: prompts and answers live in types without a string conversion (router/prompt.h).
//
// Thread-safety: all functions from any thread.
#pragma once

#include <string_view>

#include "absl/strings/str_cat.h"

namespace headgate {

enum class LogSeverity { kDebug, kInfo, kWarning, kError };

// Lines below `minimum` are dropped. Default kInfo.
void SetLogSeverity(LogSeverity minimum);
bool LogEnabled(LogSeverity severity);
void LogLine(LogSeverity severity, std::string_view file, int line, std::string_view message);

}  // namespace headgate

// HG_LOG(Info, "engine ready model=", name): the arguments are joined by absl::StrCat, and only when enabled.
#define HG_LOG(severity, ...)                                                                       \
  do {                                                                                              \
    if (::headgate::LogEnabled(::headgate::LogSeverity::k##severity))                               \
      ::headgate::LogLine(::headgate::LogSeverity::k##severity, __FILE__, __LINE__,                 \
                          ::absl::StrCat(__VA_ARGS__));                                             \
  } while (false)
