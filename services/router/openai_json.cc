// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace headgate::services {
namespace {

// A client's key may be shown back to it when it looks like a name; anything else could be content.
std::string Printable(std::string_view key) {
  const bool plain = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
  return plain ? std::string(key) : std::string("(unusual name)");
}

// Builds the tree from nlohmann's events; returning false stops the parser at the first complaint.
class TreeBuilder : public nlohmann::json_sax<Json> {
 public:
  absl::Status status;
  Json root;

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Stop("binary values are no JSON"); }
  bool start_object(size_t) override { return Push(Json::object()); }
  bool start_array(size_t) override { return Push(Json::array()); }
  bool end_object() override { return Pop(); }
  bool end_array() override { return Pop(); }
  bool key(string_t& value) override {
    Level& level = levels_.back();
    if (level.keys.size() >= kJsonKeysMax) return Stop(absl::StrCat("more than ", kJsonKeysMax, " keys in one object"));
    if (!level.keys.insert(value).second) return Stop(absl::StrCat("duplicate key ", Printable(value)));
    level.key = std::move(value);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    // The library's message quotes the input: only the offset is passed on.
    return Stop(absl::StrCat("syntax error at byte ", position));
  }

 private:
  struct Level {
    Json* value;
    std::string key;
    absl::flat_hash_set<std::string> keys;
  };

  bool Stop(std::string_view why) {
    if (status.ok()) {
      status = absl::InvalidArgumentError(absl::StrCat("the body is not acceptable JSON: ", std::string(why)));
    }
    return false;
  }
  Json* Place(Json value) {
    if (levels_.empty()) {
      root = std::move(value);
      return &root;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      level.value->push_back(std::move(value));
      return &level.value->back();
    }
    // Not operator[]: it would search for the key, which is known to be new.
    auto& members = level.value->get_ref<Json::object_t&>();
    members.std::vector<std::pair<const std::string, Json>>::emplace_back(std::move(level.key), std::move(value));
    return &members.back().second;
  }
  template <typename T>
  bool Add(T&& value) {
    Place(Json(std::forward<T>(value)));
    return true;
  }
  bool Push(Json value) {
    if (levels_.size() >= kJsonDepthMax) return Stop(absl::StrCat("nested deeper than ", kJsonDepthMax));
    Json* placed = Place(std::move(value));
    levels_.push_back(Level{placed, {}, {}});
    return true;
  }
  bool Pop() {
    levels_.pop_back();
    return true;
  }

  // Pointers stay valid: a container only grows while it is the innermost open one.
  std::vector<Level> levels_;
};

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text) {
  TreeBuilder builder;
  const bool parsed = Json::sax_parse(text.begin(), text.end(), &builder);
  if (!builder.status.ok()) return builder.status;
  if (!parsed) return absl::InvalidArgumentError("the body is not acceptable JSON");
  return std::move(builder.root);
}

void AppendJsonString(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text, begin, i - begin);
    begin = i + 1;
    switch (c) {
      case '"': out.append("\\\""); break;
      case '\\': out.append("\\\\"); break;
      case '\n': out.append("\\n"); break;
      case '\r': out.append("\\r"); break;
      case '\t': out.append("\\t"); break;
      default:
        out.append("\\u00");
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
    }
  }
  out.append(text, begin);
  out.push_back('"');
}

absl::Status FieldError(std::string_view field, std::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(field), ": ", std::string(message)));
}

std::string ParamOf(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return "";
  std::string field(status.message().substr(0, status.message().find(": ")));
  const bool path = field.size() < status.message().size() &&
                    std::all_of(field.begin(), field.end(), [](unsigned char c) {
                      return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.' || c == '[' || c == ']';
                    });
  return path ? field : "";
}

JsonFields::JsonFields(const Json& object, std::string path, absl::Status& status)
    : object_(object.is_object() ? &object : nullptr), path_(std::move(path)), status_(status) {
  if (object_ == nullptr) Complain("", "must be an object");
}

std::string JsonFields::Path(std::string_view name) const {
  if (name.empty()) return path_.empty() ? "body" : path_;
  return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", std::string(name));
}

void JsonFields::Complain(std::string_view name, std::string_view message) {
  if (status_.ok()) status_ = FieldError(Path(name), message);
}

const Json* JsonFields::Find(std::string_view name) {
  known_.push_back(name);
  if (object_ == nullptr) return nullptr;
  const auto it = object_->find(name);
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

bool JsonFields::Get(std::string_view name, std::string* out) {
  const Json* value = Find(name);
  if (value == nullptr) return false;
  if (!value->is_string()) return Complain(name, "must be a string"), false;
  *out = value->get_ref<const std::string&>();
  return true;
}

bool JsonFields::Get(std::string_view name, bool* out) {
  const Json* value = Find(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return Complain(name, "must be true or false"), false;
  *out = value->get<bool>();
  return true;
}

bool JsonFields::Get(std::string_view name, float* out) {
  const Json* value = Find(name);
  if (value == nullptr) return false;
  if (!value->is_number()) return Complain(name, "must be a number"), false;
  const double number = value->get<double>();
  // The API's ranges are narrow (router/admission checks them); this only keeps the conversion defined.
  if (!std::isfinite(number) || std::abs(number) > 1e9) return Complain(name, "is out of range"), false;
  *out = static_cast<float>(number);
  return true;
}

bool JsonFields::Get(std::string_view name, int64_t* out) {
  const Json* value = Find(name);
  if (value == nullptr) return false;
  if (!value->is_number_integer()) return Complain(name, "must be an integer"), false;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (value->is_number_unsigned() && value->get<uint64_t>() > kMax) {
    return Complain(name, "is out of range"), false;
  }
  *out = value->get<int64_t>();
  return true;
}

bool JsonFields::Get(std::string_view name, int32_t* out) {
  int64_t wide = 0;
  if (!Get(name, &wide)) return false;
  if (wide < std::numeric_limits<int32_t>::min() || wide > std::numeric_limits<int32_t>::max()) {
    return Complain(name, "is out of range"), false;
  }
  *out = static_cast<int32_t>(wide);
  return true;
}

void JsonFields::Ignore(std::initializer_list<std::string_view> names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

void JsonFields::Refuse(std::string_view name, std::string_view why) {
  const Json* value = Find(name);
  if (value == nullptr) return;
  const bool off = (value->is_boolean() && !value->get<bool>()) || (value->is_number() && value->get<double>() == 0) ||
                   (value->is_string() && value->get_ref<const std::string&>().empty()) ||
                   (value->is_structured() && value->empty());
  if (!off) Complain(name, why);
}

void JsonFields::Finish() {
  if (object_ == nullptr || !status_.ok()) return;
  for (const auto& [key, value] : object_->items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    return Complain(Printable(key), "unknown field");
  }
}

}  // namespace headgate::services
