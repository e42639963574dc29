// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/cloud_prompt.h"

#include <utility>

#include "common/digest.h"

namespace headgate::router {
namespace {

// Field by field on purpose: a field added to the proto later stays here until someone decides that it may leave.
// Message.name stays too: like `user` it may name a person, and no answer depends on it.
void CopyMessage(const v1::Message& from, v1::Message* to) {
  to->set_role(from.role());
  to->set_content(from.content());
  for (const v1::ToolCall& call : from.tool_calls()) {
    v1::ToolCall* copy = to->add_tool_calls();
    copy->set_id(call.id());
    copy->set_name(call.name());
    copy->set_arguments(call.arguments());
  }
  to->set_tool_call_id(from.tool_call_id());
  to->set_reasoning_content(from.reasoning_content());
}

void CopySampling(const v1::Sampling& from, v1::Sampling* to) {
  if (from.has_temperature()) to->set_temperature(from.temperature());
  if (from.has_top_p()) to->set_top_p(from.top_p());
  if (from.has_presence_penalty()) to->set_presence_penalty(from.presence_penalty());
  if (from.has_frequency_penalty()) to->set_frequency_penalty(from.frequency_penalty());
}

v1::GenerateRequest CloudContent(const v1::GenerateRequest& from) {
  v1::GenerateRequest to;
  for (const v1::Message& message : from.messages()) CopyMessage(message, to.add_messages());
  to.set_prompt(from.prompt());
  if (from.has_sampling()) CopySampling(from.sampling(), to.mutable_sampling());
  if (from.has_max_tokens()) to.set_max_tokens(from.max_tokens());
  for (const std::string& stop : from.stop()) to.add_stop(stop);
  if (from.has_response_format()) {
    to.mutable_response_format()->set_type(from.response_format().type());
    to.mutable_response_format()->set_json_schema(from.response_format().json_schema());
  }
  for (const v1::Tool& tool : from.tools()) {
    v1::Tool* copy = to.add_tools();
    copy->set_name(tool.name());
    copy->set_description(tool.description());
    copy->set_parameters_json(tool.parameters_json());
  }
  if (from.has_tool_choice()) {
    to.mutable_tool_choice()->set_mode(from.tool_choice().mode());
    to.mutable_tool_choice()->set_function_name(from.tool_choice().function_name());
  }
  return to;
}

}  // namespace

absl::StatusOr<CloudPrompt> CloudPrompt::Make(CloudPermit permit, const std::string& request_id,
                                              const Prompt& prompt) {
  if (permit.request_id().empty() || !EqualConstantTime(permit.request_id(), request_id)) {
    return absl::InternalError("the cloud permit is for another request");
  }
  // Made anew from the bytes at hand: a digest carried along would only prove that it was carried along.
  if (permit.digest().empty() || !EqualConstantTime(permit.digest(), Prompt::DigestOf(prompt.content()))) {
    return absl::InternalError("the cloud permit is for other bytes");
  }
  return CloudPrompt(CloudContent(prompt.content()));
}

}  // namespace headgate::router
