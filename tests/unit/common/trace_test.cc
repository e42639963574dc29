// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/trace.h"

#include <gtest/gtest.h>

namespace headgate {
namespace {

constexpr char kGood[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Row {
  const char* name;
  const char* header;
  bool good;
};

class Traceparent : public testing::TestWithParam<Row> {};

TEST_P(Traceparent, IsReadOrIgnored) {
  const auto context = ParseTraceparent(GetParam().header);
  ASSERT_EQ(context.has_value(), GetParam().good);
  if (context) {
    EXPECT_EQ(context->Header(), kGood);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , Traceparent,
    testing::Values(Row{"good", kGood, true},
                    Row{"later_version", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true},
                    Row{"later_version_longer", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", true},
                    Row{"later_version_run_on", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x", false},
                    Row{"longer", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false},
                    Row{"version_ff", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
                    Row{"upper_case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
                    Row{"no_trace", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
                    Row{"no_parent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
                    Row{"no_flags", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-", false},
                    Row{"other_separator", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
                    Row{"line_break", "00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01", false},
                    Row{"empty", "", false}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(TraceContextTest, AChildIsInTheSameTraceAndHasASpanOfItsOwn) {
  const auto parent = ParseTraceparent(kGood);
  ASSERT_TRUE(parent.has_value());
  const TraceContext child = ChildOf(*parent, [](size_t bytes) { return std::string(bytes, '\x2a'); });
  EXPECT_EQ(child.Header(), "00-4bf92f3577b34da6a3ce929d0e0e4736-2a2a2a2a2a2a2a2a-01");
}

}  // namespace
}  // namespace headgate
