// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/validation.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace headgate::engine {
namespace {

constexpr char kGood[] = "messages { role: ROLE_USER content: 'hi' } ";

struct Row {
  const char* name;
  std::string text;   // GenerateRequest in text format
  const char* field;  // nullptr = good
};

std::string Repeat(const std::string& text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

const Row kRows[] = {
    {"chat", kGood, nullptr},
    {"completion", "prompt: 'hi'", nullptr},
    {"neither", "", "messages"},
    {"both", std::string(kGood) + "prompt: 'hi'", "prompt"},
    {"no_role", "messages { content: 'hi' }", "messages[0].role"},
    {"unknown_role", std::string(kGood) + "messages { role: 9 }", "messages[1].role"},
    {"too_many_messages", Repeat(kGood, 1025), "messages"},
    {"long_name", "messages { role: ROLE_USER name: '" + std::string(65, 'x') + "' }", "messages[0].name"},
    {"tool_calls_of_a_user", "messages { role: ROLE_USER tool_calls { name: 'f' } }", "messages[0].tool_calls"},
    {"tool_call_bad_name", "messages { role: ROLE_ASSISTANT tool_calls { name: 'f g' } }",
     "messages[0].tool_calls[0].name"},
    {"tool_call_id_of_a_user", "messages { role: ROLE_USER tool_call_id: 'x' }", "messages[0].tool_call_id"},
    {"reasoning_of_a_user", "messages { role: ROLE_USER reasoning_content: 'x' }", "messages[0].reasoning_content"},
    {"temperature_bounds", std::string(kGood) + "sampling { temperature: 2 }", nullptr},
    {"temperature_high", std::string(kGood) + "sampling { temperature: 2.01 }", "sampling.temperature"},
    {"temperature_nan", std::string(kGood) + "sampling { temperature: nan }", "sampling.temperature"},
    {"temperature_infinite", std::string(kGood) + "sampling { temperature: inf }", "sampling.temperature"},
    {"top_p_zero", std::string(kGood) + "sampling { top_p: 0 }", "sampling.top_p"},
    {"top_k_negative", std::string(kGood) + "sampling { top_k: -1 }", "sampling.top_k"},
    {"min_p_high", std::string(kGood) + "sampling { min_p: 1.5 }", "sampling.min_p"},
    {"repetition_zero", std::string(kGood) + "sampling { repetition_penalty: 0 }", "sampling.repetition_penalty"},
    {"presence_low", std::string(kGood) + "sampling { presence_penalty: -2.5 }", "sampling.presence_penalty"},
    {"frequency_high", std::string(kGood) + "sampling { frequency_penalty: 3 }", "sampling.frequency_penalty"},
    {"max_tokens_zero", std::string(kGood) + "max_tokens: 0", "max_tokens"},
    {"max_tokens_huge", std::string(kGood) + "max_tokens: 393217", "max_tokens"},
    {"stop_empty", std::string(kGood) + "stop: 'a' stop: ''", "stop[1]"},
    {"stop_long", std::string(kGood) + "stop: '" + std::string(257, 'x') + "'", "stop[0]"},
    {"too_many_stops", std::string(kGood) + Repeat("stop: 'a' ", 17), "stop"},
    {"logit_bias", std::string(kGood) + "sampling { logit_bias { key: 7 value: -100 } }", nullptr},
    {"logit_bias_high", std::string(kGood) + "sampling { logit_bias { key: 7 value: 101 } }", "sampling.logit_bias[7]"},
    {"logit_bias_nan", std::string(kGood) + "sampling { logit_bias { key: 7 value: nan } }", "sampling.logit_bias[7]"},
    {"logprobs", std::string(kGood) + "logprobs: 0", nullptr},
    {"logprobs_many", std::string(kGood) + "logprobs: 21", "logprobs"},
    {"choices", std::string(kGood) + "n: 8", nullptr},
    {"too_many_choices", std::string(kGood) + "n: 9", "n"},
    {"too_many_stop_tokens", std::string(kGood) + Repeat("stop_token_ids: 1 ", 17), "stop_token_ids"},
    {"grammar", "prompt: 'x' response_format { type: TYPE_GRAMMAR json_schema: 'root ::= \"a\"' }", nullptr},
    {"grammar_missing", std::string(kGood) + "response_format { type: TYPE_GRAMMAR }", "response_format.json_schema"},
    {"grammar_long", std::string(kGood) + "response_format { type: TYPE_GRAMMAR json_schema: '" +
                         std::string((16 << 10) + 1, 'x') + "' }",
     "response_format.json_schema"},
    {"grammar_with_tools",
     std::string(kGood) + "tools { name: 'f' } response_format { type: TYPE_GRAMMAR json_schema: 'x' }",
     "response_format.type"},
    {"format_unknown", std::string(kGood) + "response_format { type: 7 }", "response_format.type"},
    {"schema_missing", std::string(kGood) + "response_format { type: TYPE_JSON_SCHEMA }",
     "response_format.json_schema"},
    {"schema_not_json", std::string(kGood) + "response_format { type: TYPE_JSON_SCHEMA json_schema: '{' }",
     "response_format.json_schema"},
    {"schema_deep",
     std::string(kGood) + "response_format { type: TYPE_JSON_SCHEMA json_schema: '" + Repeat("{\"a\":", 80) + "1" +
         Repeat("}", 80) + "' }",
     "response_format.json_schema"},
    {"schema_without_type", std::string(kGood) + "response_format { json_schema: '{}' }",
     "response_format.json_schema"},
    {"schema_good", std::string(kGood) + "response_format { type: TYPE_JSON_SCHEMA json_schema: '{}' }", nullptr},
    {"json_of_a_completion", "prompt: 'x' response_format { type: TYPE_JSON_OBJECT }", "response_format.type"},
    {"tool_good", std::string(kGood) + "tools { name: 'f' parameters_json: '{}' }", nullptr},
    {"tool_no_name", std::string(kGood) + "tools { }", "tools[0].name"},
    {"tool_twice", std::string(kGood) + "tools { name: 'f' } tools { name: 'f' }", "tools[1].name"},
    {"tool_bad_parameters", std::string(kGood) + "tools { name: 'f' parameters_json: '[]' }",
     "tools[0].parameters_json"},
    {"too_many_tools", std::string(kGood) + Repeat("tools { name: 'f' } ", 129), "tools"},
    {"tools_of_a_completion", "prompt: 'x' tools { name: 'f' }", "tools"},
    {"choice_unknown", std::string(kGood) + "tool_choice { mode: 9 }", "tool_choice.mode"},
    {"choice_without_tools", std::string(kGood) + "tool_choice { mode: MODE_REQUIRED }", "tool_choice.mode"},
    {"choice_of_no_tool",
     std::string(kGood) + "tools { name: 'f' } tool_choice { mode: MODE_FUNCTION function_name: 'g' }",
     "tool_choice.function_name"},
    {"priority_unknown", std::string(kGood) + "priority: 9", "priority"},
    {"sensitivity_unknown", std::string(kGood) + "declared_sensitivity: -1", "declared_sensitivity"},
    {"session_long", std::string(kGood) + "session: '" + std::string(257, 'x') + "'", "session"},
    {"user_long", std::string(kGood) + "user: '" + std::string(257, 'x') + "'", "user"},
};

TEST(ValidateGenerate, Table) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    v1::GenerateRequest request;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.text, &request));
    const absl::Status status = ValidateGenerate(request);
    if (row.field == nullptr) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), testing::StartsWith(std::string(row.field) + ": "));
  }
}

TEST(ValidateCountTokens, NamesTheField) {
  v1::CountTokensRequest request;
  EXPECT_EQ(ValidateCountTokens(request).code(), absl::StatusCode::kInvalidArgument);
  request.set_prompt("hi");
  EXPECT_TRUE(ValidateCountTokens(request).ok());
}

}  // namespace
}  // namespace headgate::engine
