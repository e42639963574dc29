// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// output_guard: word lists on the flowing answer. A tail as long as the longest word is held back, so that a word split
// over chunks is found; the result does not depend on the chunking.
//
// Thread-safety: OutputGuard const methods from any thread; a Stream belongs to one request.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "headgate/v1/inference.pb.h"
#include "router/config.h"

namespace headgate::router {

class OutputGuard {
 public:
  // One answer's guard. Content, reasoning and each tool call's arguments are separate texts.
  class Stream {
   public:
    virtual ~Stream() = default;
    // Events that may go out now; text that could be the start of a word stays inside until decided. On a finish event
    // everything left comes before it. After a `stop` match the finish reason is CONTENT_FILTER and `stopped` is true.
    virtual std::vector<v1::GenerateStreamResponse> Filter(v1::GenerateStreamResponse event) = 0;
    virtual bool stopped() const = 0;
    // Names of the lists that matched, for audit; never the words.
    virtual std::vector<std::string> flags() const = 0;
  };

  static absl::StatusOr<std::unique_ptr<OutputGuard>> Make(const OutputGuardConfig& config);
  virtual ~OutputGuard() = default;
  virtual std::unique_ptr<Stream> NewStream() const = 0;
};

}  // namespace headgate::router
