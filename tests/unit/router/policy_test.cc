// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/policy.h"

#include <limits>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

using testing::ElementsAre;

const std::string kDigest(32, 'd');

Sensitivity Made(ClassificationState state, int level, int threshold, const std::string& digest = kDigest) {
  Sensitivity sensitivity;
  sensitivity.state = state;
  sensitivity.level = static_cast<v1::SensitivityLevel>(level);
  sensitivity.threshold = static_cast<v1::SensitivityLevel>(threshold);
  sensitivity.digest = digest;
  return sensitivity;
}

struct Situation {
  ClassificationState state;
  int level, threshold;
  bool tenant_cloud, configured, can_answer, available, audit, conforms, peak;
  PolicyConfig::Mode mode;
};

// The rules once more, written down the other way round: everything that must hold for the cloud, in one expression,
// and the reason looked up among the facts that are false.
std::string Expected(const Situation& s) {
  const bool classified = s.state == ClassificationState::kClassified;
  const bool below = s.level < s.threshold && s.level < 3;
  const bool room = s.mode == PolicyConfig::Mode::kOverflow ? s.conforms : !s.peak;
  if (classified && below && s.tenant_cloud && s.configured && s.can_answer && s.available && s.audit && room) {
    return "everyday";
  }
  const std::pair<bool, const char*> facts[] = {
      {classified, "unclassified"}, {below, "sensitive"}, {s.tenant_cloud, "tenant_local_only"},
      {s.configured, "cloud_not_configured"}, {s.can_answer, "local_feature"}, {s.available, "cloud_unavailable"},
      {s.audit, "audit_unwritable"}, {room, s.mode == PolicyConfig::Mode::kOverflow ? "over_threshold" : "peak"}};
  for (const auto& [holds, reason] : facts) {
    if (!holds) return reason;
  }
  return "";
}

TEST(Policy, TheWholeTable) {
  std::map<std::string, int> seen;
  for (const auto state : {ClassificationState::kUnclassified, ClassificationState::kClassified,
                           ClassificationState::kSkipped, ClassificationState::kUnavailable})
    for (int level = 0; level <= 5; ++level)  // 5: a level that this build does not know
      for (int threshold = 0; threshold <= 4; ++threshold)
        for (int bits = 0; bits < 256; ++bits) {
          const auto bit = [bits](int i) { return (bits >> i & 1) != 0; };
          const Situation s{state, level, threshold, bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6),
                            bit(7) ? PolicyConfig::Mode::kSwitch : PolicyConfig::Mode::kOverflow};
          PolicyConfig config;
          config.mode = s.mode;
          TenantConfig tenant;
          tenant.cloud_allowed = s.tenant_cloud;
          const Load load{.cloud_rate_conforms = s.conforms, .peak = s.peak};
          const FleetSnapshot fleet{.cloud_configured = s.configured, .cloud_available = s.available,
                                    .audit_writable = s.audit, .local_ready = bits % 3,
                                    .cloud_can_answer = s.can_answer};
          const Decision decision = Policy(config).Decide("r", tenant, Made(state, level, threshold), load, fleet);
          const std::string row = absl::StrCat("state ", static_cast<int>(state), " level ", level, " threshold ",
                                               threshold, " bits ", bits);
          ASSERT_THAT(decision.reasons, ElementsAre(Expected(s))) << row;
          const bool cloud = decision.target == Target::kCloud;
          ASSERT_EQ(cloud, Expected(s) == "everyday") << row;
          ASSERT_EQ(decision.permit.has_value(), cloud) << row;
          // Rule 0, said once more without any of the above.
          ASSERT_FALSE(cloud && (state != ClassificationState::kClassified || level >= 3 || level >= threshold)) << row;
          // Only what nothing but the mode keeps local may be hedged; never what must stay.
          config.hedge_share = 0.02;
          const Decision hedged = Policy(config).Decide("r", tenant, Made(state, level, threshold), load, fleet);
          ASSERT_EQ(hedged.reasons, decision.reasons) << row;
          ASSERT_EQ(hedged.hedge.has_value(), Expected(s) == "over_threshold" || Expected(s) == "peak") << row;
          ASSERT_FALSE(decision.hedge.has_value()) << row;
          ++seen[decision.reasons[0]];
        }
  EXPECT_EQ(seen.size(), 10u);  // every reason occurred
}

TEST(Policy, ThePermitIsForThisRequestAndTheseBytes) {
  const FleetSnapshot fleet{.cloud_configured = true, .cloud_available = true, .audit_writable = true};
  const Decision decision = Policy(PolicyConfig())
                                .Decide("request-7", TenantConfig(), Made(ClassificationState::kClassified, 1, 3),
                                        Load{.cloud_rate_conforms = true}, fleet);
  ASSERT_TRUE(decision.permit);
  EXPECT_EQ(decision.permit->request_id(), "request-7");
  EXPECT_EQ(decision.permit->digest(), kDigest);
}

TEST(Policy, AThresholdOfZeroHedgesNothing) {
  const FleetSnapshot fleet{.cloud_configured = true, .cloud_available = true, .audit_writable = true};
  PolicyConfig config;
  config.hedge_share = 0.1;
  const Sensitivity ordinary = Made(ClassificationState::kClassified, 1, 3);
  EXPECT_TRUE(Policy(config).Decide("r", TenantConfig(), ordinary, Load(), fleet).hedge);
  config.cloud_qps_threshold = 0;
  EXPECT_FALSE(Policy(config).Decide("r", TenantConfig(), ordinary, Load(), fleet).hedge);
}

TEST(Policy, AProfileMovesWhatMayMove) {
  const Load over;  // no place under the threshold
  const Load under{.cloud_rate_conforms = true};
  const FleetSnapshot fleet{.cloud_configured = true, .cloud_available = true, .audit_writable = true};
  const Sensitivity ordinary = Made(ClassificationState::kClassified, 1, 3);
  const Sensitivity sensitive = Made(ClassificationState::kClassified, 3, 3);
  PolicyConfig config;
  config.profile = PolicyConfig::Profile::kCloudOutage;
  EXPECT_THAT(Policy(config).Decide("r", TenantConfig(), ordinary, under, fleet).reasons,
              ElementsAre("profile_cloud_outage"));
  config.profile = PolicyConfig::Profile::kNoLocal;
  const Decision moved = Policy(config).Decide("r", TenantConfig(), ordinary, over, fleet);
  EXPECT_THAT(moved.reasons, ElementsAre("profile_no_local"));
  EXPECT_TRUE(moved.permit);
  const Decision stays = Policy(config).Decide("r", TenantConfig(), sensitive, over, fleet);
  EXPECT_THAT(stays.reasons, ElementsAre("sensitive"));
  EXPECT_FALSE(stays.permit);
  TenantConfig local_only;
  local_only.cloud_allowed = false;
  EXPECT_THAT(Policy(config).Decide("r", local_only, ordinary, over, fleet).reasons,
              ElementsAre("tenant_local_only"));
}

TEST(Policy, NothingClassifiedIsUnclassified) {
  const FleetSnapshot fleet{.cloud_configured = true, .cloud_available = true, .audit_writable = true};
  const Load load{.cloud_rate_conforms = true};
  for (const std::string& digest : {std::string(), std::string(31, 'd')}) {
    const Decision decision = Policy(PolicyConfig()).Decide(
        "r", TenantConfig(), Made(ClassificationState::kClassified, 1, 3, digest), load, fleet);
    EXPECT_THAT(decision.reasons, ElementsAre("unclassified"));
  }
  EXPECT_THAT(Policy(PolicyConfig()).Decide("r", TenantConfig(), Sensitivity(), load, fleet).reasons,
              ElementsAre("unclassified"));
}

TEST(Policy, CloudCanAnswer) {
  v1::GenerateRequest request;
  EXPECT_TRUE(CloudCanAnswer(Prompt(request)));
  request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
  EXPECT_TRUE(CloudCanAnswer(Prompt(request)));
  request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
  EXPECT_FALSE(CloudCanAnswer(Prompt(request)));
}

// `cost`: table of who is cheaper.
TEST(Policy, CostComparesPriceDelayAndShadowPrice) {
  using Side = Quote::Side;
  PolicyConfig config;
  config.mode = PolicyConfig::Mode::kCost;
  config.delay_price = 100;  // micro-units a second
  config.switch_margin = 0.1;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const struct {
    const char* name;
    Quote quote;
    double shadow;
    const char* reason;
  } rows[] = {
      {"idle replicas are free", {300, 0, 1, 0.5, 2, Side::kNone}, 0, "cheaper_local"},
      {"equal: local", {300, 300, 1, 1, 2, Side::kNone}, 0, "cheaper_local"},
      {"local dearer", {300, 301, 1, 1, 2, Side::kNone}, 0, "everyday"},
      {"within the objective no delay counts", {300, 299, 0, 2, 2, Side::kNone}, 0, "cheaper_local"},
      {"local late by 4 s costs 400", {300, 0, 1, 6, 2, Side::kNone}, 0, "everyday"},
      {"cloud late by 4 s costs 400 too", {300, 0, 6, 6, 2, Side::kNone}, 0, "cheaper_local"},
      {"spending ahead of its pace", {300, 301, 1, 1, 2, Side::kNone}, 0.1, "cheaper_local"},
      {"a negative shadow price is none", {300, 299, 1, 1, 2, Side::kNone}, -5, "cheaper_local"},
      {"was on the cloud: 10 % less is not enough", {300, 270, 1, 1, 2, Side::kCloud}, 0, "everyday"},
      {"was on the cloud: more than 10 % is", {300, 269, 1, 1, 2, Side::kCloud}, 0, "cheaper_local"},
      {"was local: stays at 10 %", {270, 300, 1, 1, 2, Side::kLocal}, 0, "cheaper_local"},
      {"was local: leaves for more", {269, 300, 1, 1, 2, Side::kLocal}, 0, "everyday"},
      {"what must be read again later counts", {300, 301, 1, 1, 2, Side::kNone, 2}, 0, "cheaper_local"},
      {"but no more than it costs", {300, 303, 1, 1, 2, Side::kNone, 2}, 0, "everyday"},
      {"not a number: local", {nan, 1, 1, 1, 2, Side::kNone}, 0, "cheaper_local"},
      {"not a number, was on the cloud: local", {nan, 1, 1, 1, 2, Side::kCloud}, 0, "cheaper_local"},
  };
  const FleetSnapshot fleet{.cloud_configured = true, .cloud_available = true, .audit_writable = true};
  const Sensitivity plain = Made(ClassificationState::kClassified, 1, 3);
  for (const auto& row : rows) {
    Budget budget;
    budget.shadow_price = row.shadow;
    const Decision decision =
        Policy(config).Decide("r", TenantConfig(), plain, Load{.quote = row.quote}, fleet, budget);
    EXPECT_THAT(decision.reasons, ElementsAre(row.reason)) << row.name;
    EXPECT_EQ(decision.permit.has_value(), std::string(row.reason) == "everyday") << row.name;
    // The same quote never moves what is sensitive.
    EXPECT_THAT(Policy(config)
                    .Decide("r", TenantConfig(), Made(ClassificationState::kClassified, 3, 3),
                            Load{.quote = row.quote}, fleet, budget)
                    .reasons,
                ElementsAre("sensitive"))
        << row.name;
  }
  EXPECT_THAT(Policy(config).Decide("r", TenantConfig(), plain, Load(), fleet).reasons, ElementsAre("unpriced"));
}

TEST(Policy, MoneyTheCapAndTheBridge) {
  const struct {
    const char* name;
    bool room, has_room, conforms, bridge;
    int local_ready;
    const char* reason;
  } rows[] = {
      {"all well", true, true, true, false, 1, "everyday"},
      {"no money", false, true, true, false, 1, "budget_exhausted"},
      {"no money, no bridge either", false, true, false, true, 0, "budget_exhausted"},
      {"at the cap", true, false, true, false, 1, "cloud_at_cap"},
      {"at the cap, no bridge either", true, false, false, true, 0, "cloud_at_cap"},
      {"over, no bridge", true, true, false, false, 0, "over_threshold"},
      {"over, local has room", true, true, false, true, 1, "over_threshold"},
      {"over, bridged", true, true, false, true, 0, "bridge"},
      {"under is no bridge", true, true, true, true, 0, "everyday"},
  };
  for (const auto& row : rows) {
    PolicyConfig config;
    config.bridge = row.bridge;
    const FleetSnapshot fleet{.cloud_configured = true, .cloud_available = true, .audit_writable = true,
                              .local_ready = row.local_ready, .cloud_has_room = row.has_room};
    Budget budget;
    budget.room = row.room;
    const Load load{.cloud_rate_conforms = row.conforms};
    EXPECT_THAT(Policy(config)
                    .Decide("r", TenantConfig(), Made(ClassificationState::kClassified, 1, 3), load, fleet, budget)
                    .reasons,
                ElementsAre(row.reason))
        << row.name;
    EXPECT_EQ(Policy(config).Decide("r", TenantConfig(), Made(ClassificationState::kClassified, 3, 3), load, fleet,
                                    budget).target,
              Target::kLocal)
        << row.name;
  }
}

}  // namespace
}  // namespace headgate::router
