// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// `headgate classify`: whole files, bad lines, and text for people.
#include <gmock/gmock.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/router/router_world.h"

namespace headgate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class ClassifyCommandTest : public RouterWorld {
 protected:
  Ended Classify(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "classify");
    return Run(BinaryPath("headgate"), std::move(arguments), {});
  }
  std::vector<Json> Lines(const std::string& path) {
    std::vector<Json> lines;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

TEST_F(ClassifyCommandTest, EveryLineComesBackWithItsFieldsAndTheVerdict) {
  const struct {
    const char* name;
    std::string line;
    bool sensitive;
    const char* level;
    const char* reason;  // type of the first, empty: none
    const char* field;
  } rows[] = {
      {"nothing", R"({"id":"1","messages":[{"role":"user","content":"Why is the sky blue?"}]})", false, "public", "",
       ""},
      {"plain text", R"({"id":"2","text":"call 13812345678"})", true, "confidential", "PHONE_CN_MOBILE",
       "messages[0].content"},
      {"system message",
       R"({"id":"3","messages":[{"role":"system","content":"card 4111111111111111"},{"role":"user","content":"hi"}]})",
       true, "restricted", "BANK_CARD", "messages[0].content"},
      {"arguments as text",
       R"({"id":"4","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":)"
       R"({"name":"f","arguments":"{\"card\":\"4111111111111111\"}"}}]}]})",
       true, "restricted", "BANK_CARD", "messages[0].tool_calls[0].arguments"},
      {"arguments as an object",
       R"({"id":"5","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":)"
       R"({"card":"4111111111111111"}}}]}]})",
       true, "restricted", "BANK_CARD", "messages[0].tool_calls[0].arguments"},
  };
  std::string in;
  for (const auto& row : rows) absl::StrAppend(&in, row.line.substr(0, row.line.size() - 1), R"(,"mine":[1]})", "\n");
  const Ended ended = Classify({"--jsonl", Write("in.jsonl", in), Path("out.jsonl")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  const std::vector<Json> lines = Lines(Path("out.jsonl"));
  ASSERT_EQ(lines.size(), std::size(rows));
  for (size_t i = 0; i < lines.size(); ++i) {
    SCOPED_TRACE(rows[i].name);
    EXPECT_EQ(lines[i]["id"], std::to_string(i + 1));
    EXPECT_EQ(lines[i]["mine"], Json({1}));
    EXPECT_EQ(lines[i]["sensitive"], rows[i].sensitive);
    EXPECT_EQ(lines[i]["level"], rows[i].level);
    EXPECT_EQ(lines[i]["score"].get<double>() >= 0.5, rows[i].sensitive);
    EXPECT_EQ(lines[i]["reasons"].empty(), *rows[i].reason == '\0');
    if (lines[i]["reasons"].empty()) continue;
    EXPECT_EQ(lines[i]["reasons"][0]["type"], rows[i].reason);
    EXPECT_EQ(lines[i]["reasons"][0]["field"], rows[i].field);
    EXPECT_THAT(lines[i]["reasons"].dump(), AllOf(Not(HasSubstr("4111")), Not(HasSubstr("1381"))));
  }
}

TEST_F(ClassifyCommandTest, ABadLineIsNamedAndSensitiveAndTheRestIsRead) {
  const std::string in = Write("in.jsonl", R"({"id":"1","text":"hello"})"
                                           "\nnot json\n"
                                           R"({"id":"3"})"
                                           "\n\n"
                                           R"({"id":"5","messages":[{"role":"user","content":[{"type":"image_url"}]}]})"
                                           "\n"
                                           R"({"id":"6","text":"hello"})"
                                           "\n");
  const Ended ended = Classify({"--jsonl", in, Path("out.jsonl")});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("in.jsonl:2: "), HasSubstr("in.jsonl:3: "), HasSubstr("in.jsonl:5: "),
                               HasSubstr("3 lines"), Not(HasSubstr("in.jsonl:6"))));
  const std::vector<Json> lines = Lines(Path("out.jsonl"));
  ASSERT_EQ(lines.size(), 5u);
  const bool sensitive[] = {false, true, true, true, false};
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i]["sensitive"], sensitive[i]) << i;
  EXPECT_EQ(lines[2]["id"], "3");
}

TEST_F(ClassifyCommandTest, StandardOutputIsAFileToo) {
  const Ended ended = Classify({"--jsonl", Write("in.jsonl", R"({"id":"7","text":"hello"})"), "-"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(Json::parse(ended.out)["id"], "7");
}

TEST_F(ClassifyCommandTest, MarksTheSpansForPeople) {
  const Ended plain = Classify({"my", "card", "4111111111111111", "please"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_THAT(plain.out, AllOf(HasSubstr("my card [4111111111111111] please"), HasSubstr("sensitive, level restricted"),
                               HasSubstr("BANK_CARD")));
  EXPECT_THAT(Classify({"--color", "4111111111111111"}).out, HasSubstr("\x1b[1;31m4111111111111111\x1b[0m"));
  EXPECT_THAT(Classify({"Why is the sky blue?"}).out, HasSubstr("not sensitive, level public"));
}

TEST_F(ClassifyCommandTest, WrongUseIsSaid) {
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    const char* says;
  } rows[] = {
      {"no input", {"--jsonl", "/nonexistent/in", Path("out")}, "/nonexistent/in"},
      {"no output", {"--jsonl", Write("in", ""), "/nonexistent/out"}, "/nonexistent/out"},
      {"one file", {"--jsonl", "in"}, "--jsonl"},
      {"no configuration", {"--config", "/nonexistent/router.yaml", "x"}, "/nonexistent/router.yaml"},
      {"unknown tenant", {"--tenant", "nobody", "x"}, "nobody"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    const Ended ended = Classify(row.arguments);
    EXPECT_NE(ended.code, 0);
    EXPECT_THAT(ended.out + ended.err, HasSubstr(row.says));
  }
}

}  // namespace
}  // namespace headgate
