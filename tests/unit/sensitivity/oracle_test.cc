// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// A slow, obvious scanner over all substrings, with checks of its own, against the real one.
#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "router/sensitivity/detectors.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using Hit = std::tuple<std::string, size_t, size_t>;

bool Digits(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }

bool NaiveResidentId(const std::string& value) {
  if (value.size() != 18 || !Digits(value.substr(0, 17)) || value[0] == '0') return false;
  const int year = std::stoi(value.substr(6, 4)), month = std::stoi(value.substr(10, 2)),
            day = std::stoi(value.substr(12, 2));
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  const int days = month == 2 ? (leap ? 29 : 28) : (month == 4 || month == 6 || month == 9 || month == 11) ? 30 : 31;
  if (year < 1850 || year > 2099 || month < 1 || month > 12 || day < 1 || day > days) return false;
  std::string expected = WithIdCheck(value.substr(0, 17));
  return value == expected || (expected.back() == 'X' && value == expected.substr(0, 17) + "x");
}

bool NaiveCard(const std::string& value) {
  if (value.size() < 14 || value.size() > 19 || !Digits(value)) return false;
  if (WithLuhnCheck(value.substr(0, value.size() - 1)) != value) return false;
  if (NaiveResidentId(value)) return false;
  const int two = std::stoi(value.substr(0, 2)), three = std::stoi(value.substr(0, 3)),
            four = std::stoi(value.substr(0, 4));
  const size_t n = value.size();
  if (two == 62 || two == 81) return n >= 16 && (two == 62 || four <= 8171);
  if (value[0] == '4') return n >= 16;
  if (two >= 51 && two <= 55) return n == 16;
  if (four >= 2221 && four <= 2720) return n == 16;
  if (four >= 2200 && four <= 2204) return n >= 16;
  if (two == 34 || two == 37) return n == 15;
  if (two == 36 || two == 38 || two == 39 || three <= 305) return three >= 300 || two > 30;
  if (four >= 3528 && four <= 3589) return n >= 16;
  if (four == 6011 || two == 65 || (three >= 644 && three <= 649)) return n >= 16;
  return four == 9558 && n == 19;
}

bool NaivePhone(const std::string& value) {
  return value.size() == 11 && Digits(value) && value[0] == '1' && value[1] > '2' && value.substr(3) != "00000000";
}

std::set<Hit> NaiveScan(const std::string& text) {
  std::set<Hit> hits;
  const auto digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  for (size_t begin = 0; begin < text.size(); ++begin) {
    for (size_t length = 11; length <= 19 && begin + length <= text.size(); ++length) {
      const size_t end = begin + length;
      if (digit(end) || !digit(begin)) continue;
      const std::string value = text.substr(begin, length);
      const bool alone = begin == 0 || !digit(begin - 1);
      const bool code =
          begin >= 2 && text.substr(begin - 2, 2) == "86" &&
          (begin == 2 || !digit(begin - 3) || (begin >= 4 && text.substr(begin - 4, 2) == "00" && !digit(begin - 5)));
      if (alone && NaiveResidentId(value)) hits.emplace("CN_RESIDENT_ID", begin, end);
      // The first 17 digits of an ID that ends with X are no card.
      const bool id_goes_on = length == 17 && NaiveResidentId(text.substr(begin, 18));
      if (alone && !id_goes_on && NaiveCard(value)) hits.emplace("BANK_CARD", begin, end);
      if ((alone || code) && NaivePhone(value)) hits.emplace("PHONE_CN_MOBILE", begin, end);
    }
  }
  return hits;
}

// Digits, planted values and near misses between Chinese characters; no separators and no Latin letters, whose rules
// are tested by tables.
std::string RandomText(std::mt19937& random) {
  static const char* const kPrefixes[] = {"62", "4",   "51",   "2221", "2720", "2721", "34",
                                          "36", "300", "3528", "6011", "9558", "81"};
  std::string text;
  for (size_t pieces = 1 + random() % 6; pieces > 0; --pieces) {
    switch (random() % 7) {
      case 0:
        text += RandomDigits(random, random() % 24);
        break;
      case 1:
        text += RandomResidentId(random) + "。";
        break;
      case 2:
        text += WithLuhnCheck(kPrefixes[random() % std::size(kPrefixes)] + RandomDigits(random, 10 + random() % 8));
        break;
      case 3:
        text += "1" + RandomDigits(random, 10);
        break;
      case 4:
        text += "86";
        break;
      case 5:
        text += "中";
        break;
      default:
        text += "，号：";
        break;
    }
    if (random() % 3 == 0) text += "号";
  }
  return text;
}

TEST(Oracle, AgreesOnRandomTexts) {
  const auto detectors = MakePatternDetectors({});
  ASSERT_TRUE(detectors.ok());
  std::mt19937 random(20261122);
  size_t hits = 0;
  for (int round = 0; round < 30000; ++round) {
    const std::string text = RandomText(random);
    const auto detections = (*detectors)->Scan(CanonicalText::Make(text));
    ASSERT_TRUE(detections.ok());
    std::set<Hit> found;
    for (const Detection& detection : *detections) {
      if (detection.type != "CN_RESIDENT_ID" && detection.type != "BANK_CARD" && detection.type != "PHONE_CN_MOBILE")
        continue;
      found.emplace(detection.type, static_cast<size_t>(detection.span.begin), static_cast<size_t>(detection.span.end));
    }
    // The text of a failure is made up, so it may be printed.
    ASSERT_EQ(found, NaiveScan(text)) << text;
    hits += found.size();
  }
  EXPECT_GT(hits, 10000u) << "the generator must plant enough";
}

// Identifiers are found however they are separated, alone and in the middle of Chinese text.
TEST(Oracle, FindsSeparatedResidentIdsWhateverTheGaps) {
  const auto detectors = MakePatternDetectors({});
  ASSERT_TRUE(detectors.ok());
  static const char* const kSeparators[] = {" ", "-", ".", "/", "_", "、", "\n", ", ", " - ", "·", "\u200B", "　"};
  std::mt19937 random(3);
  for (int round = 0; round < 5000; ++round) {
    const std::string id = RandomResidentId(random);
    std::string text = "证件";
    for (size_t i = 0; i < id.size(); ++i) {
      text += random() % 2 == 0 ? FullWidth(id[i]) : Itself(id[i]);
      if (i + 1 < id.size() && random() % 3 == 0) text += kSeparators[random() % std::size(kSeparators)];
    }
    text += "谢谢";
    const auto detections = (*detectors)->Scan(CanonicalText::Make(text));
    ASSERT_TRUE(detections.ok());
    const bool found = std::any_of(detections->begin(), detections->end(), [&](const Detection& detection) {
      return detection.type == "CN_RESIDENT_ID" && detection.span.begin == 6 &&
             detection.span.end == static_cast<int32_t>(text.size()) - 6;
    });
    ASSERT_TRUE(found) << text;
  }
}

}  // namespace
}  // namespace headgate::router
