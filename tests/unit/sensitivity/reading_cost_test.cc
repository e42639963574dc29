// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// What keeps the cost of hostile texts down, and that nothing is missed by it. Times are bounded by what a quadratic
// reader takes many times over, on any machine.
#include <algorithm>
#include <ctime>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/classification.h"
#include "router/screening.h"
#include "router/sensitivity/base85.h"
#include "router/sensitivity/blobs.h"
#include "router/sensitivity/decoded_views.h"
#include "router/sensitivity/reading_work.h"

namespace headgate::router {
namespace {

using testing::Contains;
using testing::HasSubstr;

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::string Times(std::string_view piece, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

std::vector<DecodedView> Views(const std::string& text) {
  DecodeBudget budget{4 << 20};
  return DecodeViews(CanonicalText::Make(text), budget);
}
std::string AllViews(const std::string& text) {
  std::string all;
  for (const DecodedView& view : Views(text)) absl::StrAppend(&all, view.text, "\n");
  return all;
}

Sensitivity Classify(const std::vector<std::string>& messages) {
  static const SensitivityConfig config;
  static const Classification classification(config, *MakePatternDetectors(config));
  v1::GenerateRequest request;
  for (const std::string& content : messages) {
    v1::Message& message = *request.add_messages();
    message.set_role(v1::ROLE_USER);
    message.set_content(content);
  }
  return classification.Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, {},
                                 Screening(LimitsConfig{}).Screen(Prompt(std::move(request))));
}
std::vector<std::string> Types(const Sensitivity& sensitivity) {
  std::vector<std::string> types;
  for (const v1::Finding& finding : sensitivity.findings) types.push_back(finding.type());
  return types;
}

// Each of them took minutes, as every prefix read all that is behind it.
TEST(ReadingCost, PrefixesInARowAreReadOnce) {
  constexpr size_t kBytes = 512 << 10;
  constexpr double kSecondsMax = 40;
  for (const char* piece : {"eyJ", "AKID", "ASIA", "AIza", "LTAI1", "AKIDAKIDa1", "passwordASIAZ110105"}) {
    const double start = CpuSeconds();
    Views(Times(piece, kBytes));
    EXPECT_LT(CpuSeconds() - start, kSecondsMax) << piece;
  }
}

TEST(ReadingCost, KeysBehindPrefixesInARowAreFound) {
  const std::string key = "4f9aB2c8Qz7Lw1Ex6Rt3Yv5U";
  for (size_t prefixes = 0; prefixes < 300; prefixes += 7) {
    const std::string text = absl::StrCat(Times("eyJ", prefixes), " s k - 4f9a B2c8 Qz7L w1Ex 6Rt3 Yv5U ");
    EXPECT_THAT(AllViews(text), HasSubstr("sk-" + key)) << prefixes;
  }
}

// A row of one sign is gone over fast; what is cut evenly beside it is read all the same.
TEST(ReadingCost, EvenCutsBesideARowOfOneSignAreRead) {
  const std::string code = absl::Base64Escape("ID 110105198706121007");
  for (const char sign : {' ', '\n', '-', '.'}) {
    std::string cut;
    for (size_t i = 0; i < code.size(); i += 2) absl::StrAppend(&cut, code.substr(i, 2), "#");
    for (size_t row = 0; row < 130; row += row < 40 || row > 60 ? 7 : 1) {
      const std::string around(row, sign);
      EXPECT_THAT(AllViews(absl::StrCat("see", around, " ", cut, " ", around, "end")), HasSubstr("110105198706121007"))
          << row << " of " << static_cast<int>(sign);
    }
  }
}

// In the encodings of RFC 4648 by the library, base85 by hand.
std::string Ascii85(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size(); at += 4) {
    const size_t size = std::min<size_t>(4, text.size() - at);
    uint32_t number = 0;
    for (size_t i = 0; i < 4; ++i) number = number << 8 | (i < size ? static_cast<uint8_t>(text[at + i]) : 0);
    std::string group(5, '!');
    for (size_t i = 5; i-- > 0; number /= 85) group[i] = static_cast<char>('!' + number % 85);
    out += group.substr(0, size + 1);
  }
  return out;
}

// What most words are told by, their first bytes, hides no text: letters of every length, digits and blanks.
TEST(ReadingCost, EveryTextInACodeIsRead) {
  constexpr const char* kCharacters[] = {"a", "k", "Z", "0", "7", " ", "\n", "é", "Ж", "身", "份", "가", "😀"};
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string text = "x";
    for (size_t n = 15 + random() % 20; n > 0; --n) {
      text += random() % 2 == 0 ? std::to_string(random() % 10) : kCharacters[random() % std::size(kCharacters)];
    }
    EXPECT_THAT(ReadBlobs(absl::Base64Escape(text)).bytes, HasSubstr(text)) << text;
    EXPECT_THAT(ReadBlobs(absl::BytesToHexString(text)).bytes, HasSubstr(text)) << text;
    EXPECT_THAT(ReadBase85(Ascii85(text)).bytes, HasSubstr(text)) << text;
  }
}

// Where a password has several signs, it is judged at the first of them.
TEST(ReadingCost, PasswordsWithSeveralSignsAreFound) {
  for (const char* text : {"laptop = Mar&ma#lade!Toast3", "laptop = Marmalade&Toast3", "it's Q!u1ck&Br0wn#Fox now",
                           "a!b c#d laptop = Marmalade&Toast3", "x#y = Marmalade&To#ast3"}) {
    EXPECT_THAT(Types(Classify({text})), Contains("PASSWORD")) << text;
  }
}

// ---- Counted work ----

struct Hostile {
  const char* name;
  std::string piece;
};
// Each of them took 35 to 330 ms for 128 KiB before work was counted; a search over random pieces found most of them.
std::vector<Hostile> Hostiles() {
  return {
      {"labels", "password:"},
      {"labels_2", "Passwd="},
      {"labels_in_prose", ";password is "},
      {"secrets", "token="},
      {"one_sign", "·"},
      {"one_sign_2", "。"},
      {"blanks_and_signs", " / "},
      {"ats", "[at]"},
      {"dots", "<~(dot) "},
      {"markings", "Patient: internal only "},
      {"names_with_salaries", "Margaret WilsonXñ\r\nsalary<td>р<\tdiabetes: /* 2"},
      {"illnesses", "Xñ\r\nsalary<td>р<\tdiabetes: /* 2"},
      {"base64_twice", absl::Base64Escape(absl::Base64Escape("ID 110105198706121007")) + "\n"},
      {"cells", "<td>7</td><td>31</td>"},
      {"lists", "2) "},
      {"key_prefixes", "0123456789abcdefdop_v1_\n"},
      {"letters_with_signs", "=31=\n"},
      {"uuids", "5f3a9c1e-7b2d-4e8f-9a6c-0d1e2f3a4b5c\n"},
  };
}

v1::GenerateRequest Chat(std::string_view piece, size_t bytes, size_t message_bytes) {
  v1::GenerateRequest request;
  std::string text;
  for (size_t made = 0; made < bytes; made += piece.size()) {
    text += piece;
    if (text.size() < message_bytes && made + piece.size() < bytes) continue;
    v1::Message& message = *request.add_messages();
    message.set_role(request.messages_size() % 2 == 0 ? v1::ROLE_ASSISTANT : v1::ROLE_USER);
    message.set_content(std::exchange(text, ""));
  }
  return request;
}

// What screening and the detectors count together: all of it, were there no end.
int64_t Counted(const Hostile& row, size_t bytes, size_t message_bytes) {
  Prompt prompt(Chat(row.piece, bytes, message_bytes));
  const Screened screened = Screening(LimitsConfig{}).Screen(prompt);
  return ReadingWork::For(prompt.text_bytes()) - screened.work_left;
}

TEST(ReadingCost, ScreeningStopsWhereItsShareIsSpent) {
  constexpr size_t kBytes = 128 << 10;
  for (const Hostile& row : Hostiles()) {
    for (const size_t message_bytes : {size_t{128}, size_t{300}, kBytes}) {
      Prompt prompt(Chat(row.piece, kBytes, message_bytes));
      const Screened screened = Screening(LimitsConfig{}).Screen(prompt);
      // The detectors have at least a fifth.
      EXPECT_GE(screened.work_left, ReadingWork::For(prompt.text_bytes()) / 5) << row.name << " " << message_bytes;
    }
  }
}

TEST(ReadingCost, CountedWorkGrowsNoFasterThanTheText) {
  constexpr size_t kFew = 16 << 10, kMany = 64 << 10;
  for (const Hostile& row : Hostiles()) {
    for (const size_t message_bytes : {size_t{300}, kMany}) {
      const int64_t few = Counted(row, kFew, message_bytes), many = Counted(row, kMany, message_bytes);
      EXPECT_GT(few, 0) << row.name;
      EXPECT_LE(many, few * (kMany / kFew) * 5 / 4) << row.name << " " << message_bytes;
    }
  }
}

// What is not looked through any more makes the request sensitive, and what was found before stays.
TEST(ReadingCost, SpentWorkIsToldAndKeepsWhatWasFound) {
  const std::string text = absl::StrCat("my id is 110105198706121007. ", Times("Patient: internal only ", 128 << 10));
  v1::GenerateRequest request;
  v1::Message& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content(text);
  static const SensitivityConfig config;
  static const Classification classification(config, *MakePatternDetectors(config));
  Screened screened = Screening(LimitsConfig{}).Screen(Prompt(std::move(request)));
  ASSERT_TRUE(screened.not_inspectable.empty());
  screened.work_left = 5'000'000;
  const Sensitivity spent = classification.Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, {}, screened);
  EXPECT_EQ(spent.state, ClassificationState::kUnclassified);
  EXPECT_TRUE(spent.sensitive());
  EXPECT_THAT(Types(spent), Contains("NOT_INSPECTABLE:read_limit"));
  EXPECT_THAT(Types(spent), Contains("CN_RESIDENT_ID"));
}

TEST(ReadingCost, ReadersSpendFromWhatIsInUse) {
  ReadingWork outer(100), inner(5);
  {
    const ReadingWork::Use use(outer);
    EXPECT_TRUE(ReadingWork::Spend(60));
    {
      const ReadingWork::Use nested(inner);
      EXPECT_FALSE(ReadingWork::Spend(6));
      EXPECT_TRUE(ReadingWork::Spent());
    }
    EXPECT_FALSE(ReadingWork::Spent());
    EXPECT_FALSE(ReadingWork::Spend(41));
  }
  EXPECT_TRUE(ReadingWork::Spend(1));  // nothing is in use
  EXPECT_EQ(outer.left(), -1);
}

}  // namespace
}  // namespace headgate::router
