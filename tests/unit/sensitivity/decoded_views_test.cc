// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/decoded_views.h"

#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
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
  const char* view;
  const char* contains;
};

TEST(DecodedViews, ShowWhatIsEncoded) {
  const Row rows[] = {
      {"json_escape", "\\u0031\\u0033\\u0038", "unescaped", "138"},
      {"json_surrogate_pair", "\\ud835\\udfcf", "unescaped", "𝟏"},
      {"json_newline", "a\\nsk-", "unescaped", "a\nsk-"},
      {"json_slash", "a\\/b", "unescaped", "a/b"},
      {"braces", "\\u{31}\\u{33}", "unescaped", "13"},
      {"hex_escape", "\\x31\\x33", "unescaped", "13"},
      {"url", "a%31%33%38b", "unescaped", "a138b"},
      {"url_utf8", "%E6%9C%BA%E5%AF%86", "unescaped", "机密"},
      {"html_decimal", "&#49;&#51;&#56;", "unescaped", "138"},
      {"html_hex", "&#x31;&#X33", "unescaped", "13"},
      {"html_named", "zhang&commat;company&period;com", "unescaped", "zhang@company.com"},
      {"full_width_percent", "％３１％３３", "unescaped", "13"},
      {"base64", "see MTM4MTIzNDU2Nzg= please", "base64", "13812345678"},
      {"base64_without_padding", "MTM4MTIzNDU2Nzg", "base64", "13812345678"},
      {"base64_wrapped", "VGhpcyBpcyBhIGxvbmcgbGluZSBvZiB0ZXh0IHRoYXQgd3JhcHMgYXQgc2V2ZW50\neS1zaXggY2hhcmFjdGVycy4=",
       "base64", "seventy-six"},
      {"hex", "3133383132333435363738", "hex", "13812345678"},
      {"numerals", "电话一三八一二三四五六七八", "numerals", "电话13812345678"},
      {"financial_numerals", "壹叁捌壹贰叁肆伍陆柒捌", "numerals", "13812345678"},
      {"spoken_numerals", "幺三八幺二三四五六拐八", "numerals", "13812345678"},
      {"separated_numerals", "一三八 一二三四 五六七八", "numerals", "138 1234 5678"},
      {"mixed_numerals", "1三8一二3四五六七8", "numerals", "三8一二3四五六七8"},
      {"base64_of_base64", "TVRNNE1USXpORFUyTnpnPQ==", "base64", "13812345678"},
      {"url_of_url", "%2531%2533%2538", "unescaped", "138"},
      {"base64_of_url", "JTMxJTMzJTM4JTMxJTMyJTMz", "unescaped", "138123"},
  };
  for (const Row& row : rows) {
    std::vector<std::string> texts;
    for (const DecodedView& view : Views(row.text)) {
      if (view.name == row.view) texts.push_back(view.text);
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
  EXPECT_EQ(blob[0].text, "xx 13812345678= yy") << "the words around a blob speak of what it holds";
  EXPECT_EQ(blob[0].origin[3], 3u);
  EXPECT_EQ(blob[0].origin[14], 18u) << "what follows the blob";
}

TEST(DecodedViews, SayWhenSomethingWasLeftUnread) {
  DecodeBudget deep{1 << 20};
  DecodeViews(CanonicalText::Make("VFZSTk5FMVVTWHBPUkZVeVRucG5QUT09"), deep);  // three times base64
  EXPECT_TRUE(deep.exhausted);
  DecodeBudget small{4};
  DecodeViews(CanonicalText::Make("MTM4MTIzNDU2Nzg="), small);
  EXPECT_TRUE(small.exhausted);
  DecodeBudget enough{1 << 20};
  DecodeViews(CanonicalText::Make("TVRNNE1USXpORFUyTnpnPQ=="), enough);
  EXPECT_FALSE(enough.exhausted);
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
