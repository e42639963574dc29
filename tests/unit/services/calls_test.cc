// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/calls.h"

#include <map>

#include "gtest/gtest.h"

namespace headgate::services {
namespace {

std::string KeyFrom(const std::multimap<std::string, std::string>& sent) {
  const auto headers = [&](std::string_view name) {
    std::vector<std::string_view> values;
    const auto [begin, end] = sent.equal_range(std::string(name));
    for (auto at = begin; at != end; ++at) values.push_back(at->second);
    return values;
  };
  router::RequestHead head;
  EXPECT_TRUE(ReadHead(headers, [](size_t size) { return std::string(size, 'r'); }, head).ok());
  return head.api_key;
}

// An empty key is nobody's, which may be let in; so whoever shows anything must not end with one.
TEST(ReadHeadTest, AKeyThatIsNotUnderstoodIsNotNone) {
  EXPECT_EQ(KeyFrom({}), "");
  EXPECT_EQ(KeyFrom({{"authorization", "Bearer key-a"}}), "key-a");
  EXPECT_EQ(KeyFrom({{"authorization", "bEARER  key-a "}}), "key-a");
  EXPECT_EQ(KeyFrom({{"x-api-key", "key-a"}}), "key-a");
  EXPECT_EQ(KeyFrom({{"authorization", "Bearer key-a"}, {"x-api-key", "key-b"}}), "key-a");
  const std::string unknown = KeyFrom({{"authorization", ""}});
  EXPECT_NE(unknown, "");
  EXPECT_EQ(KeyFrom({{"authorization", "Bearer "}}), unknown);
  EXPECT_EQ(KeyFrom({{"authorization", "key-a"}}), unknown);
  EXPECT_EQ(KeyFrom({{"authorization", "Basic key-a"}}), unknown);
  EXPECT_EQ(KeyFrom({{"authorization", "Basic x"}, {"x-api-key", "key-b"}}), unknown);
  EXPECT_EQ(KeyFrom({{"x-api-key", ""}}), unknown);
  EXPECT_EQ(KeyFrom({{"authorization", "Bearer key-a"}, {"authorization", "Bearer key-b"}}), unknown);
}

}  // namespace
}  // namespace headgate::services
