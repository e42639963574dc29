// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/number_patterns.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace headgate::router {
namespace {

// What is found, in text() and then in joined().
std::vector<std::string> Found(const std::string& expression, const std::string& text) {
  const auto patterns = NumberPatterns::Compile({expression});
  if (!patterns.ok()) return {std::string(patterns.status().message())};
  const CanonicalText canonical = CanonicalText::Make(text);
  std::vector<std::string> found;
  for (const bool joined : {false, true}) {
    if (joined && !canonical.has_joined()) continue;
    const std::string_view view = joined ? canonical.joined() : canonical.text();
    patterns->Scan(canonical, joined,
                   [&](size_t, size_t begin, size_t end) { found.emplace_back(view.substr(begin, end - begin)); });
  }
  return found;
}

TEST(NumberPatterns, FindsWhereANumberMayBegin) {
  const struct {
    const char* name;
    const char* expression;
    const char* text;
    std::vector<std::string> found;
  } rows[] = {
      {"alone", "1[3-9][0-9]{4}", "call 138123 now", {"138123"}},
      {"begins a longer one", "1[3-9][0-9]{4}", "1381234567", {"138123"}},
      {"inside of one", "1[3-9][0-9]{4}", "00138123", {}},
      {"behind a country code", "1[3-9][0-9]{4}", "86138123 a 0086138123 b +86138123", {"138123", "138123", "138123"}},
      {"behind another country's", "[2-9][0-9]{9}", "+14155552671", {"4155552671"}},
      {"a digit that the class lacks", "[157][0-9]{3}", "2345", {}},
      {"class of two", "[48]00[0-9]{3}", "400123 a 800123 b 900123", {"400123", "800123"}},
      {"too short", "[0-9]{6}", "12345", {}},
      {"cross", "[0-9]{5}[0-9Xx]", "12345x a 12345X b 123456 c 12345", {"12345x", "12345X", "123456"}},
      {"plus", "\\+[1-9][0-9]{3}", "+4420 a 4420 b +0420", {"+4420"}},
      {"separated", "[0-9]{8}", "12-34-56-78", {"12345678"}},
      {"from every group on", "[0-9]{6}", "12 34 56 78", {"123456", "345678"}},
      {"not from within a group", "[0-9]{6}", "1234 5678", {"123456"}},
      {"once where nothing separates", "[0-9]{6}", "123456 and 1 2 3 4 5 6", {"123456", "123456"}},
      {"separated cross", "[0-9]{17}[0-9Xx]", "110105 19491231 002 X", {"11010519491231002X"}},
      {"no digits", "[0-9]{3}", "none at all", {}},
  };
  for (const auto& row : rows) EXPECT_EQ(Found(row.expression, row.text), row.found) << row.name;
}

TEST(NumberPatterns, RefusesWhatIsNoneOfDigits) {
  for (const char* expression :
       {"", "[a-z]{3}", "[0-9", "[0-9]{", "[0-9]{x}", "[0-9]{0}", "[0-9Xx][0-9]", "[]", "1.2", "[0-9]{33}"}) {
    EXPECT_EQ(NumberPatterns::Compile({expression}).status().code(), absl::StatusCode::kInvalidArgument) << expression;
  }
}

}  // namespace
}  // namespace headgate::router
