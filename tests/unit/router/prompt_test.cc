// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/prompt.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"

namespace headgate::router {
namespace {

using google::protobuf::FieldDescriptor;
using testing::ElementsAre;
using testing::Pair;

// Sets every string of the message, whatever the proto holds by now, each to a different text.
void FillStrings(google::protobuf::Message* message, int* next) {
  const auto* reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      FillStrings(field->is_repeated() ? reflection->AddMessage(message, field)
                                       : reflection->MutableMessage(message, field),
                  next);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = "text-" + std::to_string((*next)++);
      if (field->is_repeated()) {
        reflection->AddString(message, field, text);
      } else {
        reflection->SetString(message, field, text);
      }
    }
  }
}

TEST(Prompt, VisitsEveryStringOfTheProto) {
  v1::GenerateRequest request;
  int filled = 0;
  FillStrings(&request, &filled);
  ASSERT_GT(filled, 15);
  const Prompt prompt(request);
  std::set<std::string> fields, texts;
  size_t bytes = 0;
  prompt.ForEachText([&](const std::string& field, std::string_view text) {
    fields.insert(field);
    texts.insert(std::string(text));
    bytes += text.size();
  });
  EXPECT_EQ(texts.size(), static_cast<size_t>(filled));
  EXPECT_EQ(fields.size(), static_cast<size_t>(filled));
  EXPECT_EQ(prompt.text_bytes(), bytes);
}

TEST(Prompt, NamesFieldsByPath) {
  v1::GenerateRequest request;
  request.add_messages()->set_content("a");
  request.add_messages()->add_tool_calls()->set_arguments("b");
  request.add_stop("c");
  std::vector<std::pair<std::string, std::string>> seen;
  Prompt(request).ForEachText(
      [&](const std::string& field, std::string_view text) { seen.emplace_back(field, std::string(text)); });
  EXPECT_THAT(seen, ElementsAre(Pair("messages[0].content", "a"), Pair("messages[1].tool_calls[0].arguments", "b"),
                                Pair("stop[0]", "c")));
}

TEST(Prompt, TheDigestIsOfTheContent) {
  v1::GenerateRequest request;
  request.set_prompt("a");
  const std::string digest = Prompt(request).digest();
  EXPECT_EQ(digest.size(), 32u);
  EXPECT_EQ(Prompt(request).digest(), digest);
  request.set_prompt("b");
  EXPECT_NE(Prompt(request).digest(), digest);
  request.set_prompt("a");
  request.mutable_sampling()->set_seed(1);
  EXPECT_NE(Prompt(request).digest(), digest);
}

TEST(Prompt, DropsFieldsThatThisBuildDoesNotKnow) {
  v1::GenerateRequest request;
  request.set_prompt("a");
  const std::string digest = Prompt(request).digest();
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(9999, "smuggled");
  const Prompt prompt(request);
  EXPECT_EQ(prompt.digest(), digest);
  EXPECT_EQ(prompt.content().SerializeAsString().find("smuggled"), std::string::npos);
}

}  // namespace
}  // namespace headgate::router
