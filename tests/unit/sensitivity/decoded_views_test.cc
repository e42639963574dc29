// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/decoded_views.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "router/sensitivity/secrets.h"

namespace headgate::router {
namespace {

using testing::HasSubstr;

std::vector<DecodedView> Views(const std::string& text, size_t budget_bytes = 1 << 20) {
  DecodeBudget budget{budget_bytes};
  return DecodeViews(CanonicalText::Make(text), budget);
}

struct Row {
  const char* name;
  std::string text;
  std::string contains;
};

const Row kRows[] = {
    {"json_escape", "\\u0031\\u0033\\u0038", "138"},
    {"json_surrogate_pair", "\\ud835\\udfcf", "1"},
    {"json_newline", "a\\nsk-", "a\nsk-"},
    {"json_slash", "a\\/b", "a/b"},
    {"braces", "\\u{31}\\u{33}", "13"},
    {"hex_escape", "\\x31\\x33", "13"},
    {"url", "a%31%33%38b", "a138b"},
    {"url_utf8", "%E6%9C%BA%E5%AF%86", "机密"},
    {"html_decimal", "&#49;&#51;&#56;", "138"},
    {"html_hex", "&#x31;&#X33", "13"},
    {"html_named", "zhang&commat;company&period;com", "zhang@company.com"},
    {"full_width_percent", "％３１％３３", "13"},
    {"base64", "see MTM4MTIzNDU2Nzg= please", "13812345678"},
    {"base64_without_padding", "MTM4MTIzNDU2Nzg", "13812345678"},
    {"base64_wrapped", "VGhpcyBpcyBhIGxvbmcgbGluZSBvZiB0ZXh0IHRoYXQgd3JhcHMgYXQgc2V2ZW50\neS1zaXggY2hhcmFjdGVycy4=",
     "seventy-six"},
    {"hex", "3133383132333435363738", "13812345678"},
    {"numerals", "电话一三八一二三四五六七八", "电话13812345678"},
    {"financial_numerals", "壹叁捌壹贰叁肆伍陆柒捌", "13812345678"},
    {"spoken_numerals", "幺三八幺二三四五六拐八", "13812345678"},
    {"separated_numerals", "一三八 一二三四 五六七八", "138 1234 5678"},
    {"mixed_numerals", "1三8一二3四五六七8", "三8一二3四五六七8"},
    {"base64_of_base64", "TVRNNE1USXpORFUyTnpnPQ==", "13812345678"},
    {"url_of_url", "%2531%2533%2538", "138"},
    {"base64_of_url", "JTMxJTMzJTM4JTMxJTMyJTMz", "138123"},
    {"url_in_base64", "MTM4MTIzNDU2Nz%67%3D", "13812345678"},
    {"json_in_json", R"(\\u0031\\u0033\\u0038)", "138"},
    {"json_in_json_pair", R"(\\ud835\\udfcf)", "1"},
    {"json_quotes_in_json", R"({\"password\":\"x\"})", R"({"password":"x"})"},
    {"html_of_html", "&amp;amp;#49;&amp;#51;", "13"},
    {"url_of_url_of_url", "%25252531%2533", "13"},
    {"own_backslash_in_json", R"(\\\u200bu0031)", "1"},
    {"html_in_json", R"(&#4\u200b9;&#5\u200b1;)", "13"},
    {"a_long_token_around_an_escape", std::string(200, 'a') + "%31", std::string(200, 'a') + "1"},
    {"octal", "\\061\\063", "13"},
    {"hex_that_reads_as_base64", "d9a1d9a3d9a8d9a1d9a2d9a3", "138123"},
    {"base64_in_json_in_json", R"(\"MTM4MTIzNDU2Nzg=\")", "13812345678"},
    {"base64_over_two_lines", "MTM4MTIz\nNDU2Nzg=", "13812345678"},
    {"base64_over_two_lines_in_json", R"(MTM4MTIz\nNDU2Nzg=)", "13812345678"},
    {"url_escape_over_two_lines", "%31%33%3\n8%31", "1381"},
    {"key_over_two_lines", "sk-abc123DEF4\n56ghi789", "sk-abc123DEF456ghi789"},
    {"hex_set_apart", "3133 3831 3233 3435 3637 38", "13812345678"},
    {"glued_english", "onethreeeightonetwothree", "138123"},
    {"capitals_among_numerals", "GB八二WEST一二三四五六", "GB82WEST123456"},
    {"hex_of_a_database", "(1,0x3133383132333435363738,2)", "13812345678"},
    {"hex_with_x", "'\\x3133383132333435363738'", "13812345678"},
    {"hex_with_x_in_json", "\"\\\\x3133383132333435363738\"", "13812345678"},
    {"hex_behind_a_name", "id_3133383132333435363738", "13812345678"},
    {"hex_behind_a_letter", "U3133383132333435363738", "13812345678"},
    {"hex_before_a_digit", "31333831323334353637380", "13812345678"},
    {"hex_in_a_path", "/users/3133383132333435363738/show", "13812345678"},
    {"base64_behind_a_name", "key-MTM4MTIzNDU2Nzg", "13812345678"},
    {"base64_behind_another", "user_MTM4MTIzNDU2Nzg", "13812345678"},
    {"base64_before_a_letter", "MTM4MTIzNDU2Nzgn", "1381234567"},
    {"base64_quoted", "> bnVtYmVyIG9mIHRoZSBjYXNl\n> IDEzODEyMzQ1Njc4IHRvZGF5", "number of the case 13812345678 today"},
    {"base64_indented", "a: |\n  bnVtYmVyIG9mIHRoZSBjYXNl\n  IDEzODEyMzQ1Njc4IHRvZGF5", "case 13812345678 today"},
    {"base64_in_a_list", "[\"bnVtYmVyIG9mIHRoZSBjYXNlI\",\n \"DEzODEyMzQ1Njc4IHRvZGF5\"]", "13812345678 today"},
    {"c_string", "bnVtYmVyIDEzODEyMzQ1Njc4AA==", "13812345678"},
    {"record", "AGpvZUBjb3JwLmNvbQAxMzgxMjM0NTY3OAA=", "13812345678"},
    {"latin1", "Y2Fm6SBudW1tZXIgMTM4MTIzNDU2Nzg=", "13812345678"},
    {"utf16", "bgB1AG0AYgBlAHIAIAAxADMAOAAxADIAMwA0ADUANgA3ADgA", "13812345678"},
    {"utf16_with_mark", "//5uAHUAbQBiAGUAcgAgADEAMwA4ADEAMgAzADQANQA2ADcAOAA=", "13812345678"},
    {"utf16_in_hex", "6e0075006d00620065007200200031003300380031003200330034003500360037003800", "13812345678"},
    {"bracketed_id_set_apart", "V675 843( 6)", "V675843(6)"},
};

TEST(DecodedViews, ShowWhatIsEncoded) {
  for (const Row& row : kRows) {
    std::vector<std::string> texts;
    for (const DecodedView& view : Views(row.text)) {
      texts.push_back(std::string(CanonicalText::Make(view.text).text()));
      EXPECT_EQ(view.origin.size(), view.text.size() + 1) << row.name;
    }
    if (std::string_view(row.name) == "mixed_numerals") {
      EXPECT_THAT(texts, testing::Contains(HasSubstr("3812345678"))) << row.name;
    } else {
      EXPECT_THAT(texts, testing::Contains(HasSubstr(row.contains))) << row.name;
    }
  }
}

TEST(DecodedViews, LeaveOrdinaryTextAlone) {
  for (const char* const text :
       {"Internationalization of state-of-the-art user_interface_components",
        "https://github.com/some-organisation/some-repository", "100% of 50% & more; a && b", "C:\\Users\\me",
        "一二三", "第一章 第二节", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c",
        "def calculate_total_price(items_in_cart):", "今天天气很好，我们去公园玩吧。"}) {
    EXPECT_TRUE(Views(text).empty()) << text;
  }
}

TEST(DecodedViews, BytesKnowWhereTheyCameFrom) {
  const std::string text = "号：%31%33 end";
  const auto views = Views(text);
  ASSERT_EQ(views.size(), 1u);
  const size_t one = views[0].text.find('1');
  EXPECT_EQ(views[0].origin[one], text.find("%31"));
  EXPECT_EQ(views[0].origin[one + 1], text.find("%33"));
  EXPECT_EQ(views[0].origin[one + 2], text.find(" end"));
  const auto blob = Views("xx MTM4MTIzNDU2Nzg= yy");
  ASSERT_EQ(blob.size(), 1u);
  EXPECT_EQ(blob[0].text, "xx 13812345678 yy") << "the words around a blob speak of what it holds";
  EXPECT_EQ(blob[0].origin[3], 3u);
  EXPECT_EQ(blob[0].origin[14], 19u) << "what follows the blob";
}

TEST(DecodedViews, SayWhenSomethingWasLeftUnread) {
  std::string deep = "13812345678";
  for (int round = 0; round < kDecodeRounds; ++round) deep = absl::Base64Escape(deep);
  DecodeBudget enough{1 << 20};
  EXPECT_EQ(DecodeViews(CanonicalText::Make(deep), enough).back().text.substr(0, 11), "13812345678");
  EXPECT_FALSE(enough.exhausted || enough.too_deep);
  DecodeBudget too_deep{1 << 20};
  DecodeViews(CanonicalText::Make(std::string(absl::Base64Escape(deep))), too_deep);
  EXPECT_TRUE(too_deep.too_deep);
  DecodeBudget small{2};
  EXPECT_TRUE(DecodeViews(CanonicalText::Make("MTM4MTIzNDU2Nzg="), small).empty());
  EXPECT_TRUE(small.exhausted);
}

// However a text is made, its views together are at most so long as the budget says; and texts that are escaped or
// quoted throughout get by with it.
TEST(DecodedViews, OrdinaryTextsNeverNeedMoreThanTheirBudget) {
  const auto json = [](const std::string& text) { return nlohmann::json({{"text", text}}).dump(); };
  std::string prose, code, rows, escapes;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&prose, "Line ", i, " of the \"minutes\", with 50% of it & more.\n");
    absl::StrAppend(&code, "  if (x", i, " == 0x", i, "f) printf(\"%d\\n\", a[", i, "]);\n");
    absl::StrAppend(&rows, "a1b2c3d4e5f6", i, "\nf6e5d4c3b2a1", i, "\n");
    absl::StrAppend(&escapes, "\\u4e2d\\u6587 &lt;b&gt; %20 ");
  }
  for (const std::string& text : {prose, code, rows, escapes, json(prose), json(code), json(rows), json(json(code)),
                                  json(json(json(prose))), json(json(escapes))}) {
    DecodeBudget budget = DecodeBudgetFor(text.size());
    size_t bytes = 0;
    for (const DecodedView& view : DecodeViews(CanonicalText::Make(text), budget)) bytes += view.text.size();
    EXPECT_FALSE(budget.exhausted) << text.substr(0, 80);
    EXPECT_LE(bytes, DecodeBudgetFor(text.size()).bytes_left);
  }
}

TEST(DecodedViews, RandomTextsKeepTheirPromises) {
  static const char* const kPieces[] = {
      "%", "31", "\\u00", "\\", "&#", ";", "MTM4", "==", "一", "八", "x", " ", "\n", "中", "%E6", "{"};
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t i = random() % 40; i > 0; --i) text += kPieces[random() % std::size(kPieces)];
    for (const DecodedView& view : Views(text, 4096)) {
      ASSERT_EQ(view.origin.size(), view.text.size() + 1);
      ASSERT_TRUE(std::is_sorted(view.origin.begin(), view.origin.end())) << text;
      ASSERT_LE(view.origin.back(), text.size());
    }
  }
}

}  // namespace
}  // namespace headgate::router
