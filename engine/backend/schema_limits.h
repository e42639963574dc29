// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What a JSON schema may ask of llama.cpp's conversion to a grammar. The conversion follows references and names by
// recursion, writes optional properties out in the square of their number, and each way on that a grammar leaves open
// costs a pass over the vocabulary when a token is refused, during which no other stream goes on. So a small text could
// end the process or stop it for minutes.
//
// Thread-safety: pure functions.
#pragma once

#include "absl/status/status.h"

class common_json;

namespace headgate::engine {

// Each counted as if references were written out, a reference to what it stands in counting as one node.
struct SchemaLimits {
  static constexpr int kNodes = 10'000;
  static constexpr int kReferencesDeep = 32;      // one inside the other
  static constexpr int kPropertyNameBytes = 256;
  static constexpr int kOptional = 100;           // properties of one object that may be absent
  static constexpr int kOptionalInAll = 500;
  static constexpr int kAlternatives = 100;       // of anyOf, oneOf and lists of types, in all
  static constexpr int kEnumValues = 1'000;       // in all
  static constexpr int kPatternBytes = 4'096;     // in all: repetitions are written out
};

// OK, or INVALID_ARGUMENT with the limit that is passed; never quotes the schema. What llama.cpp refuses itself (types
// that do not exist, references that lead nowhere) is left to it.
absl::Status CheckSchemaLimits(const common_json& schema);

}  // namespace headgate::engine
