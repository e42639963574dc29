// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/cloud_prompt.h"

#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/policy.h"

namespace headgate::router {

// The tests' own key to the gate: the friend that CloudPermit names, with another body. This binary does not link
// policy.cc.
Decision Policy::Decide(const std::string& request_id, const TenantConfig&, const Sensitivity& sensitivity, const Load&,
                        const FleetSnapshot&, const Budget&) const {
  Decision decision;
  decision.permit = CloudPermit(request_id, sensitivity.digest);
  return decision;
}

namespace {

using testing::UnorderedElementsAre;

static_assert(!std::is_copy_constructible_v<CloudPermit>);
static_assert(!std::is_copy_assignable_v<CloudPermit>);
static_assert(!std::is_default_constructible_v<CloudPermit>);
static_assert(!std::is_constructible_v<CloudPermit, std::string, std::string>);
static_assert(!std::is_copy_constructible_v<CloudPrompt>);
static_assert(!std::is_constructible_v<CloudPrompt, v1::GenerateRequest>);
static_assert(!std::is_constructible_v<CloudPrompt, Prompt>);

CloudPermit Permit(const std::string& request_id, const std::string& digest) {
  Sensitivity sensitivity;
  sensitivity.digest = digest;
  return *Policy(PolicyConfig()).Decide(request_id, TenantConfig(), sensitivity, Load(), FleetSnapshot()).permit;
}

v1::GenerateRequest Request(const std::string& content) {
  v1::GenerateRequest request;
  v1::Message* message = request.add_messages();
  message->set_role(v1::ROLE_USER);
  message->set_content(content);
  return request;
}

TEST(CloudPrompt, NeedsThePermitOfThisRequestAndTheseBytes) {
  const Prompt mine(Request("mine"));
  const Prompt other(Request("other"));
  const struct {
    const char* name;
    std::string permit_id, permit_digest, id;
    absl::StatusCode code;
  } rows[] = {
      {"exact", "r1", mine.digest(), "r1", absl::StatusCode::kOk},
      {"another request", "r1", mine.digest(), "r2", absl::StatusCode::kInternal},
      {"other bytes", "r1", other.digest(), "r1", absl::StatusCode::kInternal},
      {"no digest", "r1", "", "r1", absl::StatusCode::kInternal},
      {"part of the digest", "r1", mine.digest().substr(0, 31), "r1", absl::StatusCode::kInternal},
      {"no request", "", mine.digest(), "", absl::StatusCode::kInternal},
  };
  for (const auto& row : rows) {
    const auto made = CloudPrompt::Make(Permit(row.permit_id, row.permit_digest), row.id, mine);
    EXPECT_EQ(made.status().code(), row.code) << row.name;
    // What the error says may be logged.
    EXPECT_EQ(std::string(made.status().message()).find("mine"), std::string::npos) << row.name;
  }
}

// Every leaf of the message, set to a value that is not its default.
void FillAll(google::protobuf::Message* message) {
  using google::protobuf::FieldDescriptor;
  const auto* reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    const bool repeated = field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        FillAll(repeated ? reflection->AddMessage(message, field) : reflection->MutableMessage(message, field));
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        repeated ? reflection->AddString(message, field, "text") : reflection->SetString(message, field, "text");
        break;
      case FieldDescriptor::CPPTYPE_ENUM: reflection->SetEnumValue(message, field, 1); break;
      case FieldDescriptor::CPPTYPE_FLOAT: reflection->SetFloat(message, field, 0.5f); break;
      case FieldDescriptor::CPPTYPE_INT32:
        repeated ? reflection->AddInt32(message, field, 5) : reflection->SetInt32(message, field, 5);
        break;
      case FieldDescriptor::CPPTYPE_UINT64: reflection->SetUInt64(message, field, 5); break;
      case FieldDescriptor::CPPTYPE_BOOL: reflection->SetBool(message, field, true); break;
      default: FAIL() << "teach this test the type of " << field->full_name();
    }
  }
}

void LeafPaths(const google::protobuf::Message& message, const std::string& prefix, std::set<std::string>* paths) {
  using google::protobuf::FieldDescriptor;
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = prefix + field->name();
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      paths->insert(path);
    } else if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
        LeafPaths(reflection->GetRepeatedMessage(message, field, i), path + ".", paths);
      }
    } else {
      LeafPaths(reflection->GetMessage(message, field), path + ".", paths);
    }
  }
}

// A field added to the proto does not leave before someone adds it here too.
TEST(CloudPrompt, HoldsTheClosedListAndNothingElse) {
  v1::GenerateRequest request;
  FillAll(&request);
  const Prompt prompt(request);
  const auto made = CloudPrompt::Make(Permit("r", prompt.digest()), "r", prompt);
  ASSERT_TRUE(made.ok());
  std::set<std::string> paths;
  LeafPaths(made->content(), "", &paths);
  EXPECT_THAT(paths,
              UnorderedElementsAre(
                  "messages.role", "messages.content", "messages.reasoning_content", "messages.tool_call_id",
                  "messages.tool_calls.id", "messages.tool_calls.name", "messages.tool_calls.arguments", "prompt",
                  "sampling.temperature", "sampling.top_p", "sampling.presence_penalty", "sampling.frequency_penalty",
                  "max_tokens", "stop", "response_format.type", "response_format.json_schema", "tools.name",
                  "tools.description", "tools.parameters_json", "tool_choice.mode", "tool_choice.function_name"));
}

TEST(CloudPrompt, KeepsValuesAndOrder) {
  v1::GenerateRequest request = Request("first");
  v1::Message* second = request.add_messages();
  second->set_role(v1::ROLE_ASSISTANT);
  second->set_content("second");
  second->set_name("Alice");
  request.mutable_sampling()->set_temperature(0);
  request.set_user("alice@example.com");
  const Prompt prompt(request);
  const auto made = CloudPrompt::Make(Permit("r", prompt.digest()), "r", prompt);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->content().messages(0).content(), "first");
  EXPECT_EQ(made->content().messages(1).content(), "second");
  EXPECT_TRUE(made->content().sampling().has_temperature());
  EXPECT_EQ(made->content().SerializeAsString().find("lice"), std::string::npos);
}

}  // namespace
}  // namespace headgate::router
