// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Routes libllama's log into ours. While a thread loads a model, its lines are passed on as they are; all others only
// by the name of the function that complains (the caller gets a status anyway), because they may quote request text.
//
// Thread-safety: all functions from any thread; a LlamaLoadLog belongs to the thread that made it.
#pragma once

#include <string>

namespace headgate::engine {

// Initialises libllama once per process.
void InitLlama();

class LlamaLoadLog {
 public:
  LlamaLoadLog();
  ~LlamaLoadLog();
  LlamaLoadLog(const LlamaLoadLog&) = delete;
  LlamaLoadLog& operator=(const LlamaLoadLog&) = delete;

  // The last error line of this thread since the construction, without its line feed; empty = none.
  static std::string LastError();
};

}  // namespace headgate::engine
