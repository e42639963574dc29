// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/sim/sim_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/digest.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using absl::Milliseconds;
using absl::Seconds;

constexpr char kMarkerStart[] = "zqmark";
constexpr size_t kMarkerLetters = 5;
constexpr char kStopWord[] = "forbidden";
constexpr absl::Duration kRun = Seconds(20);

// Letters only: digits could look like a card number.
std::string Marker(size_t number) {
  std::string marker = kMarkerStart;
  for (size_t i = 0; i < kMarkerLetters; ++i, number /= 20) marker += static_cast<char>('b' + number % 20);
  return marker;
}

std::string ResidentId(Dice& dice) {
  std::mt19937 random(static_cast<uint32_t>(dice.Below(1u << 31)));
  return RandomResidentId(random);
}
std::string Card(Dice& dice) {
  std::mt19937 random(static_cast<uint32_t>(dice.Below(1u << 31)));
  return WithLuhnCheck("622202" + RandomDigits(random, 12));
}

// Puts a sensitive text somewhere in the request, in one of the shapes people send.
void Hide(SimRequest& request, std::string secret, Dice& dice) {
  const auto wide = [](char c) { return c == ' ' ? std::string("\u3000") : FullWidth(c); };
  if (dice.Chance(0.3)) secret = Rewrite(secret, wide);
  const std::string text = absl::StrCat("number ", secret, " please");
  switch (dice.Below(4)) {
    case 0: {
      v1::Tool& tool = *request.content.add_tools();
      tool.set_name("lookup");
      tool.set_description(text);
      break;
    }
    case 1: {
      v1::Message first = request.content.messages(0);
      request.content.mutable_messages(0)->set_content(text);
      v1::Message& answer = *request.content.add_messages();
      answer.set_role(v1::ROLE_ASSISTANT);
      answer.set_content("I see.");
      *request.content.add_messages() = std::move(first);
      break;
    }
    default:
      request.content.mutable_messages(0)->set_content(
          absl::StrCat(request.content.messages(0).content(), " ", text));
  }
}

void MakeKind(SimRequest& request, Dice& dice) {
  static const std::vector<std::string> kinds = {
      "everyday", "everyday", "everyday", "everyday",      "everyday",      "everyday",   "greedy",
      "greedy",   "id",       "card",     "declared",      "declared_head", "floor",      "keyword",
      "invalid",  "no_key",   "schema",   "tenant_local", "bucket",        "masked",     "json",
      "json"};
  request.kind = dice.Of(kinds);
  const auto sensitive = [&] { request.may_leave = false; };
  const v1::SensitivityLevel high =
      dice.Chance(0.5) ? v1::SENSITIVITY_LEVEL_RESTRICTED : v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  if (request.kind == "greedy") request.content.mutable_sampling()->set_temperature(0);
  if (request.kind == "id") sensitive(), Hide(request, ResidentId(dice), dice);
  if (request.kind == "card") sensitive(), Hide(request, Card(dice), dice);
  if (request.kind == "declared") sensitive(), request.content.set_declared_sensitivity(high);
  if (request.kind == "declared_head") sensitive(), request.declared_in_head = high;
  if (request.kind == "floor") sensitive(), request.api_key = "key-floor";
  if (request.kind == "keyword") sensitive(), Hide(request, "project bluebird", dice);
  if (request.kind == "invalid") sensitive(), request.content.mutable_sampling()->set_temperature(7);
  if (request.kind == "no_key") sensitive(), request.api_key = "key-nobody";
  if (request.kind == "tenant_local") sensitive(), request.api_key = "key-local";
  if (request.kind == "bucket") request.api_key = "key-bucket";
  if (request.kind == "json") {
    request.content.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
  }
  if (request.kind == "masked") {
    request.api_key = "key-mask";
    // As long as its placeholder, so that it costs as much.
    request.masked = absl::StrCat(request.marker.substr(request.marker.size() - kMarkerLetters, 3), "@ab.cn");
    request.content.mutable_messages(0)->set_content(
        absl::StrCat(request.content.messages(0).content(), " and write to ", request.masked, " then"));
  }
  if (request.kind == "schema") {
    sensitive();
    request.content.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
    request.content.mutable_response_format()->set_json_schema("{\"type\":\"object\"}");
  }
}

SimRequest MakeRequest(size_t number, Dice& dice) {
  SimRequest request;
  request.id = absl::StrCat("req-", number);
  request.marker = Marker(number);
  request.api_key = dice.Chance(0.5) ? "key-a" : "key-b";
  v1::Message& message = *request.content.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(absl::StrCat("Tell me about ", request.marker, dice.Chance(0.1) ? " and walls" : ""));
  request.content.set_user(absl::StrCat("user-", request.marker));
  request.content.set_session(absl::StrCat("session-", request.marker));
  MakeKind(request, dice);
  if (dice.Chance(0.05)) request.api = dice.Chance(0.5) ? SimRequest::Api::kCountTokens : SimRequest::Api::kEmbed;
  return request;
}

// Around the request's own content: when it comes, how patient and how fast its client is.
void MakeClient(SimRequest& request, Dice& dice, absl::Duration burst) {
  request.arrives = dice.Chance(0.3) ? burst + dice.Between(absl::ZeroDuration(), Milliseconds(500))
                                     : dice.Between(absl::ZeroDuration(), kRun);
  if (dice.Chance(0.15)) request.deadline = dice.Between(absl::ZeroDuration(), Seconds(3));
  if (dice.Chance(0.15)) request.leaves = dice.Between(absl::ZeroDuration(), Seconds(3));
  if (dice.Chance(0.3)) request.content.set_priority(v1::PRIORITY_BATCH);
  if (dice.Chance(0.15)) request.write_delay = dice.Between(Milliseconds(1), Seconds(1));
}

// Money: cost as a mode, and what an answer late at an engine counts.
void MakeCost(RouterConfig& config, Dice& dice) {
  config.policy.mode = PolicyConfig::Mode::kCost;
  config.policy.delay_price = dice.Of(std::vector<int64_t>{10, 1'000, 1'000'000});
  config.policy.first_token_objective = dice.Of(std::vector<absl::Duration>{Milliseconds(100), Seconds(2)});
  config.scaling.replica_hour_micro_units = 3'600'000;
  config.scaling.prefill_tokens_per_second = 1'000;
  config.scaling.decode_tokens_per_second = 10;
}

void MakePolicy(RouterConfig& config, Dice& dice) {
  config.policy.cloud_qps_threshold = dice.Of(std::vector<double>{0, 2, 5, 20, 200});
  if (dice.Chance(0.2)) {
    config.policy.mode = PolicyConfig::Mode::kSwitch;
    config.policy.switch_window = Seconds(2);
    config.policy.switch_dwell = Seconds(1);
  } else if (dice.Chance(0.25)) {
    MakeCost(config, dice);
  }
  config.policy.bridge = dice.Chance(0.3);
  if (dice.Chance(0.15)) {
    using Profile = PolicyConfig::Profile;
    config.policy.profile = dice.Of(std::vector<Profile>{Profile::kCloudOutage, Profile::kNoLocal});
  }
  if (dice.Chance(0.4)) {
    config.policy.hedge_share = 1;  // far more than configuration allows, so that it happens
    config.policy.hedge_delay_min = Milliseconds(5);
    config.policy.cloud_qps_threshold = 2;  // most that may leave is local
  }
}

void MakePrices(RouterConfig& config) {
  PriceRow row;
  row.version = "sim";
  row.model = config.cloud.model;
  row.currency = kSimCurrency;
  row.valid_from = absl::UnixEpoch();
  // A token costs whole micro-units, and more at peak hours, which a clock step may reach.
  row.cache_hit = 1'000'000, row.cache_miss = 2'000'000, row.output = 3'000'000;
  row.peak_cache_hit = 2'000'000, row.peak_cache_miss = 4'000'000, row.peak_output = 6'000'000;
  config.accounting.prices = {row};
  row.model = "night";
  config.accounting.prices.push_back(row);
  config.accounting.reserve_output_tokens = 10;
}

RouterConfig MakeConfig(Dice& dice, int engines, bool by_name) {
  RouterConfig config;
  config.version = absl::StrCat("v", dice.Below(1000));
  config.limits.deadline_default = Seconds(40);
  config.limits.in_flight_max = dice.Chance(0.2) ? 20 : 20000;
  const auto tenant = [&](const char* name) -> TenantConfig& {
    TenantConfig& added = config.tenants.emplace_back();
    added.name = name;
    added.api_key_sha256 = {Hex(Sha256(absl::StrCat("key-", name)))};
    return added;
  };
  tenant("a"), tenant("b");
  tenant("floor").sensitivity_floor = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  tenant("local").cloud_allowed = false;
  tenant("bucket").requests_per_second = 0.3;
  tenant("mask").masking = true;
  config.sensitivity.keyword_lists.push_back(
      {"projects", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {"project bluebird"}});
  MakePolicy(config, dice);
  if (by_name) config.local.endpoints.push_back({"engines", absl::StrCat(kSimEngineName, ":8090")});
  for (int i = 0; i < engines && !by_name; ++i) {
    config.local.endpoints.push_back({absl::StrCat("engine-", i), absl::StrCat(SimEngineAddress(i), ":8090")});
  }
  if (by_name) config.local.resolve_interval = Milliseconds(500);
  config.local.reserved_share = dice.Of(std::vector<double>{0, 0.3, 0.3, 0.6});
  config.local.queue_max = dice.Of(std::vector<int64_t>{3, 20, 1000});
  config.local.queue_interval = dice.Of(std::vector<absl::Duration>{Milliseconds(500), Seconds(2), Seconds(30)});
  config.local.queue_target = config.local.queue_interval / 5;
  config.local.stall_timeout = dice.Of(std::vector<absl::Duration>{Seconds(1), Seconds(3), Seconds(10)});
  config.cloud.concurrency_max = dice.Of(std::vector<int64_t>{2, 8, 2500});
  if (dice.Chance(0.2)) config.cloud.calls_per_day = 20;
  config.cloud.enabled = true;
  config.cloud.first_token_timeout = Seconds(3);
  config.cloud.idle_timeout = Seconds(5);
  config.cloud.breaker_open = Seconds(2);
  if (dice.Chance(0.3)) {  // a second cloud, for batch
    CloudConfig night = config.cloud;
    night.further = true;
    night.name = "night";
    night.model = "night";
    config.clouds = {night};
    config.cloud_choice = {{{}, CloudChoiceConfig::Scenario::kBatch, "night"}};
  }
  MakePrices(config);
  config.output_guard.word_lists.push_back({"stop", GuardWordList::Action::kStop, {kStopWord}});
  config.cache.bytes_max = dice.Chance(0.5) ? 1 << 20 : 0;
  config.cache.shared = config.cache.bytes_max > 0;  // where there is a store
  return config;
}

SimPlan::EngineSpell MakeEngineSpell(const SimPlan& plan, Dice& dice) {
  SimPlan::EngineSpell spell;
  spell.begin = dice.Between(absl::ZeroDuration(), kRun);
  spell.end = spell.begin + dice.Between(Milliseconds(1), Seconds(4));
  spell.engine = static_cast<int>(dice.Below(static_cast<uint64_t>(plan.engines)));
  using Fault = SimPlan::EngineSpell::Fault;
  spell.fault = dice.Of(std::vector<Fault>{Fault::kDead, Fault::kSilent, Fault::kStalled});
  if (spell.fault == Fault::kStalled) spell.end += Seconds(8);
  return spell;
}

// What comes and goes: engines, the order of their reports, routers, an operator's word.
void MakeChange(SimPlan& plan, Dice& dice) {
  if (plan.found_by_name) {
    for (uint64_t i = dice.Below(5); i > 0; --i) plan.engine_away.push_back(MakeEngineSpell(plan, dice));
  }
  plan.reports_disordered = dice.Of(std::vector<double>{0, 0.1, 0.6});
  plan.routers = plan.shares && dice.Chance(0.6) ? 2 : 1;
  for (uint64_t i = dice.Chance(0.4) ? 1 + dice.Below(2) : 0; i > 0; --i) {
    SimPlan::Crash crash;
    crash.begin = dice.Between(Seconds(1), kRun);
    crash.end = crash.begin + dice.Between(Milliseconds(20), Seconds(2));
    crash.router = static_cast<int>(dice.Below(static_cast<uint64_t>(plan.routers)));
    plan.crashes.push_back(crash);
  }
  static const std::vector<std::string> profiles = {"cloud_outage", "no_local", "none", ""};
  for (uint64_t i = dice.Chance(0.3) ? 1 + dice.Below(3) : 0; i > 0; --i) {
    plan.profiles.push_back({dice.Between(absl::ZeroDuration(), kRun), dice.Of(profiles)});
  }
}

void MakeTrouble(SimPlan& plan, Dice& dice) {
  plan.engine_faults = dice.Of(std::vector<double>{0, 0.05, 0.2, 0.5});
  plan.cloud_faults = dice.Of(std::vector<double>{0, 0.05, 0.2, 0.5});
  plan.cloud_rejects = dice.Chance(0.3);
  for (uint64_t i = dice.Below(4); i > 0; --i) {
    const absl::Duration begin = dice.Between(absl::ZeroDuration(), kRun);
    plan.audit_fails.push_back({begin, begin + dice.Between(Milliseconds(1), Seconds(3))});
  }
  for (uint64_t i = dice.Below(3); i > 0; --i) {
    const absl::Duration begin = dice.Between(absl::ZeroDuration(), kRun);
    plan.cloud_storms.push_back({begin, begin + dice.Between(Milliseconds(1), Seconds(5))});
  }
  for (uint64_t i = dice.Below(4); i > 0; --i) {
    plan.clock_steps.push_back(
        {dice.Between(absl::ZeroDuration(), kRun), dice.Between(absl::Hours(-30), absl::Hours(30))});
  }
  for (uint64_t i = dice.Below(4); i > 0; --i) {
    plan.engine_fails.push_back(MakeEngineSpell(plan, dice));
  }
  plan.shares = dice.Chance(0.4);
  for (uint64_t i = plan.shares ? dice.Below(4) : 0; i > 0; --i) {
    SimPlan::StoreSpell spell;
    spell.begin = dice.Between(absl::ZeroDuration(), kRun);
    spell.end = spell.begin + dice.Between(Milliseconds(1), Seconds(5));
    using Fault = SimPlan::StoreSpell::Fault;
    spell.fault = dice.Of(std::vector<Fault>{Fault::kDown, Fault::kSlow, Fault::kRepliesLost, Fault::kForgets});
    plan.store_fails.push_back(spell);
  }
}

}  // namespace

SimPlan MakeSimPlan(uint64_t seed, int requests) {
  Dice dice(seed);
  SimPlan plan;
  plan.seed = seed;
  plan.engines = static_cast<int>(1 + dice.Below(4));
  plan.found_by_name = dice.Chance(0.5);
  plan.config = MakeConfig(dice, plan.engines, plan.found_by_name);
  plan.reloaded = MakeConfig(dice, plan.engines, plan.found_by_name);
  plan.reloaded.clouds = plan.config.clouds;  // read at start only
  plan.reloaded.cloud_choice = plan.config.cloud_choice;
  plan.reload_at = dice.Between(Seconds(1), kRun);
  plan.drain_at = dice.Between(kRun * 0.9, kRun + Seconds(5));
  MakeTrouble(plan, dice);
  MakeChange(plan, dice);
  // The limit holds over a reload too when that does not change it.
  BudgetConfig budget;
  budget.limit_micro_units = dice.Of(std::vector<int64_t>{0, 0, 1100, 2000});
  plan.config.accounting.budget = plan.reloaded.accounting.budget = budget;
  budget.limit_micro_units = dice.Of(std::vector<int64_t>{0, 0, 700, 1100});
  plan.config.tenants[0].budget = plan.reloaded.tenants[0].budget = budget;
  const absl::Duration burst = dice.Between(absl::ZeroDuration(), kRun);
  for (size_t i = 0; i < static_cast<size_t>(requests); ++i) {
    SimRequest request = MakeRequest(i, dice);
    if (i > 0 && request.kind == "greedy" && dice.Chance(0.7)) {
      // The same again, perhaps by another tenant: what the cache is for, and must keep apart.
      const auto earlier = std::find_if(plan.requests.rbegin(), plan.requests.rend(),
                                        [](const SimRequest& other) { return other.kind == "greedy"; });
      if (earlier != plan.requests.rend()) {
        request.marker = earlier->marker;
        request.content = earlier->content;
      }
    }
    MakeClient(request, dice, burst);
    request.router = static_cast<int>(dice.Below(static_cast<uint64_t>(plan.routers)));
    if (i > 0 && dice.Chance(0.05)) {
      // A client that sends the same twice at once.
      const std::string id = request.id;
      const int router = request.router;
      request = plan.requests.back();
      request.id = id;
      request.router = router;
    }
    plan.requests.push_back(std::move(request));
  }
  return plan;
}

std::string SimEngineAddress(int engine) { return absl::StrCat("10.0.0.", engine + 1); }

std::vector<std::string> SimAnswer(const std::string& marker, const std::string& side) {
  // One in five answers runs into the output guard, split over two pieces.
  const bool stops = marker[marker.size() - kMarkerLetters] < 'f';
  return {absl::StrCat(side, " "), marker, stops ? " forbid" : " is", stops ? "den" : " a", " word ", marker};
}

std::string SimExpected(const std::string& marker, const std::string& side) {
  const std::string all = absl::StrJoin(SimAnswer(marker, side), "");
  return all.substr(0, all.find(kStopWord));
}

std::string SimExpected(const SimRequest& request, bool cloud) {
  const std::string expected = SimExpected(request.marker, cloud ? "cloud" : "local");
  const bool stopped = expected.size() < absl::StrJoin(SimAnswer(request.marker, cloud ? "cloud" : "local"), "").size();
  return cloud && !stopped ? expected + request.masked : expected;
}

std::string FindMarker(const std::string& text) {
  const size_t at = text.find(kMarkerStart);
  return at == std::string::npos ? "" : text.substr(at, sizeof(kMarkerStart) - 1 + kMarkerLetters);
}

}  // namespace headgate::router
