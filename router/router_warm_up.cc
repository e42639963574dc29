// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The warm-up file: one JSON object a line, `{"tenant": "a", "request": {...}, "answer": "..."}`, the request as
// GenerateRequest in protobuf's JSON. It is judged as every request: what is sensitive, or not cacheable, is left out.
#include <fstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "boost/asio/post.hpp"
#include "common/log.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "router/router.h"

namespace headgate::router {
namespace {

constexpr size_t kLinesMax = 100'000;
constexpr size_t kLineBytesMax = 1 << 20;
// Of one slice: some milliseconds.
constexpr size_t kSliceLines = 32;
constexpr size_t kSliceBytes = 32 << 10;

}  // namespace

// One list on its way. Belongs to whoever works on its slice: one at a time.
struct Router::WarmUpList {
  explicit WarmUpList(std::shared_ptr<const Rules> made)
      : rules(std::move(made)), file(rules->config.cache.warm_up_file) {
    for (const TenantConfig& tenant : rules->config.tenants) tenants[tenant.name] = &tenant;
  }
  struct Judged {
    std::string tenant;
    Prompt prompt;
    std::string answer;
  };
  void Judge();
  bool JudgeLine(const std::string& line);  // false: left out

  const std::shared_ptr<const Rules> rules;
  absl::flat_hash_map<std::string, const TenantConfig*> tenants;
  std::ifstream file;
  bool ended = false;
  size_t lines = 0;
  int64_t kept = 0, left_out = 0;
  std::vector<Judged> slice;
};

void Router::WarmUpList::Judge() {
  std::string line;
  size_t bytes = 0;
  for (size_t i = 0; i < kSliceLines && bytes < kSliceBytes; ++i) {
    ended = lines++ == kLinesMax || !std::getline(file, line);
    if (ended) return;
    bytes += line.size();
    if (!line.empty() && !JudgeLine(line)) ++left_out;
  }
}

bool Router::WarmUpList::JudgeLine(const std::string& line) {
  const auto entry = line.size() > kLineBytesMax ? nlohmann::json()
                                                 : nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const bool whole = entry.is_object() && entry.contains("tenant") && entry["tenant"].is_string() &&
                     entry.contains("request") && entry.contains("answer") && entry["answer"].is_string();
  if (!whole) return false;
  const std::string name = entry["tenant"];
  const auto tenant = tenants.find(name.empty() ? kAnonymousTenant : name);
  v1::GenerateRequest content;
  // An exception of JSON's would be of text that is no UTF-8, which is no answer either.
  const std::string request = entry["request"].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (tenant == tenants.end() || !google::protobuf::util::JsonStringToMessage(request, &content).ok()) return false;
  Prompt prompt(std::move(content));
  const Sensitivity sensitivity = rules->classification->Classify(prompt.content().declared_sensitivity(),
                                                                  *tenant->second, rules->screening.Screen(prompt));
  if (sensitivity.sensitive() || !prompt.content().tools().empty()) return false;
  slice.push_back({tenant->first, std::move(prompt), entry["answer"]});
  return true;
}

void Router::WarmUp() {
  const CacheConfig& config = rules_->config.cache;
  cache_.BeginWarmUp();
  warm_up_ = nullptr;
  if (config.warm_up_file.empty() || config.bytes_max == 0) return;
  warm_up_ = std::make_shared<WarmUpList>(rules_);
  WarmUpNext();
}

void Router::WarmUpNext() {
  const auto job = [this, list = warm_up_, executor = parts_.executor, alive = std::weak_ptr<const bool>(alive_)] {
    list->Judge();
    boost::asio::post(executor, [this, list, alive] {
      if (!alive.expired()) TakeWarmed(list);
    });
  };
  if (parts_.inspection != nullptr) {
    parts_.inspection->RunIdle(job);
  } else {
    boost::asio::post(parts_.executor, job);
  }
}

void Router::TakeWarmed(const std::shared_ptr<WarmUpList>& list) {
  if (list != warm_up_) return;  // a newer one has begun
  for (const WarmUpList::Judged& one : std::exchange(list->slice, {})) {
    const bool kept = cache_.Warm(one.tenant, list->rules->config.version, one.prompt, one.answer);
    ++(kept ? list->kept : list->left_out);
  }
  if (!list->ended) return WarmUpNext();
  HG_LOG(Info, "cache: warmed up, answers=", list->kept, " left out=", list->left_out);
  warm_up_ = nullptr;
}

}  // namespace headgate::router
