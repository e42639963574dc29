// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "router/screening.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "router/sensitivity/decoded_views.h"

namespace headgate::router {
namespace {

constexpr size_t kSeamBytes = 64;  // of either side; a longer value has a recognisable beginning or end on one of them

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// The last / first bytes of `text`, whole characters only.
std::string_view Tail(std::string_view text) {
  size_t begin = text.size() > kSeamBytes ? text.size() - kSeamBytes : 0;
  while (begin < text.size() && IsContinuation(text[begin])) ++begin;
  return text.substr(begin);
}
std::string_view Head(std::string_view text) {
  size_t end = std::min(text.size(), kSeamBytes);
  while (end > 0 && end < text.size() && IsContinuation(text[end])) --end;
  return text.substr(0, end);
}

void AddSeam(std::string_view tail, std::string_view content, std::string field, Screened& screened) {
  if (tail.empty() || content.empty()) return;
  std::string both(tail);
  both += Head(content);
  ScreenedField seam{std::move(field), CanonicalText::Make(both), "seam"};
  seam.seam = static_cast<int32_t>(tail.size());
  screened.fields.push_back(std::move(seam));
}

// A value split over messages: the end of what was said so far, over all roles and by the same role, with the beginning
// of the next message. The tail runs over short messages, so three parts are found as well as two.
void AddSeams(const v1::GenerateRequest& content, Screened& screened) {
  struct Said {
    std::string tail;
    int last = -1;
  };
  Said all;
  std::map<int, Said> by_role;
  for (int i = 0; i < content.messages_size(); ++i) {
    const v1::Message& message = content.messages(i);
    if (message.content().empty()) continue;
    Said& role = by_role[message.role()];
    const auto name = [i](const Said& said) { return absl::StrCat("messages[", said.last, "..", i, "].content"); };
    AddSeam(all.tail, message.content(), name(all), screened);
    if (role.tail != all.tail) AddSeam(role.tail, message.content(), name(role), screened);
    for (Said* said : {&all, &role}) {
      said->tail = std::string(Tail(said->tail + std::string(Tail(message.content()))));
      said->last = i;
    }
  }
}

}  // namespace

CanonicalText::Span ScreenedField::InField(CanonicalText::Span span) const {
  if (origin.empty()) return span;
  const auto at = [this](int32_t i) { return static_cast<int32_t>(origin[static_cast<size_t>(i)]); };
  if (span.begin == span.end) return {at(span.begin), at(span.begin)};
  int32_t last = span.end;  // several bytes of a view may come from one place: go on to where the next begins
  while (static_cast<size_t>(last) + 1 < origin.size() && at(last) == at(span.end - 1)) ++last;
  return {at(span.begin), at(last)};
}

absl::Status CheckInputFilter(const Screened& screened) {
  for (const Screened::Attack& attack : screened.attacks) {
    if (attack.action != InputFilterConfig::Action::kBlock) continue;
    return absl::PermissionDeniedError(absl::StrCat("the input filter blocks this: ", std::string(attack.kind)));
  }
  return absl::OkStatus();
}

std::vector<v1::Finding> AttackFindings(const Screened& screened) {
  std::vector<v1::Finding> findings;
  for (const Screened::Attack& attack : screened.attacks) {
    v1::Finding& finding = findings.emplace_back();
    finding.set_type(absl::StrCat("ATTACK:", std::string(attack.kind)));
    finding.set_score(attack.score);
    finding.set_field(attack.field);
  }
  return findings;
}

bool FilterKeepsLocal(const Screened& screened) {
  return std::any_of(screened.attacks.begin(), screened.attacks.end(), [](const Screened::Attack& attack) {
    return attack.action == InputFilterConfig::Action::kLocal;
  });
}

Screening::Screening(const LimitsConfig& limits, const InputFilterConfig& filter)
    : inspect_bytes_max_(limits.inspect_bytes_max),
      actions_{filter.sql_injection, filter.xss, filter.command_injection, filter.prompt_injection} {
  ScoreAttacks("");  // compiles its phrases: not at the expense of the first request
}

// What users, tools and documents say. The system's text is the application's own, the assistant's the model's; both
// may speak of attacks.
void Screening::AddAttacks(const Prompt& prompt, Screened& screened) const {
  if (std::all_of(actions_.begin(), actions_.end(),
                  [](auto action) { return action == InputFilterConfig::Action::kOff; })) {
    return;
  }
  std::set<std::string> trusted;
  for (int i = 0; i < prompt.content().messages_size(); ++i) {
    const v1::Role role = prompt.content().messages(i).role();
    if (role != v1::ROLE_SYSTEM && role != v1::ROLE_ASSISTANT) continue;
    trusted.insert(absl::StrCat("messages[", i, "].content"));
  }
  std::array<Screened::Attack, kAttackNames.size()> highest;
  for (const ScreenedField& field : screened.fields) {
    if (trusted.contains(field.field)) continue;
    const AttackScores scores = ScoreAttacks(field.text.text());
    for (size_t kind = 0; kind < scores.size(); ++kind) {
      if (scores[kind] > highest[kind].score) highest[kind] = {kAttackNames[kind], scores[kind], field.field};
    }
  }
  for (size_t kind = 0; kind < highest.size(); ++kind) {
    if (actions_[kind] == InputFilterConfig::Action::kOff || highest[kind].score < kAttackScoreMin) continue;
    highest[kind].action = actions_[kind];
    screened.attacks.push_back(std::move(highest[kind]));
  }
}

Screened Screening::Screen(const Prompt& prompt) const {
  Screened screened;
  screened.digest = prompt.digest();
  // Reading costs time: text beyond the limit is not read at all, and the request is sensitive for it.
  if (prompt.text_bytes() > static_cast<size_t>(std::max<int64_t>(inspect_bytes_max_, 0))) {
    screened.not_inspectable.push_back("too_long");
  }
  size_t left = static_cast<size_t>(std::max<int64_t>(inspect_bytes_max_, 0));
  DecodeBudget budget{2 * left};
  prompt.ForEachText([&](const std::string& field, std::string_view text) {
    if (text.size() > left) return;
    left -= text.size();
    CanonicalText canonical = CanonicalText::Make(text);
    if (!canonical.valid_utf8()) screened.not_inspectable.push_back(absl::StrCat("invalid_utf8 ", field));
    for (DecodedView& view : DecodeViews(canonical, budget)) {
      screened.fields.push_back(
          {field, CanonicalText::Make(view.text), std::string(view.name), std::move(view.origin)});
    }
    screened.fields.push_back({field, std::move(canonical)});
  });
  if (budget.exhausted) screened.not_inspectable.push_back("decode_limit");
  AddSeams(prompt.content(), screened);
  AddAttacks(prompt, screened);
  return screened;
}

}  // namespace headgate::router
