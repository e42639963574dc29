// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/sensitivity/keywords.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

// True when a Latin word would go on over the boundary at `at`.
bool CutsWord(std::string_view text, size_t at) {
  return at > 0 && at < text.size() && IsAlnum(text[at - 1]) && IsAlnum(text[at]);
}

std::string Canonical(const std::string& word) {
  const CanonicalText text = CanonicalText::Make(word);
  std::string canonical(text.text());
  std::transform(canonical.begin(), canonical.end(), canonical.begin(), LowerAscii);
  const size_t first = canonical.find_first_not_of(" \t\r\n");
  if (!text.valid_utf8() || first == std::string::npos) return "";
  return canonical.substr(first, canonical.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

absl::StatusOr<Keywords> Keywords::Make(const std::vector<KeywordListConfig>& lists) {
  Keywords keywords;
  std::vector<std::string> words;
  std::map<std::string, size_t> index_of;
  std::set<std::string> names;
  for (uint32_t list = 0; list < lists.size(); ++list) {
    const KeywordListConfig& config = lists[list];
    const std::string label = absl::StrCat("keyword list `", config.name, "`");
    if (config.name.empty()) return absl::InvalidArgumentError(absl::StrCat("keyword list ", list, " has no name"));
    if (!names.insert(config.name).second) return absl::InvalidArgumentError(absl::StrCat(label, " is given twice"));
    if (config.level < v1::SENSITIVITY_LEVEL_PUBLIC || config.level > v1::SENSITIVITY_LEVEL_RESTRICTED) {
      return absl::InvalidArgumentError(absl::StrCat(label, " has no valid level"));
    }
    for (size_t i = 0; i < config.words.size(); ++i) {
      std::string word = Canonical(config.words[i]);
      if (word.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(label, ": word ", i, " is empty, invisible or not valid UTF-8"));
      }
      const auto [entry, added] = index_of.emplace(std::move(word), words.size());
      if (added) {
        words.push_back(entry->first);
        keywords.lists_of_.emplace_back();
      }
      std::vector<uint32_t>& of = keywords.lists_of_[entry->second];
      if (of.empty() || of.back() != list) of.push_back(list);
    }
  }
  if (!words.empty()) keywords.automaton_ = std::make_unique<const AhoCorasick>(words);
  return keywords;
}

void Keywords::Scan(std::string_view text, absl::FunctionRef<void(size_t, size_t, size_t)> on_match) const {
  if (automaton_ == nullptr) return;
  AhoCorasick::State state = AhoCorasick::kStart;
  for (size_t at = 0; at < text.size(); ++at) {
    state = automaton_->Next(state, text[at]);
    if (state == AhoCorasick::kStart) continue;
    automaton_->ForEachMatch(state, [&](uint32_t word) {
      const size_t end = at + 1;
      const size_t begin = end - automaton_->word_bytes(word);
      if (CutsWord(text, begin) || CutsWord(text, end)) return;
      for (const uint32_t list : lists_of_[word]) on_match(list, begin, end);
    });
  }
}

}  // namespace headgate::router
