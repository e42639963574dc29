// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Routes libllama's log into ours. While a model loads, lines are passed on as they are; afterwards only the name of
// the function that complains (the caller gets a status anyway), because later lines may quote request text.
//
// Thread-safety: all functions from any thread; two models loading at once share the error lines.
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

  // The last error line since construction, without its line feed; empty = none.
  std::string LastError() const;
};

}  // namespace headgate::engine
