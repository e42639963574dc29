// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/calls.h"

#include <map>

#include "gtest/gtest.h"
#include "services/router/openai_json.h"

namespace headgate::services {
namespace {

using Sent = std::multimap<std::string, std::string>;

HeaderLookup Headers(const Sent& sent) {
  return [&sent](std::string_view name) {
    std::vector<std::string_view> values;
    const auto [begin, end] = sent.equal_range(std::string(name));
    for (auto at = begin; at != end; ++at) values.push_back(at->second);
    return values;
  };
}

std::string KeyFrom(const Sent& sent) {
  router::RequestHead head;
  EXPECT_TRUE(ReadHead(Headers(sent), [](size_t size) { return std::string(size, 'r'); }, head).ok());
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

TEST(TimeoutOfTest, OneNumberOfSeconds) {
  EXPECT_EQ(TimeoutOf(Headers({})).value(), absl::InfiniteDuration());
  const struct {
    const char* value;
    absl::Duration timeout;  // zero: refused
  } rows[] = {
      {"30", absl::Seconds(30)},  {"0.25", absl::Milliseconds(250)},
      {"86400", absl::Hours(24)}, {"86401", {}},
      {"0", {}},                  {"-1", {}},
      {"nan", {}},                {"inf", {}},
      {"", {}},                   {"30s", {}},
      {"30, 40", {}},
  };
  for (const auto& row : rows) {
    const Sent sent = {{"x-headgate-timeout", row.value}};
    const auto timeout = TimeoutOf(Headers(sent));
    EXPECT_EQ(timeout.value_or(absl::ZeroDuration()), row.timeout) << row.value;
    EXPECT_EQ(ParamOf(timeout.status()), row.timeout > absl::ZeroDuration() ? "" : "x-headgate-timeout") << row.value;
  }
  const Sent twice = {{"x-headgate-timeout", "30"}, {"x-headgate-timeout", "30"}};
  EXPECT_EQ(ParamOf(TimeoutOf(Headers(twice)).status()), "x-headgate-timeout");
}

}  // namespace
}  // namespace headgate::services
