// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/metrics.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate {
namespace {

using testing::HasSubstr;

TEST(Metrics, SameNameAndLabelsAreTheSameMetric) {
  Metrics metrics;
  metrics.GetCounter("c_total", "help", {{"k", "a"}}).Increment();
  metrics.GetCounter("c_total", "help", {{"k", "a"}}).Increment(2);
  metrics.GetCounter("c_total", "help", {{"k", "b"}}).Increment();
  EXPECT_EQ(metrics.GetCounter("c_total", "help", {{"k", "a"}}).Value(), 3);
  EXPECT_EQ(metrics.GetCounter("c_total", "help", {{"k", "b"}}).Value(), 1);
}

TEST(Metrics, AnInfoReplacesTheOneBefore) {
  Metrics metrics;
  metrics.SetInfo("info", "what there is", {{"names", "a"}}, 1);
  metrics.SetInfo("info", "what there is", {{"names", "a"}}, 2);
  EXPECT_NE(metrics.Text().find("info{names=\"a\"} 2\n"), std::string::npos);
  metrics.SetInfo("info", "what there is", {{"names", "a,b"}}, 3);
  EXPECT_NE(metrics.Text().find("info{names=\"a,b\"} 3\n"), std::string::npos);
  EXPECT_EQ(metrics.Text().find("info{names=\"a\"}"), std::string::npos);
}

TEST(Metrics, Text) {
  Metrics metrics;
  metrics.GetCounter("c_total", "Counts.", {{"k", "a"}}).Increment();
  metrics.GetGauge("g", "Measures.").Set(2.5);
  metrics.GetHistogram("h_seconds", "Times.", {0.1, 1}).Observe(0.5);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("# HELP c_total Counts.\n# TYPE c_total counter\nc_total{k=\"a\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("g 2.5\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("h_seconds_bucket{le=\"1\"} 1\n"));
}

}  // namespace
}  // namespace headgate
