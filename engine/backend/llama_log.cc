// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_log.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "common/log.h"
#include "engine/backend/ggml_attention.h"
#include <ggml-backend.h>
#include <ggml.h>
#include <llama.h>
#include <log.h>

namespace headgate::engine {
namespace {

// Of the thread that loads: others may be serving another model meanwhile.
struct LogState {
  int loading = 0;
  std::string last_error;
};

LogState& State() {
  static thread_local LogState state;
  return state;
}

// "load_tensors: ..." -> "load_tensors"; empty unless the line begins with a plain function name.
std::string_view FunctionName(std::string_view line) {
  const size_t colon = line.find(':');
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (colon == std::string_view::npos || colon > 64) return {};
  for (const char c : line.substr(0, colon)) {
    if (!plain(c)) return {};
  }
  return line.substr(0, colon);
}

void OnLlamaLog(ggml_log_level level, const char* text, void*) {
  std::string_view line(text == nullptr ? "" : text);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.empty()) return;
  LogState& state = State();
  if (state.loading > 0) {
    if (level == GGML_LOG_LEVEL_ERROR) state.last_error = std::string(line);
    // A refused file is reported by its status; the lines before it are for a developer.
    HG_LOG(Debug, "libllama: ", absl::string_view(line.data(), line.size()));
  } else if (level == GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_ERROR) {
    const std::string_view name = FunctionName(line);
    HG_LOG(Debug, "libllama complains, text withheld function=", absl::string_view(name.data(), name.size()));
  }
}

// A program for every x86-64 (tools/llama build portable) has its CPU backends beside it and takes the best one that
// this CPU runs; others have theirs linked in. Without any, libllama refuses each model by saying so.
void LoadBackends() {
  if (ggml_backend_dev_count() > 0) return;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string folder = (program.parent_path().parent_path() / "lib/headgate").string();
  ggml_backend_load_all_from_path(folder.c_str());
  if (ggml_backend_dev_count() == 0) {
    HG_LOG(Error, "no backend that this CPU runs in folder=", folder);
  } else {
    HG_LOG(Info, "CPU backend loaded: ", llama_print_system_info());
  }
}

}  // namespace

void InitLlama() {
  static const bool once = [] {
    llama_log_set(OnLlamaLog, nullptr);
    // llama.cpp's common/ has a log of its own that quotes answers it cannot parse: off.
    common_log_set_verbosity_thold(-1);
    LoadBackends();
    InstallAttention();
    llama_backend_init();
    return true;
  }();
  static_cast<void>(once);
}

LlamaLoadLog::LlamaLoadLog() {
  ++State().loading;
  State().last_error.clear();
}

LlamaLoadLog::~LlamaLoadLog() {
  --State().loading;
}

std::string LlamaLoadLog::LastError() {
  return State().last_error;
}

}  // namespace headgate::engine

// libllama and llama.cpp's common/ print a grammar that does not parse, and parts of a schema that they only half
// understand, straight to stderr. Both are the client's text. The link option --wrap=fprintf (engine/CMakeLists.txt)
// brings their calls here; everything but those two messages goes on as it was.
extern "C" int __wrap_fprintf(FILE* stream, const char* format, ...) {
  if (std::strstr(format, "error parsing grammar") != nullptr ||
      std::strstr(format, "JSON schema conversion") != nullptr) {
    return 0;
  }
  std::va_list arguments;
  va_start(arguments, format);
  const int written = std::vfprintf(stream, format, arguments);
  va_end(arguments);
  return written;
}
