// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/output_guard.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "router/sensitivity/canonical_text.h"

namespace headgate::router {
namespace {

using Action = GuardWordList::Action;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Events = std::vector<v1::GenerateStreamResponse>;

std::unique_ptr<OutputGuard> Make(std::vector<GuardWordList> lists) {
  auto guard = OutputGuard::Make({std::move(lists)});
  EXPECT_TRUE(guard.ok()) << guard.status();
  return std::move(*guard);
}

v1::GenerateStreamResponse Content(const std::string& text) {
  v1::GenerateStreamResponse event;
  event.mutable_delta()->set_content(text);
  return event;
}
v1::GenerateStreamResponse Reasoning(const std::string& text) {
  v1::GenerateStreamResponse event;
  event.mutable_delta()->set_reasoning_content(text);
  return event;
}
v1::GenerateStreamResponse Arguments(int index, const std::string& text, const std::string& id = "") {
  v1::GenerateStreamResponse event;
  v1::ToolCallDelta& call = *event.mutable_delta()->add_tool_calls();
  call.set_index(index);
  call.set_arguments(text);
  call.set_id(id);
  return event;
}
v1::GenerateStreamResponse Finish() {
  v1::GenerateStreamResponse event;
  event.mutable_finish()->set_reason(v1::FINISH_REASON_STOP);
  event.mutable_finish()->mutable_usage()->set_completion_tokens(7);
  return event;
}

// What a client puts together from the events.
struct Answer {
  std::string content, reasoning;
  std::map<int, std::string> arguments;
  v1::FinishReason finish = v1::FINISH_REASON_UNSPECIFIED;
  std::vector<std::string> flags;
  bool stopped = false;
  bool operator==(const Answer&) const = default;
};

Answer Relay(const OutputGuard& guard, const Events& events) {
  const auto stream = guard.NewStream();
  Answer answer;
  for (const v1::GenerateStreamResponse& event : events) {
    for (const v1::GenerateStreamResponse& out : stream->Filter(event)) {
      EXPECT_EQ(answer.finish, v1::FINISH_REASON_UNSPECIFIED) << "nothing may follow the finish event";
      answer.content += out.delta().content();
      answer.reasoning += out.delta().reasoning_content();
      for (const v1::ToolCallDelta& call : out.delta().tool_calls()) answer.arguments[call.index()] += call.arguments();
      for (const std::string* text : {&out.delta().content(), &out.delta().reasoning_content()}) {
        EXPECT_TRUE(CanonicalText::Make(*text).valid_utf8()) << "a character was cut";
      }
      if (out.has_finish()) answer.finish = out.finish().reason();
    }
  }
  answer.flags = stream->flags();
  answer.stopped = stream->stopped();
  return answer;
}

struct Row {
  const char* name;
  std::vector<std::string> chunks;
  std::string content;
  std::vector<std::string> flags;
  bool stopped = false;
};

TEST(OutputGuard, ActsOnWords) {
  const auto guard = Make({{"names", Action::kRedact, {"Blue Heron", "天鹰", "abc", "bcd"}},
                           {"forbidden", Action::kStop, {"STOPWORD", "机密"}},
                           {"watch", Action::kFlag, {"maybe", "blue"}}});
  const Row rows[] = {
      {"nothing", {"hello ", "world"}, "hello world", {}},
      {"redact", {"the Blue Heron flies"}, "the *** flies", {"names", "watch"}},
      {"redact_other_case", {"the BLUE heron flies"}, "the *** flies", {"names", "watch"}},
      {"redact_split", {"the Bl", "ue He", "ron flies"}, "the *** flies", {"names", "watch"}},
      {"redact_chinese_split", {"项目", "天", "鹰", "开始"}, "项目***开始", {"names"}},
      {"beginning_only", {"the Blue Her", "ring"}, "the Blue Herring", {"watch"}},
      {"overlapping", {"xabcdx"}, "x***x", {"names"}},
      {"touching", {"xabcabcx"}, "x***x", {"names"}},
      {"apart", {"abc abc"}, "*** ***", {"names"}},
      {"at_the_end", {"say abc"}, "say ***", {"names"}},
      {"held_back_at_the_end", {"say ab"}, "say ab", {}},
      {"stop", {"one stopword two", " three"}, "one ", {"forbidden"}, true},
      {"stop_split", {"one stop", "wo", "rd two"}, "one ", {"forbidden"}, true},
      {"stop_after_redaction", {"abc机密"}, "***", {"forbidden", "names"}, true},
      {"flag", {"may", "be not"}, "maybe not", {"watch"}},
  };
  for (const Row& row : rows) {
    Events events;
    for (const std::string& chunk : row.chunks) events.push_back(Content(chunk));
    events.push_back(Finish());
    const Answer answer = Relay(*guard, events);
    EXPECT_EQ(answer.content, row.content) << row.name;
    EXPECT_EQ(answer.flags, row.flags) << row.name;
    EXPECT_EQ(answer.stopped, row.stopped) << row.name;
    EXPECT_EQ(answer.finish, row.stopped ? v1::FINISH_REASON_CONTENT_FILTER : v1::FINISH_REASON_STOP) << row.name;
  }
}

TEST(OutputGuard, TextsAreSeparate) {
  const auto guard = Make({{"names", Action::kRedact, {"secret"}}});
  // `sec` + `ret` in different texts is no word; within each it is.
  const Answer answer =
      Relay(*guard, {Reasoning("a sec"), Content("ret b sec"), Reasoning("ret"), Arguments(0, "{\"sec", "c0"),
                     Arguments(1, "ret", "c1"), Arguments(0, "ret\"}"), Content("ret"), Finish()});
  EXPECT_EQ(answer.reasoning, "a ***");
  EXPECT_EQ(answer.content, "ret b ***");
  EXPECT_EQ(answer.arguments.at(0), "{\"***\"}");
  EXPECT_EQ(answer.arguments.at(1), "ret");
}

TEST(OutputGuard, EventsKeepTheirOrderAndContents) {
  const auto guard = Make({{"names", Action::kRedact, {"secret"}}});
  const auto stream = guard->NewStream();
  v1::GenerateStreamResponse route;
  route.mutable_route()->set_endpoint("engine-0");
  ASSERT_THAT(stream->Filter(route), testing::SizeIs(1));
  EXPECT_THAT(stream->Filter(Content("sec")), IsEmpty());
  const Events call = stream->Filter(Arguments(0, "sec", "call_1"));
  ASSERT_EQ(call.size(), 1u) << "the call's id must not wait for its arguments";
  EXPECT_EQ(call[0].delta().tool_calls(0).id(), "call_1");
  const Events last = stream->Filter(Finish());
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].delta().content(), "sec");
  EXPECT_EQ(last[0].delta().tool_calls(0).arguments(), "sec");
  EXPECT_EQ(last[1].finish().usage().completion_tokens(), 7);
}

TEST(OutputGuard, WithoutListsEventsPassUntouched) {
  const auto guard = Make({});
  const auto stream = guard->NewStream();
  for (const auto& event : {Content("any"), Reasoning("thing"), Arguments(0, "", "id"), Finish(), Content("")}) {
    const Events out = stream->Filter(event);
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].SerializeAsString(), event.SerializeAsString());
  }
  EXPECT_FALSE(stream->stopped());
}

TEST(OutputGuard, RefusesWhatItCannotUse) {
  struct Bad {
    const char* name;
    std::vector<GuardWordList> lists;
    const char* message;
  };
  const Bad rows[] = {
      {"empty_word", {{"names", Action::kRedact, {"a", ""}}}, "`names`"},
      {"invalid_word", {{"names", Action::kRedact, {"\xE4"}}}, "`names`"},
      {"no_name", {{"", Action::kRedact, {"a"}}}, "no name"},
      {"twice", {{"a", Action::kRedact, {"a"}}, {"a", Action::kStop, {"b"}}}, "`a`"},
  };
  for (const Bad& row : rows) {
    const auto guard = OutputGuard::Make({row.lists});
    EXPECT_EQ(guard.status().code(), absl::StatusCode::kInvalidArgument) << row.name;
    EXPECT_THAT(std::string(guard.status().message()), HasSubstr(row.message)) << row.name;
  }
}

// ---- Whole-text oracle: the same rules by brute force. ----

struct Whole {
  std::string text;
  bool stopped = false;
  std::set<std::string> flags;
};

Whole Guarded(const std::string& text, const std::vector<GuardWordList>& lists) {
  // The stop word that ends first; of those the longest.
  size_t stop_begin = std::string::npos, stop_end = text.size();
  for (size_t end = 1; end <= text.size() && stop_begin == std::string::npos; ++end) {
    for (const GuardWordList& list : lists) {
      for (const std::string& word : list.words) {
        if (list.action != Action::kStop || end < word.size() ||
            text.compare(end - word.size(), word.size(), word) != 0)
          continue;
        stop_begin = std::min(stop_begin, end - word.size());
        stop_end = end;
      }
    }
  }
  Whole whole;
  whole.stopped = stop_begin != std::string::npos;
  std::vector<bool> covered(text.size());
  for (const GuardWordList& list : lists) {
    for (const std::string& word : list.words) {
      for (size_t at = text.find(word); at != std::string::npos && at + word.size() <= stop_end;
           at = text.find(word, at + 1)) {
        whole.flags.insert(list.name);
        if (list.action == Action::kRedact) {
          std::fill(covered.begin() + static_cast<long>(at), covered.begin() + static_cast<long>(at + word.size()),
                    true);
        }
      }
    }
  }
  for (size_t i = 0; i < std::min(text.size(), stop_begin); ++i) {
    if (!covered[i]) {
      whole.text += text[i];
    } else if (i == 0 || !covered[i - 1]) {
      whole.text += "***";
    }
  }
  return whole;
}

TEST(OutputGuard, TheResultDoesNotDependOnTheChunking) {
  std::mt19937 random(42);
  static const std::string kLetters[] = {"a", "b", "c", "中", "文"};
  const auto letters = [&](size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += kLetters[random() % std::size(kLetters)];
    return out;
  };
  size_t stops = 0, redactions = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<GuardWordList> lists = {{"r", Action::kRedact, {}}, {"f", Action::kFlag, {}}, {"s", Action::kStop, {}}};
    for (int i = 0; i < 4; ++i) lists[random() % 2].words.push_back(letters(1 + random() % 4));
    if (random() % 2 == 0) lists[2].words = {letters(3 + random() % 3), letters(2 + random() % 2)};
    const auto guard = Make(lists);
    const std::string text = letters(random() % 40);
    const Whole expected = Guarded(text, lists);
    for (int chunking = 0; chunking < 4; ++chunking) {
      Events events;
      size_t begin = 0;
      while (begin < text.size()) {
        size_t end = std::min(text.size(), begin + 1 + random() % (chunking == 0 ? text.size() : 6));
        while (end < text.size() && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80)
          ++end;  // characters are never split
        events.push_back(Content(text.substr(begin, end - begin)));
        begin = end;
      }
      events.push_back(Finish());
      const Answer answer = Relay(*guard, events);
      ASSERT_EQ(answer.content, expected.text) << text;
      ASSERT_EQ(answer.stopped, expected.stopped);
      ASSERT_EQ(answer.flags, std::vector<std::string>(expected.flags.begin(), expected.flags.end()));
    }
    stops += expected.stopped;
    redactions += expected.text.find('*') != std::string::npos;
  }
  EXPECT_GT(stops, 100u);
  EXPECT_GT(redactions, 1000u);
}

}  // namespace
}  // namespace headgate::router
