// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/integration/no_egress/canary_requests.h"

#include <algorithm>
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
         field != Field::kSchema;
}

class Maker {
 public:
  explicit Maker(uint64_t seed) : wide_(seed * 0x9E3779B97F4A7C15u + 1), random_(static_cast<uint32_t>(wide_())) {}
  CanaryRequest Make();
  CanaryRequest MakeFollowUp(const CanaryRequest& before, bool by_session);

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
  // The value of `kind`; in a long text perhaps evaded, once or twice.
  enum class Care { kPlain, kShort, kLong };
  std::string Item(Kind kind, Care care);
  std::string Evaded(Kind kind, std::string value);
  std::vector<std::string> Split(const std::string& value);
  void PutSplit(Kind kind, CanaryRequest& made);
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
  void ChooseCloud(CanaryRequest& made);
  Api RandomApi();

  std::vector<const Evasion*> evasions_;
  std::string value_;  // the last one made
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
  if (roll < 62) return Kind::kEveryday;
  if (roll < 63) return Kind::kLateKeyword;
  if (roll < 64) return Kind::kLateFloor;
  if (roll < 68) return Kind::kPhone;
  if (roll < 72) return Kind::kEmail;
  return static_cast<Kind>(random_() % static_cast<uint32_t>(Kind::kFollowUp));
}

Field Maker::RandomField(Kind kind) {
  if (kind == Kind::kAttack) return Field::kUserMessage;
  if (Chance(35)) return Field::kUserMessage;
  const auto field = static_cast<Field>(random_() % kFields);
  const bool name = field == Field::kToolName || field == Field::kCallName;
  const bool short_text = field >= Field::kStop;
  // What does not fit, or cannot be written there.
  if (kind == Kind::kUnreadable && field != Field::kToolResult && field != Field::kPrompt) {
    return Chance(50) ? Field::kUserMessage : Field::kSystemMessage;
  }
  if (kind == Kind::kPrivateKey && short_text) return Field::kSystemMessage;
  if ((kind == Kind::kJwt || kind == Kind::kResidentId || kind == Kind::kBankCard) && field == Field::kAuthor) {
    return Field::kUserMessage;  // 64 bytes are too few for a canary and a value in disguise
  }
  if (name && (kind == Kind::kJwt || kind == Kind::kKeyword || kind == Kind::kLateKeyword || kind == Kind::kPhone ||
               kind == Kind::kEmail)) {
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

// Up to two evasions that fit each other.
std::string Maker::Evaded(Kind kind, std::string value) {
  evasions_.clear();
  const int count = static_cast<int>(random_() % 3);
  const std::vector<Evasion>& all = Evasions();
  for (int tries = 0; tries < 20 && static_cast<int>(evasions_.size()) < count; ++tries) {
    const Evasion& evasion = all[random_() % all.size()];
    if (!Fits(evasion, ShapeOf(kind)) || (!evasions_.empty() && !Fits(*evasions_[0], evasion))) continue;
    evasions_.push_back(&evasion);
  }
  for (const Evasion* evasion : evasions_) value = evasion->rewrite(value, random_);
  return value;
}

std::string Maker::Item(Kind kind, Care care) {
  switch (kind) {
    case Kind::kResidentId:
    case Kind::kBankCard:
    case Kind::kPhone: {
      const std::string value = value_ = MakeValue(kind, random_);
      if (care == Care::kLong) return Evaded(kind, value);
      if (care == Care::kPlain) return value;
      return Number(value, kind == Kind::kResidentId ? std::vector<size_t>{6, 8, 4}
                           : kind == Kind::kPhone    ? std::vector<size_t>{3, 4, 4}
                                                     : std::vector<size_t>{4, 4, 4, 4, 3});
    }
    case Kind::kApiKey:
      if (care == Care::kPlain) return absl::StrCat("glpat-", Token(24, kAlnum));
      return care == Care::kLong ? Evaded(kind, MakeValue(kind, random_)) : MakeValue(kind, random_);
    case Kind::kJwt:
    case Kind::kUnreadable: return MakeValue(kind, random_);
    case Kind::kPrivateKey:
      return absl::StrCat("-----BEGIN PRIVATE KEY-----\n", Token(64, kAlnum), "\n", Token(64, kAlnum),
                          "\n-----END PRIVATE KEY-----\n");
    case Kind::kKeyword:
      if (Chance(50)) return kChineseKeyword;
      return care == Care::kLong ? Evaded(kind, kLatinKeyword) : kLatinKeyword;
    case Kind::kLateKeyword: return kLateWord;
    case Kind::kAttack: return "<script>alert(document.cookie)</script>";
    case Kind::kEmail: {
      value_ = NewCanary(wide_);
      const std::string address = absl::StrCat(value_, "@huaxia-tech.cn");
      if (care == Care::kLong && Chance(25)) return AfterMany(address);
      return care == Care::kLong ? Evaded(kind, address) : address;
    }
    default: return care == Care::kPlain ? "note" : "some everyday words";
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
  if (field == Field::kToolName || field == Field::kCallName) {
    return absl::StrCat(canary, "_", Item(kind, Care::kPlain));
  }
  if (field == Field::kAuthor) return absl::StrCat(canary, " ", Item(kind, Care::kPlain));
  if (field >= Field::kStop) return absl::StrCat(canary, " ", Item(kind, Care::kShort));
  if (!Chance(8)) return Sentence(canary, Item(kind, Care::kLong));
  const std::string plain = absl::StrCat("file of ", canary, " with ", Item(kind, Care::kPlain), " in it");
  return Chance(50) ? absl::StrCat("Decode: ", std::string(absl::Base64Escape(plain)), " please")
                    : absl::StrCat("Decode: ", std::string(absl::BytesToHexString(plain)), " please");
}

std::string Maker::JsonObject(const std::string& text) {
  const auto wrap = [this](const std::string& inner) {
    const nlohmann::json object = {{"type", "object"}, {"description", inner}};
    return object.dump(-1, ' ', /*ensure_ascii=*/Chance(50));
  };
  const std::string document = wrap(text);
  return Chance(30) ? wrap(document) : document;
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
  if (request.session().empty() && Chance(20)) request.set_session(absl::StrCat("session-", Token(12, kAlnum)));
  if (request.user().empty() && Chance(20)) request.set_user("someone");
  if (request.messages_size() == 0) return;
  if (Chance(10) && !request.has_response_format()) {
    request.mutable_response_format()->set_type(v1::ResponseFormat::TYPE_JSON_OBJECT);
    // In front: the parts of a split value stand at the end.
    request.mutable_messages(0)->mutable_content()->insert(0, "As json: ");
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

// Over two or three messages of one role, with another's between some, over a name and the message that bears it, or
// over tool calls; the parts stand at the edges, and the value is perhaps in disguise.
void Maker::PutSplit(Kind kind, CanaryRequest& made) {
  const std::string value = Evaded(kind, MakeValue(kind, random_));
  const std::u32string characters = CodePointsOf(value);
  made.split = true;
  made.field = "split";
  const bool fits_name = value.size() < 60;
  const uint32_t how = random_() % 10;
  const size_t parts = how < 2 ? 2 : 2 + random_() % 2, size = characters.size() / parts;
  const auto part = [&](size_t i) {
    return Utf8Of(characters.substr(i * size, i + 1 < parts ? size : std::u32string::npos));
  };
  if (how == 0 && fits_name) {
    const std::string begins = absl::StrCat(made.canary, " the number begins ", part(0));
    AddMessage(made.request, v1::ROLE_USER, begins).set_name(part(1));
    made.field = "split_name";
    return;
  }
  if (how == 1) {
    AddMessage(made.request, v1::ROLE_USER, "Look it up.");
    AddToolTurn(made.request);
    v1::Message& calls = *made.request.mutable_messages(1);
    calls.mutable_tool_calls(0)->set_arguments(
        nlohmann::json({{"begins", absl::StrCat(made.canary, " ", part(0))}}).dump(-1, ' ', Chance(50)));
    v1::ToolCall& second = *calls.add_tool_calls();
    second.set_id("call_2");
    second.set_name("lookup");
    second.set_arguments(nlohmann::json({{"ends", part(1)}}).dump(-1, ' ', Chance(50)));
    AddMessage(made.request, v1::ROLE_TOOL, "rainy").set_tool_call_id("call_2");
    made.field = "split_calls";
    return;
  }
  const bool answered = Chance(50);
  for (size_t i = 0; i < parts; ++i) {
    if (i > 0 && answered) AddMessage(made.request, v1::ROLE_ASSISTANT, "Go on.");
    AddMessage(made.request, v1::ROLE_USER,
               i == 0          ? absl::StrCat(made.canary, " the number begins ", part(i))
               : i + 1 < parts ? part(i)
                               : absl::StrCat(part(i), " is its end"));
  }
}

void Maker::ChooseCloud(CanaryRequest& made) {
  if (made.api_key == kOpenKey && Chance(12)) made.api_key = kSecondKey;
  const bool http = made.api == Api::kHttp || made.api == Api::kHttpStream || made.api == Api::kHttpBatch;
  const bool asks_for_it = !http && Chance(20);
  const bool batch = asks_for_it || made.api == Api::kHttpBatch;
  if (asks_for_it) made.request.set_priority(v1::PRIORITY_BATCH);
  made.cloud = made.api_key == kSecondKey ? 1 : batch ? 2 : 0;
}

Api Maker::RandomApi() {
  const uint32_t roll = random_() % 100;
  if (roll < 27) return Api::kDirect;
  if (roll < 30) return Api::kHttpBatch;
  if (roll < 44) return Api::kGrpcStream;
  if (roll < 56) return Api::kGrpc;
  if (roll < 76) return Api::kHttpStream;
  if (roll < 90) return Api::kHttp;
  return static_cast<Api>(static_cast<int>(Api::kGrpcEmbed) + static_cast<int>(random_() % 4));
}

CanaryRequest Maker::Make() {
  CanaryRequest made;
  made.kind = RandomKind();
  made.canary = NewCanary(wide_);
  made.api = RandomApi();
  const Field field = RandomField(made.kind);
  made.field = kFieldNames[static_cast<int>(field)];
  made.sendable = Sendable(field);
  const bool inside_json =
      field == Field::kToolParameters || field == Field::kCallArguments || field == Field::kSchema;
  const bool splits = made.kind == Kind::kResidentId || made.kind == Kind::kBankCard || made.kind == Kind::kApiKey;
  if (splits && !LocalOnly(made.api) && Chance(8)) {
    made.sendable = true;
    PutSplit(made.kind, made);
  } else if (made.kind != Kind::kPrivateKey && field < Field::kStop && field != Field::kPrompt && Chance(15)) {
    // The value in one field, the canary in another: the request stays as a whole.
    Put(field, Sentence("the file", Item(made.kind, Care::kLong)), made.request);
    AddMessage(made.request, v1::ROLE_USER, absl::StrCat("And now ", made.canary, "?"));
    made.field = "elsewhere";
    made.sendable = field != Field::kSchema;
  } else if (made.kind == Kind::kPhone && field == Field::kUserMessage && Chance(50)) {
    // The value again, where nothing says that it is a telephone's.
    const std::string number = Item(made.kind, Care::kPlain);
    AddMessage(made.request, v1::ROLE_USER, absl::StrCat("my phone is ", number));
    AddMessage(made.request, v1::ROLE_USER, absl::StrCat("order number ", number, " of ", made.canary));
    made.field = "twice";
  } else {
    Put(field, Text(made.kind, field, made.canary), made.request);
  }
  AddExtras(made.request);
  if (made.kind == Kind::kDeclared) Declare(made);
  if (made.kind == Kind::kTenantFloor) made.api_key = kFloorKey;
  if (made.kind == Kind::kLocalTenant) made.api_key = kLocalKey;
  if (made.kind == Kind::kLateFloor) made.api_key = kLateKey;
  if (made.api_key == kOpenKey && Chance(2)) made.api_key = kLimitedKey;
  if ((made.kind == Kind::kPhone || made.kind == Kind::kEmail) && Chance(50)) made.api_key = kMaskedKey;
  ChooseCloud(made);
  if (made.field == kFieldNames[static_cast<int>(Field::kReasoning)]) made.sendable = made.cloud == kThinkingCloud;
  // So that what is asked again comes from the cache.
  if (Chance(20)) made.request.mutable_sampling()->set_temperature(0);
  if (LocalOnly(made.api)) {
    made.sendable = false;
  } else if (Chance(3)) {
    Spoil(made);
  }
  const bool kept = made.request.sampling().has_temperature() && made.request.sampling().temperature() == 0;
  if (made.kind == Kind::kEveryday && made.api == Api::kDirect && made.valid && !kept && Chance(6)) {
    made.changed = NewCanary(wide_);
  }
  made.evasions = std::move(evasions_);
  made.value = std::move(value_);
  const auto decodings = std::count_if(made.evasions.begin(), made.evasions.end(), [](const Evasion* evasion) {
    return evasion->undone == Undone::kDecoding;
  });
  made.nested = decodings + (inside_json && decodings > 0 ? 1 : 0) > 1;
  // A line of a batch has no session.
  if (MustStay(made.kind) && made.valid && made.api != Api::kHttpBatch && field != Field::kSession) {
    if (made.request.session().empty()) made.request.set_session(absl::StrCat("session-", Token(12, kAlnum)));
    made.session = made.request.session();
  }
  return made;
}

CanaryRequest Maker::MakeFollowUp(const CanaryRequest& before, bool by_session) {
  CanaryRequest made;
  made.kind = Kind::kFollowUp;
  made.canary = NewCanary(wide_);
  made.field = by_session ? "session" : "history";
  do made.api = RandomApi();
  while (LocalOnly(made.api) || (by_session && made.api == Api::kHttpBatch));
  if (by_session) {
    made.request.set_session(before.session);
  } else {
    *made.request.mutable_messages() = before.request.messages();
    *made.request.mutable_tools() = before.request.tools();
  }
  AddMessage(made.request, v1::ROLE_USER, absl::StrCat("And then, ", made.canary, "?"));
  if (made.api == Api::kHttpBatch) made.cloud = 2;
  return made;
}

}  // namespace

CanaryRequest MakeCanaryRequest(uint64_t seed, bool large) {
  CanaryRequest made = Maker(seed).Make();
  if (large) Enlarge(made);
  return made;
}

CanaryRequest MakeFollowUp(uint64_t seed, const CanaryRequest& before, bool by_session) {
  return Maker(seed).MakeFollowUp(before, by_session);
}

}  // namespace headgate::router
