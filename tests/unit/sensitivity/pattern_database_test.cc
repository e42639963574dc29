// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/pattern_database.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Matches(const PatternDatabase& database, std::string_view text) {
  std::vector<std::string> matches;
  const absl::Status status = database.Scan(text, [&](size_t pattern, size_t begin, size_t end) {
    matches.push_back(std::to_string(pattern) + ":" + std::string(text.substr(begin, end - begin)));
  });
  EXPECT_TRUE(status.ok()) << status;
  return matches;
}

TEST(PatternDatabase, ReportsWhereMatchesBeginAndEnd) {
  const auto database = PatternDatabase::Compile({{"[0-9]{3}", false}, {"ab", true}});
  ASSERT_TRUE(database.ok()) << database.status();
  EXPECT_THAT(Matches(*database, "x1234 aB"), ElementsAre("0:123", "0:234", "1:aB"));
  EXPECT_THAT(Matches(*database, ""), ElementsAre());
}

TEST(PatternDatabase, NamesThePatternThatDoesNotCompile) {
  for (const char* const expression : {"a(b", "a+", "x*", "a|bc"}) {
    const auto database = PatternDatabase::Compile({{"ok", false}, {expression, false}});
    EXPECT_EQ(database.status().code(), absl::StatusCode::kInvalidArgument) << expression;
    EXPECT_THAT(std::string(database.status().message()), HasSubstr(expression));
  }
}

TEST(PatternDatabase, AScanThatThrowsIsNotComplete) {
  const auto database = PatternDatabase::Compile({{"a", false}});
  ASSERT_TRUE(database.ok());
  const absl::Status status =
      database->Scan("xxax", [](size_t, size_t, size_t) { throw std::runtime_error("a validator broke"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Matches(*database, "a"), ElementsAre("0:a")) << "the scratch must stay usable";
}

TEST(PatternDatabase, DatabasesAndThreadsShareNothing) {
  const auto small = PatternDatabase::Compile({{"a", false}});
  const auto large = PatternDatabase::Compile({{"[0-9]{17}x", false}, {"b[a-z]{60}", true}, {"c", false}});
  ASSERT_TRUE(small.ok() && large.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        EXPECT_THAT(Matches(*small, "ca"), ElementsAre("0:a"));
        EXPECT_THAT(Matches(*large, "ca"), ElementsAre("2:c"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace headgate::router
