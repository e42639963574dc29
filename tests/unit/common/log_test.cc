// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "common/log.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace headgate {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;

std::string Logged(LogSeverity severity, const std::string& message) {
  testing::internal::CaptureStderr();
  LogLine(severity, "some/folder/file.cc", 7, message);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, OneLineWithTimeSeverityAndPlace) {
  EXPECT_THAT(Logged(LogSeverity::kWarning, "hello"),
              MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:]+\\.[0-9]+Z WARNING file\\.cc:7 hello\n"));
}

TEST(Log, ControlCharactersCannotForgeALine) {
  EXPECT_THAT(Logged(LogSeverity::kInfo, "a\nb\x1b\x7f"), EndsWith("a\\x0ab\\x1b\\x7f\n"));
}

TEST(Log, LongLinesAreCut) {
  const std::string line = Logged(LogSeverity::kInfo, std::string(5000, 'x'));
  EXPECT_LE(line.size(), 1024u);
  EXPECT_THAT(line, EndsWith("...\n"));
}

TEST(Log, BelowTheMinimumNothingIsJoined) {
  int evaluated = 0;
  const auto argument = [&] {
    ++evaluated;
    return "x";
  };
  testing::internal::CaptureStderr();
  HG_LOG(Debug, argument());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(evaluated, 0);
  SetLogSeverity(LogSeverity::kDebug);
  testing::internal::CaptureStderr();
  HG_LOG(Debug, argument());
  SetLogSeverity(LogSeverity::kInfo);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("DEBUG log_test.cc:"));
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace headgate
