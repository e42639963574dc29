// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Grammars and JSON schemas of clients: what our checks let through does not end llama.cpp's conversion and parser but
// by an exception or a refusal, and the grammars that come out of the conversion stay within bounds.

#include <json-schema-to-grammar.h>
#include <json.h>
#include <llama-cpp.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>

#include "engine/backend/gbnf_literals.h"
#include "engine/backend/llama_json.h"
#include "engine/backend/llama_log.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

// As the engine gives it to llama.cpp; without a model a grammar that names tokens is refused.
void Parse(const std::string& gbnf) {
  const llama_sampler_ptr sampler(
      llama_sampler_init_grammar(nullptr, headgate::engine::FactorLiterals(gbnf).c_str(), "root"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headgate::engine;
  InitLlama();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Status gbnf = CheckGbnf(text);
  Check(gbnf.ok() || gbnf.message().size() <= 256);
  try {
    if (gbnf.ok()) Parse(text);
  } catch (const std::exception&) {  // becomes INVALID_ARGUMENT
  }
  const absl::Status schema = CheckSchema("tools[0].parameters_json", text);
  Check(schema.ok() || schema.message().size() <= 256);
  if (!schema.ok()) return 0;
  try {
    const std::string grammar = json_schema_to_grammar(common_json::parse(text));
    Check(grammar.size() <= (size_t{16} << 20));
    Parse(grammar);
  } catch (const std::exception&) {  // becomes INVALID_ARGUMENT
  }
  return 0;
}
