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

// One text to be read by the detectors: a string of the request, or a view derived from it.
struct ScreenedField {
  std::string field;  // `messages[2].content`; `messages[1..2].content` is the seam between two messages
  CanonicalText text;
  // How the text was derived: empty (as sent), `seam`, `unescaped`, `base64`, `hex`, `chinese_numerals`.
  std::string view = {};
  // Derived views: where in the field (for a seam: in the tail and head put together) each byte of the view came from,
  // one past the end included. Empty: the identity.
  std::vector<uint32_t> origin = {};
  // Seams: bytes of the tail. A value on one side only was found in its own message already.
  int32_t seam = 0;

  // The range of the field's own bytes that a detection's `span` stands for.
  CanonicalText::Span InField(CanonicalText::Span span) const;
};

// Everything the detectors read. Content: never logged.
struct Screened {
  std::string digest;  // Prompt::digest of what was screened
  std::vector<ScreenedField> fields;
  std::vector<std::string> not_inspectable;  // reasons, content-free: `invalid_utf8 messages[0].content`, `too_long`
};

class Screening {
 public:
  explicit Screening(const LimitsConfig& limits) : inspect_bytes_max_(limits.inspect_bytes_max) {}
  Screened Screen(const Prompt& prompt) const;

 private:
  const int64_t inspect_bytes_max_;
};

}  // namespace headgate::router
