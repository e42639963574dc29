// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/topic_model.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/text_models.h"

namespace headgate::router {
namespace {

constexpr float kCounts = 0.5f;

const TextModels& Models() {
  static const auto models = TextModels::Builtin();
  return **models;
}

float Probability(const std::string& text, Topic topic) {
  return Models().Read(text).topics[static_cast<size_t>(topic)].probability;
}

float Highest(const std::string& text) {
  float highest = 0;
  for (const TopicScore& score : Models().Read(text).topics) highest = std::max(highest, score.probability);
  return highest;
}

struct Text {
  const char* name;
  std::string text;
  Topic topic;
};
const std::vector<Text>& Sensitive() {
  static const std::vector<Text> rows = {
      {"health zh", "患者陈淑芬，女，67岁，因胸闷3天入院。查体：BP 160/95mmHg。诊断：冠心病。予阿司匹林治疗", Topic::kHealthRecord},
      {"health en",
       "Discharge summary: admitted with chest pain, history of hypertension, treated with IV ceftriaxone, follow up "
       "in 2 weeks with metoprolol 25 mg BID.",
       Topic::kHealthRecord},
      {"finance zh", "3月工资表：\n周建国 基本工资8000 绩效2000 实发9200\n李淑芬 基本工资7000 绩效1500 实发8100",
       Topic::kFinance},
      {"internal zh", "【内部资料】华信科技2025年战略规划：拟关闭3家门店，裁员40人，尚未公布，请提炼要点", Topic::kInternal},
      {"personal zh", "员工周建国今年42岁，离异，月薪18000，绩效不合格，准备劝退，帮我写谈话提纲", Topic::kPersonal},
  };
  return rows;
}

TEST(TopicModelTest, KnowsItsTopics) {
  for (const Text& row : Sensitive()) {
    SCOPED_TRACE(row.name);
    EXPECT_GE(Probability(row.text, row.topic), kCounts);
  }
}

TEST(TopicModelTest, OrdinaryTextIsNone) {
  for (const char* text :
       {"", " ", "\n", "a", "How do I sort a list in Python?", "红烧肉怎么做才不腻", "What are the symptoms of diabetes?",
        "高血压患者能喝酒吗", "小明有3个苹果，小红有5个，一共多少个？", "Write a poem about autumn",
        // Source code, styles, versions, measures: figures and signs say nothing.
        "while (l < r) {\n    int m = (l + r) / 2;\n    if (a[m] < x) l = m; else r = m;\n}\n这段为什么会死循环？",
        "vardict = {}\nfor key, value in vars.items():\n    if value is not None:\n        vardict[key] = str(value)",
        ".card { padding: 1.5rem; border-radius: 0.75rem; box-shadow: 0 1px 3px rgb(0 0 0 / 0.1); }",
        "after moving from vite 5.0.12 to 5.4.10 on node 20.11.1 hot reload stopped",
        "2 cups flour, 1 1/2 tsp baking soda, 3/4 cup buttermilk, 350 F for 25 min in a 9x13 pan",
        "手工皂定价：油脂成本每块3.2，包装1.1，人工按每小时25元、一小时做12块，想要40%毛利，零售价多少？",
        // Long ones have many windows, and each must be none.
        "Bake sale plan. Oven A holds 2 trays, oven B 1. Scones: 220 C, 14 min, 24 a tray, 1.1 kg flour, 260 g butter. "
        "Brownies: 175 C, 28 min, 16 a tin, 420 g chocolate, 6 eggs. Bread: 230 C, 35 min after 3 h proof. Doors open "
        "at 10:00, last tray out by 9:20. We sold 118 pieces last year, 41 of them scones, and 12 were left. Why?",
        "Query log, table readings, 18 million rows: index scan 412 ms, seq scan 9.2 s, after vacuum 380 ms. work_mem "
        "64 MB, shared buffers 4 GB, 3 workers. The plan flips when the filter passes 7 %. We tried random_page_cost "
        "1.1 and 2.0, the second made it worse by 30 %. Which setting first, and how do I prove it in ten lines?",
        "露营清单：帐篷2.4公斤，睡袋1.1公斤两个，炉头280克，气罐230克两罐，水每人每天3升。第一天上午8:40集合，徒步9.6公里，"
        "爬升420米；第二天6.5公里，下午3点前到停车场。预报最低4度，阵风6级，降雨概率30%。背包限重13公斤，超了先减哪样？",
        "水培生菜记录：第1周电导率0.8，酸碱度6.1，株高3厘米；第2周1.2，5.9，7厘米；第3周1.6，5.8，13厘米，边缘发黄4株。"
        "灯12瓦6根，每天14小时，水温22度，循环泵15分钟一次。是不是缺钙，配方里硝酸钙加到多少合适？"}) {
    EXPECT_LT(Highest(text), kCounts) << text;
  }
}

// The window that scored is inside the text and not longer than a window may be.
TEST(TopicModelTest, WindowsLieInTheText) {
  for (const Text& row : Sensitive()) {
    SCOPED_TRACE(row.name);
    const std::string text = absl::StrCat("你好。\n", row.text, "\nHello there. Thanks!\n");
    for (const TopicScore& score : Models().Read(text).topics) {
      EXPECT_LT(score.begin, score.end);
      EXPECT_LE(score.end, text.size());
      EXPECT_LE(score.end - score.begin, 3 * TopicModel::kWindowChars);
    }
  }
}

// More text, before or after, more than 300 characters away or in lines of its own, never lowers a score.
TEST(TopicModelTest, MoreTextNeverLowersAScore) {
  std::string zh, en;
  for (int i = 0; i < 40; ++i) absl::StrAppend(&zh, "今天天气很好，我们去公园散步。"), absl::StrAppend(&en, "The river was calm. ");
  for (const Text& row : Sensitive()) {
    SCOPED_TRACE(row.name);
    const std::string base = absl::StrCat(zh, "\n", row.text, "\n", zh);
    const float alone = Probability(base, row.topic);
    EXPECT_GE(alone, kCounts);
    for (const std::string& more : {zh, en, std::string("无关的话。"), std::string(5000, 'x')}) {
      EXPECT_GE(Probability(absl::StrCat(more, "\n", base), row.topic), alone);
      EXPECT_GE(Probability(absl::StrCat(base, "\n", more), row.topic), alone);
    }
  }
}

// What the training means by a score, one row after the other.
std::array<float, kTopics> SlowScores(const std::vector<Unit>& units, const std::vector<int8_t>& rows, float scale) {
  std::array<float, kTopics> highest;
  highest.fill(-1e9f);
  const bool persons =
      std::any_of(units.begin(), units.end(), [](const Unit& unit) { return unit.kind == UnitKind::kPerson; });
  ForEachWindow(units, [&](const UnitWindow& window) {
    bool person = false;
    for (size_t at = window.first; at < window.last; ++at) person |= units[at].kind == UnitKind::kPerson;
    for (size_t topic = 0; topic < kTopics; ++topic) {
      int sum = 0;
      for (size_t at = window.first; at < window.last; ++at) {
        const UnitRows unit = RowsOf(units, at, persons);
        for (size_t i = 0; i < unit.count; ++i) sum += rows[unit.rows[i] * kTopics + topic];
        for (size_t i = 0; person && i < unit.person_count; ++i) sum += rows[unit.person_rows[i] * kTopics + topic];
      }
      const float score = scale * static_cast<float>(sum) / WindowNorm(window.last - window.first);
      highest[topic] = std::max(highest[topic], score);
    }
  });
  return highest;
}

TEST(TopicModelTest, ReadsAsItsTrainingDoes) {
  constexpr float kScale = 0.01f;
  std::mt19937 random(7);
  std::vector<int8_t> rows(TopicModel::kRows * kTopics);
  for (int8_t& weight : rows) weight = static_cast<int8_t>(random() % 255 - 127);
  std::string weights = "HGTM0002";
  const auto append = [&weights](float value) {
    weights.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (size_t topic = 0; topic < kTopics; ++topic) append(kScale);
  for (size_t topic = 0; topic < 2 * kTopics; ++topic) append(0);
  weights.append(reinterpret_cast<const char*>(rows.data()), rows.size());
  const auto model = TopicModel::Load(weights);
  ASSERT_TRUE(model.ok()) << model.status();
  for (const Text& row : Sensitive()) {
    SCOPED_TRACE(row.name);
    std::vector<Unit> units = SplitUnits(row.text);
    for (const bool person : {false, true}) {
      if (person) units[2].kind = UnitKind::kPerson;
      const auto slow = SlowScores(units, rows, kScale);
      const auto fast = model->Score(units);
      for (size_t topic = 0; topic < kTopics; ++topic) {
        EXPECT_NEAR(fast[topic].probability, 1 / (1 + std::exp(-slow[topic])), 1e-4) << Name(static_cast<Topic>(topic));
      }
    }
  }
}

TEST(TopicModelTest, NamesBecomeOneUnitAndAreNotRead) {
  const auto replaced = [](const std::string& text) {
    const std::vector<Unit> units = SplitUnits(text);
    return ReplaceNames(units, {{NameType::kPerson, 1, 3, units[1].begin, units[2].end, 1}});
  };
  const std::vector<Unit> one = replaced("Dear Ann Lee hello"), other = replaced("Dear Bob Ray hello");
  ASSERT_EQ(one.size(), 3u);
  EXPECT_EQ(one[1].kind, UnitKind::kPerson);
  EXPECT_EQ(one[1].begin, 5u);
  EXPECT_EQ(one[1].end, 12u);
  ASSERT_EQ(other.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(one[i].hash, other[i].hash);
}

TEST(TopicModelTest, SegmentsEndAtSentencesAndAreBounded) {
  const auto starts = [](const std::string& text) { return SegmentStarts(SplitUnits(text)); };
  EXPECT_EQ(starts("a b. c d"), (std::vector<uint32_t>{0, 3, 5}));
  EXPECT_EQ(starts("v1.2 is out"), (std::vector<uint32_t>{0, 6}));
  EXPECT_EQ(starts("好。好"), (std::vector<uint32_t>{0, 2, 3}));
  std::string words;
  for (int i = 0; i < 1000; ++i) words += "word ";
  size_t longest = 0;
  const std::vector<uint32_t> long_starts = starts(words);
  for (size_t i = 1; i < long_starts.size(); ++i) {
    longest = std::max<size_t>(longest, long_starts[i] - long_starts[i - 1]);
  }
  EXPECT_LE(longest, 64u);
  EXPECT_EQ(long_starts.back(), 1000u);
}

}  // namespace
}  // namespace headgate::router
