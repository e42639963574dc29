// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/published_examples.h"

#include "gtest/gtest.h"

namespace headgate::router {
namespace {

TEST(PublishedExamples, AreTheseAndNothingElse) {
  const struct {
    const char* name;
    const char* value;
    bool is;
  } rows[] = {
      {"aws_id", "AKIAIOSFODNN7EXAMPLE", true},
      {"aws_secret_with_its_name", "ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", true},
      {"oauth_client_and_the_next_parameter", "s6BhdRkqt3&state", true},
      {"iban_in_groups", "GB82 WEST 1234 5698 7654 32", true},
      {"piece_of_a_token", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJle", true},
      {"another_key", "AKIAIOSFODNN7EXAMPLF", false},
      {"a_key_behind_it", "AKIAIOSFODNN7EXAMPLE AKIA5JQWERTY7ZXCVB2M", false},
      {"a_value_behind_it", "s6BhdRkqt3&p4ssw0rd", false},
      {"a_name_that_is_a_secret", "hunter22=s6BhdRkqt3", false},
      {"short_piece", "eyJ0eXAiOiJKV1Q", false},
      {"another_iban", "GB82 WEST 1234 5698 7654 33", false},
      {"nothing", "", false},
      {"signs", "=&=", false},
      {"next_before_equals", "a&b=c", false},
  };
  for (const auto& row : rows) EXPECT_EQ(IsPublishedExample(row.value), row.is) << row.name;
}

}  // namespace
}  // namespace headgate::router
