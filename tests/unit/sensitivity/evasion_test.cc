// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Identifiers with a check digit or a fixed form, generated, under every evasion, singly and in pairs, in every place
// and over several: each is found. The same frames without a value stay clean, so that flagging their words would not
// pay.
#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "router/classification.h"
#include "router/screening.h"
#include "tests/unit/sensitivity/evasion_samples.h"

namespace headgate::router {
namespace {

using Text = std::string;

v1::Message& Say(v1::GenerateRequest& request, v1::Role role, const Text& content) {
  v1::Message& message = *request.add_messages();
  message.set_role(role);
  message.set_content(content);
  return message;
}

int unread = 0;  // texts that were given up rather than read: sensitive too, but not because of what they hold

bool IsSensitive(v1::GenerateRequest request) {
  // Rules alone: a model that takes a strange text for something else proves nothing.
  static const auto classification = [] {
    auto detectors = MakePatternDetectors({});
    EXPECT_TRUE(detectors.ok()) << detectors.status();
    return std::make_unique<Classification>(SensitivityConfig(), *std::move(detectors));
  }();
  static const Screening screening{LimitsConfig{}};
  const Prompt prompt(std::move(request));
  const Sensitivity sensitivity =
      classification->Classify(v1::SENSITIVITY_LEVEL_UNSPECIFIED, {}, screening.Screen(prompt));
  unread += sensitivity.state != ClassificationState::kClassified;
  return sensitivity.sensitive();
}
bool IsSensitive(const Text& text) {
  v1::GenerateRequest request;
  Say(request, v1::ROLE_USER, text);
  return IsSensitive(std::move(request));
}

// Counts what was missed, by pair, and names an example of each.
class Misses {
 public:
  Misses() { unread = 0; }
  ~Misses() {
    EXPECT_LE(unread, 2);
    for (const auto& [what, example] : examples_) ADD_FAILURE() << what << " (" << counts_[what] << "): " << example;
    EXPECT_GT(tried_, 0);
  }
  void Check(bool found, const Text& what, const Text& example) {
    ++tried_;
    if (found) return;
    ++counts_[what];
    examples_.emplace(what, example);
  }
  int tried() const { return tried_; }

 private:
  int tried_ = 0;
  std::map<Text, int> counts_;
  std::map<Text, Text> examples_;
};

TEST(Evasion, EachIdentifierIsFoundUnderEach) {
  std::mt19937 random(20261122);
  Misses misses;
  for (const Identifier& identifier : AllIdentifiers()) {
    EXPECT_FALSE(IsSensitive(Text(identifier.before) + identifier.after)) << identifier.name << " without a value";
    for (int round = 0; round < 4; ++round) {
      const Text value = identifier.make(random);
      misses.Check(IsSensitive(identifier.before + value + identifier.after), Text(identifier.name) + " plain", value);
      for (const Evasion& evasion : AllEvasions()) {
        if (!Fits(identifier, evasion)) continue;
        const Text text = identifier.before + evasion.write(value) + identifier.after;
        misses.Check(IsSensitive(text), absl::StrCat(identifier.name, " ", evasion.name), text);
      }
    }
  }
}

// `visit(identifier, what, value)` for every pair that fits.
void ForEachPair(uint32_t seed, const std::function<void(const Identifier&, const Text&, const Text&)>& visit) {
  std::mt19937 random(seed);
  for (const Identifier& identifier : AllIdentifiers()) {
    for (const Evasion& first : AllEvasions()) {
      for (const Evasion& second : AllEvasions()) {
        if (!Fits(identifier, first) || !Fits(identifier, second) || !Fits(first, second)) continue;
        visit(identifier, absl::StrCat(identifier.name, " ", first.name, " then ", second.name),
              second.write(first.write(identifier.make(random))));
      }
    }
  }
}

TEST(Evasion, EachIdentifierIsFoundUnderPairs) {
  Misses misses;
  ForEachPair(7, [&](const Identifier& identifier, const Text& what, const Text& value) {
    const Text text = identifier.before + value + identifier.after;
    misses.Check(IsSensitive(text), what, text);
  });
  EXPECT_GT(misses.tried(), 10000);
}

// Where a value may stand in a request, and what it is wrapped in there.
struct Place {
  const char* name;
  std::function<void(const Text& text, v1::GenerateRequest& request)> put;
};
Text Dump(const Text& text, bool ascii) {
  return nlohmann::json({{"query", {{"note", text}, {"limit", 3}}}}).dump(-1, ' ', ascii);
}
void PutArguments(const Text& arguments, v1::GenerateRequest& request) {
  Say(request, v1::ROLE_USER, "Look it up.");
  v1::ToolCall& call = *Say(request, v1::ROLE_ASSISTANT, "").add_tool_calls();
  call.set_id("call_1");
  call.set_name("lookup");
  call.set_arguments(arguments);
  Say(request, v1::ROLE_TOOL, "sunny").set_tool_call_id("call_1");
}
const Place kPlaces[] = {
    {"arguments", [](const Text& text, auto& request) { PutArguments(Dump(text, false), request); }},
    {"arguments_ascii", [](const Text& text, auto& request) { PutArguments(Dump(text, true), request); }},
    {"json_in_arguments",
     [](const Text& text, auto& request) { PutArguments(Dump(Dump(text, true), false), request); }},
    {"json_in_json_in_arguments",
     [](const Text& text, auto& request) { PutArguments(Dump(Dump(Dump(text, false), true), true), request); }},
    {"json_in_tool_result",
     [](const Text& text, auto& request) {
       PutArguments("{}", request);
       request.mutable_messages(2)->set_content(Dump(Dump(text, false), false));
     }},
    {"json_in_a_code_fence",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, "Is this valid?\n```json\n" + Dump(text, true) + "\n```\nThanks.");
     }},
    {"json_in_url_in_json",
     [](const Text& text, auto& request) {
       PutArguments(Dump(EvasionNamed("url").write(Dump(text, true)), false), request);
     }},
    {"tool_parameters",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, "Use the tool.");
       request.add_tools()->set_parameters_json(Dump(text, true));
     }},
    {"schema",
     [](const Text& text, auto& request) {
       Say(request, v1::ROLE_USER, "As JSON.");
       request.mutable_response_format()->set_json_schema(Dump(text, false));
     }},
};

TEST(Evasion, EachIdentifierIsFoundUnderPairsInsideOfJson) {
  Misses misses;
  size_t turn = 0;
  ForEachPair(13, [&](const Identifier& identifier, const Text& what, const Text& value) {
    const Place& place = kPlaces[turn++ % std::size(kPlaces)];  // over all identifiers and pairs, each place with each
    v1::GenerateRequest request;
    place.put(identifier.before + value + identifier.after, request);
    misses.Check(IsSensitive(std::move(request)), absl::StrCat(what, " in ", place.name), value);
  });
  EXPECT_GT(misses.tried(), 10000);
}

// How the parts of a text are told apart.
struct Cut {
  const char* name;
  size_t parts;
  std::function<void(const std::vector<Text>& parts, v1::GenerateRequest& request)> put;
  bool lines = false;  // of one text
};
const Cut kCuts[] = {
    {"two_messages", 2,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) Say(request, v1::ROLE_USER, part);
     }},
    {"three_messages", 3,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) Say(request, v1::ROLE_USER, part);
     }},
    {"six_messages", 6,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) Say(request, v1::ROLE_USER, part);
     }},
    {"answers_between", 3,
     [](const auto& parts, auto& request) {
       for (const Text& part : parts) {
         Say(request, v1::ROLE_USER, part);
         Say(request, v1::ROLE_ASSISTANT, "Go on, please.");
       }
     }},
    {"over_roles", 3,
     [](const auto& parts, auto& request) {
       const v1::Role roles[] = {v1::ROLE_SYSTEM, v1::ROLE_USER, v1::ROLE_ASSISTANT};
       for (size_t i = 0; i < parts.size(); ++i) Say(request, roles[i], parts[i]);
     }},
    {"name_and_content", 2,
     [](const auto& parts, auto& request) { Say(request, v1::ROLE_USER, parts[1]).set_name(parts[0]); }},
    {"content_and_name", 2,
     [](const auto& parts, auto& request) { Say(request, v1::ROLE_USER, parts[0]).set_name(parts[1]); }},
    {"parts_of_a_message", 2,  // which come joined by newlines
     [](const auto& parts, auto& request) { Say(request, v1::ROLE_USER, parts[0] + "\n" + parts[1]); }, true},
    {"three_parts_of_a_message", 3,
     [](const auto& parts, auto& request) {
       Say(request, v1::ROLE_USER, parts[0] + "\n" + parts[1] + "\n" + parts[2]);
     },
     true},
    {"arguments_of_two_calls", 2,
     [](const auto& parts, auto& request) {
       v1::Message& message = Say(request, v1::ROLE_ASSISTANT, "");
       for (const Text& part : parts) {
         message.add_tool_calls()->set_arguments(nlohmann::json({{"part", part}}).dump(-1, ' ', true));
       }
     }},
};

// Figures in two kinds of groups at once, words cut in the middle, and what has no check digit: a line's end in them is
// a line's end.
bool FitsLines(const Identifier& identifier, const Text& evasions) {
  for (const char* name : {"mobile", "permit", "mo_id"}) {
    if (Text(identifier.name).find(name) != Text::npos) return false;
  }
  for (const char* name : {"groups", "single_spaces", "newlines", "english"}) {
    if (evasions.find(name) != Text::npos) return false;
  }
  return true;
}

// At whole characters, anywhere in the value.
std::vector<Text> Split(const Text& before, const Text& value, const Text& after, size_t parts, std::mt19937& random) {
  std::vector<Text> out;
  size_t at = 0;
  for (size_t part = 0; part + 1 < parts; ++part) {
    size_t end = value.size() * (part + 1) / parts + random() % 3;
    while (end < value.size() && (static_cast<uint8_t>(value[end]) & 0xC0) == 0x80) ++end;
    end = std::max(at, std::min(end, value.size()));
    out.push_back(value.substr(at, end - at));
    at = end;
  }
  out.push_back(value.substr(at));
  out.front() = before + out.front();
  out.back() += after;
  return out;
}

TEST(Evasion, EachIdentifierIsFoundWhereverItIsSplit) {
  std::mt19937 random(17);
  Misses misses;
  for (const Identifier& identifier : AllIdentifiers()) {
    for (const Cut& cut : kCuts) {
      const auto check = [&](const char* evasion, const Text& value) {
        if (cut.lines && !FitsLines(identifier, evasion)) return;
        v1::GenerateRequest request;
        cut.put(Split(identifier.before, value, identifier.after, cut.parts, random), request);
        misses.Check(IsSensitive(std::move(request)), absl::StrCat(identifier.name, " ", evasion, " over ", cut.name),
                     value);
      };
      for (int round = 0; round < 3; ++round) check("plain", identifier.make(random));
      for (const Evasion& evasion : AllEvasions()) {
        if (Fits(identifier, evasion)) check(evasion.name, evasion.write(identifier.make(random)));
      }
    }
  }
  EXPECT_GT(misses.tried(), 5000);
}

TEST(Evasion, EachIdentifierIsFoundUnderPairsWhereverItIsSplit) {
  std::mt19937 random(19);
  Misses misses;
  size_t turn = 0;
  ForEachPair(23, [&](const Identifier& identifier, const Text& what, const Text& value) {
    const Cut& cut = kCuts[turn++ % std::size(kCuts)];
    if (cut.lines && !FitsLines(identifier, what)) return;
    v1::GenerateRequest request;
    cut.put(Split(identifier.before, value, identifier.after, cut.parts, random), request);
    misses.Check(IsSensitive(std::move(request)), absl::StrCat(what, " over ", cut.name), value);
  });
  EXPECT_GT(misses.tried(), 8000);
}

}  // namespace
}  // namespace headgate::router
