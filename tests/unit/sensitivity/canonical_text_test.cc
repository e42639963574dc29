// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/canonical_text.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

struct FoldRow {
  const char* name;
  std::string original;
  std::string canonical;
};

TEST(CanonicalText, Folds) {
  const std::vector<FoldRow> rows = {
      {"ascii_keeps_case", "Hello, World! AKIA\tx\n", "Hello, World! AKIA\tx\n"},
      {"empty", "", ""},
      {"full_width", "１３８ＡＢｃ＠", "138ABc@"},
      {"circled", "①③⑧⓪❶❿➀⑩",
       "13801"
       "10"
       "1"
       "10"},
      {"parenthesised_and_stopped", "⑴⑶⑻⒈", "1381"},
      {"mathematical_bold", "𝟏𝟑𝟖 𝐀𝐛", "138 Ab"},
      {"keycap", "1️⃣3️⃣8️⃣", "138"},
      {"arabic_indic_and_devanagari", "١٣٨ १३८", "138 138"},
      {"superscript", "¹³⁸", "138"},
      {"zero_width", "1\u200B3\u200D8\uFEFF1\u20602", "13812"},
      {"soft_hyphen_and_bidi", "1\u00AD3\u202E8\u2066x\u2069", "138x"},
      {"variation_selectors", "1\uFE0F3\U000E01018", "138"},
      {"tags", "\U000E0031\U000E0033\U000E0038 \U000E0041\U000E007F", "138 A"},
      {"visible_format_characters", "1\u06003\u070F8", "138"},
      {"control_characters",
       std::string("1\0003\x01\x7F"
                   "8",
                   6),
       "138"},
      {"combining_marks", "1\u03363\u03368 é ñ", "138 e n"},
      {"spaces", "a\u00A0b\u3000c\u2003d", "a b c d"},
      {"line_separators", "a\u2028b\u0085c", "a\nb\nc"},
      {"dashes", "1\u20133\u20148\u22121", "1-3-8-1"},
      {"cyrillic_look_alikes", "АКІА сvv", "AKIA cvv"},
      {"greek_look_alikes", "ΑΚΙΑ χ", "AKIA x"},
      {"cross_for_x", "1002×", "1002x"},
      {"case_outside_ascii", "ÄÖ Ω Ж", "AO ω ж"},
      {"chinese_stays", "身份证：张三，男", "身份证:张三,男"},
      {"hangul_stays", "한국어", "한국어"},
      {"devanagari_vowels_stay", "हिन्दी", "हिन्दी"},
      {"compatibility_ideograph", "\uF900", "岂"},
      {"traditional", "張偉護照號碼參貳陸臺灣", "张伟护照号码参贰陆台湾"},
      {"ligature", "ﬁle", "file"},
  };
  for (const FoldRow& row : rows) {
    SCOPED_TRACE(row.name);
    const CanonicalText text = CanonicalText::Make(row.original);
    EXPECT_EQ(text.text(), row.canonical);
    EXPECT_TRUE(text.valid_utf8());
  }
}

TEST(CanonicalText, InvalidUtf8IsSaidAndReplaced) {
  const std::vector<FoldRow> rows = {
      {"lone_continuation",
       "a\x80"
       "b",
       "a\uFFFD"
       "b"},
      {"truncated", "a\xE4\xBD", "a\uFFFD"},
      {"overlong", "\xC0\xAF", "\uFFFD\uFFFD"},
      {"surrogate", "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"too_large", "\xF5\x80\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
  };
  for (const FoldRow& row : rows) {
    SCOPED_TRACE(row.name);
    const CanonicalText text = CanonicalText::Make(row.original);
    EXPECT_EQ(text.text(), row.canonical);
    EXPECT_FALSE(text.valid_utf8());
  }
}

struct JoinRow {
  const char* name;
  const char* original;
  const char* joined;
};

TEST(CanonicalText, JoinsSeparatedNumbers) {
  const JoinRow rows[] = {
      {"nothing_to_join", "call 13812345678 now", "call 13812345678 now"},
      {"phone", "call 138 1234-5678 now", "call 13812345678 now"},
      {"single_digits", "1 3 8 1 2 3", "138123"},
      {"too_short", "12 34 5", "12 34 5"},
      {"every_separator", "1-2.3/4_5,6、7\n8\t9·0", "1234567890"},
      {"three_separators", "123 - 456", "123456"},
      {"four_separators", "123 -- 456", "123 -- 456"},
      {"line_ends_of_two_bytes", "4539\r\n\r\n5787", "45395787"},
      {"full_width_separators", "１３８－１２３４　５６７８", "13812345678"},
      {"letters_break", "123a456 b", "123a456 b"},
      {"chinese_breaks", "123号456", "123号456"},
      {"check_character", "110105 19491231 002 X 。", "11010519491231002X 。"},
      {"word_with_x_stays", "110105 19491231 002 xyz", "11010519491231002 xyz"},
      {"separator_at_the_end_stays", "123 456 ", "123456 "},
      {"two_numbers", "138 1234 5678; 139 1234 5678", "13812345678; 13912345678"},
  };
  for (const JoinRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(CanonicalText::Make(row.original).joined(), row.joined);
  }
}

std::string Cut(std::string_view original, CanonicalText::Span span) {
  return std::string(original.substr(static_cast<size_t>(span.begin), static_cast<size_t>(span.end - span.begin)));
}

TEST(CanonicalText, OffsetsPointIntoTheOriginal) {
  const std::string original = "号：１３８\u200B１２３４ ５６７８。⑩";
  const CanonicalText text = CanonicalText::Make(original);
  ASSERT_EQ(text.text(), "号:1381234 5678。10");
  const size_t one = text.text().find('1');
  EXPECT_EQ(Cut(original, text.Original(0, 3)), "号");
  EXPECT_EQ(Cut(original, text.Original(one, one + 1)), "１");
  EXPECT_EQ(Cut(original, text.Original(one + 3, one + 4)), "１");  // after the zero-width space
  EXPECT_EQ(Cut(original, text.Original(one, one + 12)), "１３８\u200B１２３４ ５６７８");
  // Half of what ⑩ became still stands for all of it.
  EXPECT_EQ(Cut(original, text.Original(text.text().size() - 2, text.text().size() - 1)), "⑩");
  EXPECT_EQ(Cut(original, text.Original(text.text().size() - 1, text.text().size())), "⑩");
  const size_t joined = text.joined().find("13812345678");
  ASSERT_NE(joined, std::string_view::npos);
  EXPECT_EQ(Cut(original, text.OriginalOfJoined(joined, joined + 11)), "１３８\u200B１２３４ ５６７８");
}

std::string RandomText(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"1",    "2",  " ", "-", "９", "①",  "⑩",      "\u200B",
                                                  "中",   "，", "a", "É", "Ж",  "\n", "\u0301", "\xF0",
                                                  "\x80", "。", "ﬃ", "x", "𝟏",  "½"};
  std::string text;
  for (size_t i = random() % 40; i > 0; --i) {
    text += random() % 8 == 0 ? std::string(1, static_cast<char>(random())) : pieces[random() % pieces.size()];
  }
  return text;
}

TEST(CanonicalText, RandomTextsKeepTheirPromises) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    const std::string original = RandomText(random);
    SCOPED_TRACE(round);
    const CanonicalText text = CanonicalText::Make(original);
    // Folding folded text changes nothing.
    ASSERT_EQ(CanonicalText::Make(text.text()).text(), text.text());
    ASSERT_TRUE(CanonicalText::Make(text.text()).valid_utf8());
    // Offsets never go back, and cover what they should.
    int32_t previous = 0;
    for (size_t i = 0; i < text.text().size(); ++i) {
      const CanonicalText::Span span = text.Original(i, i + 1);
      ASSERT_LE(previous, span.begin);
      ASSERT_LT(span.begin, span.end);
      ASSERT_LE(span.end, static_cast<int32_t>(original.size()));
      previous = span.begin;
      // What folds to one ASCII digit is found again at its place.
      const char byte = text.text()[i];
      if (byte == '2') {
        ASSERT_NE(CanonicalText::Make(Cut(original, span)).text().find('2'), std::string_view::npos);
      }
    }
    // The joined view is a subsequence of the text, at the offsets it names.
    for (size_t i = 0; i < text.joined().size(); ++i) {
      ASSERT_EQ(text.joined()[i], text.text()[text.TextOffsetOfJoined(i)]);
    }
    const CanonicalText::Span all = text.Original(0, text.text().size());
    ASSERT_LE(all.end, static_cast<int32_t>(original.size()));
  }
}

}  // namespace
}  // namespace headgate::router
