// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/digest.h"

namespace headgate::services {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string ManyKeys(int count) {
  std::string out = "{";
  for (int i = 0; i < count; ++i) absl::StrAppend(&out, i > 0 ? "," : "", "\"k", i, "\":1");
  return out + "}";
}

TEST(ParseJsonTest, RefusesWhatTwoParsersCouldReadDifferently) {
  const struct {
    const char* name;
    std::string text;
    const char* complaint;  // empty: accepted
  } rows[] = {
      {"plain", R"({"a":[1,2.5,"x",null,true,{"b":{}}]})", ""},
      {"same key in two objects", R"([{"a":1},{"a":2}])", ""},
      {"duplicate key", R"({"a":1,"a":2})", "duplicate key a"},
      {"duplicate key, one escaped", R"({"a":1,"\u0061":2})", "duplicate key a"},
      {"duplicate key below", R"({"x":[{"b":1,"c":2,"b":3}]})", "duplicate key b"},
      {"duplicate key that could be content", R"({"a b":1,"a b":2})", "duplicate key (unusual name)"},
      {"invalid UTF-8", "{\"a\":\"\xff\"}", "syntax error"},
      {"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", "syntax error"},
      {"lone surrogate", R"({"a":"\ud800"})", "syntax error"},
      {"surrogate pair", R"({"a":"\ud83d\ude00"})", ""},
      {"raw control character", "{\"a\":\"\n\"}", "syntax error"},
      {"comment", "{/*x*/}", "syntax error"},
      {"trailing comma", "{\"a\":1,}", "syntax error"},
      {"trailing text", "{} x", "syntax error"},
      {"two documents", "{}{}", "syntax error"},
      {"empty", "", "syntax error"},
      {"NaN", "{\"a\":NaN}", "syntax error"},
      {"number out of range", "{\"a\":1e999}", "syntax error"},
      {"truncated", R"({"a":"b)", "syntax error"},
      {"deepest", Nested(kJsonDepthMax), ""},
      {"too deep", Nested(kJsonDepthMax + 1), "nested deeper"},
      {"absurdly deep", std::string(1 << 20, '['), "nested deeper"},
      {"most keys", ManyKeys(kJsonKeysMax), ""},
      {"too many keys", ManyKeys(kJsonKeysMax + 1), "keys in one object"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const auto json = ParseJson(row.text);
    EXPECT_EQ(json.ok(), *row.complaint == '\0') << json.status();
    EXPECT_THAT(std::string(json.status().message()), HasSubstr(row.complaint));
  }
}

TEST(ParseJsonTest, ComplaintsDoNotQuoteTheBody) {
  const auto json = ParseJson(R"({"a":"canary-1234", canary-5678})");
  ASSERT_FALSE(json.ok());
  EXPECT_THAT(std::string(json.status().message()), Not(HasSubstr("canary")));
}

TEST(ParseJsonTest, KeepsTheOrderOfKeysAndEveryValue) {
  const std::string text = R"({"zeta":{"b":[1,[],{}],"a":"\n"},"alpha":[true,false,null,-5,1.5]})";
  const auto json = ParseJson(text);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->dump(), text);
}

// Whatever is done to a body, it is read as nlohmann's parser reads it; what only that accepts has a key twice.
TEST(ParseJsonTest, AgreesWithTheOtherParserOnDamagedBodies) {
  const std::string whole =
      R"({"model":"m","n":[0,-1,18446744073709551615,1.5e3,-0.25],"s":"a\n\u00e9\ud83d\ude00 \\ \" 中",)"
      R"( "t":{"u":true,"v":null,"w":[[],{}]}})";
  constexpr std::string_view kBytes = "\"\\{}[]:,0-.eu \xC3\xA9\xF0\x80\n";
  const RandomBytes random = SeededRandom(11);
  int accepted = 0;
  for (int i = 0; i < 40000; ++i) {
    std::string text = whole;
    const std::string dice = random(8);
    const auto die = [&dice](size_t k) { return static_cast<size_t>(static_cast<unsigned char>(dice[k])); };
    for (size_t k = 0; k < 1 + die(0) % 2; ++k) {
      const size_t at = die(1 + 3 * k) % text.size();
      if (die(2 + 3 * k) % 3 == 0) text.erase(at, 1);
      if (die(2 + 3 * k) % 3 == 1) text[at] = kBytes[die(3 + 3 * k) % kBytes.size()];
      if (die(2 + 3 * k) % 3 == 2) text.insert(at, 1, kBytes[die(3 + 3 * k) % kBytes.size()]);
    }
    const auto ours = ParseJson(text);
    const Json theirs = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!ours.ok()) {
      const bool twice = ours.status().message().find("duplicate") != std::string::npos;
      EXPECT_TRUE(theirs.is_discarded() || twice) << text;
      continue;
    }
    ++accepted;
    ASSERT_FALSE(theirs.is_discarded()) << text;
    EXPECT_EQ(ours->dump(), theirs.dump()) << text;
  }
  EXPECT_GT(accepted, 1000);
}

TEST(AppendJsonStringTest, RoundTripsEveryByteThatMayOccur) {
  std::string all = "\xe6\xb0\xb4\xe9\x97\xa8 \xf0\x9f\x98\x80 </script> \xe2\x80\xa8";
  for (char c = 0; c < 127; ++c) all.push_back(c);
  all.push_back('\x7f');
  std::string out;
  AppendJsonString(out, all);
  const auto json = ParseJson(out);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->get<std::string>(), all);
  for (const unsigned char c : out) EXPECT_GE(c, 0x20);
}

TEST(JsonFieldsTest, FirstComplaintWinsAndNamesTheField) {
  const auto json = ParseJson(R"({"a":"x","b":1,"c":null,"weird key":1})");
  ASSERT_TRUE(json.ok());
  absl::Status status;
  JsonFields fields(*json, "body.inner", status);
  std::string text;
  EXPECT_TRUE(fields.Get("a", &text));
  EXPECT_FALSE(fields.Get("c", &text));
  EXPECT_TRUE(status.ok());
  EXPECT_FALSE(fields.Get("b", &text));
  EXPECT_EQ(ParamOf(status), "body.inner.b");
  fields.Finish();
  EXPECT_EQ(ParamOf(status), "body.inner.b");
}

TEST(JsonFieldsTest, UnknownFieldsAreNamedOnlyWhenTheyLookLikeNames) {
  absl::Status status;
  for (const char* odd : {R"({"my secret is 42":1})", R"({"11010519491231002X":1})", R"({"sk-4eC39HqLyjWD":1})"}) {
    status = absl::OkStatus();
    JsonFields(*ParseJson(odd), "", status).Finish();
    EXPECT_EQ(status.message(), "(unusual name): unknown field") << odd;
  }
  status = absl::OkStatus();
  const auto plain = ParseJson(R"({"frobnicate":1})");
  JsonFields(*plain, "", status).Finish();
  EXPECT_EQ(status.message(), "frobnicate: unknown field");
}

}  // namespace
}  // namespace headgate::services
