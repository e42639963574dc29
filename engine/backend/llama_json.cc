// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_json.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "engine/backend/gbnf_literals.h"
#include "engine/backend/schema_limits.h"
#include <json.h>

namespace headgate::engine {
namespace {

constexpr std::array<std::string_view, 4> kCounts = {"minLength", "maxLength", "minItems", "maxItems"};

bool CountsFit(const common_json& node) {
  if (node.is_array()) {
    for (size_t i = 0; i < node.size(); ++i) {
      if (!CountsFit(node.at(i))) return false;
    }
  }
  if (!node.is_object()) return true;
  for (const auto& [key, value] : node.items()) {
    const bool count = std::find(kCounts.begin(), kCounts.end(), key) != kCounts.end();
    if (count && value.is_number()) {
      const double n = value.get<double>();
      if (!(n >= 0 && n <= kSchemaCountMax)) return false;
    }
    if (!CountsFit(value)) return false;
  }
  return true;
}

// Texts, classes and comments apart.
int Alternatives(std::string_view gbnf) {
  int count = 0;
  char end = 0;
  for (size_t i = 0; i < gbnf.size(); ++i) {
    const char c = gbnf[i];
    if (c == '\\') {
      ++i;
    } else if (end != 0) {
      if (c == end) end = 0;
    } else if (c == '"' || c == '[' || c == '#') {
      end = c == '[' ? ']' : c == '#' ? '\n' : '"';
    } else if (c == '|') {
      ++count;
    }
  }
  return count;
}

}  // namespace

absl::Status CheckSchema(const std::string& field, const std::string& text) {
  const auto refuse = [&](const auto&... why) { return absl::InvalidArgumentError(absl::StrCat(field, ": ", why...)); };
  if (text.size() > kSchemaBytesMax) return refuse("longer than ", kSchemaBytesMax, " bytes");
  if (JsonDepth(text) > kJsonDepthMax) return refuse("nested deeper than ", kJsonDepthMax);
  try {
    const common_json schema = common_json::parse(text);
    if (!schema.is_object()) return refuse("not a JSON object");
    if (!CountsFit(schema)) return refuse("a length or item count is outside 0..", kSchemaCountMax);
    if (const absl::Status limits = CheckSchemaLimits(schema); !limits.ok()) return refuse(limits.message());
  } catch (const std::exception&) {
    return refuse("not JSON");
  }
  return absl::OkStatus();
}

absl::Status CheckGbnf(std::string_view text) {
  const auto refuse = [](const auto&... why) {
    return absl::InvalidArgumentError(absl::StrCat("response_format.json_schema: the grammar ", why...));
  };
  if (text.size() > kGbnfBytesMax) return refuse("is longer than ", kGbnfBytesMax, " bytes");
  if (Alternatives(FactorLiterals(text)) > kGbnfAlternativesMax) {
    return refuse("has more than ", kGbnfAlternativesMax, " alternatives");
  }
  int depth = 0;
  double repetitions = 1;
  char quote = 0;  // inside "..." or [...]
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '[') {
      quote = c == '[' ? ']' : '"';
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '(') {
      if (++depth > kJsonDepthMax) return refuse("is nested deeper than ", kJsonDepthMax);
    } else if (c == ')') {
      --depth;
    } else if (c == ':') {
      repetitions = 1;  // a new rule
    } else if (c == '{') {
      double most = 0;
      for (double number = 0; i + 1 < text.size() && text[i] != '}'; ++i) {
        const char digit = text[i + 1];
        number = digit >= '0' && digit <= '9' ? number * 10 + (digit - '0') : 0;
        most = std::max(most, number);
      }
      repetitions *= std::max(most, 1.0);
      if (repetitions > kGbnfRepetitionsMax) return refuse("repeats more than ", kGbnfRepetitionsMax, " times");
    }
  }
  return absl::OkStatus();
}

}  // namespace headgate::engine
