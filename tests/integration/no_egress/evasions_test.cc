// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Every way of writing a value, alone and in each pair that fits, is seen through. Faster than sending them, and says
// which are not.
#include "tests/integration/no_egress/evasions.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "router/classification.h"
#include "router/screening.h"
#include "tests/integration/no_egress/canary_requests.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

constexpr int kSamples = 12;

// Where the value stands: in words, glued to Chinese, on a line of its own, at the end.
std::string Framed(int frame, const std::string& value) {
  switch (frame % 4) {
    case 0: return absl::StrCat("Please look at ", value, " for the case today.");
    case 1: return absl::StrCat("参考此件，我的号码是", value, "请记下来");
    case 2: return absl::StrCat("thecaseathand\n", value, "\nWhat is this?");
    default: return absl::StrCat("The case: ", value);
  }
}

bool Sensitive(const std::string& text) {
  static const auto* const classification = [] {
    SensitivityConfig config;
    config.keyword_lists = {{"projects", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {kLatinKeyword}}};
    return Classification::Make(config)->release();
  }();
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  const Screened screened = Screening(LimitsConfig()).Screen(Prompt(std::move(request)));
  return classification->Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, TenantConfig(), screened).sensitive();
}

class EvasionTest : public testing::TestWithParam<Kind> {
 protected:
  void Check(const Evasion* inner, const Evasion* outer) {
    for (int i = 0; i < kSamples; ++i) {
      std::string value = MakeValue(GetParam(), random_);
      for (const Evasion* evasion : {inner, outer}) {
        if (evasion != nullptr) value = evasion->rewrite(value, random_);
      }
      const std::string text = Framed(i, value);
      EXPECT_TRUE(Sensitive(text)) << (inner ? inner->name : "plain") << (outer ? "+" : "")
                                   << (outer ? outer->name : "") << ": " << text;
    }
  }

 private:
  std::mt19937 random_{11};
};

TEST_P(EvasionTest, AloneAndInPairs) {
  Check(nullptr, nullptr);
  for (const Evasion& inner : Evasions()) {
    if (!Fits(inner, ShapeOf(GetParam()))) continue;
    Check(&inner, nullptr);
    for (const Evasion& outer : Evasions()) {
      if (Fits(outer, ShapeOf(GetParam())) && Fits(inner, outer)) Check(&inner, &outer);
    }
  }
}

// In hex the bytes between look like what stands between the numbers of a list.
TEST(Evasions, ZeroWidthsInHexAreNoList) {
  const std::string key = "sk-SCb8FNVgnX6JVR7siFTrUTLzFoJusTeKuDFmi7ZC";
  for (const char* const nothing : {"\u200B", "\u200C", "\u200D", "\u2060", "\uFEFF", "\u00AD", "\u202A"}) {
    const std::string hex(absl::BytesToHexString(Rewrite(key, Itself, nothing)));
    EXPECT_TRUE(Sensitive(absl::StrCat("look at ", hex, " now"))) << hex;
  }
  std::string list;
  for (const char c : key) absl::StrAppend(&list, static_cast<int>(c), "ef");
  EXPECT_TRUE(Sensitive(absl::StrCat("look at ", list, " now"))) << list;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EvasionTest,
                         testing::Values(Kind::kResidentId, Kind::kBankCard, Kind::kApiKey, Kind::kKeyword),
                         [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace headgate::router
