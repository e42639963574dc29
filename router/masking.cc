// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/masking.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace headgate::router {
namespace {

// Values that are wholly in their span and mean nothing without it. Names, addresses and free text are not among them:
// their ends are a guess, and what stands around them tells as much.
enum class Shape { kPhone, kEmail, kAddress };
struct Kind {
  const char* label;
  Shape shape;
};
constexpr const char* kLabels[] = {"PHONE", "EMAIL", "IP", "MAC"};

std::optional<Kind> KindOf(const std::string& type) {
  if (type == "EMAIL") return Kind{"EMAIL", Shape::kEmail};
  if (absl::StartsWith(type, "PHONE_")) return Kind{"PHONE", Shape::kPhone};
  if (type == "IP_ADDRESS" || type == "IPV4" || type == "IPV6") return Kind{"IP", Shape::kAddress};
  if (type == "MAC_ADDRESS") return Kind{"MAC", Shape::kAddress};
  return std::nullopt;
}

// Only what is written plainly: a value in another alphabet or encoding has other bytes around it that belong to it.
bool WrittenPlainly(std::string_view value, Shape shape) {
  const auto all = [&](auto good) { return std::all_of(value.begin(), value.end(), good); };
  switch (shape) {
    case Shape::kPhone: {
      const auto digits = std::count_if(value.begin(), value.end(), [](char c) { return absl::ascii_isdigit(c); });
      return digits >= 7 && digits <= 15 && value.size() <= 32 && all([](char c) {
               return absl::ascii_isdigit(c) || std::string_view(" +-().").find(c) != std::string_view::npos;
             });
    }
    case Shape::kEmail:
      return std::count(value.begin(), value.end(), '@') == 1 && value.size() <= 254 && all([](char c) {
               return absl::ascii_isalnum(c) || std::string_view("._%+-@").find(c) != std::string_view::npos;
             });
    case Shape::kAddress:
      return value.size() >= 7 && value.size() <= 45 && all([](char c) {
               return absl::ascii_isxdigit(c) || c == '.' || c == ':' || c == '-';
             });
  }
  return false;
}

bool IsPartOf(char c) { return absl::ascii_isalnum(c) || c == '@'; }

// Every reason is a span that may be masked, and there is at least one.
bool EveryReasonIsMaskable(const Sensitivity& sensitivity) {
  return sensitivity.state == ClassificationState::kClassified &&
         sensitivity.level == v1::SENSITIVITY_LEVEL_CONFIDENTIAL && !sensitivity.findings.empty() &&
         std::all_of(sensitivity.findings.begin(), sensitivity.findings.end(), [](const v1::Finding& finding) {
           return finding.level() == v1::SENSITIVITY_LEVEL_CONFIDENTIAL && finding.begin() >= 0 &&
                  finding.begin() < finding.end() && KindOf(finding.type()).has_value();
         });
}

// Someone else's placeholder would come back as this request's value.
bool HoldsPlaceholders(const Prompt& prompt) {
  bool found = false;
  prompt.ForEachText([&](const std::string&, std::string_view text) {
    const std::string upper = absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
    for (const char* label : kLabels) {
      const std::string prefix = absl::StrCat(label, "_");
      for (size_t at = upper.find(prefix); at != std::string::npos && !found; at = upper.find(prefix, at + 1)) {
        const size_t after = at + prefix.size();
        found = after < upper.size() && absl::ascii_isdigit(upper[after]);
      }
    }
  });
  return found;
}

// The texts that leave as the client wrote them, by the names that findings use.
std::map<std::string, std::string*> MaskableFields(v1::GenerateRequest& content) {
  std::map<std::string, std::string*> fields = {{"prompt", content.mutable_prompt()}};
  for (int i = 0; i < content.messages_size(); ++i) {
    v1::Message& message = *content.mutable_messages(i);
    const std::string name = absl::StrCat("messages[", i, "].");
    fields[absl::StrCat(name, "content")] = message.mutable_content();
    fields[absl::StrCat(name, "reasoning_content")] = message.mutable_reasoning_content();
    for (int call = 0; call < message.tool_calls_size(); ++call) {
      fields[absl::StrCat(name, "tool_calls[", call, "].arguments")] =
          message.mutable_tool_calls(call)->mutable_arguments();
    }
  }
  return fields;
}

// The same value has the same placeholder throughout the request.
class Placeholders {
 public:
  std::string For(const std::string& label, const std::string& value) {
    for (const auto& [placeholder, known] : values_) {
      if (known == value) return placeholder;
    }
    values_.emplace_back(absl::StrCat("<", label, "_", ++count_[label], ">"), value);
    return values_.back().first;
  }
  Masked::Values Take() { return std::move(values_); }

 private:
  Masked::Values values_;
  std::map<std::string, int> count_;
};

struct Span {
  size_t begin, end;
  Kind kind;
  // By where they begin; of those the longest first.
  bool operator<(const Span& other) const { return begin != other.begin ? begin < other.begin : end > other.end; }
};

constexpr size_t kPhoneTail = 8;  // digits: without country and area

// Letters and digits of texts, one behind the other: a value may go on in the next text.
struct Folded {
  std::string alphanumerics, digits;
  void Add(std::string_view text) {
    for (const char c : text) {
      if (absl::ascii_isalnum(c)) alphanumerics += absl::ascii_tolower(c);
      if (absl::ascii_isdigit(c)) digits += c;
    }
  }
  bool Holds(const std::string& placeholder, const std::string& value) const {
    Folded key;
    key.Add(value);
    if (!absl::StartsWith(placeholder, "<PHONE")) return alphanumerics.find(key.alphanumerics) != std::string::npos;
    const size_t tail = key.digits.size() - std::min(key.digits.size(), kPhoneTail);
    return digits.find(key.digits.substr(tail)) != std::string::npos;
  }
};

// False when a span is not what it should be.
bool MaskField(std::vector<Span> spans, std::string& text, Placeholders& placeholders) {
  std::sort(spans.begin(), spans.end());
  std::string masked;
  size_t at = 0;
  for (const Span& span : spans) {
    if (span.end > text.size()) return false;
    if (span.begin < at && span.end <= at) continue;  // another name for a part of the last one
    if (span.begin < at) return false;                // overlapping: which is it?
    const std::string value = text.substr(span.begin, span.end - span.begin);
    if (!WrittenPlainly(value, span.kind.shape)) return false;
    if (span.begin > 0 && IsPartOf(text[span.begin - 1])) return false;
    if (span.end < text.size() && IsPartOf(text[span.end])) return false;
    masked += text.substr(at, span.begin - at);
    masked += placeholders.For(span.kind.label, value);
    at = span.end;
  }
  text = masked + text.substr(at);
  return true;
}

bool SamePrefix(std::string_view text, std::string_view of) {
  return text.size() <= of.size() && std::equal(text.begin(), text.end(), of.begin(), [](char a, char b) {
           return absl::ascii_toupper(a) == absl::ascii_toupper(b);
         });
}

bool HasSomething(const v1::Delta& delta) {
  return !delta.content().empty() || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0;
}

}  // namespace

std::optional<Masked> Masking::Mask(const TenantConfig& tenant, const Prompt& prompt, const Sensitivity& sensitivity) {
  if (!tenant.masking || !tenant.cloud_allowed || !EveryReasonIsMaskable(sensitivity)) return std::nullopt;
  if (HoldsPlaceholders(prompt)) return std::nullopt;
  v1::GenerateRequest content = prompt.content();
  const auto fields = MaskableFields(content);
  std::map<std::string, std::vector<Span>> spans;
  for (const v1::Finding& finding : sensitivity.findings) {
    spans[finding.field()].push_back(
        {static_cast<size_t>(finding.begin()), static_cast<size_t>(finding.end()), *KindOf(finding.type())});
  }
  Placeholders placeholders;
  for (const auto& [field, in_field] : spans) {
    const auto text = fields.find(field);
    if (text == fields.end() || !MaskField(in_field, *text->second, placeholders)) return std::nullopt;
  }
  return Masked{Prompt(std::move(content)), placeholders.Take()};
}

bool Masking::Remains(const Masked::Values& values, const Screened& masked) {
  Folded plain, decoded;
  for (const ScreenedField& field : masked.fields) (field.view.empty() ? plain : decoded).Add(field.text.text());
  return std::any_of(values.begin(), values.end(), [&](const auto& value) {
    return plain.Holds(value.first, value.second) || decoded.Holds(value.first, value.second);
  });
}

Unmasking::Unmasking(const Masked::Values& values) {
  for (const auto& [placeholder, value] : values) {
    values_.emplace_back(placeholder, value);
    // As JSON encoders that are careful with HTML write it in a tool call's arguments.
    values_.emplace_back(absl::StrCat("\\u003c", placeholder.substr(1, placeholder.size() - 2), "\\u003e"), value);
  }
}

const std::string* Unmasking::ValueOf(std::string_view text, bool* may_become) const {
  *may_become = false;
  for (const auto& [placeholder, value] : values_) {
    if (!SamePrefix(text, placeholder)) continue;
    if (text.size() == placeholder.size()) return &value;
    *may_become = true;
  }
  return nullptr;
}

std::string Unmasking::Push(Channel& held, std::string_view piece) const {
  std::string out;
  for (const char c : piece) {
    if (held.empty() && c != '<' && c != '\\') {
      out += c;
      continue;
    }
    held += c;
    while (!held.empty()) {
      bool may_become = false;
      const std::string* value = ValueOf(held, &may_become);
      if (value != nullptr) {
        out += *value;
        held.clear();
      }
      if (value != nullptr || may_become) break;
      out += held.front();
      held.erase(0, 1);
    }
  }
  return out;
}

Unmasking::Events Unmasking::Filter(Events events) {
  if (values_.empty()) return events;
  Events out;
  for (v1::GenerateStreamResponse& event : events) Add(std::move(event), out);
  return out;
}

void Unmasking::Add(v1::GenerateStreamResponse event, Events& out) {
  if (event.has_delta()) {
    v1::Delta& delta = *event.mutable_delta();
    delta.set_content(Push(content_, delta.content()));
    delta.set_reasoning_content(Push(reasoning_, delta.reasoning_content()));
    for (v1::ToolCallDelta& call : *delta.mutable_tool_calls()) {
      call.set_arguments(Push(arguments_[call.index()], call.arguments()));
    }
    if (HasSomething(delta)) out.push_back(std::move(event));
    return;
  }
  if (event.has_finish()) {
    v1::GenerateStreamResponse tails;
    tails.mutable_delta()->set_reasoning_content(std::exchange(reasoning_, ""));
    tails.mutable_delta()->set_content(std::exchange(content_, ""));
    for (auto& [index, held] : arguments_) {
      if (held.empty()) continue;
      v1::ToolCallDelta& call = *tails.mutable_delta()->add_tool_calls();
      call.set_index(index);
      call.set_arguments(std::exchange(held, ""));
    }
    if (HasSomething(tails.delta())) out.push_back(std::move(tails));
  }
  out.push_back(std::move(event));
}

}  // namespace headgate::router
