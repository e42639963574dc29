// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The warm-up file: one JSON object a line, `{"tenant": "a", "request": {...}, "answer": "..."}`, the request as
// GenerateRequest in protobuf's JSON. It is judged as every request: what is sensitive, or not cacheable, is left out.
#include <fstream>

#include "common/log.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "router/router.h"

namespace headgate::router {
namespace {

constexpr size_t kLinesMax = 100'000;
constexpr size_t kLineBytesMax = 1 << 20;

}  // namespace

void Router::WarmUp() {
  const CacheConfig& config = rules_->config.cache;
  if (config.warm_up_file.empty() || config.bytes_max == 0) return;
  std::ifstream file(config.warm_up_file);
  std::string line;
  int64_t kept = 0, left_out = 0;
  for (size_t i = 0; i < kLinesMax && std::getline(file, line); ++i) {
    if (line.empty()) continue;
    const auto entry = line.size() > kLineBytesMax ? nlohmann::json()
                                                   : nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    v1::GenerateRequest content;
    const bool whole = entry.is_object() && entry.contains("tenant") && entry["tenant"].is_string() &&
                       entry.contains("request") && entry.contains("answer") && entry["answer"].is_string();
    const auto tenant = whole ? admission_.TenantByName(entry["tenant"]) : absl::NotFoundError("");
    if (!tenant.ok() || !google::protobuf::util::JsonStringToMessage(entry["request"].dump(), &content).ok()) {
      ++left_out;
      continue;
    }
    const Prompt prompt(std::move(content));
    const Sensitivity sensitivity = rules_->classification->Classify(prompt.content().declared_sensitivity(), **tenant,
                                                                     rules_->screening.Screen(prompt));
    if (sensitivity.sensitive() || !prompt.content().tools().empty()) {
      ++left_out;
      continue;
    }
    cache_.Warm((*tenant)->name, rules_->config.version, prompt, entry["answer"]);
    ++kept;
  }
  HG_LOG(Info, "cache: warmed up, answers=", kept, " left out=", left_out);
}

}  // namespace headgate::router
