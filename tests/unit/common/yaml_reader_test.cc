// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/yaml_reader.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate {
namespace {

using testing::ElementsAre;

// Reads one of everything.
struct Values {
  std::string text = "default";
  bool flag = false;
  int64_t whole = 7;
  double number = 0.5;
  absl::Duration wait = absl::Seconds(1);
  std::vector<std::string> list = {"default"};
  std::string inner;
  std::vector<std::string> item_names;
};

absl::Status Read(const std::string& yaml, Values* values) {
  YamlReader reader("f.yaml", yaml);
  YamlReader::Map root = reader.Root();
  root.Get("text", &values->text);
  root.Get("flag", &values->flag);
  root.Get("whole", &values->whole, 1, 10);
  root.Get("number", &values->number, 0.0, 1.0);
  root.Get("wait", &values->wait, absl::Milliseconds(1), absl::Seconds(10));
  root.Get("list", &values->list);
  if (auto map = root.GetMap("map")) {
    map->Require("inner");
    map->Get("inner", &values->inner);
    map->Finish();
  }
  for (YamlReader::Map& item : root.GetList("items")) {
    item.Get("name", &values->item_names.emplace_back());
    item.Finish();
  }
  root.Finish();
  return reader.status();
}

TEST(YamlReader, ReadsEveryKind) {
  Values values;
  ASSERT_TRUE(Read("text: 0123\nflag: true\nwhole: 10\nnumber: 1\nwait: 250ms\nlist: [a, 'b c', 12]\n"
                   "map:\n  inner: no\nitems:\n- name: x\n- name: y\n",
                   &values)
                  .ok());
  EXPECT_EQ(values.text, "0123");  // text as written, whatever it looks like
  EXPECT_TRUE(values.flag);
  EXPECT_EQ(values.whole, 10);
  EXPECT_EQ(values.number, 1.0);
  EXPECT_EQ(values.wait, absl::Milliseconds(250));
  EXPECT_THAT(values.list, ElementsAre("a", "b c", "12"));
  EXPECT_EQ(values.inner, "no");  // not a boolean
  EXPECT_THAT(values.item_names, ElementsAre("x", "y"));
}

TEST(YamlReader, AbsentKeysKeepTheirDefaults) {
  for (const char* yaml : {"", "# only a comment\n", "{}\n", "items:\n"}) {
    Values values;
    EXPECT_TRUE(Read(yaml, &values).ok()) << yaml;
    EXPECT_EQ(values.text, "default");
    EXPECT_EQ(values.whole, 7);
    EXPECT_THAT(values.list, ElementsAre("default"));
  }
}

struct BadRow {
  const char* name;
  const char* yaml;
  const char* complaints;
};

class YamlReaderBadTest : public testing::TestWithParam<BadRow> {};

TEST_P(YamlReaderBadTest, ComplainsWithFileLineAndKey) {
  Values values;
  const absl::Status status = Read(GetParam().yaml, &values);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), GetParam().complaints);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, YamlReaderBadTest,
    testing::ValuesIn(std::vector<BadRow>{
        {"unknown_key", "text: a\nflga: true\n",
         "f.yaml:2: flga: unknown key; known here: flag, items, list, map, number, text, wait, whole"},
        {"unknown_inner_key", "map:\n  inner: a\n  outer: b\n", "f.yaml:3: map.outer: unknown key; known here: inner"},
        {"missing", "map:\n  {}\n", "f.yaml:1: map.inner: is required"},
        {"given_twice", "text: a\ntext: b\n", "f.yaml:2: text: given twice"},
        {"text_is_map", "text: {a: b}\n", "f.yaml:1: text: must be text"},
        {"text_is_nothing", "text:\n", "f.yaml:1: text: must be text"},
        {"flag_is_word", "flag: yes\n", "f.yaml:1: flag: must be true or false"},
        {"flag_is_quoted", "flag: 'true'\n", "f.yaml:1: flag: must be true or false"},
        {"whole_is_fraction", "whole: 1.5\n", "f.yaml:1: whole: must be a whole number"},
        {"whole_is_quoted", "whole: \"5\"\n", "f.yaml:1: whole: must be a whole number"},
        {"whole_overflows", "whole: 99999999999999999999\n", "f.yaml:1: whole: must be a whole number"},
        {"whole_too_small", "\n\nwhole: 0\n", "f.yaml:3: whole: 0 is out of range; use 1 to 10"},
        {"number_is_nan", "number: nan\n", "f.yaml:1: number: nan is out of range; use 0 to 1"},
        {"number_too_large", "number: 1.01\n", "f.yaml:1: number: 1.01 is out of range; use 0 to 1"},
        {"wait_without_unit", "wait: 5\n", "f.yaml:1: wait: must be a duration such as 250ms, 10s or 5m"},
        {"wait_endless", "wait: inf\n", "f.yaml:1: wait: inf is out of range; use 1ms to 10s"},
        {"list_is_text", "list: a\n", "f.yaml:1: list: must be a list of texts"},
        {"list_of_maps", "list: [{a: b}]\n", "f.yaml:1: list: must be a list of texts"},
        {"map_is_text", "map: a\n",
         "f.yaml:1: map: must be a map of keys and values\nf.yaml:1: map.inner: is required"},
        {"items_is_map", "items: {a: b}\n", "f.yaml:1: items: must be a list"},
        {"item_is_text", "items:\n- name: a\n- b\n", "f.yaml:3: items[1]: must be a map of keys and values"},
        {"item_key", "items:\n- name: a\n  nmae: b\n", "f.yaml:3: items[0].nmae: unknown key; known here: name"},
        {"root_is_list", "- a\n", "f.yaml:1: must be a map of keys and values"},
        {"two_documents", "text: a\n---\ntext: b\n", "f.yaml:2: only one YAML document is read"},
        {"comma_outside_of_a_list", "{text: a}\n,\n", "f.yaml:2: only one YAML document is read"},
        {"comma_alone", ",", "f.yaml:1: only one YAML document is read"},
        {"not_yaml", "text: a\nlist: [a\n", "f.yaml:3: not valid YAML: end of sequence flow not found"},
        {"all_at_once_by_line", "unknown: 1\nwhole: 99\nflag: 1\n",
         "f.yaml:1: unknown: unknown key; known here: flag, items, list, map, number, text, wait, whole\n"
         "f.yaml:2: whole: 99 is out of range; use 1 to 10\n"
         "f.yaml:3: flag: must be true or false"},
    }),
    [](const auto& info) { return info.param.name; });

TEST(YamlReader, ComplaintsFromOutsidePointAtElements) {
  YamlReader reader("f.yaml", "map:\n  words:\n  - a\n  - b\n");
  YamlReader::Map root = reader.Root();
  auto map = root.GetMap("map");
  map->Complain("words[1]", "bad word");
  map->Complain("words[9]", "no such element");
  map->Complain("absent", "never written");
  map->Complain("", "as a whole");
  EXPECT_EQ(std::string(reader.status().message()),
            "f.yaml:1: map.absent: never written\nf.yaml:1: map: as a whole\n"
            "f.yaml:2: map.words[9]: no such element\nf.yaml:4: map.words[1]: bad word");
}

TEST(YamlReader, KeysInOrder) {
  YamlReader reader("f.yaml", "b: 1\na: 2\n");
  EXPECT_THAT(reader.Root().Keys(), ElementsAre("b", "a"));
  EXPECT_TRUE(reader.Root().Has("a"));
  EXPECT_FALSE(reader.Root().Has("c"));
}

}  // namespace
}  // namespace headgate
