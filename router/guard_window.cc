// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/guard_window.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "router/sensitivity/canonical_text.h"
#include "router/sensitivity/validators.h"

namespace headgate::router {
namespace {

constexpr size_t kTouchBytes = 16;  // a match that ends this close to the end may still grow
constexpr int64_t kPatternMemoryBytes = 4 << 20;
const std::string kRedacted = "***";

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }
// The largest character boundary of `text` at or before `at`.
size_t CharacterAt(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && IsContinuation(text[at])) --at;
  return at;
}
bool IsKeyBodyByte(char c) { return IsAlnum(c) || std::string_view("+/=-\r\n").find(c) != std::string_view::npos; }
// Characters that keys, tokens and e-mail addresses are made of.
bool IsTokenByte(char c) { return IsAlnum(c) || std::string_view("+/=_-.@%").find(c) != std::string_view::npos; }

// Out of memory, say: as good as a detector that did not finish.
absl::StatusOr<std::vector<Detection>> Scan(const Detectors& detectors, std::string_view text) {
  try {
    return detectors.Scan(CanonicalText::Make(text));
  } catch (...) {
    return absl::InternalError("a detector threw");
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<const GuardRules>> GuardRules::Make(const OutputGuardConfig& config,
                                                                   std::shared_ptr<const Detectors> detectors) {
  auto rules = std::make_unique<GuardRules>();
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kPatternMemoryBytes);
  for (const GuardPattern& pattern : config.patterns) {
    auto expression = std::make_unique<const RE2>(pattern.pattern, options);
    if (!expression->ok() || RE2::FullMatch("", *expression)) {
      const std::string why = expression->ok() ? "matches nothing at all" : expression->error();
      return absl::InvalidArgumentError(absl::StrCat("output guard pattern `", pattern.name, "`: ", why));
    }
    rules->acts_ = rules->acts_ || pattern.action != Action::kFlag;
    rules->patterns_.push_back({pattern.name, pattern.action, pattern.replacement, std::move(expression)});
  }
  rules->personal_data_ = config.personal_data;
  if (config.personal_data) {
    if (detectors == nullptr) return absl::InvalidArgumentError("output guard: personal_data needs detectors");
    rules->acts_ = rules->acts_ || config.personal_data->action != Action::kFlag;
  }
  rules->detectors_ = std::move(detectors);
  return rules;
}

absl::StatusOr<std::vector<GuardRules::Match>> GuardRules::Find(std::string_view text, size_t from) const {
  const auto replacement = [](Action action, const std::string& own) {
    return action == Action::kReplace ? &own : &kRedacted;
  };
  std::vector<Match> matches;
  for (const Pattern& pattern : patterns_) {
    const re2::StringPiece whole(text.data(), text.size());
    re2::StringPiece found;
    size_t at = from;
    while (at < text.size() && pattern.expression->Match(whole, at, text.size(), RE2::UNANCHORED, &found, 1)) {
      const auto begin = static_cast<size_t>(found.data() - text.data());
      at = begin + std::max<size_t>(found.size(), 1);
      if (found.empty()) continue;
      matches.push_back({begin, begin + found.size(), pattern.action, replacement(pattern.action, pattern.replacement),
                         pattern.name});
    }
  }
  if (personal_data_) {
    ASSIGN_OR_RETURN(const std::vector<Detection> detections, Scan(*detectors_, text));
    for (const Detection& detection : detections) {
      auto end = static_cast<size_t>(detection.span.end);
      // The detector knows a private key by its first line; the answer must lose all of them.
      while (detection.type == "PRIVATE_KEY" && end < text.size() && IsKeyBodyByte(text[end])) ++end;
      if (detection.level < personal_data_->level || end <= from) continue;
      matches.push_back({static_cast<size_t>(detection.span.begin), end, personal_data_->action,
                         replacement(personal_data_->action, personal_data_->replacement),
                         absl::StrCat("personal_data:", detection.type)});
    }
  }
  std::stable_sort(matches.begin(), matches.end(),
                   [](const Match& a, const Match& b) { return a.begin < b.begin; });
  return matches;
}

std::string GuardWindow::Push(const GuardRules& rules, std::string_view piece, std::set<std::string>& matched,
                              bool& stopped) {
  std::string out;
  while (!piece.empty() && !stopped && !ended_) {
    const std::string_view part = piece.substr(0, kStepBytes - length_ % kStepBytes);
    text_ += part;
    length_ += part.size();
    piece.remove_prefix(part.size());
    if (!rules.acts()) out += part;
    if (length_ % kStepBytes == 0) {
      std::string released = Look(rules, false, matched, stopped);
      if (rules.acts()) out += released;
    }
  }
  return out;
}

std::string GuardWindow::Flush(const GuardRules& rules, std::set<std::string>& matched, bool& stopped) {
  std::string released = Look(rules, true, matched, stopped);
  return rules.acts() ? released : "";
}

std::string GuardWindow::Look(const GuardRules& rules, bool last, std::set<std::string>& matched, bool& stopped) {
  if (ended_) return "";  // what is still held belongs to what stopped the answer
  // A step may end within a character: the rest of it is on its way.
  size_t end = text_.size();
  if (!last) {
    size_t begin = end;
    while (begin > out_ && end - begin < 4 && IsContinuation(text_[begin - 1])) --begin;
    if (begin > out_ && static_cast<uint8_t>(text_[begin - 1]) >= 0xC0) end = begin - 1;
  }
  const auto matches = rules.Find(std::string_view(text_).substr(0, end), out_);
  if (!matches.ok()) {
    // Nothing is known about what is held: it does not go out.
    matched.insert("personal_data:unavailable");
    stopped = ended_ = rules.acts();
    return "";
  }
  size_t limit = Limit(*matches, end, last);
  if (end - limit > kHeldBytesMax) {
    matched.insert("held_too_long");
    stopped = rules.acts();
    if (!stopped) limit = end;
  }
  std::string out = Release(*matches, limit, matched, stopped);
  ended_ = stopped || last;
  const size_t keep_from = CharacterAt(text_, limit > kContextBytes ? limit - kContextBytes : 0);
  out_ = limit - keep_from;
  text_.erase(0, keep_from);
  return out;
}

// How far the text is decided.
size_t GuardWindow::Limit(const std::vector<GuardRules::Match>& matches, size_t end, bool last) const {
  if (last) return end;
  size_t limit = end > out_ + kHoldBytes ? std::max(out_, CharacterAt(text_, end - kHoldBytes)) : out_;
  // Not in the middle of a token: what it is may show only at its end.
  size_t token = limit;
  while (token > out_ && limit - token < kTokenBytesMax && IsTokenByte(text_[token - 1])) --token;
  if (limit - token < kTokenBytesMax && limit < end && IsTokenByte(text_[limit])) limit = token;
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    const bool may_grow = match->end + kTouchBytes > end;
    if (match->begin < limit && (match->end > limit || may_grow)) limit = std::max(match->begin, out_);
  }
  return limit;
}

std::string GuardWindow::Release(const std::vector<GuardRules::Match>& matches, size_t limit,
                                 std::set<std::string>& matched, bool& stopped) {
  const size_t begin = out_;
  std::vector<const GuardRules::Match*> covered(limit - begin, nullptr);
  size_t stop = limit;
  for (const GuardRules::Match& match : matches) {
    if (match.begin >= stop) break;
    matched.insert(match.name);
    if (match.action == GuardRules::Action::kStop) {
      stop = std::max(match.begin, begin);
      stopped = true;
      break;
    }
    if (match.action == GuardRules::Action::kFlag) continue;
    for (size_t at = std::max(match.begin, begin); at < std::min(match.end, limit); ++at) {
      if (covered[at - begin] == nullptr) covered[at - begin] = &match;
    }
  }
  std::string out;
  for (size_t at = begin; at < stop; ++at) {
    const GuardRules::Match* match = covered[at - begin];
    if (match == nullptr) {
      out += text_[at];
    } else if (!redacting_) {
      out += *match->replacement;
    }
    redacting_ = match != nullptr;
  }
  return out;
}

}  // namespace headgate::router
