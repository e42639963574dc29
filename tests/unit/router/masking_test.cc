// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/masking.h"

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace headgate::router {
namespace {

using Values = Masked::Values;

v1::GenerateRequest Said(const std::string& text) {
  v1::GenerateRequest request;
  request.add_messages()->set_role(v1::ROLE_USER);
  request.mutable_messages(0)->set_content(text);
  return request;
}

v1::Finding Found(const std::string& type, const std::string& text, const std::string& value,
                  v1::SensitivityLevel level = v1::SENSITIVITY_LEVEL_CONFIDENTIAL) {
  v1::Finding finding;
  finding.set_type(type);
  finding.set_level(level);
  finding.set_field("messages[0].content");
  finding.set_begin(static_cast<int32_t>(text.find(value)));
  finding.set_end(finding.begin() + static_cast<int32_t>(value.size()));
  return finding;
}

Sensitivity Judged(const std::vector<v1::Finding>& findings) {
  Sensitivity sensitivity;
  sensitivity.state = ClassificationState::kClassified;
  sensitivity.level = v1::SENSITIVITY_LEVEL_PUBLIC;
  sensitivity.findings = findings;
  for (const v1::Finding& finding : findings) sensitivity.level = std::max(sensitivity.level, finding.level());
  return sensitivity;
}

TenantConfig Masks() {
  TenantConfig tenant;
  tenant.masking = true;
  return tenant;
}

const std::string kText = "Call 13812345678 or 138 8765 4321, write to wei@corp.cn, again 13812345678.";
std::vector<v1::Finding> AllFindings() {
  v1::Finding again = Found("PHONE_CN_MOBILE", kText, "13812345678.");  // the second one
  again.set_end(again.end() - 1);
  return {Found("PHONE_CN_MOBILE", kText, "13812345678"), Found("PHONE_CN_MOBILE", kText, "138 8765 4321"),
          Found("EMAIL", kText, "wei@corp.cn"), again};
}

TEST(Masking, PutsTypedPlaceholders) {
  const auto masked = Masking::Mask(Masks(), Prompt(Said(kText)), Judged(AllFindings()));
  ASSERT_TRUE(masked.has_value());
  EXPECT_EQ(masked->prompt.content().messages(0).content(),
            "Call <PHONE_1> or <PHONE_2>, write to <EMAIL_1>, again <PHONE_1>.");
  EXPECT_EQ(masked->values, (Values{{"<PHONE_1>", "13812345678"},
                                    {"<PHONE_2>", "138 8765 4321"},
                                    {"<EMAIL_1>", "wei@corp.cn"}}));
  EXPECT_NE(masked->prompt.digest(), Prompt(Said(kText)).digest());
}

TEST(Masking, TwoNamesForOneValue) {
  const std::string text = "call 13812345678 now";
  const auto masked = Masking::Mask(Masks(), Prompt(Said(text)),
                                    Judged({Found("PHONE_US", text, "3812345678"),
                                            Found("PHONE_CN_MOBILE", text, "13812345678"),
                                            Found("PHONE_E164", text, "13812345678")}));
  ASSERT_TRUE(masked.has_value());
  EXPECT_EQ(masked->prompt.content().messages(0).content(), "call <PHONE_1> now");
}

TEST(Masking, WhatIsNeverMasked) {
  const std::string text = "call 13812345678 now";
  const v1::Finding phone = Found("PHONE_CN_MOBILE", text, "13812345678");
  const auto with = [&](const std::function<void(v1::Finding&)>& change) {
    v1::Finding finding = phone;
    change(finding);
    return Judged({finding});
  };
  const auto also = [&](const char* type, v1::SensitivityLevel level) {
    v1::Finding other;
    other.set_type(type);
    other.set_level(level);
    return Judged({phone, other});
  };
  constexpr auto kConfidential = v1::SENSITIVITY_LEVEL_CONFIDENTIAL;
  Sensitivity unclassified = Judged({phone});
  unclassified.state = ClassificationState::kUnclassified;
  struct Row {
    const char* name;
    Sensitivity sensitivity;
    std::string text = "call 13812345678 now";
    std::function<void(TenantConfig&)> tenant = {};
  };
  const Row rows[] = {
      {"not asked for", Judged({phone}), text, [](TenantConfig& t) { t.masking = false; }},
      {"tenant stays local", Judged({phone}), text, [](TenantConfig& t) { t.cloud_allowed = false; }},
      {"restricted", with([](v1::Finding& f) { f.set_level(v1::SENSITIVITY_LEVEL_RESTRICTED); })},
      {"restricted beside it", also("CN_RESIDENT_ID", v1::SENSITIVITY_LEVEL_RESTRICTED)},
      {"declared", also("DECLARED_LEVEL", kConfidential)},
      {"declared low", also("DECLARED_LEVEL", v1::SENSITIVITY_LEVEL_PUBLIC)},
      {"floor", also("TENANT_FLOOR", kConfidential)},
      {"keyword", also("KEYWORD:projects", kConfidential)},
      {"marking", also("CONFIDENTIAL_MARKING", kConfidential)},
      {"topic", also("HEALTH_RECORD", kConfidential)},
      {"conversation", also("CONVERSATION:sensitive", kConfidential)},
      {"name", also("PERSON", kConfidential)},
      {"no reason", Judged({})},
      {"unclassified", unclassified},
      {"a seam", with([](v1::Finding& f) { f.set_field("messages[0..1].content"); })},
      {"a field that is no text", with([](v1::Finding& f) { f.set_field("tools[0].description"); })},
      {"no span", with([](v1::Finding& f) { f.set_end(f.begin()); })},
      {"beyond the text", with([](v1::Finding& f) { f.set_end(4000); })},
      {"part of a longer word", Judged({Found("EMAIL", "xwei@corp.cn", "wei@corp.cn")}), "xwei@corp.cn"},
      {"encoded", Judged({Found("PHONE_CN_MOBILE", "MTM4MTIzNDU2Nzg=", "MTM4MTIzNDU2Nzg=")}), "MTM4MTIzNDU2Nzg="},
      {"overlapping", Judged({phone, Found("PHONE_E164", text, "678 now")})},
      {"a placeholder of the client's", Judged({phone}), "call 13812345678 now <phone_1>"},
      {"a placeholder in other words", Judged({phone}), "call 13812345678 now &lt;PHONE_12&gt;"},
  };
  for (const Row& row : rows) {
    TenantConfig tenant = Masks();
    if (row.tenant) row.tenant(tenant);
    EXPECT_FALSE(Masking::Mask(tenant, Prompt(Said(row.text)), row.sensitivity).has_value()) << row.name;
  }
  EXPECT_TRUE(Masking::Mask(Masks(), Prompt(Said(text)), Judged({phone})).has_value()) << "the control";
}

// What told that it is a phone's may be elsewhere, or be a placeholder now.
TEST(Masking, NoValueStaysElsewhere) {
  const std::string phone = "my phone is 13812345678";
  const std::string mail = "write to wei@corp.cn";
  const std::string address = "server ip address is 34.118.22.9";
  struct Row {
    const char* name;
    std::string text;
    v1::Finding finding;
    std::function<void(v1::GenerateRequest&)> also;
    bool masked = false;
  };
  const auto next_message = [](const std::string& text) {
    return [text](v1::GenerateRequest& request) { request.add_messages()->set_content(text); };
  };
  const v1::Finding found = Found("PHONE_CN_MOBILE", phone, "13812345678");
  const Row rows[] = {
      {"nowhere else", phone, found, next_message("order 13812345670, 1381 of 2345"), true},
      {"a number that is no phone's", phone + ", order number 13812345678", found, {}},
      {"far away", phone + "." + std::string(1000, '.') + "ref 138-1234-5678", found, {}},
      {"next message", phone, found, next_message("订单号13812345678")},
      {"without its area", phone, found, next_message("extension 12345678")},
      {"with its country", phone, found, next_message("ref 008613812345678")},
      {"full-width", phone, found, next_message("编号１３８１２３４５６７８")},
      {"in words", phone, found, next_message("编号一三八一二三四五六七八")},
      {"base64", phone, found, next_message("ref MTM4MTIzNDU2Nzg=")},
      {"two messages", phone, found, [](v1::GenerateRequest& request) {
         request.add_messages()->set_content("1381234");
         request.add_messages()->set_content("5678");
       }},
      {"a tool", phone, found, [](v1::GenerateRequest& request) {
         request.add_tools()->set_description("looks 13812345678 up");
       }},
      {"a stop word", phone, found, [](v1::GenerateRequest& request) {
         request.add_stop("13812345678");
       }},
      {"mail in capitals", mail, Found("EMAIL", mail, "wei@corp.cn"), next_message("WEI @ CORP.CN")},
      {"an address as a version", address, Found("IPV4", address, "34.118.22.9"), next_message("version 34.118.22.9")},
  };
  for (const Row& row : rows) {
    v1::GenerateRequest request = Said(row.text);
    if (row.also) row.also(request);
    const auto masked = Masking::Mask(Masks(), Prompt(request), Judged({row.finding}));
    ASSERT_TRUE(masked.has_value()) << row.name;
    const Screened screened = Screening(LimitsConfig()).Screen(masked->prompt);
    EXPECT_EQ(Masking::Remains(masked->values, screened), !row.masked) << row.name;
  }
}

struct Texts {
  std::string content, reasoning, arguments;
  int finishes = 0;
};

Texts Unmask(const Values& values, const std::string& text, const std::function<size_t()>& length) {
  Unmasking unmasking(values);
  Texts texts;
  const auto push = [&](v1::GenerateStreamResponse event) {
    for (const auto& out : unmasking.Filter({std::move(event)})) {
      EXPECT_EQ(texts.finishes, 0) << "something after the finish";
      texts.content += out.delta().content();
      texts.reasoning += out.delta().reasoning_content();
      for (const auto& call : out.delta().tool_calls()) texts.arguments += call.arguments();
      if (out.has_finish()) ++texts.finishes;
    }
  };
  for (int where = 0; where < 3; ++where) {
    for (size_t at = 0; at < text.size();) {
      const std::string piece = text.substr(at, std::max<size_t>(1, length()));
      at += piece.size();
      v1::GenerateStreamResponse event;
      if (where == 0) event.mutable_delta()->set_reasoning_content(piece);
      if (where == 1) event.mutable_delta()->set_content(piece);
      if (where == 2) event.mutable_delta()->add_tool_calls()->set_arguments(piece);
      push(std::move(event));
    }
  }
  v1::GenerateStreamResponse finish;
  finish.mutable_finish();
  push(std::move(finish));
  return texts;
}

TEST(Unmasking, PutsTheValuesBack) {
  const Values values = {{"<PHONE_1>", "13812345678"}, {"<PHONE_11>", "13900000000"}, {"<EMAIL_1>", "wei@corp.cn"}};
  struct Row {
    const char* name;
    const char* text;
    const char* expected;
  };
  const Row rows[] = {
      {"one", "call <PHONE_1>.", "call 13812345678."},
      {"longer number", "<PHONE_11><PHONE_1>", "1390000000013812345678"},
      {"lower case", "to <email_1>", "to wei@corp.cn"},
      {"unknown stays", "call <PHONE_2> or <NAME_1>", "call <PHONE_2> or <NAME_1>"},
      {"beginnings", "a << b <PHO <PHONE_1 <<PHONE_1>", "a << b <PHO <PHONE_1 <13812345678"},
      {"at the end", "a <PHONE_", "a <PHONE_"},
      {"escaped", R"({"to":"\u003cEMAIL_1\u003e"})", R"({"to":"wei@corp.cn"})"},
      {"other escapes", R"({"to":"\u003d\n\\"})", R"({"to":"\u003d\n\\"})"},
  };
  std::mt19937 random(3);
  for (const Row& row : rows) {
    for (const size_t length : {size_t{1}, size_t{2}, size_t{3}, size_t{5}, size_t{400}}) {
      const Texts texts = Unmask(values, row.text, [&] { return length == 2 ? 1 + random() % 5 : length; });
      EXPECT_EQ(texts.content, row.expected) << row.name;
      EXPECT_EQ(texts.reasoning, row.expected) << row.name;
      EXPECT_EQ(texts.arguments, row.expected) << row.name;
      EXPECT_EQ(texts.finishes, 1);
    }
  }
}

TEST(Unmasking, WithoutValuesEverythingPasses) {
  const Texts texts = Unmask({}, "<PHONE_1> \\u003c", [] { return 2; });
  EXPECT_EQ(texts.content, "<PHONE_1> \\u003c");
}

}  // namespace
}  // namespace headgate::router
