// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One automaton over the words of all lists. Its state after a byte says how many of the last bytes could still begin a
// word; exactly those are held back. Words are valid UTF-8 and so is the text, so no character is ever cut. What the
// word lists let through goes on into the window of the other rules.
#include "router/output_guard.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "router/guard_window.h"
#include "router/sensitivity/aho_corasick.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr std::string_view kRedacted = "***";

struct WordLists {
  WordLists(const std::vector<std::string>& words, std::vector<std::vector<uint32_t>> word_lists,
            std::vector<GuardWordList> config)
      : automaton(words), lists_of(std::move(word_lists)), lists(std::move(config)) {}
  AhoCorasick automaton;
  std::vector<std::vector<uint32_t>> lists_of;  // of each word
  std::vector<GuardWordList> lists;             // names and actions; the words are in the automaton
};

// One text of the answer: content, reasoning, or the arguments of one tool call.
class WordChannel {
 public:
  // Takes `piece` in, returns what may go out. After a stop match: everything before it, and `stopped` is set.
  std::string Push(const WordLists& words, std::string_view piece, std::set<uint32_t>& matched, bool& stopped) {
    for (const char byte : piece) {
      state_ = words.automaton.Next(state_, byte);
      held_ += byte;
      covered_.push_back(kFree);
      size_t stop_bytes = 0;
      words.automaton.ForEachMatch(state_, [&](uint32_t word) {
        const size_t bytes = words.automaton.word_bytes(word);
        for (const uint32_t list : words.lists_of[word]) {
          matched.insert(list);
          if (words.lists[list].action == GuardWordList::Action::kStop) stop_bytes = std::max(stop_bytes, bytes);
          const GuardWordList::Action action = words.lists[list].action;
          if (action != GuardWordList::Action::kRedact && action != GuardWordList::Action::kReplace) continue;
          for (size_t at = covered_.size() - bytes; at < covered_.size(); ++at) {
            covered_[at] = std::min(covered_[at], list);
          }
        }
      });
      if (stop_bytes > 0) {
        stopped = true;
        std::string before = Release(words, held_.size() - stop_bytes);
        held_.clear();
        covered_.clear();
        return before;
      }
    }
    return Release(words, held_.size() - words.automaton.Depth(state_));
  }
  // The text has ended: nothing can become a word any more.
  std::string Flush(const WordLists& words) { return Release(words, held_.size()); }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;

  std::string Release(const WordLists& words, size_t bytes) {
    std::string out;
    for (size_t i = 0; i < bytes; ++i) {
      if (covered_[i] == kFree) {
        out += held_[i];
      } else if (!in_redaction_) {
        const GuardWordList& list = words.lists[covered_[i]];
        out += list.action == GuardWordList::Action::kReplace ? std::string_view(list.replacement) : kRedacted;
      }
      in_redaction_ = covered_[i] != kFree;
    }
    held_.erase(0, bytes);
    covered_.erase(covered_.begin(), covered_.begin() + static_cast<std::ptrdiff_t>(bytes));
    return out;
  }

  AhoCorasick::State state_ = AhoCorasick::kStart;
  std::string held_;
  std::vector<uint32_t> covered_;  // of each held byte: the first list with a word to redact or replace there
  bool in_redaction_ = false;      // the last byte that went out was covered
};

// What matched, for audit.
struct Matched {
  std::set<uint32_t> lists;
  std::set<std::string> rules;
};

struct Checks {
  Checks(WordLists w, std::unique_ptr<const GuardRules> r) : words(std::move(w)), rules(std::move(r)) {}
  WordLists words;
  std::unique_ptr<const GuardRules> rules;
};

// First the words, then the rules with a window, byte by byte: so a text that one of them stops is stopped at the same
// byte, with the same matches, however it was cut.
class Channel {
 public:
  std::string Push(const Checks& checks, std::string_view piece, Matched& matched, bool& stopped) {
    if (checks.rules->empty()) return words_.Push(checks.words, piece, matched.lists, stopped);
    std::string out;
    for (size_t i = 0; i < piece.size() && !stopped; ++i) {
      const std::string passed = words_.Push(checks.words, piece.substr(i, 1), matched.lists, stopped);
      out += Onward(checks, passed, /*last=*/stopped, matched, stopped);
    }
    return out;
  }
  std::string Flush(const Checks& checks, Matched& matched, bool& stopped) {
    const std::string rest = words_.Flush(checks.words);
    return checks.rules->empty() ? rest : Onward(checks, rest, /*last=*/true, matched, stopped);
  }

 private:
  std::string Onward(const Checks& checks, const std::string& passed, bool last, Matched& matched, bool& stopped) {
    bool rule_stopped = false;
    std::string out = window_.Push(*checks.rules, passed, matched.rules, rule_stopped);
    if (last && !rule_stopped) out += window_.Flush(*checks.rules, matched.rules, rule_stopped);
    stopped = stopped || rule_stopped;
    return out;
  }

  WordChannel words_;
  GuardWindow window_;
};

class GuardStream : public OutputGuard::Stream {
 public:
  explicit GuardStream(const Checks& checks) : checks_(checks) {}

  std::vector<v1::GenerateStreamResponse> Filter(v1::GenerateStreamResponse event) override {
    std::vector<v1::GenerateStreamResponse> out;
    if (stopped_) return out;
    if (event.has_delta()) {
      v1::GenerateStreamResponse filtered;
      FilterDelta(event.delta(), *filtered.mutable_delta());
      if (stopped_) {
        v1::GenerateStreamResponse finish;
        finish.mutable_finish()->set_reason(v1::FINISH_REASON_CONTENT_FILTER);
        AddTails(out, std::move(filtered));
        out.push_back(std::move(finish));
      } else if (HasSomething(filtered.delta())) {
        out.push_back(std::move(filtered));
      }
      return out;
    }
    if (event.has_finish()) {
      AddTails(out, {});
      if (stopped_) {  // by what was held back until now
        event.mutable_finish()->set_reason(v1::FINISH_REASON_CONTENT_FILTER);
      }
    }
    out.push_back(std::move(event));
    return out;
  }

  bool stopped() const override { return stopped_; }
  std::vector<std::string> flags() const override {
    std::set<std::string> names = matched_.rules;
    for (const uint32_t list : matched_.lists) names.insert(checks_.words.lists[list].name);
    return {names.begin(), names.end()};
  }

 private:
  static bool HasSomething(const v1::Delta& delta) {
    return !delta.content().empty() || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0;
  }

  // In the order in which an answer is written: reasoning, content, tool calls. Nothing follows a stop match.
  void FilterDelta(const v1::Delta& delta, v1::Delta& out) {
    out.set_reasoning_content(reasoning_.Push(checks_, delta.reasoning_content(), matched_, stopped_));
    if (stopped_) return;
    out.set_content(content_.Push(checks_, delta.content(), matched_, stopped_));
    for (const v1::ToolCallDelta& call : delta.tool_calls()) {
      if (stopped_) return;
      std::string arguments = arguments_[call.index()].Push(checks_, call.arguments(), matched_, stopped_);
      if (arguments.empty() && call.id().empty() && call.name().empty()) continue;
      v1::ToolCallDelta& kept = *out.add_tool_calls();
      kept.set_index(call.index());
      kept.set_id(call.id());
      kept.set_name(call.name());
      kept.set_arguments(std::move(arguments));
    }
  }

  // What was held back in every text goes out after `last`; a rule may still stop one of them, and all that follow.
  void AddTails(std::vector<v1::GenerateStreamResponse>& out, v1::GenerateStreamResponse last) {
    if (HasSomething(last.delta())) out.push_back(std::move(last));
    v1::GenerateStreamResponse tails;
    v1::Delta& delta = *tails.mutable_delta();
    bool cut = false;
    const auto flush = [&](Channel& channel) {
      return cut ? std::string() : channel.Flush(checks_, matched_, cut);
    };
    delta.set_reasoning_content(flush(reasoning_));
    delta.set_content(flush(content_));
    for (auto& [index, channel] : arguments_) {
      std::string rest = flush(channel);
      if (rest.empty()) continue;
      v1::ToolCallDelta& call = *delta.add_tool_calls();
      call.set_index(index);
      call.set_arguments(std::move(rest));
    }
    stopped_ = stopped_ || cut;
    if (HasSomething(delta)) out.push_back(std::move(tails));
  }

  const Checks& checks_;
  Channel reasoning_;
  Channel content_;
  std::map<int32_t, Channel> arguments_;  // by tool call index
  Matched matched_;
  bool stopped_ = false;
};

class RealGuard : public OutputGuard {
 public:
  explicit RealGuard(std::unique_ptr<const Checks> checks) : checks_(std::move(checks)) {}
  std::unique_ptr<Stream> NewStream() const override { return std::make_unique<GuardStream>(*checks_); }

 private:
  const std::unique_ptr<const Checks> checks_;
};

// No rules: events pass as they are.
class OpenGuard : public OutputGuard {
 public:
  class OpenStream : public Stream {
   public:
    std::vector<v1::GenerateStreamResponse> Filter(v1::GenerateStreamResponse event) override {
      std::vector<v1::GenerateStreamResponse> out;
      out.push_back(std::move(event));
      return out;
    }
    bool stopped() const override { return false; }
    std::vector<std::string> flags() const override { return {}; }
  };
  std::unique_ptr<Stream> NewStream() const override { return std::make_unique<OpenStream>(); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<OutputGuard>> OutputGuard::Make(const OutputGuardConfig& config,
                                                               std::shared_ptr<const Detectors> detectors) {
  ASSIGN_OR_RETURN(auto rules, GuardRules::Make(config, std::move(detectors)));
  std::vector<std::string> words;
  std::vector<std::vector<uint32_t>> lists_of;
  std::vector<GuardWordList> lists;
  std::map<std::string, size_t> index_of;
  std::set<std::string> names;
  for (uint32_t list = 0; list < config.word_lists.size(); ++list) {
    const GuardWordList& word_list = config.word_lists[list];
    if (word_list.name.empty())
      return absl::InvalidArgumentError(absl::StrCat("output guard list ", list, " has no name"));
    const std::string label = absl::StrCat("output guard list `", word_list.name, "`");
    if (!names.insert(word_list.name).second) return absl::InvalidArgumentError(absl::StrCat(label, " is given twice"));
    lists.push_back({word_list.name, word_list.action, {}, word_list.replacement});
    for (size_t i = 0; i < word_list.words.size(); ++i) {
      std::string word = word_list.words[i];
      if (word.empty() || !CanonicalText::Make(word).valid_utf8()) {
        return absl::InvalidArgumentError(absl::StrCat(label, ": word ", i, " is empty or not valid UTF-8"));
      }
      std::transform(word.begin(), word.end(), word.begin(), LowerAscii);
      const auto [entry, added] = index_of.emplace(std::move(word), words.size());
      if (added) {
        words.push_back(entry->first);
        lists_of.emplace_back();
      }
      lists_of[entry->second].push_back(list);
    }
  }
  if (words.empty() && rules->empty()) return std::make_unique<OpenGuard>();
  return std::make_unique<RealGuard>(std::make_unique<const Checks>(
      WordLists(words, std::move(lists_of), std::move(lists)), std::move(rules)));
}

}  // namespace headgate::router
