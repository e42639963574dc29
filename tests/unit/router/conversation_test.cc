// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/conversation.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/io_context.hpp"
#include "gtest/gtest.h"
#include "tests/fakes/manual_clock.h"

namespace headgate::router {
namespace {

using Known = Conversation::Known;
using Turns = std::vector<std::pair<v1::Role, std::string>>;
constexpr auto U = v1::ROLE_USER, A = v1::ROLE_ASSISTANT, S = v1::ROLE_SYSTEM;

const std::string kAnswer = "This is an answer that is long enough to be recognised wherever it turns up again.";

v1::GenerateRequest Chat(const Turns& turns, const std::string& session = "") {
  v1::GenerateRequest request;
  request.set_session(session);
  for (const auto& [role, text] : turns) {
    v1::Message& message = *request.add_messages();
    message.set_role(role);
    message.set_content(text);
  }
  return request;
}

struct World {
  explicit World(ConversationConfig with = {}) : config(with) {}
  // One exchange: the request with its answer.
  void Exchange(const Turns& turns, const std::string& text, bool sensitive, const std::string& session = "") {
    const Prompt prompt(Chat(turns, session));
    if (sensitive) conversation.RememberSensitive(tenant, prompt, v1::SENSITIVITY_LEVEL_RESTRICTED);
    v1::Message answer;
    answer.set_role(A);
    answer.set_content(text);
    conversation.RememberAnswer(tenant, prompt, answer, sensitive, v1::SENSITIVITY_LEVEL_RESTRICTED);
  }
  Known Recall(const Turns& turns, const std::string& session = "") {
    sensitivity = Sensitivity();
    sensitivity.state = ClassificationState::kClassified;
    sensitivity.level = v1::SENSITIVITY_LEVEL_PUBLIC;
    return conversation.Recall(tenant, Prompt(Chat(turns, session)), sensitivity);
  }

  boost::asio::io_context io;
  ManualClock clock{io};
  Metrics metrics;
  ConversationConfig config;
  TenantConfig tenant = [] {
    TenantConfig t;
    t.name = "t";
    return t;
  }();
  Conversation conversation{clock, config, "key", metrics};
  Sensitivity sensitivity;
};

TEST(Conversation, AnEverydayConversationGoesOn) {
  World world;
  EXPECT_EQ(world.Recall({{U, "hello"}}), Known::kNothing);
  world.Exchange({{U, "hello"}}, "Hi.", false);
  EXPECT_EQ(world.Recall({{U, "hello"}, {A, "Hi."}, {U, "and?"}}), Known::kClean);
  EXPECT_FALSE(world.sensitivity.sensitive());
  EXPECT_TRUE(world.sensitivity.findings.empty());
  world.Exchange({{U, "hello"}, {A, "Hi."}, {U, "and?"}}, kAnswer, false);
  EXPECT_EQ(world.Recall({{U, "hello"}, {A, "Hi."}, {U, "and?"}, {A, kAnswer}, {U, "more"}}), Known::kClean);
  // Clients trim: spaces at the ends, and old turns. A long answer is known by itself.
  EXPECT_EQ(world.Recall({{U, "and?"}, {A, "\n" + kAnswer + "  "}, {U, "more"}}), Known::kClean);
  EXPECT_EQ(world.Recall({{A, kAnswer}, {U, "more"}}), Known::kClean);
}

TEST(Conversation, OnceSensitiveItStays) {
  World world;
  world.Exchange({{S, "be kind"}, {U, "secret plan"}}, kAnswer, true, "session-1");
  world.Exchange({{U, "another secret"}}, "Yes.", true);
  struct Row {
    const char* name;
    Turns turns;
    std::string session;
    const char* field;
  };
  const Row rows[] = {
      {"the session", {{U, "hello"}}, "session-1", "session"},
      {"the history", {{S, "be kind"}, {U, "secret plan"}, {A, kAnswer}, {U, "more"}}, "", "messages[1]"},
      {"its beginning, the answer replaced", {{S, "be kind"}, {U, "secret plan"}, {A, "x"}, {U, "more"}}, "",
       "messages[1]"},
      {"its beginning, no answer", {{S, "be kind"}, {U, "secret plan"}, {U, "more"}}, "", "messages[1]"},
      {"the answer alone", {{A, kAnswer}, {U, "more"}}, "", "messages[0]"},
      {"the answer after something else", {{U, "hello"}, {A, kAnswer}, {U, "more"}}, "", "messages[1]"},
      {"a short answer after its question", {{U, "x"}, {U, "another secret"}, {A, "Yes."}, {U, "more"}}, "",
       "messages[2]"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(world.Recall(row.turns, row.session), Known::kSensitive) << row.name;
    EXPECT_TRUE(world.sensitivity.sensitive()) << row.name;
    ASSERT_EQ(world.sensitivity.findings.size(), 1u) << row.name;
    EXPECT_EQ(world.sensitivity.findings[0].type(), "CONVERSATION:sensitive");
    EXPECT_EQ(world.sensitivity.findings[0].level(), v1::SENSITIVITY_LEVEL_RESTRICTED);
    EXPECT_EQ(world.sensitivity.findings[0].field(), row.field) << row.name;
  }
  EXPECT_EQ(world.Recall({{S, "be kind"}, {U, "hello"}}, "session-2"), Known::kNothing) << "everybody's system text";
  EXPECT_EQ(world.Recall({{U, "another secret"}}), Known::kNothing) << "no history: the detectors decide";
}

TEST(Conversation, WhatIsNotKnownIsLocal) {
  World world;
  const Turns turns = {{U, "hello"}, {A, "I never said this."}, {U, "more"}};
  EXPECT_EQ(world.Recall(turns), Known::kUnknown);
  EXPECT_TRUE(world.sensitivity.sensitive());
  EXPECT_EQ(world.sensitivity.findings.at(0).type(), "CONVERSATION:unknown");
  EXPECT_EQ(world.Recall(turns, "session"), Known::kUnknown);
  // One known turn does not vouch for another.
  world.Exchange({{U, "hello"}}, "Hi.", false);
  EXPECT_EQ(world.Recall({{U, "hello"}, {A, "Hi."}, {U, "go"}, {A, "Unknown."}, {U, "more"}}), Known::kUnknown);
  // Another tenant's memory is none.
  world.tenant.name = "other";
  EXPECT_EQ(world.Recall({{U, "hello"}, {A, "Hi."}, {U, "more"}}), Known::kUnknown);
  // Another process, or this one started anew.
  World restarted;
  EXPECT_EQ(restarted.Recall({{U, "hello"}, {A, "Hi."}, {U, "more"}}), Known::kUnknown);
}

TEST(Conversation, UnknownHistoryMayBeJudgedByItsText) {
  World world({.unknown_history = ConversationConfig::UnknownHistory::kClassify});
  EXPECT_EQ(world.Recall({{U, "hello"}, {A, "I never said this."}, {U, "more"}}), Known::kUnknown);
  EXPECT_FALSE(world.sensitivity.sensitive());
  world.Exchange({{U, "secret"}}, kAnswer, true);
  EXPECT_EQ(world.Recall({{A, kAnswer}, {U, "more"}}), Known::kSensitive) << "what is known still counts";
  EXPECT_TRUE(world.sensitivity.sensitive());
}

TEST(Conversation, TheSamePoliteAnswerInTwoConversations) {
  World world;
  world.Exchange({{U, "secret"}}, kAnswer, true);
  world.Exchange({{U, "hello"}}, kAnswer, false);
  EXPECT_EQ(world.Recall({{U, "hello"}, {A, kAnswer}, {U, "more"}}), Known::kClean);
  EXPECT_EQ(world.Recall({{A, kAnswer}, {U, "more"}}), Known::kSensitive) << "in doubt, local";
  // What was sensitive once is not called clean by repeating it.
  world.Exchange({{U, "secret"}}, kAnswer, false);
  EXPECT_EQ(world.Recall({{U, "x"}, {U, "secret"}, {A, kAnswer}, {U, "more"}}), Known::kSensitive);
}

TEST(Conversation, ToolCallsAreTurnsToo) {
  World world;
  const Prompt first(Chat({{U, "what is the weather?"}}));
  v1::Message answer;
  answer.set_role(A);
  for (const char* piece : {"{\"city\":", "\"Rome\"}"}) {
    v1::Delta delta;
    v1::ToolCallDelta& call = *delta.add_tool_calls();
    call.set_arguments(piece);
    if (piece[1] == '"') call.set_name("weather");
    Conversation::Collect(delta, answer);
  }
  ASSERT_EQ(answer.tool_calls_size(), 1);
  EXPECT_EQ(answer.tool_calls(0).arguments(), "{\"city\":\"Rome\"}");
  world.conversation.RememberAnswer(world.tenant, first, answer, false, v1::SENSITIVITY_LEVEL_PUBLIC);
  v1::GenerateRequest next = first.content();
  *next.add_messages() = answer;
  next.mutable_messages(1)->mutable_tool_calls(0)->set_id("call_1");
  v1::Message& result = *next.add_messages();
  result.set_role(v1::ROLE_TOOL);
  result.set_content("sunny");
  EXPECT_EQ(world.conversation.Recall(world.tenant, Prompt(next), world.sensitivity), Known::kClean);
  next.mutable_messages(1)->mutable_tool_calls(0)->set_arguments("{\"city\":\"Paris\"}");
  EXPECT_EQ(world.conversation.Recall(world.tenant, Prompt(next), world.sensitivity), Known::kUnknown);
}

TEST(Conversation, ForgettingMakesUnknownNeverClean) {
  World world({.entries_max = 8, .ttl = absl::Hours(1)});
  world.Exchange({{U, "secret"}}, kAnswer, true, "s");
  world.Exchange({{U, "hello"}}, "Hi.", false);
  const Turns clean = {{U, "hello"}, {A, "Hi."}, {U, "more"}};
  const Turns secret = {{A, kAnswer}, {U, "more"}};
  for (int i = 0; i < 3; ++i) {  // seen again and again, it stays
    world.clock.Advance(absl::Minutes(40));
    EXPECT_EQ(world.Recall(clean), Known::kClean);
    EXPECT_EQ(world.Recall(secret), Known::kSensitive);
  }
  for (int i = 0; i < 20; ++i) world.Exchange({{U, absl::StrCat("other ", i)}}, "Hm.", false);
  EXPECT_EQ(world.Recall(clean), Known::kUnknown) << "evicted";
  EXPECT_EQ(world.Recall(secret), Known::kSensitive) << "everyday traffic does not drive out what is sensitive";
  EXPECT_LE(world.metrics.GetGauge("headgate_router_conversation_entries", "").Value(), 8);
  world.clock.Advance(absl::Minutes(61));
  EXPECT_EQ(world.Recall(secret), Known::kUnknown) << "expired";
  EXPECT_TRUE(world.sensitivity.sensitive());
}

}  // namespace
}  // namespace headgate::router
