// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/screening_seams.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/numerals.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kSeamBytes = 64;       // of either side; a longer value is no words
constexpr size_t kSeamBytesMax = 4096;  // a value of 20 characters, encoded twice, takes about 1,000
constexpr std::string_view kBetweenParts = "\n\n\n\n";  // more separators than a number may hold

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }
bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// What could belong to a value that is spelled, set apart or encoded: anything but an ordinary word.
bool MayBeValue(std::string_view token) {
  if (token.size() == 1 || IsSpelledNumeral(token)) return true;
  bool capital_after_first = false;
  for (size_t i = 0; i < token.size(); ++i) {
    const char c = token[i];
    if (static_cast<uint8_t>(c) >= 0x80) return false;
    if (IsDigit(c) || c == '%' || c == '&' || c == '\\' || c == '#') return true;
    capital_after_first |= i > 0 && IsUpper(c);
  }
  return capital_after_first;
}

bool IsGraphic(char c) { return c > ' ' && c < 0x7F; }
std::string_view LastToken(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0 && text.size() - begin < kSeamBytes && IsGraphic(text[begin - 1])) --begin;
  return text.substr(begin);
}
std::string_view FirstToken(std::string_view text) {
  size_t end = 0;
  while (end < std::min(text.size(), kSeamBytes) && IsGraphic(text[end])) ++end;
  return text.substr(0, end);
}

// A piece of a value rather than a word: a prefix (`sk-`, `ghp_`), the letter of an identifier (`A` of A123456(3)).
bool IsCutOff(std::string_view token) {
  constexpr size_t kLettersMax = 2;
  if (token.empty() || token == "I") return false;
  return token.find_first_of("-_") != std::string_view::npos ||
         (token.size() <= kLettersMax && std::all_of(token.begin(), token.end(), IsUpper));
}

// Whether the end (or the beginning) of `text` holds anything that may be a part of a value. A short text is an answer,
// or a part by itself.
bool MayHoldValue(std::string_view text, bool end) {
  if (text.size() <= kSeamBytes) return true;
  const std::string_view window = end ? text.substr(text.size() - kSeamBytes) : text.substr(0, kSeamBytes);
  bool letter = false;
  for (const char c : window) {
    if (IsDigit(c) || c == '%' || c == '&' || c == '\\' || c == '#' || c == '@' || c == '=') return true;
    if (letter && IsUpper(c)) return true;
    letter = IsLetter(c);
  }
  if (IsCutOff(end ? LastToken(window) : FirstToken(window))) return true;
  constexpr size_t kNumeralsMin = 3;  // fewer are ordinary words
  return CountNumerals(window, kNumeralsMin) >= kNumeralsMin;
}

// A few words and a number of three digits or more.
bool TellsNumber(std::string_view text) {
  constexpr size_t kDigitsMin = 3;
  if (text.size() > kSeamBytes) return false;
  size_t digits = 0;
  for (const char c : text) {
    digits = IsDigit(c) ? digits + 1 : 0;
    if (digits == kDigitsMin) return true;
  }
  return false;
}

// A tool call's arguments without the punctuation at their edges and the first key: `{"part": "1101"}` is 1101.
std::string_view Inside(std::string_view json) {
  constexpr std::string_view kEdges = "{}[] \n\r\t:,";
  if (json.empty() || (json.front() != '{' && json.front() != '[')) return json;
  if (const size_t colon = json.find(':'); json.front() == '{' && colon < kSeamBytes) json.remove_prefix(colon + 1);
  const size_t begin = json.find_first_not_of(kEdges);
  if (begin == std::string_view::npos) return {};
  json = json.substr(begin, json.find_last_not_of(kEdges) + 1 - begin);
  if (json.front() == '"') json.remove_prefix(1);
  if (!json.empty() && json.back() == '"') json.remove_suffix(1);
  return json;
}

// Quotes, brackets and stops around a part are not of the value.
std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kEdges = " \n\r\t\"'`*.,;:()[]{}<>|!?~";
  const size_t begin = text.find_first_not_of(kEdges);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kEdges) + 1 - begin);
}
// Texts that follow each other.
class Chain {
 public:
  void Add(std::string_view text, int message) {
    if (!text.empty()) parts_.push_back({text, message, std::exchange(broken_, false)});
  }
  // What follows has nothing to do with what was before.
  void Break() { broken_ = true; }
  size_t size() const { return parts_.size(); }
  // Whether two of its texts have another message between them.
  bool Skips() const {
    for (size_t i = 1; i < parts_.size(); ++i) {
      if (parts_[i].message - parts_[i - 1].message > 1) return true;
    }
    return false;
  }

  enum class Join { kAsSent, kTrimmedLines };
  // `wanted(i)`: whether the seam between part i - 1 and part i may hold a value.
  template <typename Wanted>
  SeamText Put(Join join, Wanted wanted) const {
    SeamText out;
    bool open = false;  // the last part of `out` is the one before, and goes on
    int32_t begin = 0;  // of it
    for (size_t i = 0; i < parts_.size(); ++i) {
      const bool before = open, behind = i + 1 < parts_.size() && !parts_[i + 1].broken && wanted(i + 1);
      open = behind;
      if (!before && !behind) continue;
      if (before) {
        out.seams.push_back({begin, static_cast<int32_t>(out.text.size()), parts_[i - 1].message, parts_[i].message});
        if (join == Join::kTrimmedLines) out.text += '\n';
      } else if (!out.text.empty()) {
        out.text += kBetweenParts;
      }
      begin = static_cast<int32_t>(out.text.size());
      const std::string_view text = join == Join::kAsSent ? parts_[i].text : Trimmed(parts_[i].text);
      const std::string_view head = ValueHead(text), tail = ValueTail(text);
      if (head.size() + tail.size() + kBetweenParts.size() >= text.size()) {
        out.text += text;
        continue;
      }
      if (before) out.text += head;
      if (before && behind) out.text += kBetweenParts;
      if (behind) begin = static_cast<int32_t>(out.text.size());
      if (behind) out.text += tail;
    }
    return out;
  }
  // What touches the seam before part `i` may be two parts of one value. Then it is read without what is around the
  // parts too, as lines: glued, a number beside the value would be taken for a part of it.
  bool MayBeCut(size_t i) const {
    return MayBeValue(LastToken(Trimmed(parts_[i - 1].text))) && MayBeValue(FirstToken(Trimmed(parts_[i].text)));
  }
  // `it starts with 110105`, `then comes 19870612`: numbers among a few words on both sides.
  bool TellNumbers(size_t i) const { return TellsNumber(parts_[i - 1].text) && TellsNumber(parts_[i].text); }
  // A side may hold a part of one, or the label of one.
  bool EndMayHold(size_t i) const { return MayHoldValue(parts_[i].text, /*end=*/true); }
  bool BeginningMayHold(size_t i) const { return MayHoldValue(parts_[i].text, /*end=*/false); }

 private:
  struct Part {
    std::string_view text;
    int message;
    bool broken;
  };
  std::vector<Part> parts_;
  bool broken_ = false;
};

// Calls `visit(key, value)` for the strings of a JSON text, those of a list under the list's key. Not much of a parser:
// what is no JSON has no strings, or others.
template <typename Visit>
void ForEachString(std::string_view json, Visit visit) {
  std::string_view key;
  for (size_t at = json.find('"'); at != std::string_view::npos; at = json.find('"', at)) {
    const size_t begin = ++at;
    while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2 : 1;
    if (at >= json.size()) return;
    const std::string_view text = json.substr(begin, at - begin);
    const size_t next = json.find_first_not_of(" \n\r\t", ++at);
    if (next != std::string_view::npos && json[next] == ':') {
      key = text;
    } else {
      visit(key, text);
    }
  }
}

// The parts that stand under one key in several documents, or in one list.
class Leaves {
 public:
  void Add(std::string_view json, int message) {
    constexpr size_t kDocumentMax = 16 << 10, kListMax = 8, kKeysMax = 64;  // more of a kind are a table
    const size_t begin = json.find_first_not_of(" \n\r\t");
    if (begin == std::string_view::npos || (json[begin] != '{' && json[begin] != '[') || json.size() > kDocumentMax) {
      return;
    }
    std::map<std::string_view, std::vector<std::string_view>> found;
    ForEachString(json, [&](std::string_view key, std::string_view text) { found[key].push_back(text); });
    for (const auto& [key, texts] : found) {
      if (texts.size() > kListMax || (chains_.size() >= kKeysMax && !chains_.contains(key))) continue;
      for (const std::string_view text : texts) chains_[key].Add(text, message);
    }
  }
  const std::map<std::string_view, Chain>& chains() const { return chains_; }

 private:
  std::map<std::string_view, Chain> chains_;
};

}  // namespace

std::string_view ValueTail(std::string_view text) {
  size_t begin = text.size() > kSeamBytes ? text.size() - kSeamBytes : 0;
  while (begin < text.size() && IsContinuation(text[begin])) ++begin;
  const size_t floor = text.size() > kSeamBytesMax ? text.size() - kSeamBytesMax : 0;
  for (size_t token = begin; token > floor; begin = token) {
    size_t end = token;
    while (end > floor && IsSpace(text[end - 1])) --end;
    token = end;
    while (token > floor && !IsSpace(text[token - 1]) && static_cast<uint8_t>(text[token - 1]) < 0x80) --token;
    // The 64 bytes may have begun in the middle of it.
    while (end < text.size() && !IsSpace(text[end]) && static_cast<uint8_t>(text[end]) < 0x80) ++end;
    if (token >= begin || !MayBeValue(text.substr(token, end - token))) break;
  }
  return text.substr(begin);
}

std::string_view ValueHead(std::string_view text) {
  size_t end = std::min(text.size(), kSeamBytes);
  while (end > 0 && end < text.size() && IsContinuation(text[end])) --end;
  const size_t ceiling = std::min(text.size(), kSeamBytesMax);
  for (size_t token = end; token < ceiling; end = token) {
    size_t begin = token;
    while (begin < ceiling && IsSpace(text[begin])) ++begin;
    token = begin;
    while (token < ceiling && !IsSpace(text[token]) && static_cast<uint8_t>(text[token]) < 0x80) ++token;
    while (begin > 0 && !IsSpace(text[begin - 1]) && static_cast<uint8_t>(text[begin - 1]) < 0x80) --begin;
    if (token <= end || !MayBeValue(text.substr(begin, token - begin))) break;
  }
  return text.substr(0, end);
}

std::vector<SeamText> MakeSeams(const v1::GenerateRequest& content,
                                const std::function<const CanonicalText*(const std::string& field)>& canonical_of,
                                DecodeBudget& budget) {
  Chain all, names, within, backwards;
  Leaves leaves;
  std::array<Chain, v1::Role_ARRAYSIZE> by_role;
  const auto read = [&](const std::string& field, const std::string& text) {
    const CanonicalText* canonical = text.empty() ? nullptr : canonical_of(field);
    return canonical == nullptr ? std::string_view() : canonical->text();
  };
  for (int i = 0; i < content.messages_size(); ++i) {
    const v1::Message& message = content.messages(i);
    const std::string path = absl::StrCat("messages[", i, "].");
    const std::string_view name = read(path + "name", message.name()), text = read(path + "content", message.content());
    all.Add(text, i);
    leaves.Add(text, i);
    names.Add(name, i);
    if (v1::Role_IsValid(message.role())) by_role[static_cast<size_t>(message.role())].Add(text, i);
    within.Break();
    backwards.Break();
    if (name.empty() && message.tool_calls().empty() && message.reasoning_content().empty()) continue;
    backwards.Add(text, i);
    backwards.Add(name, i);
    within.Add(name, i);
    within.Add(text, i);
    within.Add(read(path + "reasoning_content", message.reasoning_content()), i);
    for (int call = 0; call < message.tool_calls_size(); ++call) {
      const std::string_view arguments =
          read(absl::StrCat(path, "tool_calls[", call, "].arguments"), message.tool_calls(call).arguments());
      leaves.Add(arguments, i);
      within.Add(Inside(arguments), i);
      all.Add(Inside(arguments), i);
    }
  }
  std::vector<SeamText> texts;
  std::unordered_set<std::string> made;
  const auto put = [&](const Chain& chain, Chain::Join join, const auto& wanted) {
    if (chain.size() < 2 || budget.exhausted) return;
    SeamText text = chain.Put(join, wanted);
    if (text.seams.empty() || !made.insert(text.text).second || !budget.Take(text.text.size())) return;
    texts.push_back(std::move(text));
  };
  const auto take = [&](const Chain& chain, const auto& wanted) {
    put(chain, Chain::Join::kAsSent, wanted);
    put(chain, Chain::Join::kTrimmedLines, [&](size_t i) { return chain.MayBeCut(i); });
    put(chain, Chain::Join::kTrimmedLines, [&](size_t i) { return chain.MayBeCut(i) || chain.TellNumbers(i); });
  };
  for (const Chain* chain : {&all, &names, &within, &backwards}) {
    take(*chain, [&](size_t i) { return chain->EndMayHold(i - 1) || chain->BeginningMayHold(i); });
  }
  // What follows in one role and not in all of them.
  for (const Chain& chain : by_role) {
    if (!chain.Skips()) continue;
    take(chain, [&](size_t i) { return chain.EndMayHold(i - 1) && chain.BeginningMayHold(i); });
  }
  for (const auto& [key, chain] : leaves.chains()) {
    take(chain, [&, &chain = chain](size_t i) { return chain.MayBeCut(i); });
  }
  return texts;
}

}  // namespace headgate::router
