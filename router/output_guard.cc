// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// One automaton over the words of all lists. Its state after a byte says how many of the last bytes could still begin a
// word; exactly those are held back. Words are valid UTF-8 and so is the text, so no character is ever cut.
#include "router/output_guard.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
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
class Channel {
 public:
  // Takes `piece` in, returns what may go out. After a stop match: everything before it, and `stopped` is set.
  std::string Push(const WordLists& words, std::string_view piece, std::set<uint32_t>& matched, bool& stopped) {
    for (const char byte : piece) {
      state_ = words.automaton.Next(state_, byte);
      held_ += byte;
      covered_.push_back(false);
      size_t stop_bytes = 0;
      words.automaton.ForEachMatch(state_, [&](uint32_t word) {
        const size_t bytes = words.automaton.word_bytes(word);
        for (const uint32_t list : words.lists_of[word]) {
          matched.insert(list);
          if (words.lists[list].action == GuardWordList::Action::kStop) stop_bytes = std::max(stop_bytes, bytes);
          if (words.lists[list].action == GuardWordList::Action::kRedact) {
            std::fill(covered_.end() - static_cast<std::ptrdiff_t>(bytes), covered_.end(), true);
          }
        }
      });
      if (stop_bytes > 0) {
        stopped = true;
        std::string before = Release(held_.size() - stop_bytes);
        held_.clear();
        covered_.clear();
        return before;
      }
    }
    return Release(held_.size() - words.automaton.Depth(state_));
  }
  // The text has ended: nothing can become a word any more.
  std::string Flush() { return Release(held_.size()); }

 private:
  std::string Release(size_t bytes) {
    std::string out;
    for (size_t i = 0; i < bytes; ++i) {
      if (!covered_[i]) {
        out += held_[i];
      } else if (!in_redaction_) {
        out += kRedacted;
      }
      in_redaction_ = covered_[i];
    }
    held_.erase(0, bytes);
    covered_.erase(covered_.begin(), covered_.begin() + static_cast<std::ptrdiff_t>(bytes));
    return out;
  }

  AhoCorasick::State state_ = AhoCorasick::kStart;
  std::string held_;
  std::vector<bool> covered_;  // by a redacted word, of each held byte
  bool in_redaction_ = false;  // the last byte that went out was covered
};

class WordStream : public OutputGuard::Stream {
 public:
  explicit WordStream(const WordLists& words) : words_(words) {}

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
    if (event.has_finish()) AddTails(out, {});
    out.push_back(std::move(event));
    return out;
  }

  bool stopped() const override { return stopped_; }
  std::vector<std::string> flags() const override {
    std::set<std::string> names;
    for (const uint32_t list : matched_) names.insert(words_.lists[list].name);
    return {names.begin(), names.end()};
  }

 private:
  static bool HasSomething(const v1::Delta& delta) {
    return !delta.content().empty() || !delta.reasoning_content().empty() || delta.tool_calls_size() > 0;
  }

  // In the order in which an answer is written: reasoning, content, tool calls. Nothing follows a stop match.
  void FilterDelta(const v1::Delta& delta, v1::Delta& out) {
    out.set_reasoning_content(reasoning_.Push(words_, delta.reasoning_content(), matched_, stopped_));
    if (stopped_) return;
    out.set_content(content_.Push(words_, delta.content(), matched_, stopped_));
    for (const v1::ToolCallDelta& call : delta.tool_calls()) {
      if (stopped_) return;
      std::string arguments = arguments_[call.index()].Push(words_, call.arguments(), matched_, stopped_);
      if (arguments.empty() && call.id().empty() && call.name().empty()) continue;
      v1::ToolCallDelta& kept = *out.add_tool_calls();
      kept.set_index(call.index());
      kept.set_id(call.id());
      kept.set_name(call.name());
      kept.set_arguments(std::move(arguments));
    }
  }

  // What was held back in every text goes out after `last`.
  void AddTails(std::vector<v1::GenerateStreamResponse>& out, v1::GenerateStreamResponse last) {
    if (HasSomething(last.delta())) out.push_back(std::move(last));
    v1::GenerateStreamResponse tails;
    v1::Delta& delta = *tails.mutable_delta();
    delta.set_reasoning_content(reasoning_.Flush());
    delta.set_content(content_.Flush());
    for (auto& [index, channel] : arguments_) {
      std::string rest = channel.Flush();
      if (rest.empty()) continue;
      v1::ToolCallDelta& call = *delta.add_tool_calls();
      call.set_index(index);
      call.set_arguments(std::move(rest));
    }
    if (HasSomething(delta)) out.push_back(std::move(tails));
  }

  const WordLists& words_;
  Channel reasoning_;
  Channel content_;
  std::map<int32_t, Channel> arguments_;  // by tool call index
  std::set<uint32_t> matched_;            // lists
  bool stopped_ = false;
};

class WordGuard : public OutputGuard {
 public:
  explicit WordGuard(std::unique_ptr<const WordLists> words) : words_(std::move(words)) {}
  std::unique_ptr<Stream> NewStream() const override { return std::make_unique<WordStream>(*words_); }

 private:
  const std::unique_ptr<const WordLists> words_;
};

// No lists: events pass as they are.
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

absl::StatusOr<std::unique_ptr<OutputGuard>> OutputGuard::Make(const OutputGuardConfig& config) {
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
    lists.push_back({word_list.name, word_list.action, {}});
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
  if (words.empty()) return std::make_unique<OpenGuard>();
  return std::make_unique<WordGuard>(std::make_unique<const WordLists>(words, std::move(lists_of), std::move(lists)));
}

}  // namespace headgate::router
