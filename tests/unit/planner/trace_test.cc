// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/trace.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "planner/random.h"
#include "planner/scenario.h"

namespace headgate::planner {
namespace {

constexpr char kHead[] = "arrival_s,input_tokens,output_tokens,client,prefix,sensitive\n";

TEST(ParseTrace, ReadsEveryColumn) {
  const auto trace =
      ParseTrace("t.csv", absl::StrCat(kHead, "0.5,1000,20,a,7-8,1\n0.5,510,1,b,8,0\n9,1005,0,a,8-7,\n"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->requests.size(), 3u);
  EXPECT_EQ(trace->requests[0].block_count, 2u);
  ASSERT_EQ(trace->blocks.size(), 5u);
  EXPECT_EQ(trace->blocks[3], trace->blocks[1]) << "the same client's block";
  EXPECT_EQ(trace->blocks[4], trace->blocks[0]);
  EXPECT_NE(trace->blocks[2], trace->blocks[1]) << "another client's";
  EXPECT_EQ(trace->requests[0].sensitivity, TraceRequest::Class::kSensitive);
  EXPECT_EQ(trace->requests[1].sensitivity, TraceRequest::Class::kOrdinary);
  EXPECT_EQ(trace->requests[2].sensitivity, TraceRequest::Class::kUnknown);
  EXPECT_EQ(trace->clients.size(), 2u);
  EXPECT_EQ(trace->requests[2].client, 0u);
}

TEST(ParseTrace, Complaints) {
  const struct {
    const char* name;
    std::string text, complaint;
  } rows[] = {
      {"empty", "", "t.csv:1: the file is empty"},
      {"no requests", kHead, "t.csv:2: holds no requests"},
      {"unknown column", "arrival_s,input_tokens,output_tokens,tokens\n1,1,1,1\n", "t.csv:1: tokens: unknown column"},
      {"column missing", "arrival_s,input_tokens\n1,1\n", "t.csv:1: output_tokens: this column is required"},
      {"column twice", "arrival_s,arrival_s,input_tokens,output_tokens\n", "t.csv:1: arrival_s: is there twice"},
      {"short row", absl::StrCat(kHead, "1,2\n"), "t.csv:2: row: has 2 columns, the header 6"},
      {"disorder", absl::StrCat(kHead, "5,1,1,a,,\n4,1,1,a,,\n"),
       "t.csv:3: arrival_s: 4 comes before the line above (5)"},
      {"not a number", absl::StrCat(kHead, "x,1,1,a,,\n"), "t.csv:2: arrival_s: \"x\" is no number"},
      {"nan", absl::StrCat(kHead, "nan,1,1,a,,\n"), "t.csv:2: arrival_s: \"nan\" is no number"},
      {"negative time", absl::StrCat(kHead, "-1,1,1,a,,\n"), "t.csv:2: arrival_s: -1 is absurd"},
      {"absurd tokens", absl::StrCat(kHead, "1,99999999,1,a,,\n"), "t.csv:2: input_tokens: 99999999 is absurd"},
      {"half a token", absl::StrCat(kHead, "1,1.5,1,a,,\n"), "t.csv:2: input_tokens: \"1.5\" is no whole number"},
      {"no tokens", absl::StrCat(kHead, "1,0,0,a,,\n"), "t.csv:2: row: a request without any tokens"},
      {"binary", "\x1b[31m\x01,b\n1,2\n", "t.csv:1: \\x1b[31m\\x01: unknown column"},
      {"bad block", absl::StrCat(kHead, "1,600,1,a,1-x,\n"), "t.csv:2: prefix: must be numbers"},
      {"too many blocks", absl::StrCat(kHead, "1,10,1,a,1-2-3,\n"),
       "t.csv:2: prefix: 3 blocks of 512 tokens do not fit"},
      {"block twice", absl::StrCat(kHead, "1,2000,1,a,1-2-1,\n"), "t.csv:2: prefix: a block is there twice"},
      {"hexadecimal", absl::StrCat(kHead, "0x10,10,1,a,,\n"), "t.csv:2: arrival_s: \"0x10\" is no number"},
      {"begins late", absl::StrCat(kHead, "300000,10,1,a,,\n"),
       "t.csv:2: arrival_s: the first request comes at 300000 s"},
      {"seconds since 1970", absl::StrCat(kHead, "1795000000,10,1,a,,\n"), "t.csv:2: arrival_s: 1.795e+09 is absurd"},
      {"no client", absl::StrCat(kHead, "1,10,1,,,\n"), "t.csv:2: client: must not be empty"},
      {"odd client", absl::StrCat(kHead, "1,10,1,a\x1b,,\n"),
       "t.csv:2: client: \"a\\x1b\" holds a control character"},
      {"empty line", absl::StrCat(kHead, "1,10,1,a,,\n\n2,10,1,a,,\n"), "t.csv:3: row: has 1 columns, the header 6"},
      {"byte order mark", absl::StrCat("\xef\xbb\xbf", kHead), "t.csv:1: \\xef\\xbb\\xbf"},
      {"quoted comma", absl::StrCat(kHead, "1,10,1,\"a,b\",,\n"), "t.csv:2: row: has 7 columns, the header 6"},
      {"absurd answer", absl::StrCat(kHead, "1,10,393217,a,,\n"), "t.csv:2: output_tokens: 393217 is absurd"},
      {"bad class", absl::StrCat(kHead, "1,10,1,a,,yes\n"), "t.csv:2: sensitive: must be 0 or 1"},
  };
  for (const auto& row : rows) {
    const auto trace = ParseTrace("t.csv", row.text);
    ASSERT_FALSE(trace.ok()) << row.name;
    EXPECT_TRUE(absl::StartsWith(trace.status().message(), row.complaint)) << row.name << ": " << trace.status();
  }
}

TEST(ParseTrace, AGapIsANoteNotAGuess) {
  const auto trace = ParseTrace("t.csv", absl::StrCat(kHead, "0,1,1,a,,\n7200,1,1,a,,\n"));
  ASSERT_TRUE(trace.ok());
  ASSERT_EQ(trace->notes.size(), 1u);
  EXPECT_TRUE(absl::StrContains(trace->notes[0], "line 3 and takes 7200 s"));
}

// Whatever the bytes: a trace or a message, never a crash, and what was read obeys the order.
TEST(ParseTrace, SurvivesDamage) {
  const std::string good = absl::StrCat(kHead, "0.5,1000,20,a,7-8,1\n0.75,10,1,b,,0\n9,5,0,a,,\n");
  Random random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (uint64_t edits = 1 + random.Below(4); edits > 0; --edits) {
      const size_t at = random.Below(text.size());
      if (random.Uniform() < 0.5)
        text[at] = static_cast<char>(random.Below(256));
      else
        text.erase(at, 1 + random.Below(5));
      if (text.empty()) break;
    }
    const auto trace = ParseTrace("t.csv", text);
    if (!trace.ok()) {
      EXPECT_TRUE(absl::StartsWith(trace.status().message(), "t.csv:")) << trace.status();
      continue;
    }
    for (size_t r = 1; r < trace->requests.size(); ++r) {
      ASSERT_LE(trace->requests[r - 1].arrival_s, trace->requests[r].arrival_s);
    }
  }
}

TEST(GenerateTrace, IsWhatWasAskedFor) {
  GeneratorOptions options;
  options.hours = 2;
  options.requests_per_second = 5;
  options.reused_prefix = 0.3;
  options.sensitive_share = 0.25;
  const auto trace = GenerateTrace(options);
  ASSERT_TRUE(trace.ok());
  const double count = static_cast<double>(trace->requests.size());
  EXPECT_NEAR(count, 36'000, 1500);
  double sensitive = 0;
  for (const TraceRequest& r : trace->requests) sensitive += r.sensitivity == TraceRequest::Class::kSensitive;
  EXPECT_NEAR(sensitive / count, 0.25, 0.02);
  EXPECT_EQ(FormatTrace(*trace), FormatTrace(*GenerateTrace(options)));
  const auto again = ParseTrace("t.csv", FormatTrace(*trace));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->requests.size(), trace->requests.size());
  options.seed = 2;
  EXPECT_NE(FormatTrace(*trace), FormatTrace(*GenerateTrace(options)));
  options.hours = -1;
  EXPECT_TRUE(absl::StartsWith(GenerateTrace(options).status().message(), "hours: -1 is out of range"));
}

TEST(ParseScenario, ComplainsWithLineAndKey) {
  const auto scenario =
      ParseScenario("s.yaml", "scaling: {replica_hour_micro_units: 1}\nreplay: {seed: -1, spare: 2}\n");
  ASSERT_FALSE(scenario.ok());
  const std::string message(scenario.status().message());
  for (const char* part :
       {"s.yaml:1: scaling.prefill_tokens_per_second: is required", "s.yaml:2: replay.start: is required",
        "s.yaml:2: replay.seed: -1 is out of range", "s.yaml:2: replay.spare: unknown key"}) {
    EXPECT_TRUE(absl::StrContains(message, part)) << part << " in " << message;
  }
}

}  // namespace
}  // namespace headgate::planner
