// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/schema_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <json-schema-to-grammar.h>
#include <json.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "engine/backend/llama_json.h"

namespace headgate::engine {
namespace {

using testing::HasSubstr;

// `count` pieces, each with its number in place of $0.
std::string Many(int count, const std::string& piece) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, i > 0 ? "," : "", absl::Substitute(piece, i));
  return all;
}

std::string Object(int properties, int required = 0) {
  return absl::StrCat(R"({"type":"object","properties":{)", Many(properties, R"("p$0":{})"), R"(},"required":[)",
                      Many(required, R"("p$0")"), "]}");
}

// Definitions d0 .. d<count - 1>, each with `uses` references to the next; the last one is a string.
std::string Chain(int count, int uses) {
  std::string definitions;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&definitions, "\"d", i, R"(":{"type":"array","items":[)");
    absl::StrAppend(&definitions, Many(uses, absl::StrCat(R"({"$$ref":"#/$$defs/d)", i + 1, "\"}")), "]},");
  }
  return absl::StrCat(R"({"$defs":{)", definitions, "\"d", count, R"(":{"type":"string"}},"$ref":"#/$defs/d0"})");
}

TEST(SchemaLimitsTest, WhatWouldEndOrStopTheProcessIsRefused) {
  const std::string long_name(300, 'n');
  const struct {
    const char* name;
    std::string schema;
    const char* refusal;  // "" = none
  } rows[] = {
      {"anything", "{}", ""},
      {"a tree", R"({"$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},"r":{"$ref":"#/$defs/t"}}}},
         "$ref":"#/$defs/t"})", ""},
      {"each refers to each", R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/c"}]},
         "b":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/c"}]},"c":{"type":"array","items":{"$ref":"#/$defs/a"}}},
         "$ref":"#/$defs/a"})", ""},
      {"a reference to itself", R"({"$defs":{"a":{"$ref":"#/$defs/a"}},"allOf":[{"$ref":"#/$defs/a"}]})",
       "references only"},
      {"references in a circle", R"({"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},
         "allOf":[{"anyOf":[{"$ref":"#/$defs/a"}]}]})", "references only"},
      {"a reference to nowhere", R"({"$ref":"#/$defs/a"})", ""},
      {"long chain", Chain(30, 1), ""},
      {"chain too long", Chain(40, 1), "nested deeper than 32"},
      {"twice as much in each", Chain(10, 2), ""},
      {"a billion in a few lines", Chain(30, 2), "10000 nodes"},
      {"a name", absl::StrCat(R"({"properties":{")", long_name.substr(0, 256), R"(":{}}})"), ""},
      {"a long name", absl::StrCat(R"({"properties":{")", long_name, R"(":{}},"required":[")", long_name, R"("]})"),
       "longer than 256"},
      {"many optional", Object(100), ""},
      {"too many optional", Object(101), "100 optional"},
      {"required ones do not count", Object(1000, 950), ""},
      {"in parts", absl::StrCat(R"({"allOf":[)", Object(60), ",", Object(60), "]}"), "100 optional"},
      {"in parts by reference", absl::StrCat(R"({"$defs":{"o":)", Object(60), R"(},"allOf":[{"$ref":"#/$defs/o"},
         {"anyOf":[{"$ref":"#/$defs/o"}]}]})"), "100 optional"},
      {"many objects", absl::StrCat(R"({"$defs":{"o":)", Object(90), R"(},"items":[)",
                                    Many(6, R"({"$$ref":"#/$$defs/o"})"), "]}"), "500 optional"},
      {"many ways", absl::StrCat(R"({"anyOf":[)", Many(100, R"({"const":$0})"), "]}"), ""},
      {"too many ways", absl::StrCat(R"({"oneOf":[)", Many(101, R"({"const":$0})"), "]}"), "100 alternatives"},
      {"types of types", R"({"type":["array","array","array"],"items":{"type":["array","array","array"],"items":
         {"type":["array","array","array"],"items":{"type":["array","array","array"],"items":{"type":["array","array",
         "array"],"items":{}}}}}})", "100 alternatives"},
      {"patterns", absl::StrCat(R"({"items":[)", Many(2, R"({"pattern":"^[a-z]{$0,2000}$$"})"), "]}"), ""},
      {"long patterns", absl::StrCat(R"({"pattern":"^)", std::string(4096, 'a'), R"($"})"), "4096 bytes"},
      {"values", absl::StrCat(R"({"enum":[)", Many(1000, "\"v$0\""), "]}"), ""},
      {"too many values", absl::StrCat(R"({"enum":[)", Many(1001, "\"v$0\""), "]}"), "1000 enum values"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const absl::Status status = CheckSchema("response_format.json_schema", row.schema);
    if (*row.refusal != 0) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()), HasSubstr(row.refusal));
      continue;
    }
    EXPECT_TRUE(status.ok()) << status;
    try {
      EXPECT_FALSE(json_schema_to_grammar(common_json::parse(row.schema)).empty());
    } catch (const std::exception&) {  // llama.cpp's own refusal
      EXPECT_STREQ(row.name, "a reference to nowhere");
    }
  }
}

}  // namespace
}  // namespace headgate::engine
