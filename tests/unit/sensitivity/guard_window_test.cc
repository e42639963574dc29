// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Patterns and personal data on the flowing answer (guard_window.h), through the whole output guard.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/output_guard.h"
#include "router/sensitivity/canonical_text.h"

namespace headgate::router {
namespace {

using Action = GuardWordList::Action;
using testing::ElementsAre;

enum class Where { kContent, kReasoning, kArguments };

struct Answer {
  std::string text;
  bool stopped = false;
  v1::FinishReason finish = v1::FINISH_REASON_UNSPECIFIED;
  std::vector<std::string> flags;
  bool operator==(const Answer&) const = default;
};

std::shared_ptr<const Detectors> TheDetectors() {
  static const std::shared_ptr<const Detectors> detectors = *MakePatternDetectors({});
  return detectors;
}

std::unique_ptr<OutputGuard> Make(const OutputGuardConfig& config) {
  auto guard = OutputGuard::Make(config, TheDetectors());
  EXPECT_TRUE(guard.ok()) << guard.status();
  return *std::move(guard);
}

v1::GenerateStreamResponse Piece(Where where, const std::string& text) {
  v1::GenerateStreamResponse event;
  v1::Delta& delta = *event.mutable_delta();
  if (where == Where::kContent) delta.set_content(text);
  if (where == Where::kReasoning) delta.set_reasoning_content(text);
  if (where == Where::kArguments) delta.add_tool_calls()->set_arguments(text);
  return event;
}

Answer Relay(const OutputGuard& guard, Where where, const std::vector<std::string>& pieces) {
  const auto stream = guard.NewStream();
  Answer answer;
  const auto push = [&](v1::GenerateStreamResponse event) {
    for (const auto& out : stream->Filter(std::move(event))) {
      const v1::Delta& delta = out.delta();
      EXPECT_EQ(answer.finish, v1::FINISH_REASON_UNSPECIFIED) << "something after the finish";
      for (const std::string& text : {delta.content(), delta.reasoning_content(),
                                      delta.tool_calls_size() > 0 ? delta.tool_calls(0).arguments() : ""}) {
        EXPECT_TRUE(CanonicalText::Make(text).valid_utf8()) << "a character was cut";
        answer.text += text;
      }
      if (out.has_finish()) answer.finish = out.finish().reason();
    }
  };
  for (const std::string& piece : pieces) push(Piece(where, piece));
  v1::GenerateStreamResponse finish;
  finish.mutable_finish()->set_reason(v1::FINISH_REASON_STOP);
  push(std::move(finish));
  answer.stopped = stream->stopped();
  answer.flags = stream->flags();
  return answer;
}

OutputGuardConfig Rules() {
  OutputGuardConfig config;
  config.patterns = {{"ticket", Action::kReplace, "TICKET-[0-9]{4,8}", "[ticket]"},
                     {"internal", Action::kRedact, "(?i)project +[a-z]+"},
                     {"halt", Action::kStop, "HALT[0-9]+"},
                     {"watch", Action::kFlag, "w[ao]tch"}};
  config.personal_data = GuardPersonalData{};
  config.word_lists = {{"names", Action::kReplace, {"Heron"}, "a bird"}};
  return config;
}

const std::string kLong(700, 'x');

TEST(GuardWindow, ActsOnPatternsAndPersonalData) {
  const auto guard = Make(Rules());
  struct Row {
    const char* name;
    std::string text;
    std::string expected;
    std::vector<std::string> flags;
    bool stopped = false;
  };
  const Row rows[] = {
      {"nothing", "an ordinary answer", "an ordinary answer", {}},
      {"replace", "see TICKET-12345.", "see [ticket].", {"ticket"}},
      {"redact", "about Project  Zephyr: no", "about ***: no", {"internal"}},
      {"flag", "please watch it", "please watch it", {"watch"}},
      {"word", "the Heron flies", "the a bird flies", {"names"}},
      {"phone", "call 13812345678 now", "call *** now", {"personal_data:PHONE_CN_MOBILE"}},
      {"phone_chinese", "电话13812345678。", "电话***。", {"personal_data:PHONE_CN_MOBILE"}},
      {"resident_id", "11010519491231002X", "***", {"personal_data:CN_RESIDENT_ID"}},
      {"late", kLong + " call 13812345678 now " + kLong, kLong + " call *** now " + kLong,
       {"personal_data:PHONE_CN_MOBILE"}},
      {"stop", "say HALT12 and more", "say ", {"halt"}, true},
      {"stop_late", kLong + " HALT1 " + kLong, kLong + " ", {"halt"}, true},
      {"stop_ends_what_follows", "a HALT1 TICKET-12345", "a ", {"halt"}, true},
  };
  for (const Row& row : rows) {
    for (const Where where : {Where::kContent, Where::kReasoning, Where::kArguments}) {
      const Answer answer = Relay(*guard, where, {row.text});
      EXPECT_EQ(answer.text, row.expected) << row.name;
      // A value may be known under several names.
      EXPECT_THAT(answer.flags, testing::IsSupersetOf(row.flags)) << row.name;
      EXPECT_EQ(answer.flags.empty(), row.flags.empty()) << row.name;
      EXPECT_EQ(answer.stopped, row.stopped) << row.name;
      EXPECT_EQ(answer.finish, row.stopped ? v1::FINISH_REASON_CONTENT_FILTER : v1::FINISH_REASON_STOP) << row.name;
    }
  }
}

// A value whose beginning has long gone by when it is recognised must not have gone out.
TEST(GuardWindow, LongTokensAreHeldBackAsAWhole) {
  OutputGuardConfig config;
  config.personal_data = GuardPersonalData{};
  const auto guard = Make(config);
  std::string pem = "-----BEGIN PRIVATE KEY-----\n";
  for (int i = 0; i < 20; ++i) pem += "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
  pem += "-----END PRIVATE KEY-----";
  pem += " and that is all";
  const std::string jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIx" + std::string(800, 'a') +
                          ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
  for (const std::string& value : {pem, jwt}) {
    std::vector<std::string> pieces;
    const std::string text = kLong + " here: " + value;
    for (size_t at = 0; at < text.size(); at += 7) pieces.push_back(text.substr(at, 7));
    const Answer answer = Relay(*guard, Where::kContent, pieces);
    for (const size_t at : {value.size() / 4, value.size() / 2, value.size() * 3 / 4}) {
      EXPECT_EQ(answer.text.find(value.substr(at, 20)), std::string::npos) << answer.text;
    }
    EXPECT_EQ(answer.text.substr(0, kLong.size()), kLong);
    EXPECT_FALSE(answer.flags.empty());
  }
}

TEST(GuardWindow, WhatOnlyFlagsHoldsNothingBack) {
  OutputGuardConfig config;
  config.patterns = {{"watch", Action::kFlag, "watch"}};
  config.personal_data = GuardPersonalData{Action::kFlag};
  const auto guard = Make(config);
  const auto stream = guard->NewStream();
  const auto out = stream->Filter(Piece(Where::kContent, "watch 13812345678"));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].delta().content(), "watch 13812345678");
  EXPECT_THAT(Relay(*guard, Where::kContent, {"watch 1381234", "5678"}).flags,
              testing::IsSupersetOf({"personal_data:PHONE_CN_MOBILE", "watch"}));
}

class BrokenDetectors : public Detectors {
 public:
  explicit BrokenDetectors(bool throws) : throws_(throws) {}
  absl::StatusOr<std::vector<Detection>> Scan(const CanonicalText&) const override {
    if (throws_) throw std::bad_alloc();
    return absl::UnavailableError("broken");
  }

 private:
  const bool throws_;
};

TEST(GuardWindow, WhatCannotBeReadDoesNotGoOut) {
  OutputGuardConfig config;
  config.personal_data = GuardPersonalData{};
  for (const bool throws : {false, true}) {
    const auto guard = *OutputGuard::Make(config, std::make_shared<const BrokenDetectors>(throws));
    const Answer answer = Relay(*guard, Where::kContent, {"anything"});
    EXPECT_EQ(answer.text, "");
    EXPECT_TRUE(answer.stopped);
    EXPECT_THAT(answer.flags, ElementsAre("personal_data:unavailable"));
  }
}

TEST(GuardWindow, RefusesWhatItCannotUse) {
  OutputGuardConfig config;
  config.patterns = {{"bad", Action::kRedact, "("}};
  EXPECT_EQ(OutputGuard::Make(config).status().code(), absl::StatusCode::kInvalidArgument);
  config.patterns = {{"empty", Action::kRedact, "x*"}};
  EXPECT_EQ(OutputGuard::Make(config).status().code(), absl::StatusCode::kInvalidArgument);
  config.patterns.clear();
  config.personal_data = GuardPersonalData{};
  EXPECT_EQ(OutputGuard::Make(config).status().code(), absl::StatusCode::kInvalidArgument) << "no detectors";
}

std::string AnyText(std::mt19937& random) {
  static const std::string kParts[] = {"13812345678", "138 1234-5678", "TICKET-12345", "TICKET-1", "project zephyr",
                                       "HALT7", "watch", "Heron", "zhang.wei@corp.cn", "11010519491231002X", "电话", "，",
                                       " ", " ", " and ", "so it goes on ", "中文句子。", "\n", "4111 1111 1111 1111",
                                       "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  std::string text;
  const size_t parts = random() % 80;
  for (size_t i = 0; i < parts; ++i) {
    const size_t part = random() % std::size(kParts);
    if (kParts[part] == "HALT7" && random() % 8 != 0) continue;
    text += kParts[part];
  }
  return text;
}

TEST(GuardWindow, TheResultDoesNotDependOnTheChunking) {
  const auto guard = Make(Rules());
  std::mt19937 random(7);
  size_t stops = 0, redactions = 0;
  for (int round = 0; round < 100; ++round) {
    const std::string text = AnyText(random);
    const Where where = static_cast<Where>(random() % 3);
    const Answer whole = Relay(*guard, where, {text});
    for (int chunking = 0; chunking < 4; ++chunking) {
      std::vector<std::string> pieces;
      for (size_t begin = 0; begin < text.size();) {
        size_t end = std::min(text.size(), begin + 1 + random() % (chunking == 0 ? 200 : 9));
        while (end < text.size() && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) ++end;
        pieces.push_back(text.substr(begin, end - begin));
        begin = end;
      }
      ASSERT_EQ(Relay(*guard, where, pieces), whole) << text;
    }
    stops += whole.stopped;
    redactions += whole.text.find("***") != std::string::npos;
    EXPECT_EQ(whole.text.find("TICKET-12345"), std::string::npos) << text;
  }
  EXPECT_GT(stops, 5u);
  EXPECT_GT(redactions, 30u);
}

}  // namespace
}  // namespace headgate::router
