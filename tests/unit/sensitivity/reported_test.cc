// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What users of other detectors reported as missed, or as flagged for nothing: each text as the router judges it,
// models included (docs/testing.md).
#include <string>

#include "gtest/gtest.h"
#include "router/classification.h"
#include "router/screening.h"

namespace headgate::router {
namespace {

TEST(Reported, TextsOfOthersReports) {
  const struct {
    const char* report;
    const char* text;
    bool sensitive;
  } rows[] = {
      {"presidio#999: a number", "The correlation was -0.96 and 96c stands on page 4.", false},
      {"presidio#786: seven digits", "Part 1234567 is out of stock.", false},
      {"presidio#1352: prose", "Hello, could you summarise the meeting for the whole team, please?", false},
      {"presidio#1354: all capitals", "JOHN RICHARD MARTINEZ, DOB 03/14/1982, SALARY $84,000", true},
      {"presidio#1354: no capitals", "my colleague sarah thompson, born 12 may 1979, earns 84,000 a year", true},
      {"presidio#1607: milliseconds", "event ts=1700000000000 end=1732406400123", false},
      {"presidio PR#2075: a Mastercard of the 2-series", "pay with 2221000000000009, valid till 12/27", true},
      {"presidio PR#2075: UnionPay, 19 digits", "我的银行卡6222021234567890128请转账", true},
      {"presidio#1063: a word in capitals", "INTRODUCTORY: drivers and licences of software", false},
      {"semantic-router#712: an address of e-mail", "邮箱zhang.wei@company.com谢谢", true},
      {"NeMo-Guardrails#818, guardrails#933", "Each individual submits a quarterly report.", false},
      {"JioNLP#269: an area of old", "身份证号 11019919900307451X", true},
      {"JioNLP#269: an area that is none", "use 990199199003074513 for it", true},
      {"gitleaks#575: a UUID", "request 550e8400-e29b-41d4-a716-446655440000 failed", false},
      {"gitleaks#1219: a commit", "reverted in 9fceb02d0ae598e95dc970b74767f19372d61af8", false},
      {"gitleaks#1828: a word", "the key to the monkey exercise is a good password", false},
      {"gitleaks#1231: a secret of letters", "client_secret = \"abcdefQwErTyUiOpLkJhGfDsAzXcVbNm\"", true},
      {"trufflehog PR#1538: a prefix beside its own beginning", "npm npm_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789", true},
      {"openDLP#3: an identity number is one thing", "11010519491231002X", true},
  };
  const auto classification = Classification::Make({});
  ASSERT_TRUE(classification.ok()) << classification.status();
  for (const auto& row : rows) {
    SCOPED_TRACE(row.report);
    v1::GenerateRequest request;
    request.add_messages()->set_content(row.text);
    const Prompt prompt(std::move(request));
    const Sensitivity found = (*classification)->Classify({}, {}, Screening({}).Screen(prompt));
    EXPECT_EQ(found.sensitive(), row.sensitive);
    EXPECT_EQ(found.state, ClassificationState::kClassified);
  }
}

}  // namespace
}  // namespace headgate::router
