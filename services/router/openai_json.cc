// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "services/router/openai_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace headgate::services {
namespace {

// A client's key may be shown back to it when it looks like a field's name; anything else could be content.
std::string Printable(std::string_view key) {
  constexpr std::ptrdiff_t kDigitsMax = 2;  // no number of anybody's
  const bool plain = !key.empty() && key.size() <= 40 && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
  const auto digits = std::count_if(key.begin(), key.end(), absl::ascii_isdigit);
  return plain && digits <= kDigitsMax ? std::string(key) : std::string("(unusual name)");
}

// RFC 8259, strictly, in one pass. nlohmann's lexer goes byte by byte through two buffers, which for a long prompt cost
// more than all detectors; openai_json_test.cc compares the two on whole and damaged bodies.
class Parser {
 public:
  explicit Parser(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  absl::StatusOr<Json> Parse() {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (Rest().substr(0, kByteOrderMark.size()) == kByteOrderMark) at_ += kByteOrderMark.size();
    Json root;
    const bool good = Value(root, 0) && (Blanks(), at_ == end_ || Wrong());
    if (!good) return status_;
    return root;
  }

 private:
  std::string_view Rest() const { return {at_, static_cast<size_t>(end_ - at_)}; }
  bool Stop(const std::string& why) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat("the body is not acceptable JSON: ", why));
    return false;
  }
  // The offset only: what stands there is content.
  bool Wrong() { return Stop(absl::StrCat("syntax error at byte ", at_ - begin_ + 1)); }
  void Blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool Take(char c) {
    Blanks();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word, Json value, Json& out) {
    if (Rest().substr(0, word.size()) != word) return Wrong();
    at_ += word.size();
    out = std::move(value);
    return true;
  }

  // `depth`: of the containers around it.
  bool Value(Json& out, int depth) {
    Blanks();
    if (at_ == end_) return Wrong();
    const bool container = *at_ == '{' || *at_ == '[';
    if (container && depth >= kJsonDepthMax) return Stop(absl::StrCat("nested deeper than ", kJsonDepthMax));
    switch (*at_) {
      case '{': return Object(out, depth + 1);
      case '[': return Array(out, depth + 1);
      case '"': return Text(out = std::string());
      case 't': return Word("true", true, out);
      case 'f': return Word("false", false, out);
      case 'n': return Word("null", nullptr, out);
      default: return Number(out);
    }
  }
  bool Array(Json& out, int depth) {
    ++at_;
    auto& items = (out = Json::array()).get_ref<Json::array_t&>();
    if (Take(']')) return true;
    do {
      if (!Value(items.emplace_back(), depth)) return false;
    } while (Take(','));
    return Take(']') || Wrong();
  }
  bool Object(Json& out, int depth) {
    ++at_;
    // As a vector: operator[] would search for the key again.
    std::vector<std::pair<const std::string, Json>>& members = (out = Json::object()).get_ref<Json::object_t&>();
    members.reserve(8);
    absl::flat_hash_set<std::string> many;  // the keys, once there are more than a search goes through
    if (Take('}')) return true;
    do {
      Blanks();
      if (at_ == end_ || *at_ != '"') return Wrong();
      std::string key;
      if (!Text(key)) return false;
      if (members.size() >= kJsonKeysMax) return Stop(absl::StrCat("more than ", kJsonKeysMax, " keys in one object"));
      if (Known(members, many, key)) return Stop(absl::StrCat("duplicate key ", Printable(key)));
      if (!Take(':')) return Wrong();
      if (!Value(members.emplace_back(std::move(key), nullptr).second, depth)) return false;
    } while (Take(','));
    return Take('}') || Wrong();
  }
  static bool Known(const std::vector<std::pair<const std::string, Json>>& members,
                    absl::flat_hash_set<std::string>& many, const std::string& key) {
    constexpr size_t kFew = 16;
    if (members.size() < kFew) {
      return std::any_of(members.begin(), members.end(), [&key](const auto& member) { return member.first == key; });
    }
    if (many.empty()) {
      for (const auto& member : members) many.insert(member.first);
    }
    return !many.insert(key).second;
  }

  bool Text(Json& out) { return Text(out.get_ref<std::string&>()); }
  bool Text(std::string& out) {
    const char* run = ++at_;
    while (at_ += PlainBytes(Rest()), at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"' || c == '\\') {
        out.append(run, static_cast<size_t>(at_ - run));
        ++at_;
        if (c == '"') return true;
        if (!Escape(out)) return false;
        run = at_;
      } else if (c < 0x20) {
        return Wrong();
      } else {
        const size_t bytes = CharacterBytes(Rest());
        if (bytes == 0) return Wrong();
        at_ += bytes;
      }
    }
    return Wrong();
  }
  bool Escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (at_ == end_) return Wrong();
    const char name = *at_++;
    if (const size_t which = kNames.find(name); which != std::string_view::npos) {
      out.push_back(kMeanings[which]);
      return true;
    }
    uint32_t code = 0, low = 0;
    if (name != 'u' || !Unit(code)) return Wrong();
    if (code >= 0xDC00 && code < 0xE000) return Wrong();
    if (code >= 0xD800 && code < 0xDC00) {
      if (Rest().substr(0, 2) != "\\u") return Wrong();
      at_ += 2;
      if (!Unit(low) || low < 0xDC00 || low > 0xDFFF) return Wrong();
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendCharacter(code, out);
    return true;
  }
  // Four hex digits.
  bool Unit(uint32_t& unit) {
    if (Rest().size() < 4) return false;
    const auto [end, error] = std::from_chars(at_, at_ + 4, unit, 16);
    if (error != std::errc() || end != at_ + 4) return false;
    at_ = end;
    return true;
  }
  static void AppendCharacter(uint32_t code, std::string& out) {
    const auto add = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) return add(code);
    if (code < 0x800) {
      add(0xC0 | code >> 6);
    } else {
      if (code < 0x10000) add(0xE0 | code >> 12);
      if (code >= 0x10000) {
        add(0xF0 | code >> 18);
        add(0x80 | (code >> 12 & 0x3F));
      }
      add(0x80 | (code >> 6 & 0x3F));
    }
    add(0x80 | (code & 0x3F));
  }

  size_t Digits() {
    const char* const first = at_;
    while (at_ != end_ && absl::ascii_isdigit(static_cast<unsigned char>(*at_))) ++at_;
    return static_cast<size_t>(at_ - first);
  }
  // Whole numbers as such while they fit, as nlohmann has them.
  bool Number(Json& out) {
    const char* const first = at_;
    if (*at_ == '-') ++at_;
    const char* const whole = at_;
    const size_t digits = Digits();
    if (digits == 0 || (digits > 1 && *whole == '0')) return Wrong();
    bool fraction = false;
    if (at_ != end_ && *at_ == '.') {
      fraction = true;
      ++at_;
      if (Digits() == 0) return Wrong();
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      fraction = true;
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (Digits() == 0) return Wrong();
    }
    uint64_t count = 0;
    int64_t negative = 0;
    if (!fraction && *first != '-' && std::from_chars(first, at_, count).ec == std::errc()) return out = count, true;
    if (!fraction && *first == '-' && std::from_chars(first, at_, negative).ec == std::errc()) {
      return out = negative, true;
    }
    const double number = std::strtod(std::string(first, at_).c_str(), nullptr);
    if (!std::isfinite(number)) return Wrong();
    return out = number, true;
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text) { return Parser(text).Parse(); }

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
