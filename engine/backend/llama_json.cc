// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/llama_json.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
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

}  // namespace

int JsonDepth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

absl::Status CheckSchema(const std::string& field, const std::string& text) {
  const auto refuse = [&](const auto&... why) { return absl::InvalidArgumentError(absl::StrCat(field, ": ", why...)); };
  if (text.size() > kSchemaBytesMax) return refuse("longer than ", kSchemaBytesMax, " bytes");
  if (JsonDepth(text) > kJsonDepthMax) return refuse("nested deeper than ", kJsonDepthMax);
  try {
    const common_json schema = common_json::parse(text);
    if (!schema.is_object()) return refuse("not a JSON object");
    if (!CountsFit(schema)) return refuse("a length or item count is outside 0..", kSchemaCountMax);
  } catch (const std::exception&) {
    return refuse("not JSON");
  }
  return absl::OkStatus();
}

}  // namespace headgate::engine
