// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "router/admission.h"

namespace headgate::router {
namespace {

using Request = v1::GenerateRequest;

// A request that uses every field within its range.
Request Good() {
  Request request;
  request.set_model("m");
  v1::Message* system = request.add_messages();
  system->set_role(v1::ROLE_SYSTEM);
  system->set_content("be brief");
  v1::Message* user = request.add_messages();
  user->set_role(v1::ROLE_USER);
  user->set_content("天气 🌦");
  user->set_name("alice");
  v1::Message* assistant = request.add_messages();
  assistant->set_role(v1::ROLE_ASSISTANT);
  assistant->set_reasoning_content("thinking");
  v1::ToolCall* call = assistant->add_tool_calls();
  call->set_id("call-1");
  call->set_name("weather");
  call->set_arguments("{not json, and allowed");
  v1::Message* tool = request.add_messages();
  tool->set_role(v1::ROLE_TOOL);
  tool->set_tool_call_id("call-1");
  v1::Tool* offered = request.add_tools();
  offered->set_name("weather");
  offered->set_parameters_json("{\"type\":\"object\"}");
  request.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_FUNCTION);
  request.mutable_tool_choice()->set_function_name("weather");
  v1::Sampling* sampling = request.mutable_sampling();
  sampling->set_temperature(2);
  sampling->set_top_p(1);
  sampling->set_top_k(1'000'000);
  sampling->set_min_p(0);
  sampling->set_repetition_penalty(10);
  sampling->set_presence_penalty(-2);
  sampling->set_frequency_penalty(2);
  sampling->set_seed(UINT64_MAX);
  request.set_max_tokens(393216);
  request.add_stop(std::string(256, 's'));
  request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
  request.mutable_response_format()->set_json_schema("{}");
  request.set_priority(v1::PRIORITY_BATCH);
  request.set_declared_sensitivity(v1::SENSITIVITY_LEVEL_RESTRICTED);
  request.set_session(std::string(256, 's'));
  request.set_user(std::string(256, 'u'));
  return request;
}

TEST(ValidateRequest, EverythingWithinRange) {
  EXPECT_TRUE(ValidateRequest(Good(), {}).ok()) << ValidateRequest(Good(), {});
  Request prompt;
  prompt.set_prompt("Once");
  EXPECT_TRUE(ValidateRequest(prompt, {}).ok());
}

struct Row {
  const char* name;
  std::function<void(Request&)> spoil;
  const char* complaint;
};

class ValidateRequestTest : public testing::TestWithParam<Row> {};

TEST_P(ValidateRequestTest, NamesTheField) {
  Request request = Good();
  GetParam().spoil(request);
  const absl::Status status = ValidateRequest(request, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), GetParam().complaint);
}

template <typename E>
E Unknown(int value) {
  return static_cast<E>(value);
}
const std::string kBadUtf8 = "a\xff\xfe";
std::string Tower(int depth) { return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}"; }

INSTANTIATE_TEST_SUITE_P(
    Messages, ValidateRequestTest,
    testing::ValuesIn(std::vector<Row>{
        {"none", [](Request& r) { r.clear_messages(); r.clear_tools(); },
         "messages: at least one message, or a prompt, is required"},
        {"too_many", [](Request& r) { for (int i = 0; i < 1024; ++i) r.add_messages()->CopyFrom(r.messages(0)); },
         "messages: more than 1024"},
        {"too_many_tool_calls",
         [](Request& r) {
           auto& calls = *r.mutable_messages(2)->mutable_tool_calls();
           while (calls.size() < 1025) {
             calls.Add()->CopyFrom(calls[0]);
             calls[calls.size() - 1].set_id("more_" + std::to_string(calls.size()));
           }
         },
         "messages[2].tool_calls[1024]: more than 1024 in this conversation"},
        {"and_prompt", [](Request& r) { r.set_prompt("p"); }, "prompt: exclusive with messages; give one of them"},
        {"no_role", [](Request& r) { r.mutable_messages(1)->clear_role(); }, "messages[1].role: is required"},
        {"unknown_role", [](Request& r) { r.mutable_messages(1)->set_role(Unknown<v1::Role>(9)); },
         "messages[1].role: unknown value 9; use 1 to 4"},
        {"negative_role", [](Request& r) { r.mutable_messages(1)->set_role(Unknown<v1::Role>(-1)); },
         "messages[1].role: unknown value -1; use 1 to 4"},
        {"empty", [](Request& r) { r.mutable_messages(1)->clear_content(); }, "messages[1].content: must not be empty"},
        {"utf8", [](Request& r) { r.mutable_messages(1)->set_content(kBadUtf8); },
         "messages[1].content: not valid UTF-8"},
        {"utf8_surrogate", [](Request& r) { r.mutable_messages(1)->set_content("\xed\xa0\x80"); },
         "messages[1].content: not valid UTF-8"},
        {"long_name", [](Request& r) { r.mutable_messages(1)->set_name(std::string(65, 'n')); },
         "messages[1].name: longer than 64 bytes"},
        {"reasoning_of_user", [](Request& r) { r.mutable_messages(1)->set_reasoning_content("x"); },
         "messages[1].reasoning_content: only with the assistant role"},
        {"calls_of_user", [](Request& r) { r.mutable_messages(1)->add_tool_calls(); },
         "messages[1].tool_calls: only with the assistant role"},
        {"call_without_id", [](Request& r) { r.mutable_messages(2)->mutable_tool_calls(0)->clear_id(); },
         "messages[2].tool_calls[0].id: is required"},
        {"call_id_twice",
         [](Request& r) { r.mutable_messages(2)->add_tool_calls()->CopyFrom(r.messages(2).tool_calls(0)); },
         "messages[2].tool_calls[1].id: is used twice in this conversation"},
        {"call_name", [](Request& r) { r.mutable_messages(2)->mutable_tool_calls(0)->set_name("get weather"); },
         "messages[2].tool_calls[0].name: must be 1 to 64 characters of A-Z, a-z, 0-9, _ -"},
        {"tool_without_id", [](Request& r) { r.mutable_messages(3)->clear_tool_call_id(); },
         "messages[3].tool_call_id: is required with the tool role"},
        {"tool_answers_nothing", [](Request& r) { r.mutable_messages(3)->set_tool_call_id("call-2"); },
         "messages[3].tool_call_id: answers no earlier tool call"},
        {"call_id_of_user", [](Request& r) { r.mutable_messages(1)->set_tool_call_id("call-1"); },
         "messages[1].tool_call_id: only with the tool role"},
        {"prompt_utf8", [](Request& r) { r.Clear(); r.set_prompt(kBadUtf8); }, "prompt: not valid UTF-8"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Tools, ValidateRequestTest,
    testing::ValuesIn(std::vector<Row>{
        {"too_many", [](Request& r) { for (int i = 0; i < 128; ++i) r.add_tools()->set_name("t" + std::to_string(i)); },
         "tools: more than 128"},
        {"with_prompt", [](Request& r) { r.clear_messages(); r.set_prompt("p"); }, "tools: only with messages"},
        {"no_name", [](Request& r) { r.mutable_tools(0)->clear_name(); },
         "tools[0].name: must be 1 to 64 characters of A-Z, a-z, 0-9, _ -"},
        {"same_name", [](Request& r) { r.add_tools()->set_name("weather"); }, "tools[1].name: is used twice"},
        {"parameters_not_json", [](Request& r) { r.mutable_tools(0)->set_parameters_json("{"); },
         "tools[0].parameters_json: must be a JSON object"},
        {"parameters_list", [](Request& r) { r.mutable_tools(0)->set_parameters_json("[]"); },
         "tools[0].parameters_json: must be a JSON object"},
        {"parameters_deep", [](Request& r) { r.mutable_tools(0)->set_parameters_json(Tower(65)); },
         "tools[0].parameters_json: nested deeper than 64"},
        {"parameters_very_deep", [](Request& r) { r.mutable_tools(0)->set_parameters_json(std::string(500'000, '[')); },
         "tools[0].parameters_json: nested deeper than 64"},
        {"unknown_choice", [](Request& r) { r.mutable_tool_choice()->set_mode(Unknown<v1::ToolChoice::Mode>(7)); },
         "tool_choice.mode: unknown value 7; use 0 to 4"},
        {"choice_of_none", [](Request& r) { r.mutable_tool_choice()->set_function_name("rain"); },
         "tool_choice.function_name: is not one of the tools"},
        {"name_without_function", [](Request& r) { r.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_AUTO); },
         "tool_choice.function_name: only with MODE_FUNCTION"},
        {"required_without_tools",
         [](Request& r) {
           r.clear_tools();
           r.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_REQUIRED);
           r.mutable_tool_choice()->clear_function_name();
         },
         "tool_choice.mode: needs tools"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Numbers, ValidateRequestTest,
    testing::ValuesIn(std::vector<Row>{
        {"temperature", [](Request& r) { r.mutable_sampling()->set_temperature(2.5f); },
         "sampling.temperature: 2.5 is out of range; use 0 to 2"},
        {"temperature_nan", [](Request& r) { r.mutable_sampling()->set_temperature(std::nanf("")); },
         "sampling.temperature: nan is out of range; use 0 to 2"},
        {"temperature_infinite", [](Request& r) { r.mutable_sampling()->set_temperature(HUGE_VALF); },
         "sampling.temperature: inf is out of range; use 0 to 2"},
        {"top_p_zero", [](Request& r) { r.mutable_sampling()->set_top_p(0); }, "sampling.top_p: must be above 0"},
        {"top_p", [](Request& r) { r.mutable_sampling()->set_top_p(1.5f); },
         "sampling.top_p: 1.5 is out of range; use 0 to 1"},
        {"top_k", [](Request& r) { r.mutable_sampling()->set_top_k(-1); },
         "sampling.top_k: -1 is out of range; use 0 to 1000000"},
        {"min_p", [](Request& r) { r.mutable_sampling()->set_min_p(-0.5f); },
         "sampling.min_p: -0.5 is out of range; use 0 to 1"},
        {"repetition_zero", [](Request& r) { r.mutable_sampling()->set_repetition_penalty(0); },
         "sampling.repetition_penalty: must be above 0"},
        {"repetition", [](Request& r) { r.mutable_sampling()->set_repetition_penalty(11); },
         "sampling.repetition_penalty: 11 is out of range; use 0 to 10"},
        {"presence", [](Request& r) { r.mutable_sampling()->set_presence_penalty(3); },
         "sampling.presence_penalty: 3 is out of range; use -2 to 2"},
        {"frequency", [](Request& r) { r.mutable_sampling()->set_frequency_penalty(-3); },
         "sampling.frequency_penalty: -3 is out of range; use -2 to 2"},
        {"no_tokens", [](Request& r) { r.set_max_tokens(0); }, "max_tokens: 0 is out of range; use 1 to 393216"},
        {"many_tokens", [](Request& r) { r.set_max_tokens(393217); },
         "max_tokens: 393217 is out of range; use 1 to 393216"},
    }),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Others, ValidateRequestTest,
    testing::ValuesIn(std::vector<Row>{
        {"model", [](Request& r) { r.set_model(std::string(257, 'm')); }, "model: longer than 256 bytes"},
        {"n_many", [](Request& r) { r.set_n(2); }, "n: only 1 through the router"},
        {"logprobs", [](Request& r) { r.set_logprobs(0); }, "logprobs: is not offered through the router"},
        {"stop_tokens", [](Request& r) { r.add_stop_token_ids(1); },
         "stop_token_ids: is not offered through the router"},
        {"logit_bias", [](Request& r) { (*r.mutable_sampling()->mutable_logit_bias())[1] = 1; },
         "sampling.logit_bias: is not offered through the router"},
        {"stop_many", [](Request& r) { for (int i = 0; i < 16; ++i) r.add_stop("x"); }, "stop: more than 16"},
        {"stop_empty", [](Request& r) { r.add_stop(""); }, "stop[1]: must not be empty"},
        {"stop_long", [](Request& r) { r.add_stop(std::string(257, 's')); }, "stop[1]: longer than 256 bytes"},
        {"format", [](Request& r) { r.mutable_response_format()->set_type(Unknown<v1::ResponseFormat::Type>(4)); },
         "response_format.type: unknown value 4; use 0 to 3"},
        {"schema_missing", [](Request& r) { r.mutable_response_format()->clear_json_schema(); },
         "response_format.json_schema: must be a JSON object"},
        {"schema_large",
         [](Request& r) { r.mutable_response_format()->set_json_schema("{}" + std::string(64 << 10, ' ')); },
         "response_format.json_schema: longer than 65536 bytes"},
        {"schema_deep", [](Request& r) { r.mutable_response_format()->set_json_schema(Tower(65)); },
         "response_format.json_schema: nested deeper than 64"},
        {"schema_without_type",
         [](Request& r) { r.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_TEXT); },
         "response_format.json_schema: only with TYPE_JSON_SCHEMA"},
        {"priority", [](Request& r) { r.set_priority(Unknown<v1::Priority>(4)); },
         "priority: unknown value 4; use 0 to 3"},
        {"level", [](Request& r) { r.set_declared_sensitivity(Unknown<v1::SensitivityLevel>(5)); },
         "declared_sensitivity: unknown value 5; use 0 to 4"},
        {"session", [](Request& r) { r.set_session(std::string(257, 's')); }, "session: longer than 256 bytes"},
        {"user", [](Request& r) { r.set_user(kBadUtf8); }, "user: not valid UTF-8"},
    }),
    [](const auto& info) { return info.param.name; });

TEST(ValidateRequest, DepthCountsBracketsOutsideStringsOnly) {
  Request request = Good();
  request.mutable_tools(0)->set_parameters_json(Tower(64));
  EXPECT_TRUE(ValidateRequest(request, {}).ok());
  request.mutable_tools(0)->set_parameters_json("{\"a\\\"\":\"" + std::string(1000, '[') + "\"}");
  EXPECT_TRUE(ValidateRequest(request, {}).ok());
}

TEST(ValidateRequest, TheTextLimitCountsAllStrings) {
  Request request;
  v1::Message* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(std::string(60, 'x'));
  request.set_user(std::string(40, 'u'));
  LimitsConfig limits;
  limits.prompt_bytes_max = 100;
  EXPECT_TRUE(ValidateRequest(request, limits).ok());
  limits.prompt_bytes_max = 99;
  EXPECT_EQ(std::string(ValidateRequest(request, limits).message()),
            "messages: the request's text is longer than 99 bytes");
  request.clear_messages();
  request.set_prompt(std::string(60, 'x'));
  EXPECT_EQ(std::string(ValidateRequest(request, limits).message()),
            "prompt: the request's text is longer than 99 bytes");
}

TEST(ValidateRequest, TheUnspecifiedIsAllowedWhereDocumented) {
  Request request = Good();
  request.clear_priority();
  request.clear_declared_sensitivity();
  request.clear_sampling();
  request.clear_max_tokens();
  request.clear_response_format();
  request.clear_tool_choice();
  EXPECT_TRUE(ValidateRequest(request, {}).ok());
}

}  // namespace
}  // namespace headgate::router
