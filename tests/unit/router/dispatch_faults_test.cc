// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Every fault an upstream can show, as tables: how the request ends, where, after how many attempts and how long.

#include "tests/unit/router/dispatch_world.h"

namespace headgate::router {
namespace {

struct CloudRow {
  const char* name;
  Scripts scripts;
  StatusCode code = StatusCode::kOk;
  std::string text = {};
  const char* reason = "everyday";  // first of the route; `everyday` = answered by the cloud
  int cloud = 1, local = 0;         // attempts
  absl::Duration took_min = {}, took_max = {};
  const char* breaker = "closed";
  absl::Duration deadline = Seconds(600);
};

class CloudFaultTest : public testing::TestWithParam<CloudRow> {};

TEST_P(CloudFaultTest, EndsAsTheTableSays) {
  const CloudRow& row = GetParam();
  World world;
  world.CloudAnswers(row.scripts);
  const Result result = world.Everyday(row.deadline);
  EXPECT_EQ(result.status.code(), row.code) << result.status;
  EXPECT_EQ(result.text, row.text);
  EXPECT_EQ(result.finished, row.code == StatusCode::kOk);
  EXPECT_EQ(result.attempts.cloud, row.cloud);
  EXPECT_EQ(result.attempts.local, row.local);
  EXPECT_EQ(world.cloud.calls(), row.cloud);
  EXPECT_GE(result.took, row.took_min);
  EXPECT_LE(result.took, row.took_max);
  EXPECT_EQ(std::string(world.dispatch->breaker().state()), row.breaker);
  if (result.committed) {
    EXPECT_EQ(result.route.reasons(0), row.reason);
    EXPECT_EQ(result.route.target(), row.local > 0 ? v1::Route::TARGET_LOCAL : v1::Route::TARGET_CLOUD);
    EXPECT_EQ(result.route.model(), row.local > 0 ? "fake" : "deepseek-flash");
    EXPECT_EQ(result.route.request_id(), "req-1");
  }
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(
    Rows, CloudFaultTest,
    testing::ValuesIn(std::vector<CloudRow>{
        {"answer", {kCloudAnswer}, StatusCode::kOk, "cloud"},
        {"slow_answer", {Script::Answer({"clo", "ud"}).After(Seconds(29)).Every(Seconds(299))}, StatusCode::kOk,
         "cloud", "everyday", 1, 0, Seconds(627), Seconds(627), "closed", Seconds(3000)},
        {"finish_only", {Script::Answer({})}, StatusCode::kOk, ""},
        {"empty_deltas_are_not_lost", {Script::Answer({"", "", "cloud"})}, StatusCode::kOk, "cloud"},
        {"down_once", {Script::Fail(kDown), kCloudAnswer}, StatusCode::kOk, "cloud", "everyday", 2, 0, kNow,
         Milliseconds(100)},
        {"down_twice", {Script::Fail(kDown), Script::Fail(kDown), kCloudAnswer}, StatusCode::kOk, "cloud",
         "everyday", 3, 0, kNow, Milliseconds(300)},
        {"down_always", {Script::Fail(kDown)}, StatusCode::kOk, "local answer", "cloud_unavailable", 3, 1, kNow,
         Milliseconds(300)},
        {"down_after_empty_deltas", {Script::FailAfter({"", ""}, kDown), kCloudAnswer}, StatusCode::kOk, "cloud",
         "everyday", 2, 0, kNow, Milliseconds(100)},
        {"cut_before_content", {Script::Fail(absl::OkStatus()), kCloudAnswer}, StatusCode::kOk, "cloud",
         "everyday", 2, 0, kNow, Milliseconds(100)},
        {"down_with_retry_after", {Script::Fail(WithRetryAfter(kDown, Seconds(2))), kCloudAnswer}, StatusCode::kOk,
         "cloud", "everyday", 2, 0, Seconds(2), Seconds(2)},
        {"rate_limited", {Script::Fail(kBusy)}, StatusCode::kOk, "local answer", "cloud_rate_limited", 3, 1, kNow,
         Milliseconds(300)},
        {"rate_limited_with_retry_after", {Script::Fail(WithRetryAfter(kBusy, Seconds(3))), kCloudAnswer},
         StatusCode::kOk, "cloud", "everyday", 2, 0, Seconds(3), Seconds(3)},
        {"retry_after_beyond_the_cap", {Script::Fail(WithRetryAfter(kBusy, Seconds(60))), kCloudAnswer},
         StatusCode::kOk, "local answer", "cloud_rate_limited", 1, 1},
        {"retry_after_beyond_the_deadline", {Script::Fail(WithRetryAfter(kBusy, Seconds(5))), kCloudAnswer},
         StatusCode::kOk, "local answer", "cloud_rate_limited", 1, 1, kNow, kNow, "closed", Seconds(4)},
        {"key_refused", {Script::Fail(absl::UnauthenticatedError("401"))}, StatusCode::kOk, "local answer",
         "cloud_rejected", 1, 1, kNow, kNow, "open"},
        {"balance_spent", {Script::Fail(absl::FailedPreconditionError("402"))}, StatusCode::kOk, "local answer",
         "cloud_rejected", 1, 1, kNow, kNow, "open"},
        {"callers_error", {Script::Fail(absl::InvalidArgumentError("400"))}, StatusCode::kInvalidArgument},
        {"unexpected_error", {Script::Fail(absl::InternalError("?"))}, StatusCode::kOk, "local answer",
         "cloud_unavailable", 1, 1},
        {"no_first_token", {Script::StallAfter({}), kCloudAnswer}, StatusCode::kOk, "cloud", "everyday", 2, 0,
         Seconds(30), Seconds(31)},
        {"deadline_before_the_first_token", {Script::StallAfter({""})}, StatusCode::kDeadlineExceeded, "", "", 1,
         0, Seconds(10), Seconds(10), "closed", Seconds(10)},
        {"dies_after_content", {Script::FailAfter({"a", "b"}, kDown)}, StatusCode::kUnavailable, "ab"},
        {"dies_after_reasoning", {Bare(ReasoningEvent(), kDown)}, StatusCode::kUnavailable, "hm"},
        {"dies_after_a_tool_call", {Bare(ToolCallEvent(), kDown)}, StatusCode::kUnavailable, ""},
        {"is_cut_after_content", {Script::FailAfter({"a"}, absl::OkStatus())}, StatusCode::kUnavailable, "a"},
        {"is_rate_limited_after_content", {Script::FailAfter({"a"}, kBusy)}, StatusCode::kUnavailable, "a"},
        {"stalls_after_content", {Script::StallAfter({"a"})}, StatusCode::kUnavailable, "a", "everyday", 1, 0,
         Seconds(300), Seconds(300)},
        {"deadline_after_content", {Script::StallAfter({"a"})}, StatusCode::kDeadlineExceeded, "a", "everyday", 1,
         0, Seconds(20), Seconds(20), "closed", Seconds(20)},
    }),
    [](const auto& info) { return info.param.name; });
// clang-format on

struct LocalRow {
  const char* name;
  Scripts scripts;
  bool sensitive = true;
  StatusCode code = StatusCode::kOk;
  std::string text = "local";
  int local = 1;
  absl::Duration took_min = {}, took_max = {};
  absl::Duration deadline = Seconds(60);
};

class LocalFaultTest : public testing::TestWithParam<LocalRow> {};

TEST_P(LocalFaultTest, EndsAsTheTableSaysAndNeverInTheCloud) {
  const LocalRow& row = GetParam();
  World world;
  world.EnginesAnswer(row.scripts);
  const Result result = world.Local(row.sensitive, row.deadline);
  EXPECT_EQ(result.status.code(), row.code) << result.status;
  EXPECT_EQ(result.text, row.text);
  EXPECT_EQ(result.finished, row.code == StatusCode::kOk);
  EXPECT_EQ(result.attempts.local, row.local);
  EXPECT_GE(result.took, row.took_min);
  EXPECT_LE(result.took, row.took_max);
  EXPECT_EQ(world.cloud.calls(), 0);
  if (result.committed) {
    EXPECT_EQ(result.route.target(), v1::Route::TARGET_LOCAL);
  }
  if (row.code == StatusCode::kUnavailable && !result.committed) {
    EXPECT_TRUE(RetryAfter(result.status).has_value());
  }
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(
    Rows, LocalFaultTest,
    testing::ValuesIn(std::vector<LocalRow>{
        {"answer", {kLocalAnswer}},
        {"answer_not_sensitive", {kLocalAnswer}, false},
        {"one_down", {Script::Fail(kDown), kLocalAnswer}, true, StatusCode::kOk, "local", 2},
        {"one_full", {Script::Fail(kBusy), kLocalAnswer}, true, StatusCode::kOk, "local", 2},
        {"one_cannot_meet_the_deadline", {Script::Fail(absl::DeadlineExceededError("late")), kLocalAnswer}, true,
         StatusCode::kOk, "local", 2},
        {"both_full_for_a_moment", {Script::Fail(kBusy), Script::Fail(kBusy), kLocalAnswer}, true, StatusCode::kOk,
         "local", 3, Milliseconds(5), Milliseconds(100)},
        {"callers_error", {Script::Fail(absl::InvalidArgumentError("no"))}, true, StatusCode::kInvalidArgument, ""},
        {"unknown_model", {Script::Fail(absl::NotFoundError("no"))}, true, StatusCode::kNotFound, ""},
        {"kills_engines_before_the_first_token", {Script::Fail(kDown)}, true, StatusCode::kUnavailable, "", 3,
         kNow, Milliseconds(500)},
        {"one_stalls", {Script::StallAfter({}), kLocalAnswer}, true, StatusCode::kOk, "local", 2, Seconds(10),
         Seconds(11)},
        {"one_stalls_not_sensitive", {Script::StallAfter({""}), kLocalAnswer}, false, StatusCode::kOk, "local", 2,
         Seconds(10), Seconds(11)},
        {"all_stall", {Script::StallAfter({})}, true, StatusCode::kDeadlineExceeded, "", 3, Seconds(60), Seconds(60)},
        {"slow", {Script::Answer({"local"}).After(Seconds(9))}, true, StatusCode::kOk, "local", 1, Seconds(9),
         Seconds(9)},
        {"dies_after_content", {Script::FailAfter({"lo"}, kDown)}, true, StatusCode::kUnavailable, "lo"},
        {"stalls_after_content", {Script::StallAfter({"lo"})}, true, StatusCode::kDeadlineExceeded, "lo", 1,
         Seconds(60), Seconds(60)},
    }),
    [](const auto& info) { return info.param.name; });
// clang-format on

}  // namespace
}  // namespace headgate::router
