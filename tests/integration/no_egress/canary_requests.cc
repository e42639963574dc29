// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/canary_requests.h"

#include <random>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/no_egress/canary_search.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

constexpr char kZeroWidth[] = "\u200B";

enum class Field {
  kUserMessage, kSystemMessage, kAssistantMessage, kToolResult, kReasoning,
  kPrompt, kToolDescription, kToolParameters, kCallArguments, kSchema,          // any text
  kStop, kSession, kUser, kModel, kCallId, kAuthor,                            // short text
  kToolName, kCallName,                                                        // function names
};
constexpr int kFields = 18;
constexpr const char* kFieldNames[kFields] = {
    "user_message", "system_message", "assistant_message", "tool_result", "reasoning", "prompt",
    "tool_description", "tool_parameters", "call_arguments", "schema", "stop", "session", "user", "model",
    "call_id", "author", "tool_name", "call_name"};

// Documented as never leaving the cluster.
bool Sendable(Field field) {
  return field != Field::kSession && field != Field::kUser && field != Field::kModel && field != Field::kAuthor &&
         field != Field::kReasoning && field != Field::kSchema;
}

class Maker {
 public:
  explicit Maker(uint64_t seed) : wide_(seed * 0x9E3779B97F4A7C15u + 1), random_(static_cast<uint32_t>(wide_())) {}
  CanaryRequest Make();

 private:
  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  template <typename T, size_t kSize>
  const T& OneOf(const T (&list)[kSize]) {
    return list[random_() % kSize];
  }
  std::string Token(size_t size, std::string_view alphabet);
  Kind RandomKind();
  Field RandomField(Kind kind);
  std::string Number(const std::string& digits, const std::vector<size_t>& groups);
  std::string ApiKey(bool plain);
  std::string Jwt();
  std::string Item(Kind kind, bool plain);
  std::string Sentence(const std::string& canary, const std::string& item);
  std::string Text(Kind kind, Field field, const std::string& canary);
  std::string JsonObject(const std::string& text);
  v1::Message& AddMessage(v1::GenerateRequest& request, v1::Role role, const std::string& content);
  void AddToolTurn(v1::GenerateRequest& request);
  void AddExtras(v1::GenerateRequest& request);
  void Put(Field field, const std::string& text, v1::GenerateRequest& request);
  void PutTool(Field field, const std::string& text, v1::GenerateRequest& request);
  void Declare(CanaryRequest& made);
  void Spoil(CanaryRequest& made);

  std::mt19937_64 wide_;
  std::mt19937 random_;
};

std::string Maker::Token(size_t size, std::string_view alphabet) {
  std::string token;
  while (token.size() < size) token += alphabet[random_() % alphabet.size()];
  return token;
}

constexpr std::string_view kAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

Kind Maker::RandomKind() {
  const uint32_t roll = random_() % 100;
  if (roll < 56) return Kind::kEveryday;
  if (roll < 61) return Kind::kPhone;
  if (roll < 66) return Kind::kEmail;
  return static_cast<Kind>(random_() % 9);
}

Field Maker::RandomField(Kind kind) {
  if (Chance(35)) return Field::kUserMessage;
  const auto field = static_cast<Field>(random_() % kFields);
  const bool name = field == Field::kToolName || field == Field::kCallName;
  const bool short_text = field >= Field::kStop;
  // What does not fit, or cannot be written there.
  if (kind == Kind::kPrivateKey && short_text) return Field::kSystemMessage;
  if ((kind == Kind::kJwt || kind == Kind::kResidentId || kind == Kind::kBankCard) && field == Field::kAuthor) {
    return Field::kUserMessage;  // 64 bytes are too few for a canary and a value in disguise
  }
  if (name && (kind == Kind::kJwt || kind == Kind::kKeyword || kind == Kind::kPhone || kind == Kind::kEmail)) {
    return Field::kPrompt;
  }
  return field;
}

// Digits (the last character may be an X) as a person or an evader writes them.
std::string Maker::Number(const std::string& digits, const std::vector<size_t>& groups) {
  switch (random_() % 6) {
    case 0: return Rewrite(digits, FullWidth);
    case 1: return Rewrite(digits, Itself, kZeroWidth);
    case 2: {
      static constexpr const char* kSeparators[] = {" ", "-", "\u3000", "\u2013"};
      const std::string separator = OneOf(kSeparators);
      std::string out;
      size_t at = 0;
      for (const size_t group : groups) {
        absl::StrAppend(&out, at > 0 ? separator : "", digits.substr(at, group));
        at += group;
      }
      return out;
    }
    case 3: return Rewrite(digits, FullWidth, kZeroWidth);
    default: return digits;
  }
}

std::string Maker::ApiKey(bool plain) {
  if (plain) return absl::StrCat("glpat-", Token(24, kAlnum));
  std::string key;
  switch (random_() % 5) {
    case 0: key = absl::StrCat("sk-", Token(40, kAlnum)); break;
    case 1: key = absl::StrCat("ghp_", Token(36, kAlnum)); break;
    case 2: key = absl::StrCat("LTAI", Token(24, kAlnum)); break;
    case 3: key = absl::StrCat("sk-ant-", Token(40, kAlnum)); break;
    default: key = absl::StrCat("hf_", Token(34, kAlnum)); break;
  }
  if (Chance(15)) return Rewrite(key, FullWidth);
  if (Chance(15)) return Rewrite(key, Itself, kZeroWidth).substr(0, 200);
  return key;
}

std::string Maker::Jwt() {
  const auto part = [](const std::string& text) { return std::string(absl::WebSafeBase64Escape(text)); };
  return absl::StrCat(part(R"({"alg":"HS256","typ":"JWT"})"), ".", part(absl::StrCat(R"({"sub":")", Token(9, kAlnum),
                      "\"}")), ".", Token(43, kAlnum));
}

std::string Maker::Item(Kind kind, bool plain) {
  switch (kind) {
    case Kind::kResidentId: {
      const std::string id = RandomResidentId(random_);
      return plain ? id : Number(id, {6, 8, 4});
    }
    case Kind::kBankCard: {
      const std::string card = WithLuhnCheck("62" + RandomDigits(random_, 16));
      return plain ? card : Number(card, {4, 4, 4, 4, 3});
    }
    case Kind::kApiKey: return ApiKey(plain);
    case Kind::kJwt: return Jwt();
    case Kind::kPrivateKey:
      return absl::StrCat("-----BEGIN PRIVATE KEY-----\n", Token(64, kAlnum), "\n", Token(64, kAlnum),
                          "\n-----END PRIVATE KEY-----\n");
    case Kind::kKeyword: {
      const std::string word = Chance(50) ? kLatinKeyword : kChineseKeyword;
      if (word == kChineseKeyword) return word;
      return Chance(50) ? Rewrite(word, FullWidth) : Chance(50) ? Rewrite(word, Itself, kZeroWidth) : word;
    }
    case Kind::kPhone: return Number("13" + RandomDigits(random_, 9), {3, 4, 4});
    case Kind::kEmail: return absl::StrCat("wang.", Token(6, "abcdefghij"), "@huaxia-tech.cn");
    default: return plain ? "note" : "some everyday words";
  }
}

std::string Maker::Sentence(const std::string& canary, const std::string& item) {
  switch (random_() % 4) {
    case 0: return absl::StrCat("Please look at ", item, " for ", canary, " today.");
    case 1: return absl::StrCat("参考", canary, "，我的号码是", item, "请记下来");  // glued to Chinese
    case 2: return absl::StrCat(canary, "\n", item, "\nWhat is this?");
    default: return absl::StrCat("Case ", canary, ": ", item);
  }
}

std::string Maker::Text(Kind kind, Field field, const std::string& canary) {
  if (field == Field::kToolName || field == Field::kCallName) return absl::StrCat(canary, "_", Item(kind, true));
  if (field == Field::kAuthor) return absl::StrCat(canary, " ", Item(kind, true));
  if (field >= Field::kStop) return absl::StrCat(canary, " ", Item(kind, false));
  if (!Chance(12)) return Sentence(canary, Item(kind, false));
  const std::string plain = absl::StrCat("file of ", canary, " with ", Item(kind, true), " in it");
  return Chance(50) ? absl::StrCat("Decode: ", std::string(absl::Base64Escape(plain)), " please")
                    : absl::StrCat("Decode: ", std::string(absl::BytesToHexString(plain)), " please");
}

std::string Maker::JsonObject(const std::string& text) {
  const nlohmann::json object = {{"type", "object"}, {"description", text}};
  return object.dump(-1, ' ', /*ensure_ascii=*/Chance(50));
}

v1::Message& Maker::AddMessage(v1::GenerateRequest& request, v1::Role role, const std::string& content) {
  v1::Message& message = *request.add_messages();
  message.set_role(role);
  message.set_content(content);
  return message;
}

// An assistant's tool call and the tool's answer.
void Maker::AddToolTurn(v1::GenerateRequest& request) {
  v1::ToolCall& call = *AddMessage(request, v1::ROLE_ASSISTANT, "").add_tool_calls();
  call.set_id("call_1");
  call.set_name("lookup");
  call.set_arguments("{\"city\":\"Paris\"}");
  AddMessage(request, v1::ROLE_TOOL, "sunny").set_tool_call_id("call_1");
}

void Maker::AddExtras(v1::GenerateRequest& request) {
  if (Chance(30)) request.set_max_tokens(16);
  if (Chance(20)) request.mutable_sampling()->set_temperature(0.7F);
  if (Chance(15)) request.add_stop("END");
  if (request.session().empty() && Chance(20)) request.set_session("session-1");
  if (request.user().empty() && Chance(20)) request.set_user("someone");
  if (request.messages_size() == 0) return;
  if (Chance(10)) {
    request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
    request.mutable_messages(0)->mutable_content()->append(" as json");
  }
  if (Chance(15) && request.tools_size() == 0) {
    v1::Tool& tool = *request.add_tools();
    tool.set_name("lookup");
    tool.set_parameters_json("{\"type\":\"object\"}");
  }
}

void Maker::PutTool(Field field, const std::string& text, v1::GenerateRequest& request) {
  if (field == Field::kCallArguments || field == Field::kCallName || field == Field::kCallId ||
      field == Field::kToolResult) {
    AddMessage(request, v1::ROLE_USER, "Look it up.");
    AddToolTurn(request);
    v1::ToolCall& call = *request.mutable_messages(1)->mutable_tool_calls(0);
    if (field == Field::kCallArguments) call.set_arguments(JsonObject(text));
    if (field == Field::kCallName) call.set_name(text);
    if (field == Field::kCallId) call.set_id(text);
    if (field == Field::kToolResult) request.mutable_messages(2)->set_content(text);
    request.mutable_messages(2)->set_tool_call_id(call.id());
    return;
  }
  AddMessage(request, v1::ROLE_USER, "Use the tool.");
  v1::Tool& tool = *request.add_tools();
  tool.set_name(field == Field::kToolName ? text : "lookup");
  if (field == Field::kToolDescription) tool.set_description(text);
  if (field == Field::kToolParameters) tool.set_parameters_json(JsonObject(text));
}

void Maker::Put(Field field, const std::string& text, v1::GenerateRequest& request) {
  switch (field) {
    case Field::kPrompt: request.set_prompt(text); return;
    case Field::kUserMessage: AddMessage(request, v1::ROLE_USER, text); return;
    case Field::kSystemMessage:
      AddMessage(request, v1::ROLE_SYSTEM, text);
      AddMessage(request, v1::ROLE_USER, "Go on.");
      return;
    case Field::kAssistantMessage:
    case Field::kReasoning: {
      AddMessage(request, v1::ROLE_USER, "Hello.");
      const bool thought = field == Field::kReasoning;
      v1::Message& message = AddMessage(request, v1::ROLE_ASSISTANT, thought ? "Hi." : text);
      if (thought) message.set_reasoning_content(text);
      AddMessage(request, v1::ROLE_USER, "Go on.");
      return;
    }
    case Field::kToolDescription:
    case Field::kToolParameters:
    case Field::kToolName:
    case Field::kCallArguments:
    case Field::kCallName:
    case Field::kCallId:
    case Field::kToolResult: PutTool(field, text, request); return;
    default: break;
  }
  v1::Message& message = AddMessage(request, v1::ROLE_USER, "Why is the sky blue?");
  if (field == Field::kStop) request.add_stop(text);
  if (field == Field::kSession) request.set_session(text);
  if (field == Field::kUser) request.set_user(text);
  if (field == Field::kModel) request.set_model(text);
  if (field == Field::kAuthor) message.set_name(text);
  if (field == Field::kSchema) {
    request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_SCHEMA);
    request.mutable_response_format()->set_json_schema(JsonObject(text));
  }
}

void Maker::Declare(CanaryRequest& made) {
  const auto level = Chance(50) ? v1::SENSITIVITY_LEVEL_CONFIDENTIAL : v1::SENSITIVITY_LEVEL_RESTRICTED;
  const auto other = Chance(50) ? v1::SENSITIVITY_LEVEL_UNSPECIFIED : v1::SENSITIVITY_LEVEL_PUBLIC;
  const bool by_header = Chance(50);
  made.declared = by_header ? level : other;
  made.request.set_declared_sensitivity(by_header ? other : level);
}

// Requests that admission refuses: what it says about them must not repeat them.
void Maker::Spoil(CanaryRequest& made) {
  made.valid = false;
  v1::GenerateRequest& request = made.request;
  switch (random_() % 5) {
    case 0: made.api_key = made.canary; return;  // unknown
    case 1: AddMessage(request, v1::ROLE_TOOL, made.canary).set_tool_call_id(made.canary); return;
    case 2:
      request.mutable_tool_choice()->set_mode(v1::ToolChoice::MODE_FUNCTION);
      request.mutable_tool_choice()->set_function_name(made.canary);
      return;
    case 3: {
      v1::Tool& tool = *request.add_tools();
      tool.set_name("broken");
      tool.set_parameters_json(absl::StrCat("{", made.canary));
      return;
    }
    default: request.add_stop(std::string(300, 'x') + made.canary); return;
  }
}

CanaryRequest Maker::Make() {
  CanaryRequest made;
  made.kind = RandomKind();
  made.canary = NewCanary(wide_);
  const Field field = RandomField(made.kind);
  made.field = kFieldNames[static_cast<int>(field)];
  made.sendable = Sendable(field);
  if (made.kind != Kind::kPrivateKey && field < Field::kStop && field != Field::kPrompt && Chance(15)) {
    // The value in one field, the canary in another: the request stays as a whole.
    Put(field, Sentence("the file", Item(made.kind, false)), made.request);
    AddMessage(made.request, v1::ROLE_USER, absl::StrCat("And now ", made.canary, "?"));
    made.field = "elsewhere";
    made.sendable = field != Field::kSchema;
  } else {
    Put(field, Text(made.kind, field, made.canary), made.request);
  }
  AddExtras(made.request);
  if (made.kind == Kind::kDeclared) Declare(made);
  if (made.kind == Kind::kTenantFloor) made.api_key = kFloorKey;
  if (made.kind == Kind::kLocalTenant) made.api_key = kLocalKey;
  if (made.api_key == kOpenKey && Chance(2)) made.api_key = kLimitedKey;
  if (Chance(3)) Spoil(made);
  return made;
}

}  // namespace

const char* Name(Kind kind) {
  static constexpr const char* kNames[kKinds] = {"resident_id", "bank_card", "api_key", "jwt", "private_key",
                                                 "declared", "tenant_floor", "keyword", "local_tenant", "everyday",
                                                 "phone", "email"};
  return kNames[static_cast<int>(kind)];
}

CanaryRequest MakeCanaryRequest(uint64_t seed) { return Maker(seed).Make(); }

}  // namespace headgate::router
