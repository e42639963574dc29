// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// screening: every string of the request becomes canonical text with a map back to the original bytes; what cannot be
// inspected is said so here and decides for "sensitive" later.
//
// Thread-safety: const methods from any thread.
#pragma once

#include <string>
#include <vector>

#include "router/config.h"
#include "router/prompt.h"
#include "router/sensitivity/canonical_text.h"

namespace headgate::router {

struct ScreenedField {
  std::string field;     // `messages[2].content`
  CanonicalText text;
};

// Everything the detectors read. Content: never logged.
struct Screened {
  std::string digest;                       // Prompt::digest of what was screened
  std::vector<ScreenedField> fields;
  std::vector<std::string> not_inspectable; // reasons, content-free: `invalid_utf8 messages[0].content`, `too_long`
};

class Screening {
 public:
  explicit Screening(const LimitsConfig& limits) : inspect_bytes_max_(limits.inspect_bytes_max) {}
  Screened Screen(const Prompt& prompt) const;

 private:
  const int64_t inspect_bytes_max_;
};

}  // namespace headgate::router
