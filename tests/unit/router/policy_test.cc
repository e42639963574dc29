// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/policy.h"

#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/sensitivity/detectors.h"

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

// Configuration knows the detectors by name (config_sections.cc); here both can be seen.
TEST(DetectorTypes, AreTheOnesConfigurationKnows) {
  EXPECT_THAT(DetectorTypes(), testing::UnorderedElementsAre("API_KEY", "BANK_CARD", "CN_RESIDENT_ID", "EMAIL", "JWT",
                                                             "PHONE_CN_MOBILE", "PRIVATE_KEY"));
}

}  // namespace
}  // namespace headgate::router
