// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/train/corpus.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/name_tagger.h"

namespace headgate::train {
namespace {

using Json = nlohmann::json;
using router::CanonicalText;
using router::Topic;
using router::Unit;

int TopicOf(const std::string& kind) {
  const struct {
    const char* kind;
    Topic topic;
  } rows[] = {{"patient_record", Topic::kHealthRecord}, {"health_record", Topic::kHealthRecord},
              {"account_payment", Topic::kFinance},     {"credentials", Topic::kCredential},
              {"internal_confidential", Topic::kInternal}, {"person_attribute", Topic::kPersonal},
              {"address", Topic::kAddress}};
  for (const auto& row : rows) {
    if (kind == row.kind) return static_cast<int>(row.topic);
  }
  return -1;
}

int TypeOf(const std::string& name) {
  if (name == "PERSON") return 0;
  if (name == "PUBLIC") return 1;
  return name == "ADDRESS" ? 2 : -1;
}

std::vector<uint8_t> Tags(const CanonicalText& canonical, const std::vector<Unit>& units, const Json& spans) {
  std::vector<uint8_t> tags(units.size(), 0);
  for (const Json& span : spans) {
    const int type = TypeOf(span[2]);
    if (type < 0) continue;
    const int32_t begin = span[0], end = span[1];
    bool inside = false;
    for (size_t i = 0; i < units.size(); ++i) {
      const CanonicalText::Span at = canonical.Original(units[i].begin, units[i].end);
      if (at.begin < begin || at.end > end) continue;
      tags[i] = static_cast<uint8_t>(2 * type + (inside ? 2 : 1));
      inside = true;
    }
  }
  return tags;
}

void AddField(const std::string& text, const Json& spans, bool labelled, Document& document) {
  const CanonicalText canonical = CanonicalText::Make(text);
  document.fields.push_back(router::SplitUnits(canonical.text()));
  if (labelled) document.tags.push_back(Tags(canonical, document.fields.back(), spans));
}

void AddStrings(const Json& value, Document& document) {
  if (value.is_string()) {
    AddField(value.get<std::string>(), Json::array(), false, document);
  } else if (value.is_structured()) {
    for (const Json& item : value) AddStrings(item, document);
  }
}

Document Read(const Json& line) {
  Document document;
  document.id = line.value("id", "");
  document.kind = line.value("kind", "");
  document.sensitive = line.value("label", 0) == 1;
  document.group = line.value("group", document.sensitive ? "positive" : "ordinary");
  document.lang = line.value("lang", "en");
  if (document.sensitive) document.topic = TopicOf(document.kind);
  if (line.contains("text")) {
    AddField(line["text"], line.value("spans", Json::array()), line.contains("spans"), document);
    return document;
  }
  for (const Json& message : line.value("messages", Json::array())) {
    if (message.contains("content")) AddStrings(message["content"], document);
    for (const Json& call : message.value("tool_calls", Json::array())) {
      if (call.contains("function") && call["function"].contains("arguments")) {
        AddStrings(call["function"]["arguments"], document);
      }
    }
  }
  return document;
}

}  // namespace

absl::StatusOr<std::vector<Document>> ReadCorpus(const std::string& path) {
  std::ifstream in(path);
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  std::vector<Document> documents;
  size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": not a JSON object"));
    documents.push_back(Read(line));
    if (documents.back().group == "grey") documents.pop_back();
  }
  return documents;
}

}  // namespace headgate::train
