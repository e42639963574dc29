// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The sections that guard a request on its way in, a conversation, and an answer on its way out.
#include <re2/re2.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/config_sections.h"

namespace headgate::router {
namespace {

using Action = GuardWordList::Action;

constexpr size_t kReplacementBytesMax = 256;
constexpr size_t kPatternBytesMax = 1024;

// action and, with `replace`, replacement.
void ReadGuardAction(YamlMap& map, Action* action, std::string* replacement) {
  GetEnum<Action>(
      map, "action",
      {{"redact", Action::kRedact}, {"replace", Action::kReplace}, {"stop", Action::kStop}, {"flag", Action::kFlag}},
      action);
  if (*action == Action::kReplace) map.Require("replacement");
  if (!map.Get("replacement", replacement)) return;
  if (*action != Action::kReplace) map.Complain("replacement", "unreachable rule: the action is not replace");
  // It may come to stand inside the JSON of a tool call.
  for (const char c : *replacement) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) {
      map.Complain("replacement", "must not hold quotes, backslashes or control characters");
      return;
    }
  }
  if (replacement->size() > kReplacementBytesMax) {
    map.Complain("replacement", absl::StrCat("must be at most ", kReplacementBytesMax, " bytes"));
  }
}

void ReadPattern(YamlMap& map, std::string* pattern) {
  map.Require("pattern");
  if (!map.Get("pattern", pattern)) return;
  if (pattern->empty() || pattern->size() > kPatternBytesMax) {
    map.Complain("pattern", absl::StrCat("must be 1 to ", kPatternBytesMax, " bytes"));
    return;
  }
  const RE2 compiled(*pattern, RE2::Quiet);
  if (!compiled.ok()) {
    map.Complain("pattern", compiled.error());
  } else if (RE2::FullMatch("", compiled)) {
    map.Complain("pattern", "matches nothing at all: it would act everywhere");
  }
}

}  // namespace

void ReadInputFilter(Reading& reading) {
  auto map = reading.root.GetMap("input_filter");
  if (!map) return;
  InputFilterConfig& out = reading.config.input_filter;
  using Filter = InputFilterConfig::Action;
  const std::vector<std::pair<std::string, Filter>> actions = {
      {"off", Filter::kOff}, {"flag", Filter::kFlag}, {"local", Filter::kLocal}, {"block", Filter::kBlock}};
  GetEnum(*map, "sql_injection", actions, &out.sql_injection);
  GetEnum(*map, "xss", actions, &out.xss);
  GetEnum(*map, "command_injection", actions, &out.command_injection);
  GetEnum(*map, "prompt_injection", actions, &out.prompt_injection);
  map->Finish();
}

void ReadConversation(Reading& reading) {
  auto map = reading.root.GetMap("conversation");
  if (!map) return;
  ConversationConfig& out = reading.config.conversation;
  using Unknown = ConversationConfig::UnknownHistory;
  GetEnum<Unknown>(*map, "unknown_history", {{"local", Unknown::kLocal}, {"classify", Unknown::kClassify}},
                   &out.unknown_history);
  map->Get("entries_max", &out.entries_max, 1, 10'000'000);
  map->Get("ttl", &out.ttl, absl::Seconds(1), absl::Hours(24 * 30));
  map->Finish();
}

void ReadOutputGuard(Reading& reading) {
  auto map = reading.root.GetMap("output_guard");
  if (!map) return;
  OutputGuardConfig& out = reading.config.output_guard;
  std::set<std::string> names;
  for (YamlMap& item : map->GetList("word_lists")) {
    GuardWordList list;
    GetUniqueName(item, "name", &names, &list.name);
    ReadGuardAction(item, &list.action, &list.replacement);
    GetWords(item, "words", &list.words);
    item.Finish();
    out.word_lists.push_back(std::move(list));
  }
  for (YamlMap& item : map->GetList("patterns")) {
    GuardPattern rule;
    GetUniqueName(item, "name", &names, &rule.name);
    ReadGuardAction(item, &rule.action, &rule.replacement);
    ReadPattern(item, &rule.pattern);
    item.Finish();
    out.patterns.push_back(std::move(rule));
  }
  if (auto item = map->GetMap("personal_data")) {
    GuardPersonalData& rule = out.personal_data.emplace();
    ReadGuardAction(*item, &rule.action, &rule.replacement);
    GetLevel(*item, "level", &rule.level);
    item->Finish();
  }
  map->Finish();
}

}  // namespace headgate::router
