// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/name_tagger.h"

#include <gmock/gmock.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/text_models.h"
#include "router/sensitivity/weights/digests.h"
#include "router/sensitivity/weights/weights.h"

namespace headgate::router {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

NameTagger Tagger() {
  auto tagger = NameTagger::Load(NameWeights());
  EXPECT_TRUE(tagger.ok()) << tagger.status();
  return *std::move(tagger);
}

// `PERSON:Ann Lee` for each span.
std::vector<std::string> Found(const NameTagger& tagger, const std::string& text) {
  constexpr const char* kNames[] = {"PERSON:", "PUBLIC:", "ADDRESS:"};
  std::vector<std::string> found;
  std::vector<Unit> units = SplitUnits(text);
  for (const NameSpan& span : tagger.Tag(units)) {
    EXPECT_LT(span.begin, span.end);
    EXPECT_LE(span.end, text.size());
    EXPECT_GE(span.score, 0);
    EXPECT_LE(span.score, 1);
    found.push_back(kNames[static_cast<size_t>(span.type)] + text.substr(span.begin, span.end - span.begin));
  }
  return found;
}

// The weights were trained on these hashes: other ways to make them must make the same.
TEST(NameTagger, FeaturesAreHashesOfWhatStandsAround) {
  const std::vector<Unit> units = SplitUnits("Ann Lee, 周建国 and no. 12 met O'Neil!");
  for (size_t at = 0; at < units.size(); ++at) {
    const auto held = [&](int offset) {
      const auto i = static_cast<int>(at) + offset;
      return i >= 0 && i < static_cast<int>(units.size()) ? &units[static_cast<size_t>(i)] : nullptr;
    };
    const auto hash = [&](int offset) { return held(offset) ? held(offset)->hash : offset < 0 ? 1u : 2u; };
    uint32_t kinds = 0;
    for (int offset = -2; offset <= 2; ++offset) {
      kinds = kinds << 4 | (held(offset) ? static_cast<uint32_t>(held(offset)->kind) : 15u);
    }
    const uint32_t features[] = {
        MixHash(101, hash(0)), MixHash(102, hash(-1)), MixHash(103, hash(1)), MixHash(104, hash(-2)),
        MixHash(105, hash(2)), MixHash(106, MixHash(hash(-1), hash(0))), MixHash(107, MixHash(hash(0), hash(1))),
        MixHash(108, MixHash(hash(-1), hash(1))), MixHash(109, kinds), MixHash(110, MixHash(hash(-2), hash(-1))),
        MixHash(111, MixHash(hash(1), hash(2))), MixHash(112, MixHash(kinds, hash(-1)))};
    const auto rows = NameTagger::Features(units, at);
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i], (features[i] >> 7) & (NameTagger::kRows - 1)) << "unit " << at << ", feature " << i;
    }
  }
}

TEST(TextUnitsTest, Splits) {
  const struct {
    const char* name;
    std::string text;
    std::vector<std::string> units;
  } rows[] = {
      {"nothing", "", {}},
      {"words and signs", "Dear Ms. Lee,", {"Dear", "Ms", ".", "Lee", ","}},
      {"a number is one unit", "1990-05-06", {"1990", "-", "05", "-", "06"}},
      {"Han by character", "张伟45岁", {"张", "伟", "45", "岁"}},
      {"letters with marks belong to the word", "José Ñu", {"José", "Ñu"}},
      {"lines", "a\n\n\nb", {"a", "\n", "b"}},
      {"full stop in Chinese", "好。好", {"好", "。", "好"}},
      {"cut character", "a\xE5\xBC", {"a", "\xE5\xBC"}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    std::vector<std::string> units;
    for (const Unit& unit : SplitUnits(row.text)) units.push_back(row.text.substr(unit.begin, unit.end - unit.begin));
    EXPECT_EQ(units, row.units);
  }
}

TEST(TextUnitsTest, WordsWithoutCaseAndNumbersByLength) {
  const auto hash = [](const std::string& text) { return SplitUnits(text).at(0).hash; };
  EXPECT_EQ(hash("Patient"), hash("PATIENT"));
  EXPECT_NE(SplitUnits("Patient")[0].kind, SplitUnits("PATIENT")[0].kind);
  EXPECT_EQ(hash("123"), hash("987"));
  EXPECT_NE(hash("123"), hash("1234"));
  EXPECT_NE(hash("张"), hash("王"));
}

TEST(TextUnitsTest, WordsThatBeginAlikeShareAStem) {
  const auto stem = [](const std::string& text) { return SplitUnits(text).at(0).stem; };
  EXPECT_EQ(stem("diagnosed"), stem("Diagnosis"));
  EXPECT_EQ(stem("claim"), stem("claims"));
  EXPECT_NE(stem("claims"), stem("climbs"));
  for (const char* none : {"paid", "12345", "患者", "(", "\n"}) EXPECT_EQ(stem(none), 0U) << none;
}

TEST(NameTaggerTest, FindsNamesAndAddresses) {
  const NameTagger tagger = Tagger();
  const struct {
    const char* name;
    std::string text;
    std::string found;
  } rows[] = {
      {"Chinese name", "员工周建国今年42岁，月薪8000元", "PERSON:周建国"},
      {"Chinese patient", "患者陈淑芬，女，67岁，因胸闷3天入院", "PERSON:陈淑芬"},
      {"English name", "Patient Margaret Wilson, 54 years old, presents with chest pain", "PERSON:Margaret Wilson"},
      {"English address", "Please deliver to 4821 Maple Avenue, Portland, OR 97205.",
       "ADDRESS:4821 Maple Avenue, Portland, OR 97205"},
      {"public figure", "介绍一下爱因斯坦的贡献", "PUBLIC:爱因斯坦"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_THAT(Found(tagger, row.text), ::testing::Contains(row.found));
  }
  EXPECT_THAT(Found(tagger, "How do I sort a list in Python? Thanks"), IsEmpty());
  EXPECT_THAT(Found(tagger, "红烧肉怎么做才不腻"), IsEmpty());
  EXPECT_THAT(Found(tagger, ""), IsEmpty());
}

TEST(NameTaggerTest, WordsThatAreInNoListAreMarked) {
  WordSet words;
  const auto mark = [&](const std::string& text) {
    std::vector<Unit> units = SplitUnits(text);
    MarkNewWords(words, units);
    return units[0].kind;
  };
  words.Add(SplitUnits("harbour")[0].hash);
  EXPECT_EQ(mark("Harbour"), UnitKind::kCapital);
  EXPECT_EQ(mark("HARBOUR"), UnitKind::kUpper);
  EXPECT_EQ(mark("Zwiebelnik"), UnitKind::kNewCapital);
  EXPECT_EQ(mark("ZWIEBELNIK"), UnitKind::kNewUpper);
  EXPECT_EQ(mark("zwiebelnik"), UnitKind::kLower);
  EXPECT_EQ(mark("I"), UnitKind::kUpper) << "a letter is no word";
  WordSet read;
  read.Read(words.Bytes());
  EXPECT_TRUE(read.Has(SplitUnits("harbour")[0].hash));
  EXPECT_FALSE(read.Has(SplitUnits("zwiebelnik")[0].hash));
}

TEST(NameTaggerTest, NamesInNoListAreFound) {
  EXPECT_THAT(Found(Tagger(), "Write warning: Gwendrith Pryzbolev, forklift, failed drug test on Monday"),
              ::testing::Contains("PERSON:Gwendrith Pryzbolev"));
}

TEST(NameTaggerTest, LongTextsAreReadToTheEnd) {
  const NameTagger tagger = Tagger();
  std::string filler;
  for (int i = 0; i < 5000; ++i) filler += "the weather is fine and the road is long . ";
  EXPECT_THAT(Found(tagger, filler + "Patient Margaret Wilson, 54 years old"),
              ::testing::Contains("PERSON:Margaret Wilson"));
}

TEST(WeightsTest, WrongWeightsAreRefused) {
  const std::string topic(TopicWeights()), names(NameWeights());
  std::string flipped = topic;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
  const struct {
    const char* name;
    std::string topic, names;
    const char* says;
  } rows[] = {
      {"one bit of the topic model", flipped, names, "topic model"},
      {"truncated", topic.substr(0, topic.size() - 1), names, "topic model"},
      {"nothing", "", names, "topic model"},
      {"no names", topic, "", "name tagger"},
      {"exchanged", names, topic, "topic model"},
  };
  EXPECT_TRUE(TextModels::Builtin().ok());
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto models = TextModels::Load(row.topic, kTopicSha256, row.names, kNameSha256);
    ASSERT_FALSE(models.ok());
    EXPECT_EQ(models.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(models.status().message()), HasSubstr(row.says));
  }
  EXPECT_FALSE(NameTagger::Load(topic).ok());
  EXPECT_FALSE(NameTagger::Load("").ok());
  EXPECT_FALSE(TopicModel::Load(names).ok());
  EXPECT_FALSE(TopicModel::Load("HGTM0002").ok());
}

}  // namespace
}  // namespace headgate::router
