// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/classification.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kUnspecified = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
constexpr auto kPublic = v1::SENSITIVITY_LEVEL_PUBLIC;
constexpr auto kInternal = v1::SENSITIVITY_LEVEL_INTERNAL;
constexpr auto kConfidential = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
constexpr auto kRestricted = v1::SENSITIVITY_LEVEL_RESTRICTED;

// Useful for: every way in which a detector can fail; says what it is told to say.
class FakeDetectors : public Detectors {
 public:
  using Answer = std::function<absl::StatusOr<std::vector<Detection>>(const CanonicalText&)>;
  explicit FakeDetectors(Answer answer) : answer_(std::move(answer)) {}
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText& text) const override { return answer_(text); }

 private:
  const Answer answer_;
};

Screened Fields(const std::vector<std::string>& texts) {
  Screened screened;
  screened.digest = "digest";
  for (size_t i = 0; i < texts.size(); ++i) {
    screened.fields.push_back({"messages[" + std::to_string(i) + "].content", CanonicalText::Make(texts[i])});
  }
  return screened;
}

Sensitivity ClassifyWith(FakeDetectors::Answer answer, const Screened& screened) {
  const Classification classification(SensitivityConfig{}, std::make_unique<FakeDetectors>(std::move(answer)));
  return classification.Classify(kUnspecified, {}, screened);
}

std::vector<std::string> Types(const Sensitivity& sensitivity) {
  std::vector<std::string> types;
  for (const v1::Finding& finding : sensitivity.findings) types.push_back(finding.type());
  return types;
}

struct LevelRow {
  const char* name;
  v1::SensitivityLevel declared, floor;
  const char* text;
  v1::SensitivityLevel level;
  bool sensitive;
};

TEST(Classification, TheHighestLevelCounts) {
  const auto classification = Classification::Make({});
  ASSERT_TRUE(classification.ok()) << classification.status();
  const LevelRow rows[] = {
      {"nothing", kUnspecified, kUnspecified, "hello", kPublic, false},
      {"declared_public", kPublic, kUnspecified, "hello", kPublic, false},
      {"declared_internal", kInternal, kUnspecified, "hello", kInternal, false},
      {"declared_confidential", kConfidential, kUnspecified, "hello", kConfidential, true},
      {"declared_restricted", kRestricted, kUnspecified, "hello", kRestricted, true},
      {"declaring_never_lowers", kPublic, kUnspecified, "11010519491231002X", kRestricted, true},
      {"floor", kUnspecified, kConfidential, "hello", kConfidential, true},
      {"floor_below_declared", kRestricted, kInternal, "hello", kRestricted, true},
      {"declared_below_floor", kPublic, kConfidential, "hello", kConfidential, true},
      {"contact", kUnspecified, kUnspecified, "13812345678", kConfidential, true},
      {"contact_and_identifier", kUnspecified, kInternal, "13812345678 11010519491231002X", kRestricted, true},
      {"unknown_declared", static_cast<v1::SensitivityLevel>(9), kUnspecified, "hello", kRestricted, true},
  };
  for (const LevelRow& row : rows) {
    TenantConfig tenant;
    tenant.sensitivity_floor = row.floor;
    const Sensitivity sensitivity = (*classification)->Classify(row.declared, tenant, Fields({row.text}));
    EXPECT_EQ(sensitivity.state, ClassificationState::kClassified) << row.name;
    EXPECT_EQ(sensitivity.level, row.level) << row.name;
    EXPECT_EQ(sensitivity.sensitive(), row.sensitive) << row.name;
    EXPECT_EQ(sensitivity.digest, "digest") << row.name;
  }
}

TEST(Classification, SaysWhatItFoundNeverTheValue) {
  const auto classification = Classification::Make({});
  TenantConfig tenant;
  tenant.sensitivity_floor = kInternal;
  const Sensitivity sensitivity =
      (*classification)->Classify(kPublic, tenant, Fields({"hi", "我的身份证11010519491231002X"}));
  EXPECT_THAT(Types(sensitivity), ElementsAre("DECLARED_LEVEL", "TENANT_FLOOR", "CN_RESIDENT_ID"));
  const v1::Finding& finding = sensitivity.findings.back();
  EXPECT_EQ(finding.field(), "messages[1].content");
  EXPECT_EQ(finding.begin(), 15);
  EXPECT_EQ(finding.end(), 33);
  EXPECT_EQ(finding.level(), kRestricted);
  for (const v1::Finding& any : sensitivity.findings) {
    EXPECT_EQ(any.SerializeAsString().find("1101051949"), std::string::npos);
  }
}

TEST(Classification, AnythingButFinishedIsSensitive) {
  EXPECT_TRUE(Sensitivity{}.sensitive()) << "the default must not be a way out";
  for (const auto state :
       {ClassificationState::kUnclassified, ClassificationState::kSkipped, ClassificationState::kUnavailable}) {
    Sensitivity sensitivity;
    sensitivity.state = state;
    sensitivity.level = kPublic;
    EXPECT_TRUE(sensitivity.sensitive()) << Name(state);
  }
}

TEST(Classification, AFailingDetectorMeansSensitive) {
  const auto clean = [](const CanonicalText&) -> absl::StatusOr<std::vector<Detection>> {
    return std::vector<Detection>{};
  };
  ASSERT_FALSE(ClassifyWith(clean, Fields({"a", "b"})).sensitive());
  struct Row {
    const char* name;
    FakeDetectors::Answer answer;
  };
  const Row rows[] = {
      {"error", [](const CanonicalText&) { return absl::UnavailableError("scratch"); }},
      {"exception", [](const CanonicalText&) -> absl::StatusOr<std::vector<Detection>> { throw std::bad_alloc(); }},
      {"foreign_exception", [](const CanonicalText&) -> absl::StatusOr<std::vector<Detection>> { throw 7; }},
      {"only_the_last_field",
       [](const CanonicalText& text) -> absl::StatusOr<std::vector<Detection>> {
         if (text.text() == "b") return absl::DeadlineExceededError("slow");
         return std::vector<Detection>{};
       }},
  };
  for (const Row& row : rows) {
    const Sensitivity sensitivity = ClassifyWith(row.answer, Fields({"a", "b"}));
    EXPECT_EQ(sensitivity.state, ClassificationState::kUnavailable) << row.name;
    EXPECT_TRUE(sensitivity.sensitive()) << row.name;
    EXPECT_EQ(sensitivity.level, kRestricted) << row.name;
    EXPECT_THAT(Types(sensitivity), ElementsAre("DETECTOR_UNAVAILABLE")) << row.name;
  }
}

TEST(Classification, WhatWasNotScreenedIsSensitive) {
  const auto classification = Classification::Make({});
  Screened unread = Fields({"hello"});
  unread.not_inspectable = {"too_long", "invalid_utf8 messages[0].content"};
  const Sensitivity sensitivity = (*classification)->Classify(kUnspecified, {}, unread);
  EXPECT_EQ(sensitivity.state, ClassificationState::kUnclassified);
  EXPECT_TRUE(sensitivity.sensitive());
  EXPECT_THAT(Types(sensitivity), ElementsAre("NOT_INSPECTABLE:too_long", "NOT_INSPECTABLE:invalid_utf8"));
  EXPECT_EQ(sensitivity.findings[1].field(), "messages[0].content");
  EXPECT_TRUE((*classification)->Classify(kUnspecified, {}, Screened{}).sensitive());
}

TEST(Classification, FindingsAreBoundedTheLevelIsNot) {
  const auto many = [](const CanonicalText& text) -> absl::StatusOr<std::vector<Detection>> {
    std::vector<Detection> detections;
    for (int32_t i = 0; i < 64; ++i) detections.push_back({"EMAIL", kInternal, 1, {i, i + 1}});
    if (text.text() == "b") detections.push_back({"CN_RESIDENT_ID", kRestricted, 1, {0, 1}});
    return detections;
  };
  const Sensitivity sensitivity = ClassifyWith(many, Fields({"a", "b"}));
  EXPECT_EQ(sensitivity.findings.size(), 64u);
  EXPECT_EQ(sensitivity.level, kRestricted);
  EXPECT_THAT(Types(sensitivity), testing::Contains("CN_RESIDENT_ID"))
      << "the reason for the level must be among those kept";
}

TEST(Classification, RefusesAThresholdThatWouldLetConfidentialOut) {
  SensitivityConfig config;
  config.threshold = kRestricted;
  EXPECT_EQ(Classification::Make(config).status().code(), absl::StatusCode::kInvalidArgument);
  const Classification classification(config, std::make_unique<FakeDetectors>([](const CanonicalText&) {
                                        return absl::StatusOr<std::vector<Detection>>(std::vector<Detection>{});
                                      }));
  EXPECT_TRUE(classification.Classify(kConfidential, {}, Fields({"hello"})).sensitive());
}

TEST(Classification, RefusesListsThatDoNotCompile) {
  SensitivityConfig config;
  config.keyword_lists = {{"codes", kConfidential, {""}}};
  const auto classification = Classification::Make(config);
  EXPECT_EQ(classification.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(classification.status().message()), testing::HasSubstr("codes"));
}

// Missing or wrong weights are an error where rules are made: at start nothing is served, at a reload the old ones
// stay.
TEST(Classification, ModelsThatAreNotTheOnesCheckedInAreRefused) {
  EXPECT_TRUE(TextModels::Builtin().ok());
  const std::string wrong(64, '0');
  EXPECT_EQ(TextModels::Load("weights", wrong, "weights", wrong).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(TextModels::Load("", "", "", "").ok());
}

// The model takes long lists of them for credentials; with passwords they are.
TEST(Classification, ListsOfMailboxesAreNoCredentials) {
  const auto classification = Classification::Make({});
  std::string mailboxes, with_passwords;
  for (int i = 0; i < 70; ++i) {
    absl::StrAppend(&mailboxes, "anna.k", i * 37 % 100, "@northfjord-energy.com\n");
    absl::StrAppend(&with_passwords, "anna.k", i * 37 % 100, "@northfjord-energy.com:Fjord", i * 53 % 1000, "!k\n");
  }
  const auto types = [&](const std::string& text) {
    return Types((*classification)->Classify(kUnspecified, {}, Fields({text})));
  };
  EXPECT_THAT(types(mailboxes), Each(std::string("EMAIL")));
  EXPECT_THAT(types(with_passwords), Contains(std::string("CREDENTIAL_TEXT")));
}

// More text never lowers the level.
TEST(Classification, IsMonotone) {
  const auto classification = Classification::Make({});
  const std::vector<std::string> texts = {"hello", "13812345678", "order 123456", "11010519491231002X",
                                          "this is only an example"};
  for (const std::string& first : texts) {
    for (const std::string& second : texts) {
      const auto level = [&](const std::vector<std::string>& fields) {
        return (*classification)->Classify(kUnspecified, {}, Fields(fields)).level;
      };
      EXPECT_GE(level({first, second}), level({first}));
      EXPECT_GE(level({first + "。" + second}), std::max(level({first}), level({second})));
    }
  }
}

}  // namespace
}  // namespace headgate::router
