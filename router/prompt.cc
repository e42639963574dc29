// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/prompt.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace headgate::router {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Visitor = std::function<void(const std::string& field, std::string_view text)>;

std::string DeterministicBytes(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return bytes;
}

void VisitText(const Message& message, const std::string& prefix, const Visitor& visit) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = absl::StrCat(prefix, field->name());
    const auto path = [&](int index) { return field->is_repeated() ? absl::StrCat(name, "[", index, "]") : name; };
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        const Message& child = field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                    : reflection->GetMessage(message, field);
        VisitText(child, absl::StrCat(path(i), "."), visit);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        std::string scratch;
        const std::string& text = field->is_repeated()
                                      ? reflection->GetRepeatedStringReference(message, field, i, &scratch)
                                      : reflection->GetStringReference(message, field, &scratch);
        if (!text.empty()) visit(path(i), text);
      }
    }
  }
}

// All that VisitText would visit, without the names: most prompts are only counted and digested.
size_t TextBytes(const Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  std::string scratch;
  size_t bytes = 0;
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        bytes += TextBytes(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                : reflection->GetMessage(message, field));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        bytes += (field->is_repeated() ? reflection->GetRepeatedStringReference(message, field, i, &scratch)
                                       : reflection->GetStringReference(message, field, &scratch))
                     .size();
      }
    }
  }
  return bytes;
}

}  // namespace

Prompt::Prompt(v1::GenerateRequest content) : content_(std::move(content)) {
  // A field that this build does not know is neither inspected nor sent anywhere.
  content_.DiscardUnknownFields();
  digest_ = DigestOf(content_);
  text_bytes_ = TextBytes(content_);
}

std::string Prompt::DigestOf(const v1::GenerateRequest& content) { return Sha256(DeterministicBytes(content)); }

void Prompt::ForEachText(const Visitor& visit) const { VisitText(content_, "", visit); }

}  // namespace headgate::router
