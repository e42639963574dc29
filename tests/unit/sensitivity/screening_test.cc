// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/screening.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "router/classification.h"
#include "router/sensitivity/decoded_views.h"
#include "tests/unit/sensitivity/samples.h"

namespace headgate::router {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using testing::Contains;
using testing::IsEmpty;

v1::GenerateRequest Chat(const std::vector<std::pair<v1::Role, std::string>>& messages) {
  v1::GenerateRequest request;
  for (const auto& [role, content] : messages) {
    v1::Message& message = *request.add_messages();
    message.set_role(role);
    message.set_content(content);
  }
  return request;
}

const Classification& Classifier() {
  static const auto classification = Classification::Make({});
  return **classification;
}

Sensitivity Classify(v1::GenerateRequest request, const LimitsConfig& limits = {}) {
  const Prompt prompt(std::move(request));
  return Classifier().Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, {}, Screening(limits).Screen(prompt));
}

// A request in which every message field is present, so that every string field can be set in turn.
v1::GenerateRequest FullRequest() {
  v1::GenerateRequest request = Chat({{v1::ROLE_USER, "hello"}});
  request.mutable_messages(0)->add_tool_calls();
  request.mutable_sampling();
  request.mutable_response_format();
  request.add_tools();
  request.mutable_tool_choice();
  return request;
}

// Calls `visit(message, field, path)` for every string field of the message type tree.
void ForEachStringField(Message& message, const std::string& prefix,
                        const std::function<void(Message&, const FieldDescriptor*, const std::string&)>& visit) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string path = prefix + field->name();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      visit(message, field, path);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->is_map()) continue;  // of numbers
      Message& child = field->is_repeated() ? *reflection->MutableRepeatedMessage(&message, field, 0)
                                            : *reflection->MutableMessage(&message, field);
      ForEachStringField(child, path + ".", visit);
    }
  }
}

TEST(Screening, EveryStringFieldIsRead) {
  // Paths first: setting a field must not disturb the walk.
  std::vector<std::string> paths;
  v1::GenerateRequest shape = FullRequest();
  ForEachStringField(shape, "",
                     [&](Message&, const FieldDescriptor*, const std::string& path) { paths.push_back(path); });
  ASSERT_THAT(paths, Contains("tools.parameters_json"));
  ASSERT_THAT(paths, Contains("messages.tool_calls.arguments"));
  ASSERT_THAT(paths, Contains("user"));
  ASSERT_GE(paths.size(), 17u);
  ASSERT_FALSE(Classify(FullRequest()).sensitive());
  for (const std::string& canary_path : paths) {
    v1::GenerateRequest request = FullRequest();
    ForEachStringField(request, "", [&](Message& message, const FieldDescriptor* field, const std::string& path) {
      if (path != canary_path) return;
      const std::string canary = "x " + std::string(kResidentId);
      if (field->is_repeated()) {
        message.GetReflection()->AddString(&message, field, canary);
      } else {
        message.GetReflection()->SetString(&message, field, canary);
      }
    });
    const Sensitivity sensitivity = Classify(request);
    EXPECT_TRUE(sensitivity.sensitive()) << canary_path;
    ASSERT_EQ(sensitivity.findings.size(), 1u) << canary_path;
    EXPECT_EQ(sensitivity.findings[0].type(), "CN_RESIDENT_ID");
    EXPECT_EQ(sensitivity.findings[0].begin(), 2);
    EXPECT_EQ(sensitivity.findings[0].end(), 20);
    std::string field = sensitivity.findings[0].field();
    for (size_t at = field.find("[0]"); at != std::string::npos; at = field.find("[0]")) field.erase(at, 3);
    EXPECT_EQ(field, canary_path);
  }
}

TEST(Screening, TheEndOfALongTextIsRead) {
  const std::string filler = std::string(100000, 'a') + " ";
  EXPECT_TRUE(Classify(Chat({{v1::ROLE_USER, filler + std::string(kResidentId)}})).sensitive());
  EXPECT_FALSE(Classify(Chat({{v1::ROLE_USER, filler}})).sensitive());
}

TEST(Screening, ValuesSplitOverMessagesAreFound) {
  const std::string id(kResidentId);
  struct Row {
    const char* name;
    v1::GenerateRequest request;
    const char* field;
  };
  const Row rows[] = {
      {"two_messages",
       Chat({{v1::ROLE_USER, "it begins " + id.substr(0, 9)}, {v1::ROLE_USER, id.substr(9) + " and ends"}}),
       "messages[0..1].content"},
      {"three_messages",
       Chat({{v1::ROLE_USER, id.substr(0, 5)}, {v1::ROLE_USER, id.substr(5, 5)}, {v1::ROLE_USER, id.substr(10)}}),
       "messages[0..2].content"},
      {"over_roles", Chat({{v1::ROLE_SYSTEM, id.substr(0, 9)}, {v1::ROLE_USER, id.substr(9)}}),
       "messages[0..1].content"},
      {"answer_between",
       Chat({{v1::ROLE_USER, id.substr(0, 9)}, {v1::ROLE_ASSISTANT, "go on"}, {v1::ROLE_USER, id.substr(9)}}),
       "messages[0..2].content"},
      {"full_width",
       Chat({{v1::ROLE_USER, "号码" + Rewrite(id.substr(0, 9), FullWidth)},
             {v1::ROLE_USER, Rewrite(id.substr(9), FullWidth)}}),
       "messages[0..1].content"},
      {"key", Chat({{v1::ROLE_USER, "use sk-abc123DEF456ghi7"}, {v1::ROLE_USER, "89JKL012mno345PQ"}}),
       "messages[0..1].content"},
  };
  for (const Row& row : rows) {
    const Sensitivity sensitivity = Classify(row.request);
    EXPECT_TRUE(sensitivity.sensitive()) << row.name;
    ASSERT_EQ(sensitivity.findings.size(), 1u) << row.name;
    EXPECT_EQ(sensitivity.findings[0].field(), row.field) << row.name;
  }
  // The label in one message, the value in the next.
  const Sensitivity asked = Classify(Chat({{v1::ROLE_ASSISTANT, "What is your SSN?"}, {v1::ROLE_USER, "536228730"}}));
  ASSERT_EQ(asked.findings.size(), 1u);
  EXPECT_EQ(asked.findings[0].type(), "US_SSN");
  EXPECT_EQ(asked.findings[0].field(), "messages[1]");
  // A value in one message is named once, not again at the seam.
  const Sensitivity once =
      Classify(Chat({{v1::ROLE_USER, id}, {v1::ROLE_ASSISTANT, "thanks"}, {v1::ROLE_USER, "next"}}));
  EXPECT_EQ(once.findings.size(), 1u);
}

// Of long messages only the ends are put together, and only where they may hold a part of a value: a prefix, or the
// letter that an identifier begins with, is one, without any digit.
TEST(Screening, APrefixAtTheEndOfALongMessageIsAPart) {
  const std::string before = "I have been looking for the place where this has to be written down, and here it comes: ";
  const std::string between = "Thank you, please go on with it, so that we can put all of it into the right place.";
  const std::tuple<const char*, std::string, std::string, const char*> rows[] = {
      {"key", "sk-", "aB3dE6gH9jK2mN5pQ8sT1vW4", "API_KEY"},
      {"github", "ghp_", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3dE6gH9jK2m", "API_KEY"},
      {"aliyun", "LTAI", "aB3dE6gH9jK2mN5pQ8sT", "API_KEY"},
      {"hong_kong", "A", "123456(3)", "HK_ID"},
  };
  for (const auto& [name, prefix, rest, type] : rows) {
    const std::string after = rest + " and that is all of it, since there was nothing more on the paper that I have";
    const Sensitivity sensitivity = Classify(
        Chat({{v1::ROLE_USER, before + prefix}, {v1::ROLE_ASSISTANT, between}, {v1::ROLE_USER, after}}));
    const auto is_it = [type = type](const v1::Finding& finding) { return finding.type() == type; };
    EXPECT_TRUE(std::any_of(sensitivity.findings.begin(), sensitivity.findings.end(), is_it)) << name;
  }
}

v1::GenerateRequest Calls(const std::vector<std::string>& arguments) {
  v1::GenerateRequest request = Chat({{v1::ROLE_ASSISTANT, ""}});
  for (const std::string& json : arguments) request.mutable_messages(0)->add_tool_calls()->set_arguments(json);
  return request;
}

// What stands around the parts of a value, and other numbers beside them, does not hide it.
TEST(Screening, PartsAreFoundAmongOtherThings) {
  const auto said = [](const std::vector<std::string>& texts) {
    std::vector<std::pair<v1::Role, std::string>> messages;
    for (const std::string& text : texts) messages.emplace_back(v1::ROLE_USER, text);
    return Chat(messages);
  };
  const std::pair<const char*, v1::GenerateRequest> rows[] = {
      {"a digit before", said({"Send it in 2", "110105198", "706121007"})},
      {"a digit behind", said({"110105198", "706121007", "2 more to come"})},
      {"quotes", said({"\"110105198\"", "\"706121007\""})},
      {"stars", said({"**110105198**", "**706121007**"})},
      {"dots", said({"it is 110105198...", "...706121007"})},
      {"blanks", said({"110105198\n\n\n\n", "    706121007"})},
      {"chinese", said({"号码是110105198，", "706121007。谢谢"})},
      {"base64", said({"it is \"MTEwMTA1MTk4\"", "\"NzA2MTIxMDA3\" and no more"})},
      {"arguments with other keys", Calls({R"({"n":1,"part":"110105198"})", R"({"n":2,"part":"706121007"})"})},
      {"arguments with a key behind", Calls({R"({"part":"110105198","n":1})", R"({"part":"706121007","n":2})"})},
      {"a list in the arguments", Calls({R"({"id":["110105","19870612","1007"]})"})},
      {"a list in a message", said({R"(["110105","19870612","1007"])"})},
      {"tool results", said({R"({"part":"110105198"})", R"({"part":"706121007"})"})},
      {"sentences", said({"the number starts with 110105", "then comes 19870612", "finally 1007"})},
      {"sentences with answers between", Chat({{v1::ROLE_USER, "the number starts with 110105"},
                                               {v1::ROLE_ASSISTANT, "ok"},
                                               {v1::ROLE_USER, "then comes 19870612"},
                                               {v1::ROLE_ASSISTANT, "got it, go on"},
                                               {v1::ROLE_USER, "finally 1007"}})},
      {"a date of birth", said({"area 110105, born 1987-06-12, last four 1007"})},
      {"keys of an object", said({R"({"110105":1,"19870612":2,"1007":3})"})},
  };
  for (const auto& [name, request] : rows) {
    const Sensitivity sensitivity = Classify(request);
    const auto is_id = [](const v1::Finding& finding) { return finding.type() == "CN_RESIDENT_ID"; };
    EXPECT_TRUE(std::any_of(sensitivity.findings.begin(), sensitivity.findings.end(), is_id)) << name;
  }
  for (const auto& [name, request] : {
           std::pair("variables", said({"a = \"62220202\"\nb = \"00112345679\"\nprint(a + b)"})),
           std::pair("a template", said({"const a = '62220202', b = '00112345679'; send(`${a}${b}`)"})),
           std::pair("a shell", said({"A=62220202; B=00112345679; echo $A$B"})),
           std::pair("keys of arguments", Calls({R"({"bin":"622202","mid":"0200112345","end":"679"})"})),
           std::pair("sentences", said({"the card starts with 62220202", "then comes 00112345", "ends in 679"})),
       }) {
    const Sensitivity sensitivity = Classify(request);
    const auto is_card = [](const v1::Finding& finding) { return finding.type() == "BANK_CARD"; };
    EXPECT_TRUE(std::any_of(sensitivity.findings.begin(), sensitivity.findings.end(), is_card)) << name;
  }
  for (const v1::Finding& finding : Classify(said({"a = \"62220202\"\nb = \"00112345679\"\nprint(a, b)"})).findings) {
    EXPECT_NE(finding.type(), "BANK_CARD") << "two numbers of a program are not put together";
  }
  std::string table = "[";
  for (int i = 0; i < 40; ++i) table += "\"" + std::to_string(62220202 + i * 1337) + "\",";
  for (const v1::Finding& finding : Classify(said({table + "\"0\"]"})).findings) {
    EXPECT_NE(finding.type(), "BANK_CARD") << "a table's numbers are not put together";
  }
}

TEST(Screening, EncodedValuesAreFound) {
  struct Row {
    const char* name;
    std::string text;
  };
  const std::string id(kResidentId);
  const Row rows[] = {
      {"url", Rewrite(id, [](char c) { return "%3" + std::string(1, c == 'X' ? '0' : c); }).substr(0, 51) + "X"},
      {"json", Rewrite(id, [](char c) { return c == 'X' ? std::string("\\u0058") : "\\u003" + std::string(1, c); })},
      {"html", Rewrite(id, [](char c) { return "&#" + std::to_string(static_cast<int>(c)) + ";"; })},
      {"base64", "MTEwMTA1MTk0OTEyMzEwMDJY"},
      {"hex", "313130313035313934393132333130303258"},
      {"numerals", "一一〇一〇五一九四九一二三一〇〇二X"},
      {"url_of_full_width", "%EF%BC%91%EF%BC%91%EF%BC%90%EF%BC%91%EF%BC%90%EF%BC%9519491231002X"},
  };
  for (const Row& row : rows) {
    const std::string before = "证件 ";
    const Sensitivity sensitivity = Classify(Chat({{v1::ROLE_USER, before + row.text + " 谢谢"}}));
    EXPECT_TRUE(sensitivity.sensitive()) << row.name;
    ASSERT_FALSE(sensitivity.findings.empty()) << row.name;
    EXPECT_EQ(sensitivity.findings[0].type(), "CN_RESIDENT_ID") << row.name;
    EXPECT_EQ(sensitivity.findings[0].begin(), static_cast<int>(before.size())) << row.name;
    EXPECT_EQ(sensitivity.findings[0].end(), static_cast<int>(before.size() + row.text.size())) << row.name;
  }
}

std::string Base64(int times) {
  std::string text = "thirteen characters";
  for (int i = 0; i < times; ++i) text = std::string(absl::Base64Escape(text));
  return text;
}

TEST(Screening, WhatCannotBeInspectedIsSensitive) {
  LimitsConfig tight;
  tight.inspect_bytes_max = 10;
  const auto reasons = [](v1::GenerateRequest request, const LimitsConfig& limits) {
    return Screening(limits).Screen(Prompt(std::move(request))).not_inspectable;
  };
  EXPECT_THAT(reasons(Chat({{v1::ROLE_USER, "12345678901"}}), tight), testing::ElementsAre("too_long"));
  EXPECT_THAT(reasons(Chat({{v1::ROLE_USER, "1234567890"}}), tight), IsEmpty());
  EXPECT_THAT(reasons(Chat({{v1::ROLE_USER, "ok"}, {v1::ROLE_USER, "\xFF"}}), {}),
              testing::ElementsAre("invalid_utf8 messages[1].content"));
  EXPECT_THAT(reasons(Chat({{v1::ROLE_USER, Base64(kDecodeRounds + 1)}}), {}),
              testing::ElementsAre("decode_limit"));
  for (const auto& [request, limits] : std::vector<std::pair<v1::GenerateRequest, LimitsConfig>>{
           {Chat({{v1::ROLE_USER, "12345678901"}}), tight}, {Chat({{v1::ROLE_USER, "\xFF"}}), {}}}) {
    const Sensitivity sensitivity = Classify(request, limits);
    EXPECT_EQ(sensitivity.state, ClassificationState::kUnclassified);
    EXPECT_TRUE(sensitivity.sensitive());
  }
}

// What a request costs: bytes that rules and models read, half for rules alone. joined() is left out: it is never
// longer than its text, and only the few number rules read it.
size_t BytesRead(const Screened& screened) {
  size_t bytes = 0;
  for (const ScreenedField& field : screened.fields) {
    EXPECT_LE(field.text.joined().size(), field.text.text().size());
    bytes += field.text.text().size() / (field.superseded ? 2 : 1);
  }
  return bytes;
}
// `piece` again and again in messages of so many bytes, by turns of user and assistant.
v1::GenerateRequest Repeated(const std::string& piece, size_t bytes, size_t message_bytes) {
  v1::GenerateRequest request;
  std::string text;
  const auto say = [&] {
    v1::Message& message = *request.add_messages();
    message.set_role(request.messages_size() % 2 == 0 ? v1::ROLE_USER : v1::ROLE_ASSISTANT);
    message.set_content(std::exchange(text, ""));
  };
  for (size_t made = 0; made < bytes; made += piece.size()) {
    text += piece;
    if (text.size() >= message_bytes) say();
  }
  if (!text.empty()) say();
  return request;
}
size_t CanonicalBytes(const v1::GenerateRequest& request) {
  size_t bytes = 0;
  for (const v1::Message& message : request.messages()) bytes += CanonicalText::Make(message.content()).text().size();
  return bytes;
}

// A request is read at most twice and a little, whatever it holds; more is given up, and then it is sensitive.
TEST(Screening, ReadsALinearAmount) {
  const std::pair<const char*, std::string> rows[] = {
      {"words", "We met the supplier on Tuesday. "},
      {"digits", "138 1234 "},
      {"code_units", "\\u0031"},
      {"quotes", R"(\\\")"},
      {"backslashes", "\\"},
      {"percent", "%2525"},
      {"ampersands", "&amp;"},
      {"entities", "&#49;"},
      {"numerals", "一三八"},
      {"spelled", "one three eight "},
      {"glued", "onethree"},
      {"set_apart", "s k 1 2 "},
      {"lines", "a1b2c3d4\n"},
      {"phrases", "\uFDFA"},
      {"invalid", "\xFF"},
      {"sparse_escapes", "the quick brown fox jumps over the lazy dog \\n and then it goes on for a while "},
      {"blobs", Base64(4) + " "},
      {"deep_blobs", Base64(kDecodeRounds) + " "},
      {"lines_of_blobs", Base64(2) + "\n"},
      {"blobs_and_lines", Base64(3) + " a1b2c3\nd4e5f6 "},
      {"quoted_printable", "=31=3D=32=0A"},
      {"cells", "<td>1</td>"},
      {"concatenated", "\"1\" + \"2\" + "},
      {"character_codes", "49, 50, 51, 52, 53, 54, 55, 56; "},
      {"hexdump", "00000000: 3131 3031 3035 3139  11010519\n"},
      {"odd_separators", "1101#0519#8706#1210 "},
      {"halves", "first 110105198 then 706121007 "},
      {"leaves", R"({"a":"1101","b":"a1b2"})"},
  };
  for (const auto& [name, piece] : rows) {
    for (const size_t message_bytes : {size_t{12}, size_t{64}, size_t{140}, size_t{300}, size_t{1} << 20}) {
      for (const size_t size : {size_t{8} << 10, size_t{32} << 10, size_t{64} << 10, size_t{128} << 10}) {
        const v1::GenerateRequest request = Repeated(piece, size, message_bytes);
        const size_t plain = CanonicalBytes(request);
        EXPECT_LE(BytesRead(Screening(LimitsConfig{}).Screen(Prompt(request))), 2 * plain + (16 << 10))
            << name << " in messages of " << message_bytes << ", " << size << " bytes";
      }
    }
  }
}

// Wide, not only deep: what is left unread is told.
TEST(Screening, ReadingTooMuchIsSensitive) {
  const Sensitivity sensitivity =
      Classify(Chat({{v1::ROLE_USER, Repeated(Base64(5) + " ", 128 << 10, 1 << 20).messages(0).content()}}));
  EXPECT_EQ(sensitivity.state, ClassificationState::kUnclassified);
  EXPECT_TRUE(sensitivity.sensitive());
  const auto told = [](const v1::Finding& finding) { return finding.type() == "NOT_INSPECTABLE:read_limit"; };
  EXPECT_TRUE(std::any_of(sensitivity.findings.begin(), sensitivity.findings.end(), told));
}

std::string RandomBytes(size_t count) {
  std::mt19937 random(11);
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(random());
  return bytes;
}

// Large things that people send every day stay within the budget.
TEST(Screening, OrdinaryLargeRequestsAreReadWhole) {
  constexpr size_t kLarge = 128 << 10;
  std::mt19937 random(3);
  const auto number = [&random](uint32_t n) { return std::to_string(random() % n); };
  std::string code, csv, rows, html, log, lines;
  for (int i = 0; code.size() < kLarge; ++i) {
    absl::StrAppend(&code, "  if (count[", i, "] > 0x", absl::Hex(i), " && name != \"item_", i, "\\n\") {\n",
                    "    printf(\"%d: %s\\t%5.2f\\n\", i, names[i], 1.0 / ", i, ");  // see issue #", i, "\n  }\n");
  }
  for (int i = 0; csv.size() < kLarge; ++i) {
    absl::StrAppend(&csv, i, ",2026-", 10 + i % 3, "-", 10 + i % 18, ",", number(100000), ".", number(100), ",item ",
                    number(500), ",", number(2) == "0" ? "yes" : "no", "\n");
    absl::StrAppend(&rows, i > 0 ? "," : "", "{\"id\":", i, ",\"name\":\"item ", number(900),
                    "\",\"price\":", number(10000), ".5,\"tags\":[\"a", number(90), "\",\"b\"]}");
  }
  for (int i = 0; html.size() < kLarge; ++i) {
    absl::StrAppend(&html, "<tr class=\"row\"><td>", i, "</td><td>", number(100000), "</td><td>Part &amp; tool ",
                    number(90), "&nbsp;</td></tr>\n");
    absl::StrAppend(&log, "2026-11-22T10:", 10 + i % 50, ":01Z INFO worker=", number(16), " took ", number(900),
                    "ms path=/v1/items/", number(9999), "?page=2&size=50\n");
  }
  const std::string image = absl::Base64Escape(RandomBytes(kLarge * 3 / 4));
  for (size_t at = 0; at < image.size(); at += 76) absl::StrAppend(&lines, image.substr(at, 76), "\n");
  const auto quoted = [](const std::string& text) { return nlohmann::json({{"text", text}}).dump(); };
  std::vector<std::pair<v1::Role, std::string>> chat;
  for (int i = 0; i < 200; ++i) {
    chat.emplace_back(i % 2 == 0 ? v1::ROLE_USER : v1::ROLE_ASSISTANT,
                      i % 2 == 0 ? absl::StrCat("What about version ", i, "?")
                                 : absl::StrCat("In version ", i, " the limit was raised to ", i * 10,
                                                " items; see the "
                                                "notes of March 2024. Chapter 3 says more about it, and part ",
                                                i, "."));
  }
  std::vector<std::pair<v1::Role, std::string>> code_chat;
  for (size_t at = 0; at + 1300 < code.size(); at += 1300) {
    code_chat.emplace_back(code_chat.size() % 2 == 0 ? v1::ROLE_USER : v1::ROLE_ASSISTANT, code.substr(at, 1300));
  }
  const std::pair<const char*, v1::GenerateRequest> requests[] = {
      {"code", Chat({{v1::ROLE_USER, code}})},
      {"csv", Chat({{v1::ROLE_USER, csv}})},
      {"json", Chat({{v1::ROLE_USER, "[" + rows + "]"}})},
      {"html", Chat({{v1::ROLE_USER, html}})},
      {"log", Chat({{v1::ROLE_USER, log}})},
      {"image", Chat({{v1::ROLE_USER, "data:image/png;base64," + image}})},
      {"image_in_lines", Chat({{v1::ROLE_USER, lines}})},
      {"code_in_json", Chat({{v1::ROLE_USER, quoted(code)}})},
      {"csv_in_json", Chat({{v1::ROLE_USER, quoted(csv)}})},
      {"json_in_json", Chat({{v1::ROLE_USER, quoted(rows)}})},
      {"image_lines_in_json", Chat({{v1::ROLE_USER, quoted(lines)}})},
      {"log_in_json", Chat({{v1::ROLE_USER, quoted(log)}})},
      {"chat", Chat(chat)},
      {"chat_of_code", Chat(code_chat)},
  };
  for (const auto& [name, request] : requests) {
    EXPECT_THAT(Screening(LimitsConfig{}).Screen(Prompt(request)).not_inspectable, IsEmpty()) << name;
  }
}

TEST(Screening, CarriesTheDigestOfWhatItRead) {
  const Prompt prompt(Chat({{v1::ROLE_USER, "hello"}}));
  EXPECT_EQ(Screening(LimitsConfig{}).Screen(prompt).digest, prompt.digest());
}

}  // namespace
}  // namespace headgate::router
