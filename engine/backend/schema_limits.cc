// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "engine/backend/schema_limits.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include <json.h>

namespace headgate::engine {
namespace {

template <typename... Why>
absl::Status Refuse(const Why&... why) {
  return absl::InvalidArgumentError(absl::StrCat(why...));
}

const common_json* Find(const common_json& node, const char* key) {
  return node.is_object() && node.contains(key) ? &node.at(key) : nullptr;
}

std::string ReferenceOf(const common_json& node) {
  const common_json* const reference = Find(node, "$ref");
  return reference != nullptr && reference->is_string() ? reference->get<std::string>() : "";
}

class SchemaWalk {
 public:
  explicit SchemaWalk(const common_json& root) : root_(root) {}

  absl::Status Visit(const common_json& node) {
    if (!node.is_object()) return absl::OkStatus();
    if (++nodes_ > SchemaLimits::kNodes) return Refuse("more than ", SchemaLimits::kNodes, " nodes");
    if (const std::string reference = ReferenceOf(node); !reference.empty()) return Follow(reference);
    RETURN_IF_ERROR(Count(node));
    // A list of types is that many schemas.
    const common_json* const type = Find(node, "type");
    const size_t times = type != nullptr && type->is_array() ? std::max<size_t>(type->size(), 1) : 1;
    for (size_t i = 0; i < times; ++i) RETURN_IF_ERROR(VisitParts(node));
    return absl::OkStatus();
  }

 private:
  absl::Status VisitParts(const common_json& node) {
    if (const common_json* const properties = Find(node, "properties"); properties != nullptr) {
      if (!properties->is_object()) return absl::OkStatus();
      for (const auto& [name, property] : properties->items()) RETURN_IF_ERROR(Visit(property));
    }
    for (const char* key : {"additionalProperties", "items", "prefixItems", "allOf", "anyOf", "oneOf"}) {
      const common_json* const part = Find(node, key);
      if (part == nullptr) continue;
      RETURN_IF_ERROR(Visit(*part));
      for (size_t i = 0; part->is_array() && i < part->size(); ++i) RETURN_IF_ERROR(Visit(part->at(i)));
    }
    return absl::OkStatus();
  }

  absl::Status Count(const common_json& node) {
    for (const char* key : {"anyOf", "oneOf", "type"}) {
      const common_json* const list = Find(node, key);
      if (list != nullptr && list->is_array()) alternatives_ += list->size();
    }
    const common_json* const list = Find(node, "enum");
    if (list != nullptr && list->is_array()) values_ += list->size();
    if (const common_json* const pattern = Find(node, "pattern"); pattern != nullptr && pattern->is_string()) {
      pattern_bytes_ += pattern->get<std::string>().size();
    }
    if (pattern_bytes_ > SchemaLimits::kPatternBytes) {
      return Refuse("patterns longer than ", SchemaLimits::kPatternBytes, " bytes");
    }
    if (alternatives_ > SchemaLimits::kAlternatives) {
      return Refuse("more than ", SchemaLimits::kAlternatives, " alternatives");
    }
    if (values_ > SchemaLimits::kEnumValues) return Refuse("more than ", SchemaLimits::kEnumValues, " enum values");
    return CountProperties(node);
  }

  absl::Status CountProperties(const common_json& node) {
    int optional = 0;
    RETURN_IF_ERROR(CountOptional(node, optional));
    // The conversion makes one object of all parts.
    const common_json* const parts = Find(node, "allOf");
    for (size_t i = 0; parts != nullptr && parts->is_array() && i < parts->size(); ++i) {
      const common_json& part = parts->at(i);
      RETURN_IF_ERROR(CountOptionalOfPart(part, optional));
      const common_json* const ways = Find(part, Find(part, "oneOf") != nullptr ? "oneOf" : "anyOf");
      for (size_t j = 0; ways != nullptr && ways->is_array() && j < ways->size(); ++j) {
        RETURN_IF_ERROR(CountOptionalOfPart(ways->at(j), optional));
      }
    }
    optional_ += optional;
    if (optional > SchemaLimits::kOptional) {
      return Refuse("an object with more than ", SchemaLimits::kOptional, " optional properties");
    }
    if (optional_ <= SchemaLimits::kOptionalInAll) return absl::OkStatus();
    return Refuse("more than ", SchemaLimits::kOptionalInAll, " optional properties");
  }

  absl::Status CountOptionalOfPart(const common_json& part, int& optional) {
    const common_json* target = &part;
    RETURN_IF_ERROR(Resolve(target));
    return target == nullptr ? absl::OkStatus() : CountOptional(*target, optional);
  }

  static absl::Status CountOptional(const common_json& node, int& optional) {
    const common_json* const properties = Find(node, "properties");
    if (properties == nullptr || !properties->is_object()) return absl::OkStatus();
    std::set<std::string> required;
    if (const common_json* const names = Find(node, "required"); names != nullptr && names->is_array()) {
      for (size_t i = 0; i < names->size(); ++i) {
        if (names->at(i).is_string()) required.insert(names->at(i).get<std::string>());
      }
    }
    for (const auto& [name, property] : properties->items()) {
      if (name.size() > SchemaLimits::kPropertyNameBytes) {
        return Refuse("a property's name is longer than ", SchemaLimits::kPropertyNameBytes, " bytes");
      }
      optional += required.contains(name) ? 0 : 1;
    }
    return absl::OkStatus();
  }

  // From a reference to what is none; nullptr when it leads nowhere.
  absl::Status Resolve(const common_json*& target) const {
    for (int hops = 0; target != nullptr; ++hops) {
      const std::string reference = ReferenceOf(*target);
      if (reference.empty()) return absl::OkStatus();
      if (hops == SchemaLimits::kReferencesDeep) return Refuse("a $ref leads to references only");
      target = Lookup(reference);
    }
    return absl::OkStatus();
  }

  const common_json* Lookup(const std::string& reference) const {
    if (!reference.starts_with("#/")) return nullptr;
    const common_json* target = &root_;
    for (const auto& name : std::vector<std::string>(absl::StrSplit(reference.substr(2), '/'))) {
      size_t index = 0;
      if (target->is_object() && target->contains(name)) {
        target = &target->at(name);
      } else if (target->is_array() && absl::SimpleAtoi(name, &index) && index < target->size()) {
        target = &target->at(index);
      } else {
        return nullptr;
      }
    }
    return target;
  }

  absl::Status Follow(const std::string& reference) {
    const common_json* target = Lookup(reference);
    RETURN_IF_ERROR(Resolve(target));
    if (target == nullptr || !inside_.insert(target).second) return absl::OkStatus();
    if (inside_.size() > SchemaLimits::kReferencesDeep) {
      return Refuse("references nested deeper than ", SchemaLimits::kReferencesDeep);
    }
    RETURN_IF_ERROR(Visit(*target));
    inside_.erase(target);
    return absl::OkStatus();
  }

  const common_json& root_;
  std::set<const common_json*> inside_;
  int nodes_ = 0;
  size_t alternatives_ = 0;
  size_t values_ = 0;
  size_t pattern_bytes_ = 0;
  int optional_ = 0;
};

}  // namespace

absl::Status CheckSchemaLimits(const common_json& schema) { return SchemaWalk(schema).Visit(schema); }

}  // namespace headgate::engine
