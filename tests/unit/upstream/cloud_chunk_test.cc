// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/upstream/cloud_chunk.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/digest.h"
#include "nlohmann/json.hpp"

namespace headgate::router {
namespace {

using Json = nlohmann::json;

constexpr char kUsual[] =
    R"({"id":"1","object":"chat.completion.chunk","created":1763800000,"model":"m","choices":[{"index":0,"delta":)"
    R"({"role":"assistant","content":"a\n\"b\" é 中 😀"},"logprobs":null,"finish_reason":null}],"usage":null})";

struct Row {
  const char* name;
  std::string chunk;
  bool plain;
  const char* content = "";
  const char* reasoning = "";
  const char* finish = "";
};

const Row kRows[] = {
    {"usual", kUsual, true, "a\n\"b\" é 中 😀"},
    {"reasoning", R"({"choices":[{"delta":{"content":null,"reasoning_content":"r"}}]})", true, "", "r"},
    {"finish", R"({"choices":[{"delta":{},"finish_reason":"stop"}]})", true, "", "", "stop"},
    {"blanks, other members", " { \"x\" : [1, -2, {\"y\": true}] , \"choices\" : [ { \"delta\" : null } ] } ", true},
    {"no choices", R"({"choices":[]})", true},
    {"all short escapes", R"({"choices":[{"delta":{"content":"\"\\\/\b\f\n\r\t"}}]})", true, "\"\\/\b\f\n\r\t"},
    {"error", R"({"error":{"message":"m"}})", false},
    {"usage", R"({"choices":[],"usage":{"prompt_tokens":1,"x":{},"prompt_cache_hit_tokens":null,)"
              R"("completion_tokens_details":{"reasoning_tokens":20,"y":[]}, "prompt_tokens_details":null}})", true},
    {"usage, negative", R"({"usage":{"prompt_tokens":-1}})", false},
    {"usage, a fraction", R"({"usage":{"prompt_tokens":1.5}})", false},
    {"usage twice", R"({"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}})", false},
    {"a count twice", R"({"usage":{"prompt_tokens":1,"prompt_tokens":2}})", false},
    {"tool calls", R"({"choices":[{"delta":{"tool_calls":[]}}]})", false},
    {"two choices", R"({"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]})", false},
    {"twice", R"({"choices":[{"delta":{"content":"a","content":"b"}}]})", false},
    {"unicode escape", R"({"choices":[{"delta":{"content":"\u00e9"}}]})", false},
    {"escaped key", R"({"choices":[{"delta":{"c\u006fntent":"a"}}]})", false},
    {"content is no text", R"({"choices":[{"delta":{"content":1}}]})", false},
    {"no object", "[]", false},
    {"cut", R"({"choices":[{"delta":{"content":"a)", false},
    {"more behind", R"({"choices":[]}x)", false},
    {"not UTF-8", "{\"choices\":[{\"delta\":{\"content\":\"\xC0\x80\"}}]}", false},
    {"surrogate", "{\"choices\":[{\"delta\":{\"content\":\"\xED\xA0\x80\"}}]}", false},
    {"control byte", "{\"choices\":[{\"delta\":{\"content\":\"\n\"}}]}", false},
    {"leading zero", R"({"choices":[],"x":01})", false},
    {"deep", "{\"x\":" + std::string(40, '[') + std::string(40, ']') + "}", false},
};

TEST(CloudChunkTest, ReadsWhatIsPlain) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto chunk = ReadPlainChunk(row.chunk);
    ASSERT_EQ(chunk.has_value(), row.plain);
    if (!chunk) continue;
    EXPECT_EQ(chunk->content, row.content);
    EXPECT_EQ(chunk->reasoning_content, row.reasoning);
    EXPECT_EQ(chunk->finish_reason, row.finish);
  }
}

std::string TextAt(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) && json.at(at).is_string() ? json.at(at).get<std::string>() : "";
}

int64_t NumberAt(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) && json.at(at).is_number_unsigned() ? json.at(at).get<int64_t>() : 0;
}

// What it accepts after damage, the whole parser accepts too, and reads the same.
TEST(CloudChunkTest, NeverReadsMoreThanTheWholeParser) {
  const RandomBytes random = SeededRandom(7);
  constexpr std::string_view kBytes = "\"\\{}[]:,0n \xC3\xA9\xF0\x80\n";
  int accepted = 0;
  for (int i = 0; i < 40000; ++i) {
    std::string chunk = kRows[static_cast<size_t>(i) % std::size(kRows)].chunk;
    const std::string dice = random(4);
    const auto die = [&dice](size_t k) { return static_cast<size_t>(static_cast<unsigned char>(dice[k])); };
    const size_t at = (die(0) * 256 + die(1)) % chunk.size();
    if (die(2) % 3 == 0) chunk.erase(at, 1);
    if (die(2) % 3 == 1) chunk[at] = kBytes[die(3) % kBytes.size()];
    if (die(2) % 3 == 2) chunk.insert(at, 1, kBytes[die(3) % kBytes.size()]);
    const auto plain = ReadPlainChunk(chunk);
    if (!plain) continue;
    ++accepted;
    const Json whole = Json::parse(chunk, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(whole.is_object()) << chunk;
    EXPECT_EQ(plain->content, TextAt(whole, "/choices/0/delta/content")) << chunk;
    EXPECT_EQ(plain->reasoning_content, TextAt(whole, "/choices/0/delta/reasoning_content")) << chunk;
    EXPECT_EQ(plain->finish_reason, TextAt(whole, "/choices/0/finish_reason")) << chunk;
    EXPECT_TRUE(!whole.contains("error") || whole["error"].is_null()) << chunk;
    EXPECT_EQ(plain->usage.has_value(), whole.contains("usage") && whole["usage"].is_object()) << chunk;
    if (!plain->usage) continue;
    EXPECT_EQ(plain->usage->prompt_tokens, NumberAt(whole, "/usage/prompt_tokens")) << chunk;
    EXPECT_EQ(plain->usage->prompt_cache_hit_tokens, NumberAt(whole, "/usage/prompt_cache_hit_tokens")) << chunk;
    EXPECT_EQ(plain->usage->reasoning_tokens, NumberAt(whole, "/usage/completion_tokens_details/reasoning_tokens"))
        << chunk;
  }
  EXPECT_GT(accepted, 1000);
}

// A reader that has seen others reads each as it would alone.
TEST(CloudChunkTest, WhatCameBeforeChangesNothing) {
  const auto chunk = [](const std::string& content, const char* finish = "null") {
    return R"({"id":"1","choices":[{"delta":{"content":")" + content + R"("},"finish_reason":)" + finish + "}]}";
  };
  std::vector<std::string> chunks = {chunk("a"), chunk("bc é"), chunk(""), chunk("\\n"), chunk("\xC0\x80"),
                                     chunk("d\n"), chunk("e\",\"content\":\"f"), chunk("g", "\"stop\""), chunk("h"),
                                     chunk("x\"}}],\"error\":{\"m\":\"y"), chunk("i").substr(1), chunk("j") + " "};
  for (const Row& row : kRows) chunks.push_back(row.chunk);
  for (const std::string& first : chunks) {
    for (const std::string& second : chunks) {
      ChunkReader reader;
      static_cast<void>(reader.Read(first));
      const auto got = reader.Read(second), alone = ReadPlainChunk(second);
      ASSERT_EQ(got.has_value(), alone.has_value()) << first << " then " << second;
      if (!got) continue;
      EXPECT_EQ(got->content, alone->content) << second;
      EXPECT_EQ(got->reasoning_content, alone->reasoning_content) << second;
      EXPECT_EQ(got->finish_reason, alone->finish_reason) << second;
    }
  }
}

}  // namespace
}  // namespace headgate::router
