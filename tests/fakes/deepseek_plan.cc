// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/fakes/deepseek_plan.h"

#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace headgate {
namespace {

using Json = nlohmann::json;
using Setter = std::function<void(DeepSeekPlan&, const Json&)>;  // throws nlohmann's exception or std::out_of_range

Setter Ms(absl::Duration DeepSeekPlan::*field) {
  return [field](DeepSeekPlan& plan, const Json& json) { plan.*field = absl::Milliseconds(json.get<int64_t>()); };
}

template <typename T>
Setter Value(T DeepSeekPlan::*field) {
  return [field](DeepSeekPlan& plan, const Json& json) { plan.*field = json.get<T>(); };
}

template <typename T>
Setter Name(T DeepSeekPlan::*field, std::map<std::string, T> names) {
  return [field, names](DeepSeekPlan& plan, const Json& json) { plan.*field = names.at(json.get<std::string>()); };
}

const std::map<std::string, Setter>& Setters() {
  using Plan = DeepSeekPlan;
  using End = Plan::End;
  using UsageAt = Plan::UsageAt;
  static const std::map<std::string, Setter> setters = {
      {"status", Value(&Plan::status)},
      {"error_text", Value(&Plan::error_text)},
      {"retry_after", Value(&Plan::retry_after)},
      {"location", Value(&Plan::location)},
      {"stall_body", Value(&Plan::stall_body)},
      {"first_byte_delay_ms", Ms(&Plan::first_byte_delay)},
      {"no_headers", Value(&Plan::no_headers)},
      {"keep_alive_for_ms", Ms(&Plan::keep_alive_for)},
      {"keep_alive_interval_ms", Ms(&Plan::keep_alive_interval)},
      {"stall_keep_alives", Value(&Plan::stall_keep_alives)},
      {"tokens", Value(&Plan::tokens)},
      {"reasoning_tokens", Value(&Plan::reasoning_tokens)},
      {"token_interval_ms", Ms(&Plan::token_interval)},
      {"echo", Value(&Plan::echo)},
      {"blank", Value(&Plan::blank)},
      {"finish_reason", Value(&Plan::finish_reason)},
      {"usage_at", Name<UsageAt>(&Plan::usage_at, {{"trailing", UsageAt::kTrailing},
                                                   {"finish", UsageAt::kFinish},
                                                   {"both", UsageAt::kBoth},
                                                   {"none", UsageAt::kNone}})},
      {"raw_stream", Value(&Plan::raw_stream)},
      {"write_bytes", Value(&Plan::write_bytes)},
      {"end", Name<End>(&Plan::end, {{"done", End::kDone},
                                     {"stall", End::kStall},
                                     {"eof", End::kEof},
                                     {"close", End::kClose},
                                     {"reset", End::kReset},
                                     {"malformed", End::kMalformed},
                                     {"insufficient_system_resource", End::kInsufficient},
                                     {"error_chunk", End::kErrorChunk}})},
      {"end_after", Value(&Plan::end_after)},
  };
  return setters;
}

}  // namespace

DeepSeekPlan DeepSeekRules::Take() {
  for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
    if (rule->probability < 1 && RandomUnit(random_) >= rule->probability) continue;
    DeepSeekPlan plan = rule->plan;
    if (rule->count > 0 && --rule->count == 0) rules_.erase(rule);
    return plan;
  }
  return default_;
}

absl::StatusOr<DeepSeekPlan> DeepSeekPlanFromJson(const Json& json) {
  DeepSeekPlan plan;
  if (!json.is_object()) return absl::InvalidArgumentError("a plan is a JSON object");
  for (const auto& [key, value] : json.items()) {
    const auto setter = Setters().find(key);
    if (setter == Setters().end()) return absl::InvalidArgumentError(absl::StrCat("unknown key ", key));
    try {
      setter->second(plan, value);
    } catch (const std::exception&) {
      return absl::InvalidArgumentError(absl::StrCat("wrong value for ", key));
    }
  }
  return plan;
}

absl::StatusOr<DeepSeekRule> DeepSeekRuleFromJson(const Json& json) {
  DeepSeekRule rule;
  Json plan = json;
  if (plan.is_object()) {
    if (plan.contains("count") && plan["count"].is_number_integer()) rule.count = plan["count"].get<int64_t>();
    if (plan.contains("probability") && plan["probability"].is_number())
      rule.probability = plan["probability"].get<double>();
    plan.erase("count");
    plan.erase("probability");
  }
  if (rule.count == 0) return absl::InvalidArgumentError("count is 0");
  ASSIGN_OR_RETURN(rule.plan, DeepSeekPlanFromJson(plan));
  return rule;
}

}  // namespace headgate
