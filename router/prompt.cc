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
  std::string bytes(message.ByteSizeLong(), '\0');
  google::protobuf::io::ArrayOutputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&out);
  return bytes;
}

using Texts = std::vector<std::pair<std::string, const std::string*>>;

// True: there are unknown fields somewhere.
bool CollectTexts(const Message& message, const std::string& prefix, Texts& texts) {
  const auto* reflection = message.GetReflection();
  bool unknown = !reflection->GetUnknownFields(message).empty();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool child = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!child && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      std::string path = field->is_repeated() ? absl::StrCat(prefix, field->name(), "[", i, "]")
                                              : absl::StrCat(prefix, field->name());
      if (child) {
        unknown |= CollectTexts(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                     : reflection->GetMessage(message, field),
                                absl::StrCat(path, "."), texts);
        continue;
      }
      std::string scratch;  // for extensions and the like: generated fields are never put there
      const std::string& text = field->is_repeated()
                                    ? reflection->GetRepeatedStringReference(message, field, i, &scratch)
                                    : reflection->GetStringReference(message, field, &scratch);
      if (!text.empty()) texts.emplace_back(std::move(path), &text);
    }
  }
  return unknown;
}

}  // namespace

Prompt::Prompt(v1::GenerateRequest content) : content_(std::move(content)) {
  Collect();
  digest_ = DigestOf(content_);
}

Prompt::Prompt(Prompt&& other) : content_(std::move(other.content_)), digest_(std::move(other.digest_)) {
  other.texts_.clear();
  Collect();
}

void Prompt::Collect() {
  // A field that this build does not know is neither inspected nor sent anywhere.
  if (CollectTexts(content_, "", texts_)) content_.DiscardUnknownFields();
  for (const auto& [field, text] : texts_) text_bytes_ += text->size();
}

std::string Prompt::DigestOf(const v1::GenerateRequest& content) { return Sha256(DeterministicBytes(content)); }

void Prompt::ForEachText(const Visitor& visit) const {
  for (const auto& [field, text] : texts_) visit(field, *text);
}

}  // namespace headgate::router
