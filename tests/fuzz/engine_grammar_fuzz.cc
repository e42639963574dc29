// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Grammars and JSON schemas of clients: what our checks let through does not end llama.cpp's conversion other than by
// an exception, and the grammars that come out of it stay within bounds.

#include <json-schema-to-grammar.h>
#include <json.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>

#include "engine/backend/llama_json.h"
#include "engine/backend/llama_log.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headgate::engine;
  InitLlama();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Status gbnf = CheckGbnf(text);
  Check(gbnf.ok() || gbnf.message().size() <= 256);
  const absl::Status schema = CheckSchema("tools[0].parameters_json", text);
  Check(schema.ok() || schema.message().size() <= 256);
  if (!schema.ok()) return 0;
  try {
    const std::string grammar = json_schema_to_grammar(common_json::parse(text));
    Check(grammar.size() <= (size_t{16} << 20));
  } catch (const std::exception&) {  // becomes INVALID_ARGUMENT
  }
  return 0;
}
