// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// output_guard: word lists, patterns and personal data on the flowing answer, the same for both back ends. What may
// still become a match is held back, so that a value split over chunks is found; the result does not depend on the
// chunking. Words are compared byte by byte, ASCII letters without case; patterns and personal data: guard_window.h.
// Rules act independently: `redact` puts `***` in place of every match (overlapping and touching ones together),
// `replace` its own text; `stop` ends the answer before the first match; `flag` only notes the rule's name.
//
// Thread-safety: OutputGuard const methods from any thread; a Stream belongs to one request.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "headgate/v1/inference.pb.h"
#include "router/config.h"
#include "router/sensitivity/detectors.h"

namespace headgate::router {

class OutputGuard {
 public:
  // One answer's guard. Content, reasoning and each tool call's arguments are separate texts. Must not outlive the
  // OutputGuard it came from.
  class Stream {
   public:
    virtual ~Stream() = default;
    // Events that may go out now; text that could be the start of a word stays inside until decided. On a finish event
    // everything left comes before it. A `stop` match ends the answer at once: a finish event with the reason
    // CONTENT_FILTER (without usage) is the last one, `stopped` is true, and whatever follows is swallowed.
    virtual std::vector<v1::GenerateStreamResponse> Filter(v1::GenerateStreamResponse event) = 0;
    virtual bool stopped() const = 0;
    // Names of the rules that matched, for audit; never the words.
    virtual std::vector<std::string> flags() const = 0;
  };

  // INVALID_ARGUMENT names the rule: a list without a name or with one given twice, a word that is empty or not valid
  // UTF-8, a pattern that does not compile, personal_data without `detectors`.
  static absl::StatusOr<std::unique_ptr<OutputGuard>> Make(const OutputGuardConfig& config,
                                                           std::shared_ptr<const Detectors> detectors = nullptr);
  virtual ~OutputGuard() = default;
  virtual std::unique_ptr<Stream> NewStream() const = 0;
};

}  // namespace headgate::router
