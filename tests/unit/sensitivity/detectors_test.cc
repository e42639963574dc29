// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/detectors.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

std::unique_ptr<Detectors> Make(const SensitivityConfig& config = {}) {
  auto detectors = MakePatternDetectors(config);
  EXPECT_TRUE(detectors.ok()) << detectors.status();
  return std::move(*detectors);
}

// `TYPE value` of everything that was found in `text`, value as written.
std::vector<std::string> Found(const Detectors& detectors, const std::string& text) {
  const auto detections = detectors.Scan(CanonicalText::Make(text));
  EXPECT_TRUE(detections.ok()) << detections.status();
  std::vector<std::string> found;
  for (const Detection& detection : *detections) {
    const auto begin = static_cast<size_t>(detection.span.begin);
    found.push_back(detection.type + " " + text.substr(begin, static_cast<size_t>(detection.span.end) - begin));
  }
  return found;
}

struct PositiveRow {
  const char* name;
  std::string text;
  std::string found;
};

void ExpectFound(const std::vector<PositiveRow>& rows) {
  const auto detectors = Make();
  for (const PositiveRow& row : rows) {
    EXPECT_THAT(Found(*detectors, row.text), testing::ElementsAre(row.found)) << row.name;
  }
}

TEST(Detectors, FindsResidentIds) {
  ExpectFound({
      {"alone", "11010519491231002X", "CN_RESIDENT_ID 11010519491231002X"},
      {"lower_case_x", "11010519491231002x", "CN_RESIDENT_ID 11010519491231002x"},
      {"glued_to_chinese", "我的身份证11010519491231002X请查收", "CN_RESIDENT_ID 11010519491231002X"},
      {"glued_to_latin", "id11010519491231002Xend", "CN_RESIDENT_ID 11010519491231002X"},
      {"full_width", "１１０１０５１９４９１２３１００２Ｘ", "CN_RESIDENT_ID １１０１０５１９４９１２３１００２Ｘ"},
      {"zero_width", "110105\u200B19491231002X", "CN_RESIDENT_ID 110105\u200B19491231002X"},
      {"cyrillic_x", "11010519491231002Х", "CN_RESIDENT_ID 11010519491231002Х"},
      {"spaces", "110105 19491231 002X", "CN_RESIDENT_ID 110105 19491231 002X"},
      {"hyphens_and_x_apart", "110105-19491231-002-X.", "CN_RESIDENT_ID 110105-19491231-002-X"},
      {"single_characters", "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X",
       "CN_RESIDENT_ID 1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X"},
      {"newlines", "110105\n19491231\n002X", "CN_RESIDENT_ID 110105\n19491231\n002X"},
      {"in_json", "{\"id\":\"11010519491231002X\"}", "CN_RESIDENT_ID 11010519491231002X"},
      {"after_a_list_number", "1. 11010519491231002X", "CN_RESIDENT_ID 11010519491231002X"},
  });
}

TEST(Detectors, FindsBankCards) {
  const std::string union_pay = WithLuhnCheck("622202020011234567");
  ExpectFound({
      {"visa_between_chinese", "我的卡号4111111111111111请查收", "BANK_CARD 4111111111111111"},
      {"mastercard_2_series", WithLuhnCheck("222300001234567"), "BANK_CARD " + WithLuhnCheck("222300001234567")},
      {"amex", "378282246310005", "BANK_CARD 378282246310005"},
      {"union_pay_16", WithLuhnCheck("622588123456789"), "BANK_CARD " + WithLuhnCheck("622588123456789")},
      {"union_pay_18", WithLuhnCheck("62258812345678901"), "BANK_CARD " + WithLuhnCheck("62258812345678901")},
      {"union_pay_19", union_pay, "BANK_CARD " + union_pay},
      {"groups_of_four", "4111 1111 1111 1111", "BANK_CARD 4111 1111 1111 1111"},
      {"two_in_a_row", "4111-1111-1111-1111", "BANK_CARD 4111-1111-1111-1111"},
      {"full_width_groups", "４１１１　１１１１　１１１１　１１１１",
       "BANK_CARD ４１１１　１１１１　１１１１　１１１１"},
      {"single_digits", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "BANK_CARD 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"},
      {"numbered_line", "卡号\n1.4111111111111111", "BANK_CARD 4111111111111111"},
  });
}

TEST(Detectors, FindsMobileNumbers) {
  ExpectFound({
      {"glued_to_chinese", "手机号13812345678", "PHONE_CN_MOBILE 13812345678"},
      {"glued_to_latin", "tel13812345678ok", "PHONE_CN_MOBILE 13812345678"},
      {"country_code", "+8613812345678", "PHONE_CN_MOBILE 13812345678"},
      {"country_code_apart", "+86 138-1234-5678", "PHONE_CN_MOBILE 138-1234-5678"},
      {"country_code_double_zero", "008613812345678", "PHONE_CN_MOBILE 13812345678"},
      {"usual_groups", "138 1234 5678", "PHONE_CN_MOBILE 138 1234 5678"},
      {"dots", "138.1234.5678", "PHONE_CN_MOBILE 138.1234.5678"},
      {"ideographic_comma", "138、1234、5678", "PHONE_CN_MOBILE 138、1234、5678"},
      {"single_digits", "1-3-8-1-2-3-4-5-6-7-8", "PHONE_CN_MOBILE 1-3-8-1-2-3-4-5-6-7-8"},
      {"keycaps", "1️⃣3️⃣8️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣",
       "PHONE_CN_MOBILE 1️⃣3️⃣8️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣"},
      {"numbered_line", "1.13812345678 张三", "PHONE_CN_MOBILE 13812345678"},
  });
  const auto detectors = Make();
  EXPECT_THAT(Found(*detectors, "138 1234 5678 139 1234 5678"),
              testing::UnorderedElementsAre("PHONE_CN_MOBILE 138 1234 5678", "PHONE_CN_MOBILE 139 1234 5678"));
  EXPECT_THAT(Found(*detectors, "13812345678,13912345678"),
              testing::UnorderedElementsAre("PHONE_CN_MOBILE 13812345678", "PHONE_CN_MOBILE 13912345678"));
}

TEST(Detectors, FindsContactsAndSecrets) {
  const std::string jwt =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
  const std::string pem_body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
  ExpectFound({
      {"email_between_chinese", "邮箱zhang@company.com谢谢", "EMAIL zhang@company.com"},
      {"email_with_full_stop", "Write to a.b+c@mail.co.uk.", "EMAIL a.b+c@mail.co.uk"},
      {"email_full_width", "ｚｈａｎｇ＠ｃｏｍｐａｎｙ．ｃｏｍ", "EMAIL ｚｈａｎｇ＠ｃｏｍｐａｎｙ．ｃｏｍ"},
      {"email_capitals", "ZHANG@COMPANY.COM", "EMAIL ZHANG@COMPANY.COM"},
      {"openai", "key sk-abc123DEF456ghi789JKL012mno345PQ", "API_KEY sk-abc123DEF456ghi789JKL012mno345PQ"},
      {"deepseek", "sk-3f9a1c7be04d4c2f8a6b5d9e0c1f2a3b", "API_KEY sk-3f9a1c7be04d4c2f8a6b5d9e0c1f2a3b"},
      {"anthropic", "用sk-ant-api03-Zx8kQ2mW5vT1nR7yB4cL9pJ3吧", "API_KEY sk-ant-api03-Zx8kQ2mW5vT1nR7yB4cL9pJ3"},
      {"github", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "API_KEY ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
      {"npm_beside_npm", "npm npm_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5",
       "API_KEY npm_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"},
      {"amazon", "AKIA4Q7XN2PLW8ZRT6VB", "API_KEY AKIA4Q7XN2PLW8ZRT6VB"},
      {"amazon_cyrillic", "АКІА4Q7XN2PLW8ZRT6VB", "API_KEY АКІА4Q7XN2PLW8ZRT6VB"},
      {"slack", "xoxb-123456789012-Ab3dE5fG7hI9jK1l", "API_KEY xoxb-123456789012-Ab3dE5fG7hI9jK1l"},
      {"jwt", "The token is: " + jwt, "JWT " + jwt},
      {"private_key", "-----BEGIN RSA PRIVATE KEY-----\n" + pem_body + "\n...",
       "PRIVATE_KEY -----BEGIN RSA PRIVATE KEY-----\n" + pem_body},
      {"private_key_escaped", "\"-----BEGIN PRIVATE KEY-----\\n" + pem_body + "\\n",
       "PRIVATE_KEY -----BEGIN PRIVATE KEY-----\\n" + pem_body},
      {"private_key_with_headers", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + pem_body,
       "PRIVATE_KEY -----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + pem_body},
  });
}

struct NegativeRow {
  const char* name;
  std::string text;
};

TEST(Detectors, FindsCodesByTheirWords) {
  ExpectFound({
      {"in_halves", "it texted 848 217 is your Zalvo login code, valid 5 min", "ONE_TIME_CODE 848 217"},
      {"chinese", "384756是您的登录验证码", "ONE_TIME_CODE 384756"},
      {"of a hospital, cut short", "bed 14, hosp no R771920, dose for his note", "MEDICAL_RECORD_NO R771920"},
  });
  const auto detectors = Make();
  for (const char* none : {"4 is your verification code's length", "page 848217. What is the confirmation code for?"}) {
    EXPECT_THAT(Found(*detectors, none), IsEmpty()) << none;
  }
}

TEST(Detectors, LeavesLookAlikesAlone) {
  const std::vector<NegativeRow> rows = {
      {"id_wrong_check", "110105194912310021"},
      {"id_impossible_date", WithIdCheck("11010519490230002")},
      {"id_29_february_common_year", WithIdCheck("11010519490229002")},
      {"id_month_13", WithIdCheck("11010519491331002")},
      {"id_digit_before", "911010519491231002X"},
      {"id_word_only", "我的身份证号码丢了怎么补办"},
      {"card_wrong_luhn", "4111111111111112"},
      {"card_unknown_issuer", WithLuhnCheck("100000000000000")},
      {"card_in_longer_number", "41111111111111110000"},
      {"timestamp_milliseconds", "1700000000000"},
      {"timestamp_microseconds", "1700000000000000"},
      {"date_time", "20240512093015"},
      {"phone_too_long", "138123456789"},
      {"phone_too_short", "1381234567"},
      {"phone_second_digit", "12812345678"},
      {"phone_placeholder", "138xxxxxxxx"},
      {"amount", "15000000000元"},
      {"fraction", "pi/2 = 0.13812345678"},
      {"float_card_prefix", "loss 4.123456789012345 at 51.12345678901234"},
      {"thousands", "13,812,345,678 people"},
      {"ip_address", "192.168.100.10 and 172.16.254.1"},
      {"private_range_with_11_digits", "192.168.100.10"},
      {"uuid", "550e8400-e29b-41d4-a716-446655440000"},
      {"uuid_with_phone_digits", "13812345-6781-4abc-9def-138123456789"},
      {"sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"hash_with_phone_digits", "a13812345678f0c9"},
      {"commit", "commit 13812345678abc9d8e7f"},
      {"versions", "1.3.8 2.0.1 10.15.7 2023.11.15"},
      {"dates", "1945/8/15, 1949/10/1, 1978-12-18"},
      {"years", "1990 1995 2000 2005 2010 2015"},
      {"table_of_figures", "4 8 1 9 3 7 2 6 5 1 4 8 2 9 6 3 7 5 1 8 4 2 9 6 3 5 7 1 8 2 4 9"},
      {"card_digits_in_a_row_of_figures", "9 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5 6"},
      {"array", "[1, 5, 3, 2, 8, 9, 4, 7, 6, 0, 2]"},
      {"sum", "计算 123456789 + 987654321 = ?"},
      {"isbn", "ISBN 978-7-111-54742-6"},
      {"order_number", "订单号 SF1381234567801"},
      {"email_documentation", "user@example.com, a@sub.example.org, x@host.test"},
      {"email_no_domain", "foo@bar and @channel"},
      {"email_retina_image", "logo@2x.png"},
      {"package_version", "lodash@4.17.21"},
      {"ssh_url", "git@github.com:org/repo.git"},
      {"decorator", "@app.route('/') def f(): pass"},
      {"key_placeholder", "sk-YOUR_API_KEY_HERE sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
      {"key_documentation", "AKIAIOSFODNN7EXAMPLE"},
      {"key_prefix_in_words", "task-management-system-for-everyone risk-assessmentofeverything"},
      {"key_prefix_only", "keys begin with sk- or ghp_"},
      {"hf_function", "hf_hub_download_with_a_very_long_function_name"},
      {"npm_words", "npm_config_registry_and_some_more_settings_here"},
      {"pem_talk", "What does -----BEGIN PRIVATE KEY----- mean?"},
      {"pem_placeholder", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"},
      {"pem_public",
       "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----"},
      {"jwt_header_only", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 is the header"},
      {"jwt_without_alg", "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"},
      {"prose", "Please summarise the attached meeting notes in three sentences."},
      {"chinese_prose", "请用三句话总结一下这次会议的要点，不超过一百字。"},
  };
  const auto detectors = Make();
  for (const NegativeRow& row : rows) EXPECT_THAT(Found(*detectors, row.text), IsEmpty()) << row.name;
}

TEST(Detectors, FindsKeywords) {
  SensitivityConfig config;
  config.keyword_lists = {{"projects", v1::SENSITIVITY_LEVEL_RESTRICTED, {"Blue Heron", "项目天鹰", "K2"}},
                          {"markings", v1::SENSITIVITY_LEVEL_CONFIDENTIAL, {"机密", "内部资料", "blue heron", "Déjà"}}};
  const auto detectors = Make(config);
  const auto found = [&](const char* text) { return Found(*detectors, text); };
  EXPECT_THAT(found("about BLUE heron."),
              testing::UnorderedElementsAre("KEYWORD:projects BLUE heron", "KEYWORD:markings BLUE heron"));
  EXPECT_THAT(found("ｂｌｕｅ\u00A0ｈｅｒｏｎ"), testing::SizeIs(2));
  EXPECT_THAT(found("blue herons"), IsEmpty()) << "whole words only";
  EXPECT_THAT(found("deepblue heron"), IsEmpty());
  EXPECT_THAT(found("去K2路线"), Contains("KEYWORD:projects K2")) << "Chinese neighbours are boundaries";
  EXPECT_THAT(found("K23"), IsEmpty());
  EXPECT_THAT(found("这是机密文件"), Contains("KEYWORD:markings 机密"));
  EXPECT_THAT(found("机\u200B密"), Contains("KEYWORD:markings 机\u200B密"));
  EXPECT_THAT(found("deja vu"), Contains("KEYWORD:markings deja"));
  const auto detections = detectors->Scan(CanonicalText::Make("项目天鹰"));
  ASSERT_EQ(detections->size(), 1u);
  EXPECT_EQ(detections->front().level, v1::SENSITIVITY_LEVEL_RESTRICTED);
}

TEST(Detectors, RefusesWhatItCannotUse) {
  struct Row {
    const char* name;
    SensitivityConfig config;
    const char* message;
  };
  const auto list = [](const char* name, std::vector<std::string> words) {
    SensitivityConfig config;
    config.keyword_lists = {{name, v1::SENSITIVITY_LEVEL_CONFIDENTIAL, std::move(words)}};
    return config;
  };
  SensitivityConfig twice = list("a", {"x"});
  twice.keyword_lists.push_back(twice.keyword_lists[0]);
  SensitivityConfig no_level = list("codes", {"x"});
  no_level.keyword_lists[0].level = v1::SENSITIVITY_LEVEL_UNSPECIFIED;
  SensitivityConfig unknown, lowered;
  unknown.detector_levels = {{"CN_RESIDENT", v1::SENSITIVITY_LEVEL_RESTRICTED}};
  lowered.detector_levels = {{"EMAIL", v1::SENSITIVITY_LEVEL_INTERNAL}};
  const Row rows[] = {
      {"empty_word", list("codes", {"ok", ""}), "`codes`"},
      {"invisible_word", list("codes", {"\u200B "}), "`codes`"},
      {"invalid_word", list("codes", {"\xFF"}), "`codes`"},
      {"no_name", list("", {"x"}), "no name"},
      {"twice", twice, "`a`"},
      {"no_level", no_level, "`codes`"},
      {"unknown_type", unknown, "`CN_RESIDENT`"},
      {"below_threshold", lowered, "`EMAIL`"},
  };
  for (const Row& row : rows) {
    const auto detectors = MakePatternDetectors(row.config);
    EXPECT_EQ(detectors.status().code(), absl::StatusCode::kInvalidArgument) << row.name;
    EXPECT_THAT(std::string(detectors.status().message()), HasSubstr(row.message)) << row.name;
  }
}

TEST(Detectors, LevelsFollowTheConfiguration) {
  SensitivityConfig config;
  config.detector_levels = {{"EMAIL", v1::SENSITIVITY_LEVEL_RESTRICTED}};
  const auto level = [](const Detectors& detectors, std::string_view text) {
    return detectors.Scan(CanonicalText::Make(text))->front().level;
  };
  EXPECT_EQ(level(*Make(), "zhang@company.com"), v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
  EXPECT_EQ(level(*Make(config), "zhang@company.com"), v1::SENSITIVITY_LEVEL_RESTRICTED);
  EXPECT_EQ(level(*Make(), kResidentId), v1::SENSITIVITY_LEVEL_RESTRICTED);
  EXPECT_EQ(level(*Make(), kPhone), v1::SENSITIVITY_LEVEL_CONFIDENTIAL);
}

TEST(Detectors, ManyValuesAreBoundedPerType) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "a" + std::to_string(i) + "@company.com ";
  text += kResidentId;
  const auto found = Found(*Make(), text);
  EXPECT_EQ(found.size(), 65u);
  EXPECT_THAT(found, Contains("CN_RESIDENT_ID " + std::string(kResidentId)))
      << "a flood of one type must not hide another";
}

}  // namespace
}  // namespace headgate::router
