// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The rules without models: each type with its value, its look-alikes, allow-lists, and that more text never lowers a
// level.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/detector_types.h"
#include "router/sensitivity/detectors.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::HasSubstr;

const Detectors& Rules() {
  static const auto detectors = [] {
    auto made = MakePatternDetectors({});
    EXPECT_TRUE(made.ok()) << made.status();
    return std::move(*made);
  }();
  return *detectors;
}

// `TYPE value` of what was found at or above the default threshold.
std::vector<std::string> Found(const Detectors& detectors, const std::string& text) {
  const auto detections = detectors.Scan(CanonicalText::Make(text));
  EXPECT_TRUE(detections.ok()) << detections.status();
  std::vector<std::string> found;
  for (const Detection& detection : *detections) {
    if (detection.level < v1::SENSITIVITY_LEVEL_CONFIDENTIAL) continue;
    const auto begin = static_cast<size_t>(detection.span.begin);
    found.push_back(detection.type + " " + text.substr(begin, static_cast<size_t>(detection.span.end) - begin));
  }
  return found;
}

struct PositiveRow {
  const char* name;
  const char* text;
  const char* found;
};

TEST(Rules, FindEachType) {
  const PositiveRow rows[] = {
      {"old_id", "身份证号 110105491231002 已换发", "CN_RESIDENT_ID 110105491231002"},
      {"cn_passport", "护照号是E51384627，帮我填表", "CN_PASSPORT E51384627"},
      {"cn_passport_two_letters", "passport EA5138462", "CN_PASSPORT EA5138462"},
      {"passport_elsewhere", "Passport No.: C01X00T47", "PASSPORT C01X00T47"},
      {"hk_id_brackets", "A123456(3)", "HK_ID A123456(3)"},
      {"hk_id_with_word", "香港身份证 A1234563", "HK_ID A1234563"},
      {"tw_id", "身份證字號 A123456789", "TW_ID A123456789"},
      {"permit", "港澳通行证 C12345678", "HK_MO_TW_PERMIT C12345678"},
      {"military", "军官证号：军字第1384627", "CN_MILITARY_ID 1384627"},
      {"ssn_written", "his number is 536-22-8726 I think", "US_SSN 536-22-8726"},
      {"ssn_with_word", "SSN 536228726", "US_SSN 536228726"},
      {"itin", "ITIN 912-78-4567", "US_ITIN 912-78-4567"},
      {"nhs", "NHS number 943 476 5919", "UK_NHS 943 476 5919"},
      {"nino", "National Insurance QQ: AB123456C", "UK_NINO AB123456C"},
      {"medicare", "medicare 1EG4-TE5-MK72 denied claim", "US_MBI 1EG4-TE5-MK72"},
      {"driver", "driver's license number: D4810923", "DRIVER_LICENCE D4810923"},
      {"plate", "车牌沪B5K88D违章", "CN_PLATE 沪B5K88D"},
      {"plate_us_car", "grey Honda, car plate: 7KLM482, drove off", "CN_PLATE 7KLM482"},
      {"old_id_by_its_cards_name", "一代证 310108670512043 怎么转成十八位", "CN_RESIDENT_ID 310108670512043"},
      {"plate_new_energy", "粤BD12345 停在门口", "CN_PLATE 粤BD12345"},
      {"iban", "IBAN GB36 WEST 4821 7309 5560 21", "IBAN GB36 WEST 4821 7309 5560 21"},
      {"account", "收款账号：6217 0012 3456", "BANK_ACCOUNT 6217 0012 3456"},
      {"routing", "routing number 021000021", "US_ROUTING 021000021"},
      {"swift", "SWIFT: DEUTDEFF500", "SWIFT_BIC DEUTDEFF500"},
      {"cvv", "CVV 731", "CVV 731"},
      {"bitcoin", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
       "CRYPTO_ADDRESS bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"},
      {"landline", "座机010-65512345", "PHONE_CN_LANDLINE 010-65512345"},
      {"us_phone", "reach me at (415) 832-2671", "PHONE_US 415) 832-2671"},
      {"e164", "+44 20 7946 0958", "PHONE_E164 +44 20 7946 0958"},
      {"uk_mobile", "sunil 07911 284603", "PHONE_E164 07911 284603"},
      {"wechat", "加我微信：qwe_chen0304", "WECHAT_ID qwe_chen0304"},
      {"qq", "QQ号 284719305", "QQ_ID 284719305"},
      {"ip", "login from ip 116.228.40.17", "IP_ADDRESS 116.228.40.17"},
      {"mac", "3C:22:FB:9A:01:7E", "MAC_ADDRESS 3C:22:FB:9A:01:7E"},
      {"mrn", "MRN: 00482913", "MEDICAL_RECORD_NO 00482913"},
      {"insurance", "保单号：PDAA20244401", "INSURANCE_NO PDAA20244401"},
      {"case", "docket no. FD-04-1187-24", "CASE_NUMBER FD-04-1187-24"},
      {"password", "password: Hunter2!x9", "PASSWORD Hunter2!x9"},
      {"password_in_prose", "temporary password for new joiner Elif is Chang3Me!Oct, ok?", "PASSWORD Chang3Me!Oct"},
      {"password_by_shape", "the sticky note says laptop = Marmalade&Toast3", "PASSWORD Marmalade&Toast3"},
      {"login_pair", "guest login on the projector pc is demo / Lemur-Kite-45", "PASSWORD Lemur-Kite-45"},
      {"wifi_code", "QR please: WIFI:S:TheNest;T:WPA;P:saltmarsh88;;", "PASSWORD saltmarsh88"},
      {"recovery_key", "it asks for 402116-338910-551207-118844-620917-330158-771204-094611",
       "GENERIC_SECRET 402116-338910-551207-118844-620917-330158-771204-094611"},
      {"dialled_abroad", "it's 00 44 7911 338 204 now - Jo", "PHONE_E164 00 44 7911 338 204"},
      {"password_zh", "数据库密码是 Qw3rty#2024", "PASSWORD Qw3rty#2024"},
      {"password_json", "{\"password\":\"gr4nite/Wharf!\"}", "PASSWORD gr4nite/Wharf!"},
      {"secret", "client_secret = 8fK2mQ9xLr4TzW7vB1nYc3", "GENERIC_SECRET 8fK2mQ9xLr4TzW7vB1nYc3"},
      {"bearer", "Authorization: Bearer 8fK2mQ9xLr4TzW7vB1nYc3", "GENERIC_SECRET 8fK2mQ9xLr4TzW7vB1nYc3"},
      {"cookie", "Cookie: sessionid=k8f2m9qx4lr7tzw1vbn3", "COOKIE k8f2m9qx4lr7tzw1vbn3"},
      {"connection", "postgres://app:Zx8kQ2mW@db.internal:5432/pay",
       "CONNECTION_STRING postgres://app:Zx8kQ2mW@db.internal:5432/pay"},
      {"one_time_code", "验证码是 482913", "ONE_TIME_CODE 482913"},
      {"address_zh", "收货地址：上海市浦东新区张江路123弄4号楼501室", "ADDRESS 上海市浦东新区张江路123弄4号楼501室"},
      {"address_en", "ship it to 1420 Maple Street, Apt 5B", "ADDRESS 1420 Maple Street"},
      {"person_age", "患者张建国，男，56岁", "PERSON_ATTRIBUTE 张建国"},
      {"person_pay", "姓名：李秀英，月薪：23000元", "PERSON_ATTRIBUTE 李秀英"},
      {"person_en", "Patient Maria Gonzalez, 45-year-old", "PERSON_ATTRIBUTE Maria Gonzalez"},
      {"birth_date", "Date of birth: 11/09/1998", "DATE_OF_BIRTH 11/09/1998"},
      {"record_zh", "主诉：咳嗽三天。现病史：三天前受凉后咳嗽。查体：双肺呼吸音粗。",
       "HEALTH_RECORD 主诉：咳嗽三天。现病史：三天前受凉后咳嗽。查体"},
      {"marking", "【机密】三季度营收下滑12%，原因待查清楚后再发", "CONFIDENTIAL_MARKING 机密"},
      {"unpublished", "尚未公布：三季度营收下滑12%，净利润亏损", "UNPUBLISHED_RESULT 尚未公布"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
}

// Spellings that people use for what has a plainer one.
TEST(Rules, FindWhatIsWrittenOtherwise) {
  const PositiveRow rows[] = {
      {"medicare_run_together", "her MBI, which she read out to me, 1eg4te5mk72", "US_MBI 1eg4te5mk72"},
      {"passport_short", "PP# 561038274 visa interview letter", "PASSPORT 561038274"},
      {"military_of_a_region", "军官证 南字第0528173号", "CN_MILITARY_ID 0528173"},
      {"telegram", "telegram: @olga_ivanova77 before noon", "MESSENGER_ID olga_ivanova77"},
      {"telegram_link", "write to him on Telegram: t.me/olga_iv77", "MESSENGER_ID olga_iv77"},
      {"messenger_zh", "钉钉号 hy_min88 可以直接找她", "MESSENGER_ID hy_min88"},
      {"discord", "Discord user moonpanda#4821 again", "MESSENGER_ID moonpanda#4821"},
      {"email_in_words", "write to tom dot okafor at fastmail dot com", "EMAIL tom dot okafor at fastmail dot com"},
      {"email_brackets", "jane [at] smithfamily [dot] org", "EMAIL jane [at] smithfamily [dot] org"},
      {"email_words_zh", "邮箱 liwei点zhang艾特qq点com 收", "EMAIL liwei点zhang艾特qq点com"},
      {"phone_pairs", "mon portable 06 12 34 56 78 merci", "PHONE_E164 06 12 34 56 78"},
      {"account_letters", "brokerage acct Z78-224019 is locked", "BANK_ACCOUNT Z78-224019"},
      {"loan_number", "Loan #4456712390 payoff", "BANK_ACCOUNT 4456712390"},
      {"code_in_halves", "动态口令 920 441 过期", "ONE_TIME_CODE 920 441"},
      {"pin_zh", "PIN码 4821 忘了", "PASSWORD 4821"},
      {"command_line", "mysql -uroot -pS3cretRoot! mydb fails", "PASSWORD S3cretRoot!"},
      {"wechat_asked_for", "加我薇 lanlan_9203 发资料", "WECHAT_ID lanlan_9203"},
      {"wechat_letters", "加V：fangfang-daigou", "WECHAT_ID fangfang-daigou"},
      {"skype", "skype live:ronan.keogh77, timezone Dublin", "MESSENGER_ID ronan.keogh77"},
      {"phone_australia", "the new one is 0412 886 309 (AU)", "PHONE_E164 0412 886 309"},
      {"phone_germany", "wife Lena, 0151 2345 8876", "PHONE_E164 0151 2345 8876"},
      {"docker_login", "docker login registry.corp -u ci -p Zk8wq-harbour-55", "PASSWORD Zk8wq-harbour-55"},
      {"curl_user", "curl -u svc_ingest:Plover-9921 https://elastic:9200", "PASSWORD Plover-9921"},
      {"password_option", "tool --db-password gr4niteWharf --verbose", "PASSWORD gr4niteWharf"},
      {"passphrase", "The passphrase of the vault is \"seven grumpy otters paint\"",
       "PASSWORD seven grumpy otters paint"},
      {"sort_code", "pay to 12-34-56 / 70872490 please", "BANK_ACCOUNT 12-34-56 / 70872490"},
      {"backup_code", "my backup code is 7F3K-9QLM-22XD", "GENERIC_SECRET 7F3K-9QLM-22XD"},
      {"address_spaced", "送花到静安区愚园路 749 弄 15 支弄 3 号", "ADDRESS 静安区愚园路 749 弄 15 支弄 3 号"},
      {"street_german", "Paket: Kastanienallee 71, 3. OG, 10435 Berlin", "ADDRESS Kastanienallee 71"},
      {"street_french", "12 rue Cadet, 75009 Paris", "ADDRESS rue Cadet"},
      {"age_in_characters", "员工游佩珊，三十七岁，拟留职", "PERSON_ATTRIBUTE 游佩珊"},
      {"dotted_name", "学生阿依努尔·买买提，维吾尔族", "PERSON_ATTRIBUTE 阿依努尔·买买提"},
      {"pay_in_columns", "name,grade,base,bonus\nLinda Lee,G7,58000,4\nPaul Webb,G6,49000,3",
       "PERSON_ATTRIBUTE Paul Webb"},
      {"estate_room", "新租的房：文三西路科苑小区4-112 朝北", "ADDRESS 文三西路科苑小区4-112"},
      {"estate_room_in_three", "面单：江夏区澳新时尚城11-2-1804 王女士", "ADDRESS 江夏区澳新时尚城11-2-1804"},
      {"named_house", "post it to Miss Doyle, The Old Forge, Station Rd, Nether Stowey TA5 1LN",
       "ADDRESS Rd, Nether Stowey TA5 1LN"},
      {"password_then_question", "the NAS password is hunter-Gatherer88, tell Sam how to mount it",
       "PASSWORD hunter-Gatherer88"},
      {"pay_in_characters", "员工邬大勇，一个月拿一万九", "PERSON_ATTRIBUTE 邬大勇"},
      {"name_of_a_longer_list", "Desmond Achterberg: convicted in 2019", "PERSON_ATTRIBUTE Desmond Achterberg"},
      {"code_shown", "my authenticator shows 491 027 and it is refused", "ONE_TIME_CODE 491 027"},
      {"marking_on_a_request", "Can you summarise this? Strictly confidential: margin fell to 9% in the north",
       "CONFIDENTIAL_MARKING Strictly confidential"},
      {"email_brackets_zh", "找 luoyang（点）feng（艾特）outlook（点）com 内推", "EMAIL luoyang（点）feng（艾特）outlook（点）com"},
      {"social_of_the_street", "my w-9, social is 418 62 9035, no LLC", "US_SSN 418 62 9035"},
      {"account_short", "pay him, a/c 0071-448-2915530, branch 71", "BANK_ACCOUNT 0071-448-2915530"},
      {"form_in_a_row", "侯立新，男，46岁，丧偶", "PERSON_ATTRIBUTE 侯立新"},
      {"commissions", "commission sheet May\nLinda Lee 8,940\nPaul Webb 12,215", "PERSON_ATTRIBUTE Linda Lee"},
      {"passport_line", "P<GBRHARGREAVES<<ELINOR<MAY<<<", "PASSPORT P<GBRHARGREAVES<<ELINOR<MAY<<<"},
      {"seed_phrase_further_on",
       "the seed words on the paper: copper vivid tennis ladder orphan glance dutch mammal crisp hollow siren apology",
       "GENERIC_SECRET copper vivid tennis ladder orphan glance dutch mammal crisp hollow siren apology"},
      {"seed_phrase",
       "seed phrase: orbit canyon velvet thumb lunar acid praise rocket dismiss clinic umbrella fade",
       "GENERIC_SECRET orbit canyon velvet thumb lunar acid praise rocket dismiss clinic umbrella fade"},
      {"stairwell_by_airport", "从洪山区珞狮南路147号狮城名居4栋2单元出发去天河机场",
       "ADDRESS 从洪山区珞狮南路147号狮城名居4栋2单元"},
      {"medicare_card", "medicare card 2123 45670 1 lost", "NATIONAL_ID 2123 45670 1"},
      {"quiet_reorg", "Reorg draft - please keep it quiet till the town hall: Milan office closes, 30 go.",
       "UNPUBLISHED_RESULT keep it quiet"},
      {"webhook", "https://hooks.slack.com/services/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",
       "URL_WITH_TOKEN hooks.slack.com/services/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"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
}

TEST(Rules, FindRareFormsOfIdentifiers) {
  const PositiveRow rows[] = {
      {"hk_id_two_letters", "麻烦看看 XA123456(8)", "HK_ID XA123456(8)"},
      {"ppsn", "her PPSN is 1234567FA, for revenue", "NATIONAL_ID 1234567FA"},
      {"india_pan", "PAN card ABCPK1234F, link it", "NATIONAL_ID ABCPK1234F"},
      {"south_african_id", "SA ID 8001015009087 on the form", "NATIONAL_ID 8001015009087"},
      {"bvn", "BVN 22123456789 was rejected", "NATIONAL_ID 22123456789"},
      {"permit_of_taiwan", "台胞证 {\"v\":\"05609467\"}", "HK_MO_TW_PERMIT 05609467"},
      {"mobile_in_any_groups", "手机 1395 414 5 146 联系我", "PHONE_CN_MOBILE 1395 414 5 146"},
      {"wallet_glued", "wallet no0x2f1d4a08e3b79c5566aa10cd37e84b92fd0c6e15ok",
       "CRYPTO_ADDRESS 0x2f1d4a08e3b79c5566aa10cd37e84b92fd0c6e15"},
      {"wallet_almost_without_digits", "wallet 1jrwLHzrksmAurQhhwGdSir6MLEtyBozEN",
       "CRYPTO_ADDRESS 1jrwLHzrksmAurQhhwGdSir6MLEtyBozEN"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
}

struct NegativeRow {
  const char* name;
  const char* text;
};

TEST(Rules, LeaveLookAlikesAlone) {
  const NegativeRow rows[] = {
      {"part_number_like_medicare", "part 1EG4TE5MK72 is out of stock"},
      {"passport_word", "What documents do I need for a passport in 2024?"},
      {"hk_id_wrong_check", "A123456(4)"},
      {"iban_wrong_check", "IBAN GB83 WEST 1234 5698 7654 32"},
      {"usci_is_public", "统一社会信用代码 91350100M000100Y43"},
      {"order_number", "订单号 202503170918273645519 显示已签收"},
      {"tracking", "Tracking 1Z999AA10123456784 hasn't moved since Tuesday"},
      {"version", "upgrade to 5.15.0 from 4.19.1"},
      {"private_address", "curl http://127.0.0.1:8000 or 192.168.1.7"},
      {"film_phone", "call 555-0100"},
      {"hotline", "客服热线 010-65512345"},
      {"airport_line", "机场问询电话 020-36066999 几点下班"},
      {"library_line", "图书馆服务电话0851-85860931"},
      {"medicare_hotline", "1-800-MEDICARE (1-800-633-4227), open on Sunday?"},
      {"press_mailbox", "ask newsroom@northfjord-energy.com or mediainquiries@who.int"},
      {"quiet_story", "screenplay: a doctor tells Ben that the tumour is back. keep it quiet and short"},
      {"company_mailbox", "write to support@northfjord-energy.com"},
      {"password_prose", "the password is required and must be long"},
      {"password_code", "password = request.form['password']"},
      {"password_talk", "is a passphrase of four words better than P@ssw0rd2 style?"},
      {"shape_in_code", "int mask = Flags&Bits3Low; // Chang3Me!Oct"},
      {"wifi_form", "WIFI:S:<name>;T:WPA;P:<password>;; what goes where"},
      {"six_digit_groups", "parts 402116-338910-551207 are out of stock"},
      {"fraction_pair", "users pick 3 / Lemur5 tickets"},
      {"zeros_in_a_list", "values 00 12 45 77 19 30 61 in a row"},
      {"password_placeholder", "DB_PASSWORD=<your-password>"},
      {"secret_uuid", "token a3d1c4e8-90b2-4f57-8c6e-1b2f3a4d5e6f"},
      {"company_address", "公司总部位于建国路88号"},
      {"famous_address", "The President lives at 1600 Pennsylvania Avenue"},
      {"year_before_a_street", "the 1854 Broad Street pump: 616 deaths, handle removed Sept 8"},
      {"days_like_an_iban", "hours: Mon 3.1 Tue 4.4 Wed 2.9 Thu 5.0 Fri 6.2 Sat 7.1 Sun 4.8. goal is 3.5 avg by June"},
      {"exercise", "小明有5个苹果，今年8岁"},
      {"name_alone", "写一封邮件给张建国"},
      {"novel", "写一篇小说：主角李秀英，月薪23000元"},
      {"empty_record", "门诊病历模板：主诉：  现病史：  既往史：  查体：  诊断："},
      {"marking_question", "什么是商业机密？怎么保护"},
      {"marking_word", "How do I keep data confidential in the cloud?"},
      {"template_birth", "Date of birth: ____"},
      {"messenger_word", "telegram bot api rate limit 30, discord server 500 members, line 42: syntax error"},
      {"email_prose", "look at amazon dot com for prices, or shop at target dot com"},
      {"account_word", "your account will be charged $10.99, AWS account 123456789012"},
      {"counted", "2023年营收 13812345678 元"},
      {"manual_phone", "示例里的 13800138000 可以直接用"},
      {"marking_quoted", "does \"internal use only\" have legal force in a contract?"},
      {"marking_in_general", "should a price change be announced under embargo? pros and cons please"},
      {"marking_clause", "Draft a clause: the Receiving Party shall keep all information strictly confidential."},
      {"marking_style", "Our style guide says drafts should be marked \"do not circulate\". Better phrase?"},
      {"cards_in_general", "一代证 2013年1月1日 起停止使用，二代证长什么样，批号 202411230019284"},
      {"plate_holder", "car plate holder with 4 M8 bolts, order 7KLM482"},
      {"flight", "flight DL2047 seat 18C gate B22"},
      {"figures_with_commas", "table = 3192,2910,2010, 140,2395,2859,  55,1082,2012,2901, 662"},
      {"imprint", "Imprint: Nordlicht Kayaks GmbH, Hafenstraße 22, 18439 Stralsund"},
      {"measurements", "measurements 312 648 9027 1155 840 1002, mean and sd"},
      {"manual_phone_abroad", "regex for UK mobiles that matches +44 7700 900123"},
      {"manual_password", "接口示例 {\"username\":\"admin\",\"password\":\"123456\"}"},
      {"shop_address", "Our shop is at 12 High Street, Hebden Bridge, open Mon-Sat"},
      {"museum_address", "故宫博物院地址：北京市东城区景山前街4号"},
      {"building_address", "Address of the Empire State Building is 20 West 34th Street"},
      {"pass_share", "first pass: 2024-01-02, pass: 85%"},
      {"mysql_prompt", "mysql -u root -p mydb"},
      {"curl_placeholder", "curl -u user:pass http://localhost"},
      {"passphrase_question", "what is a passphrase: \"a sentence of words\"?"},
      {"wechat_word", "微信：javascript 接口怎么调"},
      {"street_without_place", "Which weg 3 signs are there on the Appian Way"},
      {"quoted_marking_zh", "“内部资料”几个字要不要印在封面，排版规范"},
  };
  for (const NegativeRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

TEST(Rules, LeaveWhatIsLikeRareFormsAlone) {
  const NegativeRow rows[] = {
      {"hk_id_pair_not_issued", "part AB987654(3) is out"},
      {"digits_and_a_time_in_a_log", "512 msg=\"block 01HX8 overlaps\" mint=1709337600000"},
      {"visa_office_line", "台胞证咨询电话 05609467"},
  };
  for (const NegativeRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

TEST(Rules, FindWhatStandsOnSheetsAndInTables) {
  const PositiveRow rows[] = {
      {"mobile_in_five_three_three", "联系我妈 13067 715 208", "PHONE_CN_MOBILE 13067 715 208"},
      {"passport_of_a_country_in_a_table", "|1|passport (GBR)|533184902|2029-08|", "PASSPORT 533184902"},
      {"seed_phrase_on_a_sheet",
       "Recovery sheet (laminate): \"orbit canyon velvet thumb lunar acid praise rocket dismiss clinic umbrella fade\"",
       "GENERIC_SECRET orbit canyon velvet thumb lunar acid praise rocket dismiss clinic umbrella fade"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
}

TEST(Rules, LeaveManualsSumsAndWordsLikeNamesAlone) {
  const NegativeRow rows[] = {
      {"manual_phone_named", "mobile=13800138000 的校验"},
      {"operand", "计算 13912345678 × 17，写出竖式"},
      {"manual_passport_line", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<"},
      {"type_parameters", "std::map<INT, P<INT>> values; value = x <<2"},
      {"password_of_a_manual", "curl -u admin:<PASSWORD> http://localhost:8080/health"},
      {"column_heads", "Template with columns Student Name, Grade, Attendance, DOB"},
      {"word_like_a_name", "家长会发言稿，三分钟左右"},
  };
  for (const NegativeRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

TEST(Rules, FindCodesOfDoorsAndSafes) {
  const PositiveRow rows[] = {
      {"gate", "the gate code is 4482, leave it behind the bins", "PASSWORD 4482"},
      {"keyed", "gate code #4482", "PASSWORD 4482"},
      {"combination", "safe combination: 31-07-52, two-person rule", "PASSWORD 31-07-52"},
      {"key_safe", "key safe: 0852 beside the meter", "PASSWORD 0852"},
      {"door_zh", "门禁 #2580*1 快递员要进", "PASSWORD 2580*1"},
      {"lock_zh", "开门密码是0419#", "PASSWORD 0419#"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
  const NegativeRow others[] = {
      {"conduct", "door code of conduct 2024 edition"},
      {"review", "gate code review for PR 4482"},
      {"fault", "alarm code E0419 on the boiler, what does it mean"},
      {"elsewhere", "error code 4482 at the gate"},
      {"standard", "building code 2021 edition, section 1003.2"},
      {"year", "lockbox 2024 model or key safe 2023"},
      {"size_zh", "保险柜 600mm 高，门禁 2024 款"},
  };
  for (const NegativeRow& row : others) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

TEST(Rules, LeaveLinesOfCompaniesAndInventedPersonsAlone) {
  const NegativeRow rows[] = {
      {"toll_free", "call 1-800-829-1040 or +1 888 362 4478, is it the real one"},
      {"toll_free_zh", "打给800-810-8888"},
      {"too_short_behind_the_country", "+1 555 0100 in the docs ok?"},
      {"public_counter_zh", "政务服务中心位于建设路66号，二楼办理不动产登记，写一段指引牌文字"},
      {"shop_with_hours", "Write the contact section: Marlowe Books, 12 High Street, Ludlow. Open 9 to 5"},
      {"ports_of_a_container", "docker run -e MYSQL_ROOT_PASSWORD=<你的密码> -p 127.0.0.1:3306:3306 mysql:8"},
      {"part_number_like_phone", "Torque of part no. 415-226-9013-B in the manual"},
      {"vat_number", "VAT number IE8256796U on an invoice of Microsoft Ireland"},
      {"palace", "故宫的地址是北京市东城区景山前街4号"},
      {"invented_patient", "Make up a patient called Mr. Bloggs with type 2 diabetes"},
      {"language_class", "Write a dialogue for an English class: Anna asks for his address, he says 10 Green Street"},
  };
  for (const NegativeRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

// Whose illness it is says a word for one certain person, not a name.
TEST(Rules, FindIllnessOfSomebodyPointedAt) {
  const PositiveRow rows[] = {
      {"illness_of_kin", "my stepdad was put on methotrexate, should he avoid the sun", "HEALTH_RECORD methotrexate"},
      {"illness_of_mine", "I'm HIV positive, what does the visa form want to know", "HEALTH_RECORD HIV positive"},
      {"illness_first_word", "Grandma's pacemaker needs a new battery, can we still fly", "HEALTH_RECORD pacemaker"},
      {"illness_of_kin_zh", "我表哥得了尿毒症在排队", "HEALTH_RECORD 尿毒症"},
      {"illness_of_neighbour_zh", "房东肺结核，我要不要搬走", "HEALTH_RECORD 肺结核"},
      {"illness_of_mine_zh", "我得了梅毒，婚检会写上吗", "HEALTH_RECORD 梅毒"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
  const NegativeRow others[] = {
      {"illness_in_general", "Is tuberculosis contagious on a bus"},
      {"illness_as_a_topic", "my son wants to write an essay about cancer research"},
      {"illness_as_work", "my wife is a nurse on a stroke ward, gift ideas"},
      {"illness_of_a_pet", "my neighbour's dog has diabetes, which food"},
      {"illness_in_a_story", "story: my landlord has dementia and the hero finds out"},
      {"illness_in_general_zh", "尿毒症饮食禁忌"},
      {"illness_as_a_topic_zh", "我女儿要写一篇关于抑郁症的小论文"},
      {"illness_as_work_zh", "我弟在戒毒所当民警，采访提纲"},
      {"illness_asked_zh", "我想问糖尿病能不能吃西瓜"},
  };
  for (const NegativeRow& row : others) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

TEST(Rules, FindPlatesAndMarkingsButNotTalkOfThem) {
  const PositiveRow rows[] = {
      {"plate_us", "plate 7KLM482 California, parked across my driveway", "CN_PLATE 7KLM482"},
      {"plate_uk", "rental return, reg KX21 VTB, left mirror broken", "CN_PLATE KX21 VTB"},
      {"school_register", "学籍号G320106201205170023填哪一栏", "EMPLOYEE_NO G320106201205170023"},
      {"label_with_a_full_stop", "NI no. QT 48 21 73 C in payroll", "UK_NINO QT 48 21 73 C"},
      {"policy_with_a_full_stop", "policy no. KD-449120-7, claim letter", "INSURANCE_NO KD-449120-7"},
      {"national_number_in_json", "{\"nin\": \"61049273815\"}", "NATIONAL_ID 61049273815"},
      {"licence_file_number", "驾驶证档案编号320508114729，怎么查扣分", "DRIVER_LICENCE 320508114729"},
      {"phone_before_letters", "my cell 415-226-9013-Bob", "PHONE_US 415-226-9013"},
      {"messenger_at", "telegram me at @kestrel_ivanov88 when it is done", "MESSENGER_ID kestrel_ivanov88"},
      {"marking_of_a_trade_secret", "TRADE SECRET / RESTRICTED. Syrup: 61.4 invert, 2.2 citric. Scale to 500 L",
       "CONFIDENTIAL_MARKING TRADE SECRET"},
      {"marking_by_class", "Classification: RESTRICTED / list C. Cure 118 C for 40 s, yield fell to 71 %",
       "CONFIDENTIAL_MARKING Classification: RESTRICTED"},
      {"marking_beside_one_other_zh", "密级：机密（原为秘密）。北区三个网点的裁撤名单见附页", "CONFIDENTIAL_MARKING 密级"},
      {"marking_in_a_survey",
       "Survey result, strictly confidential: 12 people named as redundant",
       "CONFIDENTIAL_MARKING strictly confidential"},
  };
  for (const PositiveRow& row : rows) EXPECT_THAT(Found(Rules(), row.text), Contains(row.found)) << row.name;
  const NegativeRow others[] = {
      {"plate_of_steel", "base plate SS304L, 12 mm, plate 3 of 8"},
      {"marking_of_a_survey", "Survey intro: your answers are strictly confidential and anonymous"},
      {"marking_on_a_stamp", "Generate a rubber stamp image saying DO NOT COPY"},
      {"marking_of_a_client", "Under NDA, can a contractor name the client in a portfolio?"},
      {"marking_of_answers_zh", "问卷开头：您的回答将严格保密，仅用于统计"},
      {"markings_of_a_scheme_zh", "密级分为绝密、机密、秘密三级，保密期限各多长"},
  };
  for (const NegativeRow& row : others) EXPECT_THAT(Found(Rules(), row.text), testing::IsEmpty()) << row.name;
}

TEST(Rules, EveryTypeHasALevelAndAName) {
  for (const DetectorType& type : kDetectorTypes) {
    EXPECT_EQ(FindDetectorType(type.name), &type) << "given twice: " << type.name;
    EXPECT_GE(type.level, v1::SENSITIVITY_LEVEL_INTERNAL);
  }
  EXPECT_EQ(FindDetectorType("NO_SUCH_TYPE"), nullptr);
  EXPECT_TRUE(IsAllowable("EMAIL"));
  EXPECT_FALSE(IsAllowable("MAIL"));
  EXPECT_FALSE(IsAllowable("CN_RESIDENT_ID"));
}

// Text more than 300 characters away, on either side, changes nothing: not even a text full of contra-words.
TEST(Rules, FarTextNeverLowersALevel) {
  const std::string contra =
      "例如 小说 故事 订单号 example order number version fiction 总统 客服热线 公司总部 what is 什么是 ";
  const std::string blank(310, '~');
  const std::vector<std::string> texts = {"患者张建国，男，56岁，确诊肺癌",
                                          "座机010-65512345",
                                          "姓名：李秀英，月薪：23000元",
                                          "护照号是E12345678",
                                          "收货地址：张江路123弄4号楼501室",
                                          "ship it to 1420 Maple Street, Apt 5B",
                                          "【机密】三季度营收下滑12%，原因待查",
                                          "password: Hunter2!x9",
                                          "11010519491231002X"};
  for (const std::string& text : texts) {
    const auto alone = Found(Rules(), text);
    ASSERT_FALSE(alone.empty()) << text;
    for (const std::string& more : {contra + "\n" + blank + "\n" + text, text + "\n" + blank + "\n" + contra}) {
      const auto with = Found(Rules(), more);
      for (const std::string& found : alone) EXPECT_THAT(with, Contains(found)) << text;
    }
  }
}

TEST(Rules, ContraWordsNeverTouchCheckDigits) {
  const std::string contra = "示例 小说 订单号 version example ";
  for (const std::string& value :
       {std::string(kResidentId), std::string(kVisa), std::string("GB36WEST48217309556021")}) {
    EXPECT_FALSE(Found(Rules(), contra + value + " " + contra).empty()) << value;
  }
}

TEST(Rules, AllowListsEnd) {
  SensitivityConfig config;
  boost::asio::io_context io;
  ManualClock clock(io);
  config.allow_lists = {{"switchboard",
                         "ops",
                         clock.WallTime() + absl::Hours(1),
                         {"PHONE_CN_MOBILE", "EMAIL", "IP_ADDRESS"},
                         {"138-1234-5678", "Zhang@Company.com", "34.118.22.9"}}};
  const auto detectors = MakePatternDetectors(config, nullptr, clock);
  ASSERT_TRUE(detectors.ok()) << detectors.status();
  EXPECT_THAT(Found(**detectors, "13812345678 zhang@company.com"), testing::IsEmpty());
  EXPECT_THAT(Found(**detectors, "13912345678"), Contains("PHONE_CN_MOBILE 13912345678")) << "only the value itself";
  EXPECT_THAT(Found(**detectors, "the host 34.118.22.9"), testing::IsEmpty());
  EXPECT_THAT(Found(**detectors, "the host 34.11.82.29"), Contains("IP_ADDRESS 34.11.82.29")) << "same digits";
  EXPECT_THAT(Found(**detectors, "zhang@com.pany.com"), Contains("EMAIL zhang@com.pany.com")) << "same letters";
  clock.JumpWall(absl::Hours(1));
  EXPECT_THAT(Found(**detectors, "13812345678"), Contains("PHONE_CN_MOBILE 13812345678")) << "on the day it ends";
  config.allow_lists[0].types = {"CN_RESIDENT_ID"};
  EXPECT_THAT(std::string(MakePatternDetectors(config).status().message()), HasSubstr("CN_RESIDENT_ID"));
  config.allow_lists[0].types = {"EMAIL"};
  config.allow_lists[0].owner = "";
  EXPECT_THAT(std::string(MakePatternDetectors(config).status().message()), HasSubstr("owner"));
}

// A hundred thousand entries: found, whole words only.
TEST(Rules, LargeDictionaries) {
  SensitivityConfig config;
  KeywordListConfig list{"projects", v1::SENSITIVITY_LEVEL_RESTRICTED, {}};
  for (int i = 0; i < 100000; ++i) list.words.push_back("project " + std::to_string(i) + " alpha");
  config.keyword_lists = {list};
  const auto detectors = MakePatternDetectors(config);
  ASSERT_TRUE(detectors.ok());
  EXPECT_THAT(Found(**detectors, "about Project 77123 Alpha."), Contains("KEYWORD:projects Project 77123 Alpha"));
  EXPECT_THAT(Found(**detectors, "project 77123 alphabet"), testing::IsEmpty());
}

}  // namespace
}  // namespace headgate::router
