// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/no_egress_setup.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "tests/fakes/time_scale.h"
#include "tests/integration/no_egress/canary_search.h"

namespace headgate::router {
namespace {

using absl::Milliseconds;

void AddTenants(Guard removed, RouterConfig& config) {
  const auto tenant = [&config](const char* name, const char* key) -> TenantConfig& {
    TenantConfig& added = config.tenants.emplace_back();
    added.name = name;
    added.api_key_sha256 = {Hex(Sha256(key))};
    return added;
  };
  tenant("open", kOpenKey);
  tenant("second", kSecondKey);
  if (TenantConfig& floor = tenant("floor", kFloorKey); removed != Guard::kTenantFloor) {
    floor.sensitivity_floor = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  }
  tenant("local", kLocalKey).cloud_allowed = removed == Guard::kLocalOnlyTenant;
  tenant("limited", kLimitedKey).requests_per_second = 5;
  tenant("masked", kMaskedKey).masking = true;
  tenant("late", kLateKey);
}

void AddClouds(const std::vector<std::string>& urls, Guard removed, RouterConfig& config) {
  config.cloud.enabled = true;
  config.cloud.base_url = urls[0];
  // Only what stalls on purpose should ever reach them: on a loaded machine everything takes long.
  config.cloud.first_token_timeout = Milliseconds(1500) * TimeScale();
  config.cloud.idle_timeout = Milliseconds(1500) * TimeScale();
  config.cloud.backoff_base = Milliseconds(1);
  config.cloud.backoff_max = Milliseconds(20);
  config.cloud.breaker_open = Milliseconds(1);
  config.cloud.breaker_failures = 9;  // a storm opens it, chance hardly ever
  static constexpr const char* kNames[kClouds] = {"deepseek", "second", "night"};
  for (size_t i = 1; i < urls.size(); ++i) {
    CloudConfig further = config.cloud;  // which do not think
    further.further = true;
    further.name = further.model = kNames[i];
    further.base_url = urls[i];
    if (i == 1) further.dialect = CloudConfig::Dialect::kOpenAi;
    config.clouds.push_back(std::move(further));
  }
  static_assert(kThinkingCloud == 0);
  config.cloud.thinking = true;
  using Scenario = CloudChoiceConfig::Scenario;
  if (removed == Guard::kCloudChoice) return;
  if (removed == Guard::kDetectorsAtSecond) config.cloud_choice = {{{}, Scenario::kAny, kNames[1]}};
  config.cloud_choice.push_back({{"second"}, Scenario::kAny, kNames[1]});
  config.cloud_choice.push_back({{}, Scenario::kBatch, kNames[2]});
}

RouterConfig MakeFirst(const std::string& folder, const std::string& redis, Guard removed) {
  RouterConfig config;
  config.version = "0123456789abcdef";
  config.limits.deadline_default = absl::Seconds(5) * TimeScale();
  config.limits.inspect_bytes_max = removed == Guard::kInspectionLimit ? 1 << 20 : kInspectBytesMax;
  if (removed == Guard::kMemory) config.conversation.ttl = absl::ZeroDuration();
  config.sensitivity.keyword_lists = {
      {"projects", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {kLatinKeyword, kChineseKeyword}}};
  if (removed != Guard::kInputFilter) config.input_filter.xss = InputFilterConfig::Action::kLocal;
  config.policy.cloud_qps_threshold = 4000;
  config.policy.hedge_share = 1;  // far more than configuration allows, so that it happens
  config.policy.hedge_delay_min = Milliseconds(2);
  for (int i = 1; i <= kEngines; ++i) config.local.endpoints.push_back({absl::StrCat("engine-", i), EngineAddress(i)});
  config.local.load_age_max = absl::Seconds(10) * TimeScale();
  config.output_guard.word_lists = {{"words", GuardWordList::Action::kRedact, {"everyday"}}};
  config.audit.directory = folder + "/audit";
  config.audit.segment_bytes_max = 1 << 20;
  config.audit.payload.tenants = {"second", "masked", "floor"};
  config.cache.bytes_max = 1 << 16;
  config.cache.shared = !redis.empty();
  config.sharing.redis = redis.empty() ? "" : "unix:" + redis;
  return config;
}

// What must stay from now on and might leave before.
void MakeStricter(RouterConfig& config) {
  config.sensitivity.keyword_lists[0].words.emplace_back(kLateWord);
  for (TenantConfig& tenant : config.tenants) {
    if (tenant.name == "late") tenant.sensitivity_floor = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  }
}

}  // namespace

std::string EngineAddress(int number) { return absl::StrCat("10.0.0.", number, ":1"); }

std::vector<RouterConfig> MakeConfigs(const std::vector<std::string>& cloud_urls, const std::string& folder,
                                      const std::string& redis, Guard removed) {
  RouterConfig first = MakeFirst(folder, redis, removed);
  AddTenants(removed, first);
  AddClouds(cloud_urls, removed, first);

  RouterConfig other = first;
  other.version = kStricterVersion;
  if (removed != Guard::kReload) MakeStricter(other);
  other.policy.cloud_qps_threshold = 2000;
  other.cache.bytes_max = 1 << 12;  // of one answer a sixteenth: it keeps none, and looks into Redis
  other.cloud.attempts_max = 2;
  other.output_guard.personal_data.emplace();

  // By price, and no price is known: what may leave is asked here, and there too when it is late.
  RouterConfig hedging = first;
  hedging.version = "00112233445566aa";
  hedging.policy.mode = PolicyConfig::Mode::kCost;

  if (removed == Guard::kDetectorsAtHedges || removed == Guard::kHedgeRecord) return {hedging};
  return {first, other, first, hedging};
}

void AddCloudFaults(DeepSeekEmulator& emulator, bool stalls) {
  using Plan = DeepSeekPlan;
  // What an error says is the cloud's, and may repeat what it was sent: it must not turn up in logs or messages.
  const std::string text = absl::StrCat(R"({"error":{"message":")", std::string(kCanaryPrefix), "errorbody\"}}");
  const std::vector<std::pair<Plan, double>> faults = {
      {{.status = 429, .error_text = text}, .0005},  // each makes room for fewer, which comes back slowly
      {{.status = 503, .error_text = text}, .03},
      {{.status = 500, .error_text = text}, .02},
      {{.status = 400, .error_text = text}, .01},
      {{.status = 307, .location = emulator.base_url() + "/v1/chat/completions"}, .01},
      {{.end = Plan::End::kClose, .end_after = 1}, .02},
      {{.end = Plan::End::kReset, .end_after = 0}, .02},
      {{.no_headers = true, .end = Plan::End::kClose}, .01},
      {{.end = Plan::End::kEof, .end_after = 2}, .01},
      {{.end = Plan::End::kStall, .end_after = 1}, .005},
      {{.end = Plan::End::kStall, .end_after = 0}, .002},
      {{.end = Plan::End::kMalformed, .end_after = 0}, .01},
      {{.end = Plan::End::kMalformed, .end_after = 2}, .01},
      {{.end = Plan::End::kInsufficient, .end_after = 0}, .02},
      {{.end = Plan::End::kErrorChunk, .end_after = 1}, .01},
      {{.keep_alive_for = Milliseconds(30), .keep_alive_interval = Milliseconds(10)}, .02},
  };
  for (const auto& [plan, probability] : faults) {
    if (stalls || plan.end != Plan::End::kStall) emulator.AddRule({plan, -1, probability});
  }
  emulator.SetDefaultPlan({.tokens = 4, .echo = true});
}

}  // namespace headgate::router
